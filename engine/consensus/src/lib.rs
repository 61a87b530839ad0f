//! Agree on one block per height.
//!
//! What is agreed on is an *executed* block: an engine asks for one ([`Output::Propose`]), gets it back, has votes
//! signed, and hands out the certificate ([`Output::Decide`]). It knows headers, and names of transactions, never
//! transactions or state.
//!
//! Engines stand behind one trait, [`Consensus`]: a state machine that is fed inputs and the time and answers with
//! outputs. It does no I/O, reads no clock, has no threads and no randomness, so a simulator drives the very same code
//! as a node. There are [`Solo`], one validator that decides alone; [`Bft`], several of whom less than a third may do
//! anything whatever; and [`Raft`], several who trust each other, of whom less than a half may be down.
//!
//! It promises that a height is decided once, that nothing is decided before its parent is durable, and that a
//! validator never signs two different statements for one position, crash or not: only a statement that the
//! [`VoteLog`] or the [`SafeSigner`] has made [`Durable`] has sign-bytes.
//!
//! Start reading at [`Consensus`], [`Input`] and [`Output`]; then [`bft`] for the rules and why they hold, and
//! [`safe_signer`] for what a crash leaves behind. [`durable`] and [`solo`] are the short way through all of it.

mod bugs;
mod input;
mod output;

pub mod bft;
mod block;
mod evidence;
mod message;
pub mod raft;
mod statement;

pub mod guard;
pub mod journal;
pub mod safe_signer;

pub mod durable;
pub mod solo;
#[cfg(test)]
mod test_values;
mod verify;
mod vote;

pub use bft::Bft;
pub use block::{CompactBlock, CompactBlockError};
pub use durable::{Disk, DiskError, Durable, VoteLog, VoteLogError};
pub use evidence::Evidence;
pub use guard::{Guard, GuardError};
pub use input::{Input, Timer, Verdict};
pub use journal::{Journal, JournalError, LogFile};
pub use message::{Have, Message, Peer, Proposal, Quorum, Request, Status};
pub use output::{Fault, Output, Recipient, Slot};
pub use raft::{Raft, RaftMessage};
pub use safe_signer::{SafeSignError, SafeSigner, Stored};
pub use solo::{Solo, SoloError};
pub use statement::{Basis, Intent, Signed, SignedStatement, Statement, Step, VoteKind, Word};
pub use verify::{Standard, Verify};
pub use vote::{Precommit, SignVoteError, SignedPrecommit};

use hanse_types::Timestamp;

/// An engine: how a group agrees.
pub trait Consensus {
    /// Takes one input. Outputs are appended to `out`; the caller carries them out in their order. `now` never goes
    /// back from one call to the next.
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>);
}
