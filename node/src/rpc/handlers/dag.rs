//! How parallel blocks are, and why not more.

use std::collections::HashMap;

use hanse_client::RpcError;
use hanse_client::methods::{DagParams, DagStats, DagStatsParams, HotKeys, HotKeysParams};
use hanse_client::views::{BlockParallelism, DagView, ParallelismTotals};
use hanse_group::BlockFigures;
use hanse_types::{Gas, Height, TxId};

use super::super::abi::Abis;
use super::super::dag::{self, BlockData, Listing};
use super::super::registry::{Entry, reads};
use super::super::{Node, errors, limits};
use super::{block, timeline};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(GetDag, get),
    reads!(GetHotKeys, hot_keys),
    reads!(GetDagStats, stats),
    reads!(GetTimeline, timeline::get),
    reads!(RecordTimelines, timeline::record),
];

/// [`hanse_client::methods::GetDag`].
fn get(node: &Node, params: &DagParams) -> Result<DagView, RpcError> {
    let _permit = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let block = BlockData::load(node, block::header(node, params.at)?.height)?;
    let listing = match params.tx_id {
        None => Listing::First(params.vertices.min(node.server.capacity.dag_vertices)),
        Some(id) => Listing::One(TxId(id)),
    };
    let view = dag::view(&mut Abis::new(node), &block, listing);
    match params.tx_id.filter(|_| view.vertices.is_empty()) {
        Some(id) => Err(errors::not_found(format!("transaction {id} in block {}", block.height)).tx(id)),
        None => Ok(view),
    }
}

/// First height of a window of blocks that ends at a height.
fn first_of(last: Height, asked: Option<u64>) -> Height {
    let blocks = asked.unwrap_or(limits::DAG_BLOCKS_DEFAULT).clamp(1, limits::DAG_BLOCKS);
    Height((last.0 + 1).saturating_sub(blocks))
}

/// [`hanse_client::methods::GetHotKeys`].
fn hot_keys(node: &Node, params: &HotKeysParams) -> Result<HotKeys, RpcError> {
    let _permit = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let to_height = block::header(node, params.at)?.height;
    let from_height = first_of(to_height, params.blocks);
    let mut hot = dag::HotKeys::default();
    for height in (from_height.0..=to_height.0).map(Height) {
        // Without access sets there is nothing to count: say so.
        node.group.ledger().rw_sets(height).map_err(errors::ledger)?;
        hot.add_block(&BlockData::load(node, height)?);
    }
    let limit = params.limit.unwrap_or(limits::HOT_KEYS).clamp(1, node.server.capacity.page_entries);
    Ok(HotKeys { from_height, to_height, keys: hot.views(&mut Abis::new(node), limit) })
}

/// [`hanse_client::methods::GetDagStats`].
fn stats(node: &Node, params: &DagStatsParams) -> Result<DagStats, RpcError> {
    let _permit = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let last = node.group.ledger().height();
    // The genesis block has no transactions and was not run; a node may have begun with a later one.
    let first = first_of(last, params.last).max(node.group.ledger().first());
    let known: HashMap<Height, BlockFigures> =
        node.group.recent_figures(first).into_iter().map(|figures| (figures.height, figures)).collect();
    let blocks: Result<Vec<BlockParallelism>, RpcError> = (first.0..=last.0)
        .map(|height| match known.get(&Height(height)) {
            Some(figures) => Ok(of_figures(figures)),
            None => of_ledger(node, Height(height)),
        })
        .collect();
    let blocks = blocks?;
    let totals = totals(&blocks);
    Ok(DagStats { blocks, totals })
}

/// A block that this process made.
fn of_figures(figures: &BlockFigures) -> BlockParallelism {
    let parallelism = figures.work_over_span;
    BlockParallelism {
        height: figures.height,
        transactions: figures.succeeded + figures.failed,
        edges: figures.edges,
        work: Gas(figures.gas),
        span: Gas((figures.gas as f64 / parallelism.max(1.0)).round() as u64),
        parallelism,
        executions: Some(figures.executions),
        strays: Some(figures.strays),
        execution_us: Some(figures.execution.as_micros() as u64),
    }
}

/// A block from before this process.
fn of_ledger(node: &Node, height: Height) -> Result<BlockParallelism, RpcError> {
    let block = BlockData::load(node, height)?;
    let (work, span) = dag::work_and_span(&block);
    Ok(BlockParallelism {
        height,
        transactions: block.receipts.len() as u64,
        edges: block.dag.edge_count() as u64,
        work: Gas(work),
        span: Gas(span),
        parallelism: dag::ratio(work, span),
        executions: None,
        strays: None,
        execution_us: None,
    })
}

fn totals(blocks: &[BlockParallelism]) -> ParallelismTotals {
    let sum = |of: fn(&BlockParallelism) -> u64| blocks.iter().map(of).fold(0, u64::saturating_add);
    let (work, span) = (sum(|block| block.work.0), sum(|block| block.span.0));
    let known: Vec<&BlockParallelism> = blocks.iter().filter(|block| block.executions.is_some()).collect();
    let transactions: u64 = known.iter().map(|block| block.transactions).sum();
    let per_transaction = |of: fn(&BlockParallelism) -> Option<u64>| {
        let count: u64 = known.iter().filter_map(|block| of(block)).sum();
        (transactions > 0).then(|| count as f64 / transactions as f64)
    };
    ParallelismTotals {
        transactions: sum(|block| block.transactions),
        work: Gas(work),
        span: Gas(span),
        parallelism: dag::ratio(work, span),
        executions_per_transaction: per_transaction(|block| block.executions),
        strays_per_transaction: per_transaction(|block| block.strays),
    }
}
