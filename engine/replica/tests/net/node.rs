//! One node: the real replica, engine and signer, and a stand-in for what runs blocks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Timing, Tip};
use hanse_consensus::raft::{self, Record, RecordStore};
use hanse_consensus::{
    Bft, CompactBlock, Consensus, Disk, DiskError, Input, Intent, LogFile, Output, Raft, SafeSigner, Signed, Slot,
    Standard, Statement, Stored, VoteLog,
};
use hanse_replica::sync::{BlockSync, Blocks, DecidedBlock, SyncLimits};
use hanse_replica::{Amendments, Replica, Shown, Work};
use hanse_txpool::{CommittedBlock, History, Pool, PoolLimits};
use hanse_types::crypto::{CryptoSuite, PublicKey, SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, Validator};
use hanse_types::hash::Domain;
use hanse_types::{
    Block, Canonical, Certificate, Dag, Epoch, Gas, Hash, Header, Height, Params, SignedTransaction, Timestamp,
    ValidatorSet, Verified, merkle,
};

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

/// Small, so that a node that is a little behind needs several ranges.
const SYNC: SyncLimits = SyncLimits {
    window_blocks: 8,
    window_bytes: 64 << 10,
    answer_bytes: 8 << 10,
    request_blocks: 2,
    requests_per_peer: 2,
    answer_ms: 100,
    drop_ms: 1_000,
    behind: 2,
    replayed: 2,
};

fn key(n: usize) -> SecretKey {
    SecretKey::ed25519([200 + n as u8; 32])
}

pub(crate) fn public_key(n: usize) -> PublicKey {
    key(n).public_key()
}

/// The set of validators with this number, of so many nodes: all of them, or all but one.
fn set(number: usize, count: usize, consensus: ConsensusKind) -> Arc<ValidatorSet> {
    let is_in = |n: &usize| number == 0 || n + 1 != number;
    let validator = |n| Validator { name: format!("v{n}"), key: public_key(n) };
    Arc::new(ValidatorSet::new((0..count).filter(is_in).map(validator).collect()).unwrap().agreeing_by(consensus))
}

/// All sets of validators that transactions can choose.
pub(crate) fn sets(count: usize, consensus: ConsensusKind) -> Vec<Arc<ValidatorSet>> {
    let last = if count == 1 { 0 } else { count };
    (0..=last).map(|number| set(number, count, consensus)).collect()
}

/// The nonces of transactions that choose another set begin here, each set's at a multiple of it.
pub(crate) const CHANGE: u64 = 1 << 32;

/// The set that transactions choose, if they do.
pub(crate) fn chosen(transactions: &[Verified], sets: &[Arc<ValidatorSet>]) -> Option<Arc<ValidatorSet>> {
    let number = transactions.iter().map(|tx| tx.transaction().nonce / CHANGE).rfind(|number| *number > 0)?;
    Some(sets[number as usize % sets.len()].clone())
}

/// What a block changes for those after it.
pub(crate) fn amendments(shown: &Shown, sets: &[Arc<ValidatorSet>]) -> Amendments {
    let header = shown.block.header();
    let changes = header.next_validators != header.validators;
    Amendments { params: None, validators: chosen(&shown.transactions, sets).filter(|_| changes) }
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
    record: Rc<RefCell<Option<Vec<u8>>>>,
    /// Whether there is no space for a record.
    is_full: Rc<Cell<bool>>,
}

/// The files, as the place of the record.
#[derive(Clone, Debug)]
struct RecordFile(Files);

impl Disk for RecordFile {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        if self.0.is_full.get() {
            return Err(DiskError("no space left".into()));
        }
        self.0.record.replace(Some(record.to_vec()));
        Ok(())
    }
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
    /// The record that is being written.
    recording: Option<Record>,
    /// All sets of validators that there can be.
    pub(crate) sets: Vec<Arc<ValidatorSet>>,
}

/// The engine of the group's kind.
pub(crate) enum Engine {
    Bft(Box<Bft<Standard>>),
    Raft(Box<Raft<Standard>>),
}

impl Consensus for Engine {
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        match self {
            Engine::Bft(engine) => engine.step(input, now, out),
            Engine::Raft(engine) => engine.step(input, now, out),
        }
    }
}

/// What it signs with.
enum Votes {
    Among(SafeSigner<Files, Files>),
    Leading(VoteLog<Files>, RecordStore<RecordFile>),
}

/// What a crash takes.
pub(crate) struct Alive {
    pub(crate) replica: Replica<Engine>,
    votes: Votes,
    ran: BTreeMap<Hash, Shown>,
}

impl Node {
    /// One that has never been started, in a group that may have these validators.
    pub(crate) fn among(sets: Vec<Arc<ValidatorSet>>) -> Node {
        Node { sets, ..Node::default() }
    }

    /// Time of the newest block.
    pub(crate) fn time(&self) -> Timestamp {
        self.chain.last().map_or(GENESIS_TIME, |committed| committed.block.header().timestamp)
    }

    /// Where its engine is, for those who look for the reason of a failure.
    pub(crate) fn state(&self) -> String {
        match self.alive.as_ref().map(|alive| alive.replica.consensus()) {
            None => "down".into(),
            Some(Engine::Bft(engine)) => format!("{:?}", engine.position()),
            Some(Engine::Raft(engine)) => format!("{engine:?}"),
        }
    }

    /// Whether it leads a raft.
    pub(crate) fn leads(&self) -> bool {
        match self.alive.as_ref().map(|alive| alive.replica.consensus()) {
            Some(Engine::Raft(engine)) => engine.role().is_some_and(|role| role.is_leader()),
            Some(Engine::Bft(_)) | None => false,
        }
    }

    /// How many have lapsed in its pool, if it runs and has nothing else in it.
    pub(crate) fn lapsed(&self) -> Option<usize> {
        let status = self.alive.as_ref()?.replica.pool_status();
        ((status.waiting, status.sealed, status.bytes) == (0, 0, 0)).then_some(status.lapsed)
    }

    /// Starts it; how many blocks it took over from its record.
    pub(crate) fn start(&mut self, n: usize, world: &World) -> u64 {
        let height = Height(self.chain.len() as u64);
        let hash = self.chain.last().map_or(block_hash(Height(0)), |committed| committed.block.hash());
        let tip = Tip { height, hash, timestamp: self.time() };
        let (set, epoch) = self.next_set();
        let sync = BlockSync::new(SYNC, (height, hash), set.clone(), epoch);
        let mut under_way = Vec::new();
        let (engine, votes) = match world.genesis.consensus {
            ConsensusKind::Raft => self.raft(n, tip, (set, epoch), world, &mut under_way),
            _ => self.bft(n, tip, set, world),
        };
        let pool = Pool::new(PoolLimits::default(), world.params().clone(), self.history()).of_several();
        let mut replica = Replica::new(pool, engine).holding(self.held.iter().cloned()).catching_up_by(sync);
        for (block, transactions) in &under_way {
            replica.recover(block, transactions.clone());
        }
        self.life += 1;
        self.alive = Some(Alive { replica, votes, ran: BTreeMap::new() });
        under_way.len() as u64
    }

    /// Who decides the next block, and as which epoch.
    fn next_set(&self) -> (Arc<ValidatorSet>, Epoch) {
        let Some(tip) = self.chain.last().map(|committed| committed.block.header()) else {
            return (self.sets[0].clone(), Epoch(0));
        };
        let set = self.sets.iter().find(|set| set.hash(CryptoSuite::Standard) == tip.next_validators).unwrap();
        (set.clone(), Epoch(tip.epoch.0 + u64::from(tip.validators != tip.next_validators)))
    }

    /// The epoch of the next block.
    pub(crate) fn epoch(&self) -> u64 {
        self.next_set().1.0
    }

    fn bft(&self, n: usize, tip: Tip, set: Arc<ValidatorSet>, world: &World) -> (Engine, Votes) {
        let identity = world.genesis.identity();
        let (journal, guard) = (self.files.journal.borrow().clone(), self.files.guard.borrow().clone());
        let stored = Stored {
            first_start: self.life == 0,
            journal: journal.as_deref(),
            guard: guard.as_deref(),
            tip: tip.height,
            noted: self.chain.last().and_then(|committed| committed.noted),
        };
        let signer = SafeSigner::open(self.files.clone(), self.files.clone(), &identity, stored).unwrap();
        let headers = self.chain.iter().map(|committed| committed.block.header());
        let beginning = Beginning {
            tip,
            schedule: Schedule::at(tip.height.next(), Epoch(0), &set, headers),
            set,
            epoch: Epoch(0),
            votes_from: signer.from(),
            recovered: signer.recovered().to_vec(),
        };
        let config = Config { chain: identity, key: Some(public_key(n)), timing: TIMING, bugs: Bugs::default() };
        (Engine::Bft(Box::new(Bft::new(config, Standard, beginning))), Votes::Among(signer))
    }

    fn raft(
        &self,
        n: usize,
        tip: Tip,
        (set, epoch): (Arc<ValidatorSet>, Epoch),
        world: &World,
        under_way: &mut Vec<(CompactBlock, Vec<Verified>)>,
    ) -> (Engine, Votes) {
        let chain = world.genesis.identity();
        let (vote, record) = (self.files.guard.borrow().clone(), self.files.record.borrow().clone());
        let votes = VoteLog::open(self.files.clone(), vote.as_deref()).unwrap();
        let voted = votes.last().map(|vote| (vote.epoch, vote.round));
        let file = RecordFile(self.files.clone());
        let (store, record) = RecordStore::open(file, &chain, record.as_deref(), self.life == 0, voted).unwrap();
        let record = record.expect("nothing but crashes happens to it");
        for (block, body) in record.blocks().zip(&record.bodies) {
            let decoded = body.iter().map(|bytes| world.verify(SignedTransaction::decode(bytes).unwrap()));
            under_way.push((block.clone(), decoded.collect()));
        }
        let known = self.chain.iter().map(|committed| committed.block.header().height);
        let recent = known.zip(self.chain.iter().map(|committed| committed.block.hash())).collect();
        let beginning = raft::Beginning { tip, recent, set, epoch, record: Some(record) };
        let config = raft::Config { chain, key: Some(public_key(n)), timing: TIMING };
        (Engine::Raft(Box::new(Raft::new(config, Standard, beginning))), Votes::Leading(votes, store))
    }

    /// Blocks of its chain, as they are sent to who is behind.
    pub(crate) fn blocks(&self, from: Height, count: u32) -> Blocks {
        let committed = self.chain.iter().skip(from.0 as usize - 1).take(count as usize);
        let decided = |committed: &Committed| {
            let transactions = committed.transactions.iter().map(|tx| tx.signed().clone()).collect();
            let (header, dag) = (committed.block.header().clone(), committed.block.dag().clone());
            let block = Block { header, dag, transactions };
            DecidedBlock { certificate: committed.certificate.clone(), block }.encode()
        };
        let tip = Height(self.chain.len() as u64);
        Blocks {
            from,
            blocks: committed.map(decided).collect(),
            outcomes: Vec::new(),
            first: Height(1),
            tip,
            outcomes_from: Height(0),
        }
    }

    pub(crate) fn begin_record(&mut self, record: &Record) {
        assert!(self.recording.is_none(), "two records at a time");
        self.recording = Some(record.clone());
    }

    /// Writes a record; whether that was possible.
    pub(crate) fn record(&mut self, record: &Record) -> bool {
        assert_eq!(self.recording.take().as_ref(), Some(record));
        match &mut self.alive {
            Some(Alive { votes: Votes::Leading(_, store), .. }) => store.write(record).is_ok(),
            _ => true,
        }
    }

    /// There is no space for a record any more, or again.
    pub(crate) fn set_full(&self, is_full: bool) {
        self.files.is_full.set(is_full);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.files.is_full.get()
    }

    /// A crash: what is being written may get there. Whether something didn't.
    pub(crate) fn power_lost(&mut self, is_written: bool) -> bool {
        match self.recording.clone().filter(|_| is_written) {
            Some(record) => !self.record(&record),
            None => self.recording.take().is_some(),
        }
    }

    fn history(&self) -> History {
        let mut history =
            History::new(Params::default().ref_block_window, Height(0), GENESIS_TIME, [block_hash(Height(0))]);
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
        let chain = world.genesis.identity();
        match &mut self.alive.as_mut().unwrap().votes {
            Votes::Among(signer) => signer.sign(intent, &chain, &key(n)).unwrap(),
            Votes::Leading(votes, _) => votes.sign(intent.precommit().unwrap(), &chain, &key(n)).unwrap().into(),
        }
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
        let (set, epoch) = self.next_set();
        assert_eq!(epoch, certificate.epoch);
        let alive = self.alive.as_mut().unwrap();
        certificate.verify(&world.genesis.identity(), &set, block.header()).unwrap();
        assert_eq!(block.header().height, Height(self.chain.len() as u64 + 1));
        let noted = match &alive.votes {
            Votes::Among(signer) => signer.newest(),
            Votes::Leading(..) => None,
        };
        let transactions = transactions.to_vec();
        self.chain.push(Committed { block, transactions: transactions.clone(), certificate, noted });
        transactions
    }
}

/// Runs a batch: the block that comes out is in another order, and its digests depend on all of it.
pub(crate) fn make(work: &Work, sets: &[Arc<ValidatorSet>]) -> (Header, Shown) {
    let transactions: Vec<Verified> = work.batch.iter().rev().cloned().collect();
    let header = header(&work.slot, work.timestamp, &transactions, sets);
    let block = CompactBlock::new(header.clone(), dag(transactions.len()), Verified::leaves(&transactions)).unwrap();
    (header, Shown { block, transactions: transactions.into() })
}

/// Whether a block is what running it gives.
pub(crate) fn is_good(shown: &Shown, sets: &[Arc<ValidatorSet>]) -> bool {
    let Header { height, parent, epoch, round, proposer, validators, timestamp, .. } = *shown.block.header();
    let slot = Slot { height, parent, epoch, round, proposer, validators };
    header(&slot, timestamp, &shown.transactions, sets) == *shown.block.header()
}

fn dag(count: usize) -> Dag {
    Dag::from_rows(&vec![[]; count]).unwrap()
}

fn header(slot: &Slot, timestamp: Timestamp, transactions: &[Verified], sets: &[Arc<ValidatorSet>]) -> Header {
    let Slot { height, parent, epoch, round, proposer, validators } = *slot;
    let tx_root = merkle::root(CryptoSuite::Standard, &Verified::leaves(transactions));
    Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height,
        parent,
        timestamp,
        tx_root,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: dag(transactions.len()).digest(CryptoSuite::Standard),
        state_root: Hash::of_parts(Domain::Header, &[parent.as_bytes(), tx_root.as_bytes()]),
        validators,
        next_validators: chosen(transactions, sets).map_or(validators, |set| set.hash(CryptoSuite::Standard)),
        epoch,
        round,
        proposer,
        gas_used: Gas(1),
        tx_count: transactions.len() as u32,
        extra: Vec::new(),
    }
}
