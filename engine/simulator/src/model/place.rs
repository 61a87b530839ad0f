//! One honest engine in one of its states, with what it has said so far.

use std::collections::VecDeque;

use hanse_consensus::bft::{Beginning, Bugs, Config, Detail, Schedule, Timing};
use hanse_consensus::{
    Bft, CompactBlock, Consensus, Disk, DiskError, Guard, Input, Intent, Message, Output, Peer, Recipient, Request,
    Signed, Slot, Statement, Step, Verdict, VoteKind, Word,
};
use hanse_types::crypto::Signer;
use hanse_types::{Epoch, Hash, Height, Round, Timestamp};

use crate::keys::Keys;
use crate::small::{Group, VALIDATORS};

/// What all states of a search have in common.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) group: Group,
    /// The faulty validator.
    pub(crate) faulty: u8,
    /// Rounds in which something is delivered, from 0 on.
    pub(crate) rounds: u32,
    /// Every block that can be proposed in them, with who can.
    pub(crate) blocks: Vec<CompactBlock>,
    pub(crate) bugs: Bugs,
}

/// Votes for each kind, round and choice, one bit each.
pub(crate) type Votes = u64;

/// Most choices of a vote: none, and the blocks.
const CHOICES: usize = 8;

impl Setting {
    pub(crate) fn new(faulty: u8, rounds: u32, bugs: Bugs) -> Setting {
        let group = Group::new();
        let mut setting = Setting { group, faulty, rounds, blocks: Vec::new(), bugs };
        for round in 0..rounds {
            // An honest proposer makes one block; a faulty one shows two, and in later rounds also an old one of its own.
            let names = if setting.proposer(round) == u32::from(faulty) { 1..3 } else { 0..1 };
            setting.blocks.extend(names.map(|name| setting.block(round, name)).collect::<Vec<_>>());
        }
        if (1..rounds).any(|round| setting.proposer(round) == u32::from(faulty)) {
            let block = setting.block(0, 3);
            setting.blocks.push(block);
        }
        assert!(setting.blocks.len() < CHOICES, "a vote's choice is one of {CHOICES}");
        setting
    }

    fn slot(&self, round: u32) -> Slot {
        self.group.slot(&self.group.genesis(), Round(round), self.proposer(round))
    }

    fn block(&self, round: u32, name: u8) -> CompactBlock {
        self.group.block(&self.slot(round), &self.group.genesis(), name)
    }

    pub(crate) fn proposer(&self, round: u32) -> u32 {
        Schedule::new(&self.group.set).proposer(Height(1), Round(round))
    }

    /// The honest validators.
    pub(crate) fn honest(&self) -> impl Iterator<Item = u8> {
        let faulty = self.faulty;
        (0..VALIDATORS).filter(move |validator| *validator != faulty)
    }

    pub(crate) fn choices(&self) -> std::ops::Range<u8> {
        0..self.blocks.len() as u8 + 1
    }

    /// The choice with this number; the first is none.
    pub(crate) fn choice(&self, number: u8) -> Option<Hash> {
        number.checked_sub(1).map(|at| self.blocks[usize::from(at)].hash())
    }

    fn number(&self, choice: Option<Hash>) -> Option<usize> {
        match choice {
            None => Some(0),
            Some(hash) => self.blocks.iter().position(|block| block.hash() == hash).map(|at| at + 1),
        }
    }

    pub(crate) fn vote(&self, kind: VoteKind, round: u32, choice: u8) -> Statement {
        Statement::vote(kind, Epoch(0), Height(1), Round(round), self.choice(choice))
    }

    /// The bit of a vote; none for a vote that is not delivered.
    pub(crate) fn bit(&self, kind: VoteKind, round: u32, choice: Option<Hash>) -> Votes {
        let number = self.number(choice).filter(|_| round < self.rounds);
        let place = |number| (kind as usize * 3 + round as usize) * CHOICES + number;
        number.map_or(0, |number| 1 << place(number))
    }

    pub(crate) fn bit_of(&self, statement: &Statement) -> Votes {
        let round = statement.round.0;
        match statement.word {
            Word::Propose { .. } => 0,
            Word::Prevote(choice) => self.bit(VoteKind::Prevote, round, choice),
            Word::Precommit(choice) => self.bit(VoteKind::Precommit, round, choice),
        }
    }
}

/// A proposal, without the polka that it may come with: its round, its block by the number of the choice, the round of the
/// polka.
pub(crate) type Proposed = (u32, u8, Option<u32>);

/// An engine's state.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) me: u8,
    engine: Bft<Keys>,
    /// What it said, the oldest first.
    pub(crate) said: Vec<Statement>,
    pub(crate) votes: Votes,
    pub(crate) proposals: Vec<Proposed>,
    pub(crate) decided: Option<(Round, Hash)>,
    /// What it did that no engine may do whatever it is told.
    pub(crate) wrong: Option<String>,
}

/// A guard's disk that keeps nothing.
struct Nowhere;

impl Disk for Nowhere {
    fn write_synced(&mut self, _: &[u8]) -> Result<(), DiskError> {
        Ok(())
    }
}

/// The clock stands still: timeouts come when the search says so.
const NOW: Timestamp = Timestamp(10_000);

impl Place {
    /// A validator whose first round is under way.
    pub(crate) fn first(setting: &Setting, me: u8) -> Place {
        let Setting { group, bugs, .. } = setting;
        let keys = group.keys(me);
        let config = Config {
            chain: group.identity.clone(),
            key: Some(keys.public_key()),
            timing: Timing::default(),
            bugs: *bugs,
        };
        let beginning = Beginning {
            tip: group.genesis(),
            set: group.set.clone(),
            epoch: Epoch(0),
            schedule: Schedule::new(&group.set),
            votes_from: Height(0),
            recovered: Vec::new(),
        };
        let engine = Bft::new(config, keys, beginning);
        let (said, proposals) = (Vec::new(), Vec::new());
        let mut place = Place { me, engine, said, votes: 0, proposals, decided: None, wrong: None };
        place.tell(setting, Input::Start);
        (0..VALIDATORS).filter(|peer| *peer != me).for_each(|peer| {
            place.tell(setting, Input::PeerUp(Peer(u32::from(peer))));
        });
        place.tell(setting, Input::BatchReady);
        place
    }

    pub(crate) fn round(&self) -> u32 {
        self.engine.position().1.0
    }

    pub(crate) fn step(&self) -> Step {
        self.engine.position().2
    }

    /// Whether it says nothing more in the rounds of the search.
    pub(crate) fn is_over(&self, setting: &Setting) -> bool {
        let (round, last) = (self.round(), setting.rounds - 1);
        self.decided.is_some() || round > last || (round == last && self.step() == Step::Precommit)
    }

    /// The bytes by which the state is known again, if votes come one by one.
    pub(crate) fn state(&self) -> Vec<u8> {
        self.engine.state(Detail::Votes)
    }

    /// The bytes by which the state is known again, if like votes come together: what others notice of it sooner or
    /// later. `detail` matters for an engine that is still to propose, since what it knows of votes comes out then.
    pub(crate) fn essence(&self, setting: &Setting, detail: Detail) -> Vec<u8> {
        let proposes = |round| setting.proposer(round) == u32::from(self.me);
        if !self.is_over(setting) && (self.round() + 1..setting.rounds).any(proposes) {
            return self.engine.state(detail);
        }
        let at = (!self.is_over(setting)).then(|| (self.engine.position(), self.engine.lock()));
        let said: Vec<&Statement> = self.said.iter().filter(|said| said.round.0 < setting.rounds).collect();
        format!("{} {said:?} {:?} {at:?}", self.me, self.decided).into_bytes()
    }

    /// Tells the engine something and does at once what it wants done: signing, running blocks, making them.
    pub(crate) fn tell(&mut self, setting: &Setting, input: Input) {
        let (mut inputs, mut out) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            self.engine.step(input, NOW, &mut out);
            out.drain(..).for_each(|output| inputs.extend(self.perform(setting, output)));
        }
    }

    /// Carries an output out; what the engine is told of it.
    fn perform(&mut self, setting: &Setting, output: Output) -> Option<Input> {
        match output {
            Output::Propose(slot) => {
                return Some(Input::Built(setting.group.block(&slot, &setting.group.genesis(), 0)));
            }
            Output::Check(block) => return Some(Input::Checked { block: block.hash(), verdict: Verdict::Good }),
            Output::Sign(intent) => return self.sign(setting, &intent),
            Output::Send(_, Message::Request(Request::Block(hash))) => return fetched(setting, hash),
            Output::Decide(certificate) => self.decided = Some((certificate.round, certificate.block_hash)),
            Output::Halt(fault) => self.wrong = Some(format!("it halts: {fault}")),
            Output::KeyUsedElsewhere(signed) => self.wrong = Some(format!("it does not remember {signed:?}")),
            Output::Send(Recipient::All, Message::Proposal(proposal)) => self.show(setting, &proposal.signed.statement),
            _ => {}
        }
        None
    }

    fn show(&mut self, setting: &Setting, statement: &Statement) {
        let Word::Propose { block, valid_round } = statement.word else { return };
        let number = setting.number(Some(block)).filter(|_| statement.round.0 < setting.rounds);
        let shown = number.map(|number| (statement.round.0, number as u8, valid_round.map(|round| round.0)));
        self.proposals.extend(shown);
    }

    /// Signs whatever the engine wants signed, by a guard without memory: it is the engine alone that is tried.
    fn sign(&mut self, setting: &Setting, intent: &Intent) -> Option<Input> {
        let statement = intent.statement;
        let admitted = Guard::create(Nowhere, Height(0)).map(|mut guard| guard.admit(intent));
        let durable = match admitted {
            Ok(Ok(durable)) => durable,
            Ok(Err(error)) => {
                self.wrong = Some(format!("it wants {statement:?} signed, which no guard admits: {error}"));
                return None;
            }
            Err(_) => return None,
        };
        let before = self.said.iter().find(|said| said.position() == statement.position());
        if let Some(before) = before.filter(|before| **before != statement) {
            self.wrong = Some(format!("it said {before:?}, and then {statement:?}"));
        }
        self.said.push(statement);
        self.votes |= setting.bit_of(&statement);
        let signature = setting.group.keys(self.me).sign(&durable.sign_bytes(&setting.group.identity)).ok()?;
        Some(Input::Signed(Signed::new(durable, signature)))
    }
}

/// Whoever votes for a block has it, and the faulty one has all: so it can come at once.
fn fetched(setting: &Setting, hash: Hash) -> Option<Input> {
    let block = setting.blocks.iter().find(|block| block.hash() == hash).cloned()?;
    Some(Input::Message { from: Peer(u32::from(setting.faulty)), message: Message::Block(block) })
}
