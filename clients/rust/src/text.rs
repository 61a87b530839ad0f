//! Values as they are written in JSON and on the command line: bytes in hexadecimal, contracts by name or address.

use std::fmt;
use std::str::FromStr;

use hanse_types::{Address, ContractRef, limits};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Bytes, written as `0x` and two hexadecimal digits each.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

/// Why a text is not bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BytesError {
    /// It does not start with `0x`.
    #[error("bytes are written as 0x and an even number of hexadecimal digits; the 0x is missing")]
    Prefix,
    /// A character is no digit, or there is an odd number of them.
    #[error("bytes are written as 0x and an even number of hexadecimal digits: {reason}")]
    Digits {
        /// What is wrong, in words.
        reason: String,
    },
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode_prefixed(&self.0))
    }
}

impl FromStr for Bytes {
    type Err = BytesError;

    fn from_str(text: &str) -> Result<Self, BytesError> {
        let digits = text.strip_prefix("0x").ok_or(BytesError::Prefix)?;
        const_hex::decode(digits).map(Bytes).map_err(|error| BytesError::Digits { reason: error.to_string() })
    }
}

/// A contract, written as its address, as `name` for the newest version, or as `name@version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract(pub ContractRef);

/// Why a text names no contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} names no contract: {reason}; write 0x and 40 digits, a name, or name@version")]
pub struct ContractError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Contract {
    /// The native contract of this number.
    pub fn native(number: u16) -> Contract {
        Contract(ContractRef::Address(Address::native(number)))
    }
}

impl From<Address> for Contract {
    fn from(address: Address) -> Self {
        Contract(ContractRef::Address(address))
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ContractRef::Address(address) => address.fmt(f),
            ContractRef::Name { name, version: 0 } => f.write_str(name),
            ContractRef::Name { name, version } => write!(f, "{name}@{version}"),
        }
    }
}

impl FromStr for Contract {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, ContractError> {
        let error = |reason: String| ContractError { text: text.into(), reason };
        if text.starts_with("0x") {
            return Ok(Address::from_str(text).map_err(|e| error(e.to_string()))?.into());
        }
        let (name, version) = match text.split_once('@') {
            None => (text, 0),
            Some((name, digits)) => match digits.parse() {
                Ok(version) if version > 0 => (name, version),
                _ => return Err(error(format!("version {digits:?} is not a number from 1"))),
            },
        };
        if name.is_empty() || name.len() > limits::NAME_BYTES {
            return Err(error(format!("a name has 1 to {} bytes", limits::NAME_BYTES)));
        }
        Ok(Contract(ContractRef::Name { name: name.into(), version }))
    }
}

macro_rules! json_as_text {
    ($($name:ident: $words:literal, $pattern:literal;)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $words, "pattern": $pattern })
            }
        }
    )*};
}

json_as_text! {
    Bytes: "Bytes: 0x and two hexadecimal digits each.", "^0x([0-9a-fA-F]{2})*$";
    Contract: "A contract: its address, name for the newest version, or name@version.",
        "^(0x[0-9a-fA-F]{40}|[^@]{1,64}(@[1-9][0-9]*)?)$";
}

/// A whole number of any width as a decimal string: JSON's own numbers end at 2⁵³ in many languages.
pub mod decimal {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is no string, or no number that fits.
    pub fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a decimal number that fits")))
    }
}

/// A [`Status`](hanse_types::Status) by its stable name.
pub mod status_name {
    use hanse_types::Status;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(status.name())
    }

    /// Reads it.
    ///
    /// # Errors
    /// If there is no status of that name.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Status::ALL.into_iter().find(|status| status.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("{name:?} is no status that this client knows")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn contracts_are_written_in_three_ways() {
        for text in ["token", "token@2", "0x0000000000000000000000000000000000000001"] {
            assert_eq!(text.parse::<Contract>().unwrap().to_string(), text);
        }
        for text in ["", "@1", "token@", "token@0", "token@x", "0x12", &"n".repeat(65)] {
            let error = text.parse::<Contract>().unwrap_err();
            assert!(error.to_string().contains("names no contract"), "{error}");
        }
    }

    #[test]
    fn bytes_need_their_prefix_and_even_digits() {
        assert_eq!("0x0aff".parse(), Ok(Bytes(vec![10, 255])));
        assert_eq!(Bytes(vec![10, 255]).to_string(), "0x0aff");
        assert_eq!("0aff".parse::<Bytes>(), Err(BytesError::Prefix));
        assert!(matches!("0x0".parse::<Bytes>(), Err(BytesError::Digits { .. })));
        assert!(matches!("0xzz".parse::<Bytes>(), Err(BytesError::Digits { .. })));
    }
}
