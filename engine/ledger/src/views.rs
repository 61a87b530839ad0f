//! The state and its pages as of one block: a snapshot of the store below a cache.

use std::sync::Arc;

use hanse_state::commitment::{NodeView, Page, PagePath, Update};
use hanse_state::{ChangeSet, Entry, StateError, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Height, Value};

use crate::cache::{Cache, CacheUse};
use crate::error::StoreError;
use crate::options::LedgerOptions;
use crate::store::{RangeQuery, Read, Table};

/// Bytes that an entry of a cache takes beyond its key and value.
const ENTRY_BYTES: usize = 120;

/// Recently used values and pages.
pub(crate) struct Caches {
    values: Cache<Arc<[u8]>, Option<Value>>,
    pages: Cache<PagePath, Option<Arc<Page>>>,
}

impl Caches {
    pub(crate) fn new(options: &LedgerOptions, tip: Height) -> Caches {
        let values = Cache::new(options.value_cache_bytes, tip);
        Caches { values, pages: Cache::new(options.page_cache_bytes, tip) }
    }

    /// Brings in what a block changed, before it becomes visible.
    pub(crate) fn publish(&self, height: Height, changes: &ChangeSet, update: &Update) {
        let values = changes.iter().map(|(key, value)| (key, value.cloned(), value_bytes(key, value)));
        self.values.publish::<[u8]>(height, values);
        let pages = update.pages.iter().map(|(path, page)| (*path, page.clone(), page_bytes(page.as_deref())));
        self.pages.publish::<PagePath>(height, pages);
    }

    /// How often values, and pages, were asked for.
    pub(crate) fn uses(&self) -> (CacheUse, CacheUse) {
        (self.values.uses(), self.pages.uses())
    }

    /// Bytes in use.
    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes() + self.pages.bytes()
    }
}

fn value_bytes(key: &[u8], value: Option<&Value>) -> usize {
    ENTRY_BYTES + key.len() + value.map_or(0, |value| value.len())
}

fn page_bytes(page: Option<&Page>) -> usize {
    ENTRY_BYTES + page.map_or(0, Page::memory_bytes)
}

/// State and pages as of a block.
#[derive(Clone)]
pub(crate) struct LedgerView {
    pub(crate) reader: Arc<dyn Read>,
    pub(crate) caches: Arc<Caches>,
    /// What the group hashes by.
    pub(crate) suite: CryptoSuite,
    pub(crate) height: Height,
}

impl StateView for LedgerView {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        if let Some(value) = self.caches.values.get(key, self.height) {
            return Ok(value);
        }
        let value = self.reader.get(Table::State, key).map_err(failed)?.map(Value::from);
        self.caches.values.loaded(key.into(), value.clone(), value_bytes(key, value.as_ref()), self.height);
        Ok(value)
    }

    fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>, StateError> {
        let mut values: Vec<_> = keys.iter().map(|key| self.caches.values.get(*key, self.height)).collect();
        let missing: Vec<_> = (0..keys.len()).filter(|at| values[*at].is_none()).collect();
        let missing_keys: Vec<_> = missing.iter().map(|at| keys[*at]).collect();
        let loaded = self.reader.multi_get(Table::State, &missing_keys).map_err(failed)?;
        for (at, value) in missing.into_iter().zip(loaded) {
            let value = value.map(Value::from);
            let bytes = value_bytes(keys[at], value.as_ref());
            self.caches.values.loaded(keys[at].into(), value.clone(), bytes, self.height);
            values[at] = Some(value);
        }
        Ok(values.into_iter().map(Option::flatten).collect())
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        let pairs = self.reader.range(Table::State, RangeQuery { start, end, limit, reverse }).map_err(failed)?;
        Ok(pairs.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
    }
}

impl NodeView for LedgerView {
    fn page(&self, path: &PagePath) -> Result<Option<Arc<Page>>, StateError> {
        if let Some(page) = self.caches.pages.get(path, self.height) {
            return Ok(page);
        }
        let bytes = self.reader.get(Table::StateNode, &path.to_bytes()).map_err(failed)?;
        let page = bytes.map(|bytes| Page::from_bytes(self.suite, path, &bytes)).transpose()?.map(Arc::new);
        self.caches.pages.loaded(*path, page.clone(), page_bytes(page.as_deref()), self.height);
        Ok(page)
    }

    fn suite(&self) -> CryptoSuite {
        self.suite
    }
}

fn failed(error: StoreError) -> StateError {
    StateError::Store { reason: error.to_string() }
}
