//! The chain as a whole.

use hanse_client::methods::{AtHeight, NoParams};
use hanse_client::views::{AgreementView, ChainInfo, ChainParams, ChainStatus, EvidenceView};
use hanse_client::{Bytes, RpcError};
use hanse_group::agreement::Step;
use hanse_group::{Accusation, Agreement};
use hanse_types::Genesis;
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
        agreement: node.group.agreement().map(agreement),
        evidence: node.group.accusations().iter().map(|accusation| evidence(genesis, accusation)).collect(),
        pool: pool::status(node, none)?,
        oldest_height,
        running: stopped.is_none(),
        stopped,
    })
}

fn agreement(agreement: Agreement) -> AgreementView {
    let Agreement { height, round, step, votes, peers } = agreement;
    AgreementView { height, round: round.0, step: name_of(step).into(), votes, peers: peers as u32 }
}

fn evidence(genesis: &Genesis, Accusation { evidence, timestamp }: &Accusation) -> EvidenceView {
    let statement = evidence.first.statement;
    let name = genesis.validators.get(evidence.validator() as usize).map(|validator| validator.name.clone());
    EvidenceView {
        validator: evidence.validator(),
        name: name.unwrap_or_default(),
        height: statement.height,
        round: statement.round.0,
        step: name_of(statement.step()).into(),
        timestamp: *timestamp,
        proof: Bytes(evidence.bytes()),
    }
}

const fn name_of(step: Step) -> &'static str {
    match step {
        Step::Propose => "propose",
        Step::Prevote => "prevote",
        Step::Precommit => "precommit",
    }
}

/// [`hanse_client::methods::GetChainParams`].
fn params(node: &Node, params: &AtHeight) -> Result<ChainParams, RpcError> {
    let past = state::at(node, params.height)?;
    let params = hanse_vm::system::params::load(&*past.view).map_err(|error| errors::query(error.into()))?;
    Ok(ChainParams { height: past.height, params })
}
