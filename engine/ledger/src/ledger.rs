//! The ledger's handle: what it is made of, and the views that it gives out.

use std::collections::VecDeque;
#[cfg(feature = "rocksdb")]
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hanse_state::commitment::NodeView;
use hanse_state::{ChangeSet, StateView};
use hanse_types::{Certificate, ChainIdentity, Genesis, Hash, Header, Height, Timestamp, TxId, ValidatorSet};
use parking_lot::{Mutex, RwLock};

use crate::cache::CacheUse;
use crate::error::LedgerError;
use crate::meta::{Beginning, TipRecord};
use crate::options::LedgerOptions;
#[cfg(feature = "rocksdb")]
use crate::store::RocksStore;
use crate::store::{Batch, Closed, Read, Store, Table};
use crate::views::{Caches, LedgerView};
use crate::{keys, open};

/// A group's chain on disk. Cheap to clone; all clones are one ledger.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: LedgerOptions,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) identity: ChainIdentity,
    /// Who decides the first blocks.
    pub(crate) founders: Arc<ValidatorSet>,
    pub(crate) caches: Arc<Caches>,
    /// Which blocks it has.
    pub(crate) beginning: Beginning,
    /// What readers see. Replaced as a whole, when a block is durable.
    pub(crate) current: RwLock<Arc<Current>>,
    /// Held by whoever writes blocks.
    pub(crate) writer: Mutex<Writer>,
    /// Why nothing may be written any more.
    pub(crate) poisoned: OnceLock<String>,
}

/// The newest block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its header.
    pub header: Arc<Header>,
    /// Its hash.
    pub hash: Hash,
    /// What shows that it was agreed upon. Of the genesis block: no signatures.
    pub certificate: Arc<Certificate>,
}

/// The ledger as of its newest block.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) tip: Tip,
    pub(crate) record: TipRecord,
    pub(crate) view: LedgerView,
    /// Hashes of the newest blocks, up to the tip's.
    pub(crate) recent: Arc<VecDeque<Hash>>,
    /// Who decides the next block.
    pub(crate) validators: Arc<ValidatorSet>,
}

impl Current {
    pub(crate) fn reader(&self) -> &dyn Read {
        &*self.view.reader
    }

    pub(crate) fn height(&self) -> Height {
        self.record.height
    }
}

/// What only the writer knows.
#[derive(Default)]
pub(crate) struct Writer {
    /// The latest expiration in every block from the window's first on.
    pub(crate) expirations: VecDeque<Timestamp>,
}

/// Figures for people and monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Transactions of all blocks.
    pub transactions: u64,
    /// Bytes of the database's tables on disk, without its log.
    pub disk_bytes: u64,
    /// Bytes of the caches of values and pages.
    pub cache_bytes: u64,
    /// How the cache of values was used,
    pub value_cache: CacheUse,
    /// and that of pages of the state's tree.
    pub page_cache: CacheUse,
    /// Lowest height whose access sets were not pruned, and whose state can be read.
    pub history_from: Height,
}

impl Ledger {
    /// Opens the ledger in a directory, or makes it there with its genesis block, whose state is `genesis_state`.
    ///
    /// # Errors
    /// If the directory holds the ledger of another chain, group, genesis or format, or the newest block is not what its
    /// header says.
    #[cfg(feature = "rocksdb")]
    pub fn open(
        path: &Path,
        genesis: &Genesis,
        genesis_state: &ChangeSet,
        options: LedgerOptions,
    ) -> Result<Ledger, LedgerError> {
        let store = RocksStore::open(path, &genesis.chain_id, &options)?;
        Ledger::open_store(Arc::new(store), genesis, genesis_state, options)
    }

    /// Opens the ledger in a store, like [`Ledger::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open_store(
        store: Arc<dyn Store>,
        genesis: &Genesis,
        genesis_state: &ChangeSet,
        options: LedgerOptions,
    ) -> Result<Ledger, LedgerError> {
        open::open(store, genesis, genesis_state, options)
    }

    /// Knows when nobody uses the ledger's store any more, so that it can be opened again.
    pub fn closed(&self) -> Closed {
        self.shared.store.closed()
    }

    /// The founders' agreement.
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.shared.genesis
    }

    /// The newest block.
    pub fn tip(&self) -> Tip {
        self.current().tip.clone()
    }

    /// The newest block's height.
    pub fn height(&self) -> Height {
        self.current().height()
    }

    /// The lowest block that is here whole, but for the genesis block: 1, unless the ledger was made of a portable snapshot
    /// ([`portable`](crate::portable)).
    pub fn first(&self) -> Height {
        self.shared.beginning.blocks
    }

    /// The lowest block whose access sets were not pruned, and after which the state can be read.
    pub fn history_from(&self) -> Height {
        self.current().record.history_from
    }

    /// The state after the newest block. Does not change while it is held.
    pub fn state(&self) -> Arc<dyn StateView> {
        Arc::new(self.current().view.clone())
    }

    /// The pages of the state commitment after the newest block. Do not change while they are held.
    pub fn nodes(&self) -> Arc<dyn NodeView> {
        Arc::new(self.current().view.clone())
    }

    /// State and pages after the newest block, with that block: all of one moment.
    pub fn frozen(&self) -> (Tip, Arc<dyn StateView>, Arc<dyn NodeView>) {
        let current = self.current();
        (current.tip.clone(), Arc::new(current.view.clone()), Arc::new(current.view.clone()))
    }

    /// Hashes of the newest blocks, the tip's last: as many as a contract can see or a transaction can refer to.
    pub fn recent_hashes(&self) -> Vec<(Height, Hash)> {
        let current = self.current();
        let heights = (0..current.recent.len() as u64).rev().map(|back| Height(current.height().0 - back));
        heights.zip(current.recent.iter().copied()).collect()
    }

    /// The transactions that a block must not repeat: those of blocks from a height on that expire after a time, with their blocks'
    /// heights and their expirations.
    ///
    /// # Errors
    /// If the store fails or is damaged.
    pub fn window(&self, from: Height, since: Timestamp) -> Result<Vec<(Height, TxId, Timestamp)>, LedgerError> {
        let current = self.current();
        let mut window = Vec::new();
        for height in (current.record.window.max(from).0..=current.height().0).map(Height) {
            let ids = open::ids(current.reader(), height)?.into_iter().filter(|(_, expiration)| *expiration > since);
            window.extend(ids.map(|(id, expiration)| (height, id, expiration)));
        }
        Ok(window)
    }

    /// Writes a record of the consensus engine. It is durable when this returns.
    ///
    /// # Errors
    /// If the store fails; the ledger then accepts no further write.
    pub fn put_consensus(&self, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        let mut batch = Batch::default();
        batch.put(Table::Consensus, key, value);
        self.write(&batch)
    }

    /// Reads a record of the consensus engine.
    ///
    /// # Errors
    /// If the store fails.
    pub fn get_consensus(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.shared.store.get(Table::Consensus, key)?)
    }

    /// Figures for people and monitors.
    ///
    /// # Errors
    /// If the store fails.
    pub fn statistics(&self) -> Result<Statistics, LedgerError> {
        let current = self.current();
        let (value_cache, page_cache) = self.shared.caches.uses();
        Ok(Statistics {
            blocks: current.height().0 + 1,
            transactions: current.record.transactions,
            disk_bytes: self.shared.store.size()?,
            cache_bytes: self.shared.caches.bytes() as u64,
            value_cache,
            page_cache,
            history_from: current.record.history_from,
        })
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        self.shared.current.read().clone()
    }

    /// Writes a batch, unless a write failed before. A failure is the last thing that is written.
    pub(crate) fn write(&self, batch: &Batch) -> Result<(), LedgerError> {
        if let Some(reason) = self.shared.poisoned.get() {
            return Err(LedgerError::Poisoned { reason: reason.clone() });
        }
        self.shared.store.write(batch).map_err(|error| {
            // Of two that fail at the same time, one is the first.
            let _ = self.shared.poisoned.set(error.to_string());
            error.into()
        })
    }
}

/// How many hashes of newest blocks a chain keeps at hand.
pub(crate) fn recent_max(genesis: &Genesis) -> usize {
    genesis.params.ref_block_window.max(hanse_types::limits::RECENT_BLOCKS) as usize + 1
}

/// The hash of a block, if there is such a block.
pub(crate) fn find_block(reader: &dyn Read, hash: &Hash) -> Result<Option<Height>, LedgerError> {
    let Some(bytes) = reader.get(Table::Index, &keys::block(hash))? else { return Ok(None) };
    let height = keys::height_of(&bytes).ok_or_else(|| LedgerError::damaged("the index of blocks", "cut off"))?;
    Ok(Some(height))
}
