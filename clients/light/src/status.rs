//! How a light node is doing, for people and programs.

use hanse_client::methods::{Method, NoParams};
use hanse_types::{Hash, Height, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chain::Fork;

/// The method by which a light node tells it.
#[derive(Clone, Copy, Debug)]
pub struct GetLightStatus;

impl Method for GetLightStatus {
    const NAME: &'static str = "light_status";
    const ABOUT: &'static str = "How far a light node has followed the chain, and what it thinks of its nodes.";
    const ERRORS: &'static [&'static [hanse_client::ErrorCode]] = &[];
    type Params = NoParams;
    type Answer = LightStatus;
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LightStatus {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Its genesis.
    pub genesis_hash: Hash,
    /// Height of the newest header; 0 before the first.
    pub height: Height,
    /// Its hash; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<Hash>,
    /// Its time; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_time: Option<Timestamp>,
    /// The epoch up to which the validators are known.
    pub epoch: u64,
    /// What it thinks of its nodes, in the order in which they were named.
    pub nodes: Vec<NodeStanding>,
    /// What following took since the start.
    pub figures: Figures,
    /// The fork that ended all trust; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// What following took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Headers that were checked.
    pub headers: u64,
    /// Bytes of them and their certificates.
    pub bytes: u64,
    /// Microseconds that checking them took.
    pub check_us: u64,
}

/// What is thought of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeStanding {
    /// Its address.
    pub url: String,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
}

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// What it last said was true.
    Good {
        /// The newest block that it showed.
        height: Height,
    },
    /// It is true, but behind.
    Lagging {
        /// The newest block that it showed.
        height: Height,
    },
    /// It gave no answer.
    Away {
        /// What was seen.
        reason: String,
    },
    /// What it last said was not true, or not what was asked for.
    Lying {
        /// What it said.
        reason: String,
    },
}
