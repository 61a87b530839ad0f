//! Making a ledger of chunks.

use std::sync::Arc;

use hanse_state::commitment;
use hanse_state::{ChangeSet, StateError, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::portable::{Anchor, Chunk, Item, Manifest, chunk_digest};
use hanse_types::{
    Block, Canonical, Certificate, Genesis, Hash, Height, Receipt, RwSet, StateCommitment, Timestamp, TxId,
    ValidatorSet, Value, block, merkle,
};
use thiserror::Error;

use super::export::is_over;
use super::folder::FolderError;
use crate::append;
use crate::error::{LedgerError, StoreError};
use crate::handover;
use crate::keys;
use crate::ledger::{Ledger, recent_max};
use crate::meta::{self, Beginning, TipRecord};
use crate::open;
use crate::options::LedgerOptions;
use crate::store::{Batch, RangeQuery, Store, Table};
use crate::views::{Caches, LedgerView};

/// Entries that are carried over at a time.
const ENTRIES: usize = 1_024;
/// The tables of what one node alone knows.
const OWN: [Table; 3] = [Table::Pool, Table::Exception, Table::Consensus];

/// Why there is no ledger.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The snapshot is not the chain's.
    #[error("the snapshot is not the chain's: {0}")]
    Lie(String),
    /// The new ledger can't be written or read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A chunk can't be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> ImportError {
        LedgerError::from(error).into()
    }
}

impl From<StateError> for ImportError {
    fn from(error: StateError) -> ImportError {
        LedgerError::from(error).into()
    }
}

fn lie<T>(reason: impl ToString) -> Result<T, ImportError> {
    Err(ImportError::Lie(reason.to_string()))
}

/// Makes a ledger in an empty store: that of a genesis, whose first state is `genesis_state`, at the snapshot's height.
/// `chunk` gives the chunks, `lifetime_ms` the longest lifetime of a transaction by the parameters in a state, in
/// milliseconds. When this returns a ledger, all of it is durable.
///
/// # Errors
/// If the snapshot is not the chain's, or the disk fails. The store is of no use then.
pub fn import(
    store: Arc<dyn Store>,
    (genesis, genesis_state): (&Genesis, &ChangeSet),
    (manifest, anchor): (&Manifest, &Anchor),
    mut chunk: impl FnMut(u32) -> Result<Option<Vec<u8>>, FolderError>,
    lifetime_ms: impl FnOnce(&dyn StateView) -> Result<u64, StateError>,
    options: LedgerOptions,
) -> Result<Ledger, ImportError> {
    let sets = anchor.verify(genesis, manifest).or_else(lie)?;
    write_genesis(&*store, genesis, genesis_state)?;
    let mut import = Import::new(store.clone(), genesis, manifest, anchor, options);
    for (index, digest) in (0..).zip(&manifest.chunks) {
        let bytes = chunk(index)?.filter(|bytes| chunk_digest(bytes) == *digest);
        let Some(bytes) = bytes else { return lie(format!("chunk {index} is not what the manifest says")) };
        match Chunk::decode(&bytes) {
            Ok(items) => import.take(items)?,
            Err(error) => return lie(format!("chunk {index}: {error}")),
        }
    }
    import.finish(&sets)?;
    let ledger = Ledger::open_store(store, genesis, genesis_state, options).map_err(into_lie)?;
    check_window(&ledger, manifest.first, lifetime_ms(&*ledger.state())?)?;
    Ok(ledger)
}

/// Copies what only this node knows from its ledger of before: accepted transactions that wait, those that were dropped, what
/// consensus noted.
///
/// # Errors
/// If a store fails.
pub fn carry_over(from: &dyn Store, to: &dyn Store) -> Result<(), StoreError> {
    // One past every key of these tables.
    let end = [0xff; 64];
    for table in OWN {
        let mut start = Vec::new();
        loop {
            let query = RangeQuery { start: &start, end: &end, limit: ENTRIES, reverse: false };
            let entries = from.range(table, query)?;
            let Some((last, _)) = entries.last() else { break };
            start = [&last[..], &[0]].concat();
            let mut batch = Batch::default();
            entries.iter().for_each(|(key, value)| batch.put(table, key, value));
            to.write(&batch)?;
        }
    }
    Ok(())
}

/// What the open ledger finds wrong with what was just written is the snapshot's fault.
fn into_lie(error: LedgerError) -> ImportError {
    match error {
        LedgerError::Damaged { .. } => ImportError::Lie(error.to_string()),
        error => error.into(),
    }
}

/// Writes the genesis block, without its state.
fn write_genesis(store: &dyn Store, genesis: &Genesis, state: &ChangeSet) -> Result<(), LedgerError> {
    let content = open::genesis_content(genesis, state)?;
    let header = open::genesis_header(genesis, &open::validators(genesis)?, &content);
    let certificate = Certificate { block_hash: header.hash(), ..Certificate::default() };
    let mut batch = Batch::default();
    append::put_header(&mut batch, &header, &certificate);
    batch.put(Table::Dag, &keys::height(Height(0)), &content.dag().encode());
    batch.put(Table::Index, &keys::ids(Height(0)), &[]);
    batch.put(Table::Index, &keys::block(&header.hash()), &keys::height(Height(0)));
    meta::put_new(&mut batch, &open::identity(genesis));
    Ok(store.write(&batch)?)
}

/// What has been taken in.
struct Import<'a> {
    store: Arc<dyn Store>,
    genesis_hash: Hash,
    kind: StateCommitment,
    /// How many blocks before its own a snapshot has at least.
    recent: u64,
    manifest: &'a Manifest,
    anchor: &'a Anchor,
    options: LedgerOptions,
    batch: Batch,
    /// The newest block that came, and of each that did the latest expiration.
    parent: Option<Hash>,
    expirations: Vec<Timestamp>,
    /// Ids of the snapshot's own block.
    ids: Vec<TxId>,
    receipts: Vec<Receipt>,
    rw_sets: Vec<RwSet>,
    last_key: Option<Vec<u8>>,
    entries: Vec<(Arc<[u8]>, Option<Value>)>,
    root: Hash,
    caches: Arc<Caches>,
    /// Parts of the state that are written.
    parts: u64,
}

impl<'a> Import<'a> {
    fn new(
        store: Arc<dyn Store>,
        genesis: &Genesis,
        manifest: &'a Manifest,
        anchor: &'a Anchor,
        options: LedgerOptions,
    ) -> Import<'a> {
        Import {
            store,
            genesis_hash: genesis.hash(),
            kind: genesis.state_commitment,
            recent: recent_max(genesis) as u64 - 1,
            manifest,
            anchor,
            caches: Arc::new(Caches::new(&options, Height(0))),
            options,
            batch: Batch::default(),
            parent: None,
            expirations: Vec::new(),
            ids: Vec::new(),
            receipts: Vec::new(),
            rw_sets: Vec::new(),
            last_key: None,
            entries: Vec::new(),
            root: Hash::ZERO,
            parts: 0,
        }
    }

    /// Takes in a chunk's items, and writes what came of them.
    fn take(&mut self, Chunk(items): Chunk) -> Result<(), ImportError> {
        for item in items {
            let count = self.anchor.header.tx_count as usize;
            let has_blocks = self.next_height() > self.manifest.height;
            let has_receipts = has_blocks && self.receipts.len() == count;
            let is_whole = has_receipts && self.rw_sets.len() == count;
            match item {
                Item::Block(block) if !has_blocks => self.take_block(&block)?,
                Item::Receipt(receipt) if has_blocks && !has_receipts => self.receipts.push(receipt),
                Item::RwSet(rw_set) if has_receipts && !is_whole => self.rw_sets.push(rw_set),
                Item::State { key, value } if is_whole => self.take_entry(key, value)?,
                _ => return lie("its parts are not in their order"),
            }
        }
        self.write_part()
    }

    /// What the group hashes by; the anchor was compared with the genesis.
    fn suite(&self) -> CryptoSuite {
        self.anchor.header.crypto
    }

    fn next_height(&self) -> Height {
        Height(self.manifest.first.0.saturating_add(self.expirations.len() as u64))
    }

    fn take_block(&mut self, block: &Block) -> Result<(), ImportError> {
        let (header, height) = (&block.header, self.next_height());
        let hash = header.hash();
        let follows = self.parent.is_none_or(|parent| parent == header.parent);
        let is_last = height == self.manifest.height;
        if header.height != height
            || header.crypto != self.suite()
            || !follows
            || (is_last && hash != self.manifest.block_hash)
        {
            return lie(format!("block {height} does not lead to its newest one"));
        }
        block.check_shape().or_else(|error| lie(format!("block {height}: {error}")))?;
        let id = |signed: &hanse_types::SignedTransaction| signed.id(&self.genesis_hash);
        let ids: Vec<TxId> = block.transactions.iter().map(id).collect();
        let leaves: Vec<Hash> = block.transactions.iter().zip(&ids).map(|(signed, id)| signed.leaf(*id)).collect();
        if merkle::root(header.crypto, &leaves) != header.tx_root {
            return lie(format!("block {height} has other transactions than its header says"));
        }
        let transactions = || block.transactions.iter().map(|signed| &signed.transaction);
        let latest = transactions().map(|transaction| transaction.expiration).max();
        match is_last {
            true => {
                append::put_header(&mut self.batch, header, &self.anchor.certificate);
                self.batch.put(Table::Dag, &keys::height(height), &block.dag.encode());
                append::put_records(&mut self.batch, Table::Tx, height, &block.transactions);
                append::put_transaction_index(&mut self.batch, height, ids.iter().copied().zip(transactions()));
                self.batch.put(Table::Index, &keys::block(&hash), &keys::height(height));
                self.ids = ids;
            }
            false => {
                let unsigned = Certificate { block_hash: hash, ..Certificate::default() };
                append::put_header(&mut self.batch, header, &unsigned);
                let mut entry = Vec::with_capacity(40 * ids.len());
                ids.iter().zip(transactions()).for_each(|(id, of)| append::push_id(&mut entry, id, of));
                self.batch.put(Table::Index, &keys::ids(height), &entry);
            }
        }
        self.expirations.push(latest.unwrap_or(Timestamp(0)));
        self.parent = Some(hash);
        Ok(())
    }

    fn take_entry(&mut self, key: Vec<u8>, value: Value) -> Result<(), ImportError> {
        if self.last_key.as_ref().is_some_and(|last| *last >= key) {
            return lie("the entries of its state are not in their order");
        }
        self.entries.push((key[..].into(), Some(value)));
        self.last_key = Some(key);
        Ok(())
    }

    /// Writes what came with a chunk, and brings the state's tree up to it.
    fn write_part(&mut self) -> Result<(), ImportError> {
        if !self.entries.is_empty() {
            let changes = ChangeSet::from_unsorted(std::mem::take(&mut self.entries));
            let height = Height(self.parts);
            let view =
                LedgerView { reader: self.store.snapshot(), caches: self.caches.clone(), suite: self.suite(), height };
            let update = match self.kind {
                StateCommitment::Merkle => commitment::update(self.kind, &self.root, &view, &changes)?,
                // It says what changed, which nobody knows any more.
                StateCommitment::Flat => commitment::Update::default(),
            };
            append::put_state(&mut self.batch, &changes, &update);
            self.root = update.root;
            self.parts += 1;
            self.caches.publish(Height(self.parts), &changes, &update);
        }
        Ok(self.store.write(&std::mem::take(&mut self.batch))?)
    }

    /// Checks what could not be checked before, and writes what makes a ledger of it.
    fn finish(self, sets: &[ValidatorSet]) -> Result<(), ImportError> {
        let Manifest { height, first, transactions, .. } = *self.manifest;
        let header = &self.anchor.header;
        let count = header.tx_count as usize;
        if self.next_height() <= height || (self.receipts.len(), self.rw_sets.len()) != (count, count) {
            return lie("it is cut off");
        }
        if first.0 > 1 && height.0 - first.0 < self.recent {
            return lie("it lacks blocks that can be referred to");
        }
        self.check_receipts()?;
        if self.kind == StateCommitment::Merkle && self.root != header.state_root {
            return lie(format!("its state has root {}, the header says {}", self.root, header.state_root));
        }
        let mut batch = Batch::default();
        append::put_records(&mut batch, Table::Receipt, height, &self.receipts);
        append::put_records(&mut batch, Table::RwSet, height, &self.rw_sets);
        append::put_receipt_index(&mut batch, height, &self.receipts, self.options.index_topics);
        for (handover, set) in self.anchor.handovers.iter().zip(&sets[1..]) {
            append::put_header(&mut batch, &handover.header, &handover.certificate);
            handover::put(&mut batch, &handover.header, set);
        }
        let window = Height(first.0 + self.expired(header.timestamp));
        let hash = self.manifest.block_hash;
        meta::put_beginning(&mut batch, &Beginning { blocks: height, headers: first });
        meta::put_tip(&mut batch, &TipRecord { height, hash, window, history_from: height, transactions });
        Ok(self.store.write(&batch)?)
    }

    fn check_receipts(&self) -> Result<(), ImportError> {
        let (suite, header) = (self.suite(), &self.anchor.header);
        let roots = (block::receipt_root(suite, &self.receipts), block::rw_set_root(suite, &self.receipts));
        let ids = self.receipts.iter().map(|receipt| receipt.tx_id);
        if roots != (header.receipt_root, header.rw_set_root) || !ids.eq(self.ids.iter().copied()) {
            return lie("its newest block has other receipts than its header says");
        }
        let stated = self.receipts.iter().map(|receipt| receipt.rw_set);
        match RwSet::digests(suite, &self.rw_sets).into_iter().eq(stated) {
            true => Ok(()),
            false => lie("its newest block has other access sets than its header says"),
        }
    }

    /// How many of its blocks before the newest have nothing that may still be repeated.
    fn expired(&self, now: Timestamp) -> u64 {
        let before = &self.expirations[..self.expirations.len() - 1];
        before.iter().take_while(|latest| **latest <= now).count() as u64
    }
}

/// Whether blocks before the first that came can't hold transactions that have not expired.
fn check_window(ledger: &Ledger, first: Height, lifetime_ms: u64) -> Result<(), ImportError> {
    let (now, oldest) = (ledger.tip().header.timestamp, ledger.header(first)?);
    let is_enough = first == Height(1) || oldest.is_some_and(|header| is_over(header.timestamp, lifetime_ms, now));
    if is_enough { Ok(()) } else { lie("it lacks blocks whose transactions have not expired") }
}
