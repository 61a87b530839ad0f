//! Names of contracts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;
use crate::views::NameView;

methods! { NAME:
    /// A name: whose it is, and the contract behind each of its versions.
    GetName = "name_get", NameParams => NameView, fails [];
    /// All names, in alphabetical order.
    ListNames = "name_list", ListNamesParams => NameList, fails [];
}

/// Of [`GetName`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameParams {
    /// The name, without a version.
    pub name: String,
}

/// Of [`ListNames`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListNamesParams {
    /// Only names after this one; a former answer's `next` goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most names to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`ListNames`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameList {
    /// The names, each with its newest version only.
    pub names: Vec<NameView>,
    /// The `after` that goes on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
