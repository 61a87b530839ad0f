//! How long the engine waits for what.

use hanse_types::Round;

use crate::statement::Step;

/// Times, all in milliseconds. They decide how fast a group is when something is wrong, never whether it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For a proposal to be made, arrive and be run, in round 0.
    pub propose_ms: u64,
    /// For prevotes that agree, once a quorum has arrived that doesn't, in round 0.
    pub prevote_ms: u64,
    /// The same for precommits.
    pub precommit_ms: u64,
    /// What each further round adds to each of them.
    pub growth_ms: u64,
    /// The most that each of them becomes; to be above what a full round takes between distant nodes.
    pub max_ms: u64,
    /// Between two times that a node tells where it is.
    pub repair_ms: u64,
    /// For a peer to answer a request, before another is asked.
    pub fetch_ms: u64,
    /// How far a new block's time may be ahead of this node's clock; once more of it for each round that passed, so that
    /// clocks that differ more than expected don't stop a group.
    pub drift_ms: u64,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            propose_ms: 2_000,
            prevote_ms: 500,
            precommit_ms: 500,
            growth_ms: 500,
            max_ms: 20_000,
            repair_ms: 500,
            fetch_ms: 500,
            drift_ms: 15_000,
        }
    }
}

impl Timing {
    /// How long a step of a round may take.
    pub(crate) fn of(&self, step: Step, round: Round) -> u64 {
        let base = match step {
            Step::Propose => self.propose_ms,
            Step::Prevote => self.prevote_ms,
            Step::Precommit => self.precommit_ms,
        };
        let growth = self.growth_ms.saturating_mul(u64::from(round.0));
        base.saturating_add(growth).min(self.max_ms.max(base))
    }

    /// How far ahead the time of a block may be that is proposed in a round.
    pub(crate) fn drift(&self, round: Round) -> u64 {
        self.drift_ms.saturating_mul(u64::from(round.0).saturating_add(1))
    }
}
