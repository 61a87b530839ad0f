//! Runs that fail become short and still fail.
//!
//! `cargo test --release -p hanse-simulator --features injected-bugs --test minimise -- --nocapture`
#![allow(clippy::unwrap_used)]

use hanse_consensus::bft::{Bug, Bugs};
use hanse_simulator::minimise::{Keep, minimise, run};
use hanse_simulator::{Plan, run_with};

/// Mistakes that need several things to go wrong before they show.
const BUGS: [Bug; 3] = [Bug::IgnoreLock, Bug::ForgetLockAtRestart, Bug::SkipSignatures];

/// Faults of a run that is worth shortening.
const FAULTS: usize = 12;

#[test]
fn a_run_that_fails_is_cut_to_a_third_at_most_and_still_fails() {
    for bug in BUGS {
        let failing = (0..20_000).filter(|seed| run_with(*seed, Plan::Full, bug).failure.is_some());
        let shorter = |seed| minimise(seed, Plan::Full, Bugs::only(bug)).map(|left| (seed, left));
        let (seed, left) = failing.filter_map(shorter).find(|(_, left)| left.faults[0] >= FAULTS).unwrap();
        let ([before, after], [events, fewer]) = (left.faults, left.events);
        println!(
            "{bug:?}, seed {seed}: {after} of {before} faults, {fewer} of {events} events, {} runs: --keep {}\n    {}",
            left.runs, left.keep, left.failure[1]
        );
        let keep: Keep = left.keep.to_string().parse().unwrap();
        assert_eq!(keep, left.keep);
        let again = run(seed, Plan::Full, &keep, Bugs::only(bug), false);
        assert_eq!(again.failure.as_ref(), Some(&left.failure[1]), "what is left runs as it did");
        assert!(after * 3 <= before, "{after} of {before} faults are left");
        assert_eq!(
            run(seed, Plan::Full, &keep, Bugs::default(), false).failure,
            None,
            "without the mistake all is well"
        );
    }
}

#[test]
fn a_run_of_which_nothing_is_left_out_is_the_same() {
    for seed in 0..30 {
        let whole = hanse_simulator::run(seed, Plan::Full);
        let all: String =
            "bfaksmnpcrdzjw".chars().flat_map(|kind| (0..200).map(move |at| format!("{kind}{at},"))).collect();
        let again = run(seed, Plan::Full, &all.parse().unwrap(), Bugs::default(), false);
        assert_eq!(again, whole, "seed {seed}");
    }
}

#[test]
fn what_is_no_fault_is_refused() {
    for text in ["q1", "c", "c-1", "heal=", "heal=soon", "tx=1x", "c1 c2", "é1", "salt=é", "c1=2"] {
        let error = text.parse::<Keep>().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!("none".parse::<Keep>().unwrap().is_empty());
    assert_eq!("c12, salt=3,b0,heal=900,tx=5".parse::<Keep>().unwrap().to_string(), "b0,c12,heal=900,tx=5,salt=3");
}
