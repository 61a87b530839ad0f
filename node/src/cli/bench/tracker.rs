//! Follows blocks as they come, and notes when each transaction was seen in one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hanse_client::Client;
use hanse_client::stream::StreamedBlock;
use hanse_types::{Hash, Height};
use tokio::sync::{oneshot, watch};

use super::super::exit::{Exit, Failure};
use super::recorder::Recorder;

/// How often it looks whether anything comes at all.
const TICK: Duration = Duration::from_millis(20);

/// When what was refused is sent again, if no block comes before.
const RETRY: Duration = Duration::from_millis(100);

/// The transactions that are under way, and what came of the others.
pub(super) struct Tracker {
    state: Mutex<State>,
    height: watch::Sender<Height>,
    patience: Duration,
}

struct State {
    waiting: HashMap<Hash, Waiting>,
    batches: HashMap<u64, Batch>,
    batch: u64,
    /// When something was last submitted or seen.
    progress: Instant,
    sending: bool,
    recorder: Recorder,
}

/// A transaction that was submitted.
struct Waiting {
    /// When it was to be sent: its latency runs from then, so that a load that falls behind does not hide it.
    due: Instant,
    batch: u64,
}

/// Transactions that were submitted together.
struct Batch {
    left: usize,
    /// Told when all were seen in blocks, or refused.
    done: Option<oneshot::Sender<()>>,
}

impl Tracker {
    /// Follows from this height on; what it sees goes into `recorder`.
    pub(super) fn new(height: Height, patience: Duration, recorder: Recorder) -> Tracker {
        let state = State {
            waiting: HashMap::new(),
            batches: HashMap::new(),
            batch: 0,
            progress: Instant::now(),
            sending: true,
            recorder,
        };
        Tracker { state: Mutex::new(state), height: watch::Sender::new(height), patience }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Transactions with these ids are being submitted, all at once. The answer is told when none of them is under way
    /// any more.
    pub(super) fn submitting(&self, ids: &[Hash], due: Instant) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.progress = Instant::now();
        }
        let batch = state.batch;
        state.batch += 1;
        state.batches.insert(batch, Batch { left: ids.len(), done: Some(done) });
        state.waiting.extend(ids.iter().map(|id| (*id, Waiting { due, batch })));
        receiver
    }

    /// The node refused a transaction, which will not come.
    pub(super) fn refused(&self, id: &Hash, code: i32) {
        let mut state = self.state();
        state.recorder.refused(code);
        if let Some(gone) = state.waiting.remove(id) {
            state.settle(gone.batch);
        }
    }

    /// The node refused a transaction that is sent again: its latency still runs from when it was to be sent first.
    pub(super) fn deferred(&self, code: i32) {
        self.state().recorder.refused(code);
    }

    /// An offer was due when there was nothing left to send, or no connection free before the time was over.
    pub(super) fn not_offered(&self) {
        self.state().recorder.skipped += 1;
    }

    /// Nothing more is sent.
    pub(super) fn sent_all(&self) {
        let mut state = self.state();
        state.sending = false;
        state.progress = Instant::now();
    }

    /// Transactions that were seen in blocks.
    pub(super) fn committed(&self) -> u64 {
        self.state().recorder.committed()
    }

    /// The newest height seen.
    pub(super) fn height(&self) -> Height {
        *self.height.borrow()
    }

    /// Waits until a block after this height was seen, but not for long: who was refused may be the last who has anything
    /// to put into one.
    pub(super) async fn block_after(&self, height: Height) {
        let mut heights = self.height.subscribe();
        let newer = heights.wait_for(|newest| *newest > height);
        // Either way it is time to try again.
        let _ = tokio::time::timeout(RETRY, newer).await;
    }

    /// Follows the chain until everything was sent and seen.
    pub(super) async fn follow(&self, client: &Client) -> Result<(), Failure> {
        tokio::select! {
            failure = self.read_blocks(client) => Err(failure),
            done = self.until_done() => done,
        }
    }

    /// Notes blocks until the stream fails.
    async fn read_blocks(&self, client: &Client) -> Failure {
        let mut blocks = client.blocks_with(Some(self.height().next()), true).patience(self.patience);
        loop {
            match blocks.next().await {
                Ok((_, block)) => self.note(&block),
                Err(error) => return error.into(),
            }
        }
    }

    /// Completes when nothing is under way any more, or nothing has come for too long.
    async fn until_done(&self) -> Result<(), Failure> {
        loop {
            tokio::time::sleep(TICK).await;
            let state = self.state();
            match (state.sending, state.waiting.len()) {
                (false, 0) => return Ok(()),
                (_, 0) => {}
                (_, waiting) if state.progress.elapsed() > self.patience => {
                    let (seen, patience) = (state.recorder.committed(), self.patience);
                    let words =
                        format!("{seen} transactions were committed, then none of {waiting} more for {patience:?}");
                    return Err(Failure::new(Exit::Unknown, words));
                }
                _ => {}
            }
        }
    }

    fn note(&self, block: &StreamedBlock) {
        let now = Instant::now();
        let mut state = self.state();
        let mut ours = 0;
        for id in block.tx_ids.iter().flatten() {
            let Some(seen) = state.waiting.remove(id) else { continue };
            ours += 1;
            state.recorder.seen(now, now.saturating_duration_since(seen.due));
            state.settle(seen.batch);
        }
        if ours > 0 {
            state.progress = now;
            state.recorder.block(block);
        }
        drop(state);
        self.height.send_replace(block.header.height);
    }

    /// What was recorded.
    pub(super) fn into_recorder(self) -> Recorder {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).recorder
    }
}

impl State {
    /// One of a batch is not under way any more.
    fn settle(&mut self, batch: u64) {
        let Some(entry) = self.batches.get_mut(&batch) else { return };
        entry.left -= 1;
        if entry.left == 0 {
            // Whoever sent it may have ended.
            let _ = entry.done.take().map(|done| done.send(()));
            self.batches.remove(&batch);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_batch_is_done_when_none_of_it_is_under_way() {
        let tracker = Tracker::new(Height(0), TICK, Recorder::new(Instant::now()));
        let due = Instant::now();
        let mut done = tracker.submitting(&[Hash([1; 32]), Hash([2; 32])], due);
        tracker.refused(&Hash([1; 32]), 2012);
        assert!(done.try_recv().is_err());
        tracker.refused(&Hash([2; 32]), 2012);
        assert!(done.await.is_ok());
        let recorder = tracker.into_recorder();
        assert_eq!((recorder.refusals().get(&2012), recorder.committed()), (Some(&2), 0));
    }
}
