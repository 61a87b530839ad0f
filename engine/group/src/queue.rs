//! Makes accepted transactions durable, and records those that were dropped.
//!
//! One thread writes, and what arrives while it does makes up its next write: one sync answers all of them, however many
//! they are. Whoever was promised that a transaction outlives the process is answered by this thread alone, with the
//! proof of a write in hand ([`Written`]); the same holds for who is told that one was dropped. So nothing is said that a
//! crash could take back. Writes of blocks do not wait for it, nor it for them, but for the disk itself.
//!
//! After a write that failed nobody is promised anything any more, and the group stops, as for blocks: what the disk holds
//! is known only after a restart.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use hanse_ledger::{DroppedTransaction, Ledger, QueueWrite, Renewal};
use hanse_txpool::{Arrival, Kept, Refusal, Suspicion};
use hanse_types::TxId;
use tokio::sync::oneshot;
use tracing::error;

use crate::drops::Drops;
use crate::event::{Event, Events};
use crate::feed::Feed;
use crate::guarded::guarded;
use crate::report;
use crate::submit_error::SubmitError;
use crate::suspects::mark;

/// Bytes after which a write takes no more: what waits then is the next one.
const WRITE_BYTES: usize = 16 << 20;

/// Answers to one submission, and who waits for them.
pub(crate) struct Answers {
    pub(crate) answers: Vec<Result<TxId, Refusal>>,
    pub(crate) reply: oneshot::Sender<Vec<Result<TxId, SubmitError>>>,
}

impl Answers {
    /// Answers that promise nothing over the end of the process.
    pub(crate) fn give(self) {
        self.send(Ok);
    }

    /// Answers that do.
    fn give_kept(self, _: &Written) {
        self.send(Ok);
    }

    /// Answers that can't promise what was asked for: whether the transactions will be executed is not known.
    fn give_unknown(self) {
        self.send(|_| Err(SubmitError::OutcomeUnknown));
    }

    fn send(self, accepted: impl Fn(TxId) -> Result<TxId, SubmitError>) {
        let answer = |answer: Result<TxId, Refusal>| answer.map_err(SubmitError::Refused).and_then(&accepted);
        // Whoever asked may have gone; what was admitted stays so.
        let _ = self.reply.send(self.answers.into_iter().map(answer).collect());
    }
}

/// Something to be made durable.
pub(crate) enum Job {
    /// Transactions that were accepted.
    Keep { kept: Vec<Kept>, answers: Option<Answers> },
    /// Transactions that were dropped.
    Drop(Vec<DroppedTransaction>),
    /// Transactions that may have brought the node down.
    Suspect(Vec<Suspicion>),
    /// The places of some of these that did not.
    Acquit(Vec<Arrival>),
    /// What a failed transaction is replaced by, if it is.
    Renew { id: TxId, renewal: Option<Renewal>, done: oneshot::Sender<()> },
}

/// A job, and the oldest place in the queue that is needed still, as it was when the job was made.
struct Entry {
    job: Job,
    needed_from: Arrival,
}

/// That what was asked for is on the disk. Only a write that succeeded makes one.
struct Written(());

/// Where jobs are handed in. The thread ends when this is gone and all is done.
pub(crate) struct Queue(Sender<Entry>);

impl Queue {
    /// Hands in a job. Jobs become durable in the order in which they are handed in.
    pub(crate) fn push(&self, job: Job, needed_from: Arrival) {
        if let Err(mpsc::SendError(entry)) = self.0.send(Entry { job, needed_from })
            && let Job::Keep { answers: Some(answers), .. } = entry.job
        {
            answers.give_unknown();
        }
    }
}

/// Starts the thread.
pub(crate) fn spawn(
    ledger: Ledger,
    drops: Arc<Drops>,
    feed: Arc<Feed>,
    events: Events,
) -> std::io::Result<(Queue, JoinHandle<()>)> {
    let (sender, jobs) = mpsc::channel();
    let mut writer = Writer { ledger, drops, feed, removed_to: 0, failed: false };
    let run = move || {
        while let Ok(first) = jobs.recv() {
            if let Err(reason) = writer.carry_out(first, &jobs)
                && events.blocking_send(Event::NotKept { reason }).is_err()
            {
                // The driver has ended; there is nobody to tell but the log.
                error!("the queue could not be written, and the group has ended");
            }
        }
    };
    let thread = std::thread::Builder::new().name("hanse-queue".into()).spawn(run)?;
    Ok((Queue(sender), thread))
}

struct Writer {
    ledger: Ledger,
    drops: Arc<Drops>,
    feed: Arc<Feed>,
    /// What the queue held of earlier places is removed.
    removed_to: Arrival,
    failed: bool,
}

impl Writer {
    /// Makes a job and what waits behind it durable, and answers. Says why if that failed, the first time.
    fn carry_out(&mut self, first: Entry, jobs: &Receiver<Entry>) -> Result<(), String> {
        let (mut write, mut needed_from) = (QueueWrite::default(), first.needed_from);
        self.put(&mut write, &first.job);
        let mut done = vec![first.job];
        while write.byte_count() < WRITE_BYTES
            && let Ok(next) = jobs.try_recv()
        {
            needed_from = needed_from.max(next.needed_from);
            self.put(&mut write, &next.job);
            done.push(next.job);
        }
        match self.write(write, needed_from) {
            Ok(written) => {
                done.into_iter().for_each(|job| self.answer(job, &written));
                Ok(())
            }
            Err(reason) => {
                done.into_iter().for_each(disappoint);
                if std::mem::replace(&mut self.failed, true) { Ok(()) } else { Err(reason) }
            }
        }
    }

    fn put(&self, write: &mut QueueWrite, job: &Job) {
        match job {
            Job::Keep { kept, .. } => {
                kept.iter().for_each(|kept| write.keep(kept.arrival, kept.transaction.signed()));
            }
            Job::Drop(dropped) => self.drops.record(write, dropped),
            Job::Suspect(suspects) => suspects.iter().for_each(|suspicion| write.mark(&mark(*suspicion))),
            Job::Acquit(places) => places.iter().for_each(|arrival| write.unmark(*arrival)),
            Job::Renew { id, renewal: Some(renewal), .. } => write.renew(id, renewal),
            Job::Renew { id, renewal: None, .. } => write.forget_renewal(id),
        }
    }

    /// Writes, and removes what is needed no more if it writes at all.
    fn write(&mut self, mut write: QueueWrite, needed_from: Arrival) -> Result<Written, String> {
        if !write.is_empty() {
            write.remove(self.removed_to, needed_from);
            guarded(|| self.ledger.write_queue(&write))?;
            self.removed_to = self.removed_to.max(needed_from);
        }
        Ok(Written(()))
    }

    fn answer(&self, job: Job, written: &Written) {
        match job {
            Job::Keep { answers, .. } => answers.into_iter().for_each(|answers| answers.give_kept(written)),
            Job::Drop(dropped) => {
                self.drops.recorded(&dropped);
                for dropped in &dropped {
                    self.feed.dropped(dropped.id, &dropped.reason);
                    report::dropped(&self.ledger.genesis().group_id, dropped);
                }
            }
            // Whoever asked may have gone.
            Job::Renew { done, .. } => drop(done.send(())),
            Job::Suspect(_) | Job::Acquit(_) => {}
        }
    }
}

fn disappoint(job: Job) {
    if let Job::Keep { answers: Some(answers), .. } = job {
        answers.give_unknown();
    }
}
