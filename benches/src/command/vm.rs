//! `vm`: what one call costs, alone on its core: native, and in a fresh instance of WebAssembly.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use hanse_scheduler::run_serial;
use hanse_types::Transaction;
use serde::Serialize;

use crate::measure::{pool, timed};
use crate::output::{self, Sink};
use crate::random::{Random, Zipf};
use crate::statistics::median;
use crate::workload::counter::{Empty, empty};
use crate::workload::{Prepared, Workload};
use crate::world::{Frozen, check_success};

/// Accounts that transfers choose from: their balances stay in the cache, so that the call is what is measured.
const ACCOUNTS: usize = 1_000;

/// How long to measure, and where to put it.
#[derive(Args, Debug)]
pub struct VmArgs {
    /// Calls of one round.
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// From which the transactions follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File for a line of JSON per figure.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What one kind of call costs.
#[derive(Clone, Debug, Serialize)]
struct CallCost {
    call: String,
    calls: usize,
    rounds: usize,
    /// Median of the rounds' means.
    ns_per_call: f64,
    /// The fastest round's mean.
    ns_per_call_best: f64,
    gas_per_call: f64,
}

struct Case {
    name: String,
    world: Frozen,
    batch: Vec<Transaction>,
    nanoseconds: Vec<f64>,
    gas: u64,
}

/// Measures every kind of call, in turns.
///
/// # Errors
/// If a call can't be made, or fails.
pub fn run(args: &VmArgs) -> Result<()> {
    let mut cases = cases(args)?;
    let pool = pool(1)?;
    for round in 0..args.rounds + 1 {
        for case in &mut cases {
            pool.install(|| case.run(round > 0))?;
        }
    }
    let mut sink = Sink::open(args.json.as_deref())?;
    let mut rows = Vec::new();
    for case in cases {
        let cost = case.cost(args);
        sink.write(&cost)?;
        rows.push(vec![
            cost.call,
            format!("{:.0}", cost.ns_per_call),
            format!("{:.0}", cost.ns_per_call_best),
            format!("{:.0}", cost.gas_per_call),
        ]);
    }
    println!("{}", output::table(&["call", "ns (median)", "ns (best)", "gas"], rows));
    Ok(())
}

fn cases(args: &VmArgs) -> Result<Vec<Case>> {
    let zipf = Zipf::new(ACCOUNTS, 0.0);
    let mut cases = Vec::new();
    for pages in [1, 2] {
        let Empty { world, transaction } = empty(pages)?;
        cases.push(Case::new(
            &format!("wasm, nothing, {} KiB of memory", 64 * pages),
            world,
            vec![transaction; args.calls],
        ));
    }
    for workload in [Workload::Counter, Workload::TokenWasm, Workload::Payment, Workload::TokenNative] {
        let prepared = Prepared::new(workload, ACCOUNTS, 1)?;
        let batch = prepared.block(args.calls, &zipf, &mut Random::new(args.seed));
        cases.push(Case::new(&workload.to_string(), prepared.world, batch));
    }
    Ok(cases)
}

impl Case {
    fn new(name: &str, world: Frozen, batch: Vec<Transaction>) -> Case {
        Case { name: name.to_owned(), world, batch, nanoseconds: Vec::new(), gas: 0 }
    }

    /// One round, as the plain loop runs a block.
    fn run(&mut self, counts: bool) -> Result<()> {
        let (taken, serial) =
            timed(|| run_serial(&self.world.executor, &self.batch, 0..self.batch.len(), self.world.parent()));
        let serial = serial?;
        serial.executions.iter().try_for_each(check_success)?;
        self.gas = serial.executions.iter().map(|execution| execution.gas_used.0).sum();
        if counts {
            self.nanoseconds.push(taken.cpu * 1e9 / self.batch.len() as f64);
        }
        Ok(())
    }

    fn cost(self, args: &VmArgs) -> CallCost {
        CallCost {
            call: self.name,
            calls: args.calls,
            rounds: args.rounds,
            ns_per_call_best: self.nanoseconds.iter().copied().fold(f64::INFINITY, f64::min),
            ns_per_call: median(self.nanoseconds),
            gas_per_call: self.gas as f64 / args.calls as f64,
        }
    }
}
