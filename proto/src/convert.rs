//! The two ways between a value and its message. Not nameable outside, which closes [`crate::Wire`].

use hanse_types::Canonical;

use crate::WireError;
use crate::elements::List;

/// A value with a message.
pub trait Convert: Sized {
    /// The generated type.
    type Message: prost::Message + Default;
    /// Name for error messages.
    const WHAT: &'static str;
    /// Most bytes of a message; a longer one is refused unread.
    const MAX_BYTES: usize;
    /// Lists of messages, whose elements take much more memory than an empty element takes bytes.
    const LISTS: &'static [List] = &[];

    /// The message.
    fn to_message(&self) -> Self::Message;

    /// The value.
    ///
    /// # Errors
    /// If a field is missing, ill-sized or out of its range.
    fn from_message(message: Self::Message) -> Result<Self, WireError>;

    /// Whether the value keeps within the limit of its canonical encoding.
    ///
    /// # Errors
    /// If it does not.
    fn check_size(&self) -> Result<(), WireError> {
        Ok(())
    }
}

/// The limit of a message whose value has canonical bytes: protobuf takes at most twice as many, for a list of
/// one-byte elements.
pub(crate) const fn wire_limit(canonical: usize) -> usize {
    2 * canonical + 1024
}

/// Refuses a value that no node could decode from its canonical bytes.
pub(crate) fn within_canonical_limit<T: Canonical>(value: &T) -> Result<(), WireError> {
    match value.encoded_len() {
        found if found > T::MAX_BYTES => Err(WireError::TooLarge { what: T::NAME, found, limit: T::MAX_BYTES }),
        _ => Ok(()),
    }
}
