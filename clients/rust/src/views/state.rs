//! Keys of the state, and who touches them.

use hanse_types::{Address, Hash, Height, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CertifiedHeader;
use crate::text::{Bytes, decimal};

/// A proof that a key has a value, or has none, after a block: see [`crate::proof`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateProof {
    /// The block's header.
    #[serde(flatten)]
    pub block: CertifiedHeader,
    /// The key's way through the state's tree, canonical bytes of `hanse_state::commitment::Proof`.
    pub path: Bytes,
}

/// A state key, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KeyView {
    /// The contract that it belongs to.
    pub contract: Address,
    /// The contract's own key.
    pub key: Bytes,
    /// The storage field, as far as the key or the contract's ABI shows it: `supply`, `balances["0x…"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What a transaction observed and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessView {
    /// Keys that were read.
    pub reads: Vec<ReadView>,
    /// Ranges that were scanned.
    pub ranges: Vec<RangeView>,
    /// Keys that were written.
    pub writes: Vec<WriteView>,
    /// Keys that were added to without being read.
    pub adds: Vec<AddView>,
}

/// A read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// Whether it had a value.
    pub present: bool,
    /// The transaction of the same block that had left it; absent if it was as the block before had left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<TxIndex>,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WriteView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// The new value; absent if the key was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    /// The same, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<Value>,
}

/// An addition to a number that was not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// How much was added; negative if taken away.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub amount: i128,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RangeView {
    /// First key.
    pub start: KeyView,
    /// First key after the range.
    pub end: Bytes,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntryView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// The value.
    pub value: Bytes,
    /// The same, decoded by the contract's ABI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<Value>,
}

/// What a group's headers say of its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateRoot {
    /// After which block.
    pub height: Height,
    /// The commitment to the whole state.
    pub state_root: Hash,
    /// How it is made: `flat`, or `merkle`, which proves single values.
    pub commitment: String,
}
