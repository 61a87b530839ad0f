//! The figures: what one core can do, beside an honest baseline.
//!
//! Every figure is a ratio within one run: the scheduler, the virtual machine or the commitment beside a plain loop over
//! the same transactions on the same state. What was measured on which machine, and what it means, is in
//! `docs/benchmarks.md`.
//!
//! It promises that what is timed is right: the results of every mode are compared with the plain loop's, and a
//! difference ends the run. It knows nothing of networks, disks and signatures.
//!
//! Start reading at [`measure`], then [`workload`].

mod command;
mod contracts;
mod executor;
mod measure;
mod output;
mod random;
mod record;
mod statistics;
mod workload;
mod world;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    Scheduler(command::scheduler::SchedulerArgs),
    /// The same for every workload, number of accounts, skew and block size.
    Sweep(command::scheduler::SweepArgs),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Scheduler(args) => command::scheduler::run(&args),
        Command::Sweep(args) => command::scheduler::run(&args.into()),
    }
}
