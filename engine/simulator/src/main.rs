//! Runs many seeds, or one with all that happens in it; measures.

use std::process::ExitCode;

use clap::Parser;
use hanse_consensus::bft::Bugs;
use hanse_simulator::minimise::{self, Keep};
use hanse_simulator::{Plan, Summary, command, figures, run, trace};

/// Looks for seeds under which consensus breaks.
#[derive(Parser)]
struct Arguments {
    /// Run this seed, and print what happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Of that seed's faults, let only these happen; as `--minimise` prints them.
    #[arg(long, requires = "seed")]
    keep: Option<Keep>,
    /// Leave out of this seed's run, which fails, all that it fails without.
    #[arg(long, conflicts_with = "seed")]
    minimise: Option<u64>,
    /// The first of many seeds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
    /// How seeds become scenarios.
    #[arg(long, value_enum, default_value_t)]
    plan: Plan,
    /// Measure how many seeds a core runs in a second: four validators, one of them faulty, twenty heights.
    #[arg(long)]
    bench: bool,
    /// Print what faults and faulty validators cost.
    #[arg(long)]
    figures: bool,
}

fn main() -> ExitCode {
    let Arguments { seed, keep, minimise, from, count, plan, bench, figures } = Arguments::parse();
    let is_good = match seed {
        Some(seed) => run_one(seed, plan, keep.as_ref()),
        None if minimise.is_some() => minimise.is_none_or(|seed| shorten(seed, plan)),
        None if bench => measure(count),
        None if figures => print_figures(count),
        None => run_many(from, count, plan),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_one(seed: u64, plan: Plan, keep: Option<&Keep>) -> bool {
    let summary = match keep {
        Some(keep) => minimise::run(seed, plan, keep, Bugs::default(), true),
        None => trace(seed, plan),
    };
    let Summary { decisions, failure, .. } = &summary;
    println!("{} blocks; {}", decisions.len(), failure.as_deref().unwrap_or("nothing is broken"));
    failure.is_none()
}

/// Prints what is left of a run that fails. Good only if it does not.
fn shorten(seed: u64, plan: Plan) -> bool {
    let Some(left) = minimise::minimise(seed, plan, Bugs::default()) else {
        println!("seed {seed} breaks nothing");
        return true;
    };
    let ([faults, kept], [events, fewer]) = (left.faults, left.events);
    println!("{kept} of {faults} faults, {fewer} of {events} events, after {} runs: {}", left.runs, left.failure[1]);
    println!("    {} --keep {}", command(seed, plan), left.keep);
    false
}

fn run_many(from: u64, count: u64, plan: Plan) -> bool {
    let mut failed = 0;
    let (mut whole, mut sent, mut refused) = (0, 0, 0);
    let (mut blocks, mut events, mut losses, mut rounds) = (0, 0, 0, [0; 16]);
    for seed in from..from.saturating_add(count) {
        let summary = run(seed, plan);
        blocks += summary.blocks;
        events += summary.events;
        losses += summary.power_losses;
        whole += u64::from(summary.whole);
        sent += summary.sent;
        refused += summary.refused;
        rounds[(summary.rounds_after_heal as usize).min(15)] += 1;
        if let Some(failure) = summary.failure {
            failed += 1;
            println!("seed {seed}: {failure}\n    {}", command(seed, plan));
        }
    }
    println!("{count} seeds, {failed} failed; {blocks} blocks, {events} events, {losses} power losses");
    println!("{whole} with whole nodes: {sent} transactions sent, {refused} blocks refused");
    println!("rounds until a block after everything healed: {rounds:?}");
    failed == 0
}

fn measure(count: u64) -> bool {
    let speed = figures::speed(count);
    let figures::Speed { seeds, blocks, events, seconds } = speed;
    let rate = speed.seeds_per_second();
    println!("{rate:.0} seeds/s on one core ({seeds} seeds, {blocks} blocks, {events} events in {seconds:.1} s)");
    println!(
        "{{\"seeds\":{seeds},\"blocks\":{blocks},\"events\":{events},\"seconds\":{seconds:.3},\
         \"seeds_per_second\":{rate:.1}}}"
    );
    true
}

fn print_figures(count: u64) -> bool {
    let overhead = figures::overhead(4);
    let (blocks, took) = (overhead.blocks, overhead.microseconds());
    println!(
        "four engines in one process, empty blocks, signatures aside: {took:.0} us of a core per block ({blocks} blocks)"
    );
    println!("rounds until the next block after everything healed, over {count} seeds each");
    for validators in [4, 7, 10] {
        let healing = figures::healing(validators, count);
        println!("  n = {validators:<2}  at most {}, {} hundredths on average", healing.most, healing.mean_hundredths);
    }
    println!("one faulty validator of four, after 20 blocks");
    println!("  {:<12} {:>12} {:>14} {:>7}", "behaviour", "throughput", "wasted rounds", "turns");
    for cost in figures::costs() {
        let throughput = format!("{} %", cost.throughput());
        println!("  {:<12} {throughput:>12} {:>14} {:>7}", cost.behaviour, cost.wasted_rounds, cost.turns);
    }
    true
}
