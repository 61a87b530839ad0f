//! Figures: how fast the simulator is, what the engine itself takes, and how well a group does with a faulty validator and after faults.
//!
//! All but the first two follow from the seeds alone, so they are the same on every machine.

use std::time::Instant;

use hanse_consensus::bft::Bugs;

use crate::byzantine::Kind;
use crate::cluster::{Cluster, Member, Plan};
use crate::scenario::Scenario;
use crate::small::{Group, VALIDATORS};
use crate::world::{Decision, Summary, World};

/// Seconds of one core that this thread has had since. On a machine with other work they are fewer than a clock shows.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
    had: Option<u64>,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Stopwatch {
        Stopwatch { started: Instant::now(), had: nanoseconds_had() }
    }

    /// Seconds of the core since the start; those of the clock where the system doesn't tell.
    pub fn seconds(&self) -> f64 {
        let had = nanoseconds_had().zip(self.had).map(|(now, then)| now.saturating_sub(then) as f64 / 1e9);
        had.unwrap_or_else(|| self.started.elapsed().as_secs_f64())
    }
}

/// What the system says of this thread.
fn nanoseconds_had() -> Option<u64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split_whitespace().next()?.parse().ok()
}

/// How fast one core runs seeds: four validators, one of them faulty, twenty heights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Seeds that were run.
    pub seeds: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Things that happened in them.
    pub events: u64,
    /// Seconds of one core.
    pub seconds: f64,
}

impl Speed {
    /// Seeds in a second of one core.
    pub fn seeds_per_second(&self) -> f64 {
        self.seeds as f64 / self.seconds
    }
}

/// Measures how fast seeds run on one core.
pub fn speed(seeds: u64) -> Speed {
    let watch = Stopwatch::start();
    let (mut blocks, mut events) = (0, 0);
    for seed in 0..seeds {
        let summary = run(Scenario::bench(seed));
        blocks += summary.blocks;
        events += summary.events;
    }
    Speed { seeds, blocks, events, seconds: watch.seconds() }
}

/// What the engines of a group of four, all in one process, take for a block that nothing has to be run for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overhead {
    /// Blocks that all four decided.
    pub blocks: u64,
    /// Seconds of one core.
    pub seconds: f64,
}

impl Overhead {
    /// Microseconds of a core for a block, all four nodes together.
    pub fn microseconds(&self) -> f64 {
        self.seconds * 1e6 / self.blocks.max(1) as f64
    }
}

/// Heights of one run of [`overhead`].
const HEIGHTS: u64 = 500;

/// Measures four engines with their signers, journals and guards, on a network without faults. Signatures are the stand-in,
/// blocks are empty, disks are memory. What the simulator does between them is in it, so that engines alone take less.
pub fn overhead(runs: u64) -> Overhead {
    let group = Group::new();
    let members = (0..VALIDATORS).map(|validator| Member { validator, honest: true }).collect();
    let plan = Plan { members, sides: Vec::new(), heights: HEIGHTS, crash: None, bugs: Bugs::default() };
    let watch = Stopwatch::start();
    for _ in 0..runs {
        let ran = Cluster::new(&group, &plan, false).run();
        assert_eq!(ran.failure, None, "a run without faults");
    }
    Overhead { blocks: runs * HEIGHTS, seconds: watch.seconds() }
}

/// Rounds from the newest one when everything healed to the one that decided, over many seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healing {
    /// Validators.
    pub validators: usize,
    /// Seeds.
    pub seeds: u64,
    /// The most rounds.
    pub most: u32,
    /// Hundredths of a round on average.
    pub mean_hundredths: u64,
}

/// How soon a group of so many decides after everything healed.
pub fn healing(validators: usize, seeds: u64) -> Healing {
    let runs = (0..seeds).map(|seed| Scenario { healed_ms: (1, 20), ..Scenario::among(seed, validators) });
    let rounds: Vec<u32> = runs.map(|scenario| run(scenario).rounds_after_heal).collect();
    let sum: u64 = rounds.iter().map(|rounds| u64::from(*rounds)).sum();
    let most = rounds.iter().copied().max().unwrap_or_default();
    Healing { validators, seeds, most, mean_hundredths: sum * 100 / seeds.max(1) }
}

/// What a faulty validator costs its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// What it does.
    pub behaviour: String,
    /// Virtual milliseconds for the blocks that were measured, without it and with it.
    pub honest_ms: u64,
    /// See `honest_ms`.
    pub faulty_ms: u64,
    /// Rounds without a block, and rounds that were its turn.
    pub wasted_rounds: u64,
    /// See `wasted_rounds`.
    pub turns: u64,
}

impl Cost {
    /// Throughput against that of the group without it, in percent.
    pub fn throughput(&self) -> u64 {
        self.honest_ms * 100 / self.faulty_ms.max(1)
    }
}

/// Blocks that a group may take to see who is faulty.
const FIRST: usize = 20;
/// Blocks that are measured.
const MEASURED: usize = 200;
/// Seeds of each behaviour.
const SEEDS: u64 = 8;

/// What one faulty validator of four costs, for each behaviour.
pub fn costs() -> Vec<Cost> {
    let honest_ms = steady(None).0;
    let cost = |kind: &Kind| {
        let (faulty_ms, wasted_rounds, turns) = steady(Some(*kind));
        Cost { behaviour: format!("{kind:?}"), honest_ms, faulty_ms, wasted_rounds, turns }
    };
    Kind::ALL.iter().map(cost).collect()
}

/// Time of the measured blocks, rounds wasted and turns of the faulty, over all seeds.
fn steady(kind: Option<Kind>) -> (u64, u64, u64) {
    let (mut time, mut wasted, mut turns) = (0, 0, 0);
    for seed in 0..SEEDS {
        let byzantine = kind.map(|kind| (seed as usize % 4, kind)).into_iter().collect();
        let blocks = (FIRST + MEASURED) as u64;
        let decisions = run(Scenario { blocks, ..Scenario::calm(seed, 4, byzantine) }).decisions;
        let Some(measured) = decisions.get(FIRST - 1..FIRST + MEASURED) else { continue };
        time += measured[MEASURED].at_ms - measured[0].at_ms;
        let sum = |part: fn(&Decision) -> u32| decisions.iter().map(|decision| u64::from(part(decision))).sum::<u64>();
        wasted += sum(|decision| decision.round);
        turns += sum(|decision| decision.faulty_turns);
    }
    (time, wasted, turns)
}

fn run(scenario: Scenario) -> Summary {
    let summary = World::new(scenario.clone(), Bugs::default(), false).run();
    assert_eq!(summary.failure, None, "{scenario:?}");
    summary
}
