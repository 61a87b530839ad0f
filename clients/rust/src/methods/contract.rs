//! Contracts: what they offer, what their views answer.

use hanse_types::{Address, Gas};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::methods;
use crate::codes::{self, EXECUTION};
use crate::text::Contract;
use crate::views::{ContractView, QueryView};

methods! { CONTRACT:
    /// What is recorded of a contract.
    GetContract = "contract_get", ContractParams => ContractView, fails [];
    /// A contract's ABI document.
    GetAbi = "contract_abi", ContractParams => AbiAnswer, fails [&[codes::NO_ABI]];
    /// Runs a view on the newest state.
    QueryContract = "contract_query", CallParams => QueryView,
        fails [EXECUTION, &[codes::BAD_ARGUMENT, codes::NO_ABI, codes::GROUP_STOPPED]];
}

/// Of [`SimulateTx`] and [`QueryContract`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallParams {
    /// The contract.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// The arguments: an object by name or an array in order, encoded by the ABI, or the Borsh bytes as `0x…`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub args: Value,
    /// In whose name it runs; nobody's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Address>,
    /// The most gas; what the chain allows if absent. A query always has the node's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<Gas>,
}

/// Of [`GetAbi`] and [`GetContract`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractParams {
    /// The contract.
    pub contract: Contract,
}

/// Of [`GetAbi`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AbiAnswer {
    /// The document; see `hanse_abi::document`.
    pub abi: Value,
}
