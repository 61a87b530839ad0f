//! The node as its operators see it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLevels {
    /// The level of all targets that have none of their own.
    pub level: String,
    /// Targets with a level of their own.
    pub targets: BTreeMap<String, String>,
    /// For each log that is written to files, how many of its lines were lost since the node started.
    pub lost: BTreeMap<String, u64>,
}
