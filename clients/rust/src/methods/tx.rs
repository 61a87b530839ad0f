//! Transactions: submitted, looked at, proven, simulated.

use hanse_types::Hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::CallParams;
use super::methods;
use crate::codes::{self, ADMISSION};
use crate::jsonrpc::RpcError;
use crate::text::Bytes;
use crate::views::{
    InclusionProof, LocatedTransaction, ReceiptView, SimulationView, TraceView, TxAccess, TxStatusView,
};

methods! { TX:
    /// Sends a transaction, and waits for its receipt if asked to. A receipt of a transaction that failed is an answer,
    /// not an error.
    SubmitTx = "tx_submit", SubmitParams => Submitted, fails [ADMISSION, &[codes::OUTCOME_UNKNOWN]];
    /// Sends many transactions; each is accepted or refused by itself. Waits for no block.
    SubmitMany = "tx_submitMany", SubmitManyParams => ManySubmitted, fails [&[codes::TOO_LARGE]];
    /// What became of a transaction: whether it waits, is committed, or was dropped, and why.
    GetTxStatus = "tx_status", TxParams => TxStatusView, fails [];
    /// A committed transaction.
    GetTx = "tx_get", TxParams => LocatedTransaction, fails [];
    /// A committed transaction's receipt, with a proof if asked for; waits for it if asked to.
    GetReceipt = "tx_receipt", ReceiptParams => ReceiptAnswer, fails [&[codes::EXPIRED, codes::ENGINE_FAILED, codes::REFUSED]];
    /// Waits until a transaction is in a block. The end of the wait is no failure of the transaction.
    WaitTx = "tx_wait", WaitTxParams => ReceiptView,
        fails [&[codes::EXPIRED, codes::ENGINE_FAILED, codes::REFUSED, codes::OUTCOME_UNKNOWN]];
    /// What a committed transaction observed and did, key by key.
    GetRwSet = "tx_rwset", TxParams => TxAccess, fails [&[codes::PRUNED]];
    /// Runs a committed transaction again on the state before it, and tells its calls, and what they read, wrote and emitted,
    /// in the order in which it happened.
    TraceTx = "tx_trace", TxParams => TraceView,
        fails [&[codes::PRUNED, codes::TOO_FAR_BACK, codes::GROUP_STOPPED]];
    /// The proof that a transaction, its receipt or its access set is in its block.
    ProveTx = "tx_proof", ProveTxParams => InclusionProof, fails [&[codes::PRUNED]];
    /// What a call would do if it ran now: outcome, gas, events, everything it would touch, and which waiting transactions
    /// that would set it in order with. Changes nothing.
    SimulateTx = "tx_simulate", CallParams => SimulationView,
        fails [&[codes::BAD_ARGUMENT, codes::NO_ABI, codes::GROUP_STOPPED]];
}

/// What a submission waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// That the pool accepted it, in memory: a crash of the node may lose it.
    None,
    /// That the pool accepted it, and it is on the node's disk: it outlives a crash.
    Pool,
    /// That it is in a block, which is final.
    #[default]
    Committed,
}

/// Of [`SubmitTx`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submitted {
    /// The transaction's id.
    pub tx_id: Hash,
    /// Its receipt, if it was waited for. It may tell of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// Of [`SubmitMany`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitManyParams {
    /// Canonical bytes of signed transactions.
    pub transactions: Vec<Bytes>,
    /// What to wait for.
    #[serde(default)]
    pub wait: WaitMany,
}

/// What a submission of many waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitMany {
    /// That the pool accepted or refused each, in memory: a crash of the node may lose what it accepted.
    None,
    /// That what the pool accepted is on the node's disk: it outlives a crash.
    #[default]
    Pool,
}

impl WaitMany {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            WaitMany::None => "none",
            WaitMany::Pool => "pool",
        }
    }
}

/// A transaction that was not accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedTx {
    /// Its place in the submission.
    pub index: usize,
    /// Why.
    pub error: RpcError,
}

/// Of [`SubmitMany`] and of the bulk path: what became of each transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ManySubmitted {
    /// How many were accepted.
    pub accepted: usize,
    /// Those that were not, in order.
    pub refused: Vec<RefusedTx>,
}

/// Of [`GetTx`] and others.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TxParams {
    /// The transaction's id.
    pub tx_id: Hash,
}

/// Of [`GetReceipt`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptAnswer {
    /// The receipt.
    pub receipt: ReceiptView,
    /// Its proof, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<InclusionProof>,
}

/// What of a transaction to prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveTxParams {
    /// The transaction's id.
    pub tx_id: Hash,
    /// What to prove.
    #[serde(default)]
    pub of: ProofOf,
}

/// Of [`WaitTx`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitTxParams {
    /// The transaction's id.
    pub tx_id: Hash,
    /// Longest wait in milliseconds; the node's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}
