//! Raw state: now, in the past, proven.

use hanse_types::{Address, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;
use crate::codes;
use crate::text::{Bytes, Contract};
use crate::views::StateProof;

methods! { STATE:
    /// The value of a key, now or after a past block, with a proof if asked for.
    GetState = "state_get", StateParams => StateValue,
        fails [&[codes::PRUNED, codes::NO_STATE_PROOFS, codes::TOO_FAR_BACK]];
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
