//! A crash at every effect of every node, with everything that may be left of it; see the module.
#![allow(clippy::unwrap_used)]

mod common;

use common::{on_all_cores, wanted};
use hanse_consensus::bft::Bugs;
use hanse_simulator::crash::{Crash, Left, Schedules};

/// Crashes of one run of the tests; `HANSE_CRASHES` asks for another count.
const CRASHES: u64 = 5_000;

/// Schedules with partitions in two rounds have at least so many.
const OF_TWO_ROUNDS: u64 = 90_000;

#[test]
fn no_crash_breaks_anything() {
    let wanted = wanted("HANSE_CRASHES", CRASHES);
    let schedules = Schedules::new(if wanted > OF_TWO_ROUNDS { 3 } else { 2 }, Bugs::default());
    let mut all: Vec<Crash> = Vec::new();
    let mut used = 0;
    while (all.len() as u64) < wanted && used < schedules.len() {
        all.extend(schedules.crashes(used).unwrap());
        used += 1;
    }
    let failures = on_all_cores(&all, |crash| schedules.run(crash, false).map(|failure| (*crash, failure)));
    let left = |left: fn(&Left) -> bool| all.iter().filter(|crash| left(&crash.left)).count();
    println!(
        "crashes: {} at every effect of every node in {used} of {} schedules; {} with a torn or bad end",
        failures.len(),
        schedules.len(),
        left(|left| matches!(left, Left::Part(_) | Left::Garbled))
    );
    assert_eq!(failures.into_iter().flatten().next(), None);
    assert!(all.len() as u64 >= wanted, "{} crashes of {wanted}", all.len());
}
