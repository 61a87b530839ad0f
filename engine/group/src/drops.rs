//! The transactions that were accepted and dropped: an answer to whoever asks for one, over restarts, within bounds.
//!
//! What is recorded lies in the ledger's store; here is what is needed to find it: some hundred bytes for each, without
//! the transaction itself. A drop is told to nobody before it is recorded, so that it is never taken back.

use std::collections::{BTreeMap, HashMap, HashSet};

use hanse_ledger::{DroppedTransaction, Ledger, LedgerError, QueueWrite};
use hanse_types::{Canonical, Height, Timestamp, TxId, Verified};
use parking_lot::Mutex;

/// How much of dropped transactions is kept. The oldest make room for the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropLimits {
    /// Most transactions.
    pub count: usize,
    /// Most canonical bytes of all of them.
    pub bytes: usize,
    /// For how many milliseconds at most.
    pub age_ms: u64,
}

impl Default for DropLimits {
    fn default() -> Self {
        DropLimits { count: 10_000, bytes: 64 << 20, age_ms: 30 * 24 * 60 * 60 * 1_000 }
    }
}

/// A transaction that was accepted, and will never be executed unless it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRecord {
    /// Which.
    pub id: TxId,
    /// The newest block when it was dropped.
    pub height: Height,
    /// When, by this node's clock.
    pub timestamp: Timestamp,
    /// Why, by its stable name.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    arrival: u64,
    bytes: usize,
}

/// What is known of a transaction that is in no pool and no block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was dropped, and nobody was told yet.
    Dropping,
    /// It was dropped.
    Dropped(DropRecord),
}

/// See the module.
pub(crate) struct Drops {
    limits: DropLimits,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    /// By number, so the oldest first.
    recorded: BTreeMap<u64, DropRecord>,
    /// The newest number of each.
    numbers: HashMap<TxId, u64>,
    /// Handed over to be recorded.
    pending: HashSet<TxId>,
    /// Those by which the node failed.
    convicted: HashSet<TxId>,
    bytes: usize,
    next: u64,
}

/// The stable name of [`Refusal::EngineFailed`](hanse_txpool::Refusal::EngineFailed).
pub(crate) const ENGINE_FAILED: &str = "engine_failed";

/// Entries that are read at a time.
const PAGE: usize = 1_024;

impl Drops {
    /// Reads what is recorded.
    ///
    /// # Errors
    /// If the store fails or is damaged.
    pub(crate) fn load(ledger: &Ledger, limits: DropLimits) -> Result<Drops, LedgerError> {
        let mut index = Index::default();
        loop {
            let page = ledger.dropped(index.next, PAGE)?;
            let complete = page.len() < PAGE;
            for (number, dropped) in page {
                index.next = number + 1;
                index.insert(number, summary(&dropped));
            }
            if complete {
                return Ok(Drops { limits, index: Mutex::new(index) });
            }
        }
    }

    /// A place in the queue that comes after all that were dropped.
    pub(crate) fn next_arrival(&self) -> u64 {
        let index = self.index.lock();
        index.recorded.values().map(|drop| drop.arrival.saturating_add(1)).max().unwrap_or_default()
    }

    /// The places in the queue whose transactions were dropped.
    pub(crate) fn arrivals(&self) -> HashSet<(u64, TxId)> {
        self.index.lock().recorded.values().map(|drop| (drop.arrival, drop.id)).collect()
    }

    /// Notes that drops are handed over to be recorded.
    pub(crate) fn pending(&self, ids: impl IntoIterator<Item = TxId>) {
        self.index.lock().pending.extend(ids);
    }

    /// What is known of a transaction.
    pub(crate) fn get(&self, id: &TxId) -> Option<Known> {
        let index = self.index.lock();
        if index.pending.contains(id) {
            return Some(Known::Dropping);
        }
        index.numbers.get(id).and_then(|number| index.recorded.get(number)).cloned().map(Known::Dropped)
    }

    /// Those of them by which the node failed before.
    pub(crate) fn convicted_among(&self, transactions: &[Verified]) -> Vec<TxId> {
        let index = self.index.lock();
        if index.convicted.is_empty() {
            return Vec::new();
        }
        transactions.iter().map(Verified::id).filter(|id| index.convicted.contains(id)).collect()
    }

    /// The number under which a transaction is recorded.
    pub(crate) fn number(&self, id: &TxId) -> Option<u64> {
        self.index.lock().numbers.get(id).copied()
    }

    /// Adds to a write what records these, and what makes room for them.
    pub(crate) fn record(&self, write: &mut QueueWrite, dropped: &[DroppedTransaction]) {
        let mut index = self.index.lock();
        let first = index.oldest();
        for dropped in dropped {
            let number = index.next;
            index.next += 1;
            write.drop(number, dropped);
            index.insert(number, summary(dropped));
        }
        let newest = dropped.last().map_or(Timestamp(0), |dropped| dropped.timestamp);
        while index.exceeds(&self.limits, newest) {
            if let Some(old) = index.remove_oldest() {
                write.forget_renewal(&old.id);
            }
        }
        write.forget_dropped(first, index.oldest());
    }

    /// Notes that what was pending is recorded, and may be told.
    pub(crate) fn recorded(&self, dropped: &[DroppedTransaction]) {
        let mut index = self.index.lock();
        for dropped in dropped {
            index.pending.remove(&dropped.id);
        }
    }

    /// The newest at or below a block, the newest first; at most so many.
    pub(crate) fn newest(&self, below: Place, limit: usize) -> Vec<(Place, DropRecord)> {
        let index = self.index.lock();
        let told = index.recorded.iter().rev().filter(|(_, drop)| !index.pending.contains(&drop.id));
        let placed = told.map(|(number, drop)| (Place { height: drop.height, number: *number }, drop));
        placed.filter(|(place, _)| *place < below).take(limit).map(|(place, drop)| (place, drop.clone())).collect()
    }
}

/// Where in the order of what was dropped one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) height: Height,
    pub(crate) number: u64,
}

impl Index {
    fn insert(&mut self, number: u64, drop: DropRecord) {
        self.bytes += drop.bytes;
        self.numbers.insert(drop.id, number);
        if drop.reason == ENGINE_FAILED {
            self.convicted.insert(drop.id);
        }
        self.recorded.insert(number, drop);
    }

    fn oldest(&self) -> u64 {
        self.recorded.first_key_value().map_or(self.next, |(number, _)| *number)
    }

    fn exceeds(&self, limits: &DropLimits, now: Timestamp) -> bool {
        let oldest = self.recorded.values().next();
        self.recorded.len() > limits.count
            || self.bytes > limits.bytes
            || oldest.is_some_and(|drop| now.since_ms(drop.timestamp) > limits.age_ms)
    }

    /// Gives the oldest up; what it was replaced by goes with it, unless it was dropped once more since.
    fn remove_oldest(&mut self) -> Option<DropRecord> {
        let (number, drop) = self.recorded.pop_first()?;
        self.bytes -= drop.bytes;
        if self.numbers.get(&drop.id) == Some(&number) {
            self.numbers.remove(&drop.id);
            self.convicted.remove(&drop.id);
            return Some(drop);
        }
        None
    }
}

fn summary(dropped: &DroppedTransaction) -> DropRecord {
    DropRecord {
        id: dropped.id,
        height: dropped.height,
        timestamp: dropped.timestamp,
        reason: dropped.reason.clone(),
        message: dropped.message.clone(),
        arrival: dropped.arrival,
        bytes: dropped.signed.encoded_len(),
    }
}
