//! Typed storage: what the fields of a contract can be.
//!
//! | type | holds | runs in parallel |
//! |---|---|---|
//! | [`Item<T>`] | one value | calls that only read it |
//! | [`Map<K, V>`] | a value per key | calls that touch different keys; `add` and `sub` also on one key |
//! | [`Counter<N>`] | one number | any calls that only add and subtract |
//! | [`Set<K>`] | which keys are in it | calls that touch different keys |
//! | [`OrderedMap<K, V>`] | a value per key, in the order of keys | calls on different keys; a scan conflicts with writes into its range |
//! | [`Table<R>`] | rows, each with its primary key, in its order | as [`OrderedMap`] |
//!
//! A field's place follows from its name (see [`hanse_abi::keys`]), so fields can be reordered in an upgrade. Nothing is
//! read before it is asked for, and nothing is kept between two questions: each `get` is a read, each `set` a write.
//! Only `&mut self` methods can change storage, so a method that takes `&self` is a view.

mod counter;
mod item;
mod map;
mod number;
mod ordered;
mod set;
mod table;

pub use counter::Counter;
pub use item::Item;
pub use map::Map;
pub use number::{Number, OutOfBounds};
pub use ordered::{OrderedKey, OrderedMap};
pub use set::Set;
pub use table::{Row, Table};

use crate::data::{Data, Encoded};

/// A storage type: what a field of a contract can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field of a contract",
    label = "this would have to be loaded and stored as a whole on every call",
    note = "use Item<T> for one value, Map<K, V> for a value per key, Set<K> for a set, Counter<u64> for a number that many callers add to",
    note = "use OrderedMap<K, V> for what is scanned in order, and Table<Row> for rows with a primary key"
)]
pub trait Storage {
    /// The storage at this prefix: the field's name and a zero byte. Reads nothing.
    fn at(prefix: &'static [u8]) -> Self;
}

/// The key of an element: the field's prefix and the Borsh bytes of the element's key.
fn element_key<K: Data>(prefix: &'static [u8], key: &K) -> Encoded {
    let mut bytes = Encoded::new();
    bytes.append(prefix);
    key.write(&mut bytes);
    bytes
}
