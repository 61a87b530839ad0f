//! Mistakes in the rules and in what survives a crash: each search has to find those that are its business.
//!
//! `cargo test --release -p hanse-simulator --features injected-bugs --test search_bugs -- --nocapture`
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use hanse_consensus::bft::{Bug, Bugs};
use hanse_simulator::crash::Schedules;
use hanse_simulator::model::{Delivery, Search};
use hanse_simulator::twins::Scenarios;

const MODEL: [Bug; 7] = [
    Bug::IgnoreLock,
    Bug::NeverLock,
    Bug::UnlockAtNewRound,
    Bug::BelieveValidRound,
    Bug::SmallQuorum,
    Bug::DecideByPrevotes,
    Bug::PrecommitOldPolka,
];

const CRASH: [Bug; 5] =
    [Bug::RestartAtRoundZero, Bug::SignBeforeSync, Bug::NoJournal, Bug::GuardBeforeJournal, Bug::TornTailIsDamage];

const TWINS: [Bug; 8] = [
    Bug::IgnoreLock,
    Bug::NeverLock,
    Bug::UnlockAtNewRound,
    Bug::SmallQuorum,
    Bug::DecideByPrevotes,
    Bug::MixKinds,
    Bug::NeverRepair,
    Bug::ForgetValid,
];

/// Looks for each of some mistakes; says what was seen first, and after how much.
fn hunt(mistakes: &[Bug], find: impl Fn(Bugs) -> Result<(String, usize), usize>) {
    let mut missed = Vec::new();
    for bug in mistakes {
        let start = Instant::now();
        let found = find(Bugs::only(*bug));
        let (seen, tried) = found.unwrap_or_else(|tried| {
            missed.push(*bug);
            ("nothing".to_owned(), tried)
        });
        let seen: String = seen.chars().take(110).collect();
        println!("{:<20} {tried:>8} {:>6.1} s  {seen}", format!("{bug:?}"), start.elapsed().as_secs_f64());
    }
    println!("{} of {} found", mistakes.len() - missed.len(), mistakes.len());
    assert_eq!(missed, []);
}

#[test]
fn the_model_search_finds_mistakes_in_the_rules() {
    hunt(&MODEL, |bugs| {
        let search = |faulty| Search { faulty, rounds: 2, delivery: Delivery::Whole, limit: 1_000_000, bugs };
        let mut states = 0;
        for faulty in [2, 1, 0] {
            let found = search(faulty).run();
            states += found.states;
            if let Some((violation, path)) = found.violation {
                return Ok((format!("{} events: {violation}", path.len()), states));
            }
        }
        Err(states)
    });
}

#[test]
fn the_crashes_find_mistakes_in_what_survives_them() {
    hunt(&CRASH, |bugs| {
        let schedules = Schedules::new(2, bugs);
        let mut tried = 0;
        for schedule in 0..schedules.len() {
            let crashes = match schedules.crashes(schedule) {
                Ok(crashes) => crashes,
                Err(failure) => return Ok((failure, tried)),
            };
            for crash in crashes {
                tried += 1;
                if let Some(failure) = schedules.run(&crash, false) {
                    return Ok((failure, tried));
                }
            }
            if tried > 8_000 {
                break;
            }
        }
        Err(tried)
    });
}

#[test]
fn the_divisions_find_mistakes_in_the_rules() {
    let scenarios = Scenarios::new(3);
    hunt(&TWINS, |bugs| {
        let numbers = (0..scenarios.len()).map(|at| (at as u128 * 1_000_003 % u128::from(scenarios.len())) as u64);
        for (tried, number) in numbers.filter(|number| scenarios.is_first(*number)).take(10_000).enumerate() {
            if let Some(failure) = scenarios.run(number, bugs, false).failure {
                return Ok((failure, tried + 1));
            }
        }
        Err(10_000)
    });
}
