//! Bytes that are almost right: a good encoding with a few bits flipped, bytes cut out, put in, or moved.
#![allow(clippy::unwrap_used)]

/// A deterministic sequence of numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Bytes on which decoders stumble: ends of ranges, of varints, of protobuf's tags.
const TELLING: [u8; 12] = [0x00, 0x01, 0x02, 0x07, 0x08, 0x0a, 0x0f, 0x12, 0x7f, 0x80, 0x81, 0xff];

/// How many changed copies to try of each of so many values: the default, or as many as make up `HANSE_MUTATIONS` for each
/// type.
pub(crate) fn per_value(values: u32, default: usize) -> usize {
    std::env::var("HANSE_MUTATIONS").map_or(default, |all| all.parse::<usize>().unwrap().div_ceil(values as usize))
}

/// So many changed copies of these bytes, the same on every run.
pub(crate) fn neighbours(bytes: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let seed = bytes.iter().fold(0u64, |seed, byte| seed.wrapping_mul(257).wrapping_add(u64::from(*byte)));
    let mut numbers = Numbers(seed);
    (0..count).map(move |_| {
        let mut bytes = bytes.to_vec();
        mutate(&mut numbers, &mut bytes);
        bytes
    })
}

/// Changes the bytes in one to three ways.
fn mutate(numbers: &mut Numbers, bytes: &mut Vec<u8>) {
    for _ in 0..=numbers.below(3) {
        mutate_once(numbers, bytes);
    }
}

fn mutate_once(numbers: &mut Numbers, bytes: &mut Vec<u8>) {
    let at = numbers.below(bytes.len() + 1);
    let length = numbers.below(9).min(bytes.len() - at);
    match numbers.below(8) {
        0 | 1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << numbers.below(8)),
        2 | 3 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = TELLING[numbers.below(TELLING.len())]),
        4 => drop(bytes.drain(at..at + length)),
        5 => bytes.insert(at, TELLING[numbers.below(TELLING.len())]),
        6 => {
            let copied = bytes[at..at + length].to_vec();
            let to = numbers.below(bytes.len() + 1);
            bytes.splice(to..to, copied);
        }
        _ => bytes.truncate(at),
    }
}
