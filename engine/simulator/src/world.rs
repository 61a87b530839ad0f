//! The world: nodes, what happens between them, and virtual time.
//!
//! An event happens at a time; of two at one time, the one that was planned first. Everything else follows from the seed.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use hanse_consensus::bft::Bugs;
use hanse_consensus::{Consensus, Input, Message, Peer, Timer};
use hanse_replica::sync::SyncMessage;
use hanse_types::crypto::PublicKey;
use hanse_types::{Hash, Height, Round, Verified};

use crate::byzantine::Adversary;
use crate::cut::{Kind, Tape};
use crate::disk::{Files, VirtualDisk};
use crate::execution::{CHANGES_VALIDATORS, Chain, Tx};
use crate::keys::{Keyring, Keys};
use crate::network::Network;
use crate::node::{Mind, Node};
use crate::oracle::Oracle;
use crate::random::Random;
use crate::real::{Place, Real, Write, for_replica};
use crate::scenario::Scenario;
use crate::trace;

mod faults;
mod perform;
mod quiet;
mod real;
mod sync;

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
    /// A whole node has written something to its queue.
    Queued {
        node: usize,
        life: u32,
        write: Box<Write>,
    },
    /// As `Input`, at a whole node.
    Whole {
        node: usize,
        life: u32,
        input: Box<hanse_replica::Input>,
    },
    /// Transactions come that another node passes on.
    Relayed {
        to: usize,
        from: usize,
        transactions: Vec<Verified>,
    },
    /// Something comes that nodes say to each other who catch up.
    Synced {
        to: usize,
        from: usize,
        message: SyncMessage,
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
    /// A disk is full, or fails to sync.
    Trouble,
    /// There is space again.
    Space {
        node: usize,
    },
    /// A node stands still for a while.
    Pause,
    /// Clocks that are astray show something else.
    Clocks,
    Heal,
}

/// An event with its time and its number, the earliest first.
struct Planned {
    time: Reverse<(u64, u64)>,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.time == other.time
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Planned) -> Ordering {
        self.time.cmp(&other.time)
    }
}

/// How a block was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Virtual time.
    pub at_ms: u64,
    /// The round in which it was first proposed.
    pub round: u32,
    /// Of the rounds up to that one, those in which it was a faulty validator's turn.
    pub faulty_turns: u32,
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
    /// Writes that failed with power on: a full disk, a sync that failed.
    pub disk_failures: u64,
    /// Times that a node stood still.
    pub pauses: u64,
    /// Contradictions that honest nodes reported.
    pub evidence: u64,
    /// Rounds from the newest one when everything healed to the one in which the next block was decided.
    pub rounds_after_heal: u32,
    /// Blocks that a node asked others for, as it had fallen behind.
    pub caught_up: u64,
    /// Times that a node fetched transactions.
    pub fetched: u64,
    /// Whether its nodes were whole: with the real replica, pool, scheduler, contracts and ledger.
    pub whole: bool,
    /// Transactions that clients sent to whole nodes.
    pub sent: u64,
    /// Times that the validators of whole nodes changed.
    pub epochs: u64,
    /// Transactions of a client that was the only one after everything healed, committed one after the other.
    pub answered: u64,
    /// Transactions that whole nodes had promised to keep.
    pub kept: u64,
    /// Of these, those that a node took over from an earlier life.
    pub taken_over: u64,
    /// Of these, those that a node reported as expired.
    pub expired: u64,
    /// Blocks of those that whole nodes sent in ranges to who was behind, and that were found good.
    pub fetched_ahead: u64,
    /// Blocks that they applied by what came with them, without running them.
    pub applied: u64,
    /// Times that a whole node was seen to lie to who was behind.
    pub lies: u64,
    /// Blocks that honest whole nodes refused, as they were not what running them gives.
    pub refused: u64,
    /// When and how each block was first decided by an honest node.
    pub decisions: Vec<Decision>,
    /// Everything that happened, as one number: two runs of one seed give the same.
    pub digest: u64,
}

/// A run under way.
pub(crate) struct World {
    scenario: Scenario,
    bugs: Bugs,
    chain: Chain,
    /// What whole nodes have beside, if nodes are whole.
    real: Option<Real>,
    nodes: Vec<Node>,
    network: Network,
    oracle: Oracle,
    events: BinaryHeap<Planned>,
    sequence: u64,
    time: u64,
    faults: Random,
    work: Random,
    next_tx: u64,
    /// All transactions so far, by their leaves.
    transactions: BTreeMap<Hash, Tx>,
    healed: Option<Healed>,
    /// What the only client has asked, in a run that has one.
    question: Option<quiet::Question>,
    /// Keys of faulty validators.
    faulty: Vec<PublicKey>,
    /// Copies of vote stores, to put back later.
    copies: BTreeMap<usize, Files>,
    summary: Summary,
    /// Which faults happen, if not all.
    tape: Tape,
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
/// Virtual milliseconds that they may take; and between distant nodes.
const PATIENCE_MS: u64 = 60_000;
const FAR_PATIENCE_MS: u64 = 300_000;
/// Things that may happen in one run; what happens in others is a tenth of it.
const EVENTS: u64 = 500_000;
/// Mean time between two moves of a clock that is astray.
const CLOCKS_MS: u64 = 700;
/// Milliseconds that an honest clock may be off.
const SKEW_MS: u64 = 1_500;
/// Transactions in a block.
const BATCH: usize = 4;

impl World {
    pub(crate) fn new(scenario: Scenario, bugs: Bugs, trace: bool) -> World {
        World::on(scenario, bugs, trace, Tape::default())
    }

    /// A run of which faults are noted, or left out.
    pub(crate) fn on(mut scenario: Scenario, bugs: Bugs, trace: bool, mut tape: Tape) -> World {
        tape.apply(&mut scenario);
        // Mistakes are looked for where runs take the least time.
        scenario.whole &= bugs == Bugs::default();
        let count = scenario.nodes();
        let ring = Arc::new(Keyring::new(count as u8, scenario.real_keys));
        let real = scenario.whole.then(|| {
            Real::new(scenario.seed, (scenario.validators, count), &ring).expect("a genesis made here is sound")
        });
        let chain = match &real {
            Some(real) => Chain::beginning(real.ledger()),
            None => Chain::new(&scenario, &ring),
        };
        // The twins of faulty nodes come behind all others.
        let owners: Vec<usize> = (0..count).chain(scenario.twins()).collect();
        let quorum = chain.sets[0].1.quorum();
        let mut skews = Random::new(scenario.seed, "clocks");
        let node = |(at, owner): (usize, &usize)| {
            let keys = Keys { ring: ring.clone(), owner: *owner as u8 };
            let dice = |concern| Random::new(scenario.seed ^ (at as u64) << 32, concern);
            let adversary = scenario.kind(*owner);
            let adversary = adversary
                .map(|kind| Adversary::new(kind, keys.clone(), chain.identity.clone(), quorum, dice("adversary")));
            let skew = if scenario.skewed { skews.below(2 * SKEW_MS) as i64 - SKEW_MS as i64 } else { 0 };
            let place = scenario.whole.then(Place::default);
            Node { place, ..Node::new(keys, adversary, VirtualDisk::new(dice("disk")), skew) }
        };
        let nodes: Vec<Node> = owners.iter().enumerate().map(node).collect();
        let faulty = scenario.byzantine.iter().map(|(node, _)| ring.public(*node as u8)).collect();
        World {
            faulty,
            network: Network::new(&scenario, nodes.len()),
            faults: Random::new(scenario.seed, "faults"),
            work: Random::new(scenario.seed, "work").salted(tape.salt()),
            bugs,
            chain,
            real,
            nodes,
            oracle: Oracle::default(),
            events: BinaryHeap::new(),
            sequence: 0,
            time: 0,
            next_tx: 0,
            transactions: BTreeMap::new(),
            healed: None,
            question: None,
            copies: BTreeMap::new(),
            summary: Summary { whole: scenario.whole, ..Summary::default() },
            tape,
            trace,
            scenario,
        }
    }

    pub(crate) fn run(self) -> Summary {
        self.run_to_the_end().0
    }

    /// The run, and its faults.
    pub(crate) fn run_to_the_end(mut self) -> (Summary, Tape) {
        if self.trace {
            println!("{:#?}", self.scenario);
        }
        (0..self.nodes.len()).for_each(|node| self.start(node, None));
        self.plan(1, Event::Transaction);
        self.plan(self.scenario.heal_ms, Event::Heal);
        self.plan_fault(Kind::Crash, self.scenario.crash_ms, Event::Crash);
        self.plan_fault(Kind::Partition, self.scenario.partition_ms, Event::Partition);
        self.plan_fault(Kind::Trouble, self.scenario.disk_ms, Event::Trouble);
        self.plan_fault(Kind::Pause, self.scenario.pause_ms, Event::Pause);
        let astray = !self.scenario.astray.is_empty();
        self.plan_fault(Kind::Clocks, if astray { CLOCKS_MS } else { 0 }, Event::Clocks);
        while let Some(Planned { time: Reverse((time, _)), event }) = self.events.pop() {
            self.time = time;
            self.summary.events += 1;
            self.handle(event);
            if self.is_over() {
                break;
            }
        }
        self.compare_ledgers();
        self.check_promises();
        self.summary.failure = self.oracle.violation().map(str::to_owned);
        self.summary.evidence = self.oracle.evidence;
        self.summary.decisions = std::mem::take(&mut self.oracle.decisions);
        self.summary.power_losses = self.nodes.iter().map(|node| node.disk.power_losses()).sum();
        self.summary.disk_failures += self.nodes.iter().map(|node| node.disk.failures()).sum::<u64>();
        (self.summary, self.tape)
    }

    fn is_over(&mut self) -> bool {
        if self.oracle.violation().is_some() {
            return true;
        }
        if self.summary.events > EVENTS {
            self.oracle.fail(format!("more than {EVENTS} things have happened"));
            return true;
        }
        let Some(healed) = self.healed else { return false };
        let goal = (healed.height.0 + BLOCKS_AFTER_HEAL).max(self.scenario.blocks);
        let mut honest = self.nodes.iter().filter(|node| node.is_honest());
        let asked = if self.is_quiet() { BLOCKS_AFTER_HEAL } else { 0 };
        if honest.all(|node| node.height().0 >= goal) && self.summary.answered >= asked {
            return true;
        }
        let patience = if self.scenario.is_far() { FAR_PATIENCE_MS } else { PATIENCE_MS };
        if self.time > healed.at + patience {
            let heights: Vec<u64> = self.nodes.iter().map(|node| node.height().0).collect();
            let answered = self.summary.answered;
            self.oracle.fail(format!(
                "stuck after everything healed: heights {heights:?}, the goal was {goal}; {answered} of {asked} answers"
            ));
        }
        false
    }

    fn plan(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        let time = Reverse((self.time.saturating_add(after_ms), self.sequence));
        self.events.push(Planned { time, event });
    }

    /// Plans a fault at about this time between two of a kind; none for 0.
    fn plan_fault(&mut self, kind: Kind, mean_ms: u64, event: Event) {
        if mean_ms > 0 && self.healed.is_none() {
            self.tape.plans(kind, &mut self.faults);
            let after = self.faults.between(mean_ms / 4, 2 * mean_ms);
            self.plan(after, event);
        }
    }

    fn handle(&mut self, event: Event) {
        if let Some(until) = self.still(&event) {
            return self.plan(until - self.time, event);
        }
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
            Event::Whole { node, life, input } if self.is_alive(node, life) => self.tell_whole(node, *input),
            Event::Queued { node, life, write } if self.is_alive(node, life) => self.queued(node, *write),
            Event::Relayed { to, from, transactions } => self.relayed(to, from, transactions),
            Event::Synced { to, from, message } => self.synced(to, from, message),
            Event::Input { .. } | Event::Timer { .. } | Event::Job { .. } => {}
            Event::Whole { .. } | Event::Queued { .. } => {}
            Event::Transaction => self.transaction(),
            Event::Crash => self.crash_somebody(),
            Event::Restart { node } => {
                if self.nodes[node].life.is_none() {
                    let happens = self.tape.happens(Kind::Restart, &mut self.faults);
                    let fuse = self.faults.chance(self.scenario.power / 4).then(|| self.faults.below(3));
                    let fuse = fuse.filter(|_| happens);
                    self.start(node, fuse.filter(|_| self.healed.is_none()));
                }
            }
            Event::Partition => {
                if self.healed.is_none() {
                    let happens = self.tape.happens(Kind::Partition, self.network.dice());
                    self.network.change_shape();
                    if !happens {
                        self.network.mend();
                    }
                    self.plan_fault(Kind::Partition, self.scenario.partition_ms, Event::Partition);
                }
            }
            Event::Trouble => self.trouble(),
            Event::Space { node } => self.nodes[node].disk.set_full(false),
            Event::Pause => self.pause(),
            Event::Clocks => self.move_clocks(),
            Event::Heal => self.heal(),
        }
    }

    /// Until when nothing of this kind happens, as its node stands still.
    fn still(&self, event: &Event) -> Option<u64> {
        let node = match event {
            Event::Deliver { to, .. } | Event::Relayed { to, .. } | Event::Synced { to, .. } => *to,
            Event::Input { node, .. } | Event::Timer { node, .. } => *node,
            Event::Job { node, .. } | Event::Whole { node, .. } | Event::Queued { node, .. } => *node,
            _ => return None,
        };
        Some(self.nodes[node].paused_until).filter(|until| *until > self.time)
    }

    fn is_alive(&self, node: usize, life: u32) -> bool {
        self.nodes[node].life.is_some() && self.nodes[node].lives == life
    }

    // ---- What nodes are told ----

    fn tell(&mut self, at: usize, input: Input) {
        if self.real.is_some() {
            if self.trace && self.nodes[at].life.is_some() {
                println!("[{:>6}] n{at} {}", self.time, trace::input(&input));
            }
            return for_replica(input).into_iter().for_each(|input| self.tell_whole(at, input));
        }
        let mut inputs = VecDeque::from([input]);
        let mut out = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let now = self.nodes[at].now(self.time);
            if self.trace {
                println!("[{:>6}] n{at} {}", self.time, trace::input(&input));
            }
            let Some(life) = &mut self.nodes[at].life else { return };
            let Mind::Engine(engine) = &mut life.mind else { return };
            engine.step(input, now, &mut out);
            let (position, kept) = (engine.position(), engine.kept());
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

    /// Clients send something.
    fn transaction(&mut self) {
        self.next_tx += 1;
        match (self.is_quiet(), self.real.is_some()) {
            (true, _) => self.quiet_client(),
            (false, true) => self.clients(),
            (false, false) => self.tell_everybody(),
        }
        let (least, most) = self.scenario.transaction_ms;
        let pause = self.work.between(least, most);
        self.plan(pause, Event::Transaction);
    }

    /// Everybody hears of a transaction, some only when they ask.
    fn tell_everybody(&mut self) {
        let changes = self.scenario.spares > 0 && self.next_tx.is_multiple_of(25);
        let tx = match changes {
            true => Tx(CHANGES_VALIDATORS | self.next_tx << 8 | self.work.below(self.chain.sets.len() as u64)),
            false => Tx(self.next_tx << 8),
        };
        let leaf = tx.leaf();
        self.transactions.insert(leaf, tx);
        let first = self.work.below(self.nodes.len() as u64) as usize;
        let comes = self.healed.is_some() || self.tape.has_transaction(self.next_tx);
        for node in (0..self.nodes.len()).filter(|_| comes) {
            let hears = node == first || !self.work.chance(self.scenario.missing);
            if hears {
                self.nodes[node].hear_of(tx, leaf);
                self.remind(node);
            }
        }
    }
}
