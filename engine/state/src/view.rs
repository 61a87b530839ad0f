//! Frozen state: what a block starts from.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::Value;
use thiserror::Error;

use crate::changes::ChangeSet;

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

/// A view in memory: for tests, benchmarks and the native test kit. Point reads cost one hash, ranges are ordered.
#[derive(Clone, Debug, Default)]
pub struct MemoryView {
    values: HashMap<Arc<[u8]>, Value, RandomState>,
    keys: BTreeSet<Arc<[u8]>>,
}

impl MemoryView {
    /// Writes or, without a value, removes a key.
    pub fn put(&mut self, key: &[u8], value: Option<Value>) {
        let Some(value) = value else {
            self.values.remove(key);
            self.keys.remove(key);
            return;
        };
        if let Some(old) = self.values.get_mut(key) {
            *old = value;
            return;
        }
        let key: Arc<[u8]> = key.into();
        self.keys.insert(key.clone());
        self.values.insert(key, value);
    }

    /// Applies what a block did.
    pub fn apply(&mut self, changes: &ChangeSet) {
        for (key, value) in changes.iter() {
            self.put(key, value.cloned());
        }
    }

    /// All entries, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.keys.iter().map(|key| (&key[..], &self.values[&key[..]]))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl FromIterator<Entry> for MemoryView {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut view = MemoryView::default();
        for (key, value) in entries {
            view.put(&key, Some(value));
        }
        view
    }
}

impl StateView for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        Ok(self.values.get(key).cloned())
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        if start >= end {
            return Ok(Vec::new());
        }
        let keys = self.keys.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        let entry = |key: &Arc<[u8]>| (key.to_vec(), self.values[&key[..]].clone());
        Ok(if reverse { keys.rev().take(limit).map(entry).collect() } else { keys.take(limit).map(entry).collect() })
    }
}
