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

    /// What clients were promised, and why it was dropped, if that is recorded.
    pub(crate) fn promised(&self) -> impl Iterator<Item = (TxId, Option<&'static str>)> {
        self.promised.iter().map(|id| (*id, self.dropped.get(id).copied()))
    }
}
