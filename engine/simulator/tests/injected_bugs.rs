//! Mistakes in engine, journal, guard and driver, one at a time: each must be found, and soon.
//!
//! `cargo test --release -p hanse-simulator --features injected-bugs --test injected_bugs -- --nocapture`
#![allow(clippy::unwrap_used)]

mod common;

use common::{on_all_cores, wanted};
use hanse_consensus::bft::Bug;
use hanse_simulator::figures::Stopwatch;
use hanse_simulator::{Plan, run_with};

/// Seeds within which a mistake is to be found; `HANSE_BUG_SEEDS` asks for another count.
const SEEDS: u64 = 8_000;
/// Seconds of one core within which it is to be found.
const SECONDS: f64 = 60.0;
/// Mistakes that there are at least.
const MISTAKES: usize = 40;

/// Mistakes that random runs take too long to find; each says what finds it at once.
const RARE: [Bug; 1] = [
    // 50,441 seeds, 291 s. `an_earlier_polka_does_not_free_from_the_lock` in the engine's own tests.
    Bug::OldPolkaUnlocks,
];

/// The mistakes to try: all but the rare ones, or the one that `HANSE_BUG` names.
fn mistakes() -> Vec<Bug> {
    let wanted = std::env::var("HANSE_BUG").ok();
    let is_wanted = |bug: &&Bug| match &wanted {
        Some(wanted) => format!("{bug:?}") == *wanted,
        None => !RARE.contains(bug),
    };
    Bug::ALL.iter().filter(is_wanted).copied().collect()
}

/// What the hunt for one mistake came to.
struct Hunt {
    bug: Bug,
    seeds: u64,
    seconds: f64,
    failure: Option<String>,
}

fn hunt(bug: Bug, seeds: u64) -> Hunt {
    let watch = Stopwatch::start();
    let found = (0..seeds).find_map(|seed| Some((seed + 1, run_with(seed, Plan::in_turn(seed), bug).failure?)));
    let seconds = watch.seconds();
    match found {
        Some((after, failure)) => Hunt { bug, seeds: after, seconds, failure: Some(failure) },
        None => Hunt { bug, seeds, seconds, failure: None },
    }
}

/// Hunts for all of them on all cores, and tells of them in their order.
fn hunt_all(bugs: &[Bug], seeds: u64) -> Vec<Hunt> {
    let places: Vec<usize> = (0..bugs.len()).collect();
    let mut done = on_all_cores(&places, |at| (*at, hunt(bugs[*at], seeds)));
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, hunt)| hunt).collect()
}

#[test]
fn every_mistake_is_found() {
    let bugs = mistakes();
    let hunts = hunt_all(&bugs, wanted("HANSE_BUG_SEEDS", SEEDS));
    println!("{:<22} {:>6} {:>8}  what was seen first", "mistake", "seeds", "seconds");
    for Hunt { bug, seeds, seconds, failure } in &hunts {
        let seen: String = failure.as_deref().unwrap_or("nothing").chars().take(110).collect();
        println!("{:<22} {seeds:>6} {seconds:>8.2}  {seen}", format!("{bug:?}"));
    }
    let found = hunts.iter().filter(|hunt| hunt.failure.is_some()).count();
    println!("injected mistakes found: {found} of {}", bugs.len());
    let missed: Vec<Bug> = hunts.iter().filter(|hunt| hunt.failure.is_none()).map(|hunt| hunt.bug).collect();
    assert_eq!(missed, []);
    let slow: Vec<Bug> = hunts.iter().filter(|hunt| hunt.seconds > SECONDS).map(|hunt| hunt.bug).collect();
    assert_eq!(slow, [], "not found within {SECONDS} s");
    assert!(std::env::var_os("HANSE_BUG").is_some() || found >= MISTAKES, "{found} mistakes are too few");
}
