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
    /// Which slots are not empty.
    occupied: u16,
    /// Which of them are to be hashed again.
    dirty: u16,
    /// The slots that are not empty.
    slots: Vec<Slot>,
    /// The inner nodes in the order of a heap; 1 is the topmost.
    nodes: Box<[Hash; SLOTS]>,
}

impl Draft {
    /// A page without slots.
    pub(super) fn empty() -> Draft {
        Draft { occupied: 0, dirty: 0, slots: Vec::new(), nodes: Box::new([Hash::ZERO; SLOTS]) }
    }

    /// A draft to change a page.
    pub(super) fn of(page: &Page) -> Draft {
        let dirty = if page.inner.is_some() { 0 } else { u16::MAX };
        let nodes = page.inner.clone().unwrap_or_else(|| Box::new([Hash::ZERO; SLOTS]));
        Draft { occupied: page.occupied, dirty, slots: page.slots.to_vec(), nodes }
    }

    /// A slot.
    pub(super) fn slot(&self, at: usize) -> Slot {
        if self.occupied & (1 << at) == 0 { Slot::Empty } else { self.slots[self.rank(at)] }
    }

    /// Hash of the topmost node, which must be hashed.
    pub(super) fn hash(&self) -> Hash {
        self.nodes[1]
    }

    /// Replaces a slot, and says whether that changed it.
    pub(super) fn set(&mut self, at: usize, slot: Slot) -> bool {
        let (rank, bit) = (self.rank(at), 1 << at);
        let present = self.occupied & bit != 0;
        match (present, slot) {
            (false, Slot::Empty) => return false,
            (false, slot) => self.slots.insert(rank, slot),
            (true, Slot::Empty) => drop(self.slots.remove(rank)),
            (true, slot) if self.slots[rank] == slot => return false,
            (true, slot) => self.slots[rank] = slot,
        }
        self.dirty |= bit;
        self.occupied = if slot == Slot::Empty { self.occupied & !bit } else { self.occupied | bit };
        true
    }

    /// What stands in the place of a node above these slots if it is no node of its own: nothing, if all are empty, or
    /// the only leaf.
    pub(super) fn collapsed(&self, below: u16) -> Option<Slot> {
        let occupied = self.occupied & below;
        if occupied == 0 {
            return Some(Slot::Empty);
        }
        let first = &self.slots[self.rank(occupied.trailing_zeros() as usize)];
        (occupied.is_power_of_two() && matches!(first, Slot::Leaf(_))).then_some(*first)
    }

    /// The page. The nodes must be hashed.
    pub(super) fn finish(self) -> Page {
        let hash = self.hash();
        let inner = (self.slots.len() > KEEP_INNER_ABOVE).then_some(self.nodes);
        Page { occupied: self.occupied, slots: self.slots.into_boxed_slice(), hash, inner }
    }

    /// How many occupied slots come before this one.
    fn rank(&self, at: usize) -> usize {
        (self.occupied & ((1 << at) - 1)).count_ones() as usize
    }

    /// The hash of a node of the heap, whose last 16 places are the slots.
    fn node(&self, at: usize) -> Hash {
        match at.checked_sub(SLOTS) {
            None => self.nodes[at],
            Some(slot) if self.occupied & (1 << slot) == 0 => Hash::ZERO,
            Some(slot) => self.slots[self.rank(slot)].hash(),
        }
    }
}

/// Hashes the changed nodes of many drafts, level by level, many at a time.
pub(super) fn hash_drafts<'a>(drafts: impl IntoIterator<Item = &'a mut Draft>) {
    let mut drafts: Vec<_> = drafts.into_iter().collect();
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
                        jobs.push(&draft.node(2 * node), &draft.node(2 * node + 1));
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
        hash_drafts([&mut draft]);
        let target = SLOTS + slot_of(key, depth);
        for level in 0..4 {
            if let Some(end) = draft.collapsed(slots_below(target >> (4 - level), level)) {
                return end;
            }
            beside.push(draft.node((target >> (3 - level)) ^ 1));
        }
        draft.slot(target - SLOTS)
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
