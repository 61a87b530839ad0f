//! Addresses of accounts and contracts.

use core::fmt;
use core::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

/// The 20 bytes that name an account or a contract.
///
/// An account's address is the last 20 bytes of the hash of its public key; a contract's the last 20 bytes of the
/// hash of its deployer and name; a native contract's is fixed (see [`Address::native`]).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Address(pub [u8; Address::BYTES]);

impl Address {
    /// Length of an address in bytes.
    pub const BYTES: usize = 20;
    /// The address of nobody.
    pub const ZERO: Address = Address([0; 20]);

    /// The fixed address of the native contract with this number: 18 zero bytes, then the number.
    ///
    /// No key hashes to such an address but by finding a 144-bit preimage.
    pub const fn native(number: u16) -> Address {
        let mut bytes = [0; 20];
        let [high, low] = number.to_be_bytes();
        bytes[18] = high;
        bytes[19] = low;
        Address(bytes)
    }

    /// The number of the native contract at this address, if it is in the native range and not [`Address::ZERO`].
    pub fn native_number(&self) -> Option<u16> {
        let (zeros, number) = self.0.split_at(18);
        let number = u16::from_be_bytes([number[0], number[1]]);
        (zeros.iter().all(|b| *b == 0) && number != 0).then_some(number)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'0'; 42];
        text[1] = b'x';
        for (two, byte) in text[2..].chunks_exact_mut(2).zip(self.0) {
            two[0] = DIGITS[usize::from(byte >> 4)];
            two[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It has not the length of `0x` and 40 hexadecimal digits.
    Length {
        /// The text's length in bytes.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    Digit {
        /// Offset of the character in the text.
        at: usize,
    },
    /// It does not start with `0x`.
    Prefix,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "an address is 0x and 40 hexadecimal digits, this has {found} characters")
            }
            Self::Digit { at } => write!(f, "an address has only hexadecimal digits after 0x, character {at} is none"),
            Self::Prefix => f.write_str("an address starts with 0x"),
        }
    }
}

impl core::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Prefix)?.as_bytes();
        if digits.len() != 40 {
            return Err(AddressError::Length { found: text.len() });
        }
        let mut bytes = [0; 20];
        for (i, pair) in digits.chunks_exact(2).enumerate() {
            let digit = |offset: usize| {
                (pair[offset] as char).to_digit(16).ok_or(AddressError::Digit { at: 2 + 2 * i + offset })
            };
            bytes[i] = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Ok(Address(bytes))
    }
}

#[cfg(feature = "document")]
impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "document")]
impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::string::String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Address {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Of an account or a contract, 20 bytes.",
            "pattern": "^0x[0-9a-fA-F]{40}$",
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_and_back() {
        let address = Address::native(0x1234);
        assert_eq!(address.to_string(), "0x0000000000000000000000000000000000001234");
        assert_eq!(address.to_string().parse(), Ok(address));
        assert_eq!(address.native_number(), Some(0x1234));
        assert_eq!(Address::ZERO.native_number(), None);
        assert_eq!(Address([1; 20]).native_number(), None);
    }

    #[test]
    fn wrong_text_is_refused_with_the_place() {
        assert_eq!("12".parse::<Address>(), Err(AddressError::Prefix));
        assert_eq!("0x12".parse::<Address>(), Err(AddressError::Length { found: 4 }));
        let bad = "0x00000000000000000000000000000000000000g0";
        assert_eq!(bad.parse::<Address>(), Err(AddressError::Digit { at: 40 }));
    }
}
