//! What a node has promised its clients to keep: the queue on its disk, as `hanse-group` has it.

use std::collections::{BTreeMap, BTreeSet};

use hanse_ledger::Ledger;
use hanse_txpool::{Arrival, Kept, Pool};
use hanse_types::{Timestamp, TxId, Verified};

/// Something to be written. All of it gets there or nothing.
#[derive(Debug)]
pub(crate) struct Write {
    /// To be kept.
    pub(crate) kept: Vec<Kept>,
    /// What clients are told to be accepted, once this is written.
    pub(crate) promised: Vec<TxId>,
    /// To be recorded as dropped.
    pub(crate) dropped: Vec<(TxId, &'static str)>,
    /// What is before this place may be removed.
    pub(crate) needed_from: Arrival,
}

/// What the disk has of a transaction that was promised to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It was dropped, and why.
    Dropped(&'static str),
    /// A node that starts takes it over: what becomes of it is not known yet.
    Kept,
    /// It is done with, or only in memory.
    Nothing,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<Arrival, Verified>,
    dropped: BTreeMap<TxId, &'static str>,
    next: Arrival,
    /// What clients were told, which is not on the disk.
    promised: BTreeSet<TxId>,
}

impl Queue {
    /// Writes, in the order in which it was asked for.
    pub(crate) fn write(&mut self, write: Write) {
        for Kept { arrival, transaction } in write.kept {
            self.next = self.next.max(arrival + 1);
            self.waiting.insert(arrival, transaction);
        }
        self.dropped.extend(write.dropped);
        self.waiting = self.waiting.split_off(&write.needed_from);
        self.promised.extend(write.promised);
    }

    /// Gives a node that starts what it is not done with; how much that is.
    pub(super) fn restore(&self, ledger: &Ledger, pool: &mut Pool, now: Timestamp) -> Result<u64, String> {
        let mut count = 0;
        for (arrival, transaction) in &self.waiting {
            let id = transaction.id();
            let found = ledger.find_transaction(&id).map_err(|error| error.to_string())?;
            if found.is_none() && !self.dropped.contains_key(&id) {
                pool.restore(Kept { arrival: *arrival, transaction: transaction.clone() }, now);
                count += 1;
            }
        }
        pool.resume(self.next);
        Ok(count)
    }

    /// What clients were promised, and what is recorded of it.
    pub(crate) fn promised(&self) -> Vec<(TxId, Recorded)> {
        let kept: BTreeSet<TxId> = self.waiting.values().map(Verified::id).collect();
        let recorded = |id: &TxId| match self.dropped.get(id) {
            Some(reason) => Recorded::Dropped(reason),
            None if kept.contains(id) => Recorded::Kept,
            None => Recorded::Nothing,
        };
        self.promised.iter().map(|id| (*id, recorded(id))).collect()
    }
}
