//! The ledger as an operator sees it: figures, snapshots, pruning.

use hanse_types::Height;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};
use crate::codes;
use crate::views::{LedgerView, SnapshotView};

methods! { LEDGER:
    /// What the ledger holds, and the snapshots of it.
    GetLedger = "ledger_info", NoParams => LedgerView, fails [];
    /// Writes a snapshot of the ledger, which goes on meanwhile, into the node's own folder.
    TakeSnapshot = "ledger_snapshot", SnapshotParams => SnapshotView, only Admin, fails [&[codes::EXISTS]];
    /// Gives up access sets and past states of old blocks. Blocks, transactions and receipts stay, and their proofs hold.
    PruneHistory = "ledger_prune", PruneParams => Pruned, only Admin, fails [];
}

/// Of [`TakeSnapshot`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotParams {
    /// Its name: lower-case letters, digits and `-`. Made of the newest block's height if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Of [`PruneHistory`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneParams {
    /// The oldest height that keeps its history; the newest block always does.
    pub below: Height,
}

/// Of [`PruneHistory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// The oldest height whose access sets and state are left.
    pub oldest_height: Height,
}
