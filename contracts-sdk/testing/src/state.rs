//! The state of a world, with a journal to undo what failed.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Keys and values, and how each was before the changes that can still be undone.
#[derive(Default)]
pub(crate) struct State {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    journal: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl State {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.entries.get(key)
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = match value {
            Some(value) => self.entries.insert(key.clone(), value),
            None => self.entries.remove(&key),
        };
        self.journal.push((key, before));
    }

    /// Entries from `start` up to before `end`, in order.
    pub(crate) fn range(&self, start: &[u8], end: &[u8]) -> impl DoubleEndedIterator<Item = (&Vec<u8>, &Vec<u8>)> {
        // An empty range, which a map refuses to look for, is one that ends where it starts.
        let end = end.max(start);
        self.entries.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)))
    }

    /// Marks this point.
    pub(crate) fn savepoint(&self) -> usize {
        self.journal.len()
    }

    /// Undoes all changes since the point.
    pub(crate) fn rollback(&mut self, savepoint: usize) {
        for (key, before) in self.journal.drain(savepoint..).rev() {
            match before {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
    }

    /// Gives up undoing: what happened so far stays.
    pub(crate) fn commit(&mut self) {
        self.journal.clear();
    }
}

/// Adds to an unsigned little-endian integer; none if the result leaves the bounds or the width, or if the value is of
/// another width.
pub(crate) fn add(value: Option<&[u8]>, delta: i128, width: u32, bounds: Option<(u128, u128)>) -> Option<Vec<u8>> {
    let width = width as usize;
    let widest = if width >= 16 { u128::MAX } else { (1 << (8 * width)) - 1 };
    let (least, most) = bounds.unwrap_or((0, widest));
    let now = match value {
        None => 0,
        Some(bytes) if bytes.len() == width => number(bytes),
        Some(_) => return None,
    };
    let sum = now.checked_add_signed(delta)?;
    let fits = (least..=most.min(widest)).contains(&sum);
    fits.then(|| sum.to_le_bytes()[..width].to_vec())
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rollback_restores_and_commit_keeps() {
        let mut state = State::default();
        state.put(b"a".to_vec(), Some(vec![1]));
        state.commit();
        let point = state.savepoint();
        state.put(b"a".to_vec(), Some(vec![2]));
        state.put(b"a".to_vec(), None);
        state.put(b"b".to_vec(), Some(vec![3]));
        state.rollback(point);
        assert_eq!(state.get(b"a"), Some(&vec![1]));
        assert_eq!(state.get(b"b"), None);
    }

    #[test]
    fn additions_stay_in_width_and_bounds() {
        assert_eq!(add(None, 255, 1, None), Some(vec![255]));
        assert_eq!(add(Some(&[255]), 1, 1, None), None);
        assert_eq!(add(Some(&[1, 0]), -1, 2, None), Some(vec![0, 0]));
        assert_eq!(add(Some(&[1, 0]), -2, 2, None), None);
        assert_eq!(add(Some(&[5]), 1, 1, Some((0, 5))), None);
        assert_eq!(add(Some(&[5]), -1, 1, Some((5, 9))), None);
        assert_eq!(add(Some(&[5]), 1, 2, None), None, "another width");
        let most = u128::MAX.to_le_bytes();
        assert_eq!(add(Some(&most), 1, 16, None), None);
        assert_eq!(number(&add(Some(&most), -1, 16, None).unwrap()), u128::MAX - 1);
    }
}
