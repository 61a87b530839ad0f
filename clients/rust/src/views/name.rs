//! Names of contracts.

use hanse_types::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameView {
    /// The name.
    pub name: String,
    /// Who may register its next version; absent for names of the chain itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// Its versions, the newest first.
    pub versions: Vec<VersionView>,
    /// Whether it has older ones that are not shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A version of a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Its number, from 1.
    pub version: u32,
    /// The contract.
    pub address: Address,
}
