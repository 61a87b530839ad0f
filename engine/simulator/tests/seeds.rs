//! Many seeds, none of which may break anything.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use hanse_simulator::{Summary, command, run};

/// Seeds of one run of the tests; `HANSE_SEEDS` asks for another count.
const SEEDS: u64 = 2_000;
/// One of so many is run twice.
const TWICE: u64 = 100;

fn count() -> u64 {
    std::env::var("HANSE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS)
}

/// Runs seeds on all cores.
fn run_all(seeds: u64) -> Vec<Summary> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return done;
            }
            let summary = run(seed);
            assert_eq!(summary.failure, None, "seed {seed}; replay it with: {}", command(seed));
            if seed.is_multiple_of(TWICE) {
                assert_eq!(run(seed), summary, "seed {seed} runs differently the second time");
            }
            done.push(summary);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn no_seed_breaks_anything() {
    let wanted = count();
    let summaries = run_all(wanted);
    let sum = |part: fn(&Summary) -> u64| summaries.iter().map(part).sum::<u64>();
    let (blocks, crashes, losses) = (sum(|run| run.blocks), sum(|run| run.crashes), sum(|run| run.power_losses));
    let (evidence, caught_up, fetched) = (sum(|run| run.evidence), sum(|run| run.caught_up), sum(|run| run.fetched));
    let rounds = summaries.iter().map(|run| run.rounds_after_heal).max().unwrap();
    println!(
        "{} seeds: {blocks} blocks, {crashes} crashes, {losses} power losses in a write, {evidence} contradictions \
         reported, {caught_up} blocks served, {fetched} fetches; at most {rounds} rounds after healing",
        summaries.len()
    );
    assert_eq!(summaries.len() as u64, wanted);
    // The runs are worth something only if all of it happened.
    for (what, number) in
        [(blocks, 10), (crashes, 1), (losses, 1), (evidence, 1), (caught_up, 1), (fetched, 1)].into_iter().enumerate()
    {
        assert!(number.0 * 4 >= number.1 * wanted, "kind {what} happened {} times", number.0);
    }
    assert!(rounds <= 4, "{rounds} rounds until a block after everything healed");
}
