//! The chain as a whole.

use hanse_client::RpcError;
use hanse_client::methods::NoParams;
use hanse_client::views::ChainInfo;

use super::super::registry::{Entry, reads};
use super::super::{Node, errors, limits};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(GetChainInfo, info)];

/// [`hanse_client::methods::GetChainInfo`].
fn info(node: &Node, NoParams {}: &NoParams) -> Result<ChainInfo, RpcError> {
    let genesis = node.group.genesis();
    let (tip, state, _) = node.group.ledger().frozen();
    let params = hanse_vm::system::params::load(&*state).map_err(|error| errors::query(error.into()))?;
    Ok(ChainInfo {
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: node.group.genesis_hash(),
        height: tip.header.height,
        block_hash: tip.hash,
        block_time: tip.header.timestamp,
        params,
        node_version: env!("CARGO_PKG_VERSION").into(),
        limits: limits::view(),
        clock_ahead_ms: node.development.as_ref().map(|_| node.group.clock_ahead_ms()),
        stopped: node.group.stopped().map(|reason| reason.to_string()),
    })
}
