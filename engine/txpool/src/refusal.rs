//! Why a transaction, or a block of them, is refused.

use hanse_types::{Gas, Height, Timestamp, TxId};
use thiserror::Error;

/// Why a transaction does not get into the pool, leaves it without a block, or makes a block invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Its format is not known.
    #[error("the transaction has format version {found}, this chain takes version {expected}; use a matching client")]
    UnsupportedVersion {
        /// Its version.
        found: u16,
        /// The version that is understood.
        expected: u16,
    },
    /// It asks for more gas than one transaction may use.
    #[error("the gas limit is {found}, the chain allows at most {limit}; lower the limit or split the work")]
    GasLimitTooHigh {
        /// What it asks for.
        found: Gas,
        /// What it may ask for.
        limit: Gas,
    },
    /// It would not fit into any block.
    #[error("the transaction has {found} bytes, a block takes at most {limit}; split the work")]
    TransactionTooLarge {
        /// Its canonical bytes.
        found: u64,
        /// Most bytes of a block's transactions.
        limit: u64,
    },
    /// No block can include it any more.
    #[error(
        "the transaction expired at {expiration} ms, the next block is of {block_time} ms or later; make and sign it \
         again with a later expiration"
    )]
    Expired {
        /// When it expired.
        expiration: Timestamp,
        /// Earliest time of the block that would include it.
        block_time: Timestamp,
    },
    /// It would be valid for too long.
    #[error(
        "the transaction expires at {expiration} ms, at most {latest} ms is allowed now; make and sign it again with \
         an earlier expiration"
    )]
    ExpiresTooLate {
        /// When it expires.
        expiration: Timestamp,
        /// The latest expiration allowed.
        latest: Timestamp,
    },
    /// Its reference block is not there yet.
    #[error(
        "the reference block {height} is not known here, the newest is {tip}; try again, or refer to an older block"
    )]
    ReferenceUnknown {
        /// The reference block.
        height: Height,
        /// The newest block.
        tip: Height,
    },
    /// Its reference block is too far back.
    #[error(
        "the reference block {height} is too old, the oldest allowed is {oldest}; make and sign the transaction again \
         with a recent block"
    )]
    ReferenceTooOld {
        /// The reference block.
        height: Height,
        /// The oldest block that may be referred to.
        oldest: Height,
    },
    /// Its reference block is not of this chain.
    #[error(
        "this chain's block {height} has another hash than the transaction's reference; it was made for another chain, \
         or with a wrong hash"
    )]
    ReferenceMismatch {
        /// The reference block.
        height: Height,
    },
    /// It is in the pool, or in a block under way.
    #[error("transaction {id} was submitted before and waits for its block; ask for its receipt")]
    AlreadyInPool {
        /// The transaction.
        id: TxId,
    },
    /// It is in a block.
    #[error("transaction {id} is in a block already; ask for its receipt")]
    AlreadyCommitted {
        /// The transaction.
        id: TxId,
    },
    /// Its sender has enough in the pool.
    #[error("the sender has {count} transactions of {bytes} bytes in the pool, no more are taken; try again later")]
    SenderLimit {
        /// How many the sender has.
        count: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The pool is full.
    #[error("the pool is full with {count} transactions of {bytes} bytes; try again later")]
    PoolFull {
        /// How many there are.
        count: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// More comes than blocks take.
    #[error(
        "the pool takes no more while {count} transactions wait and the oldest has waited for {waited_ms} ms; try again \
         later"
    )]
    PoolSlow {
        /// How many wait.
        count: usize,
        /// For how long the oldest has.
        waited_ms: u64,
    },
    /// The node failed while it ran nothing but this.
    #[error(
        "the node failed when it ran the transaction, and again when it ran nothing but it: {reason}; report it, and send \
         the transaction again to a node that has been mended"
    )]
    EngineFailed {
        /// What was seen of the last failure.
        reason: String,
    },
    /// The group has stopped after a failure.
    #[error("the group has stopped on this node and takes no transactions; ask its operator, or another node")]
    GroupStopped,
}

/// What whoever sent a refused transaction can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Send the same transaction later.
    Later,
    /// Make and sign a new one from recent blocks and times: the call itself is fine.
    Renew,
    /// Nothing: it is under way or done, and its receipt tells the outcome.
    AskForReceipt,
    /// Change the call or the client; the same would be refused again.
    Change,
}

impl Refusal {
    /// The stable name of the reason, in snake_case, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::UnsupportedVersion { .. } => "unsupported_version",
            Refusal::GasLimitTooHigh { .. } => "gas_limit_too_high",
            Refusal::TransactionTooLarge { .. } => "transaction_too_large",
            Refusal::Expired { .. } => "expired",
            Refusal::ExpiresTooLate { .. } => "expires_too_late",
            Refusal::ReferenceUnknown { .. } => "reference_unknown",
            Refusal::ReferenceTooOld { .. } => "reference_too_old",
            Refusal::ReferenceMismatch { .. } => "reference_mismatch",
            Refusal::AlreadyInPool { .. } => "already_in_pool",
            Refusal::AlreadyCommitted { .. } => "already_committed",
            Refusal::SenderLimit { .. } => "sender_limit",
            Refusal::PoolFull { .. } | Refusal::PoolSlow { .. } => "pool_full",
            Refusal::EngineFailed { .. } => "engine_failed",
            Refusal::GroupStopped => "group_stopped",
        }
    }

    /// What the sender can do.
    pub const fn retry(&self) -> Retry {
        match self {
            Refusal::ReferenceUnknown { .. }
            | Refusal::SenderLimit { .. }
            | Refusal::PoolFull { .. }
            | Refusal::PoolSlow { .. }
            | Refusal::EngineFailed { .. }
            | Refusal::GroupStopped => Retry::Later,
            Refusal::Expired { .. } | Refusal::ExpiresTooLate { .. } | Refusal::ReferenceTooOld { .. } => Retry::Renew,
            Refusal::AlreadyInPool { .. } | Refusal::AlreadyCommitted { .. } => Retry::AskForReceipt,
            Refusal::UnsupportedVersion { .. }
            | Refusal::GasLimitTooHigh { .. }
            | Refusal::TransactionTooLarge { .. }
            | Refusal::ReferenceMismatch { .. } => Retry::Change,
        }
    }
}

/// Why a proposed block's transactions are not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockRefusal {
    /// There are none.
    #[error("the block has no transactions; empty blocks are not made")]
    Empty,
    /// There are too many.
    #[error("the block has {found} transactions, the chain allows at most {limit}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// They are too large together.
    #[error("the block's transactions have {found} bytes, the chain allows at most {limit}")]
    TooLarge {
        /// Their canonical bytes.
        found: u64,
        /// How many they may have.
        limit: u64,
    },
    /// One of them may not be in it.
    #[error("transaction {index} of the block may not be in it: {refusal}")]
    Transaction {
        /// Position in the block, from 0.
        index: usize,
        /// Why not.
        refusal: Refusal,
    },
    /// One of them is in it, or in the block before it, a second time.
    #[error("transaction {index} of the block, {id}, is there a second time")]
    Duplicate {
        /// Position in the block, from 0.
        index: usize,
        /// The transaction.
        id: TxId,
    },
}
