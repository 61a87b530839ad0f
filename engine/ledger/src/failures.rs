//! Which transactions of the chain failed: an index, written with the block.

use hanse_types::{Height, Receipt, TxIndex};

use crate::error::LedgerError;
use crate::keys;
use crate::ledger::Ledger;
use crate::store::{Batch, RangeQuery, Table};

impl Ledger {
    /// Places of transactions whose code failed, the newest first: those before a place, at most so many.
    ///
    /// # Errors
    /// If the store fails or holds damaged bytes.
    pub fn failures(&self, below: (Height, TxIndex), limit: usize) -> Result<Vec<(Height, TxIndex)>, LedgerError> {
        let current = self.current();
        let start = keys::failed(Height(0));
        // The place's own block is looked at, too.
        let end = [&keys::failed(below.0)[..], &[0]].concat();
        // Each block gives one at least, but for the first, of which all may be at the place or after it.
        let query = RangeQuery { start: &start, end: &end, limit: limit.saturating_add(1), reverse: true };
        let mut places = Vec::new();
        for (key, value) in current.reader().range(Table::Index, query)? {
            let damaged = || LedgerError::damaged("the index of failed transactions", "an entry is cut off");
            let height = keys::height_of(&key).ok_or_else(damaged)?;
            let (indexes, []) = value.as_chunks::<4>() else { return Err(damaged()) };
            let indexes = indexes.iter().rev().map(|index| TxIndex(u32::from_be_bytes(*index)));
            places.extend(indexes.map(|index| (height, index)).filter(|place| *place < below));
        }
        places.truncate(limit);
        Ok(places)
    }
}

/// Adds a block's failed transactions to the index.
pub(crate) fn put(batch: &mut Batch, height: Height, receipts: &[Receipt]) {
    let failed = receipts.iter().filter(|receipt| !receipt.status.is_success());
    let indexes: Vec<u8> = failed.flat_map(|receipt| receipt.index.0.to_be_bytes()).collect();
    if !indexes.is_empty() {
        batch.put(Table::Index, &keys::failed(height), &indexes);
    }
}
