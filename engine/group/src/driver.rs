//! Carries out what the replica wants, and tells it what came of it.
//!
//! One task owns the replica and nothing slow: blocks are run by one thread (on the CPU pool), votes and blocks are made
//! durable by another, and both report back. So the next block runs while this one is written. A third one keeps accepted
//! transactions (`queue.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hanse_consensus::{Precommit, SignedPrecommit, Solo, VoteLog};
use hanse_ledger::{DroppedTransaction, Ledger, NewBlock, Renewal};
use hanse_replica::{Input, Output, Replica, Stage, Whereabouts, Work};
use hanse_txpool::{Arrival, Dropped, Listed, PoolStatus};
use hanse_types::crypto::Signer;
use hanse_types::genesis::ChainIdentity;
use hanse_types::{Certificate, Hash, Height, Timestamp, TxId, Verified};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, error, info};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::drops::Drops;
use crate::execution::{Base, ExecutedBlock, Executor};
use crate::feed::Feed;
use crate::observe::Observation;
use crate::queue::{Answers, Job, Queue};
use crate::report::Reports;
use crate::submit_error::SubmitError;
use crate::window::Window;

/// Blocks that may be handed to a thread before it takes them: the replica has at most two under way.
const JOBS: usize = 4;

/// What happened outside.
pub(crate) enum Event {
    Submitted {
        transactions: Vec<Verified>,
        since: Timestamp,
        keep: bool,
        reply: oneshot::Sender<Vec<Result<TxId, SubmitError>>>,
    },
    /// Somebody asks where a transaction is.
    Locate {
        id: TxId,
        reply: oneshot::Sender<Option<Whereabouts>>,
    },
    /// Somebody looks at the pool.
    List {
        after: Option<TxId>,
        limit: usize,
        reply: oneshot::Sender<(Vec<Listed>, bool)>,
    },
    /// Somebody looks at a transaction of the pool.
    Find {
        id: TxId,
        reply: oneshot::Sender<Option<Listed>>,
    },
    /// A failed transaction is to be replaced, or is not after all.
    Renew {
        id: TxId,
        renewal: Option<Renewal>,
        done: oneshot::Sender<()>,
    },
    Executed {
        height: Height,
        result: Result<Box<ExecutedBlock>, String>,
        took: Duration,
    },
    Signed {
        height: Height,
        result: Result<SignedPrecommit, String>,
    },
    Persisted {
        height: Height,
        result: Result<(), String>,
        took: Duration,
    },
    NotKept {
        reason: String,
    },
    /// The clock was moved ahead.
    ClockMoved,
    Stop,
}

pub(crate) type Events = tokio::sync::mpsc::Sender<Event>;

/// A block to be run.
pub(crate) struct ExecuteJob {
    work: Work,
    base: Base,
    recent_hashes: Vec<Hash>,
}

/// Something to be made durable.
pub(crate) enum WriteJob {
    Vote(Precommit),
    Block { block: Arc<ExecutedBlock>, certificate: Certificate },
}

/// See the module.
pub(crate) struct Driver {
    pub(crate) replica: Replica<Solo>,
    pub(crate) clock: Clock,
    pub(crate) chain: Chain,
    pub(crate) ledger: Ledger,
    pub(crate) feed: Arc<Feed>,
    pub(crate) drops: Arc<Drops>,
    pub(crate) queue: Queue,
    pub(crate) status: watch::Sender<PoolStatus>,
    pub(crate) window: Arc<Window>,
    /// Why the group takes nothing any more; the first reason stays.
    pub(crate) stopped: watch::Sender<Option<Arc<str>>>,
    pub(crate) observation: Observation,
    pub(crate) execute: SyncSender<ExecuteJob>,
    pub(crate) write: SyncSender<WriteJob>,
    /// When the replica wants to be told that time has passed.
    pub(crate) timer: Option<Timestamp>,
    /// Writes that were handed out and not reported.
    pub(crate) writing: usize,
}

impl Driver {
    /// Runs until it is told to stop, then waits for what is being written.
    pub(crate) async fn run(mut self, mut events: tokio::sync::mpsc::Receiver<Event>) {
        self.tell(Input::Tick);
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = sleep_until(&self.clock, self.timer) => {
                    self.timer = None;
                    self.tell(Input::Tick);
                    continue;
                }
            };
            match event {
                Some(Event::Stop) | None => break,
                Some(event) => self.handle(event),
            }
        }
        while self.writing > 0 {
            match events.recv().await {
                Some(Event::Persisted { height, result, took }) => self.persisted(height, result, took),
                Some(Event::Signed { .. }) => self.writing -= 1,
                Some(_) => {}
                None => break,
            }
        }
        // What only the pool has is not lost by a stop.
        let (kept, needed_from) = (self.replica.keep_all(), self.replica.oldest());
        self.queue.push(Job::Keep { kept, answers: None }, needed_from);
        self.set_stopped("it was told to stop");
        self.feed.close();
        debug!("group driver stopped");
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Submitted { transactions, since, keep, reply } => self.submitted(transactions, since, keep, reply),
            // Whoever asked may have gone.
            Event::Locate { id, reply } => drop(reply.send(self.replica.locate(&id))),
            Event::List { after, limit, reply } => drop(reply.send(self.replica.pool().list(after.as_ref(), limit))),
            Event::Find { id, reply } => drop(reply.send(self.replica.pool().get(&id))),
            Event::Renew { id, renewal, done } => self.push(Job::Renew { id, renewal, done }),
            Event::NotKept { reason } => self.tell(Input::NotKept { reason }),
            Event::Executed { height, result, took } => match result {
                Ok(block) => self.executed(*block, took),
                Err(reason) => self.tell(Input::Failed { height, stage: Stage::Execution, reason }),
            },
            Event::Signed { height, result } => {
                self.writing -= 1;
                match result {
                    Ok(vote) => self.tell(Input::Signed(vote)),
                    Err(reason) => self.tell(Input::Failed { height, stage: Stage::Signing, reason }),
                }
            }
            Event::Persisted { height, result, took } => self.persisted(height, result, took),
            Event::ClockMoved => self.tell(Input::Tick),
            Event::Stop => {}
        }
        self.close_if_done();
    }

    /// Tells those who wait that nothing comes any more, once the group has stopped: what is being written may still
    /// succeed.
    fn close_if_done(&self) {
        if self.writing == 0 && self.stopped.borrow().is_some() {
            self.feed.close();
        }
    }

    fn submitted(
        &mut self,
        transactions: Vec<Verified>,
        since: Timestamp,
        keep: bool,
        reply: oneshot::Sender<Vec<Result<TxId, SubmitError>>>,
    ) {
        let mut outputs = Vec::new();
        self.replica.step(Input::Submitted { transactions, since, keep }, self.clock.now(), &mut outputs);
        // Whoever is answered sees what came of it.
        self.status.send_replace(self.replica.pool_status());
        let (mut reply, mut held) = (Some(reply), None);
        for output in outputs {
            match output {
                Output::Admitted(answers) => held = reply.take().map(|reply| Answers { answers, reply }),
                Output::Keep { kept, needed_from } => {
                    self.queue.push(Job::Keep { kept, answers: held.take() }, needed_from);
                }
                output => self.perform(output),
            }
        }
        // Nothing was promised that has to be kept.
        held.into_iter().for_each(Answers::give);
    }

    fn executed(&mut self, block: ExecutedBlock, took: Duration) {
        self.observation.executed(block.header.height, took);
        let (header, params) = (Box::new(block.header.clone()), block.params.clone().map(Box::new));
        debug!(
            height = header.height.0,
            transactions = header.tx_count,
            executions = block.stats.executions,
            strays = block.stats.strays,
            edges = block.stats.edges,
            "block executed"
        );
        self.chain.executed(Arc::new(block));
        self.tell(Input::Executed { header, params });
    }

    fn persisted(&mut self, height: Height, result: Result<(), String>, took: Duration) {
        self.writing -= 1;
        if let Err(reason) = result {
            return self.tell(Input::Failed { height, stage: Stage::Writing, reason });
        }
        let Some(block) = self.chain.persisted(durable_base(&self.ledger)) else { return };
        info!(height = height.0, transactions = block.header.tx_count, hash = %block.hash, "block committed");
        let parent = self.feed.tip().borrow().timestamp;
        self.observation.committed(&block, parent, took);
        self.follow_the_wait();
        self.feed.committed(Arc::new(block.header.clone()), block.content.receipts());
        self.tell(Input::Persisted { height });
    }

    /// Lets as much in from now on as the block that is durable now says.
    fn follow_the_wait(&self) {
        let pool = self.replica.pool();
        if let Some(since) = pool.status().sealed_since {
            self.window.durable(since, self.clock.now(), pool.wait_ms());
        }
    }

    fn tell(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.replica.step(input, self.clock.now(), &mut outputs);
        outputs.into_iter().for_each(|output| self.perform(output));
        self.status.send_replace(self.replica.pool_status());
    }

    fn perform(&mut self, output: Output) {
        match output {
            // Answers go to who asked, in `submitted`.
            Output::Admitted(_) => {}
            Output::Keep { kept, needed_from } => self.queue.push(Job::Keep { kept, answers: None }, needed_from),
            Output::Dropped { dropped, needed_from } => {
                self.observation.dropped(dropped.iter().map(|dropped| dropped.refusal.code()));
                self.dropped(dropped, needed_from);
            }
            Output::Execute(work) => {
                let height = work.height();
                let (base, recent_hashes) = (self.chain.base(), self.chain.recent_hashes());
                if self.execute.try_send(ExecuteJob { work, base, recent_hashes }).is_err() {
                    self.not_taken(height, Stage::Execution);
                }
            }
            Output::Sign(vote) => self.write(vote.height, Stage::Signing, WriteJob::Vote(vote)),
            Output::Persist { height, certificate } => match self.chain.under_way(height).cloned() {
                Some(block) => self.write(height, Stage::Writing, WriteJob::Block { block, certificate }),
                None => error!(height = height.0, "the replica decided a block that was not executed here"),
            },
            Output::SetTimer(time) => self.timer = Some(time),
            Output::Halted(reason) => {
                error!(%reason, "the group has stopped");
                self.set_stopped(&reason.to_string());
                self.close_if_done();
            }
        }
    }

    /// Whoever waits for one of them is told when it is recorded.
    fn dropped(&self, dropped: Vec<Dropped>, needed_from: Arrival) {
        let (height, timestamp) = (self.ledger.height(), self.clock.now());
        self.drops.pending(dropped.iter().map(Dropped::id));
        let record = |dropped: Dropped| DroppedTransaction {
            id: dropped.id(),
            arrival: dropped.arrival,
            height,
            timestamp,
            reason: dropped.refusal.code().to_owned(),
            message: dropped.refusal.to_string(),
            signed: dropped.transaction.signed().clone(),
        };
        self.queue.push(Job::Drop(dropped.into_iter().map(record).collect()), needed_from);
    }

    fn push(&self, job: Job) {
        self.queue.push(job, self.replica.oldest());
    }

    fn write(&mut self, height: Height, stage: Stage, job: WriteJob) {
        match self.write.try_send(job) {
            Ok(()) => self.writing += 1,
            Err(_) => self.not_taken(height, stage),
        }
    }

    /// A thread did not take its work: nothing more can be committed.
    fn not_taken(&mut self, height: Height, stage: Stage) {
        let reason = "the thread that does it is gone, or has more to do than there can be".to_owned();
        self.tell(Input::Failed { height, stage, reason });
    }

    fn set_stopped(&self, reason: &str) {
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            stopped.get_or_insert_with(|| reason.into());
            first
        });
    }
}

/// Waits for a time, for ever if there is none.
async fn sleep_until(clock: &Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => tokio::time::sleep_until(Instant::now() + clock.until(time)).await,
        None => std::future::pending().await,
    }
}

/// The durable end of the chain as a base for the next block.
pub(crate) fn durable_base(ledger: &Ledger) -> Base {
    let (tip, state, nodes) = ledger.frozen();
    Base { height: tip.header.height, root: tip.header.state_root, state, nodes }
}

/// Starts the thread that runs blocks.
pub(crate) fn spawn_executor(
    mut executor: Executor,
    pool: Arc<rayon::ThreadPool>,
    events: Events,
) -> std::io::Result<(SyncSender<ExecuteJob>, JoinHandle<()>)> {
    let (sender, jobs): (_, Receiver<ExecuteJob>) = mpsc::sync_channel(JOBS);
    let run = move || {
        for job in jobs {
            let height = job.work.height();
            let ExecuteJob { work, base, recent_hashes } = job;
            let make = || pool.install(|| executor.make(work, &base, recent_hashes));
            let start = Instant::now();
            let result = guarded(make).map(Box::new);
            if events.blocking_send(Event::Executed { height, result, took: start.elapsed() }).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("hanse-execute".into()).spawn(run)?;
    Ok((sender, thread))
}

/// Starts the thread that makes votes and blocks durable.
pub(crate) fn spawn_writer<D: hanse_consensus::Disk + Send + 'static>(
    ledger: Ledger,
    mut votes: VoteLog<D>,
    chain: ChainIdentity,
    signer: Arc<dyn Signer>,
    reports: Reports,
    events: Events,
) -> std::io::Result<(SyncSender<WriteJob>, JoinHandle<()>)> {
    let (sender, jobs): (_, Receiver<WriteJob>) = mpsc::sync_channel(JOBS);
    let run = move || {
        for job in jobs {
            let mut durable = None;
            let event = match job {
                WriteJob::Vote(vote) => {
                    let height = vote.height;
                    let result = guarded(|| votes.sign(vote, &chain, &*signer));
                    Event::Signed { height, result }
                }
                WriteJob::Block { block, certificate } => {
                    let height = block.header.height;
                    let start = Instant::now();
                    let result = guarded(|| ledger.append(&new_block(&block, &certificate)));
                    durable = result.is_ok().then_some(block);
                    Event::Persisted { height, result, took: start.elapsed() }
                }
            };
            if events.blocking_send(event).is_err() {
                return;
            }
            durable.iter().for_each(|block| reports.committed(block));
        }
    };
    let thread = std::thread::Builder::new().name("hanse-write".into()).spawn(run)?;
    Ok((sender, thread))
}

fn new_block<'a>(block: &'a ExecutedBlock, certificate: &'a Certificate) -> NewBlock<'a> {
    NewBlock { header: &block.header, content: &block.content, certificate }
}

/// Runs something whose panic must not take the thread with it.
pub(crate) fn guarded<T, E: std::fmt::Display>(act: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("the node failed: {}", text.unwrap_or_default()))
        }
    }
}
