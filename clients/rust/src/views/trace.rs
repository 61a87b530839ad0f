//! What happened inside a transaction.

use hanse_types::{Address, Gas, Hash, Height, Status, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EntryView, EventView, FailureView, KeyView, OutcomeView};
use crate::text::{Bytes, decimal, status_name};

/// A committed transaction that was run again, step by step. A call is named by its place in `calls`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceView {
    /// Which transaction.
    pub tx_id: Hash,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
    /// What it gave now.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// Whether that is what its receipt says, to the unit of gas. If not, the node is at fault.
    pub reproduced: bool,
    /// The receipt's fields that say something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Gas for the transaction itself and for finding its contract; the first call used the rest.
    pub gas_outside: Gas,
    /// The calls, in the order in which they began. The first is the transaction's own, the others were made inside it.
    pub calls: Vec<CallView>,
    /// What happened, in order.
    pub steps: Vec<StepView>,
    /// The call in which the failure began; absent if the transaction succeeded, or failed before its first call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_call: Option<usize>,
    /// Calls and steps beyond what the node keeps of one transaction.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_off: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A call of a contract's method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallView {
    /// The call that made it; absent for the transaction's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// The contract.
    pub contract: Address,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who called it.
    pub caller: Address,
    /// By which door: `call`, `init` or `migrate`.
    pub entry: String,
    /// The method.
    pub method: String,
    /// The arguments' bytes.
    pub args: Bytes,
    /// The arguments by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// How it ended.
    #[serde(with = "status_name")]
    #[schemars(with = "String")]
    pub status: Status,
    /// What it used, the calls inside it included.
    pub gas_used: Gas,
    /// What it returned, or its error's fields.
    pub output: Bytes,
    /// What it returned, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// How it failed, if it did. Whoever called it may have gone on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
}

/// Something that happened in a transaction. What a call did that failed is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// In which call; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<usize>,
    /// What.
    #[serde(flatten)]
    pub did: DidView,
}

/// What can happen in a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum DidView {
    /// A call began.
    Call {
        /// Which.
        began: usize,
    },
    /// A key was read.
    Read {
        /// The key.
        key: KeyView,
        /// What was there; absent if nothing was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Bytes>,
        /// The same, decoded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decoded: Option<Value>,
    },
    /// A key was written, or removed.
    Write {
        /// The key.
        key: KeyView,
        /// The new value; absent if it was removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Bytes>,
        /// The same, decoded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decoded: Option<Value>,
    },
    /// A number was added to without being read.
    Add {
        /// The key.
        key: KeyView,
        /// How much; negative if taken away.
        #[serde(with = "decimal")]
        #[schemars(with = "String")]
        amount: i128,
        /// `done`, `out_of_bounds` or `not_a_number`.
        outcome: String,
    },
    /// A range was read, or a part of one.
    Scan {
        /// First key.
        start: KeyView,
        /// First key after the range.
        end: Bytes,
        /// Whether it was read from its end backwards.
        reverse: bool,
        /// What was found.
        entries: Vec<EntryView>,
    },
    /// An event was emitted.
    Event {
        /// The event.
        event: EventView,
    },
}
