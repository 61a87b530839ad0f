//! What a disk holds of accepted transactions, and how it changes.

use std::collections::{BTreeMap, BTreeSet};

use hanse_txpool::{Arrival, Dropped, Kept};
use hanse_types::{TxId, Verified};

/// One write: all of it, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    pub(crate) kept: Vec<Kept>,
    pub(crate) dropped: Vec<Dropped>,
    /// Who is told after it that their transactions are kept.
    pub(crate) answered: Vec<TxId>,
    /// What was kept of places before this one is needed no more.
    pub(crate) done_with: Arrival,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    entries: BTreeMap<Arrival, Verified>,
    dropped: BTreeSet<Arrival>,
    /// Those that were dropped, and not kept anew since.
    pub(crate) ended: BTreeSet<TxId>,
}

impl Disk {
    pub(crate) fn write(&mut self, job: &Job) {
        self.entries.extend(job.kept.iter().map(|kept| (kept.arrival, kept.transaction.clone())));
        self.dropped.extend(job.dropped.iter().map(|dropped| dropped.arrival));
        for kept in &job.kept {
            self.ended.remove(&kept.transaction.id());
        }
        self.ended.extend(job.dropped.iter().map(Dropped::id));
        self.entries = self.entries.split_off(&job.done_with);
    }

    /// A place that comes after all that it has ever told of.
    pub(crate) fn next_arrival(&self) -> Arrival {
        let last =
            self.entries.last_key_value().map(|(arrival, _)| arrival).into_iter().chain(self.dropped.last()).max();
        last.map_or(0, |arrival| arrival + 1)
    }

    /// What a new process takes over: what is neither in the chain nor was dropped.
    pub(crate) fn restore(&self, committed: &BTreeSet<TxId>) -> Vec<Kept> {
        let open = |(arrival, transaction): &(&Arrival, &Verified)| {
            !committed.contains(&transaction.id()) && !self.dropped.contains(arrival)
        };
        let kept = |(arrival, transaction): (&Arrival, &Verified)| Kept {
            arrival: *arrival,
            transaction: transaction.clone(),
        };
        self.entries.iter().filter(open).map(kept).collect()
    }
}
