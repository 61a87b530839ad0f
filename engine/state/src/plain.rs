//! State as a plain serial loop would hold it: one map over the parent's state, an undo journal, nothing recorded.
//!
//! This is the oracle of the tests and the baseline of every figure, so it is as fast as such a loop can be made: a key
//! is looked up below once and then lives in the map.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::{Delta, Value};

use crate::access::{Added, Halt, Savepoint, ScanRequest, StateAccess};
use crate::changes::{ChangeSet, merge_range};
use crate::number;
use crate::view::{Entry, StateView};

/// The state of a block that is run by a serial loop.
pub struct PlainState {
    parent: Arc<dyn StateView>,
    values: HashMap<Arc<[u8]>, Cell, RandomState>,
    /// Keys with what they were before, none where the map did not have them.
    journal: Vec<(Arc<[u8]>, Option<Cell>)>,
}

#[derive(Clone)]
struct Cell {
    value: Option<Value>,
    /// Whether it may differ from the parent's value.
    written: bool,
}

impl PlainState {
    /// The state of a block over its parent's, with room for about so many keys.
    pub fn new(parent: Arc<dyn StateView>, keys: usize) -> PlainState {
        let values = HashMap::with_capacity_and_hasher(keys, RandomState::default());
        PlainState { parent, values, journal: Vec::new() }
    }

    /// Ends a transaction: what it did can no longer be undone.
    pub fn finish_transaction(&mut self) {
        self.journal.clear();
    }

    /// What was done: every key whose value is not the parent's.
    ///
    /// # Errors
    /// If the parent's state can't be read.
    pub fn changes(&self) -> Result<ChangeSet, Halt> {
        let mut changed = Vec::new();
        for (key, cell) in &self.values {
            if cell.written && cell.value != self.parent.get(key)? {
                changed.push((key.clone(), cell.value.clone()));
            }
        }
        Ok(ChangeSet::from_unsorted(changed))
    }

    fn write(&mut self, key: &[u8], value: Option<Value>) {
        let cell = Cell { value, written: true };
        let key = self.values.get_key_value(key).map_or_else(|| key.into(), |(key, _)| key.clone());
        let old = self.values.insert(key.clone(), cell);
        self.journal.push((key, old));
    }
}

impl StateAccess for PlainState {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        if let Some(cell) = self.values.get(key) {
            return Ok(cell.value.clone());
        }
        let value = self.parent.get(key)?;
        self.values.insert(key.into(), Cell { value: value.clone(), written: false });
        Ok(value)
    }

    fn get_content(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        self.get(key)
    }

    fn set(&mut self, key: &[u8], value: Value) -> Result<(), Halt> {
        self.write(key, Some(value));
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Halt> {
        self.write(key, None);
        Ok(())
    }

    fn add(&mut self, key: &[u8], delta: Delta) -> Result<Added, Halt> {
        let value = self.get(key)?;
        match number::apply(value.as_ref(), &delta) {
            Ok(value) => {
                self.write(key, Some(value));
                Ok(Added::Done)
            }
            Err(refused) => Ok(refused.into()),
        }
    }

    fn scan(&mut self, request: ScanRequest<'_>) -> Result<Vec<Entry>, Halt> {
        let ScanRequest { start, end, limit, reverse } = request;
        if start >= end || limit == 0 {
            return Ok(Vec::new());
        }
        let inside = self.values.iter().filter(|(key, cell)| cell.written && *start <= ***key && ***key < *end);
        let own: BTreeMap<_, _> = inside.map(|(key, cell)| (key.to_vec(), cell.value.clone())).collect();
        Ok(merge_range(&*self.parent, own, start, end, limit, reverse)?)
    }

    fn savepoint(&mut self) -> Savepoint {
        Savepoint(self.journal.len())
    }

    fn rollback(&mut self, to: Savepoint) {
        while self.journal.len() > to.0 {
            match self.journal.pop() {
                Some((key, Some(cell))) => drop(self.values.insert(key, cell)),
                Some((key, None)) => drop(self.values.remove(&key)),
                None => return,
            }
        }
    }
}
