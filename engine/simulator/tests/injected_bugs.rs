//! Mistakes in the engine, one at a time: each must be found within a stated number of seeds.
//!
//! `cargo test --release -p hanse-simulator --features injected-bugs --test injected_bugs -- --nocapture`
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use hanse_consensus::bft::Bug;
use hanse_simulator::run_with;

/// Seeds within which a mistake is to be found; `HANSE_SEEDS` asks for another count.
const SEEDS: u64 = 3_000;

fn count() -> u64 {
    std::env::var("HANSE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS)
}

const BUGS: [Bug; 19] = [
    Bug::IgnoreLock,
    Bug::NeverLock,
    Bug::UnlockAtNewRound,
    Bug::BelieveValidRound,
    Bug::SmallQuorum,
    Bug::SkipSignatures,
    Bug::SkipQuorumSignatures,
    Bug::SkipCheck,
    Bug::AnyProposer,
    Bug::SkipRoundForOne,
    Bug::NeverSkipRound,
    Bug::ForgetValid,
    Bug::IgnoreOldCommits,
    Bug::NeverRepair,
    Bug::AskOnce,
    Bug::ForgetLockAtRestart,
    Bug::SilentRestart,
    Bug::RestartAtRoundZero,
    Bug::MixKinds,
];

#[test]
fn every_mistake_is_found() {
    println!("{:<22} {:>6} {:>9}  what was seen first", "mistake", "seeds", "seconds");
    let (seeds, mut missed) = (count(), Vec::new());
    for bug in BUGS {
        let start = Instant::now();
        let found = (0..seeds).find_map(|seed| Some((seed + 1, run_with(seed, bug).failure?)));
        let seconds = start.elapsed().as_secs_f64();
        match found {
            Some((after, failure)) => {
                let failure: String = failure.chars().take(90).collect();
                println!("{:<22} {after:>6} {seconds:>9.2}  {failure}", format!("{bug:?}"));
            }
            None => {
                println!("{:<22} {seeds:>6} {seconds:>9.2}  nothing", format!("{bug:?}"));
                missed.push(bug);
            }
        }
    }
    println!("{} of {} found within {seeds} seeds each", BUGS.len() - missed.len(), BUGS.len());
    assert_eq!(missed, []);
}
