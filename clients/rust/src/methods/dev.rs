//! What a chain in development does at its user's word. No other chain has these methods' effects: there they are refused.

use hanse_types::{Hash, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;
use crate::codes;

methods! { DEV:
    /// Moves the clock of a chain in development ahead: the next block is of the new time, and what expires until then has expired.
    AdvanceTime = "dev_advanceTime", AdvanceTimeParams => ClockAdvanced, fails [&[codes::NOT_DEVELOPMENT]];
    /// Takes a chain in development back to a snapshot of it. Blocks after the snapshot and what waits in the pool are gone; the node answers as the older chain a moment later.
    RevertChain = "dev_revert", RevertParams => Reverting,
        fails [&[codes::NOT_DEVELOPMENT, codes::NOT_FOUND]];
}

/// Of [`AdvanceTime`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvanceTimeParams {
    /// By how many milliseconds.
    pub by_ms: u64,
}

/// Of [`AdvanceTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockAdvanced {
    /// By how many milliseconds the clock is ahead of the machine's now.
    pub clock_ahead_ms: u64,
}

/// Of [`RevertChain`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertParams {
    /// The snapshot's name, as `ledger_info` lists it.
    pub snapshot: String,
}

/// Of [`RevertChain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reverting {
    /// The height to which the chain goes back.
    pub height: Height,
    /// The hash of its block.
    pub block_hash: Hash,
}
