//! Replicas of several validators over virtual time and a network that loses, doubles and delays, with crashes: pool,
//! consensus and blocks under way together. Blocks are run by a stand-in. What consensus alone does under worse is tried in
//! `hanse-simulator`.
//!
//! One seed gives one run: `HANSE_SEED=17 cargo test --release -p hanse-replica --test several one_seed`.
#![allow(clippy::unwrap_used)]

mod net;
#[path = "sim/random.rs"]
mod random;
#[path = "../../txpool/tests/support/mod.rs"]
mod support;

use hanse_types::genesis::ConsensusKind;
use net::{Faults, Net, Summary};

fn run(seed: u64, faults: Faults) -> Summary {
    std::panic::catch_unwind(|| Net::new(seed, faults, ConsensusKind::Bft, 4).run())
        .unwrap_or_else(|_| panic!("seed {seed} with {faults:?} failed, see above"))
}

#[test]
fn in_good_weather_everything_is_committed_once_and_nothing_is_fetched() {
    for seed in 0..10 {
        let summary = run(seed, Faults::NONE);
        assert_eq!(summary.committed, summary.accepted, "seed {seed}: {summary:?}");
        assert!(summary.blocks >= 5 && summary.accepted > 100, "seed {seed}: {summary:?}");
        assert_eq!((summary.crashes, summary.highest_round, summary.fetched), (0, 0, 0), "seed {seed}: {summary:?}");
        assert!(summary.ahead > 0 && summary.early > 0, "seed {seed}: {summary:?}");
    }
}

#[test]
fn nodes_agree_and_nothing_accepted_is_lost_under_faults() {
    let mut all = Summary::default();
    for seed in 100..160 {
        all.add(&run(seed, Faults::ALL));
    }
    println!("{all:?}");
    // The runs are worth something only if all of it happened.
    assert!(all.blocks > 500 && all.committed > 5_000 && all.crashes > 50, "{all:?}");
    assert!(all.ahead > 100 && all.synced > 100, "{all:?}");
    assert!(all.fetched > 50 && all.caught_up > 20 && all.highest_round > 0 && all.given_back > 20, "{all:?}");
}

#[test]
fn one_seed_gives_one_run() {
    for seed in 300..303 {
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
