//! Raw state: now, in the past, proven.

use hanse_types::{Address, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chain::AtHeight;
use super::methods;
use crate::codes;
use crate::text::{Bytes, Contract};
use crate::views::{EntryView, StateProof, StateRoot};

methods! { STATE:
    /// The value of a key, now or after a past block, with a proof if asked for.
    GetState = "state_get", StateParams => StateValue,
        fails [&[codes::PRUNED, codes::NO_STATE_PROOFS, codes::TOO_FAR_BACK]];
    /// The values of many keys of a contract at one moment.
    GetStates = "state_getMany", StatesParams => StateValues, fails [&[codes::PRUNED, codes::TOO_LARGE]];
    /// A contract's keys and values, in the order of the keys' bytes.
    GetStateRange = "state_range", StateRangeParams => StateRange, fails [&[codes::PRUNED]];
    /// The commitment to the whole state, now or after a past block.
    GetStateRoot = "state_root", AtHeight => StateRoot, fails [];
}

/// Of [`GetState`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateParams {
    /// The contract. A name is looked up at the same height.
    pub contract: Contract,
    /// The contract's own key.
    pub key: Bytes,
    /// After which block; the newest if absent. Fails with [`crate::codes::PRUNED`] where history has been given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// Whether to prove the value, or that there is none. Fails with [`crate::codes::NO_STATE_PROOFS`] in a group whose
    /// state commitment is flat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proof: bool,
}

/// Of [`GetState`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateValue {
    /// The value, absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    /// After which block.
    pub height: Height,
    /// The address of the contract, which is what a proof is about.
    pub address: Address,
    /// The proof, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<StateProof>,
}

/// Of [`GetStates`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatesParams {
    /// The contract.
    pub contract: Contract,
    /// The contract's own keys.
    pub keys: Vec<Bytes>,
    /// After which block; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}

/// Of [`GetStates`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateValues {
    /// The values, in the order of the keys; `null` where there is none.
    pub values: Vec<Option<Bytes>>,
    /// After which block.
    pub height: Height,
    /// The address of the contract.
    pub address: Address,
}

/// Of [`GetStateRange`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateRangeParams {
    /// The contract.
    pub contract: Contract,
    /// Only keys that start with this.
    #[serde(default)]
    pub prefix: Bytes,
    /// The first key; a former answer's `next` goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Bytes>,
    /// Most entries to give; the node's own limit if absent. A page also ends when it has grown large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// After which block; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}

/// Of [`GetStateRange`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateRange {
    /// Keys and values.
    pub entries: Vec<EntryView>,
    /// The key that goes on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Bytes>,
    /// After which block.
    pub height: Height,
    /// The address of the contract.
    pub address: Address,
}
