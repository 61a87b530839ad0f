//! What waits.

use serde::{Deserialize, Serialize};

/// What is in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
