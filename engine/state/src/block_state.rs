//! The state of one block while its transactions run: keys become slots, slots hold the newest value.
//!
//! A key is hashed once per transaction that touches it and then goes by its [`Slot`], a small integer, so that access
//! sets and the DAG builder work on dense arrays. Slots are given out in whatever order threads come by: nothing that
//! nodes compare may depend on them.
//!
//! Values that were changed are guarded by a lock per slot, held for a few instructions; what nobody changed is read
//! without one. That keeps memory safe under *any* schedule; that reads see the right value is the scheduler's task, which orders every conflicting pair (or, given a DAG that
//! lies, finds out).

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Once};

use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use hanse_types::{Add, Read, RwSet, TxIndex, Value, Version, Write};
use parking_lot::{Mutex, RwLock};

use crate::access_set::{AccessSet, Seen, Slot};
use crate::cells::{Cells, Filling};
use crate::changes::{ChangeSet, merge_range};
use crate::number;
use crate::view::{Entry as StateEntry, StateError, StateView};

/// A key, what the parent state holds for it, and what it holds now.
struct Cell {
    key: Arc<[u8]>,
    parent: Option<Value>,
    /// Who last wrote or added; as long as it is [`Seen::PARENT`], `parent` is what the key holds, and nobody needs the
    /// lock to say so.
    toucher: AtomicU32,
    current: Mutex<Option<Value>>,
    /// Another key with the same hash.
    next: AtomicU32,
}

/// No next key.
const NONE: u32 = u32::MAX;

/// The hash by which a block knows a key. Only good for the block that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Its place in a table of so many.
    pub(crate) const fn place(self, count: usize) -> usize {
        self.0 as usize % count
    }
}

/// The block's key table over its parent's state.
pub struct BlockState {
    parent: Arc<dyn StateView>,
    hasher: RandomState,
    /// The first key with a hash. Keys are in the cells: what is hashed and moved here is small.
    slots: DashMap<u64, Slot, RandomState>,
    cells: Cells<Cell>,
    /// For whoever makes slots beside the recorders, each of which has its own.
    filling: Mutex<Filling>,
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
            hasher: RandomState::default(),
            slots: DashMap::with_capacity_and_hasher(keys, RandomState::default()),
            cells: Cells::new(),
            filling: Mutex::default(),
            scanned: AtomicBool::new(false),
            ordering: Once::new(),
            ordered: RwLock::default(),
        }
    }

    /// More than any slot's index, while no transaction runs; some below are not given out.
    pub fn slot_bound(&self) -> usize {
        self.cells.bound()
    }

    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(self.hasher.hash_one(key))
    }

    /// The slot of a key; a new one loads the parent's value.
    ///
    /// # Errors
    /// If the parent's state can't be read.
    pub fn slot(&self, key: &[u8]) -> Result<Slot, StateError> {
        self.slot_hashed(self.hash(key), key, &mut self.filling.lock())
    }

    /// [`BlockState::slot`], a new one where the caller is filling.
    pub(crate) fn slot_hashed(&self, hash: KeyHash, key: &[u8], filling: &mut Filling) -> Result<Slot, StateError> {
        if let Some(slot) = self.find_hashed(hash, key) {
            return Ok(slot);
        }
        let parent = self.parent.get(key)?;
        Ok(match self.slots.entry(hash.0) {
            Entry::Vacant(place) => *place.insert(self.add_cell(filling, key.into(), parent)),
            // The table's lock is held, so nobody else adds a key with this hash.
            Entry::Occupied(first) => match self.search(*first.get(), key) {
                Ok(slot) => slot,
                Err(last) => {
                    let slot = self.add_cell(filling, key.into(), parent);
                    self.cell(last).next.store(slot.0, Ordering::Release);
                    slot
                }
            },
        })
    }

    /// Makes a slot. Called before anybody can find it in the table, so that whoever does finds it in order too: a
    /// transaction may get a slot that another one, still running and not ordered with it, has just made.
    ///
    /// The caller holds the table's lock of the key's shard: [`BlockState::order_keys`] relies on it.
    fn add_cell(&self, filling: &mut Filling, key: Arc<[u8]>, parent: Option<Value>) -> Slot {
        let ordered_key = self.scanned.load(Ordering::Relaxed).then(|| key.clone());
        let (toucher, next) = (AtomicU32::new(Seen::PARENT.to_bits()), AtomicU32::new(NONE));
        let slot = Slot(self.cells.push(filling, Cell { key, parent, toucher, current: Mutex::new(None), next }));
        if let Some(key) = ordered_key {
            self.ordered.write().insert(key, slot);
        }
        slot
    }

    /// The slot of a key, if it has one.
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        self.find_hashed(self.hash(key), key)
    }

    fn find_hashed(&self, hash: KeyHash, key: &[u8]) -> Option<Slot> {
        let first = *self.slots.get(&hash.0)?;
        self.search(first, key).ok()
    }

    /// The slot of a key among those of one hash, or the last of these.
    fn search(&self, first: Slot, key: &[u8]) -> Result<Slot, Slot> {
        let mut slot = first;
        loop {
            let cell = self.cell(slot);
            if *cell.key == *key {
                return Ok(slot);
            }
            match cell.next.load(Ordering::Acquire) {
                NONE => return Err(slot),
                next => slot = Slot(next),
            }
        }
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
        let cell = self.cell(slot);
        if !self.is_changed(slot) {
            return (cell.parent.clone(), Seen::PARENT);
        }
        let current = cell.current.lock();
        (current.clone(), Seen::from_bits(cell.toucher.load(Ordering::Relaxed)))
    }

    /// Whether somebody has written or added to a key.
    pub(crate) fn is_changed(&self, slot: Slot) -> bool {
        // Acquire: whoever must be seen has been ordered before by the scheduler. Under a DAG that lies this may miss a
        // change that is being made, which what is recorded then shows.
        Seen::from_bits(self.cell(slot).toucher.load(Ordering::Acquire)) != Seen::PARENT
    }

    /// Applies what a transaction did. `toucher` is its position.
    ///
    /// Adds of one key may come in any order: the greatest position stays. An add that does not fit is left out, which
    /// can only happen under a DAG that lies; what was recorded then contradicts that DAG.
    pub fn apply(&self, set: &AccessSet, toucher: Seen) {
        for (slot, value) in &set.writes {
            let cell = self.cell(*slot);
            let mut current = cell.current.lock();
            current.clone_from(value);
            cell.toucher.store(toucher.to_bits(), Ordering::Release);
        }
        for add in &set.adds {
            let cell = self.cell(add.slot());
            let mut current = cell.current.lock();
            let before = Seen::from_bits(cell.toucher.load(Ordering::Relaxed));
            let value = if before == Seen::PARENT { cell.parent.as_ref() } else { current.as_ref() };
            if let Ok(value) = number::apply(value, &add.delta()) {
                *current = Some(value);
                cell.toucher.store(before.later(toucher).to_bits(), Ordering::Release);
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
    ) -> Result<Vec<StateEntry>, StateError> {
        let mut values = self.values_in(start, end);
        values.append(&mut own);
        merge_range(&*self.parent, values, start, end, limit, reverse)
    }

    /// Builds the ordered index, once, in blocks that scan.
    fn order_keys(&self) {
        self.ordering.call_once(|| {
            self.scanned.store(true, Ordering::Relaxed);
            // Takes the lock of every shard: who made a slot without having seen `scanned` had one of them then, so that
            // the slot is seen below; who gets one later sees `scanned`.
            let _ = self.slots.len();
            let mut ordered = self.ordered.write();
            for (index, cell) in self.cells.iter() {
                ordered.insert(cell.key.clone(), Slot(index));
            }
        });
    }

    /// What the block did: every key whose value is not the parent's.
    pub fn changes(&self) -> ChangeSet {
        let changed = self.cells.iter().filter_map(|(_, cell)| {
            if Seen::from_bits(cell.toucher.load(Ordering::Acquire)) == Seen::PARENT {
                return None;
            }
            let current = cell.current.lock();
            (*current != cell.parent).then(|| (cell.key.clone(), current.clone()))
        });
        ChangeSet::from_unsorted(changed.collect())
    }

    /// The durable form of what a transaction touched. `position` maps a [`Seen`] position to the place in the block.
    pub fn to_rw_set(&self, set: &AccessSet, position: impl Fn(u32) -> TxIndex) -> RwSet {
        let key = |slot: Slot| self.key(slot).to_vec();
        let version = |seen: Seen| seen.position().map_or(Version::Parent, |at| Version::Tx(position(at)));
        let reads = set.touches.iter().filter(|touch| touch.is_read());
        RwSet {
            reads: reads
                .map(|touch| Read { key: key(touch.slot), version: version(touch.seen), present: touch.present })
                .collect(),
            ranges: set.ranges.clone(),
            writes: set.writes.iter().map(|(slot, value)| Write { key: key(*slot), value: value.clone() }).collect(),
            adds: set.adds.iter().map(|add| Add { key: key(add.slot()), delta: add.delta() }).collect(),
        }
    }

    fn cell(&self, slot: Slot) -> &Cell {
        // Slots come from `slot` of this very table.
        self.cells.get(slot.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::view::MemoryView;

    #[test]
    fn keys_of_one_hash_are_kept_apart() {
        let view: MemoryView = [(b"b".to_vec(), Value::new(b"two"))].into_iter().collect();
        let state = BlockState::new(Arc::new(view), 0);
        let slots = [b"a", b"b", b"c"].map(|key| state.slot_hashed(KeyHash(7), key, &mut Filling::default()).unwrap());
        assert!(slots[0] < slots[1] && slots[1] < slots[2]);
        assert_eq!(
            [b"a", b"b", b"c"].map(|key| state.slot_hashed(KeyHash(7), key, &mut Filling::default()).unwrap()),
            slots
        );
        assert_eq!(state.find_hashed(KeyHash(7), b"d"), None);
        assert_eq!(state.parent_value(slots[1]), Some(&Value::new(b"two")));
        assert!(state.slot_bound() >= 3);
    }

    #[test]
    fn a_change_hides_the_parents_value_until_it_is_the_same_again() {
        let view: MemoryView = [(b"a".to_vec(), Value::new(b"old"))].into_iter().collect();
        let state = BlockState::new(Arc::new(view), 0);
        let slot = state.slot(b"a").unwrap();
        assert_eq!(state.read(slot), (Some(Value::new(b"old")), Seen::PARENT));
        let write = |value: Option<&[u8]>, by| {
            let writes = [(slot, value.map(Value::new))].into_iter().collect();
            state.apply(&AccessSet { writes, ..AccessSet::default() }, Seen::transaction(by));
        };
        write(None, 3);
        assert_eq!(state.read(slot), (None, Seen::transaction(3)));
        assert_eq!(state.changes().len(), 1);
        write(Some(b"old"), 4);
        assert_eq!(state.read(slot), (Some(Value::new(b"old")), Seen::transaction(4)));
        assert!(state.changes().is_empty());
    }
}
