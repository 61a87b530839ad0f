//! What a group promises when something is wrong, in figures.
#![allow(clippy::unwrap_used)]

use hanse_simulator::figures::{costs, healing};

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
