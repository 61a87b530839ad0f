//! The node's RPC: JSON-RPC 2.0 over HTTP, and a binary path for bulk.
//!
//! A request is read strictly (unknown methods, fields and parameters are refused), served within bounds ([`limits`]),
//! and answered with a code of [`hanse_client::codes`] if it fails. Methods, parameters and answers are those of
//! [`hanse_client::methods`]; what a contract's ABI explains is decoded on the way out ([`render`]).
//!
//! | path | what |
//! |---|---|
//! | `POST /` | JSON-RPC 2.0, single or batch |
//! | `POST /v1/submit` | signed transactions in bulk ([`hanse_client::bulk`]) |
//! | `GET /v1/stream/events`, `GET /v1/stream/blocks` | events and blocks as they are committed ([`stream`]) |
//! | `GET /openrpc.json` | the description of all methods ([`hanse_client::openrpc`]) |
//! | `GET /health` | 200 while the process serves |
//! | `GET /metrics` | figures for Prometheus ([`crate::metrics`]) |
//! | `GET /ready` | 200 while the group takes transactions, 503 with the reason when not |
//!
//! What changes the node is served by the admin listener only ([`admin`]).
//!
//! It knows nothing of consensus, execution or storage; it asks the group. Start reading at [`http`].

mod abi;
pub(crate) mod admin;
mod caller;
mod clients;
mod conflicts;
mod dag;
mod dispatch;
mod errors;
mod handlers;
mod http;
pub(crate) mod limits;
mod listener;
mod metrics;
#[cfg(test)]
mod mutated;
mod range;
mod refusals;
mod registry;
mod render;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hanse_client::call::now;
use hanse_client::views::AdminView;
use hanse_group::Group;
use hanse_types::Timestamp;
use tokio::sync::Semaphore;

use crate::log::Log;
use crate::metrics::Metrics;
use crate::p2p::Net;
use crate::service::Development;

pub(crate) use admin::{AdminError, AdminListener, AdminPlace};
pub(crate) use http::serve;
pub(crate) use limits::Capacity;

/// What requests are answered from.
pub(crate) struct Setup {
    /// The group.
    pub(crate) group: Group,
    /// The node's part in the network, if it is in one.
    pub(crate) net: Option<Arc<Net>>,
    /// Where snapshots of its ledger are kept.
    pub(crate) snapshots: PathBuf,
    /// What they may hold, and how many are answered at a time.
    pub(crate) capacity: Capacity,
    /// Figures of the process.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether anybody may ask for them.
    pub(crate) serve_metrics: bool,
    /// The process's log.
    pub(crate) log: Arc<Log>,
    /// If the chain is one in development.
    pub(crate) development: Option<Development>,
    /// Where operators' requests are taken, if they are.
    pub(crate) admin: Option<AdminView>,
}

/// What the handlers of one node share.
pub(crate) struct Node {
    group: Group,
    net: Option<Arc<Net>>,
    /// Where snapshots of the ledger are kept.
    snapshots: PathBuf,
    /// Held by whoever writes one.
    snapshot_writer: Semaphore,
    capacity: Capacity,
    /// A permit for each request that is being served.
    requests: Semaphore,
    /// The same of operators' requests.
    operator_requests: Semaphore,
    /// A permit for each KiB of bulk submissions.
    bulk_kib: Semaphore,
    /// A permit for each question that reads much.
    deep_reads: Semaphore,
    /// A permit for each simulation or view that runs or waits to run.
    queries: Semaphore,
    abis: abi::AbiCache,
    refusals: refusals::Refusals,
    clients: clients::Clients,
    /// When it began to serve.
    started: (Instant, Timestamp),
    streams: stream::Streams,
    metrics: Arc<Metrics>,
    serve_metrics: bool,
    log: Arc<Log>,
    /// If the chain is one in development.
    development: Option<Development>,
    /// Where operators' requests are taken, if they are.
    admin: Option<AdminView>,
}

impl Node {
    /// A server's state.
    pub(crate) fn new(setup: Setup) -> Arc<Node> {
        let Setup { group, net, snapshots, capacity, metrics, serve_metrics, log, development, admin } = setup;
        let refusals = refusals::Refusals::new(group.genesis_hash());
        Arc::new(Node {
            group,
            net,
            snapshots,
            snapshot_writer: Semaphore::new(1),
            capacity,
            requests: Semaphore::new(capacity.requests),
            operator_requests: Semaphore::new(limits::OPERATOR_REQUESTS),
            bulk_kib: Semaphore::new(capacity.bulk_memory_bytes >> 10),
            deep_reads: Semaphore::new(capacity.deep_reads),
            queries: Semaphore::new(capacity.queries),
            abis: abi::AbiCache::default(),
            refusals,
            clients: clients::Clients::new(&capacity),
            started: (Instant::now(), now()),
            streams: stream::Streams::new(capacity.streams, capacity.streams_per_client),
            metrics,
            serve_metrics,
            log,
            development,
            admin,
        })
    }
}
