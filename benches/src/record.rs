//! One line of results.

use serde::Serialize;

use crate::shape::Shape;
use crate::workload::{Prepared, Workload};

/// How a block was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The plain loop, in the order of arrival.
    Serial,
    /// As its proposer.
    Propose,
    /// As a validator, along its DAG, the DAG checked.
    Replay,
}

/// What a proposer knows of the methods that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HintState {
    /// Nothing at the block's start.
    Cold,
    /// What the blocks before have taught.
    Warm,
}

/// Medians over the blocks of one workload, shape, mode and number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// What was run.
    pub workload: Workload,
    /// Accounts (or keys) that the transactions choose from.
    pub accounts: usize,
    /// Zipf exponent of that choice.
    pub skew: f64,
    /// Transactions of a block.
    pub block: usize,
    /// Blocks that were measured.
    pub blocks: usize,
    /// From which the transactions follow.
    pub seed: u64,
    /// Threads of the pool.
    pub threads: usize,
    /// How it was run.
    pub mode: Mode,
    /// For a proposer: what it knew.
    pub hints: Option<HintState>,
    /// Transactions a second.
    pub tx_per_s: f64,
    /// Throughput as a multiple of the plain loop's in the same run, beside the same block.
    pub ratio_to_serial: f64,
    /// The plain loop's CPU time by this mode's, all threads together: what the scheduler costs in work. On a machine
    /// that others use too, this holds still where the ratio of times by the clock does not.
    pub cpu_ratio_to_serial: f64,
    /// Executions for each transaction, speculative ones and strays' stopped ones included.
    pub executions_per_tx: f64,
    /// Transactions of a block that left the access set under which they were scheduled.
    pub strays: f64,
    /// Edges of the DAG for each transaction.
    pub edges_per_tx: f64,
    /// Canonical bytes of the DAG for each transaction.
    pub dag_bytes_per_tx: f64,
    /// Gas of the block by gas along its costliest path: the most that threads can gain.
    pub work_over_span: f64,
    /// CPU time to build the block's DAG, as a share of the plain loop's.
    pub dag_build_share: f64,
}

impl Record {
    /// A record of the plain loop that took so many seconds for a block.
    pub fn of_loop(prepared: &Prepared, shape: &Shape, seconds: f64) -> Record {
        Record {
            workload: prepared.workload,
            accounts: prepared.world.accounts.len(),
            skew: shape.skew,
            block: shape.block,
            blocks: shape.blocks,
            seed: shape.seed,
            threads: 1,
            mode: Mode::Serial,
            hints: None,
            tx_per_s: shape.block as f64 / seconds,
            ratio_to_serial: 1.0,
            cpu_ratio_to_serial: 1.0,
            executions_per_tx: 1.0,
            strays: 0.0,
            edges_per_tx: 0.0,
            dag_bytes_per_tx: 0.0,
            work_over_span: 1.0,
            dag_build_share: 0.0,
        }
    }
}
