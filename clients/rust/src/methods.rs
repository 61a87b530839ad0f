//! The RPC methods: names, parameters, answers. Parameters are named; unknown ones are refused, as a typing error must
//! not be taken for a default.
//!
//! A method is a type that implements [`Method`]. The node's server answers exactly those in [`NAMES`].

use hanse_types::{Address, Gas, Hash, Height, TxIndex};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jsonrpc::RpcError;
use crate::text::{Bytes, Contract};
use crate::views::{
    BlockView, CertifiedHeader, ChainInfo, ContractView, DagView, HeaderView, InclusionProof, LedgerView, LocatedEvent,
    LocatedTransaction, PoolView, QueryView, ReceiptView, SimulationView, SnapshotView, StateProof,
};

/// An RPC method.
pub trait Method {
    /// Its name on the wire.
    const NAME: &'static str;
    /// Its named parameters.
    type Params: Serialize + DeserializeOwned + Send + Sync;
    /// Its answer.
    type Answer: Serialize + DeserializeOwned + Send;
}

macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident = $name:literal, $params:ty => $answer:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $method;

            impl Method for $method {
                const NAME: &'static str = $name;
                type Params = $params;
                type Answer = $answer;
            }
        )*

        /// Every method's name.
        pub const NAMES: &[&str] = &[$($name),*];
    };
}

methods! {
    /// The chain, its newest block, its parameters, and this node's limits.
    GetChainInfo = "chain_info", NoParams => ChainInfo;
    /// Sends a transaction, and waits for its receipt if asked to.
    SubmitTx = "tx_submit", SubmitParams => Submitted;
    /// Sends many transactions; each is accepted or refused by itself. Waits for none.
    SubmitBatch = "tx_submitBatch", SubmitBatchParams => BatchSubmitted;
    /// A committed transaction.
    GetTx = "tx_get", TxParams => LocatedTransaction;
    /// A committed transaction's receipt, with a proof if asked for; waits for it if asked to.
    GetReceipt = "tx_receipt", ReceiptParams => ReceiptAnswer;
    /// The proof that a transaction, its receipt or its access set is in its block.
    ProveTx = "tx_proof", ProveTxParams => InclusionProof;
    /// What a call would do if it ran now: outcome, gas, everything it would touch. Changes nothing.
    SimulateTx = "tx_simulate", CallParams => SimulationView;
    /// A block.
    GetBlock = "block_get", BlockParams => BlockView;
    /// A block's header with what shows that it was decided.
    GetCertificate = "block_certificate", CertificateParams => CertifiedHeader;
    /// Waits for the block after a height.
    WaitBlock = "block_wait", WaitBlockParams => WaitedBlock;
    /// A block's DAG, with its figures.
    GetDag = "block_dag", DagParams => DagView;
    /// The value of a key, now or after a past block, with a proof if asked for.
    GetState = "state_get", StateParams => StateValue;
    /// A contract's ABI document.
    GetAbi = "contract_abi", ContractParams => AbiAnswer;
    /// What is recorded of a contract.
    GetContract = "contract_info", ContractParams => ContractView;
    /// Runs a view on the newest state.
    QueryContract = "contract_query", CallParams => QueryView;
    /// What waits in the pool.
    GetPool = "pool_status", NoParams => PoolView;
    /// What the ledger holds, and the snapshots of it.
    GetLedger = "ledger_info", NoParams => LedgerView;
    /// Writes a snapshot of the ledger, which goes on meanwhile, into the node's own folder.
    TakeSnapshot = "ledger_snapshot", SnapshotParams => SnapshotView;
    /// Gives up access sets and past states of old blocks.
    PruneHistory = "ledger_prune", PruneParams => Pruned;
    /// Events of a range of blocks, in order.
    QueryEvents = "event_query", EventParams => Events;
}

/// No parameters.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// What a submission waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// That the pool accepted it.
    Pool,
    /// That it is in a block, which is final.
    #[default]
    Committed,
}

/// Of [`SubmitTx`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    /// Canonical bytes of the signed transaction.
    pub transaction: Bytes,
    /// What to wait for.
    #[serde(default)]
    pub wait: Wait,
    /// Longest wait in milliseconds; the node's default if absent. When it ends first, the error is
    /// [`crate::codes::OUTCOME_UNKNOWN`]: not a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Of [`SubmitTx`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The transaction's id.
    pub tx_id: Hash,
    /// Its receipt, if it was waited for. It may tell of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// Of [`SubmitBatch`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitBatchParams {
    /// Canonical bytes of signed transactions.
    pub transactions: Vec<Bytes>,
}

/// A transaction that was not accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedTx {
    /// Its place in the submission.
    pub index: usize,
    /// Why.
    pub error: RpcError,
}

/// Of [`SubmitBatch`] and of the bulk path: what became of each transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchSubmitted {
    /// How many were accepted.
    pub accepted: usize,
    /// Those that were not, in order.
    pub refused: Vec<RefusedTx>,
}

/// Of [`GetTx`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxParams {
    /// The transaction's id.
    pub tx_id: Hash,
}

/// Of [`GetReceipt`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptParams {
    /// The transaction's id.
    pub tx_id: Hash,
    /// Whether to prove that it is in its block.
    #[serde(default)]
    pub proof: bool,
    /// How long to wait for it, in milliseconds, if it is not there yet.
    #[serde(default)]
    pub timeout_ms: u64,
}

/// Of [`GetReceipt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptAnswer {
    /// The receipt.
    pub receipt: ReceiptView,
    /// Its proof, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<InclusionProof>,
}

/// What of a transaction to prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOf {
    /// The signed transaction.
    #[default]
    Transaction,
    /// Its receipt.
    Receipt,
    /// Its access set, until it is pruned.
    AccessSet,
}

/// Of [`ProveTx`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProveTxParams {
    /// The transaction's id.
    pub tx_id: Hash,
    /// What to prove.
    #[serde(default)]
    pub of: ProofOf,
}

/// Of [`SimulateTx`] and [`QueryContract`].
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// Which block: `"latest"`, a height, or a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockAt {
    /// The newest.
    #[default]
    Latest,
    /// By height.
    Height(Height),
    /// By hash.
    Hash(Hash),
}

/// Why a text names no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no block: write latest, a height, or the 0x… hash of its header")]
pub struct BlockAtError {
    /// What was given.
    pub text: String,
}

impl std::str::FromStr for BlockAt {
    type Err = BlockAtError;

    fn from_str(text: &str) -> Result<Self, BlockAtError> {
        let error = || BlockAtError { text: text.into() };
        match text {
            "latest" => Ok(BlockAt::Latest),
            _ if text.starts_with("0x") => text.parse().map(BlockAt::Hash).map_err(|_| error()),
            _ => text.parse().map(|height| BlockAt::Height(Height(height))).map_err(|_| error()),
        }
    }
}

impl Serialize for BlockAt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            BlockAt::Latest => serializer.serialize_str("latest"),
            BlockAt::Height(height) => height.serialize(serializer),
            BlockAt::Hash(hash) => hash.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BlockAt {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().map_err(serde::de::Error::custom),
            other => match other.as_u64() {
                Some(height) => Ok(BlockAt::Height(Height(height))),
                None => Err(serde::de::Error::custom(BlockAtError { text: other.to_string() })),
            },
        }
    }
}

/// What of a block to show beside its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockPart {
    /// Its transactions.
    Transactions,
    /// Their receipts.
    Receipts,
}

/// Of [`GetBlock`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
    /// What to show.
    #[serde(default)]
    pub include: Vec<BlockPart>,
}

/// Of [`GetCertificate`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
}

/// Of [`WaitBlock`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitBlockParams {
    /// The height before the block that is waited for.
    pub after: Height,
    /// Longest wait in milliseconds; the node's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Of [`WaitBlock`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitedBlock {
    /// The block at the height after; absent if it did not come in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderView>,
    /// Ids of its transactions, in block order.
    #[serde(default)]
    pub tx_ids: Vec<Hash>,
    /// How many of them failed.
    #[serde(default)]
    pub failed: u32,
}

/// Of [`GetDag`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DagParams {
    /// Which block.
    #[serde(default)]
    pub at: BlockAt,
    /// Most vertices to list; the figures are always of the whole block.
    #[serde(default)]
    pub vertices: usize,
}

/// Of [`GetState`].
#[derive(Clone, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Of [`GetAbi`] and [`GetContract`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractParams {
    /// The contract.
    pub contract: Contract,
}

/// Of [`GetAbi`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbiAnswer {
    /// The document; see `hanse_abi::document`.
    pub abi: Value,
}

/// Of [`TakeSnapshot`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotParams {
    /// Its name: lower-case letters, digits and `-`. Made of the newest block's height if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Of [`PruneHistory`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneParams {
    /// The oldest height that keeps its history; the newest block always does.
    pub below: Height,
}

/// Of [`PruneHistory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The oldest height whose access sets and state are left.
    pub oldest_height: Height,
}

/// Where in the chain a reader of events is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCursor {
    /// The next block to look at.
    pub height: Height,
    /// The next transaction in it.
    #[serde(default)]
    pub index: TxIndex,
    /// The next of the transaction's events.
    #[serde(default)]
    pub event: u32,
}

/// Of [`QueryEvents`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventParams {
    /// Only of this contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Only of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only with this first topic, as bytes; needs contract and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Bytes>,
    /// Where to begin; a former answer's `next` goes on from there.
    #[serde(default)]
    pub from: EventCursor,
    /// The last block to look at; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_height: Option<Height>,
    /// Most events to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`QueryEvents`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// The events, in the chain's order.
    pub events: Vec<LocatedEvent>,
    /// Where to go on.
    pub next: EventCursor,
    /// Whether everything up to `to_height` has been looked at.
    pub complete: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_parameter_is_refused() {
        let error = serde_json::from_value::<DagParams>(json!({ "at": 3, "vertexes": 4 })).unwrap_err();
        assert!(error.to_string().contains("vertexes"), "{error}");
    }

    #[test]
    fn a_block_is_named_in_three_ways() {
        for (json, at) in [
            (json!("latest"), BlockAt::Latest),
            (json!(7), BlockAt::Height(Height(7))),
            (json!(Hash([3; 32])), BlockAt::Hash(Hash([3; 32]))),
        ] {
            assert_eq!(serde_json::from_value::<BlockAt>(json.clone()).unwrap(), at);
            assert_eq!(serde_json::to_value(at).unwrap(), json);
        }
        assert_eq!("7".parse(), Ok(BlockAt::Height(Height(7))));
        for json in [json!("newest"), json!(-1), json!(1.5), json!("0x12"), json!(null)] {
            assert!(serde_json::from_value::<BlockAt>(json.clone()).is_err(), "{json}");
        }
    }
}
