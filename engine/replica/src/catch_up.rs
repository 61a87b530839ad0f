//! How a replica that is behind gets and runs the blocks that the others have.
//!
//! Consensus asks a peer for the block of its height, and is answered from [`sync`](crate::sync) where that has taken over.
//! While one block is written, the next one runs already on top of it, as it is known to be decided: what comes of it waits
//! until consensus asks. A block that came with its outcomes is not run, they are applied.

use std::sync::Arc;

use hanse_consensus as consensus;
use hanse_consensus::{Consensus, Message, Peer, Recipient, Request, Verdict};
use hanse_types::{Hash, Height, ValidatorSet};

use crate::interface::{Amendments, HaltReason, Output, Shown};
use crate::replica::Replica;
use crate::sync::{BlockSync, Blocks, Examined, SyncOutput, SyncedBlock};
use crate::under_way::Candidate;

/// Blocks that are run, or wait for their turn after that, beyond the one that consensus decides.
const RUN_AHEAD: usize = 2;

impl<C: Consensus> Replica<C> {
    /// How far catching up is; none in a group of one node.
    pub fn sync(&self) -> Option<&BlockSync> {
        self.sync.as_ref()
    }

    /// Fetches no blocks from now on, or does again.
    pub fn hold_sync(&mut self, held: bool) {
        if let Some(sync) = &mut self.sync {
            sync.hold(held);
        }
    }

    /// What a peer says tells how far it is.
    pub(crate) fn hear(&mut self, from: Peer, message: &Message, out: &mut Vec<Output>) {
        if let Message::Status(status) = message {
            // It works on the height after its newest block.
            let tip = Height(status.height.0.saturating_sub(1));
            self.with_sync(out, |sync, now, wishes| sync.heard(from, tip, now, wishes));
        }
    }

    /// Blocks came.
    pub(crate) fn synced(&mut self, from: Peer, blocks: Blocks, out: &mut Vec<Output>) {
        self.with_sync(out, |sync, now, wishes| sync.answered(from, blocks, now, wishes));
    }

    /// Blocks were looked at.
    pub(crate) fn examined(&mut self, examined: Examined, out: &mut Vec<Output>) {
        self.with_sync(out, |sync, now, wishes| sync.examined(examined, now, wishes));
    }

    pub(crate) fn source_found(&mut self, peer: Peer) {
        if let Some(sync) = &mut self.sync {
            sync.peer_up(peer);
        }
    }

    pub(crate) fn source_lost(&mut self, peer: Peer, out: &mut Vec<Output>) {
        self.with_sync(out, |sync, now, wishes| sync.peer_down(peer, now, wishes));
    }

    /// A block is durable.
    pub(crate) fn came_so_far(
        &mut self,
        height: Height,
        hash: Hash,
        validators: Option<Arc<ValidatorSet>>,
        out: &mut Vec<Output>,
    ) {
        self.awaited = None;
        self.with_sync(out, |sync, _, wishes| sync.persisted(height, hash, validators, wishes));
    }

    /// Consensus sends something; whether it is a request that is answered from here.
    pub(crate) fn takes_over(&mut self, to: &Recipient, message: &Message, out: &mut Vec<Output>) -> bool {
        let (Recipient::One(peer), Message::Request(Request::Decided(height))) = (to, message) else { return false };
        let mut takes = false;
        self.with_sync(out, |sync, now, wishes| takes = sync.want(*height, now, wishes));
        self.awaited = takes.then_some(*peer);
        takes
    }

    /// Whether the height under way is known to be over for others: there is nothing to propose.
    pub(crate) fn is_over_elsewhere(&self) -> bool {
        self.sync.as_ref().is_some_and(BlockSync::has_next)
    }

    /// Does what has become possible: asks again, answers consensus, runs what comes next.
    pub(crate) fn catch_up(&mut self, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        self.with_sync(out, |sync, now, wishes| sync.tick(now, wishes));
        self.answer_consensus(out)?;
        self.run_ahead(out);
        Ok(())
    }

    fn answer_consensus(&mut self, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let Some(peer) = self.awaited else { return Ok(()) };
        let mut next = None;
        self.with_sync(out, |sync, _, wishes| next = sync.next(wishes).cloned());
        let Some(SyncedBlock { block, certificate, transactions, .. }) = next else { return Ok(()) };
        self.awaited = None;
        let hash = block.hash();
        if self.under_way.block(&hash).is_none() {
            self.under_way.wait_for(block.clone());
            self.under_way.supply(&hash, transactions);
        }
        let message = Message::Decided { certificate, block };
        self.consult(consensus::Input::Message { from: peer, message }, out)
    }

    /// Has the blocks after the one that consensus decides run on top of it.
    fn run_ahead(&mut self, out: &mut Vec<Output>) {
        for _ in 0..RUN_AHEAD {
            let Some(SyncedBlock { block, transactions, .. }) = self.next_to_run().cloned() else { return };
            let shown = Shown { block, transactions: transactions.clone().into() };
            let header = shown.block.header();
            self.under_way.add(Candidate {
                height: header.height,
                hash: shown.block.hash(),
                timestamp: header.timestamp,
                transactions,
                amendments: Amendments::default(),
                verdict: None,
                own: false,
                asked: false,
            });
            out.push(self.have_run(shown));
        }
    }

    /// Has a block run, or the outcomes applied that came with it: then it is known to be decided.
    pub(crate) fn have_run(&self, shown: Shown) -> Output {
        let synced = self.sync.as_ref().and_then(|sync| sync.block(shown.block.header().height));
        let outcomes = synced.filter(|synced| synced.block.hash() == shown.block.hash());
        match outcomes.and_then(|synced| synced.outcomes.clone()) {
            Some(outcomes) => Output::Apply(Box::new(shown), outcomes),
            None => Output::Check(Box::new(shown)),
        }
    }

    /// The first block that is here and is not run, if the one before was, was found good and changes nothing for it.
    fn next_to_run(&self) -> Option<&SyncedBlock> {
        let sync = self.sync.as_ref()?;
        let mut parent = sync.block(sync.tip().next())?;
        for _ in 0..RUN_AHEAD {
            let ran = self.under_way.block(&parent.block.hash())?;
            let is_base = ran.verdict == Some(Verdict::Good) && ran.amendments == Amendments::default();
            let next = sync.block(parent.block.header().height.next()).filter(|_| is_base)?;
            if next.block.header().parent != parent.block.hash() {
                return None;
            }
            if self.under_way.block(&next.block.hash()).is_none() {
                return Some(next);
            }
            parent = next;
        }
        None
    }

    fn with_sync(
        &mut self,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut BlockSync, hanse_types::Timestamp, &mut Vec<SyncOutput>),
    ) {
        let Some(sync) = &mut self.sync else { return };
        let mut wishes = Vec::new();
        act(sync, self.now, &mut wishes);
        out.extend(wishes.into_iter().map(|wish| match wish {
            SyncOutput::Send(peer, message) => Output::Sync(peer, message),
            SyncOutput::Examine(examination) => Output::Examine(examination),
            SyncOutput::Lied { peer, reason } => Output::Lied { peer, reason },
        }));
    }
}
