//! A key-value store, for the YCSB mixes: reads, updates, inserts, read-modify-writes and scans.
//!
//! Parallel: calls on different keys. Reads of one key run side by side; a scan conflicts with every write into the range
//! that it saw, absent keys included.
#![no_std]

use hanse_sdk::prelude::*;

/// Values by key, in the keys' order.
#[contract]
pub struct Kv {
    values: OrderedMap<String, Vec<u8>>,
}

/// Why the store refuses.
#[error]
pub enum Error {
    /// There is no such key.
    #[msg("there is no value under {key}")]
    Absent {
        /// The key.
        key: String,
    },
}

#[methods]
impl Kv {
    /// Writes a value, whether there is one or not.
    pub fn put(&mut self, key: String, value: Vec<u8>) {
        self.values.set(key, value);
    }

    /// The key's value.
    pub fn get(&self, key: String) -> Option<Vec<u8>> {
        self.values.find(key)
    }

    /// Reads a value, overwrites its beginning with `with`, and writes it back.
    pub fn read_modify_write(&mut self, key: String, with: Vec<u8>) -> Result<(), Error> {
        let Some(mut value) = self.values.find(&key) else { return Err(Error::Absent { key }) };
        for (old, new) in value.iter_mut().zip(with) {
            *old = new;
        }
        self.values.set(key, value);
        Ok(())
    }

    /// Removes a key; no error if there is none.
    pub fn remove(&mut self, key: String) {
        self.values.remove(key);
    }

    /// The entries from a key on, in order, at most `limit`.
    pub fn scan(&self, from: String, limit: u32) -> Vec<(String, Vec<u8>)> {
        self.values.range(from.., limit)
    }
}
