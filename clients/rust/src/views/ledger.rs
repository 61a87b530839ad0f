//! The ledger as an operator sees it.

use hanse_types::{Hash, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node's ledger holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerView {
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Transactions of all blocks.
    pub transactions: u64,
    /// The oldest height whose access sets and state are left.
    pub oldest_height: Height,
    /// Bytes of its tables on disk.
    pub disk_bytes: u64,
    /// Its snapshots on this node, the oldest first.
    pub snapshots: Vec<SnapshotView>,
}

/// A snapshot of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotView {
    /// Its name.
    pub name: String,
    /// Its folder on the node's machine.
    pub path: String,
    /// Its newest block,
    pub height: Height,
    /// that block's hash,
    pub block_hash: Hash,
    /// and the state root of that block.
    pub state_root: Hash,
    /// Bytes of its files.
    pub bytes: u64,
}
