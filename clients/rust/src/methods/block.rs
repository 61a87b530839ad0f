//! Blocks: one, the next, its certificate.

use hanse_types::{Hash, Height, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::methods;
use crate::codes;
use crate::views::{BlockSummary, BlockView, CertifiedHeader, HeaderView};

methods! { BLOCK:
    /// A block, by height, hash or as the newest one, with as much of it as is asked for.
    GetBlock = "block_get", BlockParams => BlockView, fails [&[codes::PRUNED]];
    /// Blocks in short, the newest first.
    ListBlocks = "block_list", ListBlocksParams => BlockList, fails [&[codes::PRUNED]];
    /// A block's header with what shows that it was decided.
    GetCertificate = "block_certificate", CertificateParams => CertifiedHeader, fails [&[codes::PRUNED]];
    /// Waits for the block after a height.
    WaitBlock = "block_wait", WaitBlockParams => WaitedBlock, fails [&[codes::PRUNED]];
}

/// Which block: `"latest"`, a height, or a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockAt {
    /// The newest.
    #[default]
    Latest,
    /// By height.
    Height(Height),
    /// By hash.
    Hash(Hash),
}

/// Why a text names no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no block: write latest, a height, or the 0x… hash of its header")]
pub struct BlockAtError {
    /// What was given.
    pub text: String,
}

impl std::str::FromStr for BlockAt {
    type Err = BlockAtError;

    fn from_str(text: &str) -> Result<Self, BlockAtError> {
        let error = || BlockAtError { text: text.into() };
        match text {
            "latest" => Ok(BlockAt::Latest),
            _ if text.starts_with("0x") => text.parse().map(BlockAt::Hash).map_err(|_| error()),
            _ => text.parse().map(|height| BlockAt::Height(Height(height))).map_err(|_| error()),
        }
    }
}

impl Serialize for BlockAt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            BlockAt::Latest => serializer.serialize_str("latest"),
            BlockAt::Height(height) => height.serialize(serializer),
            BlockAt::Hash(hash) => hash.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BlockAt {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().map_err(serde::de::Error::custom),
            other => match other.as_u64() {
                Some(height) => Ok(BlockAt::Height(Height(height))),
                None => Err(serde::de::Error::custom(BlockAtError { text: other.to_string() })),
            },
        }
    }
}

impl JsonSchema for BlockAt {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BlockAt".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Which block: latest, its height, or the hash of its header.",
            "anyOf": [
                { "const": "latest" },
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^(0x[0-9a-fA-F]{64}|[0-9]+)$" },
            ],
        })
    }
}

/// What of a block to show beside its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockPart {
    /// Its transactions.
    Transactions,
    /// Their receipts.
    Receipts,
    /// Which waits for which.
    Dag,
    /// What each observed and did; until it is pruned.
    RwSets,
}

/// Of [`GetBlock`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
    /// What to show.
    #[serde(default)]
    pub include: Vec<BlockPart>,
    /// The first transaction to show, by its place.
    #[serde(default)]
    pub from: TxIndex,
    /// Most transactions to show; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`GetCertificate`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
}

/// Of [`WaitBlock`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitBlockParams {
    /// The height before the block that is waited for.
    pub after: Height,
    /// Longest wait in milliseconds; the node's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Of [`WaitBlock`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitedBlock {
    /// The block at the height after; absent if it did not come in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderView>,
    /// Ids of its transactions, in block order.
    #[serde(default)]
    pub tx_ids: Vec<Hash>,
    /// How many of them failed.
    #[serde(default)]
    pub failed: u32,
}

/// Of [`ListBlocks`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListBlocksParams {
    /// Only blocks below this height; a former answer's `next` goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Height>,
    /// Most blocks to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`ListBlocks`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockList {
    /// The blocks, the newest first.
    pub blocks: Vec<BlockSummary>,
    /// The `below` that goes on; absent after the genesis block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Height>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_block_is_named_in_three_ways() {
        for (json, at) in [
            (json!("latest"), BlockAt::Latest),
            (json!(7), BlockAt::Height(Height(7))),
            (json!(Hash([3; 32])), BlockAt::Hash(Hash([3; 32]))),
        ] {
            assert_eq!(serde_json::from_value::<BlockAt>(json.clone()).unwrap(), at);
            assert_eq!(serde_json::to_value(at).unwrap(), json);
        }
        assert_eq!("7".parse(), Ok(BlockAt::Height(Height(7))));
        for json in [json!("newest"), json!(-1), json!(1.5), json!("0x12"), json!(null)] {
            assert!(serde_json::from_value::<BlockAt>(json.clone()).is_err(), "{json}");
        }
    }
}
