//! What a block does to the state, by the access sets of its transactions: without running any of them.
//!
//! An access set holds every value that its transaction wrote, and what it added where. Applied one after the other in the
//! order of the block, they leave what running the block left, so that whoever trusts them (or compares the state's root with
//! one that it trusts) need not run it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::{Add, RwSet, TxIndex, Value, Write};
use rayon::prelude::*;
use thiserror::Error;

use crate::changes::ChangeSet;
use crate::number;
use crate::view::{StateError, StateView};

/// Keys that one thread looks up at a time.
const RUN: usize = 64;

/// Why access sets can't be applied to a state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EffectError {
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// An add does not fit the value that it finds: the access sets are not those of this state's next block.
    #[error("access set {index} adds to a key what does not fit its value")]
    Refused {
        /// Whose access set.
        index: TxIndex,
    },
}

/// A key's value before the block, and as it is now.
struct Cell {
    parent: Option<Value>,
    current: Option<Value>,
}

/// What these access sets, in block order, do to the state `parent`: every key whose value is another afterwards. Uses the
/// rayon pool in which it is called.
///
/// # Errors
/// If the state can't be read, or the access sets are of another state.
pub fn changes(parent: &dyn StateView, rw_sets: &[RwSet]) -> Result<ChangeSet, EffectError> {
    let keys = touched(rw_sets);
    let mut cells = load(parent, &keys)?;
    let places: HashMap<&[u8], usize, RandomState> = keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    for (index, RwSet { writes, adds, .. }) in rw_sets.iter().enumerate() {
        for Write { key, value } in writes {
            cells[places[&key[..]]].current.clone_from(value);
        }
        for Add { key, delta } in adds {
            let cell = &mut cells[places[&key[..]]];
            let sum = number::apply(cell.current.as_ref(), delta);
            cell.current = Some(sum.map_err(|_| EffectError::Refused { index: TxIndex(index as u32) })?);
        }
    }
    let changed = keys.into_iter().zip(cells).filter(|(_, cell)| cell.current != cell.parent);
    Ok(ChangeSet::from_unsorted(changed.map(|(key, cell)| (Arc::from(key), cell.current)).collect()))
}

/// Every key that is written or added to, once.
fn touched(rw_sets: &[RwSet]) -> Vec<&[u8]> {
    let of_set = |set: &'_ RwSet| set.writes.len() + set.adds.len();
    let mut keys: Vec<&[u8]> = Vec::with_capacity(rw_sets.iter().map(of_set).sum());
    for RwSet { writes, adds, .. } in rw_sets {
        keys.extend(writes.iter().map(|write| &write.key[..]));
        keys.extend(adds.iter().map(|add| &add.key[..]));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn load(parent: &dyn StateView, keys: &[&[u8]]) -> Result<Vec<Cell>, StateError> {
    let read = |key: &&[u8]| {
        let parent = parent.get(key)?;
        Ok(Cell { current: parent.clone(), parent })
    };
    keys.par_iter().with_min_len(RUN).map(read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::view::MemoryView;
    use hanse_types::Delta;

    fn write(key: &[u8], value: Option<&[u8]>) -> Write {
        Write { key: key.to_vec(), value: value.map(Value::new) }
    }

    fn add(key: &[u8], amount: i128) -> Add {
        Add { key: key.to_vec(), delta: Delta { amount, width: 1, min: 0, max: 100 } }
    }

    fn parent() -> MemoryView {
        [("a", 1), ("b", 2), ("c", 3)]
            .map(|(key, byte)| (key.as_bytes().to_vec(), Value::new(&[byte])))
            .into_iter()
            .collect()
    }

    #[test]
    fn later_sets_build_on_earlier_ones_and_what_is_as_before_is_no_change() {
        let sets = [
            RwSet {
                writes: vec![write(b"a", Some(&[7])), write(b"b", None)],
                adds: vec![add(b"n", 4)],
                ..RwSet::default()
            },
            RwSet {
                writes: vec![write(b"c", Some(&[9]))],
                adds: vec![add(b"a", 5), add(b"n", -1)],
                ..RwSet::default()
            },
            RwSet { writes: vec![write(b"c", Some(&[3]))], ..RwSet::default() },
        ];
        let changes = changes(&parent(), &sets).unwrap();
        let found: Vec<_> = changes.iter().map(|(key, value)| (key.to_vec(), value.cloned())).collect();
        let expected = [("a", Some(12)), ("b", None), ("n", Some(3))];
        let value = |(key, value): (&str, Option<u8>)| (key.as_bytes().to_vec(), value.map(|byte| Value::new(&[byte])));
        assert_eq!(found, expected.map(value));
    }

    #[test]
    fn an_add_that_does_not_fit_is_refused_by_the_place_of_its_transaction() {
        let too_much = |amount| [RwSet::default(), RwSet { adds: vec![add(b"c", amount)], ..RwSet::default() }];
        assert!(changes(&parent(), &too_much(97)).is_ok());
        let refused = Err(EffectError::Refused { index: TxIndex(1) });
        assert_eq!(changes(&parent(), &too_much(98)), refused);
        assert_eq!(changes(&parent(), &too_much(-4)), refused);
        let wide = Add { delta: Delta { width: 8, ..add(b"c", 1).delta }, ..add(b"c", 1) };
        assert!(changes(&parent(), &[RwSet { adds: vec![wide], ..RwSet::default() }]).is_err());
    }
}
