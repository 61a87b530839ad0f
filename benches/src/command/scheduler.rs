//! `scheduler` and `sweep`: the scheduler beside the plain loop.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::measure::{Pools, measure};
use crate::output::{self, Sink};
use crate::record::Record;
use crate::shape::Shape;
use crate::workload::{Prepared, Workload};

/// What to measure. Lists are separated by commas, and every combination is measured.
#[derive(Args, Debug)]
pub struct SchedulerArgs {
    /// Kinds of transactions.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "token-wasm")]
    pub workload: Vec<Workload>,
    /// Accounts (or keys) that the transactions choose from.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    pub accounts: Vec<usize>,
    /// Zipf exponents of that choice; 0 is uniform.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub skew: Vec<f64>,
    /// Transactions of a block.
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    pub block: Vec<usize>,
    /// Threads of the pools.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub threads: Vec<usize>,
    /// How long, and where to.
    #[command(flatten)]
    pub common: Common,
}

/// The table of the design: workloads, accounts, skews and block sizes, each with each.
#[derive(Args, Debug)]
pub struct SweepArgs {
    /// Kinds of transactions.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "token-wasm,token-native,payment")]
    pub workload: Vec<Workload>,
    /// Accounts (or keys) that the transactions choose from.
    #[arg(long, value_delimiter = ',', default_value = "2,10,100,1000,10000,100000")]
    pub accounts: Vec<usize>,
    /// Zipf exponents of that choice; 0 is uniform.
    #[arg(long, value_delimiter = ',', default_value = "0,0.6,0.9,1.2")]
    pub skew: Vec<f64>,
    /// Transactions of a block.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000")]
    pub block: Vec<usize>,
    /// Threads of the pools.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub threads: Vec<usize>,
    /// How long, and where to.
    #[command(flatten)]
    pub common: Common,
}

/// How long to measure, and where to put it.
#[derive(Args, Debug)]
pub struct Common {
    /// Blocks that are measured for each shape; by default as many as make 100000 transactions, 7 to 101.
    #[arg(long)]
    pub blocks: Option<usize>,
    /// From which all transactions follow.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// File for a line of JSON per figure.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// File for a plot.
    #[arg(long)]
    pub plot: Option<PathBuf>,
}

impl From<SweepArgs> for SchedulerArgs {
    fn from(sweep: SweepArgs) -> SchedulerArgs {
        let SweepArgs { workload, accounts, skew, block, threads, common } = sweep;
        SchedulerArgs { workload, accounts, skew, block, threads, common }
    }
}

/// Measures every combination and shows it.
///
/// # Errors
/// If something can't be measured, or a result is wrong.
pub fn run(args: &SchedulerArgs) -> Result<()> {
    check(args)?;
    let pools = Pools::new(&args.threads)?;
    let most_threads = args.threads.iter().copied().max().unwrap_or(1);
    let mut sink = Sink::open(args.common.json.as_deref())?;
    let mut records = Vec::new();
    for workload in &args.workload {
        for accounts in &args.accounts {
            let prepared = Prepared::new(*workload, *accounts, most_threads)?;
            measure_shapes(args, &prepared, &pools, &mut sink, &mut records)?;
        }
    }
    println!("{}", output::table_of(&records));
    if let Some(file) = &args.common.plot {
        output::plot(&records, file)?;
    }
    Ok(())
}

fn measure_shapes(
    args: &SchedulerArgs,
    prepared: &Prepared,
    pools: &Pools,
    sink: &mut Sink,
    records: &mut Vec<Record>,
) -> Result<()> {
    for block in &args.block {
        for skew in &args.skew {
            let blocks = args.common.blocks.unwrap_or((100_000 / block).clamp(7, 101));
            let warm_up = 1 + blocks / 8;
            let shape = Shape { skew: *skew, block: *block, blocks, warm_up, seed: args.common.seed };
            for record in measure(prepared, &shape, pools)? {
                sink.write(&record)?;
                records.push(record);
            }
        }
    }
    Ok(())
}

fn check(args: &SchedulerArgs) -> Result<()> {
    ensure!(args.accounts.iter().all(|count| *count > 0), "--accounts must be at least 1");
    ensure!(args.threads.iter().all(|count| *count > 0), "--threads must be at least 1");
    let blocks = 1..=hanse_types::limits::BLOCK_TRANSACTIONS;
    ensure!(args.block.iter().all(|size| blocks.contains(size)), "--block must be from 1 to {}", blocks.end());
    ensure!(args.common.blocks != Some(0), "--blocks must be at least 1");
    ensure!(args.skew.iter().all(|skew| (0.0..=10.0).contains(skew)), "--skew must be from 0 to 10");
    Ok(())
}
