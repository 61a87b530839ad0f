//! The chain as a whole.

use hanse_types::{Hash, Height, Params, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a client must know of a chain to make transactions for it, and what an operator first asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainInfo {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Binds signatures to this chain.
    pub genesis_hash: Hash,
    /// Height of the newest block.
    pub height: Height,
    /// Its hash.
    pub block_hash: Hash,
    /// Its time.
    pub block_time: Timestamp,
    /// Parameters in force.
    pub params: Params,
    /// The node's version.
    pub node_version: String,
    /// What one request may hold.
    pub limits: RequestLimits,
    /// Milliseconds by which a chain in development has moved its clock ahead of the machine's; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<u64>,
    /// Why the node takes no transactions any more; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestLimits {
    /// Bytes of a JSON request.
    pub body_bytes: usize,
    /// Bytes of a bulk submission.
    pub bulk_bytes: usize,
    /// Requests in one JSON-RPC batch.
    pub batch_requests: usize,
    /// Transactions in one bulk submission.
    pub bulk_transactions: usize,
    /// Longest wait for an outcome, in milliseconds.
    pub wait_ms: u64,
}
