//! Transactions that are over by this node's clock, and yet not for certain.
//!
//! A block's time is its proposer's, and it may be long until a block is decided: where others make blocks too, one that
//! holds a transaction can come after this node's clock has passed the transaction's expiration. Only the chain says that
//! none will: each block is later than the one before, so it is over when the newest durable block is not earlier than its
//! expiration. Until then it has lapsed: this node puts it into no block and it takes nobody's room in the pool, but the
//! node still has it, finds it by its leaf when a block names it, and says nothing of it that could turn out to be wrong.
//! The same is done with one that is valid for longer than allowed, as its node's clock was set back: it waits again when
//! its time has come.
//!
//! In a group whose blocks one node makes, that node's clock decides, and nothing lapses.

use std::collections::{BTreeMap, BTreeSet};

use hanse_types::Timestamp;

use crate::pool::{Arrival, Entry, Pool};
use crate::refusal::Refusal;
use crate::sealing::Dropped;

/// Those that have lapsed.
#[derive(Debug, Default)]
pub(crate) struct Lapsed {
    pub(crate) entries: BTreeMap<Arrival, Entry>,
    expirations: BTreeSet<(Timestamp, Arrival)>,
    bytes: usize,
}

impl Lapsed {
    fn insert(&mut self, arrival: Arrival, entry: Entry) {
        self.expirations.insert((entry.transaction.transaction().expiration, arrival));
        self.bytes += entry.transaction.byte_count();
        self.entries.insert(arrival, entry);
    }

    pub(crate) fn remove(&mut self, arrival: Arrival) -> Option<Entry> {
        let entry = self.entries.remove(&arrival)?;
        self.expirations.remove(&(entry.transaction.transaction().expiration, arrival));
        self.bytes -= entry.transaction.byte_count();
        Some(entry)
    }

    /// One that expires after this time, and not after that.
    fn within(&self, after: Timestamp, last: Timestamp) -> Option<Arrival> {
        let range = (after.plus_ms(1), Arrival::MIN)..=(last, Arrival::MAX);
        if after < last { self.expirations.range(range).next().map(|(_, arrival)| *arrival) } else { None }
    }

    /// The one that expires first.
    fn first(&self) -> Option<(Timestamp, Arrival)> {
        self.expirations.first().copied()
    }
}

impl Pool {
    /// Takes one that was taken from those that wait: it keeps its place and its leaf, and frees its room.
    pub(crate) fn lapse(&mut self, arrival: Arrival, entry: Entry) {
        self.free(&entry.transaction);
        self.lapsed.insert(arrival, entry);
    }

    /// Lets those wait again that a block of this time can hold.
    pub(crate) fn revive(&mut self, block_time: Timestamp) {
        let last = block_time.plus_ms(self.params().tx_lifetime_ms_max);
        while let Some(arrival) = self.lapsed.within(block_time, last) {
            let Some(entry) = self.lapsed.remove(arrival) else { return };
            self.enter(arrival, &entry.transaction);
            self.wait(arrival, entry);
        }
    }

    /// Drops those of which the chain says that they are over. There may be as many as the pool may hold of others; where
    /// no block comes that settles them, those that expire first are given up beyond that, and not as expired.
    pub(crate) fn settle(&mut self, dropped: &mut Vec<Dropped>) {
        let newest = self.history.timestamp();
        while let Some((expiration, arrival)) = self.lapsed.first() {
            let (count, bytes) = (self.lapsed.entries.len(), self.lapsed.bytes);
            let refusal = match expiration <= newest {
                true => Refusal::Expired { expiration, block_time: newest.plus_ms(1) },
                false if count > self.limits.count || bytes > self.limits.bytes => Refusal::PoolFull { count, bytes },
                false => return,
            };
            let Some(entry) = self.lapsed.remove(arrival) else { return };
            self.forget(&entry.transaction);
            dropped.push(self.struck(arrival, entry.transaction, refusal));
        }
    }
}
