//! How many bytes a second one member may send to one group of this node.
//!
//! What a member sends within a second is taken as it comes; more than that only as fast as it may. So nobody keeps a
//! group busy with reading: what is beyond is passed over, and counted. A frame that came packed counts with the bytes that it has
//! unpacked, as that is what it costs.

use std::time::{Duration, Instant};

/// For so long a member may send ahead of what it may.
const AHEAD: Duration = Duration::from_secs(1);

/// See the module: a bucket that fills as time passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Bytes a second.
    rate: u64,
    left: u64,
    filled_at: Instant,
}

impl Budget {
    /// A full one.
    pub(super) fn new(rate: u64, now: Instant) -> Budget {
        Budget { rate, left: most(rate), filled_at: now }
    }

    /// Takes so many bytes out; whether they were there. Out of a full one any number is taken: a frame may be longer.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled_at);
        let filled = (u128::from(self.rate) * since.as_nanos() / 1_000_000_000).min(most(self.rate).into()) as u64;
        if filled > 0 {
            self.filled_at = now;
            self.left = self.left.saturating_add(filled).min(most(self.rate));
        }
        let is_there = self.left >= bytes as u64 || self.left == most(self.rate);
        if is_there {
            self.left = self.left.saturating_sub(bytes as u64);
        }
        is_there
    }
}

fn most(rate: u64) -> u64 {
    rate.saturating_mul(AHEAD.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_taken_at_once_and_then_what_time_brings() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut budget = Budget::new(1_000, start);
        assert!(budget.take(600, at(0)) && budget.take(400, at(0)) && !budget.take(1, at(0)));
        assert!(!budget.take(101, at(100)) && budget.take(100, at(100)));
        // Looked at again and again, time counts all the same.
        assert!((0..100).all(|step| !budget.take(1_000, at(100) + Duration::from_micros(step))));
        assert!(budget.take(50, at(150)));
        assert!(budget.take(1_000, at(10_000)) && !budget.take(1, at(10_000)), "what is not used is not kept for ever");
        assert!(budget.take(5_000, at(20_000)), "a frame may be longer than a second's");
        assert!(!budget.take(1, at(20_000)));
    }
}
