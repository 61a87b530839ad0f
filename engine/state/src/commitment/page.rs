//! Pages: four levels of the tree that are stored, cached and rewritten together.
//!
//! A page has 16 slots, one for each value of the next four bits of a key's hash. A slot is empty, holds a leaf (the only
//! one below it), or the hash of the page below it. The binary nodes between the slots and the page's own node follow
//! from the slots, so they are not stored; a page in memory carries them, so that a change rehashes only its own path.

use hanse_types::Hash;

use super::lanes;
use crate::view::StateError;

/// Slots of a page.
pub(super) const SLOTS: usize = 16;
/// Pages with more occupied slots than this carry their inner nodes; for others, hashing them again costs no more.
const KEEP_INNER_ABOVE: usize = 4;

/// Where a page lies: the first `4 * length` bits of the hashes of all keys below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PagePath {
    length: u8,
    bits: [u8; 32],
}

impl PagePath {
    /// The topmost page's path.
    pub const ROOT: PagePath = PagePath { length: 0, bits: [0; 32] };

    /// The path of the page on the way to a key's hash, after so many pages.
    pub(super) fn of(key: &Hash, length: usize) -> PagePath {
        let mut path = PagePath { length: length as u8, bits: [0; 32] };
        let whole = length / 2;
        path.bits[..whole].copy_from_slice(&key.0[..whole]);
        if length % 2 == 1 {
            path.bits[whole] = key.0[whole] & 0xf0;
        }
        path
    }

    /// Number of pages above.
    pub fn depth(&self) -> usize {
        usize::from(self.length)
    }

    /// The bytes under which a store holds the page: its length, then its bits. Upper pages come first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(33);
        bytes.push(self.length);
        bytes.extend_from_slice(&self.bits[..self.depth().div_ceil(2)]);
        bytes
    }
}

/// Which of a page's slots a key's hash goes through, for a page at this depth.
pub(super) fn slot_of(key: &Hash, depth: usize) -> usize {
    let byte = key.0[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0xf })
}

/// A key's leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Hash of the key.
    pub(super) key: Hash,
    /// Hash of the value.
    pub(super) value: Hash,
    /// Hash of both.
    pub(super) hash: Hash,
}

/// What lies below one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// One key.
    Leaf(Leaf),
    /// A page with this hash, which holds two keys or more.
    Branch(Hash),
}

impl Slot {
    pub(super) fn hash(&self) -> Hash {
        match self {
            Slot::Empty => Hash::ZERO,
            Slot::Leaf(leaf) => leaf.hash,
            Slot::Branch(hash) => *hash,
        }
    }
}

/// A page, immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which slots are not empty.
    occupied: u16,
    /// Those slots.
    slots: Box<[Slot]>,
    /// Hash of the page's topmost node.
    hash: Hash,
    /// The inner nodes, in the order of a heap from index 1.
    inner: Option<Box<[Hash; SLOTS]>>,
}

/// A page that is being changed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// All slots.
    slots: [Slot; SLOTS],
    /// Which of them are not empty.
    occupied: u16,
    /// Which of them are to be hashed again.
    dirty: u16,
    /// All nodes in the order of a heap: 1 is the topmost, 16 to 31 are the slots.
    nodes: [Hash; 2 * SLOTS],
}

impl Draft {
    /// A page without slots.
    pub(super) fn empty() -> Draft {
        Draft { slots: [Slot::Empty; SLOTS], occupied: 0, dirty: 0, nodes: [Hash::ZERO; 2 * SLOTS] }
    }

    /// A draft to change a page.
    pub(super) fn of(page: &Page) -> Draft {
        let mut draft = Draft { occupied: page.occupied, ..Draft::empty() };
        let mut slots = page.slots.iter();
        for at in (0..SLOTS).filter(|at| page.occupied & (1 << at) != 0) {
            draft.slots[at] = slots.next().copied().unwrap_or_default();
        }
        match &page.inner {
            Some(inner) => {
                draft.nodes[..SLOTS].copy_from_slice(&inner[..]);
                for at in 0..SLOTS {
                    draft.nodes[SLOTS + at] = draft.slots[at].hash();
                }
            }
            None => draft.dirty = u16::MAX,
        }
        draft
    }

    /// A slot.
    pub(super) fn slot(&self, at: usize) -> &Slot {
        &self.slots[at]
    }

    /// Hash of the topmost node, which must be hashed.
    pub(super) fn hash(&self) -> Hash {
        self.nodes[1]
    }

    /// Replaces a slot, and says whether that changed it.
    pub(super) fn set(&mut self, at: usize, slot: Slot) -> bool {
        let changed = self.slots[at] != slot;
        if changed {
            self.slots[at] = slot;
            self.dirty |= 1 << at;
            self.occupied &= !(1 << at);
            self.occupied |= u16::from(slot != Slot::Empty) << at;
        }
        changed
    }

    /// The first of these slots that is not empty.
    pub(super) fn first_slot(&self, below: u16) -> Slot {
        match self.occupied & below {
            0 => Slot::Empty,
            occupied => self.slots[occupied.trailing_zeros() as usize],
        }
    }

    /// What stands in the place of a node above these slots if it is no node of its own: nothing, if all are empty, or
    /// the only leaf.
    pub(super) fn collapsed(&self, below: u16) -> Option<Slot> {
        match (self.occupied & below, self.first_slot(below)) {
            (0, _) => Some(Slot::Empty),
            (occupied, leaf @ Slot::Leaf(_)) if occupied.is_power_of_two() => Some(leaf),
            _ => None,
        }
    }

    /// The page. The nodes must be hashed.
    pub(super) fn finish(&self) -> Page {
        let slots: Box<[Slot]> = self.slots.iter().filter(|slot| !matches!(slot, Slot::Empty)).copied().collect();
        let inner = (slots.len() > KEEP_INNER_ABOVE).then(|| {
            let mut inner = Box::new([Hash::ZERO; SLOTS]);
            inner.copy_from_slice(&self.nodes[..SLOTS]);
            inner
        });
        Page { occupied: self.occupied, slots, hash: self.nodes[1], inner }
    }
}

/// Hashes the changed nodes of many drafts, level by level, many at a time.
pub(super) fn hash_drafts<'a>(drafts: impl IntoIterator<Item = &'a mut Draft>) {
    let mut drafts: Vec<_> = drafts.into_iter().collect();
    for draft in &mut drafts {
        for at in 0..SLOTS {
            draft.nodes[SLOTS + at] = draft.slots[at].hash();
        }
    }
    let mut jobs = lanes::Nodes::default();
    let mut places = Vec::new();
    for level in (0..4).rev() {
        jobs.clear();
        places.clear();
        for (at, draft) in drafts.iter_mut().enumerate() {
            for node in 1 << level..2 << level {
                let below = slots_below(node, level);
                if draft.dirty & below == 0 {
                    continue;
                }
                match draft.collapsed(below) {
                    Some(slot) => draft.nodes[node] = slot.hash(),
                    None => {
                        jobs.push(&draft.nodes[2 * node], &draft.nodes[2 * node + 1]);
                        places.push((at, node));
                    }
                }
            }
        }
        for ((at, node), hash) in places.iter().zip(jobs.hash()) {
            drafts[*at].nodes[*node] = hash;
        }
    }
}

/// The slots below a node of a level, the topmost being level 0.
fn slots_below(node: usize, level: usize) -> u16 {
    let width = SLOTS >> level;
    let first = (node - (1 << level)) * width;
    (((1u32 << width) - 1) << first) as u16
}

impl Page {
    /// Hash of the topmost node: in the topmost page, the root.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let inner = self.inner.as_ref().map_or(0, |inner| size_of_val(&**inner));
        size_of::<Page>() + size_of_val(&*self.slots) + inner
    }

    /// What the way of a key's hash through this page leads to, with the hashes beside the way to it, from the top. The page is at this
    /// depth. A branch leads on; the way ends at the key's leaf, at another's, or at nothing.
    pub(super) fn descend(&self, key: &Hash, depth: usize, beside: &mut Vec<Hash>) -> Slot {
        let mut draft = Draft::of(self);
        draft.dirty = u16::MAX;
        hash_drafts([&mut draft]);
        let target = SLOTS + slot_of(key, depth);
        for level in 0..4 {
            let below = slots_below(target >> (4 - level), level) & draft.occupied;
            if draft.collapsed(below).is_some() {
                return draft.first_slot(below);
            }
            beside.push(draft.nodes[(target >> (3 - level)) ^ 1]);
        }
        draft.slots[target - SLOTS]
    }

    /// The bytes that a store holds: which slots are occupied, which of them are leaves, and their hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.slots.len() * 64);
        bytes.extend_from_slice(&self.occupied.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        let mut leaves = 0u16;
        let places = (0..SLOTS).filter(|at| self.occupied & (1 << at) != 0);
        for (at, slot) in places.zip(&self.slots) {
            match slot {
                Slot::Empty => {}
                Slot::Leaf(leaf) => {
                    leaves |= 1 << at;
                    bytes.extend_from_slice(leaf.key.as_bytes());
                    bytes.extend_from_slice(leaf.value.as_bytes());
                }
                Slot::Branch(hash) => bytes.extend_from_slice(hash.as_bytes()),
            }
        }
        bytes[2..4].copy_from_slice(&leaves.to_le_bytes());
        bytes
    }

    /// The page of these bytes, stored at this path.
    ///
    /// # Errors
    /// If they are not a page's, or hold a leaf that does not belong there.
    pub fn from_bytes(path: &PagePath, bytes: &[u8]) -> Result<Page, StateError> {
        let damaged = |reason: &str| StateError::Damaged {
            place: format!("page {path:?} of the state tree"),
            reason: reason.into(),
        };
        let (occupied, rest) = bytes.split_first_chunk().ok_or_else(|| damaged("cut off"))?;
        let (leaves, mut rest) = rest.split_first_chunk().ok_or_else(|| damaged("cut off"))?;
        let (occupied, leaves) = (u16::from_le_bytes(*occupied), u16::from_le_bytes(*leaves));
        if leaves & !occupied != 0 {
            return Err(damaged("an empty slot is marked as a leaf"));
        }
        let mut draft = Draft::empty();
        let mut next = || {
            let (hash, after) = rest.split_first_chunk().ok_or_else(|| damaged("cut off"))?;
            rest = after;
            Ok(Hash(*hash))
        };
        for at in (0..SLOTS).filter(|at| occupied & (1 << at) != 0) {
            if leaves & (1 << at) == 0 {
                draft.set(at, Slot::Branch(next()?));
                continue;
            }
            let (key, value) = (next()?, next()?);
            if PagePath::of(&key, path.depth()) != *path || slot_of(&key, path.depth()) != at {
                return Err(damaged("a leaf lies in a wrong place"));
            }
            draft.set(at, Slot::Leaf(Leaf { key, value, hash: Hash::ZERO }));
        }
        if !rest.is_empty() {
            return Err(damaged("bytes are left over"));
        }
        hash_leaves(draft.slots.iter_mut());
        draft.dirty = u16::MAX;
        hash_drafts([&mut draft]);
        Ok(draft.finish())
    }
}

/// Hashes the leaves among these slots.
fn hash_leaves<'a>(slots: impl Iterator<Item = &'a mut Slot>) {
    let mut leaves: Vec<_> = slots
        .filter_map(|slot| match slot {
            Slot::Leaf(leaf) => Some(leaf),
            _ => None,
        })
        .collect();
    let mut jobs = lanes::Leaves::default();
    for leaf in &leaves {
        jobs.push(&leaf.key, &leaf.value);
    }
    for (leaf, hash) in leaves.iter_mut().zip(jobs.hash()) {
        leaf.hash = hash;
    }
}
