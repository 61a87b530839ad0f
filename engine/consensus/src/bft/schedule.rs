//! Whose turn it is.
//!
//! A pure function of committed headers, so every node that has the chain computes the same. Validators take turns by
//! index, beginning one further at each height. One whose round passed without a block (the header that was committed
//! says of which round it is) is *demoted*: it comes last in the order of every height, until it proposes a block that is
//! committed, or until the window of heights ends. So a silent validator costs one round per window, not one per turn.
//!
//! - At most *f* are demoted, the latest ones: no attacker can make the faulty ones the only proposers.
//! - The demoted come last, they are not left out: whoever holds the newest lock gets its turn at every height.
//! - Nobody's vote is touched.

use std::collections::VecDeque;

use hanse_types::{Epoch, Header, Height, Round, ValidatorSet};

/// Turns at the height under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    count: u32,
    /// How many may be demoted.
    demotions: usize,
    /// The demoted, the latest last.
    demoted: VecDeque<u32>,
}

impl Schedule {
    /// Heights in a window. Windows begin at its multiples, and with each validator set.
    pub const WINDOW: u64 = 256;

    /// Nobody is demoted.
    pub fn new(set: &ValidatorSet) -> Schedule {
        // At most `limits::VALIDATORS`.
        let count = set.len() as u32;
        Schedule { count, demotions: set.len() - set.quorum(), demoted: VecDeque::new() }
    }

    /// The turns at a height which a set decides as this epoch. `headers` are those of the committed blocks before it, in
    /// order, at least from the window's first height on; earlier ones and those of other epochs say nothing.
    pub fn at<'a>(
        height: Height,
        epoch: Epoch,
        set: &ValidatorSet,
        headers: impl IntoIterator<Item = &'a Header>,
    ) -> Schedule {
        let mut schedule = Schedule::new(set);
        let counts = |header: &&Header| header.epoch == epoch && window(header.height) == window(height);
        headers.into_iter().filter(counts).for_each(|header| schedule.committed(header));
        schedule
    }

    /// The proposer of a round.
    pub fn proposer(&self, height: Height, round: Round) -> u32 {
        let is_demoted = |index: &u32| self.demoted.contains(index);
        let regular = self.count as usize - self.demoted.len();
        let turn = round.0 as usize % self.count as usize;
        if turn >= regular {
            return self.demoted[turn - regular];
        }
        let at = (height.0 % regular as u64) as usize + turn;
        let mut regulars = (0..self.count).filter(|index| !is_demoted(index));
        regulars.nth(at % regular).expect("the place is below the number of regular validators")
    }

    /// Goes on to the next height, with the header that was committed at this one.
    pub fn committed(&mut self, header: &Header) {
        if window(header.height.next()) != window(header.height) {
            self.demoted.clear();
            return;
        }
        let passed = header.round.0.min(self.count);
        let failed: Vec<u32> = (0..passed).map(|round| self.proposer(header.height, Round(round))).collect();
        let moved = |index: &u32| failed.contains(index) || *index == header.proposer;
        self.demoted.retain(|index| !moved(index));
        self.demoted.extend(failed.iter().filter(|index| **index != header.proposer));
        while self.demoted.len() > self.demotions {
            self.demoted.pop_front();
        }
    }
}

fn window(height: Height) -> u64 {
    height.0 / Schedule::WINDOW
}

#[cfg(test)]
mod tests;
