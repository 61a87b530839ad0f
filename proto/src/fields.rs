//! Fields: there or not, of their size, in their range.

use std::fmt;

use hanse_types::crypto::Signature;
use hanse_types::{Address, Hash};

use crate::WireError;

/// A size by the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This many bytes.
    Exactly(usize),
    /// This many bytes or more.
    AtLeast(usize),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Exactly(count) => write!(f, "{count}"),
            Expected::AtLeast(count) => write!(f, "at least {count}"),
        }
    }
}

pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, WireError> {
    value.ok_or(WireError::Missing { field })
}

pub(crate) fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], WireError> {
    let size = |_| WireError::Size { field, found: bytes.len(), expected: Expected::Exactly(N) };
    bytes.try_into().map_err(size)
}

pub(crate) fn hash(field: &'static str, bytes: &[u8]) -> Result<Hash, WireError> {
    array(field, bytes).map(Hash)
}

pub(crate) fn address(field: &'static str, bytes: &[u8]) -> Result<Address, WireError> {
    array(field, bytes).map(Address)
}

pub(crate) fn signature(field: &'static str, bytes: &[u8]) -> Result<Signature, WireError> {
    array(field, bytes).map(Signature)
}

/// A key of the state, which is never empty.
pub(crate) fn key(field: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, WireError> {
    if bytes.is_empty() { Err(WireError::Missing { field }) } else { Ok(bytes) }
}

/// A number that is wider on the wire than in the value.
pub(crate) fn narrow<T: TryFrom<u32>>(field: &'static str, number: u32) -> Result<T, WireError> {
    T::try_from(number).map_err(|_| WireError::OutOfRange { field, found: number.into() })
}

/// Every element of a list.
pub(crate) fn all<M, T>(messages: Vec<M>, convert: impl FnMut(M) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
    messages.into_iter().map(convert).collect()
}
