//! Agree on one block per height.
//!
//! What is agreed on is an *executed* block: an engine asks for one ([`Output::Propose`]), gets its header back, has
//! votes signed, and hands out the certificate ([`Output::Decide`]). It knows headers, never transactions or state.
//!
//! Engines stand behind one trait, [`Consensus`]: a state machine that is fed inputs and the time and answers with
//! outputs. It does no I/O, reads no clock, has no threads and no randomness, so a simulator drives the very same code
//! as a node. Today there is [`Solo`], one validator that decides alone; an engine for several adds inputs and outputs
//! for messages and timers, and its caller passes them through.
//!
//! It promises that a height is decided once, that nothing is decided before its parent is durable, and that a
//! validator never signs two different votes for one position, crash or not: only a vote that the [`VoteLog`] has
//! made [`Durable`] has sign-bytes.
//!
//! Start reading at [`Consensus`], then [`durable`] and [`solo`].

pub mod durable;
pub mod solo;
mod vote;

pub use durable::{Disk, DiskError, Durable, VoteLog, VoteLogError};
pub use solo::{Solo, SoloError};
pub use vote::{Precommit, SignVoteError, SignedPrecommit};

use hanse_types::{Certificate, CertificateError, Epoch, Hash, Header, Height, Round, Timestamp};
use thiserror::Error;

/// An engine: how a group agrees.
pub trait Consensus {
    /// Takes one input. Outputs are appended to `out`; the caller carries them out in their order. `now` never goes
    /// back from one call to the next.
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>);
}

/// What an engine is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Transactions for a block are ready. Told again and again as long as it is so; the engine answers with
    /// [`Output::Propose`] when a block can be made here.
    BatchReady,
    /// There is nothing to make a block of, after it was asked for.
    Withdrawn,
    /// The block that was asked for has been executed.
    Executed(Box<Header>),
    /// A vote has been signed.
    Signed(SignedPrecommit),
    /// A decided block is durable, with its certificate.
    Persisted {
        /// Its height.
        height: Height,
    },
}

/// What an engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a block of waiting transactions and execute it, then tell with [`Input::Executed`], or at once with
    /// [`Input::Withdrawn`].
    Propose(Slot),
    /// Make this vote durable and sign it, then tell with [`Input::Signed`].
    Sign(Precommit),
    /// The block with this certificate is decided: make both durable, then tell with [`Input::Persisted`].
    Decide(Certificate),
    /// Stop: something happened that can't, and going on could do harm.
    Halt(Fault),
}

/// What consensus determines of a block's header, before the block is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its height.
    pub height: Height,
    /// The block on which it is made.
    pub parent: Hash,
    /// Version of the validator set that decides it.
    pub epoch: Epoch,
    /// The round.
    pub round: Round,
    /// Index of the proposer in the validator set.
    pub proposer: u32,
    /// Hash of the validator set that decides it.
    pub validators: Hash,
}

impl Slot {
    /// Whether a header is that of a block made for this slot.
    fn is_of(&self, header: &Header) -> bool {
        let Header { height, parent, epoch, round, proposer, validators, .. } = *header;
        *self == Slot { height, parent, epoch, round, proposer, validators }
    }
}

/// What can't happen unless the node or its environment is broken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// An input came that nothing had asked for.
    #[error("consensus was told of {what} at height {height}, which it had not asked for; this is a bug in the node")]
    Unexpected {
        /// What it was told of.
        what: &'static str,
        /// The height.
        height: Height,
    },
    /// The executed block is not the one that was asked for.
    #[error(
        "the executed block at height {found} does not have what consensus determined for height {expected} in its \
         header; this is a bug in the node"
    )]
    WrongBlock {
        /// Height of the executed block.
        found: Height,
        /// Height of the one that was asked for.
        expected: Height,
    },
    /// The node's own signature makes no certificate.
    #[error(
        "the node's own vote for height {height} is not valid: {error}; check that its key is the validator's of the \
         genesis"
    )]
    BadVote {
        /// The height.
        height: Height,
        /// What is wrong.
        error: CertificateError,
    },
}
