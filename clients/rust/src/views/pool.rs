//! What waits, and what failed.

use hanse_types::{Address, Hash, Height, Timestamp, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TransactionView;
use crate::codes::Retry;
use crate::methods::FailedCursor;
use crate::text::{Bytes, Contract};

/// What is in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolView {
    /// Transactions that wait for a block.
    pub waiting: usize,
    /// Transactions in blocks that are being made.
    pub sealed: usize,
    /// Canonical bytes of all of them.
    pub bytes: usize,
    /// Committed transactions that are remembered against duplicates.
    pub remembered: usize,
}

/// How far a failed transaction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum FailedEnd {
    /// It was dropped without being executed.
    Dropped {
        /// When, by the node's clock.
        timestamp: Timestamp,
    },
    /// It is in a block, and its code failed.
    Executed {
        /// Its place in the block.
        index: TxIndex,
    },
}

/// A transaction that did not do what it was sent for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedView {
    /// Its identity.
    pub tx_id: Hash,
    /// How far it came.
    #[serde(flatten)]
    pub end: FailedEnd,
    /// The block that holds it, or was the newest when it was dropped.
    pub height: Height,
    /// Why, by the name of an error code.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// What helps: to send the same again, to make and sign it anew, or nothing.
    pub retry: Retry,
    /// What replaced it, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Hash>,
    /// Who signed it.
    pub sender: Address,
    /// The contract, as the transaction names it.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// When it expires.
    pub expiration: Timestamp,
    /// Where in the list it is.
    pub cursor: FailedCursor,
}

/// A transaction that did not do what it was sent for, with all that is needed to try it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedTransactionView {
    /// How it failed.
    #[serde(flatten)]
    pub failed: FailedView,
    /// The transaction.
    pub transaction: TransactionView,
    /// Its canonical bytes, with the signature.
    pub encoded: Bytes,
}

/// A transaction in the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingView {
    /// The transaction.
    pub transaction: TransactionView,
    /// Since when it waits, by the node's clock.
    pub since: Timestamp,
    /// Whether it is in a block that is being made.
    pub sealed: bool,
    /// Its canonical bytes.
    pub bytes: usize,
}
