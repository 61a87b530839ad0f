//! Wire messages and their exact conversion.
//!
//! What nodes and clients send one another is protobuf (`proto/hanse/v1`), so that every language can read it; what is
//! hashed and signed is the canonical encoding of `hanse-types`. [`encode`] and [`decode`] lead from one to the other.
//!
//! Protobuf has many encodings of one message; here one is taken: the bytes that [`encode`] makes. Unknown fields,
//! fields out of order, longer varints, defaults written out, missing and ill-sized fields are refused. So two nodes
//! never disagree about what a message says, and bytes can't be smuggled past a check. Input is bounded before it is
//! read, and reading it takes memory of a small multiple of its length.
//!
//! It does not know what a valid transaction or block is: a decoded value is no more checked than one that was built.
//!
//! Start reading at [`decode`], then in `transaction.rs`.

mod block;
mod convert;
mod elements;
mod fields;
mod genesis;
mod receipt;
mod transaction;

/// What the `.proto` files make.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/hanse.v1.rs"));
}

use prost::Message;
use thiserror::Error;

pub use transaction::Batch;

/// A value that has a wire message. Implemented for the types of `hanse-types` and [`Batch`], and closed.
pub trait Wire: convert::Convert {}

impl<T: convert::Convert> Wire for T {}

/// Why bytes are not the wire message of a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// More bytes than this message, or the value in it, may ever have.
    #[error("{what} has {found} bytes, the limit is {limit}")]
    TooLarge {
        /// The message's name.
        what: &'static str,
        /// How many bytes there are.
        found: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The bytes are no protobuf, or no such message.
    #[error("{what} does not decode: {reason}")]
    Malformed {
        /// The message's name.
        what: &'static str,
        /// What is wrong, in words.
        reason: String,
    },
    /// The bytes are another encoding of the message than the one that is taken.
    #[error(
        "{what} is not canonical from byte {at}: a field is unknown, out of order, a default written out, or a number \
         longer than needed"
    )]
    NotCanonical {
        /// The message's name.
        what: &'static str,
        /// Where its re-encoding starts to differ.
        at: usize,
    },
    /// A field that must be there is not.
    #[error("the field {field} is missing")]
    Missing {
        /// Message and field.
        field: &'static str,
    },
    /// A field of fixed size has another, or an element of a list is shorter than any can be.
    #[error("the field {field} has {found} bytes, expected are {expected}")]
    Size {
        /// Message and field.
        field: &'static str,
        /// Its size.
        found: usize,
        /// Its size by the format.
        expected: fields::Expected,
    },
    /// A list is too long.
    #[error("the list {field} has {found} elements, the limit is {limit}")]
    TooMany {
        /// Message and field.
        field: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A number means nothing in its field.
    #[error("the field {field} is {found}, which is out of its range")]
    OutOfRange {
        /// Message and field.
        field: &'static str,
        /// The number.
        found: i64,
    },
    /// The rows of a DAG are none.
    #[error(transparent)]
    Dag(#[from] hanse_types::DagError),
}

/// The wire message of a value.
pub fn encode<T: Wire>(value: &T) -> Vec<u8> {
    value.to_message().encode_to_vec()
}

/// The value of a wire message.
///
/// # Errors
/// If the bytes are not exactly what [`encode`] makes of some value within the limits.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > T::MAX_BYTES {
        return Err(WireError::TooLarge { what: T::WHAT, found: bytes.len(), limit: T::MAX_BYTES });
    }
    elements::check(T::WHAT, bytes, T::LISTS)?;
    let malformed = |error: prost::DecodeError| WireError::Malformed { what: T::WHAT, reason: error.to_string() };
    let message = T::Message::decode(bytes).map_err(malformed)?;
    check_canonical(T::WHAT, bytes, &message.encode_to_vec())?;
    let value = T::from_message(message)?;
    value.check_size()?;
    Ok(value)
}

fn check_canonical(what: &'static str, bytes: &[u8], canonical: &[u8]) -> Result<(), WireError> {
    if bytes == canonical {
        return Ok(());
    }
    let same = bytes.iter().zip(canonical).take_while(|(one, other)| one == other).count();
    Err(WireError::NotCanonical { what, at: same })
}
