//! Many seeds, none of which may break anything.
#![allow(clippy::unwrap_used)]

mod common;

use common::{on_all_cores, wanted};
use hanse_simulator::{Plan, Summary, command, run};

/// Seeds of one run of the tests; `HANSE_SEEDS` asks for another count.
const SEEDS: u64 = 2_000;
/// One of so many is run twice.
const TWICE: u64 = 100;

/// Runs a seed that nothing may break.
fn run_sound(seed: u64) -> Summary {
    let plan = Plan::in_turn(seed);
    let summary = run(seed, plan);
    assert_eq!(summary.failure, None, "seed {seed}; replay it with: {}", command(seed, plan));
    if seed.is_multiple_of(TWICE) {
        assert_eq!(run(seed, plan), summary, "seed {seed} runs differently the second time");
    }
    Summary { decisions: Vec::new(), ..summary }
}

/// A new guard beside an old journal; an answer with nothing that was asked for again and again; a faulty validator's vote
/// that went out in a quorum only, twice; and, with whole nodes, a lock on a block whose transactions nobody has any more.
#[test]
fn seeds_that_failed_once_do_not_again() {
    let power = [1_379, 9_765, 9_719].map(|seed| (seed, Plan::Power));
    let full = [50_440, 65_581].map(|seed| (seed, Plan::Full));
    let whole = [125, 335, 440].map(|seed| (seed, Plan::Power));
    for (seed, plan) in power.into_iter().chain(full).chain(whole) {
        assert_eq!(run(seed, plan).failure, None, "seed {seed}; replay it with: {}", command(seed, plan));
    }
}

#[test]
fn no_seed_breaks_anything() {
    let wanted = wanted("HANSE_SEEDS", SEEDS);
    let seeds: Vec<u64> = (0..wanted).collect();
    let summaries = on_all_cores(&seeds, |seed| run_sound(*seed));
    let sum = |part: fn(&Summary) -> u64| summaries.iter().map(part).sum::<u64>();
    let of = [
        ("blocks", sum(|run| run.blocks), 8_000),
        ("crashes", sum(|run| run.crashes), 250),
        ("power losses", sum(|run| run.power_losses), 250),
        ("disk failures", sum(|run| run.disk_failures), 50),
        ("nodes that stood still", sum(|run| run.pauses), 50),
        ("contradictions reported", sum(|run| run.evidence), 250),
        ("blocks served", sum(|run| run.caught_up), 250),
        ("fetches", sum(|run| run.fetched), 250),
        ("answers to a client that was alone", sum(|run| run.answered), 300),
    ];
    let whole = [
        ("seeds with whole nodes", sum(|run| u64::from(run.whole)), 9),
        ("blocks of whole nodes", sum(|run| if run.whole { run.blocks } else { 0 }), 60),
        ("transactions sent to them", sum(|run| run.sent), 800),
        ("transactions that they had promised to keep", sum(|run| run.kept), 400),
        ("of these, taken over by a later life", sum(|run| run.taken_over), 10),
        ("of these, reported as expired", sum(|run| run.expired), 1),
        ("blocks that they fetched ahead", sum(|run| run.fetched_ahead), 10),
        ("of blocks, those that they applied, not run", sum(|run| run.applied), 1),
        ("times that a node was seen to lie to them", sum(|run| run.lies), 1),
        ("changes of their validators", sum(|run| run.epochs), 3),
    ];
    let rounds = summaries.iter().map(|run| run.rounds_after_heal).max().unwrap();
    let of = of.into_iter().chain(whole).collect::<Vec<_>>();
    of.iter().for_each(|(what, number, _)| println!("  {what}: {number}"));
    println!("  blocks that whole nodes refused: {}", sum(|run| run.refused));
    println!("  most rounds until a block after everything healed: {rounds}");
    println!("seeded schedules: {}", summaries.len());
    assert_eq!(summaries.len() as u64, wanted);
    // The runs are worth something only if all of it happened, so often in a thousand runs.
    for (what, number, least) in of {
        assert!(number * 1_000 >= least * wanted, "{what}: {number}");
    }
    assert!(rounds <= 4, "{rounds} rounds until a block after everything healed");
}
