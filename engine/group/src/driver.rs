//! Carries out what the replica wants, and tells it what came of it.
//!
//! One task owns the replica and nothing slow: blocks are run by one thread (on the CPU pool), votes and blocks are made
//! durable by another, and both report back (`workers.rs`). So the next block runs while this one is written. A third one
//! keeps accepted transactions (`queue.rs`). What has to do with other members is in `exchange.rs`.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use hanse_consensus::{Evidence, Intent, Peer, Recipient, SignedStatement, Verdict};
use hanse_ledger::{DroppedTransaction, Ledger};
use hanse_replica::sync::BlockSync;
use hanse_replica::{Amendments, Blamed, Input, Output, Replica, Stage};
use hanse_txpool::{Arrival, Dropped, PoolStatus, Suspicion};
use hanse_types::{Certificate, Hash, Header, Height, Members, Timestamp, TxId, Verified};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::agreement::{Accusation, Accusations, Agreement};
use crate::blame::RunFailure;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::deciding::Deciding;
use crate::drops::Drops;
use crate::engine::Engine;
use crate::event::{Event, Made};
use crate::exchange::Exchange;
use crate::execution::{Base, Checked};
use crate::feed::Feed;
use crate::observe::Observation;
use crate::queue::{Answers, Job, Queue};
use crate::running::Making;
use crate::snapshots::Offers;
use crate::submit_error::SubmitError;
use crate::suspects::names;
use crate::sync::{Lie, Lies, Progress, Teller};
use crate::window::{Aim, Window};
use crate::workers::{Execute, ExecuteJob, WriteJob};

/// See the module.
pub(crate) struct Driver {
    pub(crate) replica: Replica<Engine>,
    pub(crate) exchange: Exchange,
    pub(crate) clock: Clock,
    pub(crate) chain: Chain,
    pub(crate) deciding: Deciding,
    /// How long a proposer is waited for, in milliseconds.
    pub(crate) propose_ms: u64,
    pub(crate) ledger: Ledger,
    pub(crate) feed: Arc<Feed>,
    pub(crate) drops: Arc<Drops>,
    pub(crate) queue: Queue,
    pub(crate) status: watch::Sender<PoolStatus>,
    pub(crate) window: Arc<Window>,
    /// Why the group takes nothing any more; the first reason stays.
    pub(crate) stopped: watch::Sender<Option<Arc<str>>>,
    /// Where consensus is.
    pub(crate) agreement: watch::Sender<Option<Agreement>>,
    pub(crate) accusations: Arc<Accusations>,
    /// How far catching up is.
    pub(crate) sync_progress: watch::Sender<Option<Progress>>,
    pub(crate) lies: Arc<Lies>,
    pub(crate) teller: Teller,
    /// Snapshots for other members, in a group that has any.
    pub(crate) offers: Option<Offers>,
    /// Who takes part in the group, as the newest durable block says.
    pub(crate) members: watch::Sender<Arc<Members>>,
    pub(crate) observation: Observation,
    pub(crate) jobs: SyncSender<ExecuteJob>,
    pub(crate) write: SyncSender<WriteJob>,
    /// When the replica wants to be told that time has passed.
    pub(crate) timer: Option<Timestamp>,
    /// Transactions to be durable before the next statement is.
    pub(crate) hold: Vec<Verified>,
    /// Writes that were handed out and not reported.
    pub(crate) writing: usize,
}

impl Driver {
    /// Runs until it is told to stop, then waits for what is being written.
    pub(crate) async fn run(mut self, mut events: tokio::sync::mpsc::Receiver<Event>) {
        self.tell(Input::Start);
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
                Some(Event::Persisted { height, hash, result, took }) => self.persisted(height, hash, result, took),
                Some(Event::Signed { .. } | Event::Recorded { .. }) => self.writing -= 1,
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
            Event::Submitted { mut transactions, since, from, keep, reply } => {
                let convicted = self.drops.convicted_among(&transactions);
                // Those of clients here are asked for once more; peers only don't know.
                if from.is_some() && !convicted.is_empty() {
                    transactions.retain(|transaction| !convicted.contains(&transaction.id()));
                }
                self.submitted(Input::Submitted { transactions, since, from, keep }, convicted, reply);
            }
            // Whoever asked may have gone.
            Event::Locate { id, reply } => drop(reply.send(self.replica.locate(&id))),
            Event::List { after, limit, reply } => drop(reply.send(self.replica.pool().list(after.as_ref(), limit))),
            Event::Find { id, reply } => drop(reply.send(self.replica.pool().get(&id))),
            Event::Renew { id, renewal, done } => self.push(Job::Renew { id, renewal, done }),
            Event::NotKept { reason } => self.tell(Input::NotKept { reason }),
            Event::Executed { height, result, took } => match result {
                Ok(made) => self.executed(made, took),
                Err(failure) => self.not_run(height, failure),
            },
            Event::Checked { height, block, result, took } => match result {
                Ok(checked) => self.checked(block, checked, took),
                Err(failure) => self.not_run(height, failure),
            },
            Event::Synced { from, blocks } => self.tell(Input::Synced { from, blocks }),
            Event::Examined(examined) => self.tell(Input::Examined(*examined)),
            Event::Supplied { block, transactions } => self.tell(Input::Supplied { block, transactions }),
            Event::Message { from, message } => self.tell(Input::Message { from, message }),
            Event::HoldSync(held) => self.replica.hold_sync(held),
            Event::PeerUp(peer) => self.tell(Input::PeerUp(peer)),
            Event::PeerDown(peer) => self.tell(Input::PeerDown(peer)),
            Event::Signed { height, result } => {
                self.writing -= 1;
                match result {
                    Ok(vote) => self.tell(Input::Signed(vote)),
                    Err(reason) => self.tell(Input::Failed { height, stage: Stage::Signing, reason }),
                }
            }
            Event::Recorded { height, result } => {
                self.writing -= 1;
                match result {
                    Ok(()) => self.tell(Input::Recorded),
                    Err(reason) => self.tell(Input::Failed { height, stage: Stage::Recording, reason }),
                }
            }
            Event::Persisted { height, hash, result, took } => self.persisted(height, hash, result, took),
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
        input: Input,
        convicted: Vec<TxId>,
        reply: oneshot::Sender<Vec<Result<TxId, SubmitError>>>,
    ) {
        self.replica.suspect_on_arrival(convicted.clone());
        let outputs = self.step(input);
        self.replica.suspect_on_arrival(Vec::new());
        let (mut reply, mut held, mut again) = (Some(reply), None, Vec::new());
        for output in outputs {
            match output {
                Output::Admitted(answers) => {
                    // One that waits already keeps the trials that it had.
                    again = answers.iter().flatten().filter(|id| convicted.contains(id)).copied().collect();
                    held = reply.take().map(|reply| Answers { answers, reply });
                }
                Output::Keep { kept, needed_from } => {
                    self.queue.push(Job::Keep { kept, answers: held.take() }, needed_from);
                }
                output => self.perform(output),
            }
        }
        // Nothing was promised that has to be kept.
        held.into_iter().for_each(Answers::give);
        self.suspect(again.iter().filter_map(|id| self.replica.pool().suspicion(id)).collect());
    }

    fn executed(&mut self, made: Made, took: Duration) {
        let Made { block, shown } = made;
        self.observation.executed(block.header.height, took);
        let (header, amendments) = (Box::new(block.header.clone()), block.amendments.clone());
        debug!(
            height = header.height.0,
            transactions = header.tx_count,
            executions = block.stats.executions,
            strays = block.stats.strays,
            edges = block.stats.edges,
            "block executed"
        );
        let acquitted = self.replica.acquit(block.content.transactions());
        self.acquit(acquitted);
        self.deciding.shown(block.header.height, block.hash, self.clock.now());
        self.chain.executed(block);
        self.tell(Input::Executed { header, shown, amendments });
    }

    fn checked(&mut self, block: Hash, checked: Checked, took: Duration) {
        let (verdict, amendments) = match checked {
            Checked::Good(made) => {
                self.observation.executed(made.header.height, took);
                let amendments = made.amendments.clone();
                let acquitted = self.replica.acquit(made.content.transactions());
                self.acquit(acquitted);
                self.chain.executed(Arc::new(*made));
                (Verdict::Good, amendments)
            }
            Checked::Bad(reason) => {
                warn!(%block, reason, "a block was proposed that is not what it claims to be");
                (Verdict::Bad, Amendments::default())
            }
        };
        self.tell(Input::Checked { block, verdict, amendments });
    }

    fn persisted(&mut self, height: Height, hash: Hash, result: Result<(), String>, took: Duration) {
        self.writing -= 1;
        if let Err(reason) = result {
            return self.tell(Input::Failed { height, stage: Stage::Writing, reason });
        }
        let Some(block) = self.chain.persisted(&hash, durable_base(&self.ledger)) else { return };
        self.deciding.durable(height, &hash, self.clock.now());
        if let Some(offers) = &self.offers {
            offers.durable(height);
        }
        info!(height = height.0, transactions = block.header.tx_count, hash = %block.hash, "block committed");
        if let Some(members) = &block.members {
            self.members.send_replace(members.clone());
        }
        let parent = self.feed.tip().borrow().timestamp;
        self.observation.committed(&block, parent, took);
        self.follow_the_wait();
        // Whoever is told of it finds the room free that it took; and is told of it, even if the group stops now.
        let outputs = self.step(Input::Persisted { height });
        self.feed.committed(Arc::new(block.header.clone()), block.content.receipts());
        self.perform_all(outputs);
        if let Some(progress) = self.replica.sync().map(BlockSync::progress) {
            self.teller.tell(&progress, height);
        }
    }

    /// Lets as much in from now on, and makes blocks as soon, as the block that is durable now says.
    fn follow_the_wait(&mut self) {
        let pool = self.replica.pool();
        let (interval_ms, decides_alone) = (pool.params().block_interval_ms, self.agreement.borrow().is_none());
        // A node that makes no blocks does not know; it allows for as long as a block may wait to fill.
        let deciding_ms = self.deciding.least_ms().unwrap_or(interval_ms);
        self.window.durable(&pool.status(), self.clock.now(), Aim::of(pool, deciding_ms, decides_alone));
        // Windows differ: who is early waits for a proposer who is not, and must not give it up before the interval is over.
        let seals_early = decides_alone || interval_ms < self.propose_ms;
        self.replica.seal_from(if seals_early { self.window.batch(decides_alone) } else { usize::MAX });
        self.replica.deciding_takes(deciding_ms);
    }

    fn tell(&mut self, input: Input) {
        let outputs = self.step(input);
        self.perform_all(outputs);
    }

    /// What is to be done about it. Whoever is answered sees in the pool's status what came of it.
    fn step(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.replica.step(input, self.clock.now(), &mut outputs);
        self.status.send_replace(self.replica.pool_status());
        outputs
    }

    /// Does it, and tells those who watch how far agreement and catching up are.
    fn perform_all(&mut self, outputs: Vec<Output>) {
        outputs.into_iter().for_each(|output| self.perform(output));
        let now = self.replica.consensus().agreement(self.replica.peers());
        self.observation.moved(*self.agreement.borrow(), now);
        self.agreement.send_if_modified(|before| std::mem::replace(before, now) != now);
        let progress = self.replica.sync().map(BlockSync::progress);
        self.sync_progress.send_if_modified(|before| std::mem::replace(before, progress) != progress);
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
                let making = Making::new(self.replica.pool(), &work.batch);
                self.execute(work.height(), work.parent(), Execute::Make(work, making));
            }
            Output::Check(shown) => {
                let Header { height, parent, .. } = *shown.block.header();
                self.execute(height, parent, Execute::Check(shown));
            }
            Output::Apply(shown, outcomes) => {
                let Header { height, parent, .. } = *shown.block.header();
                self.execute(height, parent, Execute::Apply(shown, outcomes));
            }
            Output::Hold { transactions, .. } => self.hold = transactions,
            Output::Sign(intent) => self.sign(intent),
            Output::Record { record, bodies } => {
                self.write(record.height(), Stage::Recording, WriteJob::Record { record, bodies });
            }
            Output::Persist { height, certificate } => self.persist(height, certificate),
            Output::SetTimer(time) => self.timer = Some(time),
            Output::Send(to, message) => self.exchange.send(to, message),
            Output::Relay(to, transactions) => self.relay(to, transactions),
            Output::ServeDecided { to, height } => self.exchange.serve_decided(to, height),
            Output::ServeTransactions { to, block, missing } => self.exchange.serve_transactions(to, block, missing),
            Output::Sync(to, message) => self.exchange.sync(to, message),
            Output::Examine(examination) => self.exchange.examine(examination),
            Output::Lied { peer, reason } => self.lied(peer, &reason),
            Output::Verify { block, transactions } => self.exchange.verify(block, transactions),
            Output::Evidence(evidence) => self.accuse(&evidence),
            Output::KeyUsedElsewhere(signed) => self.warn_of_key(&signed),
            Output::Halted(reason) => {
                error!(%reason, "the group has stopped");
                self.set_stopped(&reason.to_string());
                self.close_if_done();
            }
        }
    }

    fn execute(&mut self, height: Height, parent: Hash, what: Execute) {
        let Some((base, recent_hashes)) = self.chain.base(&parent) else {
            let reason = format!("its parent {parent} is not at the end of this chain; this is a bug in the node");
            return self.tell(Input::Failed { height, stage: Stage::Execution, reason });
        };
        if self.jobs.try_send(ExecuteJob { what, base, recent_hashes }).is_err() {
            self.not_taken(height, Stage::Execution);
        }
    }

    /// A block could not be run: what that may be put down to is marked before the group stops.
    fn not_run(&mut self, height: Height, failure: RunFailure) {
        let RunFailure { reason, blamed, batch } = failure;
        let Blamed { kept, suspects, acquitted, convicted } = self.replica.blame(&blamed, batch, &reason);
        if !kept.is_empty() {
            self.push(Job::Keep { kept, answers: None });
        }
        if !blamed.is_empty() && convicted.is_none() {
            let (height, count, which) = (height.0, blamed.len(), names(blamed.iter()));
            error!(which, count, height, reason, "the node failed, maybe by these: after a start they run apart");
        }
        self.suspect(suspects);
        self.acquit(acquitted);
        if let Some(convicted) = convicted {
            self.observation.dropped(std::iter::once(convicted.refusal.code()));
            self.dropped(vec![convicted], self.replica.oldest());
        }
        self.tell(Input::Failed { height, stage: Stage::Execution, reason });
    }

    fn suspect(&self, suspects: Vec<Suspicion>) {
        if !suspects.is_empty() {
            self.push(Job::Suspect(suspects));
        }
    }

    /// What was under suspicion at these places is so no more.
    fn acquit(&self, acquitted: Vec<Arrival>) {
        if !acquitted.is_empty() {
            self.push(Job::Acquit(acquitted));
        }
    }

    /// Sends what clients have submitted here to peers, but none by which they might fail.
    fn relay(&self, to: Recipient, mut transactions: Vec<Verified>) {
        if self.replica.pool().has_suspects() {
            transactions.retain(|transaction| self.replica.pool().suspicion(&transaction.id()).is_none());
        }
        if !transactions.is_empty() {
            self.exchange.relay(to, &transactions);
        }
    }

    fn sign(&mut self, intent: Intent) {
        let (height, hold) = (intent.statement.height, std::mem::take(&mut self.hold));
        let job = WriteJob::Sign { intent: Box::new(intent), hold };
        self.write(height, Stage::Signing, job);
    }

    fn persist(&mut self, height: Height, certificate: Certificate) {
        match self.chain.block(&certificate.block_hash).cloned() {
            Some(block) => self.write(height, Stage::Writing, WriteJob::Block { block, certificate }),
            None => {
                let reason = "it was decided, but not run here; this is a bug in the node".to_owned();
                self.tell(Input::Failed { height, stage: Stage::Writing, reason });
            }
        }
    }

    fn lied(&self, peer: Peer, reason: &str) {
        let key = self.exchange.transport.as_ref().and_then(|transport| transport.key_of(peer));
        self.lies.report(Lie { peer, key, reason: reason.into(), timestamp: self.clock.now() });
    }

    fn accuse(&self, evidence: &Evidence) {
        let Evidence { first, second } = evidence;
        let (height, round) = (first.statement.height.0, first.statement.round.0);
        error!(
            validator = evidence.validator(),
            height,
            round,
            first = ?first.statement.word,
            second = ?second.statement.word,
            "a validator contradicts itself: it is faulty, or somebody else has its key"
        );
        let accusation = Accusation { evidence: *evidence, timestamp: self.clock.now() };
        let (accusations, observation) = (self.accusations.clone(), self.observation.observer());
        tokio::task::spawn_blocking(move || match accusations.add(accusation) {
            Ok(true) => observation.accused(),
            Ok(false) => {}
            // The store accepts nothing any more then, and stops the group.
            Err(error) => error!(%error, "evidence could not be kept"),
        });
    }

    fn warn_of_key(&self, signed: &SignedStatement) {
        let (height, round) = (signed.statement.height.0, signed.statement.round.0);
        error!(
            height,
            round,
            "somebody else signs with this node's key, or its record of votes is an old copy: it signs nothing at \
            this height; stop the other node, or give this one a new key"
        );
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
