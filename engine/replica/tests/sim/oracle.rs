//! What must hold, seen from outside: the oracle only knows what went in, what came out, and what is on the disk.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hanse_consensus::{Precommit, Solo};
use hanse_replica::{Replica, Work};
use hanse_txpool::admission::{self, Place};
use hanse_txpool::{CommittedBlock, Dropped, History, Kept, PoolLimits, Refusal};
use hanse_types::{Hash, Height, Params, Round, Timestamp, TxId, Verified};

use super::Block;
use super::queue::Job;
use crate::support::World;

/// An accepted transaction that is not on the disk, as far as the replica was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    since: Timestamp,
    expiration: Timestamp,
    sealed: bool,
}

pub(crate) struct Oracle {
    limits: PoolLimits,
    /// The chain's history, kept on its own.
    history: History,
    /// What the next block is measured by.
    params: Params,
    asked: Vec<(TxId, Timestamp)>,
    /// When those came.
    since: Timestamp,
    /// When the newest of all that were accepted came: who comes later has not waited longer.
    newest: Timestamp,
    pending: BTreeMap<TxId, Pending>,
    /// Every transaction on the disk, and where.
    executed: BTreeMap<TxId, Height>,
    votes: BTreeMap<(Height, Round), Precommit>,
    /// A block is being executed or voted on.
    making: Option<Height>,
    /// Blocks handed out and not reported durable.
    under_way: BTreeSet<Height>,
    dropped: usize,
    /// The newest submission's transactions that are in the pool, new or not.
    here: Vec<TxId>,
    /// Those of which a client was told that they outlive the process.
    promised: BTreeSet<TxId>,
    /// Those of which a client may have been told that they will never be executed, since the newest time they were accepted.
    told_dropped: BTreeSet<TxId>,
    restored: usize,
    /// Blocks that were made while the one before was being written.
    made_ahead: usize,
    /// Since when those waited that were dropped in this step: a batch may have been ready because of them.
    dropped_in_step: Vec<Timestamp>,
}

impl Oracle {
    pub(crate) fn new(world: World, limits: PoolLimits) -> Oracle {
        Oracle {
            limits,
            history: world.history(),
            params: world.params().clone(),
            asked: Vec::new(),
            since: Timestamp(0),
            newest: Timestamp(0),
            pending: BTreeMap::new(),
            executed: BTreeMap::new(),
            votes: BTreeMap::new(),
            making: None,
            under_way: BTreeSet::new(),
            dropped: 0,
            here: Vec::new(),
            promised: BTreeSet::new(),
            told_dropped: BTreeSet::new(),
            restored: 0,
            made_ahead: 0,
            dropped_in_step: Vec::new(),
        }
    }

    pub(crate) fn committed(&self) -> usize {
        self.executed.len()
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }

    pub(crate) fn promised(&self) -> usize {
        self.promised.len()
    }

    pub(crate) fn restored(&self) -> usize {
        self.restored
    }

    pub(crate) fn made_ahead(&self) -> usize {
        self.made_ahead
    }

    pub(crate) fn submitted(&mut self, batch: &[Verified], since: Timestamp) {
        self.since = since;
        self.asked = batch.iter().map(|tx| (tx.id(), tx.transaction().expiration)).collect();
    }

    /// Each is answered once, and what is on the disk or pending is never accepted again.
    pub(crate) fn admitted(&mut self, answers: &[Result<TxId, Refusal>], now: Timestamp) {
        let asked = std::mem::take(&mut self.asked);
        assert_eq!(asked.len(), answers.len());
        let is_here = |answer: &Result<_, Refusal>| matches!(answer, Ok(_) | Err(Refusal::AlreadyInPool { .. }));
        let here = asked.iter().zip(answers).filter(|(_, answer)| is_here(answer));
        self.here = here.map(|((id, _), _)| *id).collect();
        for ((id, expiration), answer) in asked.into_iter().zip(answers) {
            let Ok(accepted) = answer else { continue };
            assert_eq!(*accepted, id);
            assert!(expiration > now, "accepted after its expiration");
            self.newest = self.newest.max(self.since);
            let since = self.newest;
            assert!(!self.executed.contains_key(&id), "accepted again after it was executed");
            let twice = self.pending.insert(id, Pending { since, expiration, sealed: false });
            assert_eq!(twice, None, "accepted twice");
            // Another life begins, with promises of its own.
            self.told_dropped.remove(&id);
            self.promised.remove(&id);
        }
    }

    /// The transactions of the newest submission that will be promised to outlive the process, once they do.
    pub(crate) fn answers_held(&mut self) -> Vec<TxId> {
        std::mem::take(&mut self.here)
    }

    /// A write of the queue is done, and who waited for it is told.
    pub(crate) fn kept(&mut self, job: &Job) {
        self.promised.extend(&job.answered);
        self.told_dropped.extend(job.dropped.iter().map(Dropped::id));
    }

    /// After a restart, what was promised is there again, unless it came to its end; and nothing else is.
    /// What is recorded as dropped, `ended`, is told whoever asks.
    pub(crate) fn restored_now(&mut self, kept: &[Kept], ended: &BTreeSet<TxId>, now: Timestamp) {
        self.told_dropped.extend(ended);
        self.newest = if kept.is_empty() { Timestamp(0) } else { now };
        for Kept { transaction, .. } in kept {
            let id = transaction.id();
            assert!(!self.executed.contains_key(&id), "restored after it was executed");
            assert!(!self.told_dropped.contains(&id), "restored after its client was told that it is dropped");
            let expiration = transaction.transaction().expiration;
            let twice = self.pending.insert(id, Pending { since: now, expiration, sealed: false });
            assert_eq!(twice, None, "restored twice");
        }
        self.restored += kept.len();
        self.check_promises();
    }

    /// What was promised is in the pool or came to its end.
    fn check_promises(&self) {
        for id in &self.promised {
            let ended = self.executed.contains_key(id) || self.told_dropped.contains(id);
            assert!(ended || self.pending.contains_key(id), "lost what was promised");
        }
    }

    /// Only what is pending and in no block is dropped, and only for a reason that is true.
    pub(crate) fn dropped_now(&mut self, dropped: &[Dropped], now: Timestamp) {
        for Dropped { transaction, refusal, .. } in dropped {
            let pending = self.pending.remove(&transaction.id()).expect("dropped what was not pending");
            assert!(!pending.sealed, "dropped out of a block");
            match refusal {
                Refusal::Expired { block_time, .. } => assert!(*block_time >= pending.expiration && *block_time >= now),
                Refusal::ReferenceTooOld { height, oldest } => assert!(height < oldest),
                // A clock that was set back at a restart finds this of what it takes over.
                Refusal::ExpiresTooLate { expiration, latest } => assert!(self.restored > 0 && expiration > latest),
                other => panic!("dropped for {other}"),
            }
            self.dropped += 1;
            self.dropped_in_step.push(pending.since);
        }
    }

    /// A batch goes out: full, or because one waited; one at a time, at most one ahead of the disk.
    pub(crate) fn sealed(&mut self, work: &Work, now: Timestamp) {
        assert_eq!(self.making, None, "two blocks are made at once");
        let next = self.under_way.last().copied().unwrap_or(self.history.height()).next();
        assert_eq!(work.height(), next);
        assert!(self.under_way.len() < 2, "more than one block ahead");
        assert!(!work.batch.is_empty() && work.timestamp >= now);
        assert!(work.batch.len() <= self.params.block_tx_count_max as usize);
        let has_waited = |since: &Timestamp| now.since_ms(*since) >= self.params.block_interval_ms;
        let mut waited = self.dropped_in_step.iter().any(has_waited);
        for transaction in &work.batch {
            let pending = self.pending.get_mut(&transaction.id()).expect("a block of what was never accepted");
            assert!(!pending.sealed, "in two blocks");
            assert!(pending.expiration > work.timestamp, "in a block after its expiration");
            pending.sealed = true;
            waited |= has_waited(&pending.since);
        }
        let full = work.batch.len() + self.dropped_in_step.len() >= self.params.block_tx_count_max as usize;
        assert!(full || waited, "sealed early");
        self.made_ahead += self.under_way.len();
        self.making = Some(work.height());
        self.under_way.insert(work.height());
    }

    pub(crate) fn executed(&mut self, params: &Params) {
        self.params = params.clone();
    }

    /// One vote for one position, for ever; none before the parent is durable.
    pub(crate) fn voted(&mut self, vote: Precommit, stored: u64) {
        assert_eq!(vote.height.0, stored + 1, "a vote before the parent is durable");
        let before = self.votes.insert((vote.height, vote.round), vote);
        assert!(before.is_none_or(|before| before == vote), "two votes for one position");
    }

    pub(crate) fn decided(&mut self, height: Height) {
        assert_eq!(self.making.take(), Some(height), "decided what was not made");
    }

    /// A block is on the disk: it continues the chain and a validator would accept it.
    pub(crate) fn stored(&mut self, block: &Block, params: &Params, parent: Hash) {
        let header = &block.header;
        assert_eq!(header.parent, parent);
        assert!(header.timestamp > self.history.timestamp(), "time does not grow");
        let place = Place { height: header.height, timestamp: header.timestamp };
        let verdict = admission::check_block(&block.transactions, params, &self.history, place, &HashSet::new());
        assert_eq!(verdict, Ok(()));
        for transaction in &block.transactions {
            let before = self.executed.insert(transaction.id(), header.height);
            assert_eq!(before, None, "executed twice");
            let id = transaction.id();
            assert!(!self.told_dropped.contains(&id), "executed after its client was told that it is dropped");
        }
        let transactions = block.transactions.iter().map(|tx| (tx.id(), tx.transaction().expiration)).collect();
        let hash = header.hash();
        let committed = CommittedBlock { height: header.height, hash, timestamp: header.timestamp, transactions };
        self.history.append(&committed).expect("heights follow one another");
    }

    pub(crate) fn persisted(&mut self, block: &Block) {
        assert_eq!(self.under_way.pop_first(), Some(block.header.height), "durable out of order");
        for transaction in &block.transactions {
            assert!(self.pending.remove(&transaction.id()).is_some_and(|pending| pending.sealed));
        }
    }

    /// Power was lost, and with it what was only in memory.
    pub(crate) fn crashed(&mut self) {
        self.pending.clear();
        self.nothing_under_way();
    }

    /// A stopped replica gives back exactly what it had accepted.
    pub(crate) fn stopped(&mut self, given_back: &[Verified]) {
        let given_back: BTreeSet<_> = given_back.iter().map(Verified::id).collect();
        assert_eq!(given_back, self.pending.keys().copied().collect());
        self.pending.clear();
        self.nothing_under_way();
    }

    pub(crate) fn started(&mut self, params: &Params) {
        self.params = params.clone();
    }

    fn nothing_under_way(&mut self) {
        self.making = None;
        self.under_way.clear();
    }

    /// After every step: memory is bounded, the books agree, and nobody waits who need not.
    pub(crate) fn check_step(&mut self, replica: &Replica<Solo>, now: Timestamp) {
        self.dropped_in_step.clear();
        let status = replica.pool_status();
        assert!(status.waiting + status.sealed <= self.limits.count && status.bytes <= self.limits.bytes);
        assert_eq!(status.waiting + status.sealed, self.pending.len());
        if self.making.is_some() || self.under_way.len() >= 2 || replica.is_halted() {
            return;
        }
        let waiting = || self.pending.values().filter(|pending| !pending.sealed);
        assert!(waiting().count() < self.params.block_tx_count_max as usize, "full, but not sealed");
        let overdue = waiting().any(|pending| now.since_ms(pending.since) >= self.params.block_interval_ms);
        assert!(!overdue, "one has waited, but nothing is sealed");
    }

    /// At the end nothing is left: every accepted transaction was committed or dropped.
    pub(crate) fn check_rest(&self, replica: &Replica<Solo>) {
        assert!(!replica.is_halted());
        self.check_promises();
        assert_eq!(self.pending, BTreeMap::new());
        let status = replica.pool_status();
        assert_eq!((status.waiting, status.sealed, status.bytes), (0, 0, 0));
    }
}
