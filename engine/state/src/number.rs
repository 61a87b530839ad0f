//! Commutative adds: unsigned little-endian integers of 1, 2, 4, 8 or 16 bytes, where an absent key is zero.

use hanse_types::{Delta, Value};

/// Greatest integer of so many bytes.
pub const fn width_max(width: u8) -> u128 {
    if width >= 16 { u128::MAX } else { (1 << (8 * width as u32)) - 1 }
}

/// Whether integers of so many bytes can be added to.
pub const fn is_width(width: u8) -> bool {
    matches!(width, 1 | 2 | 4 | 8 | 16)
}

/// The integer that a value of so many bytes holds; none if the value has another length.
pub fn decode(value: Option<&Value>, width: u8) -> Option<u128> {
    let Some(value) = value else { return Some(0) };
    if value.len() != usize::from(width) {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..value.len()].copy_from_slice(value);
    Some(u128::from_le_bytes(bytes))
}

/// The value of so many bytes that holds this integer.
pub fn encode(number: u128, width: u8) -> Value {
    Value::new(&number.to_le_bytes()[..usize::from(width)])
}

/// Why a delta can't be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The result would leave the delta's bounds or the width.
    OutOfBounds,
    /// The value has another width, or the width is none.
    NotANumber,
}

/// The value after a delta.
///
/// # Errors
/// If the result would leave its bounds, or the value is not an integer of the delta's width.
pub fn apply(value: Option<&Value>, delta: &Delta) -> Result<Value, Refused> {
    if !is_width(delta.width) {
        return Err(Refused::NotANumber);
    }
    let number = decode(value, delta.width).ok_or(Refused::NotANumber)?;
    let sum = number.checked_add_signed(delta.amount).ok_or(Refused::OutOfBounds)?;
    if sum < delta.min || sum > delta.max.min(width_max(delta.width)) {
        return Err(Refused::OutOfBounds);
    }
    Ok(encode(sum, delta.width))
}

/// One delta for two that were applied one after the other by the same transaction, if that says the same: same width
/// and bounds, and no sign change, so that the sum reaches no further than its parts did.
pub fn merge(first: &Delta, second: &Delta) -> Option<Delta> {
    let same_shape = (first.width, first.min, first.max) == (second.width, second.min, second.max);
    let same_sign = (first.amount < 0) == (second.amount < 0);
    if !same_shape || !same_sign {
        return None;
    }
    Some(Delta { amount: first.amount.checked_add(second.amount)?, ..*first })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(amount: i128) -> Delta {
        Delta { amount, width: 8, min: 0, max: 100 }
    }

    #[test]
    fn bounds_and_widths_are_kept() {
        assert_eq!(apply(None, &delta(7)), Ok(encode(7, 8)));
        assert_eq!(apply(Some(&encode(7, 8)), &delta(-7)), Ok(encode(0, 8)));
        assert_eq!(apply(Some(&encode(7, 8)), &delta(-8)), Err(Refused::OutOfBounds));
        assert_eq!(apply(Some(&encode(7, 8)), &delta(94)), Err(Refused::OutOfBounds));
        assert_eq!(apply(Some(&encode(7, 4)), &delta(1)), Err(Refused::NotANumber));
        let byte = Delta { amount: 255, width: 1, min: 0, max: u128::MAX };
        assert_eq!(apply(None, &byte), Ok(encode(255, 1)));
        assert_eq!(apply(Some(&encode(1, 1)), &byte), Err(Refused::OutOfBounds));
    }

    #[test]
    fn only_deltas_that_reach_no_further_merge() {
        assert_eq!(merge(&delta(1), &delta(2)), Some(delta(3)));
        assert_eq!(merge(&delta(1), &delta(-2)), None);
        assert_eq!(merge(&delta(i128::MAX), &delta(1)), None);
        assert_eq!(merge(&delta(1), &Delta { max: 5, ..delta(1) }), None);
    }
}
