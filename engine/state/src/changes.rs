//! What a block does to the state, and that block's state as a view over its parent.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use hanse_types::Value;

use crate::view::{Entry, StateError, StateView};

/// Keys with their new values (none: removed), in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    entries: Vec<(Arc<[u8]>, Option<Value>)>,
}

impl ChangeSet {
    /// A change set of these entries, no key twice, in any order.
    pub fn from_unsorted(mut entries: Vec<(Arc<[u8]>, Option<Value>)>) -> ChangeSet {
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        ChangeSet { entries }
    }

    /// The change of a key: none if it is not changed, `Some(None)` if it is removed.
    pub fn get(&self, key: &[u8]) -> Option<Option<&Value>> {
        let at = self.entries.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(self.entries[at].1.as_ref())
    }

    /// All changes in the order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], Option<&Value>)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (&key[..], value.as_ref()))
    }

    /// Changes with `start <= key < end`.
    pub fn range(&self, start: &[u8], end: &[u8]) -> &[(Arc<[u8]>, Option<Value>)] {
        let from = self.entries.partition_point(|(key, _)| key[..] < *start);
        let to = self.entries.partition_point(|(key, _)| key[..] < *end);
        &self.entries[from..to.max(from)]
    }

    /// Number of changed keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The state after a block that is not durable yet: its changes over its parent's state.
pub struct Overlay {
    changes: Arc<ChangeSet>,
    parent: Arc<dyn StateView>,
}

impl Overlay {
    /// The state after `changes`.
    pub fn new(changes: Arc<ChangeSet>, parent: Arc<dyn StateView>) -> Overlay {
        Overlay { changes, parent }
    }
}

impl StateView for Overlay {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        match self.changes.get(key) {
            Some(value) => Ok(value.cloned()),
            None => self.parent.get(key),
        }
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        let changed = self.changes.range(start, end);
        let own = changed.iter().map(|(key, value)| (key.to_vec(), value.clone())).collect();
        merge_range(&*self.parent, own, start, end, limit, reverse)
    }
}

/// Entries of a range of `parent` under `changes`, which hold every changed key of the range (none: removed).
///
/// The parent may hold keys that the changes remove, so it is asked for as many more.
pub(crate) fn merge_range(
    parent: &dyn StateView,
    changes: BTreeMap<Vec<u8>, Option<Value>>,
    start: &[u8],
    end: &[u8],
    limit: usize,
    reverse: bool,
) -> Result<Vec<Entry>, StateError> {
    let below = parent.range(start, end, limit.saturating_add(changes.len()), reverse)?;
    if changes.is_empty() {
        return Ok(below);
    }
    let mut above: Vec<_> = changes.into_iter().collect();
    if reverse {
        above.reverse();
    }
    let before = |left: &[u8], right: &[u8]| if reverse { right.cmp(left) } else { left.cmp(right) };

    let mut merged = Vec::with_capacity(limit.min(below.len() + above.len()));
    let (mut below, mut above) = (below.into_iter().peekable(), above.into_iter().peekable());
    while merged.len() < limit {
        let order = match (below.peek(), above.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => before(left, right),
        };
        let next = match order {
            Ordering::Less => below.next(),
            Ordering::Greater => above.next().and_then(|(key, value)| Some((key, value?))),
            Ordering::Equal => {
                below.next();
                above.next().and_then(|(key, value)| Some((key, value?)))
            }
        };
        merged.extend(next);
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::view::MemoryView;

    fn value(text: &str) -> Value {
        Value::new(text.as_bytes())
    }

    fn overlay() -> Overlay {
        let parent: MemoryView =
            ["a", "b", "c", "d"].map(|key| (key.as_bytes().to_vec(), value(key))).into_iter().collect();
        let changes = [("b", None), ("c", Some("C")), ("e", Some("E"))];
        let changes = changes.map(|(key, new)| (key.as_bytes().into(), new.map(value))).to_vec();
        Overlay::new(Arc::new(ChangeSet::from_unsorted(changes)), Arc::new(parent))
    }

    fn keys(entries: Vec<Entry>) -> String {
        entries.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
    }

    #[test]
    fn changes_hide_what_lies_below() {
        let overlay = overlay();
        assert_eq!(overlay.get(b"a").unwrap(), Some(value("a")));
        assert_eq!(overlay.get(b"b").unwrap(), None);
        assert_eq!(overlay.get(b"c").unwrap(), Some(value("C")));
    }

    #[test]
    fn ranges_merge_in_both_directions_up_to_the_limit() {
        let overlay = overlay();
        assert_eq!(keys(overlay.range(b"a", b"z", 10, false).unwrap()), "acde");
        assert_eq!(keys(overlay.range(b"a", b"z", 2, false).unwrap()), "ac");
        assert_eq!(keys(overlay.range(b"a", b"z", 3, true).unwrap()), "edc");
        assert_eq!(keys(overlay.range(b"b", b"d", 10, false).unwrap()), "c");
        assert_eq!(keys(overlay.range(b"d", b"b", 10, false).unwrap()), "");
    }
}
