//! One node: the real replica, engine and signer, and a stand-in for what runs blocks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Timing, Tip};
use hanse_consensus::{
    Bft, CompactBlock, Disk, DiskError, Intent, LogFile, SafeSigner, Signed, Slot, Standard, Statement, Stored,
};
use hanse_replica::{Replica, Shown, Work};
use hanse_txpool::{CommittedBlock, History, Pool, PoolLimits};
use hanse_types::crypto::{PublicKey, SecretKey, Signer};
use hanse_types::hash::Domain;
use hanse_types::{Certificate, Dag, Epoch, Gas, Hash, Header, Height, Timestamp, ValidatorSet, Verified, merkle};

use crate::support::{GENESIS_TIME, World, block_hash};

const TIMING: Timing = Timing {
    propose_ms: 300,
    prevote_ms: 100,
    precommit_ms: 100,
    growth_ms: 100,
    max_ms: 3_000,
    repair_ms: 100,
    fetch_ms: 100,
    drift_ms: 2_000,
};

fn key(n: usize) -> SecretKey {
    SecretKey::ed25519([200 + n as u8; 32])
}

pub(crate) fn public_key(n: usize) -> PublicKey {
    key(n).public_key()
}

/// A durable block.
pub(crate) struct Committed {
    pub(crate) block: CompactBlock,
    pub(crate) transactions: Vec<Verified>,
    pub(crate) certificate: Certificate,
    noted: Option<Statement>,
}

/// Files that keep what was written.
#[derive(Clone, Debug, Default)]
struct Files {
    journal: Rc<RefCell<Option<Vec<u8>>>>,
    guard: Rc<RefCell<Option<Vec<u8>>>>,
}

impl LogFile for Files {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.journal.borrow_mut().get_or_insert_default().extend(bytes);
        Ok(())
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.journal.replace(Some(bytes.to_vec()));
        Ok(())
    }
}

impl Disk for Files {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.guard.replace(Some(record.to_vec()));
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Node {
    pub(crate) chain: Vec<Committed>,
    pub(crate) life: u32,
    pub(crate) alive: Option<Alive>,
    /// Transactions of the block that it has precommitted for: they outlive it.
    pub(crate) held: Vec<Verified>,
    files: Files,
}

/// What a crash takes.
pub(crate) struct Alive {
    pub(crate) replica: Replica<Bft<Standard>>,
    signer: SafeSigner<Files, Files>,
    ran: BTreeMap<Hash, Shown>,
}

impl Node {
    /// Time of the newest block.
    pub(crate) fn time(&self) -> Timestamp {
        self.chain.last().map_or(GENESIS_TIME, |committed| committed.block.header().timestamp)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| {
            let status = alive.replica.pool_status();
            (status.waiting, status.sealed, status.bytes) == (0, 0, 0)
        })
    }

    pub(crate) fn start(&mut self, n: usize, world: &World) {
        let height = Height(self.chain.len() as u64);
        let hash = self.chain.last().map_or(block_hash(Height(0)), |committed| committed.block.hash());
        let (journal, guard) = (self.files.journal.borrow().clone(), self.files.guard.borrow().clone());
        let stored = Stored {
            first_start: self.life == 0,
            journal: journal.as_deref(),
            guard: guard.as_deref(),
            tip: height,
            noted: self.chain.last().and_then(|committed| committed.noted),
        };
        let identity = world.genesis.identity();
        let signer = SafeSigner::open(self.files.clone(), self.files.clone(), &identity, stored).unwrap();
        let set = Arc::new(ValidatorSet::from_genesis(&world.genesis).unwrap());
        let headers = self.chain.iter().map(|committed| committed.block.header());
        let beginning = Beginning {
            tip: Tip { height, hash, timestamp: self.time() },
            schedule: Schedule::at(height.next(), Epoch(0), &set, headers),
            set,
            epoch: Epoch(0),
            votes_from: signer.from(),
            recovered: signer.recovered().to_vec(),
        };
        let config = Config { chain: identity, key: Some(public_key(n)), timing: TIMING, bugs: Bugs::default() };
        let engine = Bft::new(config, Standard, beginning);
        let pool = Pool::new(PoolLimits::default(), world.params().clone(), self.history()).with_leaves();
        self.life += 1;
        self.alive = Some(Alive {
            replica: Replica::new(pool, engine).holding(self.held.iter().cloned()),
            signer,
            ran: BTreeMap::new(),
        });
    }

    fn history(&self) -> History {
        let mut history = History::new(Height(0), GENESIS_TIME, [block_hash(Height(0))]);
        for Committed { block, transactions, .. } in &self.chain {
            let header = block.header();
            let ends = |transaction: &Verified| (transaction.id(), transaction.transaction().expiration);
            let (height, hash, timestamp) = (header.height, block.hash(), header.timestamp);
            let transactions = transactions.iter().map(ends).collect();
            history.append(&CommittedBlock { height, hash, timestamp, transactions }).unwrap();
        }
        history
    }

    pub(crate) fn sign(&mut self, n: usize, intent: &Intent, world: &World) -> Signed {
        let alive = self.alive.as_mut().unwrap();
        alive.signer.sign(intent, &world.genesis.identity(), &key(n)).unwrap()
    }

    /// A block was run.
    pub(crate) fn ran(&mut self, shown: &Shown) {
        if let Some(alive) = &mut self.alive {
            alive.ran.insert(shown.block.hash(), shown.clone());
        }
    }

    /// How many other blocks of a height were run here.
    pub(crate) fn others_of(&self, height: Height, hash: &Hash) -> u64 {
        let is_other = |shown: &&Shown| shown.block.header().height == height && shown.block.hash() != *hash;
        self.alive.as_ref().map_or(0, |alive| alive.ran.values().filter(is_other).count() as u64)
    }

    /// Writes a decided block that was run here; its transactions.
    pub(crate) fn persist(&mut self, world: &World, certificate: Certificate) -> Vec<Verified> {
        let alive = self.alive.as_mut().unwrap();
        let Shown { block, transactions } = alive.ran.remove(&certificate.block_hash).expect("it was run here");
        let set = ValidatorSet::from_genesis(&world.genesis).unwrap();
        certificate.verify(&world.genesis.identity(), &set, block.header()).unwrap();
        assert_eq!(block.header().height, Height(self.chain.len() as u64 + 1));
        let (transactions, noted) = (transactions.to_vec(), alive.signer.newest());
        self.chain.push(Committed { block, transactions: transactions.clone(), certificate, noted });
        transactions
    }
}

/// Runs a batch: the block that comes out is in another order, and its digests depend on all of it.
pub(crate) fn make(work: &Work) -> (Header, Shown) {
    let transactions: Vec<Verified> = work.batch.iter().rev().cloned().collect();
    let header = header(&work.slot, work.timestamp, &transactions);
    let block = CompactBlock::new(header.clone(), dag(transactions.len()), Verified::leaves(&transactions)).unwrap();
    (header, Shown { block, transactions: transactions.into() })
}

/// Whether a block is what running it gives.
pub(crate) fn is_good(shown: &Shown) -> bool {
    let Header { height, parent, epoch, round, proposer, validators, timestamp, .. } = *shown.block.header();
    let slot = Slot { height, parent, epoch, round, proposer, validators };
    header(&slot, timestamp, &shown.transactions) == *shown.block.header()
}

fn dag(count: usize) -> Dag {
    Dag::from_rows(&vec![[]; count]).unwrap()
}

fn header(slot: &Slot, timestamp: Timestamp, transactions: &[Verified]) -> Header {
    let Slot { height, parent, epoch, round, proposer, validators } = *slot;
    let tx_root = merkle::root(&Verified::leaves(transactions));
    Header {
        version: Header::VERSION,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height,
        parent,
        timestamp,
        tx_root,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: dag(transactions.len()).digest(),
        state_root: Hash::of_parts(Domain::Header, &[parent.as_bytes(), tx_root.as_bytes()]),
        validators,
        next_validators: validators,
        epoch,
        round,
        proposer,
        gas_used: Gas(1),
        tx_count: transactions.len() as u32,
        extra: Vec::new(),
    }
}
