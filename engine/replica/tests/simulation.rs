//! Random lives of a replica over virtual time: clients that replay, slow and failing disks, crashes, clocks that jump
//! at restarts, parameters that change. What must hold is checked after every step, in `sim/oracle.rs`.
//!
//! One seed gives one run: `HANSE_SEED=17 cargo test --release -p hanse-replica --test simulation one_seed`.
#![allow(clippy::unwrap_used)]

mod sim;
#[path = "../../txpool/tests/support/mod.rs"]
mod support;

use sim::{Faults, Simulation};

fn run(seed: u64, faults: Faults) -> sim::Summary {
    std::panic::catch_unwind(|| Simulation::new(seed, faults).run())
        .unwrap_or_else(|_| panic!("seed {seed} with {faults:?} failed, see above"))
}

#[test]
fn in_good_weather_everything_is_committed() {
    for seed in 0..20 {
        let summary = run(seed, Faults::NONE);
        assert_eq!((summary.restarts, summary.halts), (0, 0), "seed {seed}");
        assert!(summary.blocks > 10 && summary.committed > 100 && summary.made_ahead > 5, "seed {seed}: {summary:?}");
    }
}

#[test]
fn nothing_is_lost_or_done_twice_when_things_fail() {
    let (mut restarts, mut halts, mut committed, mut dropped, mut restored, mut promised) = (0, 0, 0, 0, 0, 0);
    for seed in 100..180 {
        let summary = run(seed, Faults::ALL);
        restarts += summary.restarts;
        halts += summary.halts;
        committed += summary.committed;
        dropped += summary.dropped;
        restored += summary.restored;
        promised += summary.promised;
    }
    // The runs are worth something only if all of it happened.
    assert!(
        restarts > 100 && halts > 50 && committed > 5_000 && dropped > 10 && restored > 500 && promised > 4_000,
        "{restarts} {halts} {committed} {dropped} {restored} {promised}"
    );
}

#[test]
fn one_seed_gives_one_run() {
    for seed in 300..305 {
        assert_eq!(run(seed, Faults::ALL), run(seed, Faults::ALL));
    }
}

#[test]
fn one_seed() {
    if let Ok(seed) = std::env::var("HANSE_SEED") {
        let seed = seed.parse().unwrap();
        println!("{:?}", run(seed, Faults::NONE));
        println!("{:?}", run(seed, Faults::ALL));
    }
}
