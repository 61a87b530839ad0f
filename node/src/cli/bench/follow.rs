//! Watches blocks come, and notes when each transaction was seen in one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hanse_client::Client;
use hanse_types::{Gas, Hash, Height};
use tokio::sync::watch;

use super::super::exit::{Exit, Failure};

/// How long one request waits for a block; the next asks again.
const BLOCK_PATIENCE: Duration = Duration::from_secs(1);

/// What came of a load.
pub(super) struct Run {
    /// From the first submission to the last block.
    pub(super) elapsed: Duration,
    /// Of each transaction, sorted.
    pub(super) latencies: Vec<Duration>,
    /// Transactions that ran and failed, of this load or of others at the same time.
    pub(super) failed: u32,
    /// Blocks with at least one of the transactions.
    pub(super) blocks: u32,
    /// The fullest of them.
    pub(super) largest_block: u32,
    /// Gas of those blocks.
    pub(super) gas: Gas,
    /// The last of them.
    pub(super) last_height: Height,
}

/// Submission times by place, and the newest height.
pub(super) struct Follower {
    places: HashMap<Hash, usize>,
    times: Mutex<Times>,
    height: watch::Sender<Height>,
}

struct Times {
    started: Instant,
    submitted: Vec<Option<Instant>>,
}

impl Follower {
    /// Follows the transactions with these ids.
    pub(super) fn new(ids: Vec<Hash>) -> Follower {
        let submitted = vec![None; ids.len()];
        let places = ids.into_iter().enumerate().map(|(place, id)| (id, place)).collect();
        let times = Mutex::new(Times { started: Instant::now(), submitted });
        Follower { places, times, height: watch::Sender::new(Height(0)) }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock starts.
    pub(super) fn start(&self, now: Instant) {
        self.times().started = now;
    }

    /// Transactions from this place on are being submitted.
    pub(super) fn submitted(&self, first: usize, count: usize, now: Instant) {
        self.times().submitted[first..first + count].fill(Some(now));
    }

    /// The newest height seen.
    pub(super) fn height(&self) -> Height {
        *self.height.borrow()
    }

    /// Waits until a block after this height was seen; whether one was.
    pub(super) async fn block_after(&self, height: Height, patience: Duration) -> bool {
        let mut heights = self.height.subscribe();
        tokio::time::timeout(patience, heights.wait_for(|newest| *newest > height)).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Follows the chain from this height on until all transactions were seen.
    pub(super) async fn follow(&self, client: &Client, from: Height, patience: Duration) -> Result<Run, Failure> {
        let mut run = Run {
            elapsed: Duration::ZERO,
            latencies: Vec::with_capacity(self.places.len()),
            failed: 0,
            blocks: 0,
            largest_block: 0,
            gas: Gas(0),
            last_height: from,
        };
        let mut height = from;
        let mut progress = Instant::now();
        while run.latencies.len() < self.places.len() {
            let waited = client.wait_block(height, BLOCK_PATIENCE).await?;
            let now = Instant::now();
            if let Some(header) = &waited.header {
                height = header.height;
                let before = run.latencies.len();
                self.note(&waited.tx_ids, now, &mut run);
                if run.latencies.len() > before {
                    progress = now;
                    run.blocks += 1;
                    run.failed += waited.failed;
                    run.largest_block = run.largest_block.max(header.tx_count);
                    run.gas = Gas(run.gas.0 + header.gas_used.0);
                    run.last_height = height;
                }
                self.height.send_replace(height);
            }
            if progress.elapsed() > patience {
                let (seen, all) = (run.latencies.len(), self.places.len());
                let message = format!("{seen} of {all} transactions were committed, then none for {patience:?}");
                return Err(Failure::new(Exit::Unknown, message));
            }
        }
        run.elapsed = progress.duration_since(self.times().started);
        run.latencies.sort_unstable();
        Ok(run)
    }

    fn note(&self, ids: &[Hash], now: Instant, run: &mut Run) {
        let times = self.times();
        for id in ids {
            let submitted = self.places.get(id).and_then(|place| times.submitted[*place]);
            run.latencies.extend(submitted.map(|at| now.saturating_duration_since(at)));
        }
    }
}
