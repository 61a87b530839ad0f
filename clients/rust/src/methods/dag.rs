//! How parallel blocks are, and why not more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::BlockAt;
use super::methods;
use crate::views::DagView;

methods! { DAG:
    /// A block's DAG, with its figures.
    GetDag = "dag_get", DagParams => DagView, fails [];
}

/// Of [`GetDag`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DagParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
    /// Most vertices to list; the figures are always of the whole block.
    #[serde(default)]
    pub vertices: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_parameter_is_refused() {
        let error = serde_json::from_value::<DagParams>(json!({ "at": 3, "vertexes": 4 })).unwrap_err();
        assert!(error.to_string().contains("vertexes"), "{error}");
    }
}
