//! Verifies what clients submit, many signatures at a time.
//!
//! Submissions that arrive while others are being verified make up the next batch, so batches grow with the load and one
//! lone transaction waits for nobody. Two batches are under way at a time: while the last signatures of one are checked,
//! the threads of the CPU pool that are done with it take up the other. A batch is no more than what these threads do in one
//! turn, since blocks that are to be made wait for it.
//!
//! Submissions of few transactions go before those of many, in at most half of each batch: whoever sends one at a time does
//! not wait for whoever sends thousands, and not the other way round either.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hanse_types::crypto::verified::{Verifier, VerifyError};
use hanse_types::{SignedTransaction, Verified};
use tokio::sync::{mpsc, oneshot};

/// Transactions that each thread verifies of a batch at most: with fewer, each costs more.
const SHARE: usize = 512;

/// Submissions of so many transactions go first.
const FEW: usize = 64;

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
    let waiting = Arc::new(Mutex::new(Waiting::new(submissions, SHARE * pool.current_num_threads())));
    let start = |slot: usize| {
        let (verifier, pool, waiting) = (verifier.clone(), pool.clone(), waiting.clone());
        let run = move || {
            // Only one waits for submissions; the other waits for it, or verifies.
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(batch) = next() {
                verify(&verifier, &pool, batch);
            }
        };
        std::thread::Builder::new().name(format!("hanse-intake-{slot}")).spawn(run)
    };
    (0..UNDER_WAY).map(start).collect()
}

/// What has arrived and is not being verified yet.
struct Waiting {
    submissions: mpsc::Receiver<Submission>,
    few: VecDeque<Submission>,
    many: VecDeque<Submission>,
    /// Transactions of a batch, at most, but for the last submission.
    batch: usize,
}

impl Waiting {
    fn new(submissions: mpsc::Receiver<Submission>, batch: usize) -> Waiting {
        Waiting { submissions, few: VecDeque::new(), many: VecDeque::new(), batch }
    }

    /// The next batch, at least one submission; nothing if none will come.
    fn next(&mut self) -> Option<Vec<Submission>> {
        if self.few.is_empty() && self.many.is_empty() {
            let first = self.submissions.blocking_recv()?;
            self.sort_in(first);
        }
        while let Ok(next) = self.submissions.try_recv() {
            self.sort_in(next);
        }
        let (mut batch, mut count) = (Vec::new(), 0);
        let most_of_few = if self.many.is_empty() { self.batch } else { self.batch / 2 };
        move_until(&mut self.few, most_of_few, &mut batch, &mut count);
        move_until(&mut self.many, self.batch, &mut batch, &mut count);
        Some(batch)
    }

    fn sort_in(&mut self, submission: Submission) {
        let lane = if submission.transactions.len() <= FEW { &mut self.few } else { &mut self.many };
        lane.push_back(submission);
    }
}

/// Moves the oldest submissions into a batch, while it has fewer transactions than `most`.
fn move_until(from: &mut VecDeque<Submission>, most: usize, batch: &mut Vec<Submission>, count: &mut usize) {
    while *count < most
        && let Some(next) = from.pop_front()
    {
        *count += next.transactions.len();
        batch.push(next);
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hanse_types::crypto::{PublicKey, Signature};
    use hanse_types::{Address, ContractRef, Gas, Height, Timestamp, Transaction};

    use super::*;

    fn transaction() -> SignedTransaction {
        let transaction = Transaction {
            version: Transaction::VERSION,
            chain_id: "chain".into(),
            group_id: "group".into(),
            sender: Address::native(1),
            nonce: 0,
            ref_height: Height(0),
            ref_hash: [0; 8],
            timestamp: Timestamp(0),
            expiration: Timestamp(1),
            gas_limit: Gas(0),
            business_id: Vec::new(),
            contract: ContractRef::Address(Address::native(1)),
            method: "transfer".into(),
            args: Vec::new(),
        };
        SignedTransaction { transaction, public_key: PublicKey::Ed25519([0; 32]), signature: Signature([0; 64]) }
    }

    /// Submissions of so many transactions each, and what a batch of at most `batch` is made of, one after the other.
    fn batches(sizes: &[usize], batch: usize) -> Vec<Vec<usize>> {
        let (sender, submissions) = mpsc::channel(sizes.len().max(1));
        for size in sizes {
            let (reply, _) = oneshot::channel();
            sender.try_send(Submission { transactions: vec![transaction(); *size], reply }).ok().unwrap();
        }
        drop(sender);
        let mut waiting = Waiting::new(submissions, batch);
        let sizes = |batch: Vec<Submission>| batch.iter().map(|next| next.transactions.len()).collect();
        std::iter::from_fn(|| waiting.next()).map(sizes).collect()
    }

    #[test]
    fn few_go_before_many_in_half_of_a_batch() {
        assert_eq!(batches(&[500, 500, 10, 500, 20], 1_000), [vec![10, 20, 500, 500], vec![500]]);
        let few = [64; 10];
        let mixed = [&[500; 2], &few[..]].concat();
        assert_eq!(batches(&mixed, 400), [vec![64, 64, 64, 64, 500], vec![64, 64, 64, 64, 500], vec![64, 64]]);
    }

    #[test]
    fn few_alone_fill_a_batch_and_many_alone_too() {
        assert_eq!(batches(&[64; 5], 128), [vec![64, 64], vec![64, 64], vec![64]]);
        assert_eq!(batches(&[100, 2_000, 100], 128), [vec![100, 2_000], vec![100]]);
        assert_eq!(batches(&[], 128), Vec::<Vec<usize>>::new());
    }
}
