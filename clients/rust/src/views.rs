//! Values as RPC shows them.
//!
//! The chain's own counters (heights, gas, milliseconds) are JSON numbers; they stay below 2⁵³. Numbers of contract
//! data and nonces are decimal strings. Bytes are `0x…`. What a contract's ABI explains is decoded beside the raw
//! bytes; where there is no ABI, or it does not fit, the decoded field is absent. A reader must ignore fields that it
//! does not know.

use hanse_types::{Address, Gas, Hash, Height, Params, Status, Timestamp, TxIndex};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{Bytes, Contract, decimal, status_name};

/// What a client must know of a chain to make transactions for it, and what an operator first asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChainInfo {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Binds signatures to this chain.
    pub genesis_hash: Hash,
    /// Height of the newest block.
    pub height: Height,
    /// Its hash.
    pub block_hash: Hash,
    /// Its time.
    pub block_time: Timestamp,
    /// Parameters in force.
    pub params: Params,
    /// The node's version.
    pub node_version: String,
    /// What one request may hold.
    pub limits: RequestLimits,
    /// Why the node takes no transactions any more; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestLimits {
    /// Bytes of a JSON request.
    pub body_bytes: usize,
    /// Bytes of a bulk submission.
    pub bulk_bytes: usize,
    /// Requests in one JSON-RPC batch.
    pub batch_requests: usize,
    /// Transactions in one bulk submission.
    pub bulk_transactions: usize,
    /// Longest wait for an outcome, in milliseconds.
    pub wait_ms: u64,
}

/// A block's header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderView {
    /// Hash of the header.
    pub hash: Hash,
    /// Position in the chain.
    pub height: Height,
    /// Hash of the block before.
    pub parent: Hash,
    /// When it was proposed.
    pub timestamp: Timestamp,
    /// Number of transactions.
    pub tx_count: u32,
    /// Gas of all transactions.
    pub gas_used: Gas,
    /// Index of the proposer in the validator set.
    pub proposer: u32,
    /// Root of the transactions.
    pub tx_root: Hash,
    /// Root of the receipts.
    pub receipt_root: Hash,
    /// Root of the access sets.
    pub rw_set_root: Hash,
    /// Digest of the DAG.
    pub dag_digest: Hash,
    /// Commitment to the state after the block.
    pub state_root: Hash,
    /// The canonical bytes, for proofs.
    pub encoded: Bytes,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockView {
    /// The header.
    pub header: HeaderView,
    /// Transactions in block order, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<TransactionView>>,
    /// Their receipts, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<ReceiptView>>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionView {
    /// Its identity.
    pub tx_id: Hash,
    /// Who signed it.
    pub sender: Address,
    /// The signing key, with its algorithm.
    pub public_key: String,
    /// The contract, as the transaction names it.
    pub contract: Contract,
    /// The method.
    pub method: String,
    /// The arguments' bytes.
    pub args: Bytes,
    /// The arguments by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The client's random number.
    #[serde(with = "decimal")]
    pub nonce: u64,
    /// The most gas that it may use.
    pub gas_limit: Gas,
    /// When it was made.
    pub timestamp: Timestamp,
    /// When it expires.
    pub expiration: Timestamp,
    /// Height of its reference block.
    pub ref_height: Height,
    /// The client's own id.
    pub business_id: Bytes,
}

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocatedTransaction {
    /// The transaction.
    pub transaction: TransactionView,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
}

/// How code that ran failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureView {
    /// The error code of [`crate::codes`]: 3000 plus the status.
    pub code: i32,
    /// What happened, in one sentence, by the ABI's own words where it has some.
    pub text: String,
    /// The contract in which it happened.
    pub failed_in: Address,
    /// A contract's own error: its number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// its name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// and its fields by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
}

/// What running a call gave, whether in a block or for a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeView {
    /// How it ended.
    #[serde(with = "status_name")]
    pub status: Status,
    /// What it cost.
    pub gas_used: Gas,
    /// What the method returned, or the error's fields.
    pub output: Bytes,
    /// What the method returned, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// How it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// What it emitted.
    pub events: Vec<EventView>,
}

/// A receipt: what a transaction did, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptView {
    /// Which transaction.
    pub tx_id: Hash,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
    /// What it did.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// Digest of its access set.
    pub rw_set: Hash,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// Who emitted it.
    pub contract: Address,
    /// Its name.
    pub name: String,
    /// The indexed fields' bytes.
    pub topics: Vec<Bytes>,
    /// The other fields' bytes.
    pub data: Bytes,
    /// All fields by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
}

/// An event and where it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocatedEvent {
    /// In which block.
    pub height: Height,
    /// By which transaction, by place
    pub index: TxIndex,
    /// and by id.
    pub tx_id: Hash,
    /// Which of the transaction's events, from 0.
    pub event_index: u32,
    /// The event.
    #[serde(flatten)]
    pub event: EventView,
}

/// A block's header with what shows that its validators decided it: see [`crate::proof::Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedHeader {
    /// The header, canonical bytes.
    pub header: Bytes,
    /// The certificate, canonical bytes. Of the genesis block: without signatures.
    pub certificate: Bytes,
}

/// A proof that something is in a block: see [`crate::proof`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The block's header.
    #[serde(flatten)]
    pub block: CertifiedHeader,
    /// What is proven to be in the block, canonical bytes: a signed transaction, a receipt or an access set.
    pub content: Bytes,
    /// Its place.
    pub index: TxIndex,
    /// The digests beside the path to the header's root, from the bottom up.
    pub path: Vec<Hash>,
}

/// A proof that a key has a value, or has none, after a block: see [`crate::proof`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// The block's header.
    #[serde(flatten)]
    pub block: CertifiedHeader,
    /// The key's way through the state's tree, canonical bytes of `hanse_state::commitment::Proof`.
    pub path: Bytes,
}

/// A state key, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyView {
    /// The contract that it belongs to.
    pub contract: Address,
    /// The contract's own key.
    pub key: Bytes,
    /// The storage field, as far as the key shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What a transaction observed and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessView {
    /// Keys that were read.
    pub reads: Vec<KeyView>,
    /// Ranges that were scanned.
    pub ranges: Vec<RangeView>,
    /// Keys that were written.
    pub writes: Vec<KeyView>,
    /// Keys that were added to without being read.
    pub adds: Vec<KeyView>,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeView {
    /// First key.
    pub start: KeyView,
    /// First key after the range.
    pub end: Bytes,
}

/// What a transaction would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulationView {
    /// On top of which block.
    pub height: Height,
    /// What it would give.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// What it would touch.
    pub access: AccessView,
}

/// What a view returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryView {
    /// The bytes.
    pub output: Bytes,
    /// Decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What it would have cost in a transaction.
    pub gas_used: Gas,
}

/// How parallel a block was, and why not more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DagView {
    /// The block.
    pub height: Height,
    /// Its transactions.
    pub transactions: u32,
    /// How often one waits for another.
    pub edges: u64,
    /// Gas of all transactions: the time that one core needs.
    pub work: Gas,
    /// Gas of the heaviest path: the time that enough cores need.
    pub span: Gas,
    /// Work divided by span: how many cores could be busy.
    pub parallelism: f64,
    /// Transactions on the longest path.
    pub depth: u32,
    /// Transactions that wait for nobody.
    pub roots: u32,
    /// Bytes of the DAG in the block.
    pub encoded_bytes: u64,
    /// Keys that made transactions wait, the busiest first.
    pub hot_keys: Vec<HotKeyView>,
    /// The transactions in block order, as many as were asked for.
    pub vertices: Vec<VertexView>,
}

/// A key that several transactions touched, at least one of which wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotKeyView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// Transactions that read it.
    pub readers: u32,
    /// Transactions that wrote it.
    pub writers: u32,
    /// Transactions that added to it without reading it: these don't wait for each other.
    pub adders: u32,
}

/// A transaction in a block's DAG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VertexView {
    /// Its place.
    pub index: TxIndex,
    /// Its id.
    pub tx_id: Hash,
    /// What it cost.
    pub gas_used: Gas,
    /// Transactions it waits for.
    pub predecessors: Vec<TxIndex>,
    /// Transactions on the longest path that ends here, itself included.
    pub depth: u32,
}

/// What is in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// Transactions that wait for a block.
    pub waiting: usize,
    /// Transactions in blocks that are being made.
    pub sealed: usize,
    /// Canonical bytes of all of them.
    pub bytes: usize,
    /// Committed transactions that are remembered against duplicates.
    pub remembered: usize,
}

/// What a node's ledger holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerView {
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Transactions of all blocks.
    pub transactions: u64,
    /// The oldest height whose access sets and state are left.
    pub oldest_height: Height,
    /// Bytes of its tables on disk.
    pub disk_bytes: u64,
    /// Its snapshots on this node, the oldest first.
    pub snapshots: Vec<SnapshotView>,
}

/// A snapshot of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// Its name.
    pub name: String,
    /// Its folder on the node's machine.
    pub path: String,
    /// Its newest block,
    pub height: Height,
    /// that block's hash,
    pub block_hash: Hash,
    /// and the state root of that block.
    pub state_root: Hash,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractView {
    /// Its address.
    pub address: Address,
    /// The name it was deployed under.
    pub name: String,
    /// What was deployed; absent for a native contract, which is part of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<DeployedView>,
}

/// A contract that was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeployedView {
    /// Who may upgrade it.
    pub owner: Address,
    /// Version of its code, from 1.
    pub version: u32,
    /// Hash of its code.
    pub code_hash: Hash,
    /// `active`, `frozen` or `revoked`.
    pub status: String,
    /// Height at which it was deployed.
    pub deployed_at: Height,
    /// Height at which it was last upgraded.
    pub upgraded_at: Height,
}
