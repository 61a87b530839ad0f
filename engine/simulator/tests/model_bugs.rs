//! Mistakes in the rules that keep a group safe: the model search has to find each, with the shortest way to it.
//!
//! `cargo test --release -p hanse-simulator --features injected-bugs --test model_bugs -- --nocapture`
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use hanse_consensus::bft::{Bug, Bugs};
use hanse_simulator::model::{Delivery, Search};

const BUGS: [Bug; 5] =
    [Bug::IgnoreLock, Bug::NeverLock, Bug::UnlockAtNewRound, Bug::SmallQuorum, Bug::BelieveValidRound];

#[test]
fn every_mistake_in_the_rules_is_found() {
    for bug in BUGS {
        let start = Instant::now();
        let search =
            |faulty| Search { faulty, rounds: 2, delivery: Delivery::Whole, limit: 5_000_000, bugs: Bugs::only(bug) };
        let found = [1, 2, 0].map(|faulty| search(faulty).run());
        let states: usize = found.iter().map(|found| found.states).sum();
        let shortest = found.into_iter().filter_map(|found| found.violation).min_by_key(|(_, path)| path.len());
        let (violation, path) = shortest.unwrap_or_else(|| panic!("{bug:?} is not found in {states} states"));
        println!(
            "{bug:?}: {} events, {states} states, {:.1} s: {violation}",
            path.len(),
            start.elapsed().as_secs_f64()
        );
        path.iter().for_each(|event| println!("    {event}"));
    }
}
