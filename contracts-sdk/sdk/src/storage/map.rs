//! A value per key.

use core::borrow::Borrow;
use core::marker::PhantomData;

use super::number::{self, Number, OutOfBounds, Sign};
use super::{Storage, element_key};
use crate::data::Data;
use crate::{data, host};

/// A value per key. Calls that touch different keys run in parallel; it can't be listed (see
/// [`OrderedMap`](super::OrderedMap)).
///
/// A key of several parts is a tuple: `Map<(Address, Address), u128>`. Keys and values are taken owned or borrowed.
pub struct Map<K, V> {
    prefix: &'static [u8],
    types: PhantomData<(K, V)>,
}

impl<K: Data, V: Data> Storage for Map<K, V> {
    fn at(prefix: &'static [u8]) -> Self {
        Map { prefix, types: PhantomData }
    }
}

impl<K: Data, V: Data> Map<K, V> {
    /// The key's value, if it has one.
    pub fn find(&self, key: impl Borrow<K>) -> Option<V> {
        data::stored(&element_key(self.prefix, key.borrow()))
    }

    /// Whether the key has a value.
    pub fn contains(&self, key: impl Borrow<K>) -> bool {
        host::state_has(&element_key(self.prefix, key.borrow()))
    }

    /// Writes the key's value.
    pub fn set(&mut self, key: impl Borrow<K>, value: impl Borrow<V>) {
        host::state_set(&element_key(self.prefix, key.borrow()), &data::encode(value.borrow()));
    }

    /// Removes the key and its value.
    pub fn remove(&mut self, key: impl Borrow<K>) {
        host::state_remove(&element_key(self.prefix, key.borrow()));
    }
}

impl<K: Data, V: Data + Default> Map<K, V> {
    /// The key's value, or the type's default if it has none.
    pub fn get(&self, key: impl Borrow<K>) -> V {
        self.find(key).unwrap_or_default()
    }

    /// Reads the key's value, changes it, and writes it back.
    pub fn update(&mut self, key: impl Borrow<K>, change: impl FnOnce(&mut V)) {
        let mut value = self.get(key.borrow());
        change(&mut value);
        self.set(key, value);
    }
}

/// Additions do not read the value: any number of calls can add to one key in parallel.
impl<K: Data, N: Number> Map<K, N> {
    /// Adds to the key's number; ends the call with the status `out_of_bounds` if it would overflow.
    pub fn add(&mut self, key: impl Borrow<K>, amount: N) {
        number::expect_done(self.try_add(key, amount));
    }

    /// Subtracts from the key's number; ends the call with the status `out_of_bounds` if it would fall below zero.
    pub fn sub(&mut self, key: impl Borrow<K>, amount: N) {
        number::expect_done(self.try_sub(key, amount));
    }

    /// Adds to the key's number, unless it would overflow.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn try_add(&mut self, key: impl Borrow<K>, amount: N) -> Result<(), OutOfBounds> {
        number::change(&element_key(self.prefix, key.borrow()), Sign::Plus, amount.widen(), N::BYTES, None)
    }

    /// Subtracts from the key's number, unless it would fall below zero.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is changed.
    pub fn try_sub(&mut self, key: impl Borrow<K>, amount: N) -> Result<(), OutOfBounds> {
        number::change(&element_key(self.prefix, key.borrow()), Sign::Minus, amount.widen(), N::BYTES, None)
    }
}
