//! What is durable of transactions that are in no block: those that were accepted and wait, and those that were dropped.
//!
//! The queue holds accepted transactions by the order of their arrival, as numbers that the pool gives. They leave it as
//! it came: everything before the oldest that still waits is removed, by one range. A transaction that is in a block, or
//! was dropped, may stay in the queue for a while; whoever reads it compares with the chain and with the dropped.
//!
//! The record of the dropped is bounded: the oldest make room for the newest. For each it holds why it was dropped, and
//! its bytes, so that it can be sent again; and, if it was replaced by another one, by which.
//!
//! Nothing here belongs to the chain: two nodes of a group hold different queues.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{Canonical, Height, SignedTransaction, Timestamp, TxId};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::store::{Batch, RangeQuery, Table};

/// What starts a key of the table of exceptions.
const DROPPED: u8 = b'd';
const RENEWED: u8 = b'r';

/// A transaction that was accepted, and will never be executed unless it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DroppedTransaction {
    /// Its identity.
    pub id: TxId,
    /// Its place in the queue.
    pub arrival: u64,
    /// The newest block when it was dropped.
    pub height: Height,
    /// When it was dropped, by the node's clock.
    pub timestamp: Timestamp,
    /// Why, by its stable name.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// The transaction.
    pub signed: SignedTransaction,
}

/// That a transaction which failed was made, signed and sent again as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Renewal {
    /// The new one.
    pub id: TxId,
    /// When that expires: if it is in no block then, it never will be.
    pub expiration: Timestamp,
}

/// Changes that become durable together.
#[derive(Clone, Debug, Default)]
pub struct QueueWrite(pub(crate) Batch);

impl QueueWrite {
    /// Adds an accepted transaction to the queue.
    pub fn keep(&mut self, arrival: u64, signed: &SignedTransaction) {
        self.0.put(Table::Pool, &arrival.to_be_bytes(), &signed.encode());
    }

    /// Removes what the queue holds of the arrivals `from..to`.
    pub fn remove(&mut self, from: u64, to: u64) {
        if from < to {
            self.0.remove_range(Table::Pool, &from.to_be_bytes(), &to.to_be_bytes());
        }
    }

    /// Records a dropped transaction under a number.
    pub fn drop(&mut self, number: u64, dropped: &DroppedTransaction) {
        let bytes = borsh::to_vec(dropped).expect("a bounded value encodes into memory");
        self.0.put(Table::Exception, &dropped_key(number), &bytes);
    }

    /// Forgets the dropped transactions of the numbers `from..to`.
    pub fn forget_dropped(&mut self, from: u64, to: u64) {
        if from < to {
            self.0.remove_range(Table::Exception, &dropped_key(from), &dropped_key(to));
        }
    }

    /// Records what a failed transaction was replaced by.
    pub fn renew(&mut self, id: &TxId, renewal: &Renewal) {
        let bytes = borsh::to_vec(renewal).expect("a bounded value encodes into memory");
        self.0.put(Table::Exception, &renewed_key(id), &bytes);
    }

    /// Forgets what a transaction was replaced by.
    pub fn forget_renewal(&mut self, id: &TxId) {
        self.0.remove(Table::Exception, &renewed_key(id));
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all of it.
    pub fn byte_count(&self) -> usize {
        self.0.byte_count()
    }
}

impl Ledger {
    /// Makes changes of the queue durable. Does not wait for a block that is being written.
    ///
    /// # Errors
    /// If the store fails; the ledger then accepts no further write.
    pub fn write_queue(&self, changes: &QueueWrite) -> Result<(), LedgerError> {
        self.write(&changes.0)
    }

    /// Transactions of the queue from an arrival on, in their order, with their arrivals; at most so many.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn queue(&self, from: u64, limit: usize) -> Result<Vec<(u64, SignedTransaction)>, LedgerError> {
        let (start, end) = (from.to_be_bytes(), u64::MAX.to_be_bytes());
        let query = RangeQuery { start: &start, end: &end, limit, reverse: false };
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let arrival = number(&key).ok_or_else(|| damaged_queue(format!("a key has {} bytes", key.len())))?;
            let signed = SignedTransaction::decode(&value);
            Ok((arrival, signed.map_err(|error| damaged_queue(format!("arrival {arrival}: {error}")))?))
        };
        self.shared.store.range(Table::Pool, query)?.into_iter().map(read).collect()
    }

    /// Dropped transactions of the numbers `from..`, in their order, with their numbers; at most so many.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn dropped(&self, from: u64, limit: usize) -> Result<Vec<(u64, DroppedTransaction)>, LedgerError> {
        let (start, end) = (dropped_key(from), dropped_key(u64::MAX));
        let query = RangeQuery { start: &start, end: &end, limit, reverse: false };
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let damaged = |reason: String| LedgerError::damaged("the record of dropped transactions", reason);
            let number =
                key.get(1..).and_then(number).ok_or_else(|| damaged(format!("a key has {} bytes", key.len())))?;
            let dropped = borsh::from_slice(&value).map_err(|error| damaged(format!("entry {number}: {error}")))?;
            Ok((number, dropped))
        };
        self.shared.store.range(Table::Exception, query)?.into_iter().map(read).collect()
    }

    /// What a failed transaction was replaced by, if it was.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn renewal(&self, id: &TxId) -> Result<Option<Renewal>, LedgerError> {
        let Some(bytes) = self.shared.store.get(Table::Exception, &renewed_key(id))? else { return Ok(None) };
        let damaged = |error| LedgerError::damaged(format!("the record of what replaced transaction {id}"), error);
        borsh::from_slice(&bytes).map(Some).map_err(damaged)
    }
}

fn dropped_key(number: u64) -> [u8; 9] {
    let mut key = [DROPPED; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn renewed_key(id: &TxId) -> [u8; 33] {
    let mut key = [RENEWED; 33];
    key[1..].copy_from_slice(id.0.as_bytes());
    key
}

pub(crate) fn number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

fn damaged_queue(reason: String) -> LedgerError {
    LedgerError::damaged("the queue of accepted transactions", reason)
}
