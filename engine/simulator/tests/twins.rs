//! Every way to divide a group in which one validator runs twice; see the module.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;

use common::{on_all_cores, wanted};
use hanse_consensus::bft::Bugs;
use hanse_simulator::twins::Scenarios;

/// Scenarios of one run of the tests; `HANSE_TWINS` asks for another count. With more than there are for three rounds,
/// there are four.
const TWINS: u64 = 5_000;

#[test]
fn no_division_breaks_anything() {
    let wanted = wanted("HANSE_TWINS", TWINS);
    let scenarios = [3, 4].map(Scenarios::new).into_iter().find(|scenarios| scenarios.len() >= 3 * wanted).unwrap();
    // Spread over all of them: a step that has no factor in common with their number comes to each once.
    let (len, step) = (scenarios.len(), 1_000_003);
    let numbers = (0..len).map(|at| (at as u128 * step % u128::from(len)) as u64);
    let chosen: Vec<u64> = numbers.filter(|number| scenarios.is_first(*number)).take(wanted as usize).collect();
    let rounds = Mutex::new(BTreeMap::new());
    let evidence = on_all_cores(&chosen, |number| {
        let outcome = scenarios.run(*number, Bugs::default(), false);
        assert_eq!(outcome.failure, None, "scenario {number} of {len}");
        *rounds.lock().unwrap().entry(outcome.round).or_insert(0) += 1;
        outcome.evidence.min(1)
    });
    let rounds = rounds.into_inner().unwrap();
    let (ran, seen): (u64, u64) = (rounds.values().sum(), evidence.iter().sum());
    println!("twins: {ran} distinct scenarios of {len} numbers; {seen} with evidence; rounds of decisions: {rounds:?}");
    assert!(ran >= wanted, "{ran} scenarios of {wanted}");
    // The runs are worth something only if rounds failed and the doubled validator was noticed.
    assert!(seen * 10 > ran && rounds.keys().any(|round| *round >= 3), "{seen} with evidence, rounds {rounds:?}");
}
