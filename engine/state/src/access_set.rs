//! What one transaction observed and did, in slots: the form in which access sets live while a block runs.

use hanse_types::{Delta, RangeRead, Value};
use smallvec::SmallVec;

/// What stands for a key within one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// As an index into arrays over all slots of the block.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whose value was seen, or who left a value: a transaction by its position, or the parent state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u32);

impl Seen {
    /// The parent state's value.
    pub const PARENT: Seen = Seen(u32::MAX);
    /// Nothing was looked at.
    pub const NOTHING: Seen = Seen(u32::MAX - 1);

    /// The value that the transaction at this position left.
    ///
    /// # Panics
    /// If the position is beyond any block's size.
    pub fn transaction(position: u32) -> Seen {
        assert!(position < Seen::NOTHING.0, "a block has fewer transactions");
        Seen(position)
    }

    /// The position, if it is a transaction's.
    pub fn position(self) -> Option<u32> {
        (self.0 < Seen::NOTHING.0).then_some(self.0)
    }

    /// As a number, for atomics.
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// From [`Seen::to_bits`].
    pub(crate) const fn from_bits(bits: u32) -> Seen {
        Seen(bits)
    }

    /// The later of two touchers.
    pub(crate) fn later(self, other: Seen) -> Seen {
        match (self.position(), other.position()) {
            (Some(left), Some(right)) => Seen(left.max(right)),
            (Some(_), None) => self,
            _ => other,
        }
    }
}

/// How a transaction touched a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read only.
    Read,
    /// Written; perhaps read before.
    Write,
    /// Added to, never read or written.
    Add,
}

/// One touched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Which key.
    pub slot: Slot,
    /// How.
    pub kind: Kind,
    /// Whose value was read, [`Seen::NOTHING`] if none was.
    pub seen: Seen,
    /// Whether the value that was read existed.
    pub present: bool,
}

impl Touch {
    /// Whether the key's value was observed.
    pub fn is_read(&self) -> bool {
        self.seen != Seen::NOTHING
    }
}

/// A delta of a key. A block holds one for nearly every transaction, so it is kept without the gaps that integers of 16
/// bytes make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAdd {
    slot: Slot,
    width: u8,
    amount: [u8; 16],
    min: [u8; 16],
    max: [u8; 16],
}

impl KeyAdd {
    /// This delta of this key.
    pub fn new(slot: Slot, delta: &Delta) -> KeyAdd {
        let Delta { amount, width, min, max } = *delta;
        KeyAdd { slot, width, amount: amount.to_ne_bytes(), min: min.to_ne_bytes(), max: max.to_ne_bytes() }
    }

    /// Which key.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What is added to it, within which bounds.
    pub fn delta(&self) -> Delta {
        let KeyAdd { width, amount, min, max, .. } = *self;
        Delta {
            amount: i128::from_ne_bytes(amount),
            width,
            min: u128::from_ne_bytes(min),
            max: u128::from_ne_bytes(max),
        }
    }
}

/// The access set of one transaction, every key once, in the order of first access.
///
/// A key that was added to lies in none of the transaction's own ranges: having scanned it, the add depends on its
/// value, and is recorded as a read and a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSet {
    /// Every touched key.
    pub touches: SmallVec<[Touch; 4]>,
    /// Scanned ranges.
    pub ranges: Vec<RangeRead>,
    /// New values (none: removed) of the keys touched by [`Kind::Write`], in the order of their touches.
    pub writes: SmallVec<[(Slot, Option<Value>); 2]>,
    /// Deltas of the keys touched by [`Kind::Add`], in the order of their touches.
    pub adds: SmallVec<[KeyAdd; 1]>,
}

impl AccessSet {
    /// Forgets everything, but not the room that it took.
    pub(crate) fn clear(&mut self) {
        self.touches.clear();
        self.ranges.clear();
        self.writes.clear();
        self.adds.clear();
    }

    /// The value that it left under a key, if it wrote it.
    pub fn written(&self, slot: Slot) -> Option<&Option<Value>> {
        self.writes.iter().find(|(other, _)| *other == slot).map(|(_, value)| value)
    }

    /// What it added to a key, if it only added to it.
    pub fn added(&self, slot: Slot) -> Option<Delta> {
        self.adds.iter().find(|add| add.slot == slot).map(KeyAdd::delta)
    }

    /// Whether another one touches the same keys in the same ways, in the same order.
    pub fn has_shape_of(&self, other: &AccessSet) -> bool {
        let shape =
            |set: &AccessSet| set.touches.iter().map(|touch| (touch.slot, touch.kind)).collect::<SmallVec<[_; 8]>>();
        self.ranges == other.ranges && shape(self) == shape(other)
    }
}
