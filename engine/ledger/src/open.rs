//! Opening: making the genesis block, or checking that what is there is this chain's and whole.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use hanse_state::commitment::{MemoryNodes, NodeView, PagePath};
use hanse_state::{ChangeSet, StateView};
use hanse_types::{
    Certificate, Dag, Epoch, Genesis, Hash, Header, Height, Round, StateCommitment, Timestamp, TxId, ValidatorSet,
    Value, merkle,
};
use parking_lot::{Mutex, RwLock};

use crate::append::{self, NewBlock};
use crate::content::{BlockContent, Commitment, Outcome};
use crate::error::LedgerError;
use crate::handover;
use crate::keys;
use crate::ledger::{Current, Ledger, Shared, Tip, Writer, recent_max};
use crate::meta::{self, Identity, TipRecord};
use crate::options::LedgerOptions;
use crate::query;
use crate::store::{Read, Store, Table};
use crate::views::{Caches, LedgerView};

pub(crate) fn open(
    store: Arc<dyn Store>,
    genesis: &Genesis,
    genesis_state: &ChangeSet,
    options: LedgerOptions,
) -> Result<Ledger, LedgerError> {
    let identity = identity(genesis);
    let content = genesis_content(genesis, genesis_state)?;
    let first = genesis_header(genesis, &validators(genesis)?, &content);
    match meta::format(&*store)? {
        None => create(&*store, &identity, &first, &content)?,
        Some(meta::FORMAT) => meta::identity(&*store)?.check(&identity)?,
        Some(found) => return Err(LedgerError::OtherFormat { found, known: meta::FORMAT }),
    }
    reopen(store, genesis, &first, options)
}

/// Whose ledger a genesis makes.
pub(crate) fn identity(genesis: &Genesis) -> Identity {
    Identity { chain_id: genesis.chain_id.clone(), group_id: genesis.group_id.clone(), genesis: genesis.hash() }
}

/// Opens the ledger that a store holds, whose first block must have this header.
pub(crate) fn reopen(
    store: Arc<dyn Store>,
    genesis: &Genesis,
    first: &Header,
    options: LedgerOptions,
) -> Result<Ledger, LedgerError> {
    let (stored, _) = query::header(&*store, Height(0))?;
    if stored != *first {
        let (found, expected) = (stored.hash().to_string(), first.hash().to_string());
        return Err(LedgerError::OtherChain { what: "genesis block", found, expected });
    }
    let ledger = load(store, genesis, validators(genesis)?, options)?;
    check_tip(&ledger)?;
    Ok(ledger)
}

pub(crate) fn validators(genesis: &Genesis) -> Result<ValidatorSet, LedgerError> {
    ValidatorSet::from_genesis(genesis).map_err(|error| LedgerError::BadGenesis { reason: error.to_string() })
}

/// What block 0 holds: nothing but the first state.
pub(crate) fn genesis_content(genesis: &Genesis, genesis_state: &ChangeSet) -> Result<BlockContent, LedgerError> {
    let nothing = Outcome {
        height: Height(0),
        transactions: Vec::new(),
        executions: Vec::new(),
        rw_sets: Vec::new(),
        dag: Dag::empty(),
    };
    let empty =
        Commitment { kind: genesis.state_commitment, root: Hash::ZERO, nodes: &MemoryNodes::new(genesis.crypto) };
    let content = BlockContent::compute(nothing, &empty, || genesis_state.clone());
    content.map_err(|error| LedgerError::BadGenesis { reason: error.to_string() })
}

/// The header of block 0. Binds the genesis by its hash, and the state that was made of it by its root.
pub(crate) fn genesis_header(genesis: &Genesis, validators: &ValidatorSet, content: &BlockContent) -> Header {
    let (digests, validators) = (content.digests(), validators.hash(genesis.crypto));
    Header {
        crypto: genesis.crypto,
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        height: Height(0),
        parent: Hash::ZERO,
        timestamp: genesis.timestamp,
        tx_root: digests.tx_root,
        receipt_root: digests.receipt_root,
        rw_set_root: digests.rw_set_root,
        dag_digest: digests.dag_digest,
        state_root: digests.state_root,
        validators,
        next_validators: validators,
        epoch: Epoch(0),
        round: Round(0),
        proposer: 0,
        gas_used: digests.gas_used,
        tx_count: digests.tx_count,
        extra: genesis.hash().as_bytes().to_vec(),
    }
}

/// Writes the genesis block and what the database says about itself, in one batch.
fn create(store: &dyn Store, identity: &Identity, header: &Header, content: &BlockContent) -> Result<(), LedgerError> {
    let hash = header.hash();
    let certificate = Certificate { block_hash: hash, ..Certificate::default() };
    let block = NewBlock { header, content, certificate: &certificate, noted: None, next_validators: None };
    let mut batch = append::encode(&block, &hash, false);
    meta::put_new(&mut batch, identity);
    let (window, history_from) = (Height(0), Height(0));
    meta::put_tip(&mut batch, &TipRecord { height: Height(0), hash, window, history_from, transactions: 0 });
    Ok(store.write(&batch)?)
}

/// Reads what a ledger holds in memory.
fn load(
    store: Arc<dyn Store>,
    genesis: &Genesis,
    founders: ValidatorSet,
    options: LedgerOptions,
) -> Result<Ledger, LedgerError> {
    let reader = store.snapshot();
    let (record, beginning) = (meta::tip(&*reader)?, meta::beginning(&*reader)?);
    let (header, certificate) = query::header(&*reader, record.height)?;
    if header.hash() != record.hash {
        return Err(LedgerError::mismatch(record.height, "header", &header.hash(), &record.hash));
    }
    let tip = Tip { header: Arc::new(header), hash: record.hash, certificate: Arc::new(certificate) };
    let (founders, named) = (Arc::new(founders), tip.header.next_validators);
    let missing = || LedgerError::damaged(format!("the validator set {named}"), "it is missing");
    let validators = handover::find(genesis.crypto, &founders, &*reader, &named)?.ok_or_else(missing)?;
    let recent = Arc::new(recent_hashes(&*reader, &tip, recent_max(genesis))?);
    let expirations = expirations(&*reader, record.window, record.height)?;
    let caches = Arc::new(Caches::new(&options, record.height));
    let view = LedgerView { reader, caches: caches.clone(), suite: genesis.crypto, height: record.height };
    let shared = Shared {
        store,
        options,
        genesis: Arc::new(genesis.clone()),
        identity: genesis.identity(),
        founders,
        caches,
        beginning,
        current: RwLock::new(Arc::new(Current { tip, record, view, recent, validators })),
        writer: Mutex::new(Writer { expirations }),
        poisoned: OnceLock::new(),
    };
    Ok(Ledger { shared: Arc::new(shared) })
}

/// Hashes of the newest blocks, by their headers' links to their parents, the last of which are checked on the way.
fn recent_hashes(reader: &dyn Read, tip: &Tip, count: usize) -> Result<VecDeque<Hash>, LedgerError> {
    let mut hashes = VecDeque::from([tip.hash]);
    let mut header = (*tip.header).clone();
    while hashes.len() < count
        && let Some(height) = header.height.previous()
    {
        let (before, _) = query::header(reader, height)?;
        if before.hash() != header.parent {
            return Err(LedgerError::mismatch(height, "header", &before.hash(), &header.parent));
        }
        hashes.push_front(header.parent);
        header = before;
    }
    Ok(hashes)
}

fn expirations(reader: &dyn Read, from: Height, to: Height) -> Result<VecDeque<Timestamp>, LedgerError> {
    let latest = |height| {
        let ids = ids(reader, Height(height))?;
        Ok(ids.into_iter().map(|(_, expiration)| expiration).max().unwrap_or(Timestamp(0)))
    };
    (from.0..=to.0).map(latest).collect()
}

/// Ids and expirations of a block's transactions.
pub(crate) fn ids(reader: &dyn Read, height: Height) -> Result<Vec<(TxId, Timestamp)>, LedgerError> {
    let damaged = |reason| LedgerError::damaged(format!("the transaction ids of block {height}"), reason);
    let bytes = reader.get(Table::Index, &keys::ids(height))?.ok_or_else(|| damaged("they are missing"))?;
    let (entries, []) = bytes.as_chunks::<40>() else { return Err(damaged("they are cut off")) };
    let split = |entry: &[u8; 40]| {
        let (mut id, mut expiration) = ([0; 32], [0; 8]);
        id.copy_from_slice(&entry[..32]);
        expiration.copy_from_slice(&entry[32..]);
        (TxId(Hash(id)), Timestamp(u64::from_le_bytes(expiration)))
    };
    Ok(entries.iter().map(split).collect())
}

/// Whether everything of the newest block adds up to its header.
fn check_tip(ledger: &Ledger) -> Result<(), LedgerError> {
    let current = ledger.current();
    let header = &*current.tip.header;
    if header.height > Height(0) {
        let checked = ledger.check_certificates(&current, &[(&current.tip.certificate, header)]);
        checked.map_err(|error| LedgerError::damaged(format!("block {}", header.height), error))?;
    }
    check_block(ledger, &current, header)?;
    if current.record.history_from <= header.height {
        check_writes(&current, &query::rw_sets(&current, header.height)?)?;
    }
    if ledger.shared.genesis.state_commitment == StateCommitment::Merkle {
        let root = current.view.page(&PagePath::ROOT)?.map_or(Hash::ZERO, |page| *page.hash());
        check_digest(header, "state tree", root, &header.state_root)?;
    }
    Ok(())
}

/// Whether everything of a block that is kept adds up to its header.
pub(crate) fn check_block(ledger: &Ledger, current: &Current, header: &Header) -> Result<(), LedgerError> {
    let (reader, height) = (current.reader(), header.height);
    check_digest(header, "DAG", query::dag(reader, height)?.digest(header.crypto), &header.dag_digest)?;
    let leaves = ledger.transaction_leaves(current, height)?;
    check_digest(header, "transactions", merkle::root(header.crypto, &leaves), &header.tx_root)?;
    let receipts = query::receipts(reader, height)?;
    let digests: Vec<_> = receipts.iter().map(|receipt| receipt.digest(header.crypto)).collect();
    check_digest(header, "receipts", merkle::root(header.crypto, &digests), &header.receipt_root)?;
    let ids = ids(reader, height)?;
    if !ids.iter().map(|(id, _)| id).eq(receipts.iter().map(|receipt| &receipt.tx_id)) {
        let place = format!("the transaction ids of block {height}");
        return Err(LedgerError::damaged(place, "they are not those of the receipts"));
    }
    if current.record.history_from <= height {
        let digests: Vec<_> =
            query::rw_sets(current, height)?.iter().map(|rw_set| rw_set.digest(header.crypto)).collect();
        check_digest(header, "access sets", merkle::root(header.crypto, &digests), &header.rw_set_root)?;
    }
    Ok(())
}

fn check_digest(header: &Header, what: &str, found: Hash, expected: &Hash) -> Result<(), LedgerError> {
    if found == *expected { Ok(()) } else { Err(LedgerError::mismatch(header.height, what, &found, expected)) }
}

/// Whether the state holds what the newest block wrote last.
fn check_writes(current: &Current, rw_sets: &[hanse_types::RwSet]) -> Result<(), LedgerError> {
    let mut last: HashMap<&[u8], Option<&Option<Value>>> = HashMap::new();
    for rw_set in rw_sets {
        last.extend(rw_set.writes.iter().map(|write| (&write.key[..], Some(&write.value))));
        // What was added to depends on what was there before.
        last.extend(rw_set.adds.iter().map(|add| (&add.key[..], None)));
    }
    for (key, value) in last {
        if let Some(value) = value
            && current.view.get(key)? != *value
        {
            let reason = format!("a key of {} bytes does not hold what block {} wrote", key.len(), current.height());
            return Err(LedgerError::damaged("the state", reason));
        }
    }
    Ok(())
}
