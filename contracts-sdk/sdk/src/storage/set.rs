//! Which keys are in.

use core::borrow::Borrow;
use core::marker::PhantomData;

use super::{Storage, element_key};
use crate::data::Data;
use crate::host;

/// A set of keys. Calls that touch different keys run in parallel; it can't be listed.
pub struct Set<K> {
    prefix: &'static [u8],
    key: PhantomData<K>,
}

impl<K: Data> Storage for Set<K> {
    fn at(prefix: &'static [u8]) -> Self {
        Set { prefix, key: PhantomData }
    }
}

impl<K: Data> Set<K> {
    /// Whether the key is in the set.
    pub fn contains(&self, key: impl Borrow<K>) -> bool {
        host::state_has(&element_key(self.prefix, key.borrow()))
    }

    /// Puts the key in. No error if it is in already, which is not read.
    pub fn insert(&mut self, key: impl Borrow<K>) {
        host::state_set(&element_key(self.prefix, key.borrow()), &[]);
    }

    /// Takes the key out. No error if it is not in, which is not read.
    pub fn remove(&mut self, key: impl Borrow<K>) {
        host::state_remove(&element_key(self.prefix, key.borrow()));
    }
}
