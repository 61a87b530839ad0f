//! What an engine wants done.

use hanse_types::{Certificate, CertificateError, Epoch, Hash, Header, Height, Round};
use thiserror::Error;

use crate::block::CompactBlock;
use crate::evidence::Evidence;
use crate::input::Timer;
use crate::message::{Message, Peer};
use crate::raft::Record;
use crate::statement::{Intent, SignedStatement};

/// What an engine wants done. The caller carries outputs out in their order.
///
/// The first group comes from every engine, the second from those that agree with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a block of waiting transactions and execute it, then tell with [`Input::Executed`](crate::Input::Executed)
    /// or [`Input::Built`](crate::Input::Built), or at once with [`Input::Withdrawn`](crate::Input::Withdrawn).
    Propose(Slot),
    /// Make this durable and sign it, then tell with [`Input::Signed`](crate::Input::Signed).
    Sign(Intent),
    /// The block with this certificate is decided: make both durable, then tell with
    /// [`Input::Persisted`](crate::Input::Persisted).
    Decide(Certificate),
    /// Stop: something happened that can't, and going on could do harm.
    Halt(Fault),

    /// If the parent that it names is decided, as it may well be, this node's turn comes next: its block may be made
    /// ahead. Needs no answer.
    Foresee(Slot),
    /// Look for this block's transactions, run it and compare everything, then tell with
    /// [`Input::Checked`](crate::Input::Checked), or first with [`Input::Missing`](crate::Input::Missing). A block of a
    /// round that is over may be forgotten unchecked.
    Check(CompactBlock),
    /// Make this durable in the place of the one before, with the transactions of its blocks, then tell with
    /// [`Input::Recorded`](crate::Input::Recorded). There is one at a time.
    Record(Box<Record>),
    /// Send this. Messages may get lost.
    Send(Recipient, Message),
    /// Send this peer, which makes the blocks for a while, the oldest of the waiting transactions, as many as a message
    /// takes: it may not have them. What was made here, or is made ahead, and is not decided is no reason to keep any back.
    Forward(Peer),
    /// Set a timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// When it runs out, in milliseconds from now.
        after_ms: u64,
    },
    /// Send this peer the committed block of this height with its certificate, as
    /// [`Message::Decided`], from the ledger.
    ServeDecided {
        /// The peer.
        to: Peer,
        /// The height, not above the newest durable block.
        height: Height,
    },
    /// Send this peer transactions of a block, under way or committed, as [`Message::Transactions`], as far as they are
    /// here. Whether a peer asks for too much is for the caller to judge.
    ServeTransactions {
        /// The peer.
        to: Peer,
        /// The block, which may be unknown here.
        block: Hash,
        /// Their places in it, which may be beyond its end.
        missing: Vec<u32>,
    },
    /// Transactions that were missing, unverified: see which are good, and go on with the block's check.
    Supply {
        /// The block.
        block: Hash,
        /// Place in the block and canonical bytes, of each.
        transactions: Vec<(u32, Vec<u8>)>,
    },
    /// A validator contradicted itself: keep this, and show it to the operator.
    Evidence(Evidence),
    /// Somebody signs with this node's key, or its record of votes is an old copy: tell the operator. The engine signs
    /// nothing at this height any more.
    KeyUsedElsewhere(SignedStatement),
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Every connected peer.
    All,
    /// This one.
    One(Peer),
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
    pub(crate) fn is_of(&self, header: &Header) -> bool {
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
    /// The others decided a block that running it here shows to be wrong.
    #[error(
        "the group decided block {block} at height {height}, but running it here gives something else; this node's \
         state or program differs from the others'. It does not go on; restore it from a snapshot, and report this"
    )]
    Diverged {
        /// The height.
        height: Height,
        /// The block.
        block: Hash,
    },
    /// The leader's log and this node's differ where both are committed.
    #[error(
        "this node's record of the group's log, up to height {height}, is not what the group's leader has; it was put \
         back from another node's or another time's. Take this validator's place in the group with a new key"
    )]
    OtherLog {
        /// The height under way.
        height: Height,
    },
    /// A block changes the validators, and the set that it names did not come.
    #[error("the validators of height {height} are the set {expected}, which consensus was not given; this is a bug")]
    WrongValidators {
        /// The first height that they decide.
        height: Height,
        /// Hash of the set.
        expected: Hash,
    },
}
