//! Verifies what clients submit, many signatures at a time.
//!
//! Submissions that arrive while others are being verified make up the next batch, so batches grow with the load and one
//! lone transaction waits for nobody. Two batches are under way at a time: while the last signatures of one are checked,
//! the threads of the CPU pool that are done with it take up the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hanse_types::crypto::verified::{Verifier, VerifyError};
use hanse_types::{SignedTransaction, Verified};
use tokio::sync::{mpsc, oneshot};

/// Transactions that are verified together at most.
const BATCH: usize = 4_096;

/// Batches under way at a time.
const UNDER_WAY: usize = 2;

/// Transactions of one submission, and who waits for them.
pub(crate) struct Submission {
    pub(crate) transactions: Vec<SignedTransaction>,
    pub(crate) reply: oneshot::Sender<Vec<Result<Verified, VerifyError>>>,
}

/// Starts the threads that verify. They end when nobody can submit any more.
pub(crate) fn spawn(
    verifier: &Verifier,
    pool: &Arc<rayon::ThreadPool>,
    submissions: mpsc::Receiver<Submission>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let submissions = Arc::new(Mutex::new(submissions));
    let start = |slot: usize| {
        let (verifier, pool, submissions) = (verifier.clone(), pool.clone(), submissions.clone());
        let run = move || {
            while let Some(batch) = next(&submissions) {
                verify(&verifier, &pool, batch);
            }
        };
        std::thread::Builder::new().name(format!("hanse-intake-{slot}")).spawn(run)
    };
    (0..UNDER_WAY).map(start).collect()
}

/// What has arrived, at least one submission; nothing if none will come.
fn next(submissions: &Mutex<mpsc::Receiver<Submission>>) -> Option<Vec<Submission>> {
    // Only one waits for submissions; the other waits for it, or verifies.
    let mut submissions = submissions.lock().unwrap_or_else(PoisonError::into_inner);
    let mut batch = vec![submissions.blocking_recv()?];
    let mut count = batch[0].transactions.len();
    while count < BATCH
        && let Ok(next) = submissions.try_recv()
    {
        count += next.transactions.len();
        batch.push(next);
    }
    Some(batch)
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
