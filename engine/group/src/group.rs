//! A running group, as those above see it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hanse_consensus::Peer;
use hanse_ledger::Ledger;
use hanse_txpool::{PoolStatus, Refusal};
use hanse_types::{
    Address, ContractRef, Execution, Gas, Genesis, Hash, Header, Members, Receipt, SignedTransaction, Timestamp,
    Transaction, TxId, Verified,
};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::agreement::{Accusation, Accusations, Agreement};
use crate::clock::Clock;
use crate::drops::Drops;
use crate::event::{Event, Events};
use crate::feed::{Feed, Outcome};
use crate::intake::Submission;
use crate::look::Settings;
use crate::observe::{Observe, Recent, tally};
use crate::preparation::Preparation;
use crate::queries::{ContractInfo, Queries, QueryError, Simulation};
use crate::snapshots::{FetchProgress, Offers, SyncMode};
use crate::submit_error::SubmitError;
use crate::sync::{Lies, Progress};
use crate::timeline::Timelines;
use crate::trace::{TraceError, TxTrace};
use crate::window::{Verifying, Window};

/// A handle of a running group. Cheap to clone; the group runs until [`Group::stop`].
#[derive(Clone)]
pub struct Group {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) genesis_hash: Hash,
    pub(crate) ledger: Ledger,
    pub(crate) intake: Mutex<Option<mpsc::Sender<Submission>>>,
    /// How much may be under way.
    pub(crate) window: Arc<Window>,
    pub(crate) preparation: Preparation,
    pub(crate) events: Events,
    pub(crate) feed: Arc<Feed>,
    pub(crate) drops: Arc<Drops>,
    /// Held by whoever tries a failed transaction again.
    pub(crate) retrying: tokio::sync::Mutex<()>,
    pub(crate) queries: Queries,
    pub(crate) clock: Clock,
    pub(crate) status: watch::Receiver<PoolStatus>,
    /// Why the group takes nothing any more.
    pub(crate) stopped: watch::Receiver<Option<Arc<str>>>,
    pub(crate) agreement: watch::Receiver<Option<Agreement>>,
    pub(crate) members: watch::Receiver<Arc<Members>>,
    pub(crate) accusations: Arc<Accusations>,
    pub(crate) sync_progress: watch::Receiver<Option<Progress>>,
    pub(crate) lies: Arc<Lies>,
    pub(crate) sync_mode: SyncMode,
    /// How far getting a snapshot is, if one was to be got at the start.
    pub(crate) fetch: Option<watch::Receiver<FetchProgress>>,
    pub(crate) offers: Option<Offers>,
    pub(crate) observer: Arc<dyn Observe>,
    pub(crate) recent_figures: Arc<Recent>,
    pub(crate) timelines: Arc<Timelines>,
    pub(crate) settings: Settings,
    pub(crate) tasks: Mutex<Option<Tasks>>,
}

/// What an accepted transaction outlives while it waits for its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A stop of the group, but no crash. Costs nothing.
    Memory,
    /// A crash too: the answer comes after it is on the disk, in one write with all that arrived meanwhile.
    Disk,
}

/// What runs in the background.
pub(crate) struct Tasks {
    pub(crate) driver: tokio::task::JoinHandle<()>,
    /// Takes in what other members send.
    pub(crate) inbound: Option<tokio::task::JoinHandle<()>>,
    /// Gets a snapshot; with what ends it.
    pub(crate) fetch: Option<(tokio::task::JoinHandle<()>, watch::Sender<bool>)>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WaitError {
    /// It was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It left the pool without being executed, and never will be.
    #[error("the transaction was dropped unexecuted: {reason}")]
    Dropped {
        /// Why, by its stable name.
        reason: Arc<str>,
    },
    /// The time is over. It may still be executed, until it expires: ask again by its id.
    #[error(
        "outcome unknown: no block with the transaction was committed in time; it may still be, ask again by its id"
    )]
    OutcomeUnknown,
    /// The ledger could not be read.
    #[error("the ledger could not be read: {reason}")]
    Ledger {
        /// What it said.
        reason: String,
    },
}

impl Group {
    /// The founders' agreement.
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.inner.genesis
    }

    /// Its hash, which every signature covers.
    pub fn genesis_hash(&self) -> Hash {
        self.inner.genesis_hash
    }

    /// Whether both are handles of the same running group.
    pub fn is(&self, other: &Group) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// What is durable.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// Submits a transaction. It is in the pool when the answer comes, and promised as said.
    ///
    /// # Errors
    /// If it is invalid or refused; nothing of it is kept then. [`SubmitError::OutcomeUnknown`] if it was accepted, but
    /// the node then failed.
    pub async fn submit(&self, transaction: SignedTransaction, durability: Durability) -> Result<TxId, SubmitError> {
        self.submit_many(vec![transaction], durability).await.pop().unwrap_or(Err(SubmitError::Stopped))
    }

    /// Submits many transactions at once; the answers are in their order.
    pub async fn submit_many(
        &self,
        transactions: Vec<SignedTransaction>,
        durability: Durability,
    ) -> Vec<Result<TxId, SubmitError>> {
        let count = transactions.len();
        let answers = match self.admit(transactions, durability).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); count],
        };
        for (reason, count) in tally(answers.iter().filter_map(|answer| answer.as_ref().err().map(SubmitError::code))) {
            self.inner.observer.refused(reason, count);
        }
        answers
    }

    /// Why nothing at all is taken now, whatever it is; for whoever would have to decode it first. `count` transactions
    /// are counted as refused then.
    ///
    /// # Errors
    /// That is the answer.
    pub fn check_open(&self, count: usize) -> Result<(), SubmitError> {
        self.status_if_open(count)
            .inspect_err(|error| self.inner.observer.refused(error.code(), count as u64))
            .map(drop)
    }

    async fn admit(
        &self,
        mut transactions: Vec<SignedTransaction>,
        durability: Durability,
    ) -> Result<Vec<Result<TxId, SubmitError>>, SubmitError> {
        let surplus = self.at_the_door(&mut transactions)?;
        let (verifying, since) = (self.inner.window.enter(transactions.len()), self.inner.queries.now());
        let (valid, answers) = self.prepared(transactions, verifying).await?;
        let (reply, admitted) = oneshot::channel();
        let keep = durability == Durability::Disk;
        let event = Event::Submitted { transactions: valid, since, from: None, keep, reply };
        self.inner.events.send(event).await.map_err(|_| SubmitError::Stopped)?;
        let mut admitted = admitted.await.map_err(|_| SubmitError::Stopped)?.into_iter();
        let answer = |invalid: Option<SubmitError>| match invalid {
            Some(error) => Err(error),
            None => admitted.next().unwrap_or(Err(SubmitError::Stopped)),
        };
        Ok(answers.into_iter().map(answer).chain(surplus).collect())
    }

    /// Verifies transactions and prepares what they deploy: those that are good, and of each why it is not.
    async fn prepared(
        &self,
        transactions: Vec<SignedTransaction>,
        verifying: Verifying,
    ) -> Result<(Vec<Verified>, Vec<Option<SubmitError>>), SubmitError> {
        let (reply, verified) = oneshot::channel();
        let intake = self.inner.intake.lock().clone().ok_or(SubmitError::Stopped)?;
        let sent = intake.send(Submission { transactions, reply }).await;
        sent.map_err(|_| SubmitError::Stopped)?;
        let verified = verified.await.map_err(|_| SubmitError::Stopped)?;
        // From here on, the pool counts them.
        drop(verifying);

        let mut valid = Vec::with_capacity(verified.len());
        let mut answers = Vec::with_capacity(verified.len());
        for result in verified {
            let prepared = match result {
                Ok(transaction) => self.inner.preparation.of(transaction).await,
                Err(invalid) => Err(invalid.into()),
            };
            answers.push(prepared.map(|transaction| valid.push(transaction)).err());
        }
        Ok((valid, answers))
    }

    /// Takes in what clients of another member have submitted there. Nobody waits for an answer: what is not taken is
    /// still with the member.
    pub(crate) async fn relayed(&self, from: Peer, transactions: Vec<SignedTransaction>) {
        let (verifying, since) = (self.inner.window.enter(transactions.len()), self.inner.queries.now());
        let Ok((valid, _)) = self.prepared(transactions, verifying).await else { return };
        let (reply, answers) = oneshot::channel();
        let event = Event::Submitted { transactions: valid, since, from: Some(from), keep: false, reply };
        if self.inner.events.send(event).await.is_ok() {
            // They are in the pool, or were refused, before more is taken.
            drop(answers.await);
        }
    }

    /// The pool's status, if anything of so many is taken now. Where few wait, and for long, more may be let in than the pool takes;
    /// it refuses the rest.
    fn status_if_open(&self, count: usize) -> Result<PoolStatus, SubmitError> {
        if !self.is_running() {
            return Err(SubmitError::Stopped);
        }
        let (status, now) = (self.pool_status(), self.inner.queries.now());
        if let Some(since) = status.waiting_since.filter(|_| status.closes_at.is_some_and(|at| at < now)) {
            self.inner.window.turned_away();
            let waited_ms = now.since_ms(since);
            return Err(Refusal::PoolSlow { count: status.waiting, waited_ms }.into());
        }
        if self.inner.window.room(&status, count) == 0 && status.room > 0 {
            self.inner.window.turned_away();
            return Err(SubmitError::Busy);
        }
        Ok(status)
    }

    /// Takes away what the pool has no room for, before anything of it is verified, and gives the answers to that: those
    /// for the end of the submission. The pool itself has the last word.
    fn at_the_door(
        &self,
        transactions: &mut Vec<SignedTransaction>,
    ) -> Result<Vec<Result<TxId, SubmitError>>, SubmitError> {
        let status = self.status_if_open(transactions.len())?;
        let room = self.inner.window.room(&status, transactions.len());
        let surplus = transactions.len().saturating_sub(room);
        transactions.truncate(room);
        if surplus == 0 {
            return Ok(Vec::new());
        }
        self.inner.window.turned_away();
        let full = Refusal::PoolFull { count: status.waiting + status.sealed, bytes: status.bytes };
        let refused = if room == status.room { full.into() } else { SubmitError::Busy };
        Ok(vec![Err(refused); surplus])
    }

    /// Submits a transaction and waits until the block that holds it is durable.
    ///
    /// # Errors
    /// If it is refused or dropped; or [`WaitError::OutcomeUnknown`] after the time is over.
    pub async fn submit_and_wait(
        &self,
        transaction: SignedTransaction,
        timeout: Duration,
    ) -> Result<Arc<Receipt>, WaitError> {
        let id = self.submit(transaction, Durability::Memory).await?;
        self.wait(id, timeout).await
    }

    /// Waits until the block that holds a transaction is durable.
    ///
    /// # Errors
    /// As [`Group::submit_and_wait`].
    pub async fn wait(&self, id: TxId, timeout: Duration) -> Result<Arc<Receipt>, WaitError> {
        let outcome = self.inner.feed.wait(id);
        // Asked after the wait began, so that an outcome that came before it is not missed.
        if let Some(receipt) = self.committed(&id)? {
            self.inner.feed.forget(id);
            return Ok(receipt);
        }
        if let Some(reason) = self.was_dropped(id).await {
            self.inner.feed.forget(id);
            // One that was dropped can be sent again: a block may hold it since the ledger was asked.
            return self.committed(&id)?.ok_or(WaitError::Dropped { reason });
        }
        match tokio::time::timeout(timeout, outcome).await {
            Ok(Ok(Outcome::Committed(receipt))) => Ok(receipt),
            Ok(Ok(Outcome::Dropped { reason })) => Err(WaitError::Dropped { reason }),
            Ok(Err(_)) | Err(_) => {
                self.inner.feed.forget(id);
                Err(WaitError::OutcomeUnknown)
            }
        }
    }

    fn committed(&self, id: &TxId) -> Result<Option<Arc<Receipt>>, WaitError> {
        let known = self.inner.ledger.receipt_of(id);
        known.map(|receipt| receipt.map(Arc::new)).map_err(|error| WaitError::Ledger { reason: error.to_string() })
    }

    /// What a transaction would do in the next block. Nothing of it stays.
    ///
    /// # Errors
    /// If the state can't be read.
    pub async fn simulate(&self, transaction: Transaction) -> Result<Simulation, QueryError> {
        self.inner.queries.run(transaction, false).await
    }

    /// What a committed transaction did, step by step; none if the chain does not have it. It is run again for that.
    ///
    /// # Errors
    /// If the state before it can't be read, or was pruned, or takes too long to read.
    pub async fn trace(&self, id: TxId) -> Result<Option<TxTrace>, TraceError> {
        self.inner.queries.trace(id).await
    }

    /// Calls a method as a view on the newest state; it can't change anything.
    ///
    /// # Errors
    /// If the state can't be read.
    pub async fn query(
        &self,
        contract: ContractRef,
        method: &str,
        args: Vec<u8>,
        caller: Address,
    ) -> Result<Execution, QueryError> {
        let transaction = Transaction {
            version: Transaction::VERSION,
            chain_id: self.inner.genesis.chain_id.clone(),
            group_id: self.inner.genesis.group_id.clone(),
            sender: caller,
            nonce: 0,
            ref_height: self.tip().borrow().height,
            ref_hash: [0; 8],
            timestamp: Timestamp(0),
            expiration: Timestamp(u64::MAX),
            gas_limit: Gas(QUERY_GAS),
            business_id: Vec::new(),
            contract,
            method: method.to_owned(),
            args,
        };
        Ok(self.inner.queries.run(transaction, true).await?.execution)
    }

    /// What the state says of a contract, none if there is none.
    ///
    /// # Errors
    /// If the state can't be read.
    pub fn contract_info(&self, contract: &ContractRef) -> Result<Option<ContractInfo>, QueryError> {
        self.inner.queries.contract(contract)
    }

    /// The ABI document (JSON) of a contract, none if there is no contract or it has none.
    ///
    /// # Errors
    /// If the state can't be read.
    pub fn abi(&self, contract: &ContractRef) -> Result<Option<Vec<u8>>, QueryError> {
        self.inner.queries.abi(contract)
    }

    /// The newest committed header, and its successors as they come.
    pub fn tip(&self) -> watch::Receiver<Arc<Header>> {
        self.inner.feed.tip()
    }

    /// Where consensus is; none in a group whose only validator decides alone.
    pub fn agreement(&self) -> Option<Agreement> {
        *self.inner.agreement.borrow()
    }

    /// Follows it.
    pub fn follow_agreement(&self) -> watch::Receiver<Option<Agreement>> {
        self.inner.agreement.clone()
    }

    /// Who takes part in the group, as the newest committed block says, and as later ones change it.
    pub fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.inner.members.clone()
    }

    /// Who was proven faulty, the oldest proof first; bounded.
    pub fn accusations(&self) -> Arc<Vec<Accusation>> {
        self.inner.accusations.all()
    }

    /// Milliseconds by which the group's clock was moved ahead of the machine's.
    pub fn clock_ahead_ms(&self) -> u64 {
        self.inner.clock.ahead_ms()
    }

    /// Moves the group's clock ahead, for a chain in development: the next block is of the new time, and what expires
    /// until then has expired. Says by how much the clock was moved altogether, in milliseconds.
    pub async fn advance_clock(&self, by: Duration) -> u64 {
        let ahead = self.inner.clock.advance(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        // A group that has stopped needs no time.
        let _ = self.inner.events.send(Event::ClockMoved).await;
        ahead
    }

    /// What waits.
    pub fn pool_status(&self) -> PoolStatus {
        *self.inner.status.borrow()
    }

    /// Whether the group takes transactions.
    pub fn is_running(&self) -> bool {
        self.stopped().is_none()
    }

    /// Why the group takes no transactions any more, none while it does. It has failed for good, or was stopped; what is
    /// durable can still be read.
    pub fn stopped(&self) -> Option<Arc<str>> {
        let reason = self.inner.stopped.borrow().clone();
        // A driver that ended without a word has panicked.
        let gone = || self.inner.events.is_closed().then(|| Arc::from("the node failed; its log says more"));
        reason.or_else(gone)
    }

    /// Stops: takes nothing more, and waits for what is being written. What is in the pool goes on when the group is opened
    /// again; those who wait for it now see an unknown outcome.
    pub async fn stop(&self) {
        let Some(tasks) = self.inner.tasks.lock().take() else { return };
        drop(self.inner.intake.lock().take());
        if let Some((fetching, stop)) = tasks.fetch {
            stop.send_replace(true);
            let _ = fetching.await;
        }
        // If the driver is gone already, there is nothing to tell.
        let _ = self.inner.events.send(Event::Stop).await;
        let _ = tasks.driver.await;
        if let Some(inbound) = tasks.inbound {
            inbound.abort();
            let _ = inbound.await;
        }
        let join = || tasks.threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
    }

    /// [`Group::stop`], and then waits until nobody uses the group and its files are closed, at most so long; whether they
    /// are. The group can be opened again then.
    pub async fn close(self, patience: Duration) -> bool {
        self.stop().await;
        let closed = self.ledger().closed();
        drop(self);
        tokio::task::spawn_blocking(move || closed.wait(patience)).await.unwrap_or(false)
    }
}

/// Gas of a view that is asked for by a client: bounds how long it takes.
pub const QUERY_GAS: u64 = 1_000_000_000;
