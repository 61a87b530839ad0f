//! What an engine is told.

use std::sync::Arc;

use hanse_types::{Hash, Header, Height, Round, ValidatorSet};

use crate::block::CompactBlock;
use crate::message::{Message, Peer};
use crate::statement::{Signed, Step};

/// What an engine is told.
///
/// The first group is for every engine. The second is for those that agree with others; [`Solo`](crate::Solo) takes it as
/// a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The first input: the engine sets its timers and says where it is.
    Start,
    /// Transactions for a block are ready. Told again and again as long as it is so; the engine answers with
    /// [`Output::Propose`](crate::Output::Propose) when a block can be made here.
    BatchReady,
    /// There is nothing to make a block of, after it was asked for.
    Withdrawn,
    /// The block that was asked for has been executed.
    Executed(Box<Header>),
    /// A statement has been made durable and signed.
    Signed(Signed),
    /// A decided block is durable, with its certificate.
    Persisted {
        /// Its height.
        height: Height,
    },

    /// The block that was asked for has been executed, in the form in which it is shown to others; instead of
    /// [`Input::Executed`].
    Built(CompactBlock),
    /// What came of [`Output::Check`](crate::Output::Check).
    Checked {
        /// The block.
        block: Hash,
        /// Whether it is good.
        verdict: Verdict,
    },
    /// A block can't be checked before these transactions are here. The engine fetches them, and what arrives comes out
    /// as [`Output::Supply`](crate::Output::Supply); told again if some are still missing then.
    Missing {
        /// The block.
        block: Hash,
        /// The places of what is missing.
        transactions: Vec<u32>,
    },
    /// A peer says something. It may be anything that decodes.
    Message {
        /// Who.
        from: Peer,
        /// What.
        message: Message,
    },
    /// A timer of [`Output::SetTimer`](crate::Output::SetTimer) has run out. Timers of rounds that are over may be told
    /// or not.
    Timeout(Timer),
    /// There is a connection to this peer, a member of the group.
    PeerUp(Peer),
    /// There is none any more.
    PeerDown(Peer),
    /// The record of [`Output::Record`](crate::Output::Record) is durable.
    Recorded,
    /// The set that decides blocks from this height on. Told before the block below that height is told as durable,
    /// whenever that block changes the set.
    Validators {
        /// The first height that the set decides.
        from: Height,
        /// The set.
        set: Arc<ValidatorSet>,
    },
}

/// What running a proposed block showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every transaction is allowed in it, and header and DAG are what running it gives.
    Good,
    /// It is not what it claims to be. A judgement on the block and its ancestors alone: every honest node that runs it
    /// comes to the same.
    Bad,
}

/// What an engine waits for. Setting one replaces the one of the same name that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A step of a round takes too long.
    Step {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The step.
        step: Step,
    },
    /// Time to tell peers what is here, so that they send what is not.
    Repair,
    /// Time to ask another peer for what is being fetched.
    Fetch,
    /// The leader was silent for too long; or this node leads, and is to say that it is there.
    Lead,
}
