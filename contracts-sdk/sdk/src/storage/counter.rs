//! One number that many calls add to.

use core::marker::PhantomData;

use super::Storage;
use super::number::{self, Number, OutOfBounds, Sign};
use crate::{data, host};

/// One number that any number of calls can add to and subtract from in parallel.
///
/// An addition does not read the number, so it conflicts only with calls that do read it, or set it. The result never
/// leaves the type's range, nor the bounds where some are given. Absent is zero.
pub struct Counter<N> {
    key: &'static [u8],
    number: PhantomData<N>,
}

impl<N: Number> Storage for Counter<N> {
    fn at(prefix: &'static [u8]) -> Self {
        Counter { key: prefix, number: PhantomData }
    }
}

impl<N: Number> Counter<N> {
    /// The number. Conflicts with every addition.
    pub fn get(&self) -> N {
        data::stored(self.key).unwrap_or_default()
    }

    /// Writes the number. Conflicts with every addition.
    pub fn set(&mut self, number: N) {
        host::state_set(self.key, &data::encode(&number));
    }

    /// Adds; ends the call with the status `out_of_bounds` if the number would overflow.
    pub fn add(&mut self, amount: N) {
        number::expect_done(self.try_add(amount));
    }

    /// Subtracts; ends the call with the status `out_of_bounds` if the number would fall below zero.
    pub fn sub(&mut self, amount: N) {
        number::expect_done(self.try_sub(amount));
    }

    /// Adds, unless the number would overflow.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn try_add(&mut self, amount: N) -> Result<(), OutOfBounds> {
        number::change(self.key, Sign::Plus, amount.widen(), N::BYTES, None)
    }

    /// Subtracts, unless the number would fall below zero.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn try_sub(&mut self, amount: N) -> Result<(), OutOfBounds> {
        number::change(self.key, Sign::Minus, amount.widen(), N::BYTES, None)
    }

    /// Adds, unless the number would be more than `most`.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn add_up_to(&mut self, amount: N, most: N) -> Result<(), OutOfBounds> {
        number::change(self.key, Sign::Plus, amount.widen(), N::BYTES, Some((0, most.widen())))
    }

    /// Subtracts, unless the number would be less than `least`.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn sub_down_to(&mut self, amount: N, least: N) -> Result<(), OutOfBounds> {
        number::change(self.key, Sign::Minus, amount.widen(), N::BYTES, Some((least.widen(), u128::MAX)))
    }
}
