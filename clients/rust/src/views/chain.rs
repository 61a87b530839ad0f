//! The chain as a whole.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Gas, Hash, Height, Params, Role, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CertifiedHeader, PoolView};
use crate::text::Bytes;

/// What a client must know of a chain to make transactions for it, and what an operator first asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainInfo {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Binds signatures to this chain.
    pub genesis_hash: Hash,
    /// What it hashes by and its clients sign by.
    pub crypto: CryptoSuite,
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
    /// Milliseconds by which a chain in development has moved its clock ahead of the machine's; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<u64>,
    /// Why the node takes no transactions any more; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Requests that are served at the same time.
    pub requests: usize,
    /// Requests of one client in a second; 0 is no limit.
    pub client_requests: u32,
    /// Transactions that one client submits in a second; 0 is no limit.
    pub client_transactions: u32,
    /// Questions about past states, proofs and whole blocks that are worked on at the same time.
    pub deep_reads: usize,
    /// Simulations and views that run or wait to run.
    pub queries: usize,
    /// Gas of a view.
    pub query_gas: Gas,
    /// Entries of a page: blocks, contracts, names, keys, waiting transactions.
    pub page_entries: usize,
    /// Bytes of keys and values in a page of state.
    pub page_bytes: usize,
    /// Transactions of a block that one answer shows.
    pub block_transactions: usize,
    /// Keys in one request for many.
    pub state_keys: usize,
    /// Events of a page.
    pub events: usize,
    /// Blocks that one page of events looks at.
    pub event_blocks: u64,
    /// Vertices of a DAG that one answer lists.
    pub dag_vertices: usize,
    /// Blocks of one question about several.
    pub dag_blocks: u64,
    /// Runs in one timeline.
    pub timeline_runs: usize,
    /// Calls and steps that are kept of a transaction that is traced,
    pub trace_steps: usize,
    /// and bytes of what they hold.
    pub trace_bytes: usize,
    /// Waiting transactions that a simulation is compared with.
    pub conflicts_looked_at: usize,
}

/// How a chain is doing on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainStatus {
    /// Height of the newest durable block.
    pub height: Height,
    /// Its hash.
    pub block_hash: Hash,
    /// Its time.
    pub block_time: Timestamp,
    /// How blocks are agreed on: `solo` or `bft`.
    pub consensus: String,
    /// Validators that vote on the next block.
    pub validators: u32,
    /// Where they are; absent where one decides alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementView>,
    /// How far this node is in catching up with the others; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncView>,
    /// Proofs that validators are faulty, the oldest first; at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceView>,
    /// What waits.
    pub pool: PoolView,
    /// The oldest height whose access sets and state are left.
    pub oldest_height: Height,
    /// The oldest block that is here, but for the genesis block: 1, unless the node began with a snapshot of the group's.
    pub first_height: Height,
    /// Whether transactions are taken.
    pub running: bool,
    /// Why not, if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Where several validators are on their way to the next block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgreementView {
    /// The height under way.
    pub height: Height,
    /// Its round; above 0, a proposer was silent, slow or faulty. With consensus `raft`, the term.
    pub round: u32,
    /// The step of the round, `propose`, `prevote` or `precommit`; or `leader`, `candidate`, `follower`, `observer`.
    pub step: String,
    /// Who leads the term, as the genesis calls it; absent without consensus `raft`, or while nobody is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Whether this node votes.
    pub votes: bool,
    /// How many other members are connected.
    pub peers: u32,
}

/// How far a node is in catching up with the other members of its group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncView {
    /// How it gets what the others have: `full`, `fast` or `snapshot`.
    pub mode: String,
    /// Getting a snapshot, if the group was opened here without a block to begin with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotFetchView>,
    /// Heights of the snapshots that it has for other members, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Height>,
    /// Whether it is behind and fetches blocks of several members at a time.
    pub active: bool,
    /// The highest block that a member claims to have, if it is above this node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Height>,
    /// Blocks that were fetched and verified, and wait to be run or written.
    pub ready: usize,
    /// Requests that wait for an answer.
    pub asked: usize,
    /// Blocks that were fetched and verified since the node started,
    pub blocks: u64,
    /// those of them that came with their outcomes, which are applied instead of running the block (mode `fast`),
    #[serde(default)]
    pub applied: u64,
    /// and bytes of all of them.
    pub bytes: u64,
    /// Requests since then that were not answered in time.
    pub timeouts: u64,
    /// Members that are asked for nothing at present, as they sent blocks that are not the chain's.
    pub dropped: usize,
    /// What they sent, the oldest first; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lies: Vec<LieView>,
}

/// How far a node is in getting a snapshot from other members of its group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotFetchView {
    /// `asking` (who has one), `fetching`, `importing` (a ledger is made of it), `ready` (the group is opened anew on that), or
    /// `over` (the node has blocks of its own).
    pub stage: String,
    /// The snapshot's height, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// Chunks of it that are here,
    pub kept: u32,
    /// and that it has.
    pub chunks: u32,
    /// Bytes of chunks that were fetched since the group was opened.
    pub bytes: u64,
    /// Requests since then that were not answered in time.
    pub timeouts: u64,
}

/// Something that a member has sent as a block of the chain, and that is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LieView {
    /// What the group calls the member; empty if it is none any more.
    pub name: String,
    /// Its key; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was wrong.
    pub reason: String,
    /// When this node had it.
    pub timestamp: Timestamp,
}

/// A proof that a validator is faulty: it signed two statements that contradict each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceView {
    /// The validator's place in the set.
    pub validator: u32,
    /// What the genesis calls it.
    pub name: String,
    /// The height that both are about.
    pub height: Height,
    /// The round.
    pub round: u32,
    /// The step.
    pub step: String,
    /// When this node had it.
    pub timestamp: Timestamp,
    /// Both statements with their signatures, canonical bytes: anybody with the genesis can check them.
    pub proof: Bytes,
}

/// A chain's parameters at one height.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainParams {
    /// After which block: they hold for the one that follows.
    pub height: Height,
    /// The parameters.
    pub params: Params,
}

/// The members of a group at one height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainMembers {
    /// After which block: they take part from the one that follows.
    pub height: Height,
    /// In the order in which they came; those who seal are the validators, in this order.
    pub members: Vec<MemberView>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Its name.
    pub name: String,
    /// The key of its node, as `ed25519:` and hexadecimal digits.
    pub key: String,
    /// What it does.
    pub role: Role,
}

/// How the office of the validators passed from one set to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandoverView {
    /// The epoch of the new set.
    pub epoch: u64,
    /// The last block of the epoch before, which names the new set.
    pub block: CertifiedHeader,
    /// The new set, in its order.
    pub validators: Vec<ValidatorView>,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatorView {
    /// Its name.
    pub name: String,
    /// Its key, as `ed25519:` and hexadecimal digits.
    pub key: String,
}
