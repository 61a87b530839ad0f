//! How parallel a block was, and why not more.
//!
//! Work and span are those of the DAG with each transaction's gas as its cost. What a transaction waits for is the
//! predecessor at the end of the heaviest path; why, is the key that both touch ([`joins`]). The keys that cost most are
//! found by how many pairs of transactions they set in order, with the share of the span that is due to them ([`hot`]).
//!
//! It knows blocks as the ledger keeps them, and nothing of how they were run.

mod block;
mod hot;
mod joins;
mod paths;

pub(super) use block::BlockData;
pub(super) use hot::HotKeys;
pub(super) use joins::{Touch, touches};

use hanse_client::views::{BlockerView, DagView, PathStep, VertexView};
use hanse_types::{Gas, TxId, TxIndex};

use super::abi::Abis;
use super::{limits, render};
use paths::Paths;

/// Which vertices to list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listing {
    /// So many from the first on.
    First(usize),
    /// That of one transaction.
    One(TxId),
}

/// The figures of a block, with some of its vertices.
pub(super) fn view(abis: &mut Abis<'_>, block: &BlockData, listing: Listing) -> DagView {
    let paths = Paths::of(block);
    let mut hot = HotKeys::default();
    hot.add(block, &paths);
    let dag = &block.dag;
    let vertices: Vec<usize> = match listing {
        Listing::First(count) => (0..dag.len().min(count)).collect(),
        Listing::One(id) => block.receipts.iter().position(|receipt| receipt.tx_id == id).into_iter().collect(),
    };
    DagView {
        height: block.height,
        transactions: dag.len() as u32,
        edges: dag.edge_count() as u64,
        work: Gas(block.work()),
        span: Gas(paths.span()),
        parallelism: ratio(block.work(), paths.span()),
        depth: paths.depth(),
        roots: (0..dag.len()).filter(|vertex| dag.predecessors(*vertex).is_empty()).count() as u32,
        encoded_bytes: dag.encode().len() as u64,
        critical_path: critical_path(abis, block, &paths),
        hot_keys: hot.views(abis, limits::HOT_KEYS),
        vertices: vertices.into_iter().map(|vertex| self::vertex(abis, block, &paths, vertex)).collect(),
    }
}

/// Work over span; 1 if there is nothing to do.
pub(super) fn ratio(work: u64, span: u64) -> f64 {
    if span == 0 { 1.0 } else { work as f64 / span as f64 }
}

/// The figures of a block without its keys: work, span.
pub(super) fn work_and_span(block: &BlockData) -> (u64, u64) {
    (block.work(), Paths::of(block).span())
}

fn vertex(abis: &mut Abis<'_>, block: &BlockData, paths: &Paths, vertex: usize) -> VertexView {
    let predecessors = block.dag.predecessors(vertex);
    VertexView {
        index: TxIndex(vertex as u32),
        tx_id: block.receipts[vertex].tx_id.0,
        gas_used: Gas(block.gas(vertex)),
        predecessors: predecessors.iter().map(|index| TxIndex(*index)).collect(),
        depth: paths.length(vertex),
        call: block.call(vertex),
        path_gas: Gas(paths.gas(vertex)),
        blocked_by: paths.blocker(vertex).map(|before| blocker(abis, block, before, vertex)),
    }
}

fn blocker(abis: &mut Abis<'_>, block: &BlockData, before: usize, vertex: usize) -> BlockerView {
    let join = block.join(before, vertex);
    BlockerView {
        index: TxIndex(before as u32),
        tx_id: block.receipts[before].tx_id.0,
        call: block.call(before),
        key: join.map(|join| render::key(abis, join.key)),
        how: join.map(|join| join.how()),
    }
}

fn critical_path(abis: &mut Abis<'_>, block: &BlockData, paths: &Paths) -> Vec<PathStep> {
    let path = paths.critical();
    let before = std::iter::once(None).chain(path.iter().copied().map(Some));
    let steps = path.iter().zip(before).take(limits::PATH_STEPS);
    steps
        .map(|(vertex, before)| {
            let join = before.and_then(|before| block.join(before, *vertex));
            PathStep {
                index: TxIndex(*vertex as u32),
                tx_id: block.receipts[*vertex].tx_id.0,
                call: block.call(*vertex),
                gas_used: Gas(block.gas(*vertex)),
                key: join.map(|join| render::key(abis, join.key)),
                how: join.map(|join| join.how()),
            }
        })
        .collect()
}
