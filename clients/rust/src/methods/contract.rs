//! Contracts: what they offer, what their views answer.

use hanse_types::{Address, Gas, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::methods;
use crate::codes::{self, EXECUTION};
use crate::text::{Bytes, Contract};
use crate::views::{ContractView, EntryView, QueryView, StorageFieldView, UnsignedView};

methods! { CONTRACT:
    /// All contracts in the order of their addresses, those of the chain itself first.
    ListContracts = "contract_list", ListContractsParams => ContractList, fails [];
    /// What is recorded of a contract.
    GetContract = "contract_get", ContractParams => ContractView, fails [];
    /// A contract's ABI document.
    GetAbi = "contract_abi", ContractParams => AbiAnswer, fails [&[codes::NO_ABI]];
    /// What a contract keeps, decoded by its ABI: all of it, one field, or one element of a field.
    GetStorage = "contract_storage", StorageParams => StoragePage,
        fails [&[codes::BAD_ARGUMENT, codes::NO_ABI, codes::PRUNED]];
    /// The unsigned transaction that calls a method. The node signs nothing.
    BuildCall = "contract_call", CallContractParams => UnsignedView, fails [&[codes::BAD_ARGUMENT, codes::NO_ABI]];
    /// The unsigned transaction that deploys a contract. The node signs nothing.
    BuildDeploy = "contract_deploy", DeployParams => UnsignedView,
        fails [&[codes::BAD_ARGUMENT, codes::INVALID_CODE]];
    /// The unsigned transaction that replaces a contract's code.
    BuildUpgrade = "contract_upgrade", UpgradeParams => UnsignedView,
        fails [&[codes::BAD_ARGUMENT, codes::INVALID_CODE]];
    /// The unsigned transaction after which nobody can call a contract until it is unfrozen.
    BuildFreeze = "contract_freeze", ChangeContractParams => UnsignedView, fails [];
    /// The unsigned transaction after which a frozen contract can be called again.
    BuildUnfreeze = "contract_unfreeze", ChangeContractParams => UnsignedView, fails [];
    /// The unsigned transaction after which nobody can call a contract ever again.
    BuildRevoke = "contract_revoke", ChangeContractParams => UnsignedView, fails [];
    /// Runs a view on the newest state.
    QueryContract = "contract_query", CallParams => QueryView,
        fails [EXECUTION, &[codes::BAD_ARGUMENT, codes::NO_ABI, codes::GROUP_STOPPED]];
}

/// Of [`SimulateTx`](super::SimulateTx) and [`QueryContract`].
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

/// Of [`ListContracts`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListContractsParams {
    /// Only contracts after this one; a former answer's `next` goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Address>,
    /// Most contracts to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`ListContracts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContractList {
    /// The contracts.
    pub contracts: Vec<ContractView>,
    /// The `after` that goes on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Address>,
}

/// Of [`GetStorage`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageParams {
    /// The contract.
    pub contract: Contract,
    /// Only this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Only this element of the field, as JSON by the ABI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<Value>,
    /// The first key; a former answer's `next` goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Bytes>,
    /// Most entries to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// After which block; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}

/// Of [`GetStorage`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoragePage {
    /// The fields that the contract's ABI names.
    pub fields: Vec<StorageFieldView>,
    /// What is stored, in the order of the keys' bytes.
    pub entries: Vec<EntryView>,
    /// The key that goes on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Bytes>,
    /// After which block.
    pub height: Height,
}

/// Of [`BuildCall`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallContractParams {
    /// Who will sign.
    pub sender: Address,
    /// The contract.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// The arguments: an object by name or an array in order, encoded by the ABI, or the Borsh bytes as `0x…`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub args: Value,
    /// The most gas; what the chain allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<Gas>,
    /// How long the transaction lives, in milliseconds; the client library's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
}

/// Of [`BuildDeploy`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployParams {
    /// Who will sign and own the contract.
    pub sender: Address,
    /// The name to deploy it under.
    pub name: String,
    /// The module.
    pub code: Bytes,
    /// Arguments of its init method: an object or an array by the module's ABI, or Borsh bytes as `0x…`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub args: Value,
    /// The most gas; what the chain allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<Gas>,
    /// How long the transaction lives, in milliseconds; the client library's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
}

/// Of [`BuildUpgrade`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeParams {
    /// Who will sign: the contract's owner.
    pub sender: Address,
    /// The contract.
    pub contract: Contract,
    /// The new module.
    pub code: Bytes,
    /// Arguments of its migrate method: an object or an array by the module's ABI, or Borsh bytes as `0x…`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub args: Value,
    /// The most gas; what the chain allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<Gas>,
    /// How long the transaction lives, in milliseconds; the client library's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
}

/// Of [`BuildFreeze`], [`BuildUnfreeze`] and [`BuildRevoke`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeContractParams {
    /// Who will sign: the contract's owner, or an administrator.
    pub sender: Address,
    /// The contract.
    pub contract: Contract,
    /// The most gas; what the chain allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<Gas>,
    /// How long the transaction lives, in milliseconds; the client library's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
}
