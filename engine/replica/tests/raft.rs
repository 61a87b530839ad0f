//! Replicas of several validators that agree by Raft, over virtual time: a network that loses, doubles, delays and falls
//! into parts, and nodes that crash, one or all, and lose what was not written. The same world as in `several.rs`, and
//! what must hold is the same: one block per height everywhere, nothing accepted forgotten while its node lives, nothing
//! committed gone, and an end once the network is whole.
//!
//! One seed gives one run: `HANSE_SEED=17 cargo test --release -p hanse-replica --test raft one_seed`.
#![allow(clippy::unwrap_used)]

mod net;
#[path = "sim/random.rs"]
mod random;
#[path = "../../txpool/tests/support/mod.rs"]
mod support;

use hanse_types::genesis::ConsensusKind;
use net::{Faults, Net, Part, Summary};

/// With partitions of every shape, and any number of nodes down at once.
const WORSE: Faults = Faults { crash: 25, down: usize::MAX, cut: 40, ..Faults::ALL };
/// Disks that are full at times, and stop their nodes.
const FULL: Faults = Faults { full: 60, ..WORSE };
/// Validators that change, with all the rest.
const CHANGES: Faults = Faults { change: 25, ..FULL };

fn run(seed: u64, faults: Faults, nodes: usize) -> Summary {
    std::panic::catch_unwind(|| Net::new(seed, faults, ConsensusKind::Raft, nodes).run())
        .unwrap_or_else(|_| panic!("seed {seed} of {nodes} nodes with {faults:?} failed, see above"))
}

#[test]
fn in_good_weather_everything_is_committed_once_and_nothing_is_fetched() {
    for seed in 0..10 {
        for nodes in [1, 2, 3, 5] {
            let summary = run(seed, Faults::NONE, nodes);
            assert_eq!(summary.committed, summary.accepted, "seed {seed}: {summary:?}");
            assert!(summary.blocks >= 5 && summary.accepted > 100, "seed {seed}: {summary:?}");
            // A committed block of a faster node may be asked for, missing transactions not.
            assert_eq!((summary.crashes, summary.fetched), (0, 0), "seed {seed}: {summary:?}");
        }
    }
}

/// Runs so many seeds with 3 and with 5 nodes; what happened, and the count of runs.
fn storms(first: u64, seeds: u64, faults: Faults) -> Summary {
    let mut all = Summary::default();
    let mut runs = 0;
    for seed in first..first + seeds {
        for nodes in [3, 5] {
            all.add(&run(seed, faults, nodes));
            runs += 1;
        }
    }
    println!("{runs} runs: {all:?}");
    all
}

#[test]
fn nodes_agree_and_nothing_accepted_is_lost_when_one_crashes_at_a_time() {
    let all = storms(100, 60, Faults::ALL);
    // The runs are worth something only if all of it happened.
    assert!(all.blocks > 500 && all.committed > 5_000 && all.crashes > 50, "{all:?}");
    assert!(all.fetched > 50 && all.caught_up > 20 && all.highest_round > 1 && all.given_back > 5, "{all:?}");
}

#[test]
fn nodes_agree_in_partitions_and_when_all_crash() {
    let all = storms(1_000, 100, WORSE);
    assert!(all.blocks > 1_000 && all.committed > 10_000 && all.crashes > 500 && all.partitions > 500, "{all:?}");
    assert!(all.unwritten > 5 && all.recovered > 20 && all.down == 5, "{all:?}");
}

#[test]
fn a_full_disk_stops_a_node_and_nothing_that_was_promised_is_lost() {
    let all = storms(5_000, 25, FULL);
    assert!(all.blocks > 250 && all.committed > 2_500 && all.full > 40 && all.recovered > 4, "{all:?}");
}

#[test]
fn validators_change_in_good_weather() {
    for seed in 0..8 {
        for nodes in [2, 3, 5] {
            let summary = run(seed, Faults { change: 25, ..Faults::NONE }, nodes);
            // Some live shorter than an election.
            assert!(10 * summary.committed > 8 * summary.accepted, "seed {seed}: {summary:?}");
            assert!(summary.epochs > 0 && summary.accepted > 100, "seed {seed}: {summary:?}");
        }
    }
}

#[test]
fn validators_change_in_partitions_while_nodes_crash_and_disks_are_full() {
    let all = storms(7_000, 40, CHANGES);
    assert!(all.blocks > 400 && all.committed > 4_000 && all.crashes > 200 && all.partitions > 200, "{all:?}");
    assert!(all.epochs > 120 && all.full > 40 && all.unwritten > 0 && all.recovered > 8, "{all:?}");
}

#[test]
fn one_that_was_cut_off_disturbs_nobody_when_it_comes_back() {
    for seed in 0..10 {
        for nodes in [3, 5] {
            let net = Net::new(seed, Faults::NONE, ConsensusKind::Raft, nodes);
            let summary = net.cutting(Part::Follower, 300, 1_700).run();
            // The first leader is elected in term 1 and leads to the end.
            assert_eq!(summary.highest_round, 1, "seed {seed}: {summary:?}");
            assert!(summary.caught_up + summary.synced > 0 && summary.blocks > 5, "seed {seed}: {summary:?}");
        }
    }
}

#[test]
fn a_leader_that_hears_nobody_is_followed_by_another() {
    for seed in 0..10 {
        let net = Net::new(seed, Faults::NONE, ConsensusKind::Raft, 3);
        let summary = net.cutting(Part::Leader, 300, 6_000).run();
        assert!(summary.highest_round > 1, "seed {seed}: {summary:?}");
        assert!(summary.committed > 20, "seed {seed}: {summary:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    for seed in 300..303 {
        assert_eq!(run(seed, WORSE, 5), run(seed, WORSE, 5));
    }
}

#[test]
fn one_seed() {
    if let Ok(seed) = std::env::var("HANSE_SEED") {
        let seed = seed.parse().unwrap();
        for nodes in [3, 5] {
            println!("{:?}", run(seed, Faults::NONE, nodes));
            println!("{:?}", run(seed, Faults::ALL, nodes));
            println!("{:?}", run(seed, WORSE, nodes));
            println!("{:?}", run(seed, FULL, nodes));
            println!("{:?}", run(seed, CHANGES, nodes));
        }
    }
}
