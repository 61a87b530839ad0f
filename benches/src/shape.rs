//! What is measured of a workload: how many blocks, of how many transactions, chosen how.

/// What to measure of a workload.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Skew of the choice of accounts.
    pub skew: f64,
    /// Transactions of a block.
    pub block: usize,
    /// Blocks that count.
    pub blocks: usize,
    /// Blocks before, that do not.
    pub warm_up: usize,
    /// From which the transactions follow.
    pub seed: u64,
}
