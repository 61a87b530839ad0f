//! The chain as a whole.

use hanse_client::RpcError;
use hanse_client::methods::{AtHeight, NoParams};
use hanse_client::views::{ChainInfo, ChainParams, ChainStatus};
use hanse_types::genesis::ConsensusKind;

use super::super::registry::{Entry, reads};
use super::super::{Node, errors};
use super::{pool, state};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] =
    &[reads!(GetChainInfo, info), reads!(GetChainStatus, status), reads!(GetChainParams, params)];

/// [`hanse_client::methods::GetChainInfo`].
pub(super) fn info(node: &Node, NoParams {}: &NoParams) -> Result<ChainInfo, RpcError> {
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
        limits: node.capacity.view(),
        clock_ahead_ms: node.development.as_ref().map(|_| node.group.clock_ahead_ms()),
        stopped: node.group.stopped().map(|reason| reason.to_string()),
    })
}

/// [`hanse_client::methods::GetChainStatus`].
fn status(node: &Node, none: &NoParams) -> Result<ChainStatus, RpcError> {
    let genesis = node.group.genesis();
    let tip = node.group.ledger().tip();
    let oldest_height = node.group.ledger().statistics().map_err(errors::ledger)?.history_from;
    let stopped = node.group.stopped().map(|reason| reason.to_string());
    let consensus = match genesis.consensus {
        ConsensusKind::Solo => "solo",
        ConsensusKind::Bft => "bft",
    };
    Ok(ChainStatus {
        height: tip.header.height,
        block_hash: tip.hash,
        block_time: tip.header.timestamp,
        consensus: consensus.into(),
        validators: genesis.validators.len() as u32,
        pool: pool::status(node, none)?,
        oldest_height,
        running: stopped.is_none(),
        stopped,
    })
}

/// [`hanse_client::methods::GetChainParams`].
fn params(node: &Node, params: &AtHeight) -> Result<ChainParams, RpcError> {
    let past = state::at(node, params.height)?;
    let params = hanse_vm::system::params::load(&*past.view).map_err(|error| errors::query(error.into()))?;
    Ok(ChainParams { height: past.height, params })
}
