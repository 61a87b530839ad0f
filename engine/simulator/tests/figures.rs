//! What a group promises when something is wrong, in figures.
#![allow(clippy::unwrap_used)]

use hanse_simulator::figures::{costs, healing, overhead};

#[test]
fn engines_take_little_of_a_core() {
    let overhead = overhead(4);
    let took = overhead.microseconds();
    println!("  four engines, empty blocks, signatures aside: {took:.0} us of a core per block");
    // 200 on the machine of the benchmarks; others may be five times as slow.
    assert!(overhead.blocks == 2_000 && took <= 1_000.0, "{took} us");
}

#[test]
fn after_healing_a_block_comes_within_four_rounds() {
    for validators in [4, 7, 10] {
        let healing = healing(validators, 50);
        assert!(healing.most <= 4, "{healing:?}");
    }
}

#[test]
fn one_faulty_validator_of_four_costs_little() {
    let costs = costs();
    assert!(costs.len() >= 12, "{} behaviours", costs.len());
    for cost in costs {
        assert!(cost.throughput() >= 60, "{cost:?}");
        assert!(cost.wasted_rounds <= cost.turns, "{cost:?}");
        assert!(cost.honest_ms > 0 && cost.turns > 0, "{cost:?}");
    }
}
