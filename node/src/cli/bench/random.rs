//! Chance: who is drawn how often.

use crate::random::Random;

/// Ranks from 0, rank `r` with probability proportional to `1 / (r + 1)^skew`, by inversion of the sums.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// Share of this rank and the smaller ones in 2^53; the last is all of it.
    sums: Vec<u64>,
    uniform: bool,
}

impl Zipf {
    /// Over so many ranks; skew 0 is uniform.
    pub(super) fn new(ranks: usize, skew: f64) -> Zipf {
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-skew));
        let all: f64 = weights.clone().sum();
        let mut sum = 0.0;
        let part = |weight: f64| {
            sum += weight;
            (sum / all * (1u64 << 53) as f64) as u64
        };
        Zipf { sums: weights.map(part).collect(), uniform: skew == 0.0 }
    }

    pub(super) fn is_uniform(&self) -> bool {
        self.uniform
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = random.below(1 << 53);
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len() - 1)
    }

    /// Two ranks that differ.
    pub(super) fn draw_two(&self, random: &mut Random) -> (usize, usize) {
        let first = self.draw(random);
        // With great skew the second draw would be the first again nearly always.
        let second = (0..4).map(|_| self.draw(random)).find(|second| *second != first);
        (first, second.unwrap_or((first + 1) % self.sums.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_drawn_as_often_as_they_should() {
        for (skew, ranks) in [(0.0, 10), (0.9, 100)] {
            let (zipf, mut random) = (Zipf::new(ranks, skew), Random::new(7));
            let mut counts = vec![0u32; ranks];
            let draws = 200_000;
            (0..draws).for_each(|_| counts[zipf.draw(&mut random)] += 1);
            let total: f64 = (1..=ranks).map(|rank| (rank as f64).powf(-skew)).sum();
            for rank in [0, 1, ranks - 1] {
                let expected = f64::from(draws) * ((rank + 1) as f64).powf(-skew) / total;
                assert!((f64::from(counts[rank]) - expected).abs() < 6.0 * expected.sqrt(), "skew {skew}, rank {rank}");
            }
        }
    }

    #[test]
    fn a_pair_differs() {
        let (zipf, mut random) = (Zipf::new(2, 3.0), Random::new(1));
        for _ in 0..1_000 {
            let (one, two) = zipf.draw_two(&mut random);
            assert_ne!(one, two);
        }
    }
}
