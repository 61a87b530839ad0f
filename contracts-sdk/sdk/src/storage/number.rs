//! Numbers that many calls can add to without conflict.

use crate::data::Data;
use crate::host;

/// An unsigned integer that the host can add to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number that the host can add to without reading it",
    note = "use u8, u16, u32, u64 or u128"
)]
pub trait Number: Data + Copy + Default {
    /// Its size in bytes.
    const BYTES: u32;

    /// The number in the widest type.
    fn widen(self) -> u128;
}

macro_rules! number {
    ($($type:ty),*) => { $(
        impl Number for $type {
            const BYTES: u32 = size_of::<$type>() as u32;

            fn widen(self) -> u128 {
                self as u128
            }
        }
    )* };
}
number!(u8, u16, u32, u64, u128);

/// An addition was not made: the result would have left the bounds, or the range of the number's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds;

/// In which direction.
#[derive(Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// Adds without reading. An amount beyond half of `u128` fits no signed delta and counts as out of bounds.
pub(super) fn change(
    key: &[u8],
    sign: Sign,
    amount: u128,
    width: u32,
    bounds: Option<(u128, u128)>,
) -> Result<(), OutOfBounds> {
    let amount = i128::try_from(amount).map_err(|_| OutOfBounds)?;
    let delta = match sign {
        Sign::Plus => amount,
        Sign::Minus => -amount,
    };
    match host::state_add(key, delta, width, bounds) {
        true => Ok(()),
        false => Err(OutOfBounds),
    }
}

/// Ends the call if an addition was not made.
pub(super) fn expect_done(result: Result<(), OutOfBounds>) {
    if result.is_err() {
        host::revert(hanse_abi::host::OUT_OF_BOUNDS_CODE, &[]);
    }
}
