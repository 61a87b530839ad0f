//! Groups of adds: when they commute.

use hanse_state::number;
use hanse_types::{Delta, Value};

/// The adds of a key between two writes.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The value before; none if it is not known.
    base: Option<Option<Value>>,
    /// Of the first add; none before it.
    width: Option<u8>,
    /// Widths differ, or a sum is beyond any integer.
    broken: bool,
    decrease: u128,
    increase: u128,
    min: u128,
    max: u128,
}

impl Group {
    /// A group of no adds yet.
    pub(super) fn new(base: Option<Option<Value>>) -> Group {
        Group { base, ..Group::default() }
    }

    /// One more add.
    pub(super) fn include(&mut self, delta: &Delta) {
        match self.width {
            None => {
                self.width = Some(delta.width);
                (self.min, self.max) = (delta.min, delta.max.min(number::width_max(delta.width)));
            }
            Some(width) => {
                self.broken |= width != delta.width;
                self.min = self.min.max(delta.min);
                self.max = self.max.min(delta.max);
            }
        }
        let amount = delta.amount.unsigned_abs();
        let sum = if delta.amount < 0 { &mut self.decrease } else { &mut self.increase };
        match sum.checked_add(amount) {
            Some(more) => *sum = more,
            None => self.broken = true,
        }
    }

    /// Whether every subset of the adds leaves the key within the bounds of each.
    pub(super) fn commutes(&self) -> bool {
        let (Some(base), Some(width)) = (&self.base, self.width) else { return false };
        let Some(base) = number::decode(base.as_ref(), width) else { return false };
        let low = base.checked_sub(self.decrease);
        let high = base.checked_add(self.increase);
        !self.broken && low.is_some_and(|low| low >= self.min) && high.is_some_and(|high| high <= self.max)
    }
}
