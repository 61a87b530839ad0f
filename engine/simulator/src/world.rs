//! The world: nodes, what happens between them, and virtual time.
//!
//! An event happens at a time; of two at one time, the one that was planned first. Everything else follows from the seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use hanse_consensus::bft::Bugs;
use hanse_consensus::{Consensus, Guard, Input, Message, Peer, Timer};
use hanse_types::{Height, Round};

use crate::byzantine::Adversary;
use crate::disk::{Files, VirtualDisk};
use crate::execution::{CHANGES_VALIDATORS, Chain, Tx};
use crate::keys::{Keyring, Keys};
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::trace;

mod perform;

/// Something that happens.
enum Event {
    Deliver {
        to: usize,
        from: usize,
        message: Box<Message>,
    },
    Input {
        node: usize,
        life: u32,
        input: Box<Input>,
    },
    Timer {
        node: usize,
        life: u32,
        timer: Timer,
        setting: u64,
    },
    /// The oldest job of a node is done.
    Job {
        node: usize,
        life: u32,
    },
    Transaction,
    Crash,
    Restart {
        node: usize,
    },
    Partition,
    Heal,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What did not hold, if something did not.
    pub failure: Option<String>,
    /// Blocks that some honest node committed.
    pub blocks: u64,
    /// Things that happened.
    pub events: u64,
    /// Times that a node stopped and lost what was not synced.
    pub crashes: u64,
    /// Of these, in the middle of a write.
    pub power_losses: u64,
    /// Contradictions that honest nodes reported.
    pub evidence: u64,
    /// Rounds from the newest one when everything healed to the one in which the next block was decided.
    pub rounds_after_heal: u32,
    /// Blocks that a node asked others for, as it had fallen behind.
    pub caught_up: u64,
    /// Times that a node fetched transactions.
    pub fetched: u64,
    /// Everything that happened, as one number: two runs of one seed give the same.
    pub digest: u64,
}

/// A run under way.
pub(crate) struct World {
    scenario: Scenario,
    bugs: Bugs,
    chain: Chain,
    nodes: Vec<Node>,
    network: Network,
    oracle: Oracle,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    planned: BTreeMap<u64, Event>,
    sequence: u64,
    time: u64,
    faults: Random,
    work: Random,
    next_tx: u64,
    healed: Option<Healed>,
    /// Copies of vote stores, to put back later.
    copies: BTreeMap<usize, Files>,
    summary: Summary,
    trace: bool,
}

/// What there was when everything healed.
#[derive(Clone, Copy)]
struct Healed {
    at: u64,
    height: Height,
    round: Round,
}

/// Blocks that every honest node has to commit after everything healed.
const BLOCKS_AFTER_HEAL: u64 = 3;
/// Virtual milliseconds that they may take.
const PATIENCE_MS: u64 = 60_000;
/// Things that may happen in one run.
const EVENTS: u64 = 3_000_000;
/// Transactions in a block.
const BATCH: usize = 4;

impl World {
    pub(crate) fn new(scenario: Scenario, bugs: Bugs, trace: bool) -> World {
        let count = scenario.nodes();
        let ring = Arc::new(Keyring::new(count as u8, scenario.real_keys));
        let chain = Chain::new(&scenario, &ring);
        // The twins of faulty nodes come behind all others.
        let owners: Vec<usize> = (0..count).chain(scenario.twins()).collect();
        let mut skews = Random::new(scenario.seed, "clocks");
        let node = |(at, owner): (usize, &usize)| {
            let keys = Keys { ring: ring.clone(), owner: *owner as u8 };
            let dice = |concern| Random::new(scenario.seed ^ (at as u64) << 32, concern);
            let adversary = scenario.kind(*owner);
            let adversary =
                adversary.map(|kind| Adversary::new(kind, keys.clone(), chain.identity.clone(), dice("adversary")));
            let skew = if scenario.skewed { skews.below(3_000) as i64 - 1_500 } else { 0 };
            Node::new(keys, adversary, VirtualDisk::new(dice("disk")), skew)
        };
        let nodes: Vec<Node> = owners.iter().enumerate().map(node).collect();
        World {
            network: Network::new(&scenario, nodes.len()),
            faults: Random::new(scenario.seed, "faults"),
            work: Random::new(scenario.seed, "work"),
            bugs,
            chain,
            nodes,
            oracle: Oracle::default(),
            events: BinaryHeap::new(),
            planned: BTreeMap::new(),
            sequence: 0,
            time: 0,
            next_tx: 0,
            healed: None,
            copies: BTreeMap::new(),
            summary: Summary::default(),
            trace,
            scenario,
        }
    }

    pub(crate) fn run(mut self) -> Summary {
        if self.trace {
            println!("{:#?}", self.scenario);
        }
        (0..self.nodes.len()).for_each(|node| self.start(node));
        self.plan(1, Event::Transaction);
        self.plan(self.scenario.heal_ms, Event::Heal);
        self.plan_fault(self.scenario.crash_ms, Event::Crash);
        self.plan_fault(self.scenario.partition_ms, Event::Partition);
        while let Some(Reverse((time, sequence))) = self.events.pop() {
            let Some(event) = self.planned.remove(&sequence) else { continue };
            self.time = time;
            self.summary.events += 1;
            self.handle(event);
            if self.is_over() {
                break;
            }
        }
        self.summary.failure = self.oracle.violation().map(str::to_owned);
        self.summary.evidence = self.oracle.evidence;
        self.summary.power_losses = self.nodes.iter().map(|node| node.disk.power_losses()).sum();
        self.summary
    }

    fn is_over(&mut self) -> bool {
        if self.oracle.violation().is_some() {
            return true;
        }
        let Some(healed) = self.healed else { return false };
        let goal = healed.height.0 + BLOCKS_AFTER_HEAL;
        let mut honest = self.nodes.iter().filter(|node| node.is_honest());
        if honest.all(|node| node.height().0 >= goal) {
            return true;
        }
        if self.time > healed.at + PATIENCE_MS || self.summary.events > EVENTS {
            let heights: Vec<u64> = self.nodes.iter().map(|node| node.height().0).collect();
            self.oracle.fail(format!("stuck after everything healed: heights {heights:?}, the goal was {goal}"));
        }
        false
    }

    fn plan(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.time.saturating_add(after_ms), self.sequence)));
        self.planned.insert(self.sequence, event);
    }

    /// Plans a fault at about this time between two of a kind; none for 0.
    fn plan_fault(&mut self, mean_ms: u64, event: Event) {
        if mean_ms > 0 && self.healed.is_none() {
            let after = self.faults.between(mean_ms / 4, 2 * mean_ms);
            self.plan(after, event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver { to, from, message } => {
                if self.nodes[to].life.is_none() {
                    return;
                }
                if let Some(adversary) = &mut self.nodes[to].adversary {
                    adversary.hear(&message);
                }
                self.tell(to, Input::Message { from: Peer(from as u32), message: *message });
            }
            Event::Input { node, life, input } if self.is_alive(node, life) => self.tell(node, *input),
            Event::Timer { node, life, timer, setting } if self.is_alive(node, life) => self.ring(node, timer, setting),
            Event::Job { node, life } if self.is_alive(node, life) => self.job_done(node),
            Event::Input { .. } | Event::Timer { .. } | Event::Job { .. } => {}
            Event::Transaction => self.transaction(),
            Event::Crash => self.crash_somebody(),
            Event::Restart { node } => {
                if self.nodes[node].life.is_none() {
                    self.start(node);
                }
            }
            Event::Partition => {
                if self.healed.is_none() {
                    self.network.change_shape();
                    self.plan_fault(self.scenario.partition_ms, Event::Partition);
                }
            }
            Event::Heal => self.heal(),
        }
    }

    fn is_alive(&self, node: usize, life: u32) -> bool {
        self.nodes[node].life.is_some() && self.nodes[node].lives == life
    }

    // ---- Lives ----

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.disk.set_fuse(None);
        if let Err(error) = node.start(&self.chain, self.bugs) {
            return self.oracle.fail(format!("node {at} does not start: {error}"));
        }
        self.tell(at, Input::Start);
        for other in 0..self.nodes.len() {
            if other != at && self.nodes[other].life.is_some() {
                self.tell(at, Input::PeerUp(Peer(other as u32)));
                self.tell(other, Input::PeerDown(Peer(at as u32)));
                self.tell(other, Input::PeerUp(Peer(at as u32)));
            }
        }
        self.remind(at);
    }

    /// Tells a node again that there is something to decide.
    fn remind(&mut self, node: usize) {
        if !self.nodes[node].pool.is_empty() {
            self.tell(node, Input::BatchReady);
        }
    }

    fn crash_somebody(&mut self) {
        if self.healed.is_some() {
            return;
        }
        let node = self.faults.below(self.nodes.len() as u64) as usize;
        if self.nodes[node].life.is_some() {
            if self.faults.chance(500) {
                let writes = self.faults.below(4);
                self.nodes[node].disk.set_fuse(Some(writes));
            } else {
                self.crash(node);
            }
        }
        self.plan_fault(self.scenario.crash_ms, Event::Crash);
    }

    fn crash(&mut self, node: usize) {
        if self.trace {
            println!("[{:>6}] n{node} crashes", self.time);
        }
        self.nodes[node].life = None;
        self.summary.crashes += 1;
        if self.scenario.forgetful.contains(&node) && self.faults.chance(300) {
            self.forget(node);
        }
        let after = self.faults.between(20, 1_500);
        self.plan(after, Event::Restart { node });
    }

    /// Loses or damages a node's record of votes, or puts an old copy in its place.
    fn forget(&mut self, at: usize) {
        let node = &self.nodes[at];
        let mut files = node.disk.files();
        let dice = self.faults.next();
        let flip = |file: &mut Option<Vec<u8>>, least: usize| {
            if let Some(file) = file.as_mut().filter(|file| file.len() > least) {
                let at = least + (dice >> 8) as usize % (file.len() - least);
                file[at] ^= 1 << (dice % 8);
            }
        };
        match dice % 5 {
            0 => files.journal = None,
            1 => files.guard = None,
            2 => flip(&mut files.journal, 0),
            3 => flip(&mut files.guard, 0),
            _ => files = self.old_copy(at).unwrap_or_default(),
        }
        self.nodes[at].disk.replace(files);
    }

    /// A copy of the vote store that the ledger shows to be old.
    fn old_copy(&self, at: usize) -> Option<Files> {
        let noted = self.nodes[at].ledger.last().and_then(|committed| committed.noted)?;
        let copy = self.copies.get(&at)?;
        let newest = newest_in(copy);
        newest.is_none_or(|newest| newest.position() < noted.position()).then(|| copy.clone())
    }

    fn heal(&mut self) {
        self.network.heal();
        let honest = self.nodes.iter().filter(|node| node.is_honest());
        let height = honest.clone().map(Node::height).max().unwrap_or_default();
        let engines = honest.filter_map(|node| node.life.as_ref()).map(|life| life.engine.position());
        let rounds = engines.filter(|(at, ..)| *at == height.next()).map(|(_, round, _)| round);
        self.healed = Some(Healed { at: self.time, height, round: rounds.max().unwrap_or_default() });
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.set_fuse(None);
            if self.nodes[node].life.is_none() {
                self.start(node);
            }
        }
    }

    // ---- What nodes are told ----

    fn tell(&mut self, at: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut out = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let now = self.nodes[at].now(self.time);
            if self.trace {
                println!("[{:>6}] n{at} {}", self.time, trace::input(&input));
            }
            let Some(life) = &mut self.nodes[at].life else { return };
            life.engine.step(input, now, &mut out);
            let (position, kept) = (life.engine.position(), life.engine.kept());
            self.fold(at as u64 ^ position.0.0 << 8 ^ u64::from(position.1.0) << 32 ^ (out.len() as u64) << 48);
            if self.nodes[at].is_honest() {
                self.oracle.kept(at, kept, self.nodes.len());
            }
            for output in std::mem::take(&mut out) {
                self.perform(at, output, &mut inputs);
            }
        }
    }

    fn fold(&mut self, value: u64) {
        self.summary.digest =
            (self.summary.digest.rotate_left(7) ^ value ^ self.time).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn ring(&mut self, node: usize, timer: Timer, setting: u64) {
        let timers = self.nodes[node].life.as_mut().map(|life| &mut life.timers);
        if timers.is_some_and(|timers| timers.get(&timer) == Some(&setting)) {
            self.tell(node, Input::Timeout(timer));
        }
    }

    /// Everybody hears of a transaction, some only when they ask.
    fn transaction(&mut self) {
        self.next_tx += 1;
        let changes = self.scenario.spares > 0 && self.next_tx.is_multiple_of(25);
        let tx = match changes {
            true => Tx(CHANGES_VALIDATORS | self.next_tx << 8 | self.work.below(self.chain.sets.len() as u64)),
            false => Tx(self.next_tx << 8),
        };
        let first = self.work.below(self.nodes.len() as u64) as usize;
        for node in 0..self.nodes.len() {
            let hears = node == first || !self.work.chance(self.scenario.missing);
            if hears {
                self.nodes[node].hear_of(tx);
                self.remind(node);
            }
        }
        let pause = self.work.between(10, 120);
        self.plan(pause, Event::Transaction);
    }
}

/// The newest statement in the guard's record.
fn newest_in(files: &Files) -> Option<hanse_consensus::Statement> {
    let record = files.guard.as_deref()?;
    Guard::open(Nowhere, record).ok()?.newest()
}

/// A disk to read a record with.
struct Nowhere;

impl hanse_consensus::Disk for Nowhere {
    fn write_synced(&mut self, _: &[u8]) -> Result<(), hanse_consensus::DiskError> {
        Err(hanse_consensus::DiskError("this disk is for reading".into()))
    }
}
