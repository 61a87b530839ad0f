//! Power that fails in the middle of writes, again and again: nothing that was signed is forgotten.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use hanse_simulator::{Plan, command, run};

/// Losses of power in one run of the tests; `HANSE_POWER_LOSSES` asks for another count.
const LOSSES: u64 = 2_000;

fn count() -> u64 {
    std::env::var("HANSE_POWER_LOSSES").ok().and_then(|count| count.parse().ok()).unwrap_or(LOSSES)
}

#[test]
fn nothing_that_was_signed_is_forgotten() {
    let wanted = count();
    let (next, losses, blocks) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while losses.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // A seed without a loss would let this go on for ever.
            assert!(seed < wanted, "{} power losses in {seed} seeds", losses.load(Ordering::Relaxed));
            let summary = run(seed, Plan::Power);
            assert_eq!(summary.failure, None, "seed {seed}; replay it with: {}", command(seed, Plan::Power));
            losses.fetch_add(summary.power_losses, Ordering::Relaxed);
            blocks.fetch_add(summary.blocks, Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let (seeds, losses, blocks) = (next.into_inner(), losses.into_inner(), blocks.into_inner());
    println!("{seeds} seeds, {blocks} blocks");
    println!("power losses: {losses}");
    assert!(losses >= wanted);
}
