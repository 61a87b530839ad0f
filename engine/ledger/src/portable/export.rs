//! Giving the chunks.

use std::sync::Arc;

use hanse_state::StateView;
use hanse_types::portable::{CHUNK_BYTES, Chunk, Item, Manifest, chunk_digest};
use hanse_types::{Block, Canonical, Height, Receipt, RwSet, Timestamp, Value};
use thiserror::Error;

use crate::error::LedgerError;
use crate::ledger::{Current, Ledger, recent_max};
use crate::query;
use crate::store::{RangeQuery, Table};

/// Entries of the state that are read at a time.
const ENTRIES: usize = 4_096;
/// One past every key of the state.
const END: [u8; hanse_types::limits::STATE_KEY_BYTES + 1] = [0xff; hanse_types::limits::STATE_KEY_BYTES + 1];

/// Why there is no snapshot. `E` is what whoever takes the chunks can fail by.
#[derive(Debug, Error)]
pub enum ExportError<E> {
    /// The ledger can't be read, or lacks a block that has to be in it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It would be larger than a manifest can say.
    #[error("the state is too large for a portable snapshot: it has more than {} chunks", Manifest::CHUNKS)]
    TooLarge,
    /// A chunk was not taken.
    #[error(transparent)]
    Chunk(E),
}

/// The ledger as it is at one moment.
pub struct Exporter {
    ledger: Ledger,
    current: Arc<Current>,
}

impl Ledger {
    /// Holds what there is now. As long as it is held, the database gives up nothing of it, which costs disk.
    pub fn exporter(&self) -> Exporter {
        Exporter { ledger: self.clone(), current: self.current() }
    }
}

impl Exporter {
    /// The newest block.
    pub fn height(&self) -> Height {
        self.current.height()
    }

    /// The state after it.
    pub fn state(&self) -> &dyn StateView {
        &self.current.view
    }

    /// Gives the chunks in order, and then what they are together. `lifetime_ms` is the longest lifetime of a transaction
    /// by the group's parameters, in milliseconds.
    ///
    /// # Errors
    /// If the ledger can't be read or does not go back far enough, there is too much, or a chunk is not taken.
    pub fn run<E>(
        &self,
        lifetime_ms: u64,
        put: impl FnMut(u32, Vec<u8>) -> Result<(), E>,
    ) -> Result<Manifest, ExportError<E>> {
        let first = self.first(lifetime_ms)?;
        let (genesis, record) = (self.ledger.genesis().hash(), &self.current.record);
        let mut cutter = Cutter { put, items: Vec::new(), bytes: 0, digests: Vec::new() };
        for height in (first.0..=record.height.0).map(Height) {
            cutter.push(Item::Block(Box::new(self.block(height)?)))?;
        }
        for receipt in query::receipts(self.current.reader(), record.height)? {
            cutter.push(Item::Receipt(receipt))?;
        }
        for rw_set in query::rw_sets(&self.current, record.height)? {
            cutter.push(Item::RwSet(rw_set))?;
        }
        self.push_state(&mut cutter)?;
        Ok(Manifest {
            version: Manifest::VERSION,
            genesis,
            height: record.height,
            block_hash: record.hash,
            first,
            transactions: record.transactions,
            chunks: cutter.finish()?,
        })
    }

    fn push_state<E, F: FnMut(u32, Vec<u8>) -> Result<(), E>>(
        &self,
        cutter: &mut Cutter<F>,
    ) -> Result<(), ExportError<E>> {
        let mut start = Vec::new();
        loop {
            let query = RangeQuery { start: &start, end: &END, limit: ENTRIES, reverse: false };
            let entries = self.current.reader().range(Table::State, query).map_err(LedgerError::from)?;
            let Some((last, _)) = entries.last() else { return Ok(()) };
            start = [&last[..], &[0]].concat();
            for (key, value) in entries {
                cutter.push(Item::State { key, value: Value::from(value) })?;
            }
        }
    }

    fn block(&self, height: Height) -> Result<Block, LedgerError> {
        let tip = self.current.height();
        self.ledger.block(height)?.ok_or(LedgerError::NoBlock { height, tip })
    }

    /// The first block that has to be in it: the newest before which all transactions have expired, whatever the headers'
    /// times alone show, and no block can be referred to.
    fn first(&self, lifetime_ms: u64) -> Result<Height, LedgerError> {
        let (record, reader) = (&self.current.record, self.current.reader());
        let now = self.current.tip.header.timestamp;
        let recent = recent_max(self.ledger.genesis()) as u64 - 1;
        let mut height = record.window.0.min(record.height.0.saturating_sub(recent)).max(1);
        while height > 1 {
            self.ledger.shared.beginning.check_block(Height(height))?;
            if is_over(query::header(reader, Height(height))?.0.timestamp, lifetime_ms, now) {
                break;
            }
            height -= 1;
        }
        self.ledger.shared.beginning.check_block(Height(height))?;
        Ok(Height(height))
    }
}

/// Whether all transactions of blocks before one of this time have expired at another.
pub(super) fn is_over(block: Timestamp, lifetime_ms: u64, now: Timestamp) -> bool {
    block.plus_ms(lifetime_ms) <= now
}

/// Makes chunks of items.
struct Cutter<F> {
    put: F,
    items: Vec<Item>,
    bytes: usize,
    digests: Vec<hanse_types::Hash>,
}

impl<F> Cutter<F> {
    fn push<E>(&mut self, item: Item) -> Result<(), ExportError<E>>
    where
        F: FnMut(u32, Vec<u8>) -> Result<(), E>,
    {
        self.bytes += length(&item);
        self.items.push(item);
        if self.bytes < CHUNK_BYTES { Ok(()) } else { self.cut() }
    }

    fn cut<E>(&mut self) -> Result<(), ExportError<E>>
    where
        F: FnMut(u32, Vec<u8>) -> Result<(), E>,
    {
        if self.digests.len() == Manifest::CHUNKS {
            return Err(ExportError::TooLarge);
        }
        let bytes = Chunk(std::mem::take(&mut self.items)).encode();
        self.bytes = 0;
        let index = self.digests.len() as u32;
        self.digests.push(chunk_digest(&bytes));
        (self.put)(index, bytes).map_err(ExportError::Chunk)
    }

    fn finish<E>(mut self) -> Result<Vec<hanse_types::Hash>, ExportError<E>>
    where
        F: FnMut(u32, Vec<u8>) -> Result<(), E>,
    {
        if !self.items.is_empty() {
            self.cut()?;
        }
        Ok(self.digests)
    }
}

/// About how many bytes an item has; the same at every node.
fn length(item: &Item) -> usize {
    match item {
        Item::Block(block) => block.encoded_len(),
        Item::Receipt(receipt) => Receipt::encoded_len(receipt),
        Item::RwSet(rw_set) => RwSet::encoded_len(rw_set),
        Item::State { key, value } => key.len() + value.len() + 9,
    }
}
