//! Rows with a primary key.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::ops::RangeBounds;

use super::{OrderedKey, OrderedMap, Storage};
use crate::data::{Data, Encoded};

/// A row of a [`Table`]: a `#[data]` struct one of whose fields is marked `#[key]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of a table",
    note = "write `#[data]` above the struct, and `#[key]` above the field that is its primary key"
)]
pub trait Row: Data {
    /// The primary key's type.
    type Key: OrderedKey;

    /// The primary key.
    fn key(&self) -> &Self::Key;
}

/// Rows, each under its primary key, in its order. Inserting and updating are different things: a row that is already
/// there is not overwritten by mistake.
pub struct Table<R: Row> {
    rows: OrderedMap<R::Key, R>,
}

impl<R: Row> Storage for Table<R> {
    fn at(prefix: &'static [u8]) -> Self {
        Table { rows: OrderedMap::at(prefix) }
    }
}

impl<R: Row> Table<R> {
    /// The row with this key.
    pub fn find(&self, key: impl Borrow<R::Key>) -> Option<R> {
        self.rows.find(key)
    }

    /// Whether there is a row with this key.
    pub fn contains(&self, key: impl Borrow<R::Key>) -> bool {
        self.rows.contains(key)
    }

    /// Adds a row; `false`, and nothing changed, if there is one with its key.
    #[must_use = "false means that the row was not added"]
    pub fn insert(&mut self, row: impl Borrow<R>) -> bool {
        let row = row.borrow();
        let is_new = !self.rows.contains(row.key());
        if is_new {
            self.rows.set(row.key(), row);
        }
        is_new
    }

    /// Writes a row, whether there is one with its key or not, which is not read.
    pub fn put(&mut self, row: impl Borrow<R>) {
        let row = row.borrow();
        self.rows.set(row.key(), row);
    }

    /// Changes the row with this key; `false` if there is none. The change can move the row to another key, unless
    /// another row is there, in which case nothing is changed and the answer is `false` too.
    #[must_use = "false means that there was no such row"]
    pub fn update(&mut self, key: impl Borrow<R::Key>, change: impl FnOnce(&mut R)) -> bool {
        let Some(mut row) = self.find(key.borrow()) else { return false };
        change(&mut row);
        if !same(row.key(), key.borrow()) {
            if self.rows.contains(row.key()) {
                return false;
            }
            self.rows.remove(key);
        }
        self.rows.set(row.key(), &row);
        true
    }

    /// Removes the row with this key; `false` if there is none.
    pub fn delete(&mut self, key: impl Borrow<R::Key>) -> bool {
        let exists = self.rows.contains(key.borrow());
        if exists {
            self.rows.remove(key);
        }
        exists
    }

    /// The first rows of a range of keys, at most `limit`, in order.
    pub fn range(&self, range: impl RangeBounds<R::Key>, limit: u32) -> Vec<R> {
        self.rows.range(range, limit).into_iter().map(|(_, row)| row).collect()
    }

    /// Those among the first `limit` rows of a range that meet a condition.
    pub fn select(&self, range: impl RangeBounds<R::Key>, limit: u32, condition: impl Fn(&R) -> bool) -> Vec<R> {
        self.rows.range(range, limit).into_iter().map(|(_, row)| row).filter(condition).collect()
    }
}

fn same<K: OrderedKey>(a: &K, b: &K) -> bool {
    let (mut left, mut right) = (Encoded::new(), Encoded::new());
    a.append_to(&mut left);
    b.append_to(&mut right);
    *left == *right
}
