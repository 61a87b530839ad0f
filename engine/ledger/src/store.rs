//! The key-value store below the ledger: tables, batches, snapshots.
//!
//! A [`Store`] has one kind of write, a [`Batch`] over any tables, which is durable when the call returns and is never
//! visible or durable in part. [`RocksStore`] is the product's; [`MemoryStore`] keeps everything in memory and can be
//! told to fail, for tests of whatever builds on it.

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "rocksdb")]
mod background;
pub mod batch;
mod closing;
pub mod memory;
#[cfg(feature = "rocksdb")]
pub mod rocks;

pub use batch::{Batch, Operation};
pub use closing::Closed;
#[cfg(feature = "rocksdb")]
pub(crate) use closing::Closing;
pub use memory::{Fault, MemoryStore};
#[cfg(feature = "rocksdb")]
pub use rocks::RocksStore;

use crate::error::StoreError;

/// A table of a group's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Headers with their certificates.
    Header,
    /// DAGs.
    Dag,
    /// Transactions.
    Tx,
    /// Receipts.
    Receipt,
    /// Access sets.
    RwSet,
    /// What blocks replaced in the state.
    Undo,
    /// The state.
    State,
    /// Pages of the state commitment.
    StateNode,
    /// What is found by something else than its height.
    Index,
    /// Format, identity, newest block.
    Meta,
    /// Accepted transactions that are in no block yet.
    Pool,
    /// Transactions that were dropped, and what became of failed ones.
    Exception,
    /// Votes and locks.
    Consensus,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 13] = [
        Table::Header,
        Table::Dag,
        Table::Tx,
        Table::Receipt,
        Table::RwSet,
        Table::Undo,
        Table::State,
        Table::StateNode,
        Table::Index,
        Table::Meta,
        Table::Pool,
        Table::Exception,
        Table::Consensus,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Header => "header",
            Table::Dag => "dag",
            Table::Tx => "tx",
            Table::Receipt => "receipt",
            Table::RwSet => "rwset",
            Table::Undo => "undo",
            Table::State => "state",
            Table::StateNode => "state_node",
            Table::Index => "index",
            Table::Meta => "meta",
            Table::Pool => "pool",
            Table::Exception => "exception",
            Table::Consensus => "consensus",
        }
    }

    /// Name of its column family: chain, kind, and the number of its extension, so that a table can be split later.
    pub fn column_family(self, chain: &str) -> String {
        format!("{chain}{}000", self.name())
    }
}

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Which entries of a table: `start <= key < end` in the order of the keys, or from the end if `reverse`.
#[derive(Clone, Copy, Debug)]
pub struct RangeQuery<'a> {
    /// First key.
    pub start: &'a [u8],
    /// First key after the range.
    pub end: &'a [u8],
    /// Most entries wanted.
    pub limit: usize,
    /// From the end backwards.
    pub reverse: bool,
}

/// Tables that can be read.
pub trait Read: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// If the store fails.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The values of many keys, in their order.
    ///
    /// # Errors
    /// If the store fails.
    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// The entries of a range.
    ///
    /// # Errors
    /// If the store fails.
    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError>;
}

/// A group's database.
pub trait Store: Read {
    /// Writes a batch. When it returns, all of it is durable and visible. When it fails, it is not visible, but may be
    /// there after the store was opened anew: all of it, or nothing.
    ///
    /// # Errors
    /// If the store fails; then nothing more should be written until it is opened anew.
    fn write(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Knows when nobody uses the store any more and it is closed.
    fn closed(&self) -> Closed;

    /// The tables as they are now, which later writes do not change.
    fn snapshot(&self) -> Arc<dyn Read>;

    /// Copies the tables as they are now into an absent folder, from which they can be opened.
    ///
    /// # Errors
    /// If the store fails, or has no files.
    fn checkpoint(&self, path: &Path) -> Result<(), StoreError>;

    /// Size on disk in bytes, as far as it is known.
    ///
    /// # Errors
    /// If the store fails.
    fn size(&self) -> Result<u64, StoreError>;
}
