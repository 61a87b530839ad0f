//! A counter that shows commutative additions.
//!
//! Parallel: fully. [`Counter::add`] adds without reading, so any number of calls run side by side, though all change
//! the same key. Only [`Counter::get`] within a transaction would wait for them.
#![no_std]

use hanse_sdk::prelude::*;
use hanse_sdk::storage;

/// A number that only grows.
#[contract]
pub struct Counter {
    count: storage::Counter<u64>,
}

#[methods]
impl Counter {
    /// Adds to the count.
    pub fn add(&mut self, by: u64) {
        self.count.add(by);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.count.get()
    }
}
