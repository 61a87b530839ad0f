//! The chain as a whole.

use hanse_types::Height;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};
use crate::codes;
use crate::views::{ChainInfo, ChainParams, ChainStatus};

methods! { CHAIN:
    /// The chain, its newest block, its parameters, and this node's limits.
    GetChainInfo = "chain_info", NoParams => ChainInfo, fails [];
    /// How the chain is doing on this node: its newest block, its pool, whether it takes transactions.
    GetChainStatus = "chain_status", NoParams => ChainStatus, fails [];
    /// The chain's parameters, now or after a past block.
    GetChainParams = "chain_params", AtHeight => ChainParams, fails [&[codes::PRUNED]];
}

/// Of methods that look at the state as a whole.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtHeight {
    /// After which block; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}
