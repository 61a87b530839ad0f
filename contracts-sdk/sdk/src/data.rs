//! Values that the ABI can describe: what methods take and return, what storage holds, what events carry.
//!
//! Their bytes are Borsh, so anything that speaks Borsh reads them. The code is our own because a contract pays for
//! every byte of it: it has no error values and no way to panic.

mod containers;
mod encoded;
mod scalars;

use alloc::vec::Vec;

pub use encoded::Encoded;

/// A value with a canonical encoding (Borsh) and a description in the ABI.
///
/// Integers, `bool`, `String`, [`Address`](hanse_abi::Address), and tuples, arrays, `Vec` and `Option` of such. `#[data]`
/// on a struct or an enum of your own makes it one. Floating-point numbers are none: their results differ between
/// machines.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored by a contract, nor be an argument, a result or a field of an event",
    label = "this type has no description in the ABI",
    note = "use integers, bool, String, Address, and tuples, arrays, Vec and Option of them",
    note = "for a struct or an enum of your own, write `#[data]` above it"
)]
pub trait Data: Sized {
    /// Appends the value's bytes.
    fn write(&self, out: &mut Encoded);

    /// Takes a value off the front; none if the bytes do not start with one.
    fn read(bytes: &mut &[u8]) -> Option<Self>;

    /// Appends the bytes of several values.
    #[doc(hidden)]
    fn write_all(values: &[Self], out: &mut Encoded) {
        values.iter().for_each(|value| value.write(out));
    }

    /// Takes that many values off the front.
    #[doc(hidden)]
    fn read_all(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
        // A count from outside may promise more than there is.
        let mut values = Vec::with_capacity(count.min(bytes.len() / size_of::<Self>().max(1)));
        for _ in 0..count {
            values.push(Self::read(bytes)?);
        }
        Some(values)
    }
}

/// Fails to compile unless the type is [`Data`]; the attributes call it to point at the type that is not.
pub const fn require<T: Data>() {}

/// The value's bytes.
pub fn encode<T: Data>(value: &T) -> Encoded {
    let mut out = Encoded::new();
    value.write(&mut out);
    out
}

/// The value that takes all the bytes.
pub fn decode<T: Data>(mut bytes: &[u8]) -> Option<T> {
    let value = T::read(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

/// The value of a key, if it has one.
pub(crate) fn stored<T: Data>(key: &[u8]) -> Option<T> {
    crate::host::state_get(key).map(|bytes| decode_stored(&bytes))
}

/// Decodes a value that the contract stored itself; ends the call if the bytes are another type's.
pub(crate) fn decode_stored<T: Data>(bytes: &[u8]) -> T {
    match decode(bytes) {
        Some(value) => value,
        None => {
            crate::host::panic("a stored value is not of its field's type: was the type changed without a migration?")
        }
    }
}

/// Takes the first `N` bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

/// Appends a length: 4 bytes, little-endian.
pub(crate) fn write_length(length: usize, out: &mut Encoded) {
    out.append(&(length as u32).to_le_bytes());
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    take(bytes).map(|length| u32::from_le_bytes(length) as usize)
}
