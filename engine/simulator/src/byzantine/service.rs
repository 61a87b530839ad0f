//! What faulty nodes answer to those who ask them for committed blocks.

use hanse_replica::sync::{Blocks, DecidedBlock};
use hanse_types::Canonical;

use crate::byzantine::{Adversary, Kind};

/// Of a thousand answers, those that are changed.
const CHANGED: u64 = 900;
/// Of a thousand of those that come with outcomes, those of which only these are changed.
const OUTCOMES_CHANGED: u64 = 500;
/// How far ahead a faulty node says that it is.
const FAR: u64 = 1_000;

impl Adversary {
    /// What it answers in the place of these blocks.
    pub(crate) fn serve(&mut self, blocks: Blocks) -> Option<Blocks> {
        match self.kind {
            Kind::Silent => None,
            Kind::Amnesiac | Kind::Twin | Kind::Late | Kind::Yes => Some(blocks),
            _ if self.random.chance(CHANGED) => Some(self.misserve(blocks)),
            _ => Some(blocks),
        }
    }

    fn misserve(&mut self, mut answer: Blocks) -> Blocks {
        let count = answer.blocks.len() as u64;
        let at = self.random.below(count.max(1)) as usize;
        if let Some(outcomes) = answer.outcomes.get_mut(at)
            && self.random.chance(OUTCOMES_CHANGED)
        {
            self.damage(outcomes);
            return answer;
        }
        match self.random.below(7) {
            _ if count == 0 => answer.tip.0 += FAR,
            0 => answer = Blocks { tip: hanse_types::Height(answer.tip.0 + FAR), blocks: Vec::new(), ..answer },
            1 => self.damage(&mut answer.blocks[at]),
            2 => answer.blocks[at] = (0..64).map(|_| self.random.below(256) as u8).collect(),
            3 => answer.blocks.rotate_left(1),
            4 => {
                let other = self.random.below(count) as usize;
                let of_other = DecidedBlock::decode(&answer.blocks[other]).map(|other| other.certificate);
                change(&mut answer.blocks[at], |decided| decided.certificate = of_other.expect("it was encoded here"));
            }
            5 => change(&mut answer.blocks[at], |decided| {
                decided.block.transactions.pop();
            }),
            _ => change(&mut answer.blocks[at], |decided| {
                decided.block.header.timestamp = decided.block.header.timestamp.plus_ms(1);
            }),
        }
        answer
    }

    /// Changes a bit.
    fn damage(&mut self, bytes: &mut [u8]) {
        let at = self.random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << self.random.below(8);
    }
}

fn change(bytes: &mut Vec<u8>, change: impl FnOnce(&mut DecidedBlock)) {
    let mut decided = DecidedBlock::decode(bytes).expect("it was encoded here");
    change(&mut decided);
    *bytes = decided.encode();
}
