//! How parallel blocks are, and why not more.

use hanse_client::RpcError;
use hanse_client::methods::DagParams;
use hanse_client::views::DagView;

use super::super::registry::{Entry, reads};
use super::super::{Node, dag, errors, limits};
use super::block;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(GetDag, get)];

/// [`hanse_client::methods::GetDag`].
fn get(node: &Node, params: &DagParams) -> Result<DagView, RpcError> {
    let header = block::header(node, params.at)?;
    let height = header.height;
    let ledger = node.group.ledger();
    let missing = || errors::not_found(format!("block {height}"));
    let dag = ledger.dag(height).map_err(errors::ledger)?.ok_or_else(missing)?;
    let receipts = ledger.receipts(height).map_err(errors::ledger)?.ok_or_else(missing)?;
    // Where access sets were pruned, the figures still stand; only the keys are not known any more.
    let rw_sets = ledger.rw_sets(height).ok().flatten().unwrap_or_default();
    let vertices = params.vertices.min(limits::DAG_VERTICES);
    Ok(dag::view(height, &dag, &receipts, &rw_sets, vertices))
}
