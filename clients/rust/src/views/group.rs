//! The groups that a node has something to do with.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Hash, Height, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MemberView, ValidatorView};

/// A group of a node, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupView {
    /// Its id, its name on the node.
    pub name: String,
    /// Hash of its genesis.
    pub genesis_hash: Hash,
    /// `invited`, `agreed` (signatures of others are missing), `starting`, `running`, `failed`, `stopped` or `left`.
    pub state: String,
    /// Whether it is the group of the node's configuration, which is asked if a request names none.
    pub is_home: bool,
    /// What this node does in it; absent if it is no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How many members it has.
    pub members: usize,
    /// `solo`, `bft` or `raft`.
    pub consensus: String,
    /// The newest durable block; absent while it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// Why it does not run, or takes nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A group of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupDetail {
    /// In short.
    #[serde(flatten)]
    pub group: GroupView,
    /// The chain that it belongs to.
    pub chain_id: String,
    /// What it hashes by and its clients sign by: `standard` or `guomi`.
    pub crypto: CryptoSuite,
    /// `flat` or `merkle`.
    pub state_commitment: String,
    /// Its members: by its newest block while it runs, else those of its genesis.
    pub members_list: Vec<MemberView>,
    /// Validators of the genesis that have not signed it yet.
    pub unsigned: Vec<ValidatorView>,
}
