//! A group of four real engines and signers on a network whose every delivery is fixed beforehand.
//!
//! Messages take one millisecond, in the order in which they are sent; signing, running blocks and writing take no time.
//! So a run has no chance in it: it follows from who is cut off from whom when, and where a node crashes. That makes runs
//! short and countable, for searches that enumerate them ([`crate::twins`], [`crate::crash`]). The seeded runs
//! ([`crate::run`]) have the variety that this has not.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Timing, Tip};
use hanse_consensus::{Bft, CompactBlock, Consensus, Input, Message, Peer, SafeSigner, Statement, Step, Stored, Timer};
use hanse_types::crypto::Signer;
use hanse_types::{Certificate, Epoch, Hash, Height, Round, Timestamp};

use crate::drive::{Drive, Effect, Left};
use crate::keys::Keys;
use crate::small::Group;
use crate::trace;

mod perform;

/// Short times: a round in which all of them run out takes a hundred virtual milliseconds.
const TIMING: Timing = Timing {
    propose_ms: 60,
    prevote_ms: 20,
    precommit_ms: 20,
    growth_ms: 20,
    max_ms: 400,
    repair_ms: 50,
    fetch_ms: 50,
    drift_ms: 10_000,
};
/// How long a set of partitions lasts at most, if rounds don't go beyond it.
const SLOT_MS: u64 = 150;
/// How long a crashed node is away.
const AWAY_MS: u64 = 30;
/// Virtual time in which everybody has to decide, once nothing is cut any more.
const PATIENCE_MS: u64 = 20_000;

/// A node of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its validator.
    pub(crate) validator: u8,
    /// Whether it must keep the rules. One that runs twice must not.
    pub(crate) honest: bool,
}

/// What makes a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) members: Vec<Member>,
    /// For each round, and for each slot of time, the side on which each node is. Messages of a round, or of a slot, stay
    /// on their side, whichever of the two is later. After the last one everything arrives.
    pub(crate) sides: Vec<Vec<u8>>,
    /// Heights to decide.
    pub(crate) heights: u64,
    /// The node that stops, at which effect, and what is left of it.
    pub(crate) crash: Option<(usize, usize, Left)>,
    pub(crate) bugs: Bugs,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// What did not hold, if something did not.
    pub(crate) failure: Option<String>,
    /// Everything that each node did that outlives it.
    pub(crate) effects: Vec<Vec<Effect>>,
    /// The round of each height's certificate, as the first node decided it.
    pub(crate) rounds: Vec<Round>,
    /// Contradictions that honest nodes reported.
    pub(crate) evidence: u64,
    /// Whether the chosen node has stopped.
    pub(crate) crashed: bool,
}

enum Event {
    Deliver { to: usize, from: usize, message: Rc<Message> },
    Timer { node: usize, setting: u64, timer: Timer },
    Restart { node: usize },
}

struct Life {
    engine: Bft<Keys>,
    signer: SafeSigner<Drive, Drive>,
    timers: BTreeMap<Timer, u64>,
    blocks: BTreeMap<Hash, CompactBlock>,
}

struct Node {
    member: Member,
    drive: Drive,
    ledger: Vec<(CompactBlock, Certificate, Option<Statement>)>,
    lives: u8,
    life: Option<Life>,
    /// What it ever signed.
    said: BTreeMap<(Height, Round, Step), Statement>,
}

/// A run under way.
pub(crate) struct Cluster<'a> {
    group: &'a Group,
    plan: &'a Plan,
    nodes: Vec<Node>,
    planned: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    time: u64,
    decided: BTreeMap<Height, Hash>,
    ran: Ran,
    trace: bool,
}

impl Node {
    fn tip(&self, group: &Group) -> Tip {
        let header = self.ledger.last().map(|(block, ..)| (block.header(), block.hash()));
        header.map_or_else(
            || group.genesis(),
            |(header, hash)| Tip { height: header.height, hash, timestamp: header.timestamp },
        )
    }

    /// Blocks that a node makes in different lives differ, and those of two nodes with one key do.
    fn name(&self, at: usize) -> u8 {
        at as u8 * 16 + self.lives
    }
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(group: &'a Group, plan: &'a Plan, trace: bool) -> Cluster<'a> {
        let stop = |at: usize| plan.crash.filter(|(node, ..)| *node == at).map(|(_, effect, left)| (effect, left));
        let node = |(at, member): (usize, &Member)| Node {
            member: *member,
            drive: Drive::stopping(stop(at)),
            ledger: Vec::new(),
            lives: 0,
            life: None,
            said: BTreeMap::new(),
        };
        Cluster {
            group,
            plan,
            nodes: plan.members.iter().enumerate().map(node).collect(),
            planned: BTreeMap::new(),
            sequence: 0,
            time: 0,
            decided: BTreeMap::new(),
            ran: Ran::default(),
            trace,
        }
    }

    pub(crate) fn run(mut self) -> Ran {
        (0..self.nodes.len()).for_each(|node| self.start(node));
        let limit = self.plan.sides.len() as u64 * SLOT_MS + PATIENCE_MS;
        while !self.is_over() {
            let Some(((time, _), event)) = self.planned.pop_first() else { break };
            self.time = time;
            if time > limit {
                let heights: Vec<usize> = self.nodes.iter().map(|node| node.ledger.len()).collect();
                self.fail(format!("stuck {PATIENCE_MS} ms after nothing was cut any more, at heights {heights:?}"));
            }
            self.handle(event);
        }
        self.ran.effects = self.nodes.iter().map(|node| node.drive.effects()).collect();
        self.ran
    }

    fn is_over(&self) -> bool {
        let is_done = |node: &Node| !node.member.honest || node.ledger.len() as u64 >= self.plan.heights;
        self.ran.failure.is_some() || self.nodes.iter().all(is_done)
    }

    fn fail(&mut self, text: String) {
        self.ran.failure.get_or_insert(text);
    }

    fn plan_event(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.planned.insert((self.time + after_ms, self.sequence), event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver { to, from, message } => {
                let message = Rc::unwrap_or_clone(message);
                self.tell(to, Input::Message { from: Peer(from as u32), message });
            }
            Event::Timer { node, setting, timer } => {
                let timers = self.nodes[node].life.as_ref().map(|life| &life.timers);
                if timers.is_some_and(|timers| timers.get(&timer) == Some(&setting)) {
                    self.tell(node, Input::Timeout(timer));
                }
            }
            Event::Restart { node } => self.start(node),
        }
    }

    // ---- Lives ----

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let (journal, guard) = node.drive.files();
        let tip = node.tip(self.group);
        let stored = Stored {
            first_start: node.lives == 0,
            journal: journal.as_deref(),
            guard: guard.as_deref(),
            tip: tip.height,
            noted: node.ledger.last().and_then(|(.., noted)| *noted),
        };
        let (drive, chain) = (node.drive.clone(), &self.group.identity);
        let signer = match SafeSigner::open_with(drive.clone(), drive, chain, stored, self.plan.bugs) {
            Ok(signer) => signer,
            Err(error) => return self.fail(format!("node {at} does not start: {error}")),
        };
        if signer.from() > Height(0) {
            // Only a record that was lost may do that, and no crash loses one.
            return self.fail(format!("node {at} signs nothing below height {} after a crash", signer.from()));
        }
        node.drive.watch();
        let keys = self.group.keys(node.member.validator);
        let (chain, key) = (self.group.identity.clone(), Some(keys.public_key()));
        let config = Config { chain, key, timing: TIMING, bugs: self.plan.bugs };
        let headers = node.ledger.iter().map(|(block, ..)| block.header());
        let beginning = Beginning {
            schedule: Schedule::at(tip.height.next(), Epoch(0), &self.group.set, headers),
            tip,
            set: self.group.set.clone(),
            epoch: Epoch(0),
            votes_from: signer.from(),
            recovered: signer.recovered().to_vec(),
        };
        let engine = Bft::new(config, keys, beginning);
        node.lives += 1;
        node.life = Some(Life { engine, signer, timers: BTreeMap::new(), blocks: BTreeMap::new() });
        self.connect(at);
    }

    fn connect(&mut self, at: usize) {
        self.tell(at, Input::Start);
        for other in (0..self.nodes.len()).filter(|other| *other != at) {
            if self.nodes[other].life.is_some() {
                self.tell(at, Input::PeerUp(Peer(other as u32)));
                self.tell(other, Input::PeerDown(Peer(at as u32)));
                self.tell(other, Input::PeerUp(Peer(at as u32)));
            }
        }
        self.remind(at);
    }

    fn remind(&mut self, at: usize) {
        if (self.nodes[at].ledger.len() as u64) < self.plan.heights {
            self.tell(at, Input::BatchReady);
        }
    }

    fn crash(&mut self, at: usize) {
        if self.trace {
            println!("[{:>5}] n{at} crashes", self.time);
        }
        self.ran.crashed = true;
        self.nodes[at].life = None;
        self.plan_event(AWAY_MS, Event::Restart { node: at });
    }

    /// Whether the node has stopped at an effect; it is away then.
    fn stops(&mut self, at: usize) -> bool {
        let stopped = self.nodes[at].drive.has_stopped();
        if stopped {
            self.crash(at);
        }
        stopped
    }

    // ---- What a node is told ----

    fn tell(&mut self, at: usize, input: Input) {
        let (mut inputs, mut out) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            if self.trace {
                println!("[{:>5}] n{at} {}", self.time, trace::input(&input));
            }
            let Some(life) = &mut self.nodes[at].life else { return };
            life.engine.step(input, Timestamp(10_000 + self.time), &mut out);
            for output in std::mem::take(&mut out) {
                if self.nodes[at].life.is_some() {
                    self.perform(at, output, &mut inputs);
                }
            }
        }
    }
}
