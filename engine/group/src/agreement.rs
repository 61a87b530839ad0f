//! Where consensus is, for those who look; and what is known against whom.

use std::sync::Arc;

use borsh::BorshDeserialize;
use hanse_consensus::Evidence;
pub use hanse_consensus::Step;
pub use hanse_consensus::raft::Role;
use hanse_ledger::{Ledger, LedgerError};
use hanse_types::{Height, Round, Timestamp};
use parking_lot::Mutex;

/// Key of the record of evidence among those of the consensus engine.
const RECORD: &[u8] = b"evidence";

/// Pieces of evidence that are kept; who is proven faulty so often needs no further proof.
const KEPT: usize = 256;

/// Where consensus is in a group of several validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The height that is under way.
    pub height: Height,
    /// Its round; in a group with consensus `raft` the term.
    pub round: Round,
    /// What this node does there.
    pub part: Part,
    /// Index of the validator who leads the term, where there is such a thing and it is known.
    pub leader: Option<u32>,
    /// Whether this node votes there: its key is one of the validators', and its record of votes is sound.
    pub votes: bool,
    /// How many other members are connected.
    pub peers: usize,
}

/// What a node does in agreeing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is in this step of a round.
    Step(Step),
    /// It has this role in a term.
    Role(Role),
    /// It follows what others agree on.
    Observer,
}

impl Part {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Step(step) => name_of(step),
            Part::Role(Role::Leader) => "leader",
            Part::Role(Role::Candidate) => "candidate",
            Part::Role(Role::Follower) => "follower",
            Part::Observer => "observer",
        }
    }
}

/// What a step is called.
pub const fn name_of(step: Step) -> &'static str {
    match step {
        Step::Propose => "propose",
        Step::Prevote => "prevote",
        Step::Precommit => "precommit",
    }
}

/// A proof that a validator is faulty, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, borsh::BorshSerialize, BorshDeserialize)]
pub struct Accusation {
    /// Two statements that contradict each other.
    pub evidence: Evidence,
    /// This node's time.
    pub timestamp: Timestamp,
}

/// All of it, in memory and in the ledger's store.
pub(crate) struct Accusations {
    ledger: Ledger,
    known: Mutex<Arc<Vec<Accusation>>>,
}

impl Accusations {
    /// What the store holds.
    pub(crate) fn load(ledger: &Ledger) -> Result<Accusations, LedgerError> {
        let record = ledger.get_consensus(RECORD)?;
        // A record of an older form says nothing that the chain needs.
        let known = record.and_then(|bytes| Vec::try_from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Accusations { ledger: ledger.clone(), known: Mutex::new(Arc::new(known)) })
    }

    /// What is known, the oldest first.
    pub(crate) fn all(&self) -> Arc<Vec<Accusation>> {
        self.known.lock().clone()
    }

    /// Keeps another; whether it is new. Writes to the disk.
    pub(crate) fn add(&self, accusation: Accusation) -> Result<bool, LedgerError> {
        let mut known = self.known.lock();
        let position = |accusation: &Accusation| {
            let first = accusation.evidence.first;
            (first.validator, first.statement.epoch, first.statement.position())
        };
        if known.len() >= KEPT || known.iter().any(|other| position(other) == position(&accusation)) {
            return Ok(false);
        }
        let mut more = (**known).clone();
        more.push(accusation);
        self.ledger.put_consensus(RECORD, &borsh::to_vec(&more).expect("a list encodes into memory"))?;
        *known = Arc::new(more);
        Ok(true)
    }
}
