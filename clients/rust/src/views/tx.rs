//! Transactions, and what came of them.

use hanse_types::{Address, Gas, Hash, Height, Status, Timestamp, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccessView, CertifiedHeader, EventView, KeyView};
use crate::codes::Retry;
use crate::text::{Bytes, Contract, decimal, status_name};

/// A transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionView {
    /// Its identity.
    pub tx_id: Hash,
    /// Who signed it.
    pub sender: Address,
    /// The signing key, with its algorithm.
    pub public_key: String,
    /// The contract, as the transaction names it.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// The arguments' bytes.
    pub args: Bytes,
    /// The arguments by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The client's random number.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub nonce: u64,
    /// The most gas that it may use.
    pub gas_limit: Gas,
    /// When it was made.
    pub timestamp: Timestamp,
    /// When it expires.
    pub expiration: Timestamp,
    /// Height of its reference block.
    pub ref_height: Height,
    /// The client's own id.
    pub business_id: Bytes,
}

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LocatedTransaction {
    /// The transaction.
    pub transaction: TransactionView,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
}

/// How code that ran failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureView {
    /// The error code of [`crate::codes`]: 3000 plus the status.
    pub code: i32,
    /// What happened, in one sentence, by the ABI's own words where it has some.
    pub text: String,
    /// The contract in which it happened.
    pub failed_in: Address,
    /// A contract's own error: its number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// its name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// and its fields by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
}

/// What running a call gave, whether in a block or for a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeView {
    /// How it ended.
    #[serde(with = "status_name")]
    #[schemars(with = "String")]
    pub status: Status,
    /// What it cost.
    pub gas_used: Gas,
    /// What the method returned, or the error's fields.
    pub output: Bytes,
    /// What the method returned, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// How it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// What it emitted.
    pub events: Vec<EventView>,
}

/// A receipt: what a transaction did, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptView {
    /// Which transaction.
    pub tx_id: Hash,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
    /// What it did.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// Digest of its access set.
    pub rw_set: Hash,
}

/// A proof that something is in a block: see [`crate::proof`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InclusionProof {
    /// The block's header.
    #[serde(flatten)]
    pub block: CertifiedHeader,
    /// What is proven to be in the block, canonical bytes: a signed transaction, a receipt or an access set.
    pub content: Bytes,
    /// Its place.
    pub index: TxIndex,
    /// The digests beside the path to the header's root, from the bottom up.
    pub path: Vec<Hash>,
}

/// What a transaction would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulationView {
    /// On top of which block.
    pub height: Height,
    /// What it would give.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// What it would touch.
    pub access: AccessView,
    /// Waiting transactions that it would run before or after, not beside: those whose contracts' ABIs tell beforehand what
    /// they touch.
    pub conflicts: Vec<ConflictView>,
    /// How much of the pool was looked at for that.
    pub pool: PoolLook,
    /// Lines that contracts wrote to the debug log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debug: Vec<String>,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TxStatusView {
    /// It was accepted and waits for a block.
    Waiting,
    /// It is in a block that is being made, and not durable yet.
    Sealed {
        /// The block's height.
        height: Height,
    },
    /// It is in a block, for good.
    Committed {
        /// The block's height.
        height: Height,
        /// Its place in the block.
        index: TxIndex,
        /// How it ended.
        #[serde(with = "status_name")]
        #[schemars(with = "String")]
        status: Status,
    },
    /// It was accepted, and will never be executed unless it is sent again and accepted.
    Dropped {
        /// Why, by the name of an error code.
        reason: String,
        /// Why, in words.
        message: String,
        /// What helps.
        retry: Retry,
        /// The newest block when it was dropped.
        height: Height,
        /// When it was dropped, by the node's clock.
        timestamp: Timestamp,
    },
    /// The node does not know it: it was never accepted there, or was lost in a crash without having been promised to
    /// outlive one, or was dropped so long ago that it is forgotten.
    Unknown,
}

/// A transaction that waits, and what sets another in order with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConflictView {
    /// Which.
    pub tx_id: Hash,
    /// What it calls.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// The key that both touch.
    pub key: KeyView,
    /// What the waiting one will do with it: `read`, `write` or `add`.
    pub theirs: String,
    /// What the simulated one would do with it: `read`, `scan`, `write` or `add`.
    pub ours: String,
}

/// How much of a pool was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolLook {
    /// Transactions that were looked at, the oldest first.
    pub looked_at: usize,
    /// Of those, the ones whose accesses are not known beforehand: their contract's ABI does not say.
    pub unknown: usize,
    /// Whether more wait than were looked at.
    pub more: bool,
}

/// What a committed transaction observed and did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TxAccess {
    /// Which.
    pub tx_id: Hash,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
    /// What it touched.
    pub access: AccessView,
}
