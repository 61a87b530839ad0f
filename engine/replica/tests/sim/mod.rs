//! The driver of a simulated replica: an agenda of events over virtual time, a durable chain and queue, faults by dice.

mod oracle;
mod queue;
mod random;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use hanse_consensus::{Disk, DiskError, Precommit, SignedPrecommit, Slot, Solo, VoteLog};
use hanse_replica::{Amendments, Input, Output, Replica, Stage, Work};
use hanse_txpool::{History, Pool, PoolLimits};
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::Domain;
use hanse_types::{Certificate, Gas, Hash, Header, Height, Params, Timestamp, Transaction, ValidatorSet, Verified};

use self::oracle::Oracle;
use self::queue::{Disk as QueueDisk, Job};
use self::random::Random;
use crate::support::{GENESIS_TIME, World, at, block_hash, prefix};

/// How long clients go on, in milliseconds.
const SUBMIT_MS: u64 = 6_000;

const LIMITS: PoolLimits = PoolLimits {
    count: 60,
    bytes: 1 << 20,
    sender_count: 20,
    sender_bytes: 1 << 20,
    wait_ms: 500,
    wait_count: 8,
    batch_gas: Gas(u64::MAX),
};

/// How often things go wrong, in one of a thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    execution: u64,
    signing: u64,
    writing: u64,
    keeping: u64,
    crash: u64,
}

impl Faults {
    pub(crate) const NONE: Faults = Faults { execution: 0, signing: 0, writing: 0, keeping: 0, crash: 0 };
    pub(crate) const ALL: Faults = Faults { execution: 10, signing: 10, writing: 20, keeping: 5, crash: 5 };
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) blocks: usize,
    pub(crate) committed: usize,
    pub(crate) dropped: usize,
    /// Transactions that were promised to outlive the process.
    pub(crate) promised: usize,
    /// Those of them that did.
    pub(crate) restored: usize,
    /// Blocks that were made while the one before was being written.
    pub(crate) made_ahead: usize,
    pub(crate) restarts: usize,
    pub(crate) halts: usize,
    /// Over everything that the replica ever said.
    digest: Hash,
}

/// A block as the driver keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: Box<Header>,
    pub(crate) transactions: Vec<Verified>,
    /// The parameters from the next block on.
    pub(crate) params: Params,
}

#[derive(Debug)]
enum Event {
    Clients,
    Tick,
    Executed(Height),
    Signed(SignedPrecommit),
    Written {
        height: Height,
        failed: bool,
    },
    Failed {
        height: Height,
        stage: Stage,
    },
    /// A write of the queue ends.
    Kept(Job),
    NotKept(Job),
    Crash,
    Start,
}

/// The record of votes; it outlives crashes.
#[derive(Clone, Debug, Default)]
struct VoteDisk(Rc<RefCell<Option<Vec<u8>>>>);

impl Disk for VoteDisk {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.0.replace(Some(record.to_vec()));
        Ok(())
    }
}

pub(crate) struct Simulation {
    world: World,
    faults: Faults,
    random: Random,
    now: u64,
    /// By time, then in the order in which they were planned; with the life of the replica that they belong to.
    agenda: BTreeMap<(u64, u64), (usize, Event)>,
    planned: u64,
    life: usize,
    /// When the newest write of the queue ends: they end in their order.
    queue_busy_until: u64,
    queue: QueueDisk,
    /// After a write of it failed, none succeeds until a restart.
    queue_failed: bool,
    replica: Option<Replica<Solo>>,
    votes: VoteDisk,
    log: VoteLog<VoteDisk>,
    /// How far the replica's clock is ahead of the true time, in milliseconds.
    ahead_ms: u64,
    /// What the disk holds.
    chain: Vec<Block>,
    /// Blocks under way.
    made: BTreeMap<Height, Block>,
    /// Accepted before a halt, to be submitted again.
    left_over: Vec<Verified>,
    /// Every transaction ever made, for clients that replay.
    known: Vec<Verified>,
    /// When the newest submission came.
    since: Timestamp,
    oracle: Oracle,
    restarts: usize,
    halts: usize,
    digest: Hash,
}

impl Simulation {
    pub(crate) fn new(seed: u64, faults: Faults) -> Simulation {
        let params = Params {
            block_tx_count_max: 8,
            block_interval_ms: 50,
            tx_lifetime_ms_max: 3_000,
            ref_block_window: 40,
            ..Params::default()
        };
        let votes = VoteDisk::default();
        let mut simulation = Simulation {
            oracle: Oracle::new(World::new(params.clone()), LIMITS),
            world: World::new(params),
            faults,
            random: Random::new(seed),
            now: 10,
            agenda: BTreeMap::new(),
            planned: 0,
            life: 0,
            queue_busy_until: 0,
            queue: QueueDisk::default(),
            queue_failed: false,
            replica: None,
            log: VoteLog::open(votes.clone(), None).unwrap(),
            votes,
            ahead_ms: 5_000,
            chain: Vec::new(),
            made: BTreeMap::new(),
            left_over: Vec::new(),
            known: Vec::new(),
            since: Timestamp(0),
            restarts: 0,
            halts: 0,
            digest: Hash::ZERO,
        };
        simulation.start();
        simulation.plan(0, Event::Clients);
        simulation
    }

    /// Lives until clients are done and everything has come to rest.
    pub(crate) fn run(mut self) -> Summary {
        while let Some(((time, _), (life, event))) = self.agenda.pop_first() {
            self.now = time;
            let of_nobody = matches!(event, Event::Clients | Event::Start);
            if of_nobody || life == self.life {
                self.happen(event);
            }
        }
        self.oracle.check_rest(&self.replica.take().unwrap());
        Summary {
            blocks: self.chain.len(),
            committed: self.oracle.committed(),
            dropped: self.oracle.dropped(),
            promised: self.oracle.promised(),
            restored: self.oracle.restored(),
            made_ahead: self.oracle.made_ahead(),
            restarts: self.restarts,
            halts: self.halts,
            digest: self.digest,
        }
    }

    fn plan(&mut self, in_ms: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + in_ms, self.planned), (self.life, event));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Clients => self.clients(),
            Event::Tick => self.tell(Input::Tick),
            Event::Executed(height) => {
                let Block { header, params, .. } = self.made[&height].clone();
                self.oracle.executed(&params);
                let amendments = Amendments { params: Some(Arc::new(params)), validators: None };
                self.tell(Input::Executed { header, shown: None, amendments });
            }
            Event::Signed(signed) => self.tell(Input::Signed(signed.into())),
            Event::Written { height, failed } => self.written(height, failed),
            Event::Failed { height, stage } => self.fail(height, stage),
            Event::Kept(job) => self.kept(&job),
            Event::NotKept(job) => self.not_kept(&job),
            Event::Crash => self.crash(),
            Event::Start => self.start(),
        }
    }

    /// New transactions, and old ones again.
    fn clients(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..self.random.below(5) {
            let old = self.random.below(self.known.len() as u64 + 1) as usize;
            match self.known.get(old).filter(|_| self.random.chance(300)) {
                Some(transaction) => batch.push(transaction.clone()),
                None => batch.push(self.new_transaction()),
            }
        }
        self.known.extend(batch.iter().cloned());
        self.submit(batch);
        if self.now < SUBMIT_MS {
            let pause = self.random.below(40);
            self.plan(pause, Event::Clients);
            if self.random.chance(self.faults.crash) {
                self.plan(pause / 2, Event::Crash);
            }
        }
    }

    fn new_transaction(&mut self) -> Verified {
        let client = self.random.below(8) as usize;
        let ref_height = Height(self.chain.len() as u64 - self.random.below(self.chain.len().min(50) as u64 + 1));
        let ref_hash = prefix(&self.hash_of(ref_height));
        let lives_ms = 1 + self.random.below(2_500);
        let call = self.world.call(client, self.known.len() as u64 * 10 + self.random.below(10), 0);
        let expiration = at(self.now + self.ahead_ms + lives_ms);
        self.world.verified(Transaction { ref_height, ref_hash, expiration, ..call })
    }

    fn submit(&mut self, batch: Vec<Verified>) {
        if self.replica.is_some() && !batch.is_empty() {
            // Some of them were verified before the clock went on; they come in the order of their times.
            let before = Timestamp(self.clock().0.saturating_sub(self.random.below(50)));
            let since = self.since.max(before).min(self.clock());
            self.since = since;
            self.oracle.submitted(&batch, since);
            let keep = self.random.chance(600);
            self.tell(Input::Submitted { transactions: batch, since, from: None, keep });
        }
    }

    /// One step of the replica: what it says is checked and carried out.
    fn tell(&mut self, input: Input) {
        let clock = self.clock();
        let Some(replica) = &mut self.replica else { return };
        let mut outputs = Vec::new();
        replica.step(input, clock, &mut outputs);
        for output in &outputs {
            let said = format!("{:?}{output:?}", self.digest);
            self.digest = Hash::of(Domain::Header, said.as_bytes());
        }
        for output in outputs {
            self.carry_out(output);
        }
        if let Some(replica) = &self.replica {
            self.oracle.check_step(replica, clock);
        }
    }

    fn carry_out(&mut self, output: Output) {
        let clock = self.clock();
        match output {
            Output::Admitted(answers) => self.oracle.admitted(&answers, clock),
            Output::Keep { kept, needed_from } => {
                let answered = self.oracle.answers_held();
                self.write_queue(Job { kept, answered, done_with: needed_from, ..Job::default() });
            }
            Output::Dropped { dropped, needed_from } => {
                self.oracle.dropped_now(&dropped, clock);
                self.write_queue(Job { dropped, done_with: needed_from, ..Job::default() });
            }
            Output::Execute(work) => self.execute(work),
            Output::Sign(intent) => self.sign(intent.precommit().expect("who decides alone signs precommits")),
            Output::Persist { height, certificate } => self.persist(height, &certificate),
            Output::SetTimer(time) => self.plan(time.since_ms(clock), Event::Tick),
            Output::Halted(_) => self.halted(),
            other => panic!("there are no other nodes: {other:?}"),
        }
    }

    fn execute(&mut self, work: Work) {
        self.oracle.sealed(&work, self.clock());
        let height = work.height();
        let mut params =
            self.made.values().next_back().or(self.chain.last()).map_or(self.world.params(), |b| &b.params).clone();
        if self.random.chance(100) {
            params.block_tx_count_max = 1 + self.random.below(12) as u32;
            params.block_interval_ms = 10 + self.random.below(100);
        }
        let header = header(&work);
        self.made.insert(height, Block { header, transactions: work.batch, params });
        let takes_ms = self.random.below(60);
        match self.random.chance(self.faults.execution) {
            true => self.plan(takes_ms, Event::Failed { height, stage: Stage::Execution }),
            false => self.plan(takes_ms, Event::Executed(height)),
        }
    }

    fn sign(&mut self, vote: Precommit) {
        self.oracle.voted(vote, self.chain.len() as u64);
        let signed = self.log.sign(vote, &self.world.genesis.identity(), &self.world.validator).unwrap();
        let takes_ms = self.random.below(5);
        match self.random.chance(self.faults.signing) {
            true => self.plan(takes_ms, Event::Failed { height: vote.height, stage: Stage::Signing }),
            false => self.plan(takes_ms, Event::Signed(signed)),
        }
    }

    fn persist(&mut self, height: Height, certificate: &Certificate) {
        let header = &self.made[&height].header;
        let validators = ValidatorSet::from_genesis(&self.world.genesis).unwrap();
        certificate.verify(&self.world.genesis.identity(), &validators, header).unwrap();
        self.oracle.decided(height);
        let takes_ms = self.random.below(80);
        let failed = self.random.chance(self.faults.writing);
        self.plan(takes_ms, Event::Written { height, failed });
    }

    fn written(&mut self, height: Height, failed: bool) {
        if !failed || self.random.chance(500) {
            self.store(height);
        }
        if failed {
            self.fail(height, Stage::Writing);
        } else {
            self.oracle.persisted(self.chain.last().unwrap());
            self.tell(Input::Persisted { height });
        }
    }

    /// The block gets onto the disk, whether or not the replica will hear of it.
    fn store(&mut self, height: Height) {
        let block = self.made.remove(&height).unwrap();
        let params = self.chain.last().map_or(self.world.params(), |parent| &parent.params).clone();
        self.oracle.stored(&block, &params, self.hash_of(Height(self.chain.len() as u64)));
        self.chain.push(block);
    }

    /// A write of the queue begins. What is done with by now can be removed by it.
    fn write_queue(&mut self, job: Job) {
        self.queue_busy_until = self.queue_busy_until.max(self.now) + self.random.below(20);
        let in_ms = self.queue_busy_until - self.now;
        match self.random.chance(self.faults.keeping) {
            true => self.plan(in_ms, Event::NotKept(job)),
            false => self.plan(in_ms, Event::Kept(job)),
        }
    }

    fn kept(&mut self, job: &Job) {
        if !self.queue_failed {
            self.queue.write(job);
            self.oracle.kept(job);
        }
    }

    /// What failed may be on the disk nevertheless; nobody is told so.
    fn not_kept(&mut self, job: &Job) {
        if !self.queue_failed && self.random.chance(500) {
            self.queue.write(job);
        }
        self.queue_failed = true;
        self.tell(Input::NotKept { reason: "the dice said so".into() });
    }

    fn fail(&mut self, height: Height, stage: Stage) {
        self.tell(Input::Failed { height, stage, reason: "the dice said so".into() });
    }

    /// The replica stopped by itself. It still hears of a write under way before it is started again.
    fn halted(&mut self) {
        self.halts += 1;
        let in_ms = 100 + self.random.below(100);
        self.plan(in_ms, Event::Start);
    }

    /// Power is lost: a write under way may have reached the disk or not.
    fn crash(&mut self) {
        if self.replica.as_ref().is_none_or(Replica::is_halted) {
            return;
        }
        let is_write = |event: &Event| matches!(event, Event::Written { .. });
        let write = self.agenda.values().find(|(life, event)| *life == self.life && is_write(event));
        if let Some((_, Event::Written { height, .. })) = write {
            let height = *height;
            if self.random.chance(500) {
                self.store(height);
            }
        }
        // A write of the queue may have reached it, too, without its answer.
        let of_life = self.agenda.values().filter(|(life, _)| *life == self.life);
        let mut jobs = of_life.filter_map(|(_, event)| if let Event::Kept(job) = event { Some(job) } else { None });
        if let Some(job) = jobs.next().filter(|_| !self.queue_failed && self.random.chance(500)) {
            self.queue.write(job);
        }
        self.replica = None;
        // What was under way is heard of no more.
        self.life += 1;
        self.oracle.crashed();
        self.plan(50, Event::Start);
    }

    /// Starts, or starts again, on what the disk holds.
    fn start(&mut self) {
        if let Some(stopped) = self.replica.take() {
            assert!(stopped.is_halted());
            self.left_over = stopped.into_transactions().collect();
            self.oracle.stopped(&self.left_over);
        }
        self.restarts += usize::from(self.life > 0);
        self.life += 1;
        self.made.clear();
        if self.life > 1 {
            self.ahead_ms = self.random.below(8_000);
        }
        let record = self.votes.0.borrow().clone();
        self.log = VoteLog::open(self.votes.clone(), record.as_deref()).unwrap();
        let height = Height(self.chain.len() as u64);
        let validators = ValidatorSet::from_genesis(&self.world.genesis).unwrap();
        let tip = (height, self.hash_of(height));
        let solo = Solo::new(self.world.genesis.identity(), validators, tip, self.log.last()).unwrap();
        let params = self.chain.last().map_or(self.world.params(), |block| &block.params).clone();
        self.oracle.started(&params);
        let mut pool = Pool::new(LIMITS, params, self.history());
        let committed: BTreeSet<_> =
            self.chain.iter().flat_map(|block| &block.transactions).map(Verified::id).collect();
        let restored = self.queue.restore(&committed);
        self.oracle.restored_now(&restored, &self.queue.ended, self.clock());
        restored.into_iter().for_each(|kept| pool.restore(kept, self.clock()));
        pool.resume(self.queue.next_arrival());
        (self.queue_busy_until, self.queue_failed) = (self.now, false);
        self.replica = Some(Replica::new(pool, solo));
        let left_over = std::mem::take(&mut self.left_over);
        self.submit(left_over);
    }

    fn history(&self) -> History {
        let tip = Height(self.chain.len() as u64);
        let time = self.chain.last().map_or(GENESIS_TIME, |block| block.header.timestamp);
        let hashes = (0..=tip.0).map(|height| self.hash_of(Height(height)));
        let mut history = History::new(self.world.params().ref_block_window, tip, time, hashes);
        let transactions =
            self.chain.iter().flat_map(|block| block.transactions.iter().map(|tx| (block.header.height, tx)));
        let committed = transactions.map(|(height, tx)| (height, tx.id(), tx.transaction().expiration));
        history.load_window(committed.filter(|(_, _, expiration)| *expiration > time));
        history
    }

    fn hash_of(&self, height: Height) -> Hash {
        match height.previous() {
            None => block_hash(height),
            Some(below) => self.chain[below.0 as usize].header.hash(),
        }
    }

    fn clock(&self) -> Timestamp {
        at(self.now + self.ahead_ms)
    }
}

/// A header that depends on everything in the block.
fn header(work: &Work) -> Box<Header> {
    let Slot { height, parent, epoch, round, proposer, validators } = work.slot;
    let ids: Vec<u8> = work.batch.iter().flat_map(|tx| *tx.id().0.as_bytes()).collect();
    Box::new(Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height,
        parent,
        timestamp: work.timestamp,
        tx_root: Hash::of(Domain::MerkleLeaf, &ids),
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Hash::ZERO,
        state_root: Hash::ZERO,
        validators,
        next_validators: validators,
        epoch,
        round,
        proposer,
        gas_used: Gas(1),
        tx_count: work.batch.len() as u32,
        extra: Vec::new(),
    })
}
