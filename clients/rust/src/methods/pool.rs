//! What waits, and what failed.

use hanse_types::{Hash, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tx::{Submitted, TxParams};
use super::{NoParams, methods};
use crate::codes::{self, ADMISSION};
use crate::text::Bytes;
use crate::views::{FailedTransactionView, FailedView, PoolView, WaitingView};

methods! { POOL:
    /// What waits in the pool.
    GetPool = "pool_status", NoParams => PoolView, fails [];
    /// Transactions that wait or are in a block being made, the oldest first.
    ListPool = "pool_list", ListPoolParams => PoolList, fails [];
    /// A transaction that waits.
    GetWaiting = "pool_get", TxParams => WaitingView, fails [];
    /// Transactions that did not do what they were sent for, the newest first: dropped ones, and ones whose code failed.
    ListFailed = "pool_failed", FailedParams => FailedList, fails [];
    /// One of them, with its bytes.
    GetFailed = "pool_failure", TxParams => FailedTransactionView, fails [];
    /// Tries one of them again: a dropped one as it was, or any by one that is made and signed anew. It is on the disk when
    /// the answer comes. Nothing is done twice by it.
    RetryFailed = "pool_retry", RetryParams => Submitted, only Admin,
        fails [ADMISSION, &[codes::BAD_ARGUMENT, codes::STILL_VALID, codes::REPLACED, codes::OUTCOME_UNKNOWN]];
}

/// Where in the list of failed transactions a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailedCursor {
    /// The block that holds it, or was the newest when it was dropped.
    pub height: Height,
    /// Its rank among those of this height.
    pub rank: u64,
}

/// Of [`ListFailed`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailedParams {
    /// Only those before this place; a former answer's `next` goes on from there. The newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<FailedCursor>,
    /// Most transactions to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`ListFailed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedList {
    /// The transactions, the newest first.
    pub failed: Vec<FailedView>,
    /// Where the list goes on, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<FailedCursor>,
}

/// Of [`RetryFailed`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryParams {
    /// The transaction that failed.
    pub tx_id: Hash,
    /// Canonical bytes of a signed transaction that replaces it: the same call of the same sender. The failed one itself,
    /// as it was, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Bytes>,
}

/// Of [`ListPool`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPoolParams {
    /// Only what came after this one; a former answer's `next` goes on from there. If it has left the pool since, the list
    /// begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Hash>,
    /// Most transactions to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`ListPool`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolList {
    /// The transactions.
    pub transactions: Vec<WaitingView>,
    /// The `after` that goes on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Hash>,
}
