//! Contracts.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Gas, Hash, Height, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::Bytes;

/// What a view returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueryView {
    /// The bytes.
    pub output: Bytes,
    /// Decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What it would have cost in a transaction.
    pub gas_used: Gas,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContractView {
    /// Its address.
    pub address: Address,
    /// The name it was deployed under.
    pub name: String,
    /// What was deployed; absent for a native contract, which is part of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<DeployedView>,
}

/// A contract that was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployedView {
    /// Who may upgrade it.
    pub owner: Address,
    /// Version of its code, from 1.
    pub version: u32,
    /// Hash of its code.
    pub code_hash: Hash,
    /// `active`, `frozen` or `revoked`.
    pub status: String,
    /// Height at which it was deployed.
    pub deployed_at: Height,
    /// Height at which it was last upgraded.
    pub upgraded_at: Height,
}

/// A field of a contract's storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageFieldView {
    /// Its name.
    pub name: String,
    /// Its type in the source.
    #[serde(rename = "type")]
    pub ty: String,
    /// What its author says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// A transaction that waits for its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnsignedView {
    /// Its canonical bytes.
    pub unsigned: Bytes,
    /// The bytes that the signature covers.
    pub sign_bytes: Bytes,
    /// Hash of the chain's genesis, which they contain.
    pub genesis_hash: Hash,
    /// What its chain hashes by and its clients sign by.
    pub crypto: CryptoSuite,
    /// The id that it will have.
    pub tx_id: Hash,
    /// When it expires.
    pub expiration: Timestamp,
}
