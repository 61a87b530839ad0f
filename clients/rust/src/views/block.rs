//! Blocks.

use hanse_types::{Gas, Hash, Height, Timestamp, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccessView, ReceiptView, TransactionView};
use crate::text::Bytes;

/// A block's header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderView {
    /// Hash of the header.
    pub hash: Hash,
    /// Position in the chain.
    pub height: Height,
    /// Hash of the block before.
    pub parent: Hash,
    /// When it was proposed.
    pub timestamp: Timestamp,
    /// Number of transactions.
    pub tx_count: u32,
    /// Gas of all transactions.
    pub gas_used: Gas,
    /// Index of the proposer in the validator set.
    pub proposer: u32,
    /// Root of the transactions.
    pub tx_root: Hash,
    /// Root of the receipts.
    pub receipt_root: Hash,
    /// Root of the access sets.
    pub rw_set_root: Hash,
    /// Digest of the DAG.
    pub dag_digest: Hash,
    /// Commitment to the state after the block.
    pub state_root: Hash,
    /// The canonical bytes, for proofs.
    pub encoded: Bytes,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockView {
    /// The header.
    pub header: HeaderView,
    /// Transactions in block order, if asked for, from the place that was asked for. So are all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<TransactionView>>,
    /// Their receipts, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<ReceiptView>>,
    /// For each, the places of those that it waits for, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dag: Option<Vec<Vec<TxIndex>>>,
    /// What each observed and did, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rw_sets: Option<Vec<AccessView>>,
    /// The place where the block goes on; absent if all was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TxIndex>,
}

/// A block's header with what shows that its validators decided it: see [`crate::proof::Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertifiedHeader {
    /// The header, canonical bytes.
    pub header: Bytes,
    /// The certificate, canonical bytes. Of the genesis block: without signatures.
    pub certificate: Bytes,
}

/// A block in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockSummary {
    /// Position in the chain.
    pub height: Height,
    /// Hash of the header.
    pub hash: Hash,
    /// When it was proposed.
    pub timestamp: Timestamp,
    /// Number of transactions.
    pub tx_count: u32,
    /// Gas of all transactions.
    pub gas_used: Gas,
}
