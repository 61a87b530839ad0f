//! How parallel blocks are, and why not more.

use hanse_types::{Hash, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::BlockAt;
use super::methods;
use crate::codes;
use crate::views::{BlockParallelism, DagView, HotKeyView, ParallelismTotals, TimelineView};

methods! { DAG:
    /// How parallel a block was, and why not more: figures of its DAG, its critical path with the keys that made each
    /// transaction on it wait, its hot keys with advice, and as many transactions as are asked for.
    GetDag = "dag_get", DagParams => DagView, fails [&[codes::PRUNED]];
    /// The keys that made most transactions wait in a window of blocks, with advice.
    GetHotKeys = "dag_hotKeys", HotKeysParams => HotKeys, fails [&[codes::PRUNED]];
    /// How parallel each of the last blocks was, and what it took on this node.
    GetDagStats = "dag_stats", DagStatsParams => DagStats, fails [&[codes::PRUNED]];
    /// When this node's threads ran which transaction of a block. It is this node's own diary and no part of the chain: it
    /// is kept of the newest blocks that were made while it was recorded, until the node stops.
    GetTimeline = "dag_timeline", TimelineParams => TimelineView, fails [];
    /// Whether this node records timelines, and of which blocks it has some; switches it on or off if asked to, until the
    /// node stops. Recording costs two looks at the clock for each run of a transaction.
    RecordTimelines = "dag_recordTimelines", RecordTimelinesParams => Recording, only Admin,
        fails [];
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
    /// Only this transaction of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_id: Option<Hash>,
}

/// Of [`GetHotKeys`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HotKeysParams {
    /// The last block of the window.
    #[serde(default)]
    pub at: BlockAt,
    /// How many blocks the window has; the node's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Most keys to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`GetHotKeys`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HotKeys {
    /// First block of the window.
    pub from_height: Height,
    /// Its last block.
    pub to_height: Height,
    /// The keys, the busiest first.
    pub keys: Vec<HotKeyView>,
}

/// Of [`GetDagStats`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DagStatsParams {
    /// How many of the newest blocks; the node's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

/// Of [`GetDagStats`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DagStats {
    /// The blocks, the oldest first.
    pub blocks: Vec<BlockParallelism>,
    /// All of them together.
    pub totals: ParallelismTotals,
}

/// Of [`GetTimeline`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
    /// Most runs to list, in the order in which they began; the figures are always of the whole block. The node's own limit
    /// if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
}

/// Of [`RecordTimelines`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordTimelinesParams {
    /// Whether to record blocks from now on; nothing changes if absent. What was recorded is forgotten with `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
}

/// Of [`RecordTimelines`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// Whether blocks are recorded.
    pub on: bool,
    /// First block that has a timeline; absent if none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_height: Option<Height>,
    /// The last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_height: Option<Height>,
    /// How many blocks are kept at most.
    pub blocks: usize,
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
