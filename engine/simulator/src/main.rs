//! Runs many seeds, or one with all that happens in it.

use std::process::ExitCode;

use clap::Parser;
use hanse_simulator::{Summary, command, run, trace};

/// Looks for seeds under which consensus breaks.
#[derive(Parser)]
struct Arguments {
    /// Run this seed, and print what happens.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of many seeds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
}

fn main() -> ExitCode {
    let Arguments { seed, from, count } = Arguments::parse();
    if let Some(seed) = seed {
        let summary = trace(seed);
        println!("{summary:#?}");
        return if summary.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut failed = 0;
    let (mut blocks, mut events, mut rounds) = (0, 0, [0; 16]);
    for seed in from..from.saturating_add(count) {
        let Summary { failure, blocks: made, events: happened, rounds_after_heal, .. } = run(seed);
        blocks += made;
        events += happened;
        rounds[(rounds_after_heal as usize).min(15)] += 1;
        if let Some(failure) = failure {
            failed += 1;
            println!("seed {seed}: {failure}\n    {}", command(seed));
        }
    }
    println!("{count} seeds, {failed} failed; {blocks} blocks, {events} events");
    println!("rounds until a block after everything healed: {rounds:?}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
