//! Verifies what clients submit, many signatures at a time.
//!
//! Submissions that arrive while others are being verified make up the next batch, so batches grow with the load and one
//! lone transaction waits for nobody.

use std::sync::Arc;
use std::thread::JoinHandle;

use hanse_types::crypto::verified::{Verifier, VerifyError};
use hanse_types::{SignedTransaction, Verified};
use tokio::sync::{mpsc, oneshot};

/// Transactions that are verified together at most.
const BATCH: usize = 4_096;

/// Transactions of one submission, and who waits for them.
pub(crate) struct Submission {
    pub(crate) transactions: Vec<SignedTransaction>,
    pub(crate) reply: oneshot::Sender<Vec<Result<Verified, VerifyError>>>,
}

/// Starts the thread that verifies. It ends when nobody can submit any more.
pub(crate) fn spawn(
    verifier: Verifier,
    pool: Arc<rayon::ThreadPool>,
    mut submissions: mpsc::Receiver<Submission>,
) -> std::io::Result<JoinHandle<()>> {
    let run = move || {
        while let Some(first) = submissions.blocking_recv() {
            let mut batch = vec![first];
            let mut count = batch[0].transactions.len();
            while count < BATCH
                && let Ok(next) = submissions.try_recv()
            {
                count += next.transactions.len();
                batch.push(next);
            }
            verify(&verifier, &pool, batch);
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
