//! The ABI document: what a contract offers, for tools, explorers and clients.
//!
//! A module carries it in parts, one JSON object for each item of its source, with fields and hints in a short form
//! ([`Abi::from_wasm`]); everywhere else it is one JSON object, [`Abi`] itself. With it, arguments go from JSON to Borsh and results, events and errors back
//! ([`Abi::encode_args`] and the `decode_…` functions), and each failure says which argument it was and what was expected.
//!
//! In JSON, integers of up to 32 bits are numbers and wider ones decimal strings, because many languages lose digits
//! beyond 2⁵³; either is accepted. Addresses and byte strings (`Vec<u8>`, `[u8; N]`) are `0x…`; `None` is `null`; a struct
//! is an object; an enum without fields is its variant's name, one with fields an object of one entry.
//!
//! It knows nothing of contracts' addresses, and does not check that a document is true: a contract's author wrote it.
//!
//! Start reading at [`Abi`]; [`types`] is the grammar of types.

mod codec;
mod decode;
mod encode;
mod hints;
mod named;
mod ordered;
mod parts;
mod short;
mod storage;
mod templates;
#[cfg(test)]
mod tests;
pub mod types;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use codec::{DecodedError, ValueError};
pub use hints::HintedKey;
pub use parts::AbiError;
pub use storage::StoredKey;
pub use templates::{KeyTemplate, TemplatePart};

/// All that a contract offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abi {
    /// The contract's name in its source.
    #[serde(default)]
    pub name: String,
    /// The version of its source.
    #[serde(default)]
    pub version: String,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// Its methods, in the order of the source.
    pub methods: Vec<Method>,
    /// Its events, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventSchema>,
    /// Its errors, by code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorSchema>,
    /// Structs and enums that the other parts name, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeSchema>,
    /// Its storage fields, in the order of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<StorageField>,
}

/// When a method may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodKind {
    /// Once, at deployment.
    Init,
    /// In a transaction, or by another contract.
    #[default]
    Call,
    /// As [`MethodKind::Call`], and also outside of transactions: it changes nothing.
    View,
    /// Once, after an upgrade.
    Migrate,
}

/// A method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// When it may be called.
    #[serde(default)]
    pub kind: MethodKind,
    /// Its arguments, in the order of their encoding.
    #[serde(default)]
    pub args: Vec<Field>,
    /// The type of its result; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub returns: String,
    /// The enum of the errors it can end with; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// Which keys it touches, as far as its source shows. A forecast, not a promise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

/// A named value: an argument, or a field of a struct, a variant or an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type, in the grammar of [`types`].
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it is the primary key of the rows that the struct is in tables.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub key: bool,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// A field of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventField {
    /// Its name.
    pub name: String,
    /// Its type, in the grammar of [`types`].
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it is a topic, by which events are looked up, or part of the data.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub topic: bool,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSchema {
    /// Its name.
    pub name: String,
    /// Its fields, in the order of the source.
    #[serde(default)]
    pub fields: Vec<EventField>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// An error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSchema {
    /// The number that stands for it in receipts.
    pub code: u32,
    /// Its name.
    pub name: String,
    /// The enum that it is a variant of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// Its text; `{name}` stands for a field's value.
    pub message: String,
    /// Its fields, in the order of their encoding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// A struct or an enum of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSchema {
    /// Its name.
    pub name: String,
    /// A struct's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<Field>>,
    /// An enum's variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<VariantSchema>>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// A variant of an enum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantSchema {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// A storage field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageField {
    /// Its name, which is the beginning of its keys (see [`keys`](crate::keys)).
    pub name: String,
    /// Its storage type: `Map<Address, u128>`. Only contracts of the chain itself have a `NameMap`, whose keys are names as
    /// they are.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// One access to storage that a method's source shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The storage field.
    pub field: String,
    /// The parts of the element's key, empty for a field without elements; none if the source does not show it.
    pub key: Option<Vec<KeyPart>>,
    /// What is done there.
    pub access: HintedAccess,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPart {
    /// A value of the context; the only one is `caller`.
    Ctx(String),
    /// The argument of this name.
    Arg(String),
    /// This value, as JSON or a decimal string.
    Const(String),
}

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HintedAccess {
    /// It is read.
    Read,
    /// It is added to, without being read.
    Add,
    /// It is written or removed.
    Write,
}

impl Abi {
    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The struct or enum of this name.
    pub fn named_type(&self, name: &str) -> Option<&TypeSchema> {
        self.types.iter().find(|ty| ty.name == name)
    }
}

impl fmt::Display for Method {
    /// The method's signature: `transfer(to: Address, amount: u128) -> u128`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (at, arg) in self.args.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", arg.name, arg.ty)?;
        }
        f.write_str(")")?;
        if self.returns.is_empty() { Ok(()) } else { write!(f, " -> {}", self.returns) }
    }
}
