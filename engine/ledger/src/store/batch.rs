//! Writes that take effect together.

use super::Table;

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Writes a value.
    Put {
        /// Where.
        table: Table,
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Removes a key.
    Remove {
        /// Where.
        table: Table,
        /// The key.
        key: &'a [u8],
    },
    /// Removes all keys of a range.
    RemoveRange {
        /// Where.
        table: Table,
        /// First key.
        start: &'a [u8],
        /// First key after the range.
        end: &'a [u8],
    },
}

/// Writes in their order. Keys and values lie in one buffer, so that a batch of many small ones is cheap to make.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

/// An operation whose first part ends at `middle` and whose second ends at `end`; the first starts where the entry
/// before ended.
#[derive(Clone, Copy, Debug)]
struct Entry {
    table: Table,
    kind: Kind,
    middle: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Put,
    Remove,
    RemoveRange,
}

impl Batch {
    /// Writes a value.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, Kind::Put, key, value);
    }

    /// Removes a key.
    pub fn remove(&mut self, table: Table, key: &[u8]) {
        self.push(table, Kind::Remove, key, &[]);
    }

    /// Removes all keys with `start <= key < end`.
    pub fn remove_range(&mut self, table: Table, start: &[u8], end: &[u8]) {
        self.push(table, Kind::RemoveRange, start, end);
    }

    /// Adds all operations of another batch.
    pub fn append(&mut self, other: &Batch) {
        let shift = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        let shifted = |entry: &Entry| Entry { middle: entry.middle + shift, end: entry.end + shift, ..*entry };
        self.entries.extend(other.entries.iter().map(shifted));
    }

    /// The operations in their order.
    pub fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let (first, second) = (&self.bytes[start..entry.middle], &self.bytes[entry.middle..entry.end]);
            start = entry.end;
            let table = entry.table;
            match entry.kind {
                Kind::Put => Operation::Put { table, key: first, value: second },
                Kind::Remove => Operation::Remove { table, key: first },
                Kind::RemoveRange => Operation::RemoveRange { table, start: first, end: second },
            }
        })
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, table: Table, kind: Kind, first: &[u8], second: &[u8]) {
        self.bytes.extend_from_slice(first);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(second);
        self.entries.push(Entry { table, kind, middle, end: self.bytes.len() });
    }
}
