//! Carrying out what nodes want done: what a driver will do in a node.

use std::collections::VecDeque;

use hanse_consensus::bft::{Bug, Bugs};
use hanse_consensus::{
    CompactBlock, Evidence, Input, Intent, Message, Output, Peer, Proposal, Recipient, SignedStatement, Slot, Timer,
    Verdict,
};
use hanse_types::{Canonical, Certificate, Hash, Height, Timestamp};

use crate::byzantine::Kind;
use crate::execution::Tx;
use crate::node::{Committed, EPOCH_MS, Job};
use crate::oracle::Known;
use crate::trace;
use crate::world::{BATCH, Event, SKEW_MS, World};

impl World {
    pub(super) fn perform(&mut self, at: usize, output: Output, inputs: &mut VecDeque<Input>) {
        match output {
            Output::Propose(slot) => self.propose(at, &slot, inputs),
            Output::Sign(intent) => self.begin_job(at, Job::Sign(intent)),
            Output::Decide(certificate) => self.decide(at, certificate),
            Output::Halt(fault) => {
                if self.nodes[at].is_honest() {
                    self.oracle.fail(format!("node {at} halts: {fault}"));
                }
                self.nodes[at].life = None;
            }
            Output::Check(block) => self.check(at, block, inputs),
            // Made ahead or not, a block is the same: that is the replica's matter.
            Output::Foresee(_) => {}
            Output::Record(_) | Output::Forward(_) => self.oracle.fail(format!("node {at} acts like a raft")),
            Output::Send(recipient, message) => self.send(at, recipient, message),
            Output::SetTimer { timer, after_ms } => self.set_timer(at, timer, after_ms),
            Output::ServeDecided { to, height } => self.serve_decided(at, to, height),
            Output::ServeTransactions { to, block, missing } => self.serve_transactions(at, to, block, &missing),
            Output::Supply { block, transactions } => self.supply(at, block, &transactions, inputs),
            Output::Evidence(evidence) => self.accuse(at, &evidence),
            Output::KeyUsedElsewhere(signed) => {
                if self.nodes[at].is_honest() {
                    self.oracle.fail(format!("node {at} does not remember {signed:?}"));
                }
            }
        }
    }

    pub(super) fn accuse(&mut self, at: usize, evidence: &Evidence) {
        if self.nodes[at].is_honest() {
            let accused = self.owner_of(at, evidence.validator());
            let is_honest = accused.is_none_or(|node| self.scenario.kind(node).is_none());
            self.oracle.evidence(at, evidence, is_honest);
        }
    }

    /// The node of a validator, by the set of the height that a node works on.
    pub(super) fn owner_of(&self, at: usize, validator: u32) -> Option<usize> {
        let (set, _) = self.nodes[at].next_set(&self.chain);
        let key = set.get(validator)?.key;
        let count = self.scenario.nodes();
        self.nodes.iter().take(count).position(|node| node.keys.ring.public(node.keys.owner) == key)
    }

    fn plan_input(&mut self, at: usize, after_ms: u64, input: Input) {
        let life = self.nodes[at].lives;
        self.plan(after_ms, Event::Input { node: at, life, input: Box::new(input) });
    }

    fn propose(&mut self, at: usize, slot: &Slot, inputs: &mut VecDeque<Input>) {
        let node = &mut self.nodes[at];
        let mut batch: Vec<Tx> = node.pool.iter().take(BATCH).copied().collect();
        if node.adversary.as_ref().is_some_and(|adversary| adversary.kind == Kind::Liar) && self.work.chance(200) {
            batch.extend(node.done.last());
        }
        if batch.is_empty() {
            inputs.push_back(Input::Withdrawn);
            return;
        }
        let timestamp = node.now(self.time).max(node.tip(&self.chain).timestamp.plus_ms(1));
        let block = self.chain.make(slot, node.tip(&self.chain), timestamp, &batch);
        if let Some(life) = &mut node.life {
            life.blocks.insert(block.hash(), block.clone());
        }
        let after = self.takes(at, 1, 8);
        self.plan_input(at, after, Input::Built(block));
    }

    fn check(&mut self, at: usize, block: CompactBlock, inputs: &mut VecDeque<Input>) {
        let node = &mut self.nodes[at];
        let hash = block.hash();
        match node.transactions(&block) {
            Err(transactions) => {
                self.summary.fetched += 1;
                inputs.push_back(Input::Missing { block: hash, transactions });
            }
            Ok(transactions) => {
                let fresh = transactions.iter().all(|tx| !node.done.contains(tx));
                let fresh = fresh || self.bugs.has(Bug::TrustFreshness);
                let good =
                    fresh && self.chain.is_good(&block, node.tip_with_hash(&self.chain), &transactions, self.bugs);
                let verdict = if good { Verdict::Good } else { Verdict::Bad };
                let after = self.takes(at, 1, 8);
                self.plan_input(at, after, Input::Checked { block: hash, verdict });
            }
        }
        if let Some(life) = &mut self.nodes[at].life {
            life.blocks.insert(hash, block);
        }
    }

    fn supply(&mut self, at: usize, block: Hash, transactions: &[(u32, Vec<u8>)], inputs: &mut VecDeque<Input>) {
        let node = &mut self.nodes[at];
        let Some(block) = node.life.as_ref().and_then(|life| life.blocks.get(&block)).cloned() else { return };
        for (place, bytes) in transactions {
            let tx = bytes.as_slice().try_into().map(|bytes| Tx(u64::from_le_bytes(bytes)));
            let Ok(tx) = tx else { continue };
            let leaf = tx.leaf();
            if block.transactions().get(*place as usize) == Some(&leaf) {
                node.hear_of(tx, leaf);
            }
        }
        self.check(at, block, inputs);
    }

    fn serve_transactions(&mut self, at: usize, to: Peer, block: Hash, missing: &[u32]) {
        let node = &self.nodes[at];
        let under_way = node.life.as_ref().and_then(|life| life.blocks.get(&block));
        let committed = || node.ledger.iter().rev().map(|committed| &committed.block).find(|body| body.hash() == block);
        let Some(body) = under_way.or_else(committed) else { return };
        let bytes = |place: &u32| {
            let tx = node.known.get(body.transactions().get(*place as usize)?)?;
            Some((*place, tx.bytes().to_vec()))
        };
        let transactions: Vec<_> = missing.iter().filter_map(bytes).collect();
        self.send(at, Recipient::One(to), Message::Transactions { block, transactions });
    }

    fn serve_decided(&mut self, at: usize, to: Peer, height: Height) {
        let committed = self.nodes[at].ledger.get(height.0 as usize - 1).cloned();
        let Some(Committed { block, certificate, .. }) = committed else { return };
        self.summary.caught_up += 1;
        self.send(at, Recipient::One(to), Message::Decided { certificate, block });
    }

    fn set_timer(&mut self, at: usize, timer: Timer, after_ms: u64) {
        self.sequence += 1;
        let (setting, life) = (self.sequence, self.nodes[at].lives);
        if let Some(life) = &mut self.nodes[at].life {
            life.timers.insert(timer, setting);
        }
        self.plan(after_ms, Event::Timer { node: at, life, timer, setting });
    }

    pub(super) fn decide(&mut self, at: usize, certificate: Certificate) {
        let node = &self.nodes[at];
        let Some(block) = node.life.as_ref().and_then(|life| life.blocks.get(&certificate.block_hash)).cloned() else {
            return self.oracle.fail(format!("node {at} decides block {} that it never ran", certificate.block_hash));
        };
        if node.is_honest() {
            let parent = node.tip_with_hash(&self.chain);
            let latest = Timestamp(EPOCH_MS + self.time + SKEW_MS);
            let known = Known { chain: &self.chain, latest, time: self.time, faulty: &self.faulty };
            if self.oracle.decided(at, &node.keys, parent, &block, &certificate, &known) {
                self.check_first(at, &block, &certificate);
            }
        }
        self.note_progress(&certificate);
        self.begin_job(at, Job::Persist(Committed { block, certificate, noted: None }));
    }

    /// A height is decided for the first time, by this node: whether running the block's transactions gives it.
    fn check_first(&mut self, at: usize, block: &CompactBlock, certificate: &Certificate) {
        if self.real.is_some() {
            return self.check_run(block, certificate);
        }
        let transactions: Option<Vec<Tx>> =
            block.transactions().iter().map(|leaf| self.transactions.get(leaf).copied()).collect();
        let parent = self.nodes[at].tip_with_hash(&self.chain);
        if !transactions.is_some_and(|list| self.chain.is_good(block, parent, &list, Bugs::default())) {
            self.oracle.fail(format!("height {} is not what running its transactions gives", block.header().height));
        }
    }

    /// Counts blocks, and the rounds that the first one after everything healed has taken.
    fn note_progress(&mut self, certificate: &Certificate) {
        self.summary.blocks = self.summary.blocks.max(certificate.height.0);
        if self.scenario.whole {
            self.summary.epochs = self.summary.epochs.max(certificate.epoch.0);
        }
        // Where one node alone has something to decide, it takes until its turn.
        if let Some(healed) = self.healed.filter(|_| !self.scenario.is_far() && !self.scenario.quiet)
            && certificate.height == healed.height.next()
        {
            let rounds = certificate.round.0.saturating_sub(healed.round.0);
            self.summary.rounds_after_heal = self.summary.rounds_after_heal.max(rounds);
        }
    }

    // ---- Disk ----

    pub(super) fn begin_job(&mut self, at: usize, job: Job) {
        let lives = self.nodes[at].lives;
        let Some(life) = &mut self.nodes[at].life else { return };
        life.jobs.push_back(job);
        if life.jobs.len() == 1 {
            let after = self.takes(at, 0, 3);
            self.plan(after, Event::Job { node: at, life: lives });
        }
    }

    /// How long a piece of work takes on a node.
    pub(super) fn takes(&mut self, at: usize, least: u64, most: u64) -> u64 {
        let (slow, extra) = self.scenario.slow;
        let extra = if slow == at && self.healed.is_none() { extra } else { 0 };
        self.work.between(least, most + extra)
    }

    pub(super) fn job_done(&mut self, at: usize) {
        let lives = self.nodes[at].lives;
        let Some(job) = self.nodes[at].life.as_mut().and_then(|life| life.jobs.pop_front()) else { return };
        if self.nodes[at].life.as_ref().is_some_and(|life| !life.jobs.is_empty()) {
            let after = self.takes(at, 0, 3);
            self.plan(after, Event::Job { node: at, life: lives });
        }
        match job {
            Job::Sign(intent) => self.sign(at, &intent),
            Job::Persist(committed) => self.persist(at, committed),
        }
    }

    fn sign(&mut self, at: usize, intent: &Intent) {
        let node = &mut self.nodes[at];
        let losses = node.disk.power_losses();
        let Some(life) = &mut node.life else { return };
        let signed = life.signer.sign(intent, &self.chain.identity, &node.keys);
        if node.disk.power_losses() > losses {
            return self.crash(at);
        }
        match signed {
            Ok(signed) => {
                let (set, _) = node.next_set(&self.chain);
                let me = set.index_of(&node.keys.ring.public(node.keys.owner)).unwrap_or(u32::MAX);
                match node.is_honest() {
                    true => self.oracle.signed(at, me, &intent.statement, set.quorum()),
                    false => self.oracle.sent(me, &intent.statement),
                }
                self.tell(at, Input::Signed(signed));
            }
            Err(_) if node.disk.has_failed() => {
                if self.scenario.stops {
                    self.crash(at);
                }
            }
            Err(error) => {
                if node.is_honest() {
                    self.oracle
                        .fail(format!("node {at} may not sign {}: {error}", trace::statement(&intent.statement)));
                }
            }
        }
    }

    fn persist(&mut self, at: usize, mut committed: Committed) {
        if self.real.is_some() {
            return self.persist_whole(at, committed);
        }
        let node = &mut self.nodes[at];
        if node.disk.is_full() {
            return self.crash(at);
        }
        let height = committed.block.header().height;
        committed.noted = node.life.as_ref().and_then(|life| life.signer.newest());
        // An older copy is to be had for some heights.
        if height.0.is_multiple_of(3) {
            self.copies.insert(at, node.disk.files());
        }
        let transactions = node.transactions(&committed.block).unwrap_or_default();
        if node.is_honest() {
            self.oracle.executed(at, &mut node.done, &transactions);
        }
        transactions.iter().for_each(|tx| {
            node.done.insert(*tx);
            node.pool.remove(tx);
        });
        let header = committed.block.header().clone();
        node.ledger.push(committed);
        if let Some(life) = &mut node.life {
            life.blocks.clear();
            life.timers.retain(|timer, _| !matches!(timer, Timer::Step { .. }));
        }
        if header.validators != header.next_validators
            && let Some(set) = self.chain.set(&header.next_validators).cloned()
        {
            self.tell(at, Input::Validators { from: height.next(), set });
        }
        self.tell(at, Input::Persisted { height });
        self.remind(at);
    }

    // ---- Network ----

    pub(super) fn send(&mut self, at: usize, recipient: Recipient, message: Message) {
        if self.nodes[at].is_honest() {
            self.check_durable(at, &message);
        }
        match recipient {
            Recipient::One(Peer(to)) => self.send_to(at, to as usize, message),
            Recipient::All => {
                for to in 0..self.nodes.len() {
                    if to != at {
                        self.send_to(at, to, message.clone());
                    }
                }
            }
        }
    }

    fn send_to(&mut self, from: usize, to: usize, message: Message) {
        if to >= self.nodes.len() {
            return;
        }
        let Some(adversary) = &mut self.nodes[from].adversary else {
            return self.transmit(from, to, 0, message);
        };
        for (delay, message) in adversary.send(to, message) {
            self.note_votes(from, &message);
            self.transmit(from, to, delay, message);
        }
    }

    /// Tells the oracle of votes that a faulty node lets out, also of those that go out in a good quorum only.
    fn note_votes(&mut self, from: usize, message: &Message) {
        let quorum = match message {
            Message::Vote(signed) => return self.oracle.sent(signed.validator, &signed.statement),
            Message::Quorum(quorum) => quorum,
            Message::Proposal(Proposal { polka: Some(polka), .. }) => polka,
            _ => return,
        };
        let node = &self.nodes[from];
        let (set, _) = node.next_set(&self.chain);
        if quorum.is_good(&self.chain.identity, set, &node.keys) {
            let statement = quorum.statement();
            quorum.signatures.iter().for_each(|(validator, _)| self.oracle.sent(*validator, &statement));
        }
    }

    fn transmit(&mut self, from: usize, to: usize, delay: u64, message: Message) {
        let message = if self.scenario.codec { self.through_codec(message) } else { message };
        self.network.enter(self.time, &mut self.tape);
        let [first, again] = self.network.deliveries(from, to);
        if let Some(after) = again {
            let message = Box::new(message.clone());
            self.plan(delay + after, Event::Deliver { to, from, message });
        }
        if let Some(after) = first {
            self.plan(delay + after, Event::Deliver { to, from, message: Box::new(message) });
        }
    }

    fn through_codec(&mut self, message: Message) -> Message {
        match Message::decode(&message.encode()) {
            Ok(decoded) if decoded == message => decoded,
            other => {
                self.oracle.fail(format!("{message:?} becomes {other:?} on the wire"));
                message
            }
        }
    }

    /// A node's own word that goes out is on its disk.
    fn check_durable(&mut self, at: usize, message: &Message) {
        let signed: &SignedStatement = match message {
            Message::Vote(signed) => signed,
            Message::Proposal(proposal) => &proposal.signed,
            _ => return,
        };
        // Below its first height a node passes on what it said in an earlier life, like anybody's words.
        let life = self.nodes[at].life.as_ref();
        let passes_on = life.is_some_and(|life| signed.statement.height < life.signer.from());
        if self.owner_of(at, signed.validator) == Some(at) && !passes_on {
            let newest = self.nodes[at].disk.newest();
            self.oracle.durable(at, &signed.statement, newest);
        }
    }
}
