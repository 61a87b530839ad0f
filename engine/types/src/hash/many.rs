//! Digests of many messages at a time.
//!
//! A block is tens of thousands of short messages: transactions, receipts, access sets, nodes of trees. Where the processor
//! has no SHA instructions, hashing 16 messages side by side, one in each lane of wide registers, is many times faster than
//! one after another. Messages of the same length go together, so that lanes end together and few are idle. The digests are
//! those of [`CryptoSuite::hash_parts`]; a test holds them together. SM3 is done one message after another.
//!
//! Start reading at [`Messages`].

use std::ops::Range;

use sm3::{Digest, Sm3};

use super::{Domain, Hash};
use crate::crypto::CryptoSuite;
use crate::encoding::Canonical;

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Messages that are hashed side by side.
const LANES: usize = 16;
/// One word of every lane.
type Words = [u32; LANES];
/// The state of every lane, word by word.
type State = [Words; 8];
/// A block of a message.
type Block = [u8; 64];

/// Longer messages are not copied, but hashed where they are.
const COPIED_MAX: usize = 4096;

impl CryptoSuite {
    /// [`CryptoSuite::hash_parts`] for each body, with this part before it. Short ones are hashed side by side.
    pub fn hash_each<'a>(self, domain: Domain, part: &[u8], bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<Hash> {
        let mut messages = Messages::default();
        let mut long = Vec::new();
        for (at, body) in bodies.into_iter().enumerate() {
            if body.len() > COPIED_MAX {
                long.push((at, self.hash_parts(domain, &[part, body])));
            } else {
                messages.add_parts(domain, &[part, body]);
            }
        }
        let mut digests = messages.hash(self);
        for (at, digest) in long {
            digests.insert(at, digest);
        }
        digests
    }

    /// [`CryptoSuite::hash`] of the canonical bytes of each value.
    pub fn hash_each_encoded<T: Canonical>(self, domain: Domain, values: &[T]) -> Vec<Hash> {
        let mut bytes = Vec::new();
        let encode = |value: &T| {
            value.encode_into(&mut bytes);
            bytes.len()
        };
        let ends: Vec<usize> = values.iter().map(encode).collect();
        let starts = [0].into_iter().chain(ends.iter().copied());
        self.hash_each(domain, &[], starts.zip(&ends).map(|(start, end)| &bytes[start..*end]))
    }
}

/// Messages to hash, padded as SHA-256 and SM3 want it.
#[derive(Debug, Default)]
pub struct Messages {
    blocks: Vec<Block>,
    /// Where in `blocks` each message ends.
    ends: Vec<usize>,
}

impl Messages {
    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all messages, but keeps their memory.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.ends.clear();
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>() + self.ends.capacity() * size_of::<usize>()
    }

    /// Adds a message of the domain's tag and these parts.
    pub fn add_parts(&mut self, domain: Domain, parts: &[&[u8]]) {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let message = self.add(length);
        message[0] = domain as u8;
        let mut rest = &mut message[1..];
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
    }

    /// Adds a message of so many bytes, which are to be written at the start of what this gives.
    pub fn add(&mut self, length: usize) -> &mut [u8] {
        let start = self.blocks.len();
        // Padding takes a byte, and eight for the length.
        let end = start + (length + 9).div_ceil(64);
        self.blocks.resize(end, [0; 64]);
        self.ends.push(end);
        let message = self.blocks[start..].as_flattened_mut();
        message[length] = 0x80;
        let last = message.len() - 8;
        message[last..].copy_from_slice(&(8 * length as u64).to_be_bytes());
        message
    }

    /// A message, with its padding.
    pub fn message(&mut self, at: usize) -> &mut [u8] {
        let blocks = self.span(at);
        self.blocks[blocks].as_flattened_mut()
    }

    /// The digests, in order.
    pub fn hash(&self, suite: CryptoSuite) -> Vec<Hash> {
        match suite {
            CryptoSuite::Standard => self.hash_by(Way::choose()),
            CryptoSuite::Guomi => (0..self.len()).map(|at| Hash(Sm3::digest(self.unpadded(at)).into())).collect(),
        }
    }

    /// A message, without its padding.
    fn unpadded(&self, at: usize) -> &[u8] {
        let message = self.blocks[self.span(at)].as_flattened();
        let (rest, bits) = message.split_last_chunk().expect("padding ends with the length");
        &rest[..(u64::from_be_bytes(*bits) / 8) as usize]
    }

    fn hash_by(&self, way: Way) -> Vec<Hash> {
        if self.len() <= way.singly() {
            return (0..self.len()).map(|at| self.finish(INITIAL, self.span(at))).collect();
        }
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by_key(|at| self.span(*at as usize).len());
        let mut digests = vec![Hash::ZERO; self.len()];
        for members in order.chunks(LANES) {
            Group::new(self, members).run(way, &mut digests);
        }
        digests
    }

    /// The places of a message's blocks.
    fn span(&self, at: usize) -> Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[at]
    }

    /// The digest of what these blocks make of a state.
    fn finish(&self, mut state: [u32; 8], blocks: Range<usize>) -> Hash {
        sha2::block_api::compress256(&mut state, &self.blocks[blocks]);
        digest(state)
    }
}

fn digest(state: [u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    Hash(bytes)
}

/// Messages that go through the lanes together, the shortest first. Lanes beyond them idle.
struct Group<'a> {
    messages: &'a Messages,
    members: &'a [u32],
    /// What is left of their blocks.
    rest: [Range<usize>; LANES],
    state: State,
}

impl<'a> Group<'a> {
    fn new(messages: &'a Messages, members: &'a [u32]) -> Group<'a> {
        let rest = std::array::from_fn(|lane| members.get(lane).map_or(0..0, |at| messages.span(*at as usize)));
        Group { messages, members, rest, state: INITIAL.map(|word| [word; LANES]) }
    }

    fn run(mut self, way: Way, digests: &mut [Hash]) {
        let mut ended = 0;
        while self.members.len() - ended > way.singly() {
            self.step(way);
            while self.rest.get(ended).is_some_and(Range::is_empty) && ended < self.members.len() {
                digests[self.members[ended] as usize] = digest(self.state_of(ended));
                ended += 1;
            }
        }
        for lane in ended..self.members.len() {
            let rest = self.rest[lane].clone();
            digests[self.members[lane] as usize] = self.messages.finish(self.state_of(lane), rest);
        }
    }

    /// Moves every lane on by a block.
    fn step(&mut self, way: Way) {
        let blocks = self.rest.each_mut().map(|rest| match rest.next() {
            Some(at) => &self.messages.blocks[at],
            None => &IDLE,
        });
        way.step(&mut self.state, blocks);
    }

    fn state_of(&self, lane: usize) -> [u32; 8] {
        self.state.each_ref().map(|word| word[lane])
    }
}

/// What a lane without a message hashes.
static IDLE: Block = [0; 64];

/// How a processor hashes fastest.
#[derive(Clone, Copy)]
enum Way {
    /// One message after another, with the processor's own instructions for it, if it has them.
    Single,
    /// Side by side, in whatever registers every processor of this kind has.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "its processors have SHA instructions"))]
    Portable,
    /// Side by side in registers of 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Side by side in registers of 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Way {
    #[cfg(target_arch = "x86_64")]
    fn choose() -> Way {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            Way::Avx512
        } else if is_x86_feature_detected!("sha") {
            Way::Single
        } else if is_x86_feature_detected!("avx2") {
            Way::Avx2
        } else {
            Way::Portable
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn choose() -> Way {
        if cfg!(target_arch = "aarch64") { Way::Single } else { Way::Portable }
    }

    /// So many messages are not worth it side by side.
    fn singly(self) -> usize {
        match self {
            Way::Single => usize::MAX,
            Way::Portable => 4,
            #[cfg(target_arch = "x86_64")]
            Way::Avx2 => 2,
            #[cfg(target_arch = "x86_64")]
            Way::Avx512 => 1,
        }
    }

    /// Compresses a block into the state of every lane.
    fn step(self, state: &mut State, blocks: [&Block; LANES]) {
        match self {
            // SAFETY: `choose` gives this way only where the processor has AVX2.
            #[cfg(target_arch = "x86_64")]
            Way::Avx2 => unsafe { step_avx2(state, blocks) },
            // SAFETY: `choose` gives this way only where the processor has AVX-512F and AVX-512BW.
            #[cfg(target_arch = "x86_64")]
            Way::Avx512 => unsafe { avx512::step(state, blocks) },
            Way::Single | Way::Portable => portable::step(state, blocks),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn step_avx2(state: &mut State, blocks: [&Block; LANES]) {
    portable::step(state, blocks);
}

/// The initial state of SHA-256 (FIPS 180-4).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The round constants of SHA-256 (FIPS 180-4).
const ROUND: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rw_set::{RwSet, Write};

    fn bodies(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| (0..n * 7 % 600).map(|at| (at * n) as u8).collect()).collect()
    }

    fn ways() -> Vec<Way> {
        let mut ways = vec![Way::Single, Way::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                ways.push(Way::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                ways.push(Way::Avx512);
            }
        }
        ways
    }

    #[test]
    fn digests_are_those_of_single_messages() {
        for count in (0..50).chain([300]) {
            let mut bodies = bodies(count);
            if count % 3 == 1 {
                bodies[count / 2] = vec![7; COPIED_MAX + 1];
            }
            let slices = || bodies.iter().map(|body| &body[..]);
            let set =
                |key: &Vec<u8>| RwSet { writes: vec![Write { key: key.clone(), value: None }], ..RwSet::default() };
            let sets: Vec<RwSet> = bodies.iter().map(set).collect();
            for suite in CryptoSuite::ALL {
                let single = |body| suite.hash_parts(Domain::StateLeaf, &[b"part", body]);
                let expected: Vec<Hash> = slices().map(single).collect();
                assert_eq!(suite.hash_each(Domain::StateLeaf, b"part", slices()), expected);
                let digests: Vec<_> = sets.iter().map(|set| set.digest(suite)).collect();
                assert_eq!(RwSet::digests(suite, &sets), digests);
            }
        }
    }

    #[test]
    fn every_way_gives_the_same_for_messages_of_any_length() {
        for count in (0..40).chain([200]) {
            let mut messages = Messages::default();
            for body in bodies(count) {
                messages.add(1 + body.len())[1..=body.len()].copy_from_slice(&body);
            }
            let expected: Vec<_> = bodies(count).iter().map(|body| Hash::of(Domain::MerkleLeaf, body)).collect();
            for way in ways() {
                assert_eq!(messages.hash_by(way), expected);
            }
        }
    }
}
