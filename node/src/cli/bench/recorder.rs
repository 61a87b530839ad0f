//! Counts and latencies of a load, as a whole and second by second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hanse_client::stream::StreamedBlock;
use hanse_types::{Gas, Height};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer latencies are counted as this one, in microseconds: ten minutes, the longest life of a transaction.
const LONGEST: u64 = 600 * 1_000_000;
/// Digits that a latency keeps.
const DIGITS: u8 = 3;

/// What came of a load.
pub(super) struct Recorder {
    /// Second 0 begins here.
    started: Instant,
    /// In microseconds.
    latencies: Histogram<u64>,
    seconds: Vec<Second>,
    /// When something was under way: pauses, in which the next transactions are signed, are not counted.
    active: Vec<(Instant, Instant)>,
    last_seen: Instant,
    refusals: BTreeMap<i32, u64>,
    /// Batches of a fixed rate that were not offered: nothing was left to send, or no connection free in time.
    pub(super) skipped: u64,
    /// Transactions that ran and failed, of this load or of others at the same time.
    pub(super) failed: u64,
    /// Blocks with at least one of the transactions,
    pub(super) blocks: u64,
    /// the fullest of them,
    pub(super) largest_block: u32,
    /// their gas,
    pub(super) gas: Gas,
    /// and the last of them.
    pub(super) last_height: Height,
}

/// What was committed in a second.
struct Second {
    latencies: Histogram<u64>,
}

/// Latencies, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// A second of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Slot {
    /// Seconds since the start.
    pub(super) at: u64,
    /// Transactions that were committed in it.
    pub(super) committed: u64,
    /// Their latencies.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Whether the load was on for all of it.
    pub(super) full: bool,
}

fn histogram() -> Histogram<u64> {
    // The bounds are constants that are known to be good.
    Histogram::new_with_bounds(1, LONGEST, DIGITS).unwrap_or_else(|error| unreachable!("{error}"))
}

impl Recorder {
    /// Nothing yet.
    pub(super) fn new(started: Instant) -> Recorder {
        Recorder {
            started,
            latencies: histogram(),
            seconds: Vec::new(),
            active: Vec::new(),
            last_seen: started,
            refusals: BTreeMap::new(),
            skipped: 0,
            failed: 0,
            blocks: 0,
            largest_block: 0,
            gas: Gas(0),
            last_height: Height(0),
        }
    }

    /// How long ago second 0 began.
    pub(super) fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// A transaction was seen in a block.
    pub(super) fn seen(&mut self, now: Instant, latency: Duration) {
        let second = now.saturating_duration_since(self.started).as_secs() as usize;
        while self.seconds.len() <= second {
            self.seconds.push(Second { latencies: histogram() });
        }
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.latencies.saturating_record(micros);
        self.seconds[second].latencies.saturating_record(micros);
        self.last_seen = now;
    }

    /// A block with some of the transactions.
    pub(super) fn block(&mut self, block: &StreamedBlock) {
        let header = &block.header;
        self.blocks += 1;
        self.failed += u64::from(block.failed);
        self.largest_block = self.largest_block.max(header.tx_count);
        self.gas = Gas(self.gas.0 + header.gas_used.0);
        self.last_height = header.height;
    }

    /// The node refused a transaction.
    pub(super) fn refused(&mut self, code: i32) {
        *self.refusals.entry(code).or_default() += 1;
    }

    /// The load was on from then until the last transaction was seen.
    pub(super) fn was_active(&mut self, from: Instant) {
        self.active.push((from, self.last_seen.max(from)));
    }

    /// How many were committed.
    pub(super) fn committed(&self) -> u64 {
        self.latencies.len()
    }

    /// Refusals by code.
    pub(super) fn refusals(&self) -> &BTreeMap<i32, u64> {
        &self.refusals
    }

    /// How long the load was on.
    pub(super) fn active(&self) -> Duration {
        self.active.iter().map(|(from, to)| to.duration_since(*from)).sum()
    }

    /// Of all.
    pub(super) fn latencies(&self) -> Percentiles {
        Percentiles {
            p50: milliseconds(&self.latencies, 0.5),
            p90: milliseconds(&self.latencies, 0.9),
            p99: milliseconds(&self.latencies, 0.99),
            p99_9: milliseconds(&self.latencies, 0.999),
            max: self.latencies.max() as f64 / 1_000.0,
        }
    }

    /// Second by second.
    pub(super) fn timeline(&self) -> Vec<Slot> {
        let slot = |(at, second): (usize, &Second)| Slot {
            at: at as u64,
            committed: second.latencies.len(),
            p50: milliseconds(&second.latencies, 0.5),
            p99: milliseconds(&second.latencies, 0.99),
            full: self.is_full(at as u64),
        };
        self.seconds.iter().enumerate().map(slot).collect()
    }

    fn is_full(&self, second: u64) -> bool {
        let (from, to) = (self.started + Duration::from_secs(second), self.started + Duration::from_secs(second + 1));
        self.active.iter().any(|(began, ended)| *began <= from && to <= *ended)
    }
}

fn milliseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_seconds() {
        let started = Instant::now();
        let mut recorder = Recorder::new(started);
        for n in 1..=200u64 {
            recorder.seen(started + Duration::from_millis(10 * n), Duration::from_millis(n));
        }
        recorder.was_active(started);
        let latencies = recorder.latencies();
        for (found, expected) in
            [(latencies.p50, 100.0), (latencies.p90, 180.0), (latencies.p99, 198.0), (latencies.max, 200.0)]
        {
            assert!((found - expected).abs() <= expected / 500.0, "{found} for {expected}");
        }
        let timeline = recorder.timeline();
        assert_eq!(timeline.iter().map(|slot| slot.committed).collect::<Vec<_>>(), [99, 100, 1]);
        assert_eq!(timeline.iter().map(|slot| slot.full).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(recorder.active(), Duration::from_secs(2));
        recorder.seen(started + Duration::from_secs(3), Duration::from_secs(10_000));
        assert_eq!(recorder.committed(), 201);
    }
}
