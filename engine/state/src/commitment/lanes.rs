//! SHA-256 of many short messages at a time.
//!
//! A block changes tens of thousands of nodes, each hashed over 65 bytes. Where the processor has no SHA instructions,
//! hashing 16 messages side by side, one in each lane of wide registers, is several times faster than one after
//! another. The digests are those of [`Hash::of_parts`]; a test holds them together.

use hanse_types::Hash;
use hanse_types::hash::Domain;

/// Messages that are hashed side by side.
const LANES: usize = 16;
/// One word of every lane.
type Words = [u32; LANES];
/// A block of a message.
type Block = [u8; 64];

/// What a hash under [`Domain::StateLeaf`] is of. Part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
enum LeafPart {
    Key = 0,
    Value = 1,
    Leaf = 2,
}

/// The digest of a key, whose bits are its way through the tree.
pub(super) fn key_hash(key: &[u8]) -> Hash {
    Hash::of_parts(Domain::StateLeaf, &[&[LeafPart::Key as u8], key])
}

/// The digest of a value.
pub(super) fn value_hash(value: &[u8]) -> Hash {
    Hash::of_parts(Domain::StateLeaf, &[&[LeafPart::Value as u8], value])
}

/// The digest of a leaf.
pub(super) fn leaf_hash(key: &Hash, value: &Hash) -> Hash {
    Hash::of_parts(Domain::StateLeaf, &[&[LeafPart::Leaf as u8], key.as_bytes(), value.as_bytes()])
}

/// The digest of an inner node.
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(Domain::StateNode, &[left.as_bytes(), right.as_bytes()])
}

/// Inner nodes to hash.
#[derive(Default)]
pub(super) struct Nodes(Messages<2>);

impl Nodes {
    pub(super) fn clear(&mut self) {
        self.0.padded.clear();
    }

    pub(super) fn push(&mut self, left: &Hash, right: &Hash) {
        self.0.push(&[&[Domain::StateNode as u8], left.as_bytes(), right.as_bytes()]);
    }

    /// The digests, in order.
    pub(super) fn hash(&self) -> Vec<Hash> {
        self.0.hash()
    }
}

/// Leaves to hash.
#[derive(Default)]
pub(super) struct Leaves(Messages<2>);

impl Leaves {
    pub(super) fn push(&mut self, key: &Hash, value: &Hash) {
        self.0.push(&[&[Domain::StateLeaf as u8, LeafPart::Leaf as u8], key.as_bytes(), value.as_bytes()]);
    }

    /// The digests, in order.
    pub(super) fn hash(&self) -> Vec<Hash> {
        self.0.hash()
    }
}

/// The digests of keys.
pub(super) fn key_hashes(keys: &[&[u8]]) -> Vec<Hash> {
    hash_parts(LeafPart::Key, keys)
}

/// The digests of values.
pub(super) fn value_hashes(values: &[&[u8]]) -> Vec<Hash> {
    hash_parts(LeafPart::Value, values)
}

/// Hashes short ones side by side, the others one by one.
fn hash_parts(part: LeafPart, bodies: &[&[u8]]) -> Vec<Hash> {
    const TAG: u8 = Domain::StateLeaf as u8;
    let (mut one_block, mut two_blocks) = (Messages::<1>::default(), Messages::<2>::default());
    for body in bodies {
        match blocks(body) {
            1 => one_block.push(&[&[TAG, part as u8], body]),
            2 => two_blocks.push(&[&[TAG, part as u8], body]),
            _ => {}
        }
    }
    let (mut one_block, mut two_blocks) = (one_block.hash().into_iter(), two_blocks.hash().into_iter());
    let hash = |body: &&[u8]| {
        let side_by_side = match blocks(body) {
            1 => one_block.next(),
            2 => two_blocks.next(),
            _ => None,
        };
        side_by_side.unwrap_or_else(|| Hash::of_parts(Domain::StateLeaf, &[&[part as u8], body]))
    };
    bodies.iter().map(hash).collect()
}

/// Blocks of a message of two tags and a body: padding takes a byte, and eight for the length.
fn blocks(body: &[u8]) -> usize {
    (2 + body.len() + 9).div_ceil(64)
}

/// Messages that take so many blocks each, padded as SHA-256 wants it.
#[derive(Default)]
struct Messages<const BLOCKS: usize> {
    padded: Vec<[Block; BLOCKS]>,
}

impl<const BLOCKS: usize> Messages<BLOCKS> {
    /// Adds a message, which must fit.
    fn push(&mut self, parts: &[&[u8]]) {
        let mut padded = [[0; 64]; BLOCKS];
        let bytes = padded.as_flattened_mut();
        let mut length = 0;
        for part in parts {
            bytes[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        bytes[length] = 0x80;
        let end = bytes.len();
        bytes[end - 8..].copy_from_slice(&(8 * length as u64).to_be_bytes());
        self.padded.push(padded);
    }

    /// The digests, in order.
    fn hash(&self) -> Vec<Hash> {
        let mut digests = Vec::with_capacity(self.padded.len());
        for messages in self.padded.chunks(LANES) {
            match Way::choose(messages.len()) {
                Way::Single => digests.extend(messages.iter().map(single)),
                way => digests.extend_from_slice(&way.hash(messages)[..messages.len()]),
            }
        }
        digests
    }
}

/// How a processor hashes fastest.
#[derive(Clone, Copy)]
enum Way {
    /// One message after another, with the processor's own instructions for it, if it has them.
    Single,
    /// Side by side, in whatever registers every processor of this kind has.
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
    fn choose(messages: usize) -> Way {
        let few = messages <= 2;
        if few || is_x86_feature_detected!("sha") && !is_x86_feature_detected!("avx512f") {
            Way::Single
        } else if is_x86_feature_detected!("avx512f") {
            Way::Avx512
        } else if is_x86_feature_detected!("avx2") {
            Way::Avx2
        } else {
            Way::Portable
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn choose(messages: usize) -> Way {
        if messages <= 4 || cfg!(target_arch = "aarch64") { Way::Single } else { Way::Portable }
    }

    fn hash<const BLOCKS: usize>(self, messages: &[[Block; BLOCKS]]) -> [Hash; LANES] {
        match self {
            // SAFETY: `choose` gives this way only where the processor has AVX2.
            #[cfg(target_arch = "x86_64")]
            Way::Avx2 => unsafe { side_by_side_avx2(messages) },
            // SAFETY: `choose` gives this way only where the processor has AVX-512F.
            #[cfg(target_arch = "x86_64")]
            Way::Avx512 => unsafe { side_by_side_avx512(messages) },
            Way::Single | Way::Portable => side_by_side(messages),
        }
    }
}

fn single<const BLOCKS: usize>(message: &[Block; BLOCKS]) -> Hash {
    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, message);
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    Hash(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn side_by_side_avx2<const BLOCKS: usize>(messages: &[[Block; BLOCKS]]) -> [Hash; LANES] {
    side_by_side(messages)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn side_by_side_avx512<const BLOCKS: usize>(messages: &[[Block; BLOCKS]]) -> [Hash; LANES] {
    side_by_side(messages)
}

/// Hashes at most [`LANES`] messages. Plain loops over lanes, which the compiler turns into the widest instructions that
/// the caller was compiled for.
#[inline(always)]
fn side_by_side<const BLOCKS: usize>(messages: &[[Block; BLOCKS]]) -> [Hash; LANES] {
    let mut state = INITIAL.map(|word| [word; LANES]);
    for block in 0..BLOCKS {
        let mut words = [[0; LANES]; 16];
        for (lane, message) in messages.iter().enumerate() {
            for (at, bytes) in message[block].as_chunks::<4>().0.iter().enumerate() {
                words[at][lane] = u32::from_be_bytes(*bytes);
            }
        }
        compress(&mut state, &mut words);
    }
    let mut digests = [Hash::ZERO; LANES];
    for (lane, digest) in digests.iter_mut().enumerate() {
        for (place, word) in digest.0.chunks_exact_mut(4).zip(&state) {
            place.copy_from_slice(&word[lane].to_be_bytes());
        }
    }
    digests
}

/// One compression in every lane.
#[inline(always)]
fn compress(state: &mut [Words; 8], words: &mut [Words; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for round in 0..64 {
        if round >= 16 {
            schedule(words, round);
        }
        let word = &words[round % 16];
        let (mut new_a, mut new_e) = ([0; LANES], [0; LANES]);
        for lane in 0..LANES {
            let (x, y) = (a[lane], e[lane]);
            let sum1 = y.rotate_right(6) ^ y.rotate_right(11) ^ y.rotate_right(25);
            let choice = (y & f[lane]) ^ (!y & g[lane]);
            let first =
                h[lane].wrapping_add(sum1).wrapping_add(choice).wrapping_add(ROUND[round]).wrapping_add(word[lane]);
            let sum0 = x.rotate_right(2) ^ x.rotate_right(13) ^ x.rotate_right(22);
            let majority = (x & b[lane]) ^ (x & c[lane]) ^ (b[lane] & c[lane]);
            new_a[lane] = first.wrapping_add(sum0).wrapping_add(majority);
            new_e[lane] = d[lane].wrapping_add(first);
        }
        (h, g, f, e, d, c, b, a) = (g, f, e, new_e, c, b, a, new_a);
    }
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        for lane in 0..LANES {
            word[lane] = word[lane].wrapping_add(new[lane]);
        }
    }
}

/// The next word of the message schedule, in the place of the one that is no longer needed.
#[inline(always)]
fn schedule(words: &mut [Words; 16], round: usize) {
    let (w15, w2, w7) = (words[(round + 1) % 16], words[(round + 14) % 16], words[(round + 9) % 16]);
    let word = &mut words[round % 16];
    for lane in 0..LANES {
        let sigma0 = w15[lane].rotate_right(7) ^ w15[lane].rotate_right(18) ^ (w15[lane] >> 3);
        let sigma1 = w2[lane].rotate_right(17) ^ w2[lane].rotate_right(19) ^ (w2[lane] >> 10);
        word[lane] = word[lane].wrapping_add(sigma0).wrapping_add(w7[lane]).wrapping_add(sigma1);
    }
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

    #[test]
    fn digests_are_those_of_single_messages() {
        for count in 0..50usize {
            let bodies: Vec<Vec<u8>> =
                (0..count).map(|n| (0..n * 7 % 130).map(|at| (at * n) as u8).collect()).collect();
            let slices: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
            let keys: Vec<_> = slices.iter().map(|body| key_hash(body)).collect();
            let values: Vec<_> = slices.iter().map(|body| value_hash(body)).collect();
            assert_eq!(key_hashes(&slices), keys);
            assert_eq!(value_hashes(&slices), values);

            let (mut leaves, mut nodes) = (Leaves::default(), Nodes::default());
            for (key, value) in keys.iter().zip(&values) {
                leaves.push(key, value);
                nodes.push(key, value);
            }
            let pairs = || keys.iter().zip(&values);
            assert_eq!(leaves.hash(), pairs().map(|(key, value)| leaf_hash(key, value)).collect::<Vec<_>>());
            assert_eq!(nodes.hash(), pairs().map(|(key, value)| node_hash(key, value)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_way_gives_the_same() {
        let mut messages = Messages::<2>::default();
        for n in 0..LANES as u8 {
            messages.push(&[&[n; 70]]);
        }
        let expected: Vec<_> = messages.padded.iter().map(single).collect();
        assert_eq!(side_by_side(&messages.padded)[..], expected[..]);
        assert_eq!(Way::Portable.hash(&messages.padded)[..], expected[..]);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                assert_eq!(Way::Avx2.hash(&messages.padded)[..], expected[..]);
            }
            if is_x86_feature_detected!("avx512f") {
                assert_eq!(Way::Avx512.hash(&messages.padded)[..], expected[..]);
            }
        }
    }
}
