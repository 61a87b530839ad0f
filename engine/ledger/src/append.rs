//! Writing a block: everything of it in one batch.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use hanse_state::ChangeSet;
use hanse_state::commitment::Update;
use hanse_types::{
    Canonical, Certificate, Dag, Hash, Header, Height, Receipt, RwSet, StateCommitment, Timestamp, TxIndex, Verified,
};

use crate::chunks::ChunkBuilder;
use crate::error::LedgerError;
use crate::keys;
use crate::ledger::{Current, Ledger, Tip, Writer, recent_max};
use crate::meta::{self, TipRecord};
use crate::store::{Batch, Table};
use crate::views::LedgerView;

/// A decided block with everything that came of it.
#[derive(Clone, Copy)]
pub struct NewBlock<'a> {
    /// The header.
    pub header: &'a Header,
    /// The DAG.
    pub dag: &'a Dag,
    /// The transactions, in block order.
    pub transactions: &'a [Verified],
    /// Their receipts.
    pub receipts: &'a [Receipt],
    /// Their access sets.
    pub rw_sets: &'a [RwSet],
    /// What they did to the state.
    pub changes: &'a ChangeSet,
    /// What that did to the state commitment.
    pub update: &'a Update,
    /// What shows that the block was agreed upon.
    pub certificate: &'a Certificate,
}

impl Ledger {
    /// Adds a block. When this returns, it is durable and visible. The newest block may be given again, and nothing
    /// happens.
    ///
    /// The caller vouches for the digests of transactions, receipts and access sets and for the certificate's
    /// signatures; that the parts belong together is checked here.
    ///
    /// # Errors
    /// If the block does not follow the newest one, or its parts do not belong together; then nothing was written. If the
    /// write fails; then no further block is accepted until the ledger is opened anew.
    pub fn append(&self, block: &NewBlock<'_>) -> Result<(), LedgerError> {
        let mut writer = self.shared.writer.lock();
        let current = self.current();
        let hash = block.header.hash();
        if hash == current.tip.hash {
            return Ok(());
        }
        check_next(&current, block.header)?;
        check_parts(block, &hash, self.shared.genesis.state_commitment, &current.tip.header.state_root)?;

        let record = next_record(&current.record, &mut writer, block, hash);
        let mut batch = encode(block, &hash, self.shared.options.index_topics);
        meta::put_tip(&mut batch, &record);
        self.write(&mut writer, &batch)?;
        self.publish(&current, block, record);
        Ok(())
    }

    /// Makes a durable block visible.
    fn publish(&self, before: &Current, block: &NewBlock<'_>, record: TipRecord) {
        let shared = &self.shared;
        shared.caches.publish(record.height, block.changes, block.update);
        let mut recent: VecDeque<Hash> = (*before.recent).clone();
        recent.push_back(record.hash);
        while recent.len() > recent_max(&shared.genesis) {
            recent.pop_front();
        }
        let tip = Tip {
            header: Arc::new(block.header.clone()),
            hash: record.hash,
            certificate: Arc::new(block.certificate.clone()),
        };
        let view = LedgerView { reader: shared.store.snapshot(), caches: shared.caches.clone(), height: record.height };
        *shared.current.write() = Arc::new(Current { tip, record, view, recent: Arc::new(recent) });
    }
}

fn check_next(current: &Current, header: &Header) -> Result<(), LedgerError> {
    let refuse = |reason| Err(LedgerError::NotNext { height: header.height, tip: current.height(), reason });
    if header.height != current.height().next() {
        return refuse("its height is not the next".into());
    }
    if header.parent != current.tip.hash {
        return refuse(format!("its parent is {}, the newest block is {}", header.parent, current.tip.hash));
    }
    if header.timestamp <= current.tip.header.timestamp {
        return refuse("its time is not later".into());
    }
    Ok(())
}

fn check_parts(
    block: &NewBlock<'_>,
    hash: &Hash,
    commitment: StateCommitment,
    parent_root: &Hash,
) -> Result<(), LedgerError> {
    let header = block.header;
    let refuse = |reason: String| Err(LedgerError::Inconsistent { height: header.height, reason });
    let counts = [
        ("transactions", block.transactions.len()),
        ("receipts", block.receipts.len()),
        ("access sets", block.rw_sets.len()),
        ("DAG vertices", block.dag.len()),
    ];
    for (what, count) in counts {
        if count != header.tx_count as usize {
            return refuse(format!("it has {count} {what}, the header says {}", header.tx_count));
        }
    }
    if block.dag.digest() != header.dag_digest {
        return refuse("the DAG is not the header's".into());
    }
    if block.update.root != header.state_root {
        return refuse(format!("the state root is {}, the header says {}", block.update.root, header.state_root));
    }
    if commitment == StateCommitment::Merkle && block.update.pages.is_empty() && block.update.root != *parent_root {
        return refuse("the state root changed, but no page of the state tree".into());
    }
    if block.certificate.block_hash != *hash || block.certificate.height != header.height {
        return refuse("the certificate is for another block".into());
    }
    for (at, (transaction, receipt)) in block.transactions.iter().zip(block.receipts).enumerate() {
        if receipt.tx_id != transaction.id() || receipt.height != header.height || receipt.index.as_usize() != at {
            return refuse(format!("receipt {at} is for another transaction or place"));
        }
    }
    Ok(())
}

/// Where the chain stands after the block. Moves the window past blocks of which everything has expired.
fn next_record(before: &TipRecord, writer: &mut Writer, block: &NewBlock<'_>, hash: Hash) -> TipRecord {
    let expirations = block.transactions.iter().map(|transaction| transaction.transaction().expiration);
    writer.expirations.push_back(expirations.max().unwrap_or(Timestamp(0)));
    let mut window = before.window;
    while window < block.header.height
        && writer.expirations.front().is_some_and(|latest| *latest <= block.header.timestamp)
    {
        writer.expirations.pop_front();
        window = window.next();
    }
    TipRecord {
        height: block.header.height,
        hash,
        window,
        rw_sets_from: before.rw_sets_from,
        transactions: before.transactions + block.transactions.len() as u64,
    }
}

/// Everything of a block but the record of the newest one.
pub(crate) fn encode(block: &NewBlock<'_>, hash: &Hash, index_topics: bool) -> Batch {
    let height = block.header.height;
    let mut batch = Batch::default();
    let mut header = ChunkBuilder::default();
    header.push(|bytes| block.header.encode_into(bytes));
    header.push(|bytes| block.certificate.encode_into(bytes));
    batch.put(Table::Header, &keys::height(height), &header.finish());
    batch.put(Table::Dag, &keys::height(height), &block.dag.encode());
    put_records(&mut batch, Table::Tx, height, block.transactions.iter().map(Verified::signed));
    put_records(&mut batch, Table::Receipt, height, block.receipts);
    put_records(&mut batch, Table::RwSet, height, block.rw_sets);
    put_state(&mut batch, block.changes, block.update);
    put_transaction_index(&mut batch, height, block.transactions);
    put_event_index(&mut batch, height, block.receipts, index_topics);
    batch.put(Table::Index, &keys::block(hash), &keys::height(height));
    batch
}

fn put_records<'a, T: Canonical + 'a>(
    batch: &mut Batch,
    table: Table,
    height: Height,
    records: impl IntoIterator<Item = &'a T>,
) {
    let (mut chunk, mut first) = (ChunkBuilder::default(), 0);
    for record in records {
        chunk.push(|bytes| record.encode_into(bytes));
        if chunk.is_full() {
            let count = chunk.len() as u32;
            batch.put(table, &keys::record(height, first), &std::mem::take(&mut chunk).finish());
            first += count;
        }
    }
    if chunk.len() > 0 {
        batch.put(table, &keys::record(height, first), &chunk.finish());
    }
}

fn put_state(batch: &mut Batch, changes: &ChangeSet, update: &Update) {
    for (key, value) in changes.iter() {
        match value {
            Some(value) => batch.put(Table::State, key, value),
            None => batch.remove(Table::State, key),
        }
    }
    for (path, page) in &update.pages {
        match page {
            Some(page) => batch.put(Table::StateNode, &path.to_bytes(), &page.to_bytes()),
            None => batch.remove(Table::StateNode, &path.to_bytes()),
        }
    }
}

fn put_transaction_index(batch: &mut Batch, height: Height, transactions: &[Verified]) {
    let mut ids = Vec::with_capacity(transactions.len() * 40);
    for (at, verified) in transactions.iter().enumerate() {
        let (id, transaction) = (verified.id(), verified.transaction());
        ids.extend_from_slice(id.0.as_bytes());
        ids.extend_from_slice(&transaction.expiration.0.to_le_bytes());
        batch.put(Table::Index, &keys::transaction(&id), &keys::record(height, at as u32));
        if !transaction.business_id.is_empty() {
            let prefix = keys::business(&transaction.sender, &transaction.business_id);
            batch.put(Table::Index, &keys::at_record(&prefix, height, TxIndex(at as u32)), id.0.as_bytes());
        }
    }
    batch.put(Table::Index, &keys::ids(height), &ids);
}

/// One entry per contract and name (and topic) that occurs in the block, with all places where it does.
fn put_event_index(batch: &mut Batch, height: Height, receipts: &[Receipt], index_topics: bool) {
    let mut places: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut add = |key: Vec<u8>, place: [u8; 8]| places.entry(key).or_default().extend_from_slice(&place);
    for receipt in receipts {
        for (number, event) in receipt.events.iter().enumerate() {
            let mut place = [0; 8];
            place[..4].copy_from_slice(&receipt.index.0.to_be_bytes());
            place[4..].copy_from_slice(&(number as u32).to_be_bytes());
            add(keys::events(&event.contract, &event.event.name, None), place);
            if let Some(topic) = event.event.topics.first().filter(|_| index_topics) {
                add(keys::events(&event.contract, &event.event.name, Some(topic)), place);
            }
        }
    }
    for (key, places) in places {
        batch.put(Table::Index, &keys::at_height(&key, height), &places);
    }
}
