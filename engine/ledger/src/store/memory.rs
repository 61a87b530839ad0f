//! A store in memory that fails on demand.
//!
//! It models a disk and what a process sees of it as two things: what was written becomes visible and durable together,
//! except where a [`Fault`] tears them apart. [`MemoryStore::restarted`] is what a new process finds.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Batch, Closed, Operation, Pair, RangeQuery, Read, Store, Table};
use crate::error::StoreError;

/// What goes wrong with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process ends, or the write is refused, before anything reached the disk.
    BeforeWrite,
    /// The process ends, or the sync reports an error, after everything reached the disk.
    AfterWrite,
    /// There is no room.
    DiskFull,
}

/// Which write fails, and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    at: u64,
    fault: Fault,
}

#[derive(Clone, Debug, Default)]
struct Tables(Vec<BTreeMap<Vec<u8>, Vec<u8>>>);

#[derive(Debug, Default)]
struct State {
    visible: Arc<Tables>,
    durable: Arc<Tables>,
    writes: u64,
    plan: Option<Plan>,
    failed: bool,
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// A store whose write number `at` (from 0) fails. As after a real failure, so do all that follow.
    pub fn failing(self, at: u64, fault: Fault) -> MemoryStore {
        self.state.lock().plan = Some(Plan { at, fault });
        self
    }

    /// Lets the next write fail. As after a real failure, so do all that follow.
    pub fn fail_next(&self, fault: Fault) {
        let mut state = self.state.lock();
        state.plan = Some(Plan { at: state.writes, fault });
    }

    /// What a new process finds on the disk.
    pub fn restarted(&self) -> MemoryStore {
        let durable = self.state.lock().durable.clone();
        MemoryStore { state: Mutex::new(State { visible: durable.clone(), durable, ..State::default() }) }
    }

    /// Number of writes so far.
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }
}

impl Store for MemoryStore {
    fn closed(&self) -> Closed {
        Closed::already()
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let fault = state.plan.filter(|plan| plan.at == state.writes).map(|plan| plan.fault);
        state.writes += 1;
        if state.failed {
            return Err(failure("an earlier write failed"));
        }
        state.failed = fault.is_some();
        match fault {
            Some(Fault::BeforeWrite) => return Err(failure("injected before the write")),
            Some(Fault::DiskFull) => return Err(failure("no space left on device (injected)")),
            Some(Fault::AfterWrite) | None => {}
        }
        let State { visible, durable, .. } = &mut *state;
        Arc::make_mut(durable).apply(batch);
        if fault.is_some() {
            return Err(failure("injected after the write"));
        }
        *visible = durable.clone();
        Ok(())
    }

    fn snapshot(&self) -> Arc<dyn Read> {
        self.state.lock().visible.clone()
    }

    fn checkpoint(&self, _: &Path) -> Result<(), StoreError> {
        let (place, reason) = ("memory".into(), "a store in memory has no files".into());
        Err(StoreError::Failed { place, action: "make a snapshot", reason })
    }

    fn size(&self) -> Result<u64, StoreError> {
        let state = self.state.lock();
        let pairs = state.durable.0.iter().flatten();
        Ok(pairs.map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}

impl Read for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot().get(table, key)
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.snapshot().multi_get(table, keys)
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        self.snapshot().range(table, query)
    }
}

impl Tables {
    fn apply(&mut self, batch: &Batch) {
        self.0.resize_with(Table::ALL.len(), BTreeMap::new);
        for operation in batch.iter() {
            match operation {
                Operation::Put { table, key, value } => {
                    drop(self.0[table as usize].insert(key.to_vec(), value.to_vec()))
                }
                Operation::Remove { table, key } => drop(self.0[table as usize].remove(key)),
                Operation::RemoveRange { table, start, end } => {
                    self.0[table as usize].retain(|key, _| !(start <= &key[..] && &key[..] < end));
                }
            }
        }
    }
}

impl Read for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(table as usize).and_then(|entries| entries.get(key)).cloned())
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        let RangeQuery { start, end, limit, reverse } = query;
        let Some(entries) = self.0.get(table as usize).filter(|_| start < end) else { return Ok(Vec::new()) };
        let range = entries.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        let range = range.map(|(key, value)| (key.clone(), value.clone()));
        Ok(if reverse { range.rev().take(limit).collect() } else { range.take(limit).collect() })
    }
}

fn failure(reason: &str) -> StoreError {
    StoreError::Failed { place: "memory".into(), action: "write", reason: reason.into() }
}
