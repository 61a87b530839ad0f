//! How parallel blocks are.

use hanse_types::{Gas, Hash, Height, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KeyView;

/// How parallel a block was, and why not more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The heaviest path from its first transaction on, as far as the node lists it: what no machine can make faster.
    pub critical_path: Vec<PathStep>,
    /// Keys that made transactions wait, the busiest first. None are known where access sets were pruned.
    pub hot_keys: Vec<HotKeyView>,
    /// The transactions in block order, as many as were asked for.
    pub vertices: Vec<VertexView>,
}

/// A key that several transactions touched, at least one of which wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Share of the span that is due to it, from 0 to 1: gas of the transactions on the critical path that waited for this
    /// key.
    pub span_share: f64,
    /// Methods that touched it, as `contract.method`, the most frequent first.
    pub methods: Vec<String>,
    /// What its author could do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<AdviceView>,
}

/// A transaction in a block's DAG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What it calls, as `contract.method`.
    pub call: String,
    /// Gas of the heaviest path that ends here, itself included.
    pub path_gas: Gas,
    /// What it waited for longest; absent if it waits for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<BlockerView>,
}

/// The predecessor that a transaction waits for longest, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockerView {
    /// Its place.
    pub index: TxIndex,
    /// Its id.
    pub tx_id: Hash,
    /// What it calls, as `contract.method`.
    pub call: String,
    /// The key that sets the two in order; absent where access sets were pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyView>,
    /// What the first did with it and then the other: `write then read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// A transaction on the critical path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PathStep {
    /// Its place.
    pub index: TxIndex,
    /// Its id.
    pub tx_id: Hash,
    /// What it calls, as `contract.method`.
    pub call: String,
    /// What it cost.
    pub gas_used: Gas,
    /// The key that made it wait for the one before; absent for the first, and where access sets were pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyView>,
    /// What the one before did with it and then this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// When one node's threads ran the transactions of a block. Times are microseconds since the block's execution began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineView {
    /// The block.
    pub height: Height,
    /// How long its execution took, what the scheduler does between the runs included.
    pub took_us: f64,
    /// Threads that could run transactions.
    pub workers: usize,
    /// Time in runs, of all threads together.
    pub busy_us: f64,
    /// How many runs there were on each occasion.
    pub passes: PassCounts,
    /// The runs in the order in which they began, as many as were asked for.
    pub runs: Vec<RunView>,
    /// Runs beyond those.
    pub left_off: usize,
}

/// How often transactions of a block were run, by [`RunView::pass`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassCounts {
    /// Speculative runs whose results were kept.
    pub kept: usize,
    /// Speculative runs that were for nothing.
    pub wasted: usize,
    /// Runs along the DAG.
    pub ordered: usize,
    /// Runs along the DAG that were stopped.
    pub strayed: usize,
    /// Runs after all others before it.
    pub alone: usize,
}

/// A run of a transaction on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// Which transaction.
    pub index: TxIndex,
    /// Its id.
    pub tx_id: Hash,
    /// Which thread, from 0.
    pub worker: u32,
    /// When it began, in microseconds since the block's execution did.
    pub start_us: f64,
    /// When it ended.
    pub end_us: f64,
    /// On what occasion: `kept` or `wasted`, a speculation whose result holds or does not; `ordered`, after those that it
    /// must follow; `strayed`, the same, stopped because it touched what was not expected; `alone`, after all others.
    pub pass: String,
}

/// What could make a key less hot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdviceView {
    /// A stable name: `add_instead_of_set`, `split`, `read_elsewhere` or `one_sender`.
    pub name: String,
    /// In words.
    pub text: String,
}

/// How parallel a block was. What is marked *local* is of this node, and absent for blocks from before it started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockParallelism {
    /// The block.
    pub height: Height,
    /// Its transactions.
    pub transactions: u64,
    /// Edges of its DAG.
    pub edges: u64,
    /// Gas of all transactions.
    pub work: Gas,
    /// Gas of the heaviest path.
    pub span: Gas,
    /// Work divided by span.
    pub parallelism: f64,
    /// Executions, those for nothing included (local).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<u64>,
    /// Transactions that left the access set under which they were scheduled (local).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strays: Option<u64>,
    /// Microseconds to run it and make its header (local).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_us: Option<u64>,
}

/// Several blocks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParallelismTotals {
    /// Transactions.
    pub transactions: u64,
    /// Gas of all transactions.
    pub work: Gas,
    /// The sum of the blocks' spans.
    pub span: Gas,
    /// Work divided by span.
    pub parallelism: f64,
    /// Executions per transaction, in blocks of which it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions_per_transaction: Option<f64>,
    /// Strays per transaction, in blocks of which it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strays_per_transaction: Option<f64>,
}
