//! The figures of a load.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

use super::follow::Run;
use crate::cli::output::{fields, grouped};

/// What is printed. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    workload: String,
    transactions: usize,
    failed: u32,
    blocks: u32,
    largest_block: u32,
    last_height: u64,
    elapsed_ms: f64,
    transactions_per_second: f64,
    cores: usize,
    transactions_per_second_per_core: f64,
    gas_per_second: f64,
    signing_ms: f64,
    latency_ms: Latency,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Report {
    /// The figures of a run.
    pub(super) fn new(run: &Run, signing: Duration, workload: String) -> Report {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let seconds = run.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let rate = run.latencies.len() as f64 / seconds;
        Report {
            workload,
            transactions: run.latencies.len(),
            failed: run.failed,
            blocks: run.blocks,
            largest_block: run.largest_block,
            last_height: run.last_height.0,
            elapsed_ms: milliseconds(run.elapsed),
            transactions_per_second: rate,
            cores,
            transactions_per_second_per_core: rate / cores as f64,
            gas_per_second: run.gas.0 as f64 / seconds,
            signing_ms: milliseconds(signing),
            latency_ms: Latency {
                p50: milliseconds(percentile(&run.latencies, 50)),
                p90: milliseconds(percentile(&run.latencies, 90)),
                p99: milliseconds(percentile(&run.latencies, 99)),
                max: milliseconds(percentile(&run.latencies, 100)),
            },
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let latency = &self.latency_ms;
        fields([
            ("workload", self.workload.clone()),
            ("transactions", format!("{}, {} failed", grouped(self.transactions as u64), self.failed)),
            ("blocks", format!("{}, the fullest with {}", self.blocks, grouped(self.largest_block.into()))),
            ("time", format!("{:.2} s from the first submission to the last block", self.elapsed_ms / 1_000.0)),
            ("throughput", format!("{} transactions/s", grouped(self.transactions_per_second as u64))),
            (
                "per core",
                format!(
                    "{} transactions/s on each of {} cores, which node and load share",
                    grouped(self.transactions_per_second_per_core as u64),
                    self.cores
                ),
            ),
            (
                "latency",
                format!(
                    "{:.0} ms median, {:.0} ms 90 %, {:.0} ms 99 %, {:.0} ms longest",
                    latency.p50, latency.p90, latency.p99, latency.max
                ),
            ),
        ])
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The least value that is not below so many percent of all; of sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let at = |percent| percentile(&sorted, percent).as_millis();
        assert_eq!([at(50), at(90), at(99), at(100)], [100, 180, 198, 200]);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
