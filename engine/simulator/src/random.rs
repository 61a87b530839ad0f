//! Dice that fall the same way for the same seed (SplitMix64).

/// Dice.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Each concern has dice of its own, so that a new kind of fault does not shuffle what old seeds do elsewhere.
    pub(crate) fn new(seed: u64, concern: &str) -> Random {
        let mut random = Random(seed);
        for byte in concern.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random
    }

    /// Other dice for another salt; the same for 0.
    pub(crate) fn salted(&self, salt: u64) -> Random {
        Random(self.0 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below the bound; 0 for the bound 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// Whether something happens that does so in so many of a thousand cases.
    pub(crate) fn chance(&mut self, of_thousand: u64) -> bool {
        self.below(1_000) < of_thousand
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
