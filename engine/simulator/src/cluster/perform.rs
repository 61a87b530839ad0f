//! Carrying out what nodes want done, each effect counted.

use std::collections::VecDeque;
use std::rc::Rc;

use hanse_consensus::{
    CompactBlock, Evidence, Input, Intent, Message, Output, Peer, Quorum, Recipient, Slot, Statement, Timer, Verdict,
};
use hanse_types::{Certificate, Height, Round};

use crate::cluster::{Cluster, Event, Node, SLOT_MS};
use crate::drive::{Effect, Left};
use crate::trace;

impl Cluster<'_> {
    pub(super) fn perform(&mut self, at: usize, output: Output, inputs: &mut VecDeque<Input>) {
        let honest = self.nodes[at].member.honest;
        match output {
            Output::Propose(slot) => inputs.push_back(self.propose(at, &slot)),
            Output::Check(block) => inputs.push_back(self.check(at, block)),
            Output::Sign(intent) => inputs.extend(self.sign(at, &intent)),
            Output::Decide(certificate) => self.decide(at, certificate, inputs),
            Output::Send(recipient, message) => self.send(at, recipient, message),
            Output::ServeDecided { to, height } => self.serve(at, to, height),
            Output::SetTimer { timer, after_ms } => self.set_timer(at, timer, after_ms),
            Output::Evidence(evidence) => self.report(at, &evidence),
            Output::Halt(fault) if honest => self.fail(format!("node {at} halts: {fault}")),
            Output::KeyUsedElsewhere(signed) if honest => {
                self.fail(format!("node {at} does not remember {signed:?}"));
            }
            Output::Record(_) | Output::Forward(_) => self.fail(format!("node {at} acts like a raft")),
            // Blocks have no transactions to fetch, and nothing is made ahead.
            Output::Halt(_)
            | Output::Foresee(_)
            | Output::KeyUsedElsewhere(_)
            | Output::Supply { .. }
            | Output::ServeTransactions { .. } => {}
        }
    }

    fn set_timer(&mut self, at: usize, timer: Timer, after_ms: u64) {
        let setting = self.sequence + 1;
        if let Some(life) = &mut self.nodes[at].life {
            life.timers.insert(timer, setting);
        }
        self.plan_event(after_ms, Event::Timer { node: at, setting, timer });
    }

    fn propose(&mut self, at: usize, slot: &Slot) -> Input {
        let node = &self.nodes[at];
        if slot.height.0 > self.plan.heights {
            return Input::Withdrawn;
        }
        let block = self.group.block(slot, &node.tip(self.group), node.name(at));
        self.keep(at, &block);
        Input::Built(block)
    }

    fn keep(&mut self, at: usize, block: &CompactBlock) {
        if let Some(life) = &mut self.nodes[at].life {
            life.blocks.insert(block.hash(), block.clone());
        }
    }

    fn check(&mut self, at: usize, block: CompactBlock) -> Input {
        self.keep(at, &block);
        let tip = self.nodes[at].tip(self.group);
        let good = block.header().parent == tip.hash && block.header().height == tip.height.next();
        Input::Checked { block: block.hash(), verdict: if good { Verdict::Good } else { Verdict::Bad } }
    }

    fn report(&mut self, at: usize, evidence: &Evidence) {
        let is_honest = |node: &Node| u32::from(node.member.validator) == evidence.validator() && node.member.honest;
        self.ran.evidence += 1;
        if self.nodes.iter().any(is_honest) {
            self.fail(format!("node {at} has evidence against an honest validator: {evidence:?}"));
        }
    }

    fn sign(&mut self, at: usize, intent: &Intent) -> Option<Input> {
        let node = &mut self.nodes[at];
        let (keys, drive) = (self.group.keys(node.member.validator), node.drive.clone());
        let life = node.life.as_mut()?;
        let signed = life.signer.sign(intent, &self.group.identity, &keys);
        if self.stops(at) {
            return None;
        }
        match signed {
            Ok(signed) => {
                // The signature exists: it may be out there, whatever becomes of the node.
                self.note(at, intent.statement);
                let stops = drive.stops_at(Effect::Signature).is_some() && self.stops(at);
                (!stops).then_some(Input::Signed(signed))
            }
            Err(error) => {
                if self.nodes[at].member.honest {
                    self.fail(format!("node {at} may not sign {}: {error}", trace::statement(&intent.statement)));
                }
                None
            }
        }
    }

    /// One statement for one position, over all lives.
    fn note(&mut self, at: usize, statement: Statement) {
        let node = &mut self.nodes[at];
        let before = node.said.insert(statement.position(), statement);
        if let Some(before) = before.filter(|before| *before != statement && node.member.honest) {
            self.fail(format!("node {at} signed {statement:?} after {before:?}"));
        }
    }

    fn decide(&mut self, at: usize, certificate: Certificate, inputs: &mut VecDeque<Input>) {
        let (height, hash) = (certificate.height, certificate.block_hash);
        if self.nodes[at].member.honest {
            self.check_decision(at, &certificate);
        }
        let left = self.nodes[at].drive.stops_at(Effect::Commit);
        let node = &mut self.nodes[at];
        let Some(life) = &mut node.life else { return };
        let Some(block) = life.blocks.get(&hash).cloned() else {
            return self.fail(format!("node {at} decides block {hash} that it never ran"));
        };
        let noted = life.signer.newest();
        if left != Some(Left::Nothing) {
            life.blocks.clear();
            life.timers.retain(|timer, _| !matches!(timer, Timer::Step { .. }));
            node.ledger.push((block, certificate, noted));
        }
        if self.stops(at) {
            return;
        }
        inputs.push_back(Input::Persisted { height });
        if height.0 < self.plan.heights {
            inputs.push_back(Input::BatchReady);
        }
    }

    fn check_decision(&mut self, at: usize, certificate: &Certificate) {
        let (height, hash) = (certificate.height, certificate.block_hash);
        let first = *self.decided.entry(height).or_insert(hash);
        if first != hash {
            self.fail(format!("node {at} decides {hash} at height {height}, another {first}"));
        }
        if self.ran.rounds.len() < height.0 as usize {
            self.ran.rounds.push(certificate.round);
        }
        let quorum = Quorum::from(certificate.clone());
        let keys = self.group.keys(self.nodes[at].member.validator);
        if !quorum.is_good(&self.group.identity, &self.group.set, &keys) {
            self.fail(format!("node {at} decides height {height} by a certificate that is none"));
        }
    }

    // ---- Network ----

    fn serve(&mut self, at: usize, to: Peer, height: Height) {
        let committed = self.nodes[at].ledger.get(height.0 as usize - 1);
        if let Some((block, certificate, _)) = committed.cloned() {
            self.send(at, Recipient::One(to), Message::Decided { certificate, block });
        }
    }

    fn send(&mut self, from: usize, recipient: Recipient, message: Message) {
        self.check_durable(from, &message);
        let message = Rc::new(message);
        let to = match recipient {
            Recipient::One(Peer(to)) => to as usize..to as usize + 1,
            Recipient::All => 0..self.nodes.len(),
        };
        for to in to.filter(|to| *to != from) {
            if self.nodes[from].drive.stops_at(Effect::Send).is_some() && self.stops(from) {
                return;
            }
            if self.arrives(from, to, &message) {
                self.plan_event(1, Event::Deliver { to, from, message: message.clone() });
            }
        }
    }

    /// A node's own word that goes out is in its guard's record.
    fn check_durable(&mut self, at: usize, message: &Message) {
        let said = match message {
            Message::Vote(signed) => signed,
            Message::Proposal(proposal) => &proposal.signed,
            _ => return,
        };
        let node = &self.nodes[at];
        let own = u32::from(node.member.validator) == said.validator && node.member.honest;
        let newest = || node.drive.newest().is_some_and(|newest| newest.position() >= said.statement.position());
        if own && !newest() {
            self.fail(format!("node {at} sends {}, which is not on its disk", trace::statement(&said.statement)));
        }
    }

    fn arrives(&self, from: usize, to: usize, message: &Message) -> bool {
        let (height, round) = position(message);
        let slot = (self.time / SLOT_MS) as usize;
        // The rounds of later heights are others; time alone counts there.
        let at = if height == Some(Height(1)) { slot.max(round.0 as usize) } else { slot };
        let together = self.plan.sides.get(at).is_none_or(|sides| sides[from] == sides[to]);
        // A node that runs twice doesn't listen to itself: it would know that its key is used elsewhere.
        let receiver = self.nodes[to].member;
        let own = !receiver.honest && speaker(message) == Some(u32::from(receiver.validator));
        together && !own
    }
}

/// The height and round that a message is of.
fn position(message: &Message) -> (Option<Height>, Round) {
    let round = match message {
        Message::Proposal(proposal) => proposal.signed.statement.round,
        Message::Vote(signed) => signed.statement.round,
        Message::Quorum(quorum) => quorum.round,
        Message::Status(status) => status.round,
        _ => Round(0),
    };
    (message.height(), round)
}

/// Who signed a message.
fn speaker(message: &Message) -> Option<u32> {
    match message {
        Message::Proposal(proposal) => Some(proposal.signed.validator),
        Message::Vote(signed) => Some(signed.validator),
        _ => None,
    }
}
