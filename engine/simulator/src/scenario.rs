//! What a seed stands for: how many nodes, who is faulty and how, and what the network and the disks do.

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
    /// Messages lost and doubled, of a thousand, before the network heals.
    pub(crate) loss: u64,
    pub(crate) doubled: u64,
    /// Longest delay of most messages, and of a few, in milliseconds.
    pub(crate) delay_ms: u64,
    pub(crate) tail_ms: u64,
    /// Mean time between two crashes, and between two changes of the network's shape; none if 0.
    pub(crate) crash_ms: u64,
    pub(crate) partition_ms: u64,
    /// Whether clocks differ.
    pub(crate) skewed: bool,
    /// When everything heals.
    pub(crate) heal_ms: u64,
    /// Of a thousand transactions, those that one node hears of only by asking.
    pub(crate) missing: u64,
    /// Whether real signatures are used, and whether each message is encoded and decoded.
    pub(crate) real_keys: bool,
    pub(crate) codec: bool,
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Scenario {
        let mut random = Random::new(seed, "scenario");
        let validators = match random.below(10) {
            0..=6 => 4,
            7..=8 => 7,
            _ => 10,
        };
        let faulty = (validators - 1) / 3;
        let byzantine_count = if random.chance(250) { 0 } else { random.between(1, faulty as u64) as usize };
        let changes = random.chance(200);
        let calm = random.chance(150);
        let first = random.below(validators as u64) as usize;
        let node = |offset: usize| (first + offset) % validators;
        let byzantine: Vec<_> = (0..byzantine_count).map(|at| (node(at), Kind::of(&mut random))).collect();
        let forgets = random.chance(300) && !changes;
        let forgetful = if forgets { (byzantine_count..faulty).map(node).collect() } else { Vec::new() };
        Scenario {
            seed,
            validators,
            spares: if changes { 1 } else { 0 },
            byzantine,
            forgetful,
            loss: if calm { 0 } else { random.below(300) },
            doubled: if calm { 0 } else { random.below(200) },
            delay_ms: random.between(2, 40),
            tail_ms: if calm { 40 } else { random.between(40, 1_500) },
            crash_ms: if random.chance(400) { 0 } else { random.between(300, 3_000) },
            partition_ms: if calm || random.chance(400) { 0 } else { random.between(200, 2_000) },
            skewed: random.chance(300),
            heal_ms: random.between(2_000, 8_000),
            missing: if random.chance(500) { 0 } else { random.below(200) },
            real_keys: seed % 64 == 63,
            codec: seed % 16 == 15,
        }
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
