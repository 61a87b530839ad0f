//! What a seed stands for: how many nodes, who is faulty and how, and what the network and the disks do.

use std::fmt;

use crate::byzantine::Kind;
use crate::random::Random;

/// Everything about a run that is decided before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    /// Validators of a set.
    pub(crate) validators: usize,
    /// Nodes that are in some sets only; none, if the set never changes.
    pub(crate) spares: usize,
    /// The faulty nodes.
    pub(crate) byzantine: Vec<(usize, Kind)>,
    /// Honest nodes whose record of votes gets lost, damaged or put back at a restart.
    pub(crate) forgetful: Vec<usize>,
    /// Honest nodes whose clock is hours off, jumps and stands still.
    pub(crate) astray: Vec<usize>,
    /// Messages lost and doubled, of a thousand, before the network heals.
    pub(crate) loss: u64,
    pub(crate) doubled: u64,
    /// Longest delay of most messages, and of a few, in milliseconds.
    pub(crate) delay_ms: u64,
    pub(crate) tail_ms: u64,
    /// Least and longest delay of all messages after everything healed.
    pub(crate) healed_ms: (u64, u64),
    /// Mean time between two crashes, two changes of the network's shape, two troubles of disks, two nodes that stand
    /// still for a while; none if 0.
    pub(crate) crash_ms: u64,
    pub(crate) partition_ms: u64,
    pub(crate) disk_ms: u64,
    pub(crate) pause_ms: u64,
    /// Of a thousand crashes, those in the middle of a write; and how long a node stays down at most.
    pub(crate) power: u64,
    pub(crate) down_ms: u64,
    /// Whether a node stops when its disk fails, or goes on without a vote.
    pub(crate) stops: bool,
    /// A node whose disk and processor are slow, and how slow, in milliseconds for each piece of work.
    pub(crate) slow: (usize, u64),
    /// Whether clocks differ.
    pub(crate) skewed: bool,
    /// Virtual milliseconds between two transactions, least and most.
    pub(crate) transaction_ms: (u64, u64),
    /// The height that honest nodes have to reach at least.
    pub(crate) blocks: u64,
    /// When everything heals.
    pub(crate) heal_ms: u64,
    /// Of a thousand transactions, those that one node hears of only by asking.
    pub(crate) missing: u64,
    /// Whether one client is all that is left when everything has healed, and tells one node only.
    pub(crate) quiet: bool,
    /// Whether nodes are whole: with the real replica, pool, scheduler, contracts and ledger.
    pub(crate) whole: bool,
    /// Whether real signatures are used, and whether each message is encoded and decoded.
    pub(crate) real_keys: bool,
    pub(crate) codec: bool,
}

/// Of so many seeds, the one with this number is run with whole nodes. It takes as long as ten or twenty of the others. Odd, so that it
/// comes to all plans.
pub(crate) const WHOLE_EVERY: u64 = 105;
pub(crate) const WHOLE: u64 = 20;
/// Of a thousand seeds, those in which one client is all that is left in the end.
const QUIET: u64 = 150;

/// How seeds become scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Plan {
    /// Faults of all kinds for some seconds of virtual time.
    #[default]
    Full,
    /// The same, for a second or two: more schedules in the same time.
    Short,
    /// Mostly power that fails in the middle of a write, again and again.
    Power,
}

impl Plan {
    /// The plan of a seed where all are wanted: mostly short ones, as it is schedules that count.
    pub fn in_turn(seed: u64) -> Plan {
        match seed % 8 {
            0 => Plan::Full,
            3 => Plan::Power,
            _ => Plan::Short,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Plan::Full => "full",
            Plan::Short => "short",
            Plan::Power => "power",
        })
    }
}

impl Scenario {
    /// What this seed stands for.
    pub(crate) fn of(seed: u64, plan: Plan) -> Scenario {
        let full = Scenario::full(seed);
        let mut random = Random::new(seed, "plan");
        match plan {
            Plan::Full => full,
            Plan::Short => Scenario { heal_ms: random.between(200, 1_500), ..full },
            Plan::Power => Scenario {
                crash_ms: random.between(10, 60),
                power: 950,
                down_ms: 150,
                heal_ms: random.between(2_000, 5_000),
                loss: full.loss / 8,
                delay_ms: full.delay_ms.min(10),
                tail_ms: full.tail_ms.min(100),
                ..full
            },
        }
    }

    fn full(seed: u64) -> Scenario {
        let validators = match Random::new(seed, "validators").below(10) {
            0..=6 => 4,
            7..=8 => 7,
            _ => 10,
        };
        let scenario = Scenario::among(seed, validators);
        // Between distant nodes each of its blocks takes many rounds, and nothing else than between near ones.
        let quiet = Random::new(seed, "quiet").chance(QUIET) && !scenario.is_far();
        let scenario = Scenario { quiet, ..scenario };
        if seed % WHOLE_EVERY == WHOLE { scenario.of_whole_nodes() } else { scenario }
    }

    /// The same with whole nodes: with disks whose failure stops a node, and more often with validators that change.
    fn of_whole_nodes(self) -> Scenario {
        let is_free = self.forgetful.is_empty() && self.astray.is_empty();
        let spares = if is_free && (self.seed / WHOLE_EVERY).is_multiple_of(2) { 1 } else { self.spares };
        Scenario { whole: true, real_keys: true, stops: true, spares, ..self }
    }

    /// Faults of all kinds among so many validators.
    pub(crate) fn among(seed: u64, validators: usize) -> Scenario {
        let mut random = Random::new(seed, "scenario");
        let faulty = (validators - 1) / 3;
        let byzantine_count = if random.chance(250) { 0 } else { random.between(1, faulty as u64) as usize };
        let changes = random.chance(200);
        let calm = random.chance(150);
        let first = random.below(validators as u64) as usize;
        let node = |offset: usize| (first + offset) % validators;
        let byzantine: Vec<_> = (0..byzantine_count).map(|at| (node(at), Kind::of(&mut random))).collect();
        let others = || (byzantine_count..faulty).map(node).collect::<Vec<_>>();
        let forgets = random.chance(300) && !changes;
        let astray = random.chance(200) && !changes && !forgets;
        let mut sometimes = |of_thousand, least, most| match random.chance(of_thousand) {
            true => random.between(least, most),
            false => 0,
        };
        let disk_ms = sometimes(250, 300, 3_000);
        let pause_ms = sometimes(200, 300, 3_000);
        let slowness = sometimes(200, 20, 300);
        let far = sometimes(40, 350, 600);
        Scenario {
            seed,
            validators,
            spares: if changes { 1 } else { 0 },
            byzantine,
            forgetful: if forgets { others() } else { Vec::new() },
            astray: if astray { others() } else { Vec::new() },
            loss: if calm { 0 } else { random.below(300) },
            doubled: if calm { 0 } else { random.below(200) },
            delay_ms: random.between(2, 40),
            tail_ms: if calm { 40 } else { random.between(40, 1_500) },
            healed_ms: if far > 0 { (far, far + 50) } else { (1, 20) },
            crash_ms: if random.chance(400) { 0 } else { random.between(300, 3_000) },
            partition_ms: if calm || random.chance(400) { 0 } else { random.between(200, 2_000) },
            disk_ms: if calm { 0 } else { disk_ms },
            pause_ms: if calm { 0 } else { pause_ms },
            power: 500,
            down_ms: 1_500,
            stops: random.chance(500),
            slow: (random.below(validators as u64) as usize, if calm { 0 } else { slowness }),
            skewed: random.chance(300),
            transaction_ms: (10, 120),
            blocks: 0,
            heal_ms: random.between(2_000, 8_000),
            missing: if random.chance(500) { 0 } else { random.below(200) },
            quiet: false,
            whole: false,
            real_keys: seed % 128 == 127,
            codec: seed % 16 == 15,
        }
    }

    /// Four validators, one of them faulty, twenty heights: what speed is measured by.
    pub(crate) fn bench(seed: u64) -> Scenario {
        let mut random = Random::new(seed, "bench");
        let faulty = (random.below(4) as usize, Kind::of(&mut random));
        let full = Scenario::among(seed, 4);
        Scenario {
            byzantine: vec![faulty],
            spares: 0,
            forgetful: Vec::new(),
            astray: Vec::new(),
            healed_ms: (1, 20),
            heal_ms: random.between(500, 2_000),
            blocks: 20,
            ..full
        }
    }

    /// A group on a good network in which nothing fails but this.
    pub(crate) fn calm(seed: u64, validators: usize, byzantine: Vec<(usize, Kind)>) -> Scenario {
        Scenario {
            validators,
            byzantine,
            spares: 0,
            forgetful: Vec::new(),
            astray: Vec::new(),
            loss: 0,
            doubled: 0,
            delay_ms: 10,
            tail_ms: 10,
            healed_ms: (1, 10),
            crash_ms: 0,
            partition_ms: 0,
            disk_ms: 0,
            pause_ms: 0,
            slow: (0, 0),
            skewed: false,
            transaction_ms: (1, 4),
            heal_ms: 0,
            missing: 0,
            quiet: false,
            whole: false,
            real_keys: false,
            codec: false,
            ..Scenario::full(seed)
        }
    }

    /// Whether nodes are so far from one another that the first rounds are too short for them.
    pub(crate) fn is_far(&self) -> bool {
        self.healed_ms.0 > 20
    }

    /// Nodes, without the twins of faulty ones.
    pub(crate) fn nodes(&self) -> usize {
        self.validators + self.spares
    }

    pub(crate) fn kind(&self, node: usize) -> Option<Kind> {
        self.byzantine.iter().find(|(faulty, _)| *faulty == node).map(|(_, kind)| *kind)
    }

    /// The faulty nodes that run twice.
    pub(crate) fn twins(&self) -> impl Iterator<Item = usize> {
        self.byzantine.iter().filter(|(_, kind)| *kind == Kind::Twin).map(|(node, _)| *node)
    }
}
