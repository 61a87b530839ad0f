//! A node's own: its store, and what it makes of that when it starts.

use std::sync::Arc;

use hanse_consensus::{Bft, Statement};
use hanse_group::chain::Chain;
use hanse_group::execution::{ExecutedBlock, Executor};
use hanse_ledger::handover::next_epoch;
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerError, MemoryStore, NewBlock};
use hanse_replica::Replica;
use hanse_replica::sync::{BlockSync, SyncLimits};
use hanse_state::ChangeSet;
use hanse_txpool::{History, Pool, PoolLimits};
use hanse_types::{Certificate, Genesis, Hash, Timestamp};

use super::{Queue, Real, base, options, recent};
use crate::keys::Keys;

/// What outlives a node's lives: the store below its ledger.
#[derive(Debug, Default)]
pub(crate) struct Place {
    store: Arc<MemoryStore>,
    /// What was promised to be kept.
    pub(crate) queue: Queue,
}

impl Place {
    /// Opens the ledger on what the disk holds.
    pub(super) fn open(&mut self, genesis: &Genesis, first_state: &ChangeSet) -> Result<Ledger, String> {
        self.store = Arc::new(self.store.restarted());
        let opened = Ledger::open_store(self.store.clone(), genesis, first_state, options());
        opened.map_err(|error| error.to_string())
    }

    /// Opens the ledger of a chain.
    pub(crate) fn start(&mut self, real: &Real) -> Result<Ledger, String> {
        self.open(&real.genesis, &real.first_state)
    }

    /// Lets the next write fail.
    pub(crate) fn fail_next(&self, fault: Fault) {
        self.store.fail_next(fault);
    }
}

/// The statement that the ledger has with its newest block.
pub(crate) fn noted(ledger: &Ledger) -> Result<Option<Statement>, String> {
    let bytes = ledger.noted().map_err(|error| error.to_string())?;
    bytes.map(|bytes| borsh::from_slice(&bytes).map_err(|error| error.to_string())).transpose()
}

/// Chains here are short: small windows are filled by them, and there is time to wait for who does not answer.
const SYNC: SyncLimits = SyncLimits {
    window_blocks: 12,
    window_bytes: 1 << 20,
    answer_bytes: 1 << 16,
    request_blocks: 3,
    requests_per_peer: 2,
    answer_ms: 200,
    drop_ms: 2_000,
    behind: 2,
    replayed: 1,
};

/// A whole node, while it lives.
pub(crate) struct Whole {
    pub(crate) replica: Replica<Bft<Keys>>,
    pub(crate) executor: Executor,
    pub(crate) chain: Chain,
    pub(crate) ledger: Ledger,
    /// Whether a write of its ledger has failed.
    pub(crate) failed: bool,
}

impl Whole {
    /// A node around an engine that stands on the newest block of a ledger.
    /// It takes over what its queue has; how much that is. It may catch up by what blocks wrote, without running them.
    pub(crate) fn new(
        real: &Real,
        ledger: Ledger,
        engine: Bft<Keys>,
        queue: &Queue,
        by_outcomes: bool,
        now: Timestamp,
    ) -> Result<(Whole, u64), String> {
        let (tip, hashes) = (ledger.tip(), recent(&ledger));
        let params = hanse_vm::system::params::load(&*ledger.state()).map_err(|error| error.to_string())?;
        let (height, timestamp) = (tip.header.height, tip.header.timestamp);
        let mut history = History::new(params.ref_block_window, height, timestamp, hashes.iter().rev().copied());
        let window = ledger.window(history.oldest(), timestamp);
        history.load_window(window.map_err(|error| error.to_string())?);
        let mut pool = Pool::new(PoolLimits::default(), params, history).of_several();
        let taken_over = queue.restore(&ledger, &mut pool, now)?;
        let held = hanse_group::held::read(&ledger, &real.verifier).map_err(|error| error.to_string())?;
        let sync = BlockSync::new(SYNC, (tip.header.height, tip.hash), ledger.validators(), next_epoch(&tip.header));
        let sync = if by_outcomes { sync.by_outcomes() } else { sync };
        let whole = Whole {
            replica: Replica::new(pool, engine).holding(held).catching_up_by(sync),
            executor: Executor::new(real.vm.clone(), real.genesis.clone()),
            chain: Chain::new(base(&ledger), hashes),
            ledger,
            failed: false,
        };
        Ok((whole, taken_over))
    }

    /// Makes a decided block durable, with what was noted of votes.
    pub(crate) fn append(
        &mut self,
        block: &ExecutedBlock,
        certificate: &Certificate,
        noted: Option<Statement>,
    ) -> Result<(), LedgerError> {
        let noted = noted.map(|noted| borsh::to_vec(&noted).expect("a statement encodes into memory"));
        let (header, content) = (&block.header, &block.content);
        let next_validators = block.amendments.validators.as_deref();
        self.ledger.append(&NewBlock { header, content, certificate, noted: noted.as_deref(), next_validators })
    }

    /// A block that was run is durable now.
    pub(crate) fn persisted(&mut self, hash: &Hash) {
        self.chain.persisted(hash, base(&self.ledger));
    }
}
