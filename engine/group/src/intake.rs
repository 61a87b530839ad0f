//! Verifies what clients submit, many signatures at a time.
//!
//! Submissions that arrive while others are being verified make up the next batch, so batches grow with the load and one
//! lone transaction waits for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use hanse_types::crypto::verified::{Verifier, VerifyError};
use hanse_types::{SignedTransaction, Timestamp, Verified};
use tokio::sync::{mpsc, oneshot};

/// Transactions that are verified together at most.
const BATCH: usize = 4_096;

/// Transactions of one submission, and who waits for them.
pub(crate) struct Submission {
    pub(crate) transactions: Vec<SignedTransaction>,
    /// When it came.
    pub(crate) since: Timestamp,
    pub(crate) reply: oneshot::Sender<Vec<Result<Verified, VerifyError>>>,
}

/// How far verification is behind: when the oldest submission came that is not verified yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog(AtomicU64);

impl Backlog {
    /// For how many milliseconds that submission has waited.
    pub(crate) fn waited_ms(&self, now: Timestamp) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => 0,
            since => now.since_ms(Timestamp(since)),
        }
    }

    fn set(&self, since: Option<Timestamp>) {
        self.0.store(since.map_or(0, |since| since.0), Ordering::Relaxed);
    }
}

/// Starts the thread that verifies. It ends when nobody can submit any more.
pub(crate) fn spawn(
    verifier: Verifier,
    pool: Arc<rayon::ThreadPool>,
    mut submissions: mpsc::Receiver<Submission>,
    backlog: Arc<Backlog>,
) -> std::io::Result<JoinHandle<()>> {
    let run = move || {
        while let Some(first) = submissions.blocking_recv() {
            // They come in the order of their times, so none that waits is older.
            backlog.set(Some(first.since));
            let mut batch = vec![first];
            let mut count = batch[0].transactions.len();
            while count < BATCH
                && let Ok(next) = submissions.try_recv()
            {
                count += next.transactions.len();
                batch.push(next);
            }
            verify(&verifier, &pool, batch);
            backlog.set(None);
        }
    };
    std::thread::Builder::new().name("hanse-intake".into()).spawn(run)
}

fn verify(verifier: &Verifier, pool: &rayon::ThreadPool, batch: Vec<Submission>) {
    let (mut all, mut waiting) = (Vec::new(), Vec::with_capacity(batch.len()));
    for submission in batch {
        waiting.push((submission.transactions.len(), submission.reply));
        all.extend(submission.transactions);
    }
    let mut results = pool.install(|| verifier.verify_all(all)).into_iter();
    for (count, reply) in waiting {
        // Whoever submitted may have gone; then nothing was promised.
        let _ = reply.send(results.by_ref().take(count).collect());
    }
}
