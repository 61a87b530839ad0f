//! The chain as a whole.

use hanse_types::Height;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};
use crate::codes;
use crate::views::{ChainInfo, ChainMembers, ChainParams, ChainStatus, HandoverView};

methods! { CHAIN:
    /// The chain, its newest block, its parameters, and this node's limits.
    GetChainInfo = "chain_info", NoParams => ChainInfo, fails [];
    /// How the chain is doing on this node: its newest block, its pool, whether it takes transactions.
    GetChainStatus = "chain_status", NoParams => ChainStatus, fails [];
    /// The chain's parameters, now or after a past block.
    GetChainParams = "chain_params", AtHeight => ChainParams, fails [&[codes::PRUNED]];
    /// The members of the group with their roles, now or after a past block.
    GetMembers = "chain_members", AtHeight => ChainMembers, fails [&[codes::PRUNED]];
    /// How the office of the validators passed from set to set: what leads from the genesis to those who decide now.
    GetHandovers = "chain_handovers", HandoversParams => Handovers, fails [];
}

/// Of methods that look at the state as a whole.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtHeight {
    /// After which block; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}

/// Of [`GetHandovers`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoversParams {
    /// The first epoch whose beginning is wanted; the validators of epoch 0 are those of the genesis.
    #[serde(default)]
    pub from: u64,
    /// Most to be given, up to `page_entries` of the node's limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`GetHandovers`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handovers {
    /// In the order of their epochs, without a gap.
    pub handovers: Vec<HandoverView>,
    /// The epoch to go on with; absent if there is no further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
