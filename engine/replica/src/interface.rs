//! What goes into a replica and what comes out.
//!
//! The driver's side of the bargain: it carries out the outputs in their order; answers [`Output::Execute`],
//! [`Output::Check`], [`Output::Apply`], [`Output::Sign`], [`Output::Record`] and [`Output::Persist`] exactly once each, with
//! success or [`Input::Failed`], batches in the order in which they were given out; and hands in a time that never goes back
//! while it runs (a wall clock read once, and a monotonic clock from there on). A driver that acknowledges a block to a client
//! does so after [`Input::Persisted`], not before.
//!
//! What has to do with peers ([`Output::Send`], [`Output::Relay`] and what follows them) is for groups of several nodes;
//! it may get lost.

use std::sync::Arc;

use hanse_consensus::raft::Record;
use hanse_consensus::{
    CompactBlock, Evidence, Fault, Intent, Message, Peer, Recipient, Signed, SignedStatement, Slot, Verdict,
};
use hanse_txpool::{Arrival, Dropped, Kept, Refusal};
use hanse_types::{Certificate, Hash, Header, Height, Outcomes, Params, Timestamp, TxId, ValidatorSet, Verified};
use thiserror::Error;

use crate::sync::{Blocks, Examination, Examined, SyncMessage};

/// What a replica is told.
#[derive(Debug)]
pub enum Input {
    /// The first input.
    Start,
    /// Transactions were submitted. Answered at once with one [`Output::Admitted`].
    Submitted {
        /// Which.
        transactions: Vec<Verified>,
        /// When they came; what was done with them since counts as waiting.
        since: Timestamp,
        /// Which peer has relayed them; none if a client sent them here, and they are to be relayed.
        from: Option<Peer>,
        /// Whether whoever sent them is promised that they outlive this process: then [`Output::Keep`] follows.
        keep: bool,
    },
    /// Time has passed: at the latest when [`Output::SetTimer`] asked for it. More often does no harm.
    Tick,
    /// The block of [`Output::Execute`] has been executed, all of its batch.
    Executed {
        /// Its header.
        header: Box<Header>,
        /// As it is shown to others, in a group that has them.
        shown: Option<Box<Shown>>,
        /// What it changes for the blocks after it.
        amendments: Amendments,
    },
    /// The block of [`Output::Check`] was run, or that of [`Output::Apply`] applied.
    Checked {
        /// The block.
        block: Hash,
        /// What that showed.
        verdict: Verdict,
        /// What it changes for the blocks after it.
        amendments: Amendments,
    },
    /// Those of the transactions of [`Output::Verify`] that are good.
    Supplied {
        /// The block that they are of.
        block: Hash,
        /// The transactions, in any order.
        transactions: Vec<Verified>,
    },
    /// A peer says something. It may be anything that decodes.
    Message {
        /// Who.
        from: Peer,
        /// What.
        message: Box<Message>,
    },
    /// A peer has sent committed blocks. They may be anything.
    Synced {
        /// Who.
        from: Peer,
        /// What.
        blocks: Blocks,
    },
    /// What came of [`Output::Examine`].
    Examined(Examined),
    /// There is a connection to this peer, a member of the group.
    PeerUp(Peer),
    /// There is none any more.
    PeerDown(Peer),
    /// The statement of [`Output::Sign`] is durable and signed.
    Signed(Signed),
    /// What [`Output::Record`] asked for is durable.
    Recorded,
    /// The block of [`Output::Persist`] is durable, with its certificate.
    Persisted {
        /// Its height.
        height: Height,
    },
    /// What [`Output::Keep`] asked for could not be done.
    NotKept {
        /// Why, for the operator.
        reason: String,
    },
    /// Something that was asked for failed and will not be tried again.
    Failed {
        /// The block's height.
        height: Height,
        /// What failed.
        stage: Stage,
        /// Why, for the operator.
        reason: String,
    },
}

/// What is shown of a block to those who vote on it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The block as it is proposed.
    pub block: CompactBlock,
    /// Its transactions, in their order in the block.
    pub transactions: Arc<[Verified]>,
}

/// What a block changes for those after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendments {
    /// The chain's parameters from the next block on, if it changes them.
    pub params: Option<Arc<Params>>,
    /// Who decides the next blocks, if it changes that.
    pub validators: Option<Arc<ValidatorSet>>,
}

/// What a replica wants done.
#[derive(Debug)]
pub enum Output {
    /// The answers to one [`Input::Submitted`], in its order. "Accepted" promises no more than that the transaction
    /// will either be in a block or be reported as dropped while this node runs.
    Admitted(Vec<Result<TxId, Refusal>>),
    /// Follows an [`Output::Admitted`] whose sender is promised more: write these, in an order of their arrivals, to where
    /// they outlive the process, and only then pass on the answers. Those of the answers that were there before, and what
    /// earlier outputs of this kind gave, must be written by then too.
    Keep {
        /// Which.
        kept: Vec<Kept>,
        /// What was written of places before this one may be removed, as soon as all that earlier outputs gave is written.
        needed_from: Arrival,
    },
    /// These left the pool without a block.
    Dropped {
        /// Which, and why.
        dropped: Vec<Dropped>,
        /// As for [`Output::Keep`], as soon as it is written that these were dropped.
        needed_from: Arrival,
    },
    /// Execute this batch on top of its parent, and make a header of it.
    Execute(Work),
    /// Run this block of another node on top of its parent, and compare what comes out with what it claims.
    Check(Box<Shown>),
    /// This block is decided, and its outcomes have the roots that its header says: apply them on top of its parent, without
    /// running it, and compare the state's root with what the header says.
    Apply(Box<Shown>, Arc<Outcomes>),
    /// Before the statement of the next [`Output::Sign`], make the transactions of this block durable, in the place of those
    /// of the one before: who has precommitted for a block must be able to run it, whatever happens to everybody. A process
    /// that starts gives them to its replica with [`Replica::holding`](crate::Replica::holding).
    Hold {
        /// The block.
        block: Hash,
        /// Its transactions.
        transactions: Vec<Verified>,
    },
    /// Make this statement durable, then sign it: [`SafeSigner::sign`](hanse_consensus::SafeSigner::sign), or
    /// [`VoteLog::sign`](hanse_consensus::VoteLog::sign) for one that decides alone.
    Sign(Intent),
    /// Make this record durable in the place of the one before, with the transactions of its blocks.
    Record {
        /// The record, still without them.
        record: Box<Record>,
        /// The transactions of each of its blocks, in their order; none of a block that nobody needs any more.
        bodies: Vec<Vec<Verified>>,
    },
    /// The block with this certificate is decided: write it.
    Persist {
        /// The block's height.
        height: Height,
        /// The certificate.
        certificate: Certificate,
    },
    /// Send [`Input::Tick`] at this time. Replaces the timer set before.
    SetTimer(Timestamp),
    /// Send this.
    Send(Recipient, Message),
    /// Send these transactions, which clients have submitted here, to peers.
    Relay(Recipient, Vec<Verified>),
    /// Send this peer the committed block of this height, as [`Message::Decided`].
    ServeDecided {
        /// The peer.
        to: Peer,
        /// The height.
        height: Height,
    },
    /// Send this peer transactions of a committed block, if it is here, as [`Message::Transactions`].
    ServeTransactions {
        /// The peer.
        to: Peer,
        /// The block, which may be unknown here.
        block: Hash,
        /// Their places in it, which may be beyond its end.
        missing: Vec<u32>,
    },
    /// See which of these transactions are good: canonical bytes that a peer has sent.
    Verify {
        /// The block that they are of.
        block: Hash,
        /// Their bytes.
        transactions: Vec<Vec<u8>>,
    },
    /// Send this peer this: committed blocks are asked of it.
    Sync(Peer, SyncMessage),
    /// Find out what these blocks are that a peer has sent, then tell with [`Input::Examined`]; answered exactly once.
    Examine(Examination),
    /// A peer sent blocks that are not the chain's. It is asked for none for a while; tell the operator.
    Lied {
        /// Who.
        peer: Peer,
        /// What was wrong.
        reason: String,
    },
    /// A validator contradicted itself: keep this, and show it to the operator.
    Evidence(Evidence),
    /// Somebody signs with this node's key, or its record of votes is an old copy: tell the operator.
    KeyUsedElsewhere(SignedStatement),
    /// The replica has stopped for good; a block that is being written may still be reported as durable. What it
    /// accepted and did not commit is in [`Replica::into_transactions`](crate::Replica::into_transactions).
    Halted(HaltReason),
}

/// A block to be made.
#[derive(Debug)]
pub struct Work {
    /// What consensus says of its header.
    pub slot: Slot,
    /// Its time.
    pub timestamp: Timestamp,
    /// Its transactions, in the order of their arrival; never empty.
    pub batch: Vec<Verified>,
}

impl Work {
    /// The block's height.
    pub fn height(&self) -> Height {
        self.slot.height
    }

    /// Hash of the block on which it is made; that block may still be under way to the disk.
    pub fn parent(&self) -> Hash {
        self.slot.parent
    }
}

/// What can fail outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Executing a batch.
    Execution,
    /// Making a vote durable, or signing it.
    Signing,
    /// Making a record durable.
    Recording,
    /// Writing a block.
    Writing,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Stage::Execution => "executed",
            Stage::Signing => "signed",
            Stage::Recording => "recorded",
            Stage::Writing => "written",
        }
    }
}

/// Why a replica has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HaltReason {
    /// Something outside failed.
    #[error("block {height} could not be {}: {reason}; the group is stopped until the cause is mended and it is \
             started again", stage.name())]
    Failed {
        /// The block's height.
        height: Height,
        /// What failed.
        stage: Stage,
        /// Why.
        reason: String,
    },
    /// Accepted transactions could not be made durable.
    #[error(
        "the queue of accepted transactions could not be written: {reason}; the group is stopped until the cause \
             is mended and it is started again"
    )]
    NotKept {
        /// Why.
        reason: String,
    },
    /// Consensus stopped.
    #[error(transparent)]
    Consensus(#[from] Fault),
    /// The driver reported something that is not under way.
    #[error("the node reported block {height} as {}, which was not under way; this is a bug in the node", stage.name())]
    Unexpected {
        /// The block's height.
        height: Height,
        /// What was reported as done.
        stage: Stage,
    },
    /// The executed block is not made of its batch.
    #[error(
        "block {height} was made with {found} transactions of time {timestamp} ms, but {expected} of time \
             {expected_timestamp} ms were asked for; this is a bug in the node"
    )]
    OtherBlock {
        /// The block's height.
        height: Height,
        /// How many transactions it has.
        found: u32,
        /// How many it should have.
        expected: usize,
        /// Its time.
        timestamp: Timestamp,
        /// The time that it should have.
        expected_timestamp: Timestamp,
    },
}
