//! The node as its operators see it.

use hanse_client::methods::{LogLevelParams, NoParams};
use hanse_client::views::{BuildView, LogLevels, MachineView, NodeInfo, NodePeers, PeerView, SettingsView};
use hanse_client::{RpcError, codes};
use hanse_group::GroupConfig;
use hanse_types::Transaction;
use hanse_types::crypto::CryptoSuite;

use super::super::registry::{Entry, reads};
use super::super::{Server, errors};
use super::admission;
use crate::log::levels;
use crate::p2p::peers::PeerStatus;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(Server GetNodeInfo, info),
    reads!(Server GetPeers, peers),
    reads!(Server LogLevel, log_level),
    reads!(Server GetAdmission, admission::show),
    reads!(Server AllowNode, admission::allow),
    reads!(Server DenyNode, admission::deny),
    reads!(Server ForgetNode, admission::forget),
];

/// [`hanse_client::methods::LogLevel`].
fn log_level(server: &Server, params: &LogLevelParams) -> Result<LogLevels, RpcError> {
    let invalid = |reason: String| RpcError::new(codes::INVALID_PARAMS, format!("node_logLevel: {reason}"));
    let current = server.log.levels();
    let levels = match (&params.target, &params.level) {
        (None, None) => current,
        (Some(_), None) => return Err(invalid("a target without a level changes nothing; give both, or none".into())),
        (target, Some(level)) => {
            let level = levels::level(level).map_err(|error| invalid(error.to_string()))?;
            let target = target.as_deref();
            target.map_or(Ok(()), |target| current.has_room(target)).map_err(|error| invalid(error.to_string()))?;
            server.log.set_level(target, level).map_err(|error| errors::internal(&error))?
        }
    };
    let targets = levels.of_targets().map(|(target, level)| (target.to_owned(), level.to_string()));
    Ok(LogLevels {
        level: levels.of_all().to_string(),
        targets: targets.collect(),
        lost: server.log.lost().map(|(name, count)| (name.to_owned(), count)).collect(),
    })
}

/// [`hanse_client::methods::GetNodeInfo`].
fn info(server: &Server, NoParams {}: &NoParams) -> Result<NodeInfo, RpcError> {
    let (since, started_at) = server.started;
    let settings = |usual: &GroupConfig| SettingsView {
        threads: usual.threads,
        bind_cores: usual.bind_cores,
        query_threads: usual.query_threads,
        pool_transactions: usual.pool.count,
        pool_bytes: usual.pool.bytes,
        pool_sender_transactions: usual.pool.sender_count,
        intake_waiting: usual.intake_waiting,
    };
    Ok(NodeInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        key: server.groups.key().to_string(),
        build: BuildView {
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
            transaction_version: Transaction::VERSION,
            crypto_suites: CryptoSuite::ALL.to_vec(),
        },
        machine: MachineView {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes(),
            system: std::env::consts::OS.into(),
        },
        started_at,
        uptime_ms: since.elapsed().as_millis() as u64,
        limits: server.capacity.view(),
        // A seed runs no group.
        settings: server.groups.usual().map(settings).unwrap_or_default(),
        admin: server.admin.clone(),
    })
}

/// [`hanse_client::methods::GetPeers`].
fn peers(server: &Server, NoParams {}: &NoParams) -> Result<NodePeers, RpcError> {
    let Some(net) = &server.net else { return Ok(NodePeers::default()) };
    Ok(NodePeers {
        id: Some(net.peer().to_string()),
        listening: net.listening().iter().map(ToString::to_string).collect(),
        peers: net.peers().into_iter().map(peer).collect(),
    })
}

fn peer(status: PeerStatus) -> PeerView {
    PeerView {
        name: status.name,
        id: status.peer.to_string(),
        key: status.key.map(|key| key.to_string()),
        state: status.state.name().to_owned(),
        address: status.address.map(|address| address.to_string()),
        address_source: status.address_source.map(|source| source.name().to_owned()),
        dialed: status.dialed,
        connected_ms: status.connected_for.map(|time| time.as_millis() as u64),
        round_trip_us: status.round_trip.map(|time| time.as_micros() as u64),
        received_bytes: status.received_bytes,
        sent_bytes: status.sent_bytes,
        waiting: status.waiting,
        dropped: status.dropped,
        refused: status.refused,
        groups: status.groups,
        agent: status.agent,
        certificate: status.certificate.as_deref().map(admission::certificate),
        error: status.error,
    }
}

/// The machine's memory, where the system tells it as Linux does.
fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
