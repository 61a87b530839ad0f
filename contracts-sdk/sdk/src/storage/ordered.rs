//! A value per key, in the order of keys.

mod key;

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::marker::PhantomData;
use core::ops::{Bound, RangeBounds};

pub use key::OrderedKey;

use super::Storage;
use crate::data::{Data, Encoded};
use crate::{data, host};

/// A value per key, in the order of keys, so that ranges can be read.
///
/// A scan observes its whole range, also the keys that are not there: it conflicts with every write, insertion and
/// removal in it. Give it a tight range and limit.
pub struct OrderedMap<K, V> {
    prefix: &'static [u8],
    types: PhantomData<(K, V)>,
}

impl<K: OrderedKey, V: Data> Storage for OrderedMap<K, V> {
    fn at(prefix: &'static [u8]) -> Self {
        OrderedMap { prefix, types: PhantomData }
    }
}

impl<K: OrderedKey, V: Data> OrderedMap<K, V> {
    /// The key's value, if it has one.
    pub fn find(&self, key: impl Borrow<K>) -> Option<V> {
        data::stored(&self.place(key.borrow()))
    }

    /// Whether the key has a value.
    pub fn contains(&self, key: impl Borrow<K>) -> bool {
        host::state_has(&self.place(key.borrow()))
    }

    /// Writes the key's value.
    pub fn set(&mut self, key: impl Borrow<K>, value: impl Borrow<V>) {
        host::state_set(&self.place(key.borrow()), &data::encode(value.borrow()));
    }

    /// Removes the key and its value.
    pub fn remove(&mut self, key: impl Borrow<K>) {
        host::state_remove(&self.place(key.borrow()));
    }

    /// The first entries of a range, at most `limit`, in order.
    pub fn range(&self, range: impl RangeBounds<K>, limit: u32) -> Vec<(K, V)> {
        self.scan(range, limit, 0)
    }

    /// The last entries of a range, at most `limit`, from the end backwards.
    pub fn range_back(&self, range: impl RangeBounds<K>, limit: u32) -> Vec<(K, V)> {
        self.scan(range, limit, hanse_abi::host::SCAN_REVERSE)
    }

    /// The entry with the least key.
    pub fn first(&self) -> Option<(K, V)> {
        self.range(.., 1).pop()
    }

    /// The entry with the greatest key.
    pub fn last(&self) -> Option<(K, V)> {
        self.range_back(.., 1).pop()
    }

    fn place(&self, key: &K) -> Encoded {
        let mut bytes = self.start();
        key.append_to(&mut bytes);
        bytes
    }

    fn scan(&self, range: impl RangeBounds<K>, limit: u32, flags: i32) -> Vec<(K, V)> {
        let start = match range.start_bound() {
            Bound::Included(key) => self.place(key),
            Bound::Excluded(key) => after(self.place(key)),
            Bound::Unbounded => self.start(),
        };
        let end = match range.end_bound() {
            Bound::Included(key) => after(self.place(key)),
            Bound::Excluded(key) => self.place(key),
            Bound::Unbounded => self.end(),
        };
        if *start >= *end {
            return Vec::new();
        }
        let entries = host::state_scan(&start, &end, limit, flags);
        entries.iter().map(|(key, value)| (self.key_of(key), data::decode_stored(value))).collect()
    }

    /// What all keys of this field start with.
    fn start(&self) -> Encoded {
        let mut bytes = Encoded::new();
        bytes.append(self.prefix);
        bytes
    }

    /// The first key after all of this field's: the prefix ends in a zero byte, the end in a one.
    fn end(&self) -> Encoded {
        let mut end = Encoded::new();
        let (_, name) = self.prefix.split_last().unwrap_or((&0, &[]));
        end.append(name);
        end.push(1);
        end
    }

    fn key_of(&self, place: &[u8]) -> K {
        let mut rest = place.get(self.prefix.len()..).unwrap_or_default();
        match K::take_from(&mut rest) {
            Some(key) if rest.is_empty() => key,
            _ => host::panic("a stored key is not of its field's type: was the type changed without a migration?"),
        }
    }
}

impl<K: OrderedKey, V: Data + Default> OrderedMap<K, V> {
    /// The key's value, or the type's default if it has none.
    pub fn get(&self, key: impl Borrow<K>) -> V {
        self.find(key).unwrap_or_default()
    }
}

/// The first byte string after this one. No ordered key is the beginning of another, so nothing lies between.
fn after(mut place: Encoded) -> Encoded {
    place.push(0);
    place
}
