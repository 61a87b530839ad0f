//! Frozen state: what a block starts from.

use std::collections::BTreeMap;

use hanse_types::Value;
use thiserror::Error;

/// Why state could not be read. Fatal to the block that is being made: a node must not guess.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// The store failed.
    #[error("the state store failed: {reason}")]
    Store {
        /// What it said.
        reason: String,
    },
    /// The store holds bytes that it can't have written.
    #[error("the state store is damaged at {place}: {reason}")]
    Damaged {
        /// Which key or table.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

/// A key with its value.
pub type Entry = (Vec<u8>, Value);

/// State that does not change while it is held. Cheap to share between threads.
///
/// Keys are full state keys (see `hanse_abi::keys`).
pub trait StateView: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// If the store fails.
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError>;

    /// The values of many keys, in their order.
    ///
    /// # Errors
    /// If the store fails.
    fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>, StateError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// At most `limit` entries with `start <= key < end`, ascending, or descending from the end if `reverse`.
    ///
    /// # Errors
    /// If the store fails.
    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError>;
}

/// A view in memory: for tests, benchmarks and the native test kit.
#[derive(Clone, Debug, Default)]
pub struct MemoryView {
    entries: BTreeMap<Vec<u8>, Value>,
}
