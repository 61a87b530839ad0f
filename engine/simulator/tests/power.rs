//! Power that fails in the middle of writes, again and again: nothing that was signed is forgotten.
#![allow(clippy::unwrap_used)]

mod common;

use common::{on_all_cores, wanted};
use hanse_simulator::{Plan, command, run};

/// Losses of power in one run of the tests; `HANSE_POWER_LOSSES` asks for another count.
const LOSSES: u64 = 2_000;
/// Seeds that are run before losses are counted again.
const BATCH: u64 = 64;

/// Power losses and blocks of a seed.
fn lose(seed: u64) -> (u64, u64) {
    let summary = run(seed, Plan::Power);
    assert_eq!(summary.failure, None, "seed {seed}; replay it with: {}", command(seed, Plan::Power));
    (summary.power_losses, summary.blocks)
}

#[test]
fn nothing_that_was_signed_is_forgotten() {
    let wanted = wanted("HANSE_POWER_LOSSES", LOSSES);
    let (mut seeds, mut losses, mut blocks) = (0, 0, 0);
    while losses < wanted {
        // Seeds without losses would let this go on for ever.
        assert!(seeds <= wanted, "{losses} power losses in {seeds} seeds");
        let batch: Vec<u64> = (seeds..seeds + BATCH).collect();
        let lost = on_all_cores(&batch, |seed| lose(*seed));
        losses += lost.iter().map(|(losses, _)| losses).sum::<u64>();
        blocks += lost.iter().map(|(_, blocks)| blocks).sum::<u64>();
        seeds += BATCH;
    }
    println!("{seeds} seeds, {blocks} blocks");
    println!("power losses: {losses}");
}
