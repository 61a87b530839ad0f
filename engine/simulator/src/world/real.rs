//! Carrying out what whole nodes want done, in runs with the real parts: what the driver does in a node.

use std::sync::Arc;

use hanse_consensus::{CompactBlock, Message, Peer, Recipient, Verdict};
use hanse_group::execution::Checked;
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::{Amendments, HaltReason, Input, Output, Shown, Stage, Work};
use hanse_types::{Certificate, Header, Outcomes, TxId, Verified};

use crate::byzantine::Kind as Behaviour;
use crate::cut::Kind;
use crate::node::{Committed, Job, Mind};
use crate::real::{Recorded, Whole, Write, on_threads_of};
use crate::world::{Event, World};

/// Of a thousand writes of a ledger, those that fail.
const WRITES_FAIL: u64 = 30;
/// Why a node drops what no block can hold any more.
const EXPIRED: &str = "expired";
/// Transactions that clients send at once, at most.
const BURST: u64 = 8;

impl World {
    /// Clients send some transactions to one node.
    pub(super) fn clients(&mut self) {
        let comes = self.healed.is_some() || self.tape.has_transaction(self.next_tx);
        let (at, count) = (self.work.below(self.nodes.len() as u64) as usize, self.work.between(1, BURST));
        let transactions: Vec<Verified> = (0..count).filter_map(|_| self.signed_for(at)).collect();
        if comes {
            self.submit(at, transactions);
        }
    }

    /// Whether a node has a transaction that is in no block of its own ledger yet.
    pub(super) fn is_pending_at(&mut self, at: usize, id: &TxId) -> bool {
        self.whole(at).is_some_and(|whole| whole.replica.is_pending(id))
    }

    pub(super) fn is_committed_at(&mut self, at: usize, id: &TxId) -> bool {
        self.whole(at).is_some_and(|whole| matches!(whole.ledger.find_transaction(id), Ok(Some(_))))
    }

    /// What a client sends to this node. Mostly it refers to the newest block that the node shows it.
    pub(super) fn signed_for(&mut self, at: usize) -> Option<Verified> {
        let (now, first) = (self.nodes[at].now(self.time), self.work.chance(300));
        let (tip, hash) = self.nodes[at].tip_with_hash(&self.chain);
        let newest = (tip.height, hash);
        let real = self.real.as_mut()?;
        let reference = if first { real.genesis_block() } else { newest };
        Some(real.send(&mut self.work, reference, now))
    }

    pub(super) fn submit(&mut self, at: usize, transactions: Vec<Verified>) {
        self.summary.sent += transactions.len() as u64;
        let since = self.nodes[at].now(self.time);
        self.tell_whole(at, Input::Submitted { transactions, since, from: None, keep: true });
    }

    pub(super) fn whole(&mut self, at: usize) -> Option<&mut Whole> {
        match &mut self.nodes[at].life.as_mut()?.mind {
            Mind::Whole(whole) => Some(whole),
            Mind::Engine(_) => None,
        }
    }

    pub(super) fn tell_whole(&mut self, at: usize, input: Input) {
        let now = self.nodes[at].now(self.time);
        let Some(whole) = self.whole(at) else { return };
        let mut out = Vec::new();
        whole.replica.step(input, now, &mut out);
        let engine = whole.replica.consensus();
        let (position, kept) = (engine.position(), engine.kept());
        self.fold(at as u64 ^ position.0.0 << 8 ^ u64::from(position.1.0) << 32 ^ (out.len() as u64) << 48);
        if self.nodes[at].is_honest() {
            self.oracle.kept(at, kept, self.nodes.len());
        }
        // Clients are answered when what they were promised is written.
        let mut answered = Vec::new();
        for output in out {
            match output {
                Output::Admitted(answers) => answered.extend(answers.into_iter().filter_map(Result::ok)),
                Output::Keep { kept, needed_from } => {
                    let promised = std::mem::take(&mut answered);
                    self.enqueue(at, Write { kept, promised, dropped: Vec::new(), needed_from });
                }
                Output::Dropped { dropped, needed_from } => {
                    let dropped = dropped.iter().map(|dropped| (dropped.id(), dropped.refusal.code())).collect();
                    self.enqueue(at, Write { kept: Vec::new(), promised: Vec::new(), dropped, needed_from });
                }
                output => self.perform_whole(at, output),
            }
        }
    }

    /// Writes are done in their order; what a crash overtakes may be lost.
    fn enqueue(&mut self, at: usize, write: Write) {
        let after = self.takes(at, 1, 3);
        let node = &mut self.nodes[at];
        // One that is behind a slow one is done after it.
        node.queue_until = node.queue_until.max(self.time + after);
        let (after, life) = (node.queue_until - self.time, node.lives);
        self.plan(after, Event::Queued { node: at, life, write: Box::new(write) });
    }

    pub(super) fn queued(&mut self, at: usize, write: Write) {
        let is_full = self.nodes[at].disk.is_full();
        if let Some(place) = self.nodes[at].place.as_mut().filter(|_| !is_full) {
            return place.queue.write(write);
        }
        self.summary.disk_failures += 1;
        if let Some(whole) = self.whole(at) {
            whole.failed = true;
        }
        self.tell_whole(at, Input::NotKept { reason: "no space is left".into() });
    }

    /// What clients of honest nodes were promised: each transaction is in the chain, or was recorded as dropped, or waits
    /// where it was accepted.
    pub(super) fn check_promises(&mut self) {
        let honest: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_honest()).collect();
        self.summary.taken_over = honest.iter().map(|at| self.nodes[*at].taken_over).sum();
        for at in honest {
            let Some(place) = &self.nodes[at].place else { continue };
            let promised = place.queue.promised();
            self.summary.kept += promised.len() as u64;
            for (id, recorded) in promised {
                let Some(whole) = self.whole(at) else { continue };
                let waits = whole.replica.is_pending(&id);
                let found = whole.ledger.find_transaction(&id).map(|place| place.is_some());
                self.summary.expired += u64::from(recorded == Recorded::Dropped(EXPIRED));
                match (found, recorded) {
                    (Ok(true), Recorded::Dropped(reason)) => {
                        self.oracle.fail(format!("node {at} dropped {id} ({reason}), which is in the chain"));
                    }
                    (Ok(false), Recorded::Nothing) if !waits => {
                        self.oracle.fail(format!("node {at} has lost {id}, which it had promised to keep"));
                    }
                    (Ok(_), _) => {}
                    (Err(error), _) => self.oracle.fail(format!("node {at} can't read its ledger: {error}")),
                }
            }
        }
    }

    fn perform_whole(&mut self, at: usize, output: Output) {
        match output {
            // These go to the queue.
            Output::Admitted(_) | Output::Keep { .. } | Output::Dropped { .. } => {}
            Output::Execute(work) => self.make_whole(at, work),
            Output::Check(shown) => self.check_whole(at, *shown, None),
            Output::Apply(shown, outcomes) => self.check_whole(at, *shown, Some(&outcomes)),
            Output::Hold { transactions, .. } => {
                let held = self.whole(at).map(|whole| hanse_group::held::write(&whole.ledger, &transactions));
                if let Some(Err(error)) = held {
                    self.oracle.fail(format!("node {at} can't write what it holds: {error}"));
                }
            }
            Output::Sign(intent) => self.begin_job(at, Job::Sign(intent)),
            Output::Record { .. } => self.oracle.fail(format!("node {at} acts like a raft")),
            Output::Sync(to, message) => self.send_sync(at, to, message),
            Output::Examine(examination) => self.examine(at, examination),
            Output::Lied { peer, reason } => self.lied(at, peer, &reason),
            Output::Persist { certificate, .. } => self.decide(at, certificate),
            Output::SetTimer(time) => {
                let after = time.since_ms(self.nodes[at].now(self.time));
                self.plan_whole(at, after, Input::Tick);
            }
            Output::Send(recipient, message) => self.send(at, recipient, message),
            Output::Relay(recipient, transactions) => self.relay(at, recipient, &transactions),
            Output::ServeDecided { to, height } => {
                self.summary.caught_up += 1;
                self.answer(at, to, |ledger| hanse_group::decided(ledger, height));
            }
            Output::ServeTransactions { to, block, missing } => {
                self.answer(at, to, |ledger| hanse_group::transactions_of(ledger, block, missing));
            }
            Output::Verify { block, transactions } => {
                self.summary.fetched += 1;
                let Some(real) = &self.real else { return };
                let transactions = real.verify(&transactions);
                let after = self.takes(at, 1, 4);
                self.plan_whole(at, after, Input::Supplied { block, transactions });
            }
            Output::Evidence(evidence) => self.accuse(at, &evidence),
            Output::KeyUsedElsewhere(signed) => {
                if self.nodes[at].is_honest() {
                    self.oracle.fail(format!("node {at} does not remember {signed:?}"));
                }
            }
            Output::Halted(reason) => self.halted(at, &reason),
        }
    }

    pub(super) fn plan_whole(&mut self, at: usize, after_ms: u64, input: Input) {
        let life = self.nodes[at].lives;
        self.plan(after_ms, Event::Whole { node: at, life, input: Box::new(input) });
    }

    /// Something that a node can't go on after. Unless it was a write that failed, there was no reason.
    fn halted(&mut self, at: usize, reason: &HaltReason) {
        let failed = self.whole(at).is_some_and(|whole| whole.failed);
        if failed {
            return self.crash(at);
        }
        if self.nodes[at].is_honest() {
            self.oracle.fail(format!("node {at} halts: {reason}"));
        }
        self.nodes[at].life = None;
    }

    fn make_whole(&mut self, at: usize, work: Work) {
        let height = work.height();
        let Some(whole) = self.whole(at) else { return };
        let Some((base, recent)) = whole.chain.base(&work.slot.parent) else {
            return self.oracle.fail(format!("node {at} makes block {height} on {}, which it lacks", work.slot.parent));
        };
        let executor = &mut whole.executor;
        let made = on_threads_of(at, || executor.make(work, &base, recent)).map_err(|error| error.to_string());
        let shown = made.and_then(|made| Ok((made.show().map_err(|error| error.to_string())?, made)));
        let (shown, made) = match shown {
            Ok(made) => made,
            Err(reason) => return self.oracle.fail(format!("node {at} can't make block {height}: {reason}")),
        };
        let (header, amendments) = (Box::new(made.header.clone()), made.amendments.clone());
        self.learn(&amendments);
        let Some(whole) = self.whole(at) else { return };
        whole.chain.executed(Arc::new(made));
        self.has_run(at, &shown);
        let after = self.takes(at, 1, 8);
        self.plan_whole(at, after, Input::Executed { header, shown: Some(Box::new(shown)), amendments });
    }

    fn check_whole(&mut self, at: usize, shown: Shown, outcomes: Option<&Outcomes>) {
        let Header { height, parent, .. } = *shown.block.header();
        self.summary.applied += u64::from(outcomes.is_some());
        let Some(whole) = self.whole(at) else { return };
        let Some((base, recent)) = whole.chain.base(&parent) else {
            return self.oracle.fail(format!("node {at} checks block {height} on {parent}, which it lacks"));
        };
        let executor = &mut whole.executor;
        let find_out = || match outcomes {
            Some(outcomes) => executor.apply(&shown, outcomes, &base),
            None => executor.check(&shown, &base, recent),
        };
        let (verdict, amendments) = match on_threads_of(at, find_out) {
            Ok(Checked::Good(made)) => {
                let amendments = made.amendments.clone();
                whole.chain.executed(Arc::new(*made));
                (Verdict::Good, amendments)
            }
            Ok(Checked::Bad(reason)) => {
                self.refused(at, &shown, &reason);
                (Verdict::Bad, Amendments::default())
            }
            Err(error) => return self.oracle.fail(format!("node {at} can't run block {height}: {error}")),
        };
        self.learn(&amendments);
        self.has_run(at, &shown);
        let after = self.takes(at, 1, 8);
        self.plan_whole(at, after, Input::Checked { block: shown.block.hash(), verdict, amendments });
    }

    /// A block is not what running it gives: then a faulty validator has made it.
    fn refused(&mut self, at: usize, shown: &Shown, reason: &str) {
        if self.trace {
            println!("[{:>6}] n{at} refuses block {}: {reason}", self.time, shown.block.header().height);
        }
        if !self.nodes[at].is_honest() {
            return;
        }
        self.summary.refused += 1;
        let maker = self.owner_of(at, shown.block.header().proposer);
        if maker.is_some_and(|maker| self.scenario.kind(maker).is_none()) {
            self.oracle.fail(format!("node {at} refuses block {}: {reason}", shown.block.header().height));
        }
    }

    /// Everybody who runs a block knows whom it makes the validators.
    fn learn(&mut self, amendments: &Amendments) {
        if let Some(set) = &amendments.validators {
            self.chain.learn(set);
        }
    }

    fn has_run(&mut self, at: usize, shown: &Shown) {
        if let Some(life) = &mut self.nodes[at].life {
            life.blocks.insert(shown.block.hash(), shown.block.clone());
        }
    }

    fn answer(&mut self, at: usize, to: Peer, read: impl FnOnce(&Ledger) -> Result<Option<Message>, LedgerError>) {
        let Some(whole) = self.whole(at) else { return };
        match read(&whole.ledger) {
            Ok(Some(message)) => self.send(at, Recipient::One(to), message),
            Ok(None) => {}
            Err(error) => self.oracle.fail(format!("node {at} can't read its ledger: {error}")),
        }
    }

    /// Passes on what clients have sent. A silent node does not.
    fn relay(&mut self, at: usize, recipient: Recipient, transactions: &[Verified]) {
        if self.nodes[at].adversary.as_ref().is_some_and(|adversary| adversary.kind == Behaviour::Silent) {
            return;
        }
        let count = self.nodes.len();
        let receivers = match recipient {
            Recipient::One(Peer(to)) => to as usize..to as usize + 1,
            Recipient::All => 0..count,
        };
        for to in receivers.filter(|to| *to != at && *to < count) {
            self.network.enter(self.time, &mut self.tape);
            for after in self.network.deliveries(at, to).into_iter().flatten() {
                self.plan(after, Event::Relayed { to, from: at, transactions: transactions.to_vec() });
            }
        }
    }

    pub(super) fn relayed(&mut self, to: usize, from: usize, transactions: Vec<Verified>) {
        let (since, from) = (self.nodes[to].now(self.time), Some(Peer(from as u32)));
        self.tell_whole(to, Input::Submitted { transactions, since, from, keep: false });
    }

    /// Writes a block to the ledger, which may fail: before anything is on the disk, or after all of it is.
    pub(super) fn persist_whole(&mut self, at: usize, mut committed: Committed) {
        let (height, hash) = (committed.block.header().height, committed.block.hash());
        let fault = self.write_fails(at);
        let node = &mut self.nodes[at];
        committed.noted = node.life.as_ref().and_then(|life| life.signer.newest());
        let (honest, noted) = (node.is_honest(), committed.noted);
        if let (Some(fault), Some(place)) = (fault, &node.place) {
            place.fail_next(fault);
        }
        let Some(whole) = self.whole(at) else { return };
        let Some(block) = whole.chain.block(&hash).cloned() else {
            return self.oracle.fail(format!("node {at} decides block {hash}, which it has not run"));
        };
        let written = whole.append(&block, &committed.certificate, noted);
        whole.failed = written.is_err();
        match written {
            Ok(()) => {
                whole.persisted(&hash);
                self.has_persisted(at, committed);
            }
            Err(error) => {
                if fault.is_none() && honest {
                    self.oracle.fail(format!("node {at} can't write block {height}: {error}"));
                }
                self.summary.disk_failures += 1;
                self.tell_whole(at, Input::Failed { height, stage: Stage::Writing, reason: error.to_string() });
            }
        }
    }

    /// Whether, and how, a node's next write fails.
    fn write_fails(&mut self, at: usize) -> Option<Fault> {
        if self.nodes[at].disk.is_full() {
            return Some(Fault::DiskFull);
        }
        let happens = self.healed.is_none() && self.faults.chance(WRITES_FAIL);
        let happens = happens && self.tape.happens(Kind::Write, &mut self.faults);
        happens.then(|| if self.faults.chance(500) { Fault::BeforeWrite } else { Fault::AfterWrite })
    }

    fn has_persisted(&mut self, at: usize, committed: Committed) {
        let height = committed.block.header().height;
        if height.0.is_multiple_of(3) {
            self.copies.insert(at, self.nodes[at].disk.files());
        }
        self.nodes[at].ledger.push(committed);
        if let Some(life) = &mut self.nodes[at].life {
            life.blocks.retain(|_, block| block.header().height > height);
        }
        self.tell_whole(at, Input::Persisted { height });
    }

    /// Whether all ledgers are the chain, and hold the state that its headers say.
    pub(super) fn compare_ledgers(&mut self) {
        let honest: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_honest()).collect();
        for at in honest {
            let ledger = self.whole(at).map(|whole| whole.ledger.clone());
            let (Some(real), Some(ledger)) = (&self.real, ledger) else { continue };
            if let Err(reason) = real.compare(&ledger) {
                self.oracle.fail(format!("the ledger of node {at} is wrong: {reason}"));
            }
        }
    }

    /// A block is decided for the first time: whether it is what running it gives.
    pub(super) fn check_run(&mut self, block: &CompactBlock, certificate: &Certificate) {
        let Some(real) = &mut self.real else { return };
        if let Err(reason) = real.decided(block, certificate) {
            let height = block.header().height;
            self.oracle.fail(format!("height {height} is not what running its transactions gives: {reason}"));
        }
    }
}
