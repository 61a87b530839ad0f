//! The chain as a whole.

use hanse_client::methods::{AtHeight, Handovers, HandoversParams, NoParams};
use hanse_client::views::{
    AgreementView, CertifiedHeader, ChainInfo, ChainMembers, ChainParams, ChainStatus, EvidenceView, HandoverView,
    LieView, MemberView, SnapshotFetchView, SyncView, ValidatorView,
};
use hanse_client::{Bytes, RpcError};
use hanse_group::snapshots::{FetchProgress, FetchStage};
use hanse_group::sync::Progress;
use hanse_group::{Accusation, Agreement, Lie, Part, SyncStatus};
use hanse_ledger::{Handover, Ledger};
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::{ConsensusKind, Validator};
use hanse_types::{Canonical, Epoch, Genesis, Member};
use hanse_vm::system;

use super::super::registry::{Entry, reads};
use super::super::{Node, errors};
use super::{pool, state};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(GetChainInfo, info),
    reads!(GetChainStatus, status),
    reads!(GetChainParams, params),
    reads!(GetMembers, members),
    reads!(GetHandovers, handovers),
];

/// [`hanse_client::methods::GetChainInfo`].
pub(super) fn info(node: &Node, NoParams {}: &NoParams) -> Result<ChainInfo, RpcError> {
    let genesis = node.group.genesis();
    let (tip, state, _) = node.group.ledger().frozen();
    let params = system::params::load(&*state).map_err(|error| errors::query(error.into()))?;
    Ok(ChainInfo {
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: node.group.genesis_hash(),
        crypto: genesis.crypto,
        height: tip.header.height,
        block_hash: tip.hash,
        block_time: tip.header.timestamp,
        params,
        node_version: env!("CARGO_PKG_VERSION").into(),
        limits: node.server.capacity.view(),
        clock_ahead_ms: node.development.as_ref().map(|_| node.group.clock_ahead_ms()),
        stopped: node.group.stopped().map(|reason| reason.to_string()),
    })
}

/// [`hanse_client::methods::GetChainStatus`].
fn status(node: &Node, none: &NoParams) -> Result<ChainStatus, RpcError> {
    let genesis = node.group.genesis();
    let ledger = node.group.ledger();
    let tip = ledger.tip();
    let accusations = node.group.accusations();
    let accused = accusations.iter().map(|accusation| evidence(ledger, accusation)).collect::<Result<_, _>>()?;
    let oldest_height = ledger.statistics().map_err(errors::ledger)?.history_from;
    let stopped = node.group.stopped().map(|reason| reason.to_string());
    Ok(ChainStatus {
        height: tip.header.height,
        block_hash: tip.hash,
        block_time: tip.header.timestamp,
        consensus: consensus_name(genesis.consensus).into(),
        validators: ledger.validators().len() as u32,
        agreement: node.group.agreement().map(|at| agreement(genesis, at)),
        sync: node.group.sync().map(|status| sync(node, status)),
        evidence: accused,
        pool: pool::status(node, none)?,
        oldest_height,
        first_height: ledger.first(),
        running: stopped.is_none(),
        stopped,
    })
}

/// What a kind of consensus is called.
pub(super) fn consensus_name(kind: ConsensusKind) -> &'static str {
    match kind {
        ConsensusKind::Solo => "solo",
        ConsensusKind::Bft => "bft",
        ConsensusKind::Raft => "raft",
    }
}

fn agreement(genesis: &Genesis, agreement: Agreement) -> AgreementView {
    let Agreement { height, round, part, leader, votes, peers } = agreement;
    let leader = leader.and_then(|index| genesis.validators.get(index as usize)).map(|leader| leader.name.clone());
    AgreementView { height, round: round.0, step: part.name().into(), leader, votes, peers: peers as u32 }
}

fn sync(node: &Node, status: SyncStatus) -> SyncView {
    let SyncStatus { progress, lies, mode, snapshot, offers } = status;
    let Progress { active, target, ready, asked, blocks, applied, bytes, timeouts, dropped, .. } = progress;
    let members = node.group.members().borrow().clone();
    let name_of = |key: &PublicKey| members.as_slice().iter().find(|member| member.key == *key);
    let lie = |lie: Lie| LieView {
        name: lie.key.as_ref().and_then(name_of).map(|member| member.name.clone()).unwrap_or_default(),
        key: lie.key.map(|key| key.to_string()),
        reason: lie.reason.to_string(),
        timestamp: lie.timestamp,
    };
    let lies = lies.into_iter().map(lie).collect();
    let (mode, snapshot) = (mode.name().to_owned(), snapshot.map(fetch));
    SyncView { mode, snapshot, offers, active, target, ready, asked, blocks, applied, bytes, timeouts, dropped, lies }
}

fn fetch(progress: FetchProgress) -> SnapshotFetchView {
    let FetchProgress { stage, height, kept, chunks, bytes, timeouts, .. } = progress;
    let stage = match stage {
        FetchStage::Asking => "asking",
        FetchStage::Fetching => "fetching",
        FetchStage::Importing => "importing",
        FetchStage::Ready => "ready",
        FetchStage::Over => "over",
    };
    SnapshotFetchView { stage: stage.into(), height, kept, chunks, bytes, timeouts }
}

fn evidence(ledger: &Ledger, Accusation { evidence, timestamp }: &Accusation) -> Result<EvidenceView, RpcError> {
    let statement = evidence.first.statement;
    let set = ledger.validators_in(statement.epoch).map_err(errors::ledger)?;
    let name = set.and_then(|set| Some(set.get(evidence.validator())?.name.clone()));
    Ok(EvidenceView {
        validator: evidence.validator(),
        name: name.unwrap_or_default(),
        height: statement.height,
        round: statement.round.0,
        step: Part::Step(statement.step()).name().into(),
        timestamp: *timestamp,
        proof: Bytes(evidence.bytes()),
    })
}

/// [`hanse_client::methods::GetChainParams`].
fn params(node: &Node, params: &AtHeight) -> Result<ChainParams, RpcError> {
    let past = state::at(node, params.height)?;
    let params = system::params::load(&*past.view).map_err(|error| errors::query(error.into()))?;
    Ok(ChainParams { height: past.height, params })
}

/// [`hanse_client::methods::GetMembers`].
fn members(node: &Node, params: &AtHeight) -> Result<ChainMembers, RpcError> {
    let past = state::at(node, params.height)?;
    let members = system::members::load(&*past.view).map_err(|error| errors::query(error.into()))?;
    Ok(ChainMembers { height: past.height, members: members.as_slice().iter().map(member).collect() })
}

pub(super) fn member(Member { name, key, role }: &Member) -> MemberView {
    MemberView { name: name.clone(), key: key.to_string(), role: *role }
}

/// [`hanse_client::methods::GetHandovers`].
fn handovers(node: &Node, params: &HandoversParams) -> Result<Handovers, RpcError> {
    let from = params.from.max(1);
    let end = from.saturating_add(node.server.capacity.page(params.limit) as u64);
    let mut handovers = Vec::new();
    for epoch in from..end {
        match node.group.ledger().handover(Epoch(epoch)).map_err(errors::ledger)? {
            Some(found) => handovers.push(handover(&found)),
            None => return Ok(Handovers { handovers, next: None }),
        }
    }
    let more = node.group.ledger().handover(Epoch(end)).map_err(errors::ledger)?;
    Ok(Handovers { handovers, next: more.map(|_| end) })
}

fn handover(found: &Handover) -> HandoverView {
    let header = Bytes(found.header.encode());
    HandoverView {
        epoch: found.epoch().0,
        block: CertifiedHeader { header, certificate: Bytes(found.certificate.encode()) },
        validators: found.validators.as_slice().iter().map(validator).collect(),
    }
}

pub(super) fn validator(Validator { name, key }: &Validator) -> ValidatorView {
    ValidatorView { name: name.clone(), key: key.to_string() }
}
