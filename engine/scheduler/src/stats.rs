//! What running a block took, and how parallel it is.

use hanse_types::{Dag, Execution};

/// Figures of one block. Those marked *local* depend on how this node went about it, not on the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions.
    pub transactions: usize,
    /// Executions, speculative ones and strays' stopped ones included (local).
    pub executions: usize,
    /// Transactions that left the access set under which they were scheduled (local).
    pub strays: usize,
    /// Edges of the DAG.
    pub edges: usize,
    /// Gas of all transactions.
    pub work: u64,
    /// Gas along the DAG's costliest path.
    pub span: u64,
}

impl Stats {
    /// Figures of a block of these executions under this DAG.
    pub fn of(dag: &Dag, executions: &[Execution]) -> Stats {
        let cost = |vertex: usize| executions[vertex].gas_used.0.max(1);
        Stats {
            transactions: executions.len(),
            edges: dag.edge_count(),
            work: (0..executions.len()).map(cost).fold(0, u64::saturating_add),
            span: span(dag, cost),
            ..Stats::default()
        }
    }

    /// The most parallelism that any machine can get from the block.
    pub fn work_over_span(&self) -> f64 {
        if self.span == 0 { 1.0 } else { self.work as f64 / self.span as f64 }
    }
}

/// Cost of the costliest path, where a vertex has this cost.
pub fn span(dag: &Dag, cost: impl Fn(usize) -> u64) -> u64 {
    let mut ends = vec![0u64; dag.len()];
    for vertex in 0..dag.len() {
        let before = dag.predecessors(vertex).iter().map(|other| ends[*other as usize]).max().unwrap_or(0);
        ends[vertex] = before.saturating_add(cost(vertex));
    }
    ends.into_iter().max().unwrap_or(0)
}
