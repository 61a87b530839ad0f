//! Reproducible chance: the same seed draws the same transactions on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose accounts with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0. Its bias is below `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Ranks from 0, rank `r` with probability proportional to `1 / (r + 1)^skew`. Exact: by inversion of the sums.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// Probability of this rank or a smaller one; the last is 1.
    sums: Vec<f64>,
}

impl Zipf {
    /// A distribution over `ranks` ranks; skew 0 is uniform.
    ///
    /// # Panics
    /// If there is no rank.
    pub fn new(ranks: usize, skew: f64) -> Zipf {
        assert!(ranks > 0, "a distribution has at least one rank");
        let mut sum = 0.0;
        let mut sums: Vec<f64> = (1..=ranks)
            .map(|rank| {
                sum += (rank as f64).powf(-skew);
                sum
            })
            .collect();
        sums.iter_mut().for_each(|part| *part /= sum);
        Zipf { sums }
    }

    /// Draws a rank.
    pub fn draw(&self, random: &mut Random) -> usize {
        let at = random.unit();
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len() - 1)
    }

    /// Draws two ranks that differ, unless there is only one.
    pub fn draw_two(&self, random: &mut Random) -> (usize, usize) {
        let first = self.draw(random);
        if self.sums.len() == 1 {
            return (first, first);
        }
        loop {
            let second = self.draw(random);
            if second != first {
                return (first, second);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_drawn_as_often_as_they_should() {
        for (skew, ranks) in [(0.0, 10), (0.9, 100), (1.2, 1_000)] {
            let zipf = Zipf::new(ranks, skew);
            let mut random = Random::new(7);
            let mut counts = vec![0u32; ranks];
            let draws = 200_000;
            (0..draws).for_each(|_| counts[zipf.draw(&mut random)] += 1);
            let total: f64 = (1..=ranks).map(|rank| (rank as f64).powf(-skew)).sum();
            for rank in [0, 1, ranks - 1] {
                let expected = f64::from(draws) * ((rank + 1) as f64).powf(-skew) / total;
                let off = (f64::from(counts[rank]) - expected).abs();
                assert!(off < 6.0 * expected.sqrt(), "skew {skew}, rank {rank}: {} for {expected}", counts[rank]);
            }
        }
    }

    #[test]
    fn a_pair_differs_and_a_seed_repeats() {
        let zipf = Zipf::new(2, 1.2);
        let (mut one, mut two) = (Random::new(1), Random::new(1));
        for _ in 0..1_000 {
            let (left, right) = zipf.draw_two(&mut one);
            assert_ne!(left, right);
            assert_eq!((left, right), zipf.draw_two(&mut two));
        }
    }
}
