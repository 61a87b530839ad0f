//! The state machine: what comes in, when it has something to do by itself, and how it stops.

use std::collections::BTreeMap;

use hanse_consensus as consensus;
use hanse_consensus::{CompactBlock, Consensus, Peer, Recipient, Timer};
use hanse_txpool::{Arrival, Dropped, Kept, Pool, PoolStatus, Refusal};
use hanse_types::{Hash, Height, Timestamp, TxId, Verified};

use crate::interface::{HaltReason, Input, Output, Stage};
use crate::sync::BlockSync;
use crate::under_way::{Ahead, UnderWay};

/// Transactions that a peer is sent when it appears: what it may have missed.
const CATCH_UP: usize = 4_096;

/// Transactions that whoever makes the blocks is sent again.
const FORWARD: usize = 256;

/// Where a transaction is that was accepted and is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// It waits for its block.
    Waiting,
    /// It is in a block that is being made or written.
    Sealed {
        /// The block's height.
        height: Height,
    },
}

/// One node's part in one group.
#[derive(Debug)]
pub struct Replica<C> {
    pub(crate) pool: Pool,
    consensus: C,
    pub(crate) under_way: UnderWay,
    /// What is made while others vote on the block before it.
    pub(crate) ahead: Option<Ahead>,
    /// The newest time handed in.
    pub(crate) now: Timestamp,
    /// When a tick was asked for.
    timer: Option<Timestamp>,
    /// When consensus wants to be told what.
    timers: BTreeMap<Timer, Timestamp>,
    /// How many other nodes are connected.
    peers: usize,
    /// The block whose transactions were given out to be held.
    pub(crate) held: Option<Hash>,
    /// Those that an earlier process held, by their leaves.
    pub(crate) from_before: BTreeMap<Hash, Verified>,
    /// What it catches up with, in a group of several nodes.
    pub(crate) sync: Option<BlockSync>,
    /// The peer that consensus wants the next block of, if it comes from `sync`.
    pub(crate) awaited: Option<Peer>,
    halted: bool,
}

impl<C: Consensus> Replica<C> {
    /// A replica whose pool and consensus stand on the same newest block. The pool of a group of several nodes
    /// [is made for that](Pool::of_several).
    pub fn new(pool: Pool, consensus: C) -> Replica<C> {
        Replica {
            pool,
            consensus,
            under_way: UnderWay::default(),
            ahead: None,
            now: Timestamp(0),
            timer: None,
            timers: BTreeMap::new(),
            peers: 0,
            held: None,
            from_before: BTreeMap::new(),
            sync: None,
            awaited: None,
            halted: false,
        }
    }

    /// With the transactions that an earlier process held: of a block that it precommitted for, which nobody else may have.
    pub fn holding(self, transactions: impl IntoIterator<Item = Verified>) -> Replica<C> {
        let from_before = transactions.into_iter().map(|transaction| (transaction.leaf(), transaction)).collect();
        Replica { from_before, ..self }
    }

    /// With a way to catch up faster than block by block. It stands on the same newest block as the rest.
    pub fn catching_up_by(self, sync: BlockSync) -> Replica<C> {
        Replica { sync: Some(sync), ..self }
    }

    /// Takes over the transactions of a block that was under way when the node stopped: it can be run without asking
    /// anybody for them.
    pub fn recover(&mut self, block: &CompactBlock, transactions: Vec<Verified>) {
        self.under_way.wait_for(block.clone());
        self.under_way.supply(&block.hash(), transactions);
    }

    /// How full the pool is.
    pub fn pool_status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// The pool, to look at.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// From now on so many transactions are a batch, however short they have waited.
    pub fn seal_from(&mut self, count: usize) {
        self.pool.seal_from(count);
    }

    /// From now on deciding takes so long, in milliseconds.
    pub fn deciding_takes(&mut self, ms: u64) {
        self.pool.deciding_takes(ms);
    }

    /// Consensus, to look at.
    pub fn consensus(&self) -> &C {
        &self.consensus
    }

    /// How many other nodes are connected.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// Whether a transaction was accepted and is not committed yet.
    pub fn is_pending(&self, id: &TxId) -> bool {
        self.pool.contains(id)
    }

    /// Where a transaction is, if it was accepted and is not committed yet.
    pub fn locate(&self, id: &TxId) -> Option<Whereabouts> {
        if !self.pool.contains(id) {
            return None;
        }
        let ahead = || self.ahead.as_ref()?.height_of(id);
        let height = self.under_way.height_of(id).or_else(ahead);
        Some(height.map_or(Whereabouts::Waiting, |height| Whereabouts::Sealed { height }))
    }

    /// The place of the oldest transaction that it holds: what was kept of earlier ones is done with.
    pub fn oldest(&self) -> Arrival {
        self.pool.oldest()
    }

    /// What it holds and was not given out to be kept, for a driver that ends and keeps it nevertheless.
    pub fn keep_all(&mut self) -> Vec<Kept> {
        self.pool.keep_all()
    }

    /// Whether it has stopped.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// What it accepted and has not seen committed, in the order of arrival: to be submitted again after a restart.
    pub fn into_transactions(self) -> impl Iterator<Item = Verified> {
        self.pool.into_transactions()
    }

    /// Takes one input. Outputs are appended to `out`; the driver carries them out in their order.
    pub fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        self.now = self.now.max(now);
        let result = self.handle(input, out);
        if let Err(reason) = result.and_then(|()| self.advance(out)) {
            self.halt(reason, out);
        }
    }

    fn handle(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        match input {
            Input::Submitted { transactions, since, from, keep } => {
                self.submitted(transactions, since, from, keep, out);
                Ok(())
            }
            Input::Tick => Ok(()),
            Input::NotKept { reason } => Err(HaltReason::NotKept { reason }),
            Input::Persisted { height } => self.persisted(height, out),
            Input::Failed { height, stage, reason } => {
                self.give_up_ahead();
                let ids = self.under_way.fail_from(height);
                self.pool.returned(ids);
                Err(HaltReason::Failed { height, stage, reason })
            }
            // What a stopped replica is still told about blocks that it gave up, and by those who don't know yet.
            _ if self.halted => Ok(()),
            Input::Start => self.consult(consensus::Input::Start, out),
            Input::Executed { header, shown, amendments } => self.executed(header, shown, amendments, out),
            Input::Checked { block, verdict, amendments } => self.checked(block, verdict, amendments, out),
            Input::Supplied { block, transactions } => self.supplied(&block, transactions, out),
            Input::Signed(signed) => self.consult(consensus::Input::Signed(signed), out),
            Input::Recorded => self.consult(consensus::Input::Recorded, out),
            Input::Synced { from, blocks } => {
                self.synced(from, blocks, out);
                Ok(())
            }
            Input::Examined(examined) => {
                self.examined(examined, out);
                Ok(())
            }
            Input::Message { from, message } => {
                self.hear(from, &message, out);
                self.consult(consensus::Input::Message { from, message: *message }, out)
            }
            Input::PeerUp(peer) => self.peer_up(peer, out),
            Input::PeerDown(peer) => {
                self.peers = self.peers.saturating_sub(1);
                self.source_lost(peer, out);
                self.consult(consensus::Input::PeerDown(peer), out)
            }
        }
    }

    fn submitted(
        &mut self,
        transactions: Vec<Verified>,
        since: Timestamp,
        from: Option<Peer>,
        keep: bool,
        out: &mut Vec<Output>,
    ) {
        let relayed = self.peers > 0 && from.is_none();
        let submitted = if keep || relayed { transactions.clone() } else { Vec::new() };
        let answers: Vec<_> =
            transactions.into_iter().map(|transaction| self.submit(transaction, since, from)).collect();
        let is_here = |answer: &Result<_, Refusal>| matches!(answer, Ok(_) | Err(Refusal::AlreadyInPool { .. }));
        let here = submitted.iter().zip(&answers).filter(|(_, answer)| is_here(answer));
        let kept = here.filter(|_| keep).filter_map(|(transaction, _)| self.pool.keep(&transaction.id())).collect();
        let new = submitted.iter().zip(&answers).filter(|(_, answer)| relayed && answer.is_ok());
        let new: Vec<Verified> = new.map(|(transaction, _)| transaction.clone()).collect();
        out.push(Output::Admitted(answers));
        if keep {
            out.push(Output::Keep { kept, needed_from: self.pool.oldest() });
        }
        if !new.is_empty() {
            out.push(Output::Relay(Recipient::All, new));
        }
    }

    fn submit(&mut self, transaction: Verified, since: Timestamp, from: Option<Peer>) -> Result<TxId, Refusal> {
        if self.halted {
            return Err(Refusal::GroupStopped);
        }
        match from {
            None => self.pool.submit(transaction, since, self.now),
            Some(_) => self.pool.relayed(transaction, since, self.now),
        }
    }

    fn peer_up(&mut self, peer: Peer, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        self.peers += 1;
        self.source_found(peer);
        let waiting = self.pool.oldest_waiting(CATCH_UP);
        if !waiting.is_empty() {
            out.push(Output::Relay(Recipient::One(peer), waiting));
        }
        self.consult(consensus::Input::PeerUp(peer), out)
    }

    fn persisted(&mut self, height: Height, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let unexpected = HaltReason::Unexpected { height, stage: Stage::Writing };
        let (block, validators) = self.under_way.persisted(height).ok_or_else(|| unexpected.clone())?;
        self.pool.committed(&block).map_err(|_| unexpected)?;
        self.came_so_far(height, block.hash, validators.clone(), out);
        self.pool.admit_early(self.now);
        self.from_before.clear();
        self.timers.retain(|timer, _| !matches!(timer, Timer::Step { height: of, .. } if *of <= height));
        if self.halted {
            return Ok(());
        }
        if let Some(set) = validators {
            self.consult(consensus::Input::Validators { from: height.next(), set }, out)?;
        }
        self.consult(consensus::Input::Persisted { height }, out)
    }

    /// Does what has become possible: tells consensus the time, drops what expired, asks for a block, sets the timer.
    fn advance(&mut self, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        if self.halted {
            return Ok(());
        }
        while let Some((timer, _)) = self.timers.iter().find(|(_, at)| **at <= self.now).map(|(t, at)| (*t, *at)) {
            self.timers.remove(&timer);
            self.consult(consensus::Input::Timeout(timer), out)?;
        }
        let dropped = self.pool.expire(self.next_time());
        self.drop_from_pool(dropped, out);
        self.catch_up(out)?;
        self.make_ahead(out);
        if self.pool.is_due(self.now) && self.under_way.has_room() && !self.is_over_elsewhere() {
            self.consult(consensus::Input::BatchReady, out)?;
        }
        self.offer_ahead(out)?;
        self.set_timer(out);
        Ok(())
    }

    /// Tells of those that have left the pool. With each output goes what is needed as things are then, not at the end of the
    /// step: what is dropped later in it must not be forgotten before that is written.
    pub(crate) fn drop_from_pool(&self, dropped: Vec<Dropped>, out: &mut Vec<Output>) {
        if !dropped.is_empty() {
            out.push(Output::Dropped { dropped, needed_from: self.pool.oldest() });
        }
    }

    fn set_timer(&mut self, out: &mut Vec<Output>) {
        let batch = self.pool.deadline().filter(|at| *at > self.now && self.under_way.has_room());
        let sync = self.sync.as_ref().and_then(BlockSync::deadline);
        let wanted = batch.into_iter().chain(sync).chain(self.timers.values().copied()).min();
        if let Some(at) = wanted.filter(|_| wanted != self.timer) {
            self.timer = wanted;
            out.push(Output::SetTimer(at));
        }
    }

    /// Tells consensus something and does what it says.
    pub(crate) fn consult(&mut self, input: consensus::Input, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let mut wishes = Vec::new();
        self.consensus.step(input, self.now, &mut wishes);
        wishes.into_iter().try_for_each(|wish| self.fulfil(wish, out))
    }

    fn fulfil(&mut self, wish: consensus::Output, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        match wish {
            consensus::Output::Propose(slot) => return self.propose(slot, out),
            consensus::Output::Decide(certificate) => return self.decide(certificate, out),
            consensus::Output::Check(block) => return self.check(block, out),
            consensus::Output::Foresee(slot) => self.foresee(slot),
            consensus::Output::Halt(fault) => return Err(fault.into()),
            consensus::Output::SetTimer { timer, after_ms } => {
                self.timers.insert(timer, self.now.plus_ms(after_ms.max(1)));
            }
            consensus::Output::ServeTransactions { to, block, missing } => {
                self.serve_transactions(to, block, missing, out);
            }
            consensus::Output::Supply { block, transactions } => {
                let transactions = transactions.into_iter().map(|(_, bytes)| bytes).collect();
                out.push(Output::Verify { block, transactions });
            }
            consensus::Output::Forward(to) => {
                let ids = self.under_way.give_up_own(Height(u64::MAX));
                self.pool.returned(ids);
                self.give_up_ahead();
                let waiting = self.pool.oldest_waiting(FORWARD);
                if !waiting.is_empty() {
                    out.push(Output::Relay(Recipient::One(to), waiting));
                }
            }
            consensus::Output::Sign(intent) => {
                self.hold(&intent, out);
                out.push(Output::Sign(intent));
            }
            consensus::Output::Record(record) => {
                let bodies = record.blocks().map(|block| self.under_way.body(block)).collect();
                out.push(Output::Record { record, bodies });
            }
            consensus::Output::Send(to, message) => {
                if !self.takes_over(&to, &message, out) {
                    out.push(Output::Send(to, message));
                }
            }
            consensus::Output::ServeDecided { to, height } => out.push(Output::ServeDecided { to, height }),
            consensus::Output::Evidence(evidence) => out.push(Output::Evidence(evidence)),
            consensus::Output::KeyUsedElsewhere(signed) => out.push(Output::KeyUsedElsewhere(signed)),
        }
        Ok(())
    }

    /// The earliest time of the next block: now, or just after the newest block, written or not.
    pub(crate) fn next_time(&self) -> Timestamp {
        let newest = self.under_way.newest_time().unwrap_or(self.pool.history().timestamp());
        self.now.max(newest.plus_ms(1))
    }

    /// Stops. A block that is decided may still become durable, so it stays under way; others are given up.
    fn halt(&mut self, reason: HaltReason, out: &mut Vec<Output>) {
        self.give_up_ahead();
        let ids = self.under_way.give_up(Height(u64::MAX));
        self.pool.returned(ids);
        if !self.halted {
            self.halted = true;
            out.push(Output::Halted(reason));
        }
    }
}
