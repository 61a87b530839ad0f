//! A stored value: small ones inline, large ones shared.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};

/// Longest value that is kept inline, in bytes: balances, counters, addresses, hashes, small records.
const INLINE_BYTES: usize = 38;

/// Bytes of a stored value. Cloning never copies more than 40 bytes.
#[derive(Clone)]
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Shared(Arc<[u8]>),
}

impl Value {
    /// A value with these bytes.
    pub fn new(bytes: &[u8]) -> Value {
        if bytes.len() > INLINE_BYTES {
            return Value(Repr::Shared(bytes.into()));
        }
        let mut inline = [0; INLINE_BYTES];
        inline[..bytes.len()].copy_from_slice(bytes);
        Value(Repr::Inline { len: bytes.len() as u8, bytes: inline })
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Value::new(&[])
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::new(bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() > INLINE_BYTES { Value(Repr::Shared(bytes.into())) } else { Value::new(&bytes) }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", const_hex::encode(self.as_slice()))
    }
}

impl BorshSerialize for Value {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.as_slice().serialize(writer)
    }
}

impl BorshDeserialize for Value {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Vec::deserialize_reader(reader).map(Value::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_and_shared_look_the_same() {
        for len in [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 1_000] {
            let bytes = vec![7; len];
            assert_eq!(Value::new(&bytes).as_slice(), bytes);
            assert_eq!(Value::from(bytes.clone()), Value::new(&bytes));
        }
        assert_eq!(size_of::<Value>(), 40);
    }
}
