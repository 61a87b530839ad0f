//! What is durable of transactions that may have brought the node down while it ran them.
//!
//! A suspect lies in the queue like any other; here is its mark, under its place there, with how often the process ended while
//! it was run alone. And here is what a process was running when it ended, where nothing of that was marked. Marks outlive what
//! they are of: whoever reads them compares with the queue, and removes those that are done with before places in the queue are
//! given anew.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::TxId;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::queue::{QueueWrite, number};
use crate::store::{RangeQuery, Table};

/// What starts a key of the table of exceptions.
const SUSPECT: u8 = b's';
const INTERRUPTED: &[u8] = b"i";

/// An accepted transaction that may have brought the node down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SuspectMark {
    /// Its place in the queue.
    pub arrival: u64,
    /// Its identity.
    pub id: TxId,
    /// How often the process ended while it was run alone.
    pub trials: u8,
}

/// What was run when a process ended, by its places in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Interrupted {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl QueueWrite {
    /// Marks a transaction, in the place of its mark before.
    pub fn mark(&mut self, mark: &SuspectMark) {
        let bytes = borsh::to_vec(mark).expect("a bounded value encodes into memory");
        self.0.put(Table::Exception, &suspect_key(mark.arrival), &bytes);
    }

    /// Removes the mark of a place.
    pub fn unmark(&mut self, arrival: u64) {
        self.0.remove(Table::Exception, &suspect_key(arrival));
    }

    /// Notes what was run when a process ended, in the place of what was noted before.
    pub fn note_interrupted(&mut self, interrupted: &Interrupted) {
        let bytes = borsh::to_vec(interrupted).expect("a bounded value encodes into memory");
        self.0.put(Table::Exception, INTERRUPTED, &bytes);
    }

    /// Forgets that.
    pub fn forget_interrupted(&mut self) {
        self.0.remove(Table::Exception, INTERRUPTED);
    }
}

impl Ledger {
    /// All marks, by place.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn suspects(&self) -> Result<Vec<SuspectMark>, LedgerError> {
        let (start, end) = (suspect_key(0), suspect_key(u64::MAX));
        // There are no more than transactions in the queue.
        let query = RangeQuery { start: &start, end: &end, limit: usize::MAX, reverse: false };
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let mark: Option<SuspectMark> = borsh::from_slice(&value).ok();
            let place = key.get(1..).and_then(number);
            let damaged = || LedgerError::damaged("the record of suspects", format!("the mark of place {place:?}"));
            mark.filter(|mark| Some(mark.arrival) == place).ok_or_else(damaged)
        };
        self.shared.store.range(Table::Exception, query)?.into_iter().map(read).collect()
    }

    /// What was run when a process ended, if that was noted.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn interrupted(&self) -> Result<Option<Interrupted>, LedgerError> {
        let Some(bytes) = self.shared.store.get(Table::Exception, INTERRUPTED)? else { return Ok(None) };
        borsh::from_slice(&bytes)
            .map(Some)
            .map_err(|error| LedgerError::damaged("the record of an interrupted process", error))
    }
}

fn suspect_key(arrival: u64) -> [u8; 9] {
    let mut key = [SUSPECT; 9];
    key[1..].copy_from_slice(&arrival.to_be_bytes());
    key
}
