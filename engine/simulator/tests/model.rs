//! The model search: to its end with rounds 0 and 1, and many states with every vote alone; see the module.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Instant;

use common::{on_all_cores, wanted};
use hanse_consensus::bft::Bugs;
use hanse_simulator::model::{Delivery, Found, Search};

/// States with every vote alone, in a run of the tests; `HANSE_STATES` asks for another count.
const STATES: u64 = 300_000;
/// Whoever proposes in round 0, in round 1, and in neither.
const FAULTY: [u8; 3] = [1, 2, 0];

fn search(faulty: u8, delivery: Delivery, limit: usize) -> Found {
    let start = Instant::now();
    let found = Search { faulty, rounds: 2, delivery, limit, bugs: Bugs::default() }.run();
    let Found { states, transitions, engines, decisions, complete, violation } = &found;
    println!(
        "{delivery:?}, validator {faulty} faulty: {states} states ({decisions} with a decision), {transitions} \
         transitions, {engines} states of single engines, complete: {complete}, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(*violation, None);
    found
}

#[test]
fn rounds_0_and_1_are_searched_to_their_end() {
    let found = on_all_cores(&FAULTY, |faulty| search(*faulty, Delivery::Whole, usize::MAX));
    let total: usize = found.iter().map(|found| found.states).sum();
    println!("model search, to its end: {total} states");
    assert!(found.iter().all(|found| found.complete && found.decisions > 0));
}

#[test]
fn many_states_with_every_vote_alone() {
    let wanted = wanted("HANSE_STATES", STATES) as usize;
    // One after another, as each remembers hundreds of thousands of engines.
    let found = FAULTY.map(|faulty| search(faulty, Delivery::Alone { seed: 1 }, wanted.div_ceil(3)));
    let total: usize = found.iter().map(|found| found.states).sum();
    println!("model search, every vote alone: {total} states");
    assert!(total >= wanted, "{total} states of {wanted}");
}
