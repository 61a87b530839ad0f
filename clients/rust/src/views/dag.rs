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
    /// Keys that made transactions wait, the busiest first.
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
}
