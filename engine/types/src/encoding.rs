//! Canonical bytes: one value, one encoding.
//!
//! Borsh with strict order: fields in their order, integers little-endian at fixed width, lengths as `u32`, no maps, no
//! floats. [`Canonical::decode`] refuses trailing bytes; together with Borsh's strictness that makes
//! `decode(b).encode() == b` for every `b` that decodes, which a property test holds for every type.

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

/// Why bytes are not the canonical encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More bytes than this type may ever have.
    #[error("{what} has {found} bytes, the limit is {limit}")]
    TooLarge {
        /// The type's name.
        what: &'static str,
        /// Length of the input.
        found: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The bytes end early, go on after the value, or hold a value out of range.
    #[error("{what} does not decode: {reason}")]
    Malformed {
        /// The type's name.
        what: &'static str,
        /// What is wrong, in words.
        reason: String,
    },
}

/// A value with exactly one encoding, which is what gets hashed, signed and stored.
pub trait Canonical: BorshSerialize + BorshDeserialize {
    /// Name for error messages.
    const NAME: &'static str;
    /// Most bytes that an encoding may have; a longer input is refused unread.
    const MAX_BYTES: usize;

    /// The canonical bytes.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Appends the canonical bytes to a buffer.
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        // Writing to a Vec fails only for lengths above u32::MAX, which `limits` keeps out of every type.
        self.serialize(bytes).expect("a bounded value encodes into memory");
    }

    /// Length of the canonical bytes, without making them.
    fn encoded_len(&self) -> usize {
        borsh::object_length(self).expect("a bounded value encodes")
    }

    /// The value of these bytes, if they are its canonical encoding.
    ///
    /// # Errors
    /// If the input is too long, ends early, has bytes left over or holds a value out of range.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(DecodeError::TooLarge { what: Self::NAME, found: bytes.len(), limit: Self::MAX_BYTES });
        }
        Self::try_from_slice(bytes)
            .map_err(|error| DecodeError::Malformed { what: Self::NAME, reason: error.to_string() })
    }
}
