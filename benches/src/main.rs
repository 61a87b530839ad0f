//! The command line of the figures. What it can be asked for is in [`hanse_benches::command`].

use anyhow::Result;
use clap::{Parser, Subcommand};
use hanse_benches::command::{commitment, scheduler, vm};

/// As the node has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the engine.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The scheduler beside the plain loop, for some workloads.
    Scheduler(scheduler::SchedulerArgs),
    /// The same for every workload, number of accounts, skew and block size.
    Sweep(scheduler::SweepArgs),
    /// What one call costs, native and in WebAssembly.
    Vm(vm::VmArgs),
    /// What the state root of a block costs, beside running it.
    Commitment(commitment::CommitmentArgs),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Scheduler(args) => scheduler::run(&args),
        Command::Sweep(args) => scheduler::run(&args.into()),
        Command::Vm(args) => vm::run(&args),
        Command::Commitment(args) => commitment::run(&args),
    }
}
