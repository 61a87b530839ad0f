//! What members of a group with consensus `raft` say to one another, and what of it is refused unread.
//!
//! These are Raft's four calls and replies; one more instead of its snapshots: a node that lacks entries which are gone
//! elsewhere is told up to where the log is in every ledger, and fetches those blocks from one; and a question and its
//! answer that come before an election.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{Certificate, Epoch, Height, Round};

use crate::block::CompactBlock;

/// Most entries in a message, of which one is a block.
pub(crate) const ENTRIES: usize = 64;
/// No log is that long; what says so is not a place in one.
const INDEX_END: u64 = 1 << 48;

/// A place in the log. The order is that in which Raft compares logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Position {
    /// The term of the leader who put the entry there.
    pub term: Round,
    /// Its number, from one.
    pub index: u64,
}

/// What a place in the log holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Entry {
    /// A leader began this term.
    Term(Round),
    /// A block, with its proposer's signature.
    Block {
        /// That signature, in the form in which the ledger keeps it.
        certificate: Certificate,
        /// The block.
        block: CompactBlock,
    },
}

/// How log and chain go together: the log up to a place is the chain up to a height, all of it committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Base {
    /// The place.
    pub position: Position,
    /// The height.
    pub height: Height,
}

/// A message of one validator's Raft to another's.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RaftMessage {
    /// Version of the validator set. Each has a log of its own.
    pub epoch: Epoch,
    /// Index of the validator who says it.
    pub from: u32,
    /// Index of the one who is meant; none if all are.
    pub to: Option<u32>,
    /// The sender's term.
    pub term: Round,
    /// What is said.
    pub word: RaftWord,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum RaftWord {
    /// The sender wants to lead this term.
    Elect {
        /// The end of its log.
        last: Position,
    },
    /// The answer.
    Elected {
        /// Whether the sender votes for it.
        granted: bool,
    },
    /// The leader's log goes on like this; without entries, that it is there.
    Append {
        /// Up to which index all is committed.
        committed: u64,
        /// The place before the first entry.
        before: Position,
        /// At most one of them is a block.
        entries: Vec<Entry>,
    },
    /// The answer.
    Appended {
        /// The end of the sender's log.
        last: Position,
    },
    /// What is asked for is gone from the leader's log: the receiver goes on from here, once it has the chain.
    Skip(Base),
    /// The sender misses a leader: would the others vote for it in the next term? Nobody is bound by it.
    Canvass {
        /// The end of its log.
        last: Position,
    },
    /// The answer.
    Canvassed {
        /// Whether the sender misses a leader too, or only hears the one who asks, and would vote.
        granted: bool,
    },
}

impl Position {
    fn is_place(&self, term: Round) -> bool {
        self.index < INDEX_END && self.term <= term
    }
}

impl RaftMessage {
    /// Whether it can be what some validator's Raft says, as far as this shows by itself.
    pub(crate) fn is_sound(&self, validators: usize) -> bool {
        let is_validator = |index: u32| (index as usize) < validators;
        is_validator(self.from) && self.to.is_none_or(is_validator) && self.is_word_sound()
    }

    fn is_word_sound(&self) -> bool {
        match &self.word {
            RaftWord::Elect { last } | RaftWord::Appended { last } | RaftWord::Canvass { last } => {
                last.is_place(self.term)
            }
            RaftWord::Elected { .. } | RaftWord::Canvassed { .. } => true,
            RaftWord::Skip(base) => base.position.is_place(self.term),
            RaftWord::Append { committed, before, entries } => {
                let blocks = entries.iter().filter(|entry| matches!(entry, Entry::Block { .. })).count();
                let bounded = *committed < INDEX_END && entries.len() <= ENTRIES && blocks <= 1;
                bounded && before.is_place(self.term) && are_in_order(before.term, entries, self.term)
            }
        }
    }
}

/// Whether terms only grow, none beyond the sender's, and each block says the term in which it stands.
fn are_in_order(mut term: Round, entries: &[Entry], end: Round) -> bool {
    entries.iter().all(|entry| match entry {
        Entry::Term(next) => std::mem::replace(&mut term, *next) < *next && *next <= end,
        Entry::Block { certificate, block } => certificate.round == term && block.header().round == term,
    })
}
