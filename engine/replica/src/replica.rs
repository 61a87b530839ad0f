//! The state machine.

use hanse_consensus as consensus;
use hanse_consensus::{Consensus, SignedPrecommit, Slot};
use hanse_txpool::{Arrival, Dropped, Kept, Place, Pool, PoolStatus, Refusal};
use hanse_types::{Certificate, Header, Height, Params, Timestamp, TxId, Verified};

use crate::interface::{HaltReason, Input, Output, Stage, Work};
use crate::pipeline::{InWork, Pipeline};

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
    pool: Pool,
    consensus: C,
    pipeline: Pipeline,
    /// The newest time handed in.
    now: Timestamp,
    /// When a tick was asked for.
    timer: Option<Timestamp>,
    halted: bool,
}

impl<C: Consensus> Replica<C> {
    /// A replica whose pool and consensus stand on the same newest block.
    pub fn new(pool: Pool, consensus: C) -> Replica<C> {
        Replica { pool, consensus, pipeline: Pipeline::default(), now: Timestamp(0), timer: None, halted: false }
    }

    /// How full the pool is.
    pub fn pool_status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// The pool, to look at.
    pub fn pool(&self) -> &Pool {
        &self.pool
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
        Some(self.pipeline.height_of(id).map_or(Whereabouts::Waiting, |height| Whereabouts::Sealed { height }))
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
        let result = match input {
            Input::Submitted { transactions, since, keep } => {
                self.submitted(transactions, since, keep, out);
                Ok(())
            }
            Input::Tick => Ok(()),
            Input::NotKept { reason } => Err(HaltReason::NotKept { reason }),
            Input::Persisted { height } => self.persisted(height, out),
            Input::Failed { height, stage, reason } => {
                self.give_back_from(height);
                Err(HaltReason::Failed { height, stage, reason })
            }
            // What a stopped replica is still told about blocks that it gave up.
            Input::Executed { .. } | Input::Signed(_) if self.halted => Ok(()),
            Input::Executed { header, params } => self.executed(header, params, out),
            Input::Signed(signed) => self.signed(signed, out),
        };
        if let Err(reason) = result.and_then(|()| self.advance(out)) {
            self.halt(reason, out);
        }
    }

    fn submitted(&mut self, transactions: Vec<Verified>, since: Timestamp, keep: bool, out: &mut Vec<Output>) {
        let ids: Vec<TxId> = transactions.iter().filter(|_| keep).map(Verified::id).collect();
        let answers: Vec<_> = transactions.into_iter().map(|transaction| self.submit(transaction, since)).collect();
        let is_here = |answer: &Result<_, Refusal>| matches!(answer, Ok(_) | Err(Refusal::AlreadyInPool { .. }));
        let here = ids.into_iter().zip(&answers).filter(|(_, answer)| is_here(answer));
        let kept = here.filter_map(|(id, _)| self.pool.keep(&id)).collect();
        out.push(Output::Admitted(answers));
        if keep {
            out.push(Output::Keep { kept, needed_from: self.pool.oldest() });
        }
    }

    fn submit(&mut self, transaction: Verified, since: Timestamp) -> Result<TxId, Refusal> {
        if self.halted {
            return Err(Refusal::GroupStopped);
        }
        self.pool.submit(transaction, since, self.now)
    }

    fn executed(
        &mut self,
        header: Box<Header>,
        params: Option<Box<Params>>,
        out: &mut Vec<Output>,
    ) -> Result<(), HaltReason> {
        let height = header.height;
        let unexpected = HaltReason::Unexpected { height, stage: Stage::Execution };
        let block = self.pipeline.in_execution(height).ok_or(unexpected)?;
        let (expected, expected_timestamp) = (block.len(), block.timestamp());
        let Header { tx_count: found, timestamp, .. } = *header;
        if found as usize != expected || timestamp != expected_timestamp {
            return Err(HaltReason::OtherBlock { height, found, expected, timestamp, expected_timestamp });
        }
        self.pipeline.executed(&header);
        if let Some(params) = params {
            self.pool.set_params(*params);
        }
        self.consult(consensus::Input::Executed(header), out)
    }

    fn signed(&mut self, signed: SignedPrecommit, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        self.consult(consensus::Input::Signed(signed.into()), out)
    }

    fn persisted(&mut self, height: Height, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let unexpected = HaltReason::Unexpected { height, stage: Stage::Writing };
        let block = self.pipeline.persisted(height).ok_or_else(|| unexpected.clone())?;
        self.pool.committed(&block).map_err(|_| unexpected)?;
        match self.halted {
            true => Ok(()),
            false => self.consult(consensus::Input::Persisted { height }, out),
        }
    }

    /// Does what has become possible: drops what expired, asks for a block, sets the timer.
    fn advance(&mut self, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        if self.halted {
            return Ok(());
        }
        let dropped = self.pool.expire(self.next_time());
        self.drop_from_pool(dropped, out);
        if self.pool.is_due(self.now) && self.has_room() {
            self.consult(consensus::Input::BatchReady, out)?;
        }
        self.set_timer(out);
        Ok(())
    }

    fn has_room(&self) -> bool {
        !self.pipeline.is_full() && !self.pipeline.is_making()
    }

    /// Tells of those that have left the pool. With each output goes what is needed as things are then, not at the end of the
    /// step: what is dropped later in it must not be forgotten before that is written.
    pub(crate) fn drop_from_pool(&self, dropped: Vec<Dropped>, out: &mut Vec<Output>) {
        if !dropped.is_empty() {
            out.push(Output::Dropped { dropped, needed_from: self.pool.oldest() });
        }
    }

    fn set_timer(&mut self, out: &mut Vec<Output>) {
        let wanted = self.pool.deadline().filter(|at| *at > self.now && self.has_room());
        if let Some(at) = wanted.filter(|_| wanted != self.timer) {
            self.timer = wanted;
            out.push(Output::SetTimer(at));
        }
    }

    /// Tells consensus something and does what it says.
    fn consult(&mut self, input: consensus::Input, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let mut wishes = Vec::new();
        self.consensus.step(input, self.now, &mut wishes);
        for wish in wishes {
            match wish {
                consensus::Output::Propose(slot) => self.propose(slot, out)?,
                consensus::Output::Sign(intent) => match intent.precommit() {
                    Some(vote) => out.push(Output::Sign(vote)),
                    None => return Err(HaltReason::OtherValidators),
                },
                consensus::Output::Decide(certificate) => self.decide(certificate, out),
                consensus::Output::Halt(fault) => return Err(fault.into()),
                _ => return Err(HaltReason::OtherValidators),
            }
        }
        Ok(())
    }

    fn propose(&mut self, slot: Slot, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let timestamp = self.next_time();
        let sealed = self.pool.seal(Place { height: slot.height, timestamp });
        self.drop_from_pool(sealed.dropped, out);
        if sealed.batch.is_empty() {
            return self.consult(consensus::Input::Withdrawn, out);
        }
        self.pipeline.push(InWork::new(slot.height, timestamp, &sealed.batch));
        out.push(Output::Execute(Work { slot, timestamp, batch: sealed.batch }));
        Ok(())
    }

    fn decide(&mut self, certificate: Certificate, out: &mut Vec<Output>) {
        let height = certificate.height;
        self.pipeline.decided(height);
        out.push(Output::Persist { height, certificate });
    }

    /// The earliest time of the next block: now, or just after the newest block, written or not.
    fn next_time(&self) -> Timestamp {
        let newest = self.pipeline.newest().map_or(self.pool.history().timestamp(), InWork::timestamp);
        self.now.max(newest.plus_ms(1))
    }

    fn give_back_from(&mut self, height: Height) {
        let ids = self.pipeline.fail_from(height);
        self.pool.returned(ids);
    }

    /// Stops. A block that is decided may still become durable, so it stays under way; others are given up.
    fn halt(&mut self, reason: HaltReason, out: &mut Vec<Output>) {
        let ids = self.pipeline.fail_undecided();
        self.pool.returned(ids);
        if !self.halted {
            self.halted = true;
            out.push(Output::Halted(reason));
        }
    }
}
