//! One value.

use core::borrow::Borrow;
use core::marker::PhantomData;

use super::Storage;
use crate::data::Data;
use crate::{data, host};

/// One value, which may be absent. Every call that writes it conflicts with every other that touches it.
pub struct Item<T> {
    key: &'static [u8],
    value: PhantomData<T>,
}

impl<T: Data> Storage for Item<T> {
    fn at(prefix: &'static [u8]) -> Self {
        Item { key: prefix, value: PhantomData }
    }
}

impl<T: Data> Item<T> {
    /// The value, if there is one.
    pub fn find(&self) -> Option<T> {
        data::stored(self.key)
    }

    /// Whether there is a value.
    pub fn exists(&self) -> bool {
        host::state_has(self.key)
    }

    /// Writes the value.
    pub fn set(&mut self, value: impl Borrow<T>) {
        host::state_set(self.key, &data::encode(value.borrow()));
    }

    /// Removes the value.
    pub fn remove(&mut self) {
        host::state_remove(self.key);
    }
}

impl<T: Data + Default> Item<T> {
    /// The value, or the type's default if there is none.
    pub fn get(&self) -> T {
        self.find().unwrap_or_default()
    }

    /// Reads the value, changes it, and writes it back.
    pub fn update(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = self.get();
        change(&mut value);
        self.set(value);
    }
}
