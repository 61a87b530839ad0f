//! How long it takes to decide a block, whatever is in it, apart from what waits for this node: distances, the others' work, disks.
//! Where one validator decides alone it is the disk.
//!
//! It is learned from blocks of this node's own. Others' say nothing of it: whoever is slow to run one finds the votes there
//! already. A block that was made ahead counts from when the one before it was durable, as nobody votes on it earlier. The
//! quickest of the newest is what counts, since the others may have waited for a load that would be less with less let in.
//!
//! It knows nothing of votes themselves, and of no clock.

use std::collections::VecDeque;

use hanse_types::{Hash, Height, Timestamp};

/// How many blocks it is learned from.
const NEWEST: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Deciding {
    /// Blocks of this node that are not decided, as far as it knows.
    shown: Vec<Shown>,
    /// When the newest block became durable.
    durable_at: Timestamp,
    /// What the newest blocks of this node took, in milliseconds.
    newest: VecDeque<u64>,
}

/// A block that was shown to the others.
#[derive(Debug)]
struct Shown {
    height: Height,
    hash: Hash,
    at: Timestamp,
}

impl Deciding {
    /// A block of this node can be shown to the others.
    pub(crate) fn shown(&mut self, height: Height, hash: Hash, now: Timestamp) {
        self.shown.push(Shown { height, hash, at: now });
    }

    /// A block is durable, of whomever it is; others of its height come to nothing.
    pub(crate) fn durable(&mut self, height: Height, hash: &Hash, now: Timestamp) {
        if let Some(own) = self.shown.iter().find(|shown| shown.hash == *hash) {
            self.newest.truncate(NEWEST - 1);
            self.newest.push_front(now.since_ms(own.at.max(self.durable_at)));
        }
        self.shown.retain(|shown| shown.height > height);
        self.durable_at = now;
    }

    /// What it takes at least, in milliseconds; nothing before this node has made a block that was decided.
    pub(crate) fn least_ms(&self) -> Option<u64> {
        self.newest.iter().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of this node is shown and decided.
    fn own(deciding: &mut Deciding, height: u64, shown: u64, durable: u64) {
        let hash = Hash([height as u8; 32]);
        deciding.shown(Height(height), hash, Timestamp(shown));
        deciding.durable(Height(height), &hash, Timestamp(durable));
    }

    #[test]
    fn it_is_what_own_blocks_took_at_least_of_late() {
        let mut deciding = Deciding::default();
        assert_eq!(deciding.least_ms(), None);
        own(&mut deciding, 1, 1_000, 1_070);
        for height in 2..=NEWEST as u64 {
            own(&mut deciding, height, height * 1_000, height * 1_000 + 90);
        }
        assert_eq!(deciding.least_ms(), Some(70));
        // What was quick once says nothing for ever.
        own(&mut deciding, 100, 100_000, 100_080);
        assert_eq!(deciding.least_ms(), Some(80));
    }

    #[test]
    fn blocks_of_others_and_blocks_that_came_to_nothing_say_nothing() {
        let mut deciding = Deciding::default();
        deciding.durable(Height(1), &Hash([1; 32]), Timestamp(1_000));
        deciding.shown(Height(2), Hash([2; 32]), Timestamp(1_001));
        deciding.durable(Height(2), &Hash([9; 32]), Timestamp(1_002));
        assert_eq!((deciding.least_ms(), deciding.shown.len()), (None, 0));
    }

    #[test]
    fn what_was_made_ahead_counts_from_when_its_turn_came() {
        let mut deciding = Deciding::default();
        let (first, second) = (Hash([1; 32]), Hash([2; 32]));
        deciding.shown(Height(2), second, Timestamp(1_000));
        deciding.durable(Height(1), &first, Timestamp(1_500));
        deciding.durable(Height(2), &second, Timestamp(1_560));
        assert_eq!(deciding.least_ms(), Some(60));
    }
}
