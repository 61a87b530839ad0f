//! Keys of the state, and who touches them.

use hanse_types::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CertifiedHeader;
use crate::text::Bytes;

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
    /// The storage field, as far as the key shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What a transaction observed and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessView {
    /// Keys that were read.
    pub reads: Vec<KeyView>,
    /// Ranges that were scanned.
    pub ranges: Vec<RangeView>,
    /// Keys that were written.
    pub writes: Vec<KeyView>,
    /// Keys that were added to without being read.
    pub adds: Vec<KeyView>,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RangeView {
    /// First key.
    pub start: KeyView,
    /// First key after the range.
    pub end: Bytes,
}
