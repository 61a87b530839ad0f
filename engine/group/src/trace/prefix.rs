//! The state in the middle of a block: that of the block before, under what the block's first transactions did.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use hanse_state::{ChangeSet, Entry, Overlay, StateError, StateView, number};
use hanse_types::{Delta, RwSet, Value};

/// See the module. Numbers that were added to are looked up below when they are asked for, not before: a block may add to
/// many, and the state below may be slow to read.
pub(super) struct Prefix {
    below: Arc<dyn StateView>,
    changed: BTreeMap<Vec<u8>, Changed>,
}

/// What was done to a key.
#[derive(Default)]
struct Changed {
    /// What was written last, if anything was.
    written: Option<Option<Value>>,
    /// What was added after that.
    added: Vec<Delta>,
}

impl Prefix {
    /// Under what transactions did that have these access sets, in their order.
    pub(super) fn new(below: Arc<dyn StateView>, sets: Vec<RwSet>) -> Prefix {
        let mut changed: BTreeMap<Vec<u8>, Changed> = BTreeMap::new();
        for set in sets {
            for write in set.writes {
                changed.insert(write.key, Changed { written: Some(write.value), added: Vec::new() });
            }
            for add in set.adds {
                changed.entry(add.key).or_default().added.push(add.delta);
            }
        }
        Prefix { below, changed }
    }

    fn value(&self, key: &[u8], changed: &Changed) -> Result<Option<Value>, StateError> {
        let mut value = match &changed.written {
            Some(written) => written.clone(),
            None => self.below.get(key)?,
        };
        for delta in &changed.added {
            // It fitted when the block was run.
            let damaged = |_| StateError::Damaged {
                place: "the access sets of a block".to_owned(),
                reason: "an add does not fit the number that it is for".to_owned(),
            };
            value = Some(number::apply(value.as_ref(), delta).map_err(damaged)?);
        }
        Ok(value)
    }
}

impl StateView for Prefix {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        match self.changed.get(key) {
            Some(changed) => self.value(key, changed),
            None => self.below.get(key),
        }
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        if start >= end {
            return Ok(Vec::new());
        }
        let inside = self.changed.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        let values = inside.map(|(key, changed)| Ok((key.as_slice().into(), self.value(key, changed)?)));
        let changes = ChangeSet::from_unsorted(values.collect::<Result<_, StateError>>()?);
        Overlay::new(Arc::new(changes), self.below.clone()).range(start, end, limit, reverse)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_state::MemoryView;
    use hanse_types::{Add, Write};

    fn write(key: &[u8], value: Option<&[u8]>) -> Write {
        Write { key: key.to_vec(), value: value.map(Value::new) }
    }

    fn add(key: &[u8], amount: i128) -> Add {
        Add { key: key.to_vec(), delta: Delta { amount, width: 1, min: 0, max: 255 } }
    }

    #[test]
    fn later_transactions_cover_earlier_ones() {
        let below = ChangeSet::from_unsorted(vec![
            (b"a"[..].into(), Some(Value::new(&[1]))),
            (b"b"[..].into(), Some(Value::new(&[2]))),
            (b"d"[..].into(), Some(Value::new(&[4]))),
        ]);
        let below = Overlay::new(Arc::new(below), Arc::new(MemoryView::default()));
        let sets = vec![
            RwSet { adds: vec![add(b"a", 5), add(b"c", 3)], ..RwSet::default() },
            RwSet { writes: vec![write(b"b", None), write(b"c", Some(&[9]))], ..RwSet::default() },
            RwSet { adds: vec![add(b"c", -2), add(b"a", 1)], ..RwSet::default() },
        ];
        let prefix = Prefix::new(Arc::new(below), sets);
        let get = |key: &[u8]| prefix.get(key).unwrap().map(|value| value.to_vec());
        assert_eq!(
            [&b"a"[..], b"b", b"c", b"d", b"e"].map(get),
            [Some(vec![7]), None, Some(vec![7]), Some(vec![4]), None]
        );
        let keys = |reverse, limit| {
            let found = prefix.range(b"a", b"z", limit, reverse).unwrap();
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(keys(false, 10), [b"a", b"c", b"d"]);
        assert_eq!(keys(true, 2), [b"d", b"c"]);
        assert!(prefix.range(b"z", b"a", 10, false).unwrap().is_empty());
    }

    #[test]
    fn an_add_that_does_not_fit_is_damage() {
        let sets = vec![RwSet { adds: vec![add(b"a", -1)], ..RwSet::default() }];
        let prefix = Prefix::new(Arc::new(MemoryView::default()), sets);
        assert!(matches!(prefix.get(b"a"), Err(StateError::Damaged { .. })));
    }
}
