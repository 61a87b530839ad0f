//! The state of one block while its transactions run: keys become slots, slots hold the newest value.
//!
//! A key is hashed once per transaction that touches it and then goes by its [`Slot`], a small integer, so that access
//! sets and the DAG builder work on dense arrays. Slots are given out in whatever order threads come by: nothing that
//! nodes compare may depend on them.
//!
//! Values are guarded by a lock per slot, held for a few instructions. The locks keep memory safe under *any* schedule;
//! that reads see the right value is the scheduler's task, which orders every conflicting pair (or, given a DAG that
//! lies, finds out).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Once};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use hanse_types::Value;
use parking_lot::{Mutex, RwLock};

use crate::access_set::{AccessSet, Seen};
use crate::changes::{ChangeSet, merge_range};
use crate::number;
use crate::view::{Entry, StateError, StateView};

/// What stands for a key within one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// As an index into arrays over all slots of the block.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A key, what the parent state holds for it, and what it holds now.
struct Cell {
    key: Arc<[u8]>,
    parent: Option<Value>,
    current: Mutex<Current>,
}

struct Current {
    value: Option<Value>,
    /// Which transaction last wrote or added.
    toucher: Seen,
}

/// The block's key table over its parent's state.
pub struct BlockState {
    parent: Arc<dyn StateView>,
    slots: DashMap<Arc<[u8]>, Slot, RandomState>,
    cells: boxcar::Vec<Cell>,
    /// Set by the first scan; from then on every new slot is in `ordered` too.
    scanned: AtomicBool,
    ordering: Once,
    ordered: RwLock<BTreeMap<Arc<[u8]>, Slot>>,
}

impl BlockState {
    /// The state of a block over its parent's, with room for about so many keys.
    pub fn new(parent: Arc<dyn StateView>, keys: usize) -> BlockState {
        BlockState {
            parent,
            slots: DashMap::with_capacity_and_hasher(keys, RandomState::default()),
            cells: boxcar::Vec::with_capacity(keys),
            scanned: AtomicBool::new(false),
            ordering: Once::new(),
            ordered: RwLock::default(),
        }
    }

    /// Number of slots given out so far.
    pub fn slot_count(&self) -> usize {
        self.cells.count()
    }

    /// The slot of a key; a new one loads the parent's value.
    ///
    /// # Errors
    /// If the parent's state can't be read.
    pub fn slot(&self, key: &[u8]) -> Result<Slot, StateError> {
        if let Some(slot) = self.slots.get(key) {
            return Ok(*slot);
        }
        let parent = self.parent.get(key)?;
        let key: Arc<[u8]> = key.into();
        let slot = self.slots.entry(key.clone()).or_insert_with(|| self.add_cell(key, parent));
        Ok(*slot)
    }

    /// Makes a slot. Called before anybody can find it in the table, so that whoever does finds it in order too: a
    /// transaction may get a slot that another one, still running and not ordered with it, has just made.
    fn add_cell(&self, key: Arc<[u8]>, parent: Option<Value>) -> Slot {
        let current = Mutex::new(Current { value: parent.clone(), toucher: Seen::PARENT });
        let slot = Slot(self.cells.push(Cell { key: key.clone(), parent, current }) as u32);
        // Either this sees `scanned`, or the scan that sets it sees the new cell: the two fences exclude that both miss.
        fence(Ordering::SeqCst);
        if self.scanned.load(Ordering::Relaxed) {
            self.ordered.write().insert(key, slot);
        }
        slot
    }

    /// The slot of a key, if it has one.
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        self.slots.get(key).map(|slot| *slot)
    }

    /// The key of a slot.
    pub fn key(&self, slot: Slot) -> &Arc<[u8]> {
        &self.cell(slot).key
    }

    /// What the parent state holds for a slot's key.
    pub fn parent_value(&self, slot: Slot) -> Option<&Value> {
        self.cell(slot).parent.as_ref()
    }

    /// The newest value, and who left it.
    pub fn read(&self, slot: Slot) -> (Option<Value>, Seen) {
        let current = self.cell(slot).current.lock();
        (current.value.clone(), current.toucher)
    }

    /// Applies what a transaction did. `toucher` is its position.
    ///
    /// Adds of one key may come in any order: the greatest position stays. An add that does not fit is left out, which
    /// can only happen under a DAG that lies; what was recorded then contradicts that DAG.
    pub fn apply(&self, set: &AccessSet, toucher: Seen) {
        for (slot, value) in &set.writes {
            *self.cell(*slot).current.lock() = Current { value: value.clone(), toucher };
        }
        for (slot, delta) in &set.adds {
            let mut current = self.cell(*slot).current.lock();
            if let Ok(value) = number::apply(current.value.as_ref(), delta) {
                current.value = Some(value);
                current.toucher = current.toucher.later(toucher);
            }
        }
    }

    /// Values of all slots of a range.
    fn values_in(&self, start: &[u8], end: &[u8]) -> BTreeMap<Vec<u8>, Option<Value>> {
        if start >= end {
            return BTreeMap::new();
        }
        self.order_keys();
        let ordered = self.ordered.read();
        let inside = ordered.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        inside.map(|(key, slot)| (key.to_vec(), self.read(*slot).0)).collect()
    }

    /// Entries of a range as they are now, with `own` values on top.
    ///
    /// # Errors
    /// If the parent's state can't be read.
    pub(crate) fn scan(
        &self,
        mut own: BTreeMap<Vec<u8>, Option<Value>>,
        (start, end): (&[u8], &[u8]),
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<Entry>, StateError> {
        let mut values = self.values_in(start, end);
        values.append(&mut own);
        merge_range(&*self.parent, values, start, end, limit, reverse)
    }

    /// Builds the ordered index, once, in blocks that scan.
    fn order_keys(&self) {
        self.ordering.call_once(|| {
            self.scanned.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let mut ordered = self.ordered.write();
            for (index, cell) in &self.cells {
                ordered.insert(cell.key.clone(), Slot(index as u32));
            }
        });
    }

    /// What the block did: every key whose value is not the parent's.
    pub fn changes(&self) -> ChangeSet {
        let changed = self.cells.iter().filter_map(|(_, cell)| {
            let current = cell.current.lock();
            let touched = current.toucher != Seen::PARENT && current.value != cell.parent;
            touched.then(|| (cell.key.clone(), current.value.clone()))
        });
        ChangeSet::from_unsorted(changed.collect())
    }

    fn cell(&self, slot: Slot) -> &Cell {
        // Slots come from `slot` of this very table.
        &self.cells[slot.index()]
    }
}
