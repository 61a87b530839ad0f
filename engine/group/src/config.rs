//! What a group is opened with.

use std::path::PathBuf;

use hanse_txpool::PoolLimits;
use hanse_types::Genesis;

/// How one node runs one group. Nothing here is agreed on between nodes but the genesis.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// The founders' agreement.
    pub genesis: Genesis,
    /// Folder of the group's database and caches; made if it is not there.
    pub directory: PathBuf,
    /// Threads that execute blocks and verify signatures.
    pub threads: usize,
    /// Threads that answer simulations and queries.
    pub query_threads: usize,
    /// Bounds of the pool.
    pub pool: PoolLimits,
    /// Most submissions that wait for their signatures to be verified; more are refused.
    pub intake_waiting: usize,
}

impl GroupConfig {
    /// The usual settings.
    pub fn new(genesis: Genesis, directory: PathBuf) -> GroupConfig {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let pool = PoolLimits::default();
        GroupConfig { genesis, directory, threads, query_threads: 1, pool, intake_waiting: 100_000 }
    }
}
