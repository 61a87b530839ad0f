//! What a group is opened with.

use std::path::PathBuf;
use std::sync::Arc;

use hanse_consensus::bft::Timing;
use hanse_ledger::LedgerOptions;
use hanse_replica::sync::SyncLimits;
use hanse_txpool::PoolLimits;
use hanse_types::Genesis;

use crate::drops::DropLimits;
use crate::observe::Observe;
use crate::snapshots::{FetchLimits, OfferRules, SyncMode};

/// How one node runs one group. Nothing here is agreed on between nodes but the genesis.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// The founders' agreement.
    pub genesis: Genesis,
    /// Folder of the group's database and caches; made if it is not there.
    pub directory: PathBuf,
    /// Threads that execute blocks and verify signatures.
    pub threads: usize,
    /// Whether each of these threads stays on one core. For nodes that have their cores for themselves; with more threads
    /// than cores, it has no effect.
    pub bind_cores: bool,
    /// Threads that answer simulations and queries.
    pub query_threads: usize,
    /// Bounds of the pool.
    pub pool: PoolLimits,
    /// Bounds of the record of dropped transactions.
    pub drops: DropLimits,
    /// Most transactions that wait for their signatures to be verified; more are refused, and what a larger submission has
    /// beyond that.
    pub intake_waiting: usize,
    /// Sizes of the ledger.
    pub ledger: LedgerOptions,
    /// Who keeps figures.
    pub observer: Arc<dyn Observe>,
    /// How long consensus waits for what, in a group of several validators.
    pub timing: Timing,
    /// Bounds of catching up with the others.
    pub sync: SyncLimits,
    /// How this node gets what the others have.
    pub sync_mode: SyncMode,
    /// Bounds of getting a snapshot.
    pub fetch: FetchLimits,
    /// Which snapshots it has for others.
    pub offers: OfferRules,
}

impl GroupConfig {
    /// The usual settings.
    pub fn new(genesis: Genesis, directory: PathBuf) -> GroupConfig {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        GroupConfig {
            genesis,
            directory,
            threads,
            bind_cores: false,
            query_threads: 1,
            pool: PoolLimits::default(),
            drops: DropLimits::default(),
            // A fraction of a second's work.
            intake_waiting: 10_000,
            ledger: LedgerOptions::default(),
            observer: Arc::new(()),
            timing: Timing::default(),
            sync: SyncLimits::default(),
            sync_mode: SyncMode::default(),
            fetch: FetchLimits::default(),
            offers: OfferRules::default(),
        }
    }
}
