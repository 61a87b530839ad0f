//! Writing a block: everything of it in one batch.
//!
//! Nothing is taken on trust. The digests of a block's content were computed with it ([`BlockContent`]); here they are
//! compared with the header's, the header with the newest block and the group, and the certificate with the header and
//! the validators. What does not fit is refused by name before anything is written.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use hanse_state::commitment::Update;
use hanse_state::{ChangeSet, StateView};
use hanse_types::{
    Address, Canonical, Certificate, Hash, Header, Height, Receipt, ReceiptEvent, Timestamp, Transaction, TxId,
    TxIndex, ValidatorSet, Verified,
};

use crate::chunks::ChunkBuilder;
use crate::content::BlockContent;
use crate::error::LedgerError;
use crate::failures;
use crate::handover;
use crate::keys;
use crate::ledger::{Current, Ledger, Shared, Tip, Writer, recent_max};
use crate::meta::{self, TipRecord};
use crate::store::{Batch, Table};
use crate::undo;
use crate::views::LedgerView;

/// A decided block with everything that came of it.
#[derive(Clone, Copy)]
pub struct NewBlock<'a> {
    /// The header.
    pub header: &'a Header,
    /// What it holds and what that did.
    pub content: &'a BlockContent,
    /// What shows that it was agreed upon.
    pub certificate: &'a Certificate,
    /// A record of the consensus engine that is written with it, in the place of the one before it.
    pub noted: Option<&'a [u8]>,
    /// Those who decide the next block, if the header names others than its own.
    pub next_validators: Option<&'a ValidatorSet>,
}

/// Key of [`NewBlock::noted`] among the records of the consensus engine.
const NOTED: &[u8] = b"noted";

impl Ledger {
    /// What consensus had noted with the newest block, if anything.
    ///
    /// # Errors
    /// If the store fails.
    pub fn noted(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.get_consensus(NOTED)
    }

    /// Adds a block. When this returns, it is durable and visible. The newest block may be given again, and nothing
    /// happens.
    ///
    /// # Errors
    /// If the block does not follow the newest one, its header is not that of its content, or its validators did not
    /// decide it; then nothing was written. If the write fails; then no further block is accepted until the ledger is
    /// opened anew.
    pub fn append(&self, block: &NewBlock<'_>) -> Result<(), LedgerError> {
        let mut writer = self.shared.writer.lock();
        let current = self.current();
        let hash = block.header.hash();
        if hash == current.tip.hash {
            return Ok(());
        }
        check_next(&current, block.header)?;
        check_group(&self.shared, &current, block.header)?;
        check_content(&self.shared, &current.tip.header, block)?;
        let next = handover::next_validators(&current, block)?;
        self.check_certificates(&current, &[(block.certificate, block.header)])?;

        let record = next_record(&current.record, &mut writer, block, hash);
        let mut batch = encode(block, &hash, self.shared.options.index_topics);
        put_undo(&mut batch, &current, block)?;
        handover::put(&mut batch, block.header, &next);
        meta::put_tip(&mut batch, &record);
        if let Some(noted) = block.noted {
            batch.put(Table::Consensus, NOTED, noted);
        }
        self.write(&batch)?;
        self.publish(&current, block, record, next);
        Ok(())
    }

    /// Whether the validators that they name decided these blocks, all signatures of one set as one batch.
    pub(crate) fn check_certificates(
        &self,
        current: &Current,
        blocks: &[(&Certificate, &Header)],
    ) -> Result<(), LedgerError> {
        let shared = &self.shared;
        for run in blocks.chunk_by(|one, two| one.1.validators == two.1.validators) {
            let Header { height, validators, .. } = run[0].1;
            let missing = || LedgerError::damaged(format!("block {height}"), "its validators are not known");
            let set = handover::find(shared.genesis.crypto, &shared.founders, current.reader(), validators)?
                .ok_or_else(missing)?;
            Certificate::verify_all(&shared.identity, &set, run)
                .map_err(|(at, error)| LedgerError::NotDecided { height: run[at].1.height, error })?;
        }
        Ok(())
    }

    /// Makes a durable block visible.
    fn publish(&self, before: &Current, block: &NewBlock<'_>, record: TipRecord, validators: Arc<ValidatorSet>) {
        let shared = &self.shared;
        shared.caches.publish(record.height, block.content.changes(), block.content.update());
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
        let view = LedgerView {
            reader: shared.store.snapshot(),
            caches: shared.caches.clone(),
            suite: shared.genesis.crypto,
            height: record.height,
        };
        *shared.current.write() = Arc::new(Current { tip, record, view, recent: Arc::new(recent), validators });
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

/// Whether a header keeps the rules and is one of this group, decided by the validators that the newest block named.
fn check_group(shared: &Shared, current: &Current, header: &Header) -> Result<(), LedgerError> {
    let parent = &*current.tip.header;
    let refuse = |reason: String| Err(LedgerError::Inconsistent { height: header.height, reason });
    if let Err(error) = header.check() {
        return refuse(error.to_string());
    }
    let identity = &shared.identity;
    if (&header.chain_id, &header.group_id) != (&identity.chain_id, &identity.group_id) {
        let (chain, group) = (&header.chain_id, &header.group_id);
        return refuse(format!("it is of chain {chain:?} and group {group:?}"));
    }
    if header.crypto != shared.genesis.crypto {
        return refuse(format!("it is hashed by {}, the group's crypto is {}", header.crypto, shared.genesis.crypto));
    }
    if header.validators != parent.next_validators {
        let (found, expected) = (header.validators, parent.next_validators);
        return refuse(format!("its validators are {found}, the block before names {expected}"));
    }
    let count = current.validators.len();
    if header.proposer as usize >= count {
        return refuse(format!("its proposer is {}, but there are {count}", header.proposer));
    }
    handover::check_epoch(parent, header)
}

/// Whether the content is what the header says, and was computed on the newest block's state.
fn check_content(shared: &Shared, parent: &Header, block: &NewBlock<'_>) -> Result<(), LedgerError> {
    let NewBlock { header, content, .. } = block;
    let refuse = |reason: String| Err(LedgerError::Inconsistent { height: header.height, reason });
    if content.height() != header.height {
        return refuse(format!("its content is that of block {}", content.height()));
    }
    if content.kind() != shared.genesis.state_commitment {
        return refuse("its state root is of another kind than the group's".into());
    }
    if *content.parent_root() != parent.state_root {
        let (found, expected) = (content.parent_root(), parent.state_root);
        return refuse(format!("it was computed on state root {found}, that of the newest block is {expected}"));
    }
    let digests = content.digests();
    let counts = [
        ("transactions", u64::from(digests.tx_count), u64::from(header.tx_count)),
        ("gas", digests.gas_used.0, header.gas_used.0),
    ];
    if let Some((what, found, stated)) = counts.into_iter().find(|(_, found, stated)| found != stated) {
        return refuse(format!("it has {found} {what}, the header says {stated}"));
    }
    match digests.differs(header) {
        Some(other) => Err(LedgerError::OtherDigest { height: header.height, other }),
        None => Ok(()),
    }
}

/// Keeps what the changed keys held before.
fn put_undo(batch: &mut Batch, current: &Current, block: &NewBlock<'_>) -> Result<(), LedgerError> {
    let keys: Vec<&[u8]> = block.content.changes().iter().map(|(key, _)| key).collect();
    let before = current.view.multi_get(&keys)?;
    undo::put(batch, block.header.height, keys.into_iter().zip(before));
    Ok(())
}

/// Where the chain stands after the block. Moves the window past blocks of which everything has expired.
fn next_record(before: &TipRecord, writer: &mut Writer, block: &NewBlock<'_>, hash: Hash) -> TipRecord {
    let transactions = block.content.transactions();
    let expirations = transactions.iter().map(|transaction| transaction.transaction().expiration);
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
        history_from: before.history_from,
        transactions: before.transactions + transactions.len() as u64,
    }
}

/// Everything of a block but the record of the newest one and what its changes undo.
pub(crate) fn encode(block: &NewBlock<'_>, hash: &Hash, index_topics: bool) -> Batch {
    let height = block.header.height;
    let mut batch = Batch::default();
    put_header(&mut batch, block.header, block.certificate);
    let content = block.content;
    batch.put(Table::Dag, &keys::height(height), &content.dag().encode());
    put_records(&mut batch, Table::Tx, height, content.transactions().iter().map(Verified::signed));
    put_records(&mut batch, Table::Receipt, height, content.receipts());
    put_records(&mut batch, Table::RwSet, height, content.rw_sets());
    put_state(&mut batch, content.changes(), content.update());
    let transactions = content.transactions().iter().map(|verified| (verified.id(), verified.transaction()));
    put_transaction_index(&mut batch, height, transactions);
    put_receipt_index(&mut batch, height, content.receipts(), index_topics);
    batch.put(Table::Index, &keys::block(hash), &keys::height(height));
    batch
}

/// What is found by a block's receipts.
pub(crate) fn put_receipt_index(batch: &mut Batch, height: Height, receipts: &[Receipt], index_topics: bool) {
    failures::put(batch, height, receipts);
    put_event_index(batch, height, receipts, index_topics);
}

/// A header with its certificate.
pub(crate) fn put_header(batch: &mut Batch, header: &Header, certificate: &Certificate) {
    let mut entry = ChunkBuilder::default();
    entry.push(|bytes| header.encode_into(bytes));
    entry.push(|bytes| certificate.encode_into(bytes));
    batch.put(Table::Header, &keys::height(header.height), &entry.finish());
}

pub(crate) fn put_records<'a, T: Canonical + 'a>(
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

pub(crate) fn put_state(batch: &mut Batch, changes: &ChangeSet, update: &Update) {
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

pub(crate) fn put_transaction_index<'a>(
    batch: &mut Batch,
    height: Height,
    transactions: impl Iterator<Item = (TxId, &'a Transaction)>,
) {
    let mut ids = Vec::new();
    for (at, (id, transaction)) in transactions.enumerate() {
        push_id(&mut ids, &id, transaction);
        batch.put(Table::Index, &keys::transaction(&id), &keys::record(height, at as u32));
        if !transaction.business_id.is_empty() {
            let prefix = keys::business(&transaction.sender, &transaction.business_id);
            batch.put(Table::Index, &keys::at_record(&prefix, height, TxIndex(at as u32)), id.0.as_bytes());
        }
    }
    batch.put(Table::Index, &keys::ids(height), &ids);
}

/// What the entry of a block's transaction ids has of each.
pub(crate) fn push_id(ids: &mut Vec<u8>, id: &TxId, transaction: &Transaction) {
    ids.extend_from_slice(id.0.as_bytes());
    ids.extend_from_slice(&transaction.expiration.0.to_le_bytes());
}

/// Contract, name and first topic.
type EventKey<'a> = (&'a Address, &'a str, Option<&'a [u8]>);

/// One entry per contract and name (and topic) that occurs in the block, with all places where it does.
fn put_event_index(batch: &mut Batch, height: Height, receipts: &[Receipt], index_topics: bool) {
    // By what the entries' keys are digests of: many events have one in common, and a digest costs more than comparing.
    let mut places: BTreeMap<EventKey<'_>, Vec<u8>> = BTreeMap::new();
    for receipt in receipts {
        for (number, ReceiptEvent { contract, event }) in receipt.events.iter().enumerate() {
            let mut place = [0; 8];
            place[..4].copy_from_slice(&receipt.index.0.to_be_bytes());
            place[4..].copy_from_slice(&(number as u32).to_be_bytes());
            let mut add = |topic| places.entry((contract, &event.name, topic)).or_default().extend_from_slice(&place);
            add(None);
            if let Some(topic) = event.topics.first().filter(|_| index_topics) {
                add(Some(topic.as_slice()));
            }
        }
    }
    for ((contract, name, topic), places) in places {
        batch.put(Table::Index, &keys::at_height(&keys::events(contract, name, topic), height), &places);
    }
}
