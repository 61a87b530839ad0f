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
#[cfg(test)]
mod matrix;
mod metrics;
#[cfg(test)]
pub(crate) mod mutated;
mod range;
mod refusals;
mod registry;
mod render;
mod stream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hanse_client::RpcError;
use hanse_client::call::now;
use hanse_client::views::AdminView;
use hanse_group::Group;
use hanse_types::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::groups::Groups;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::p2p::Net;
use crate::service::Development;

pub(crate) use admin::{AdminError, AdminListener, AdminPlace};
pub(crate) use http::{json, serve};
pub(crate) use limits::Capacity;

/// What requests are answered from.
pub(crate) struct Setup {
    /// The groups.
    pub(crate) groups: Arc<Groups>,
    /// The node's part in the network, if it is in one.
    pub(crate) net: Option<Arc<Net>>,
    /// What requests may hold, and how many are answered at a time.
    pub(crate) capacity: Capacity,
    /// Figures of the process.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether anybody may ask for them.
    pub(crate) serve_metrics: bool,
    /// The process's log.
    pub(crate) log: Arc<Log>,
    /// If the configured group's chain is one in development.
    pub(crate) development: Option<Arc<Development>>,
    /// Where operators' requests are taken, if they are.
    pub(crate) admin: Option<AdminView>,
}

/// What requests to all groups share.
pub(crate) struct Server {
    groups: Arc<Groups>,
    /// What is kept of groups that were asked, by name.
    nodes: Mutex<BTreeMap<String, Arc<Node>>>,
    net: Option<Arc<Net>>,
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
    clients: clients::Clients,
    /// When it began to serve.
    started: (Instant, Timestamp),
    streams: stream::Streams,
    metrics: Arc<Metrics>,
    serve_metrics: bool,
    log: Arc<Log>,
    /// If the configured group's chain is one in development.
    development: Option<Arc<Development>>,
    /// Where operators' requests are taken, if they are.
    admin: Option<AdminView>,
}

/// The node as one of its groups sees it: what handlers have at hand.
pub(crate) struct Node {
    server: Arc<Server>,
    group: Group,
    /// Where snapshots of the ledger are kept.
    snapshots: PathBuf,
    /// Held by whoever writes one.
    snapshot_writer: Semaphore,
    abis: abi::AbiCache,
    refusals: refusals::Refusals,
    /// If the chain is one in development.
    development: Option<Arc<Development>>,
}

impl Server {
    /// A server's state.
    pub(crate) fn new(setup: Setup) -> Arc<Server> {
        let Setup { groups, net, capacity, metrics, serve_metrics, log, development, admin } = setup;
        Arc::new(Server {
            groups,
            nodes: Mutex::default(),
            net,
            capacity,
            requests: Semaphore::new(capacity.requests),
            operator_requests: Semaphore::new(limits::OPERATOR_REQUESTS),
            bulk_kib: Semaphore::new(capacity.bulk_memory_bytes >> 10),
            deep_reads: Semaphore::new(capacity.deep_reads),
            queries: Semaphore::new(capacity.queries),
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

    /// The node in the group of this name, the configured one without a name.
    ///
    /// # Errors
    /// If there is no such group here, or it does not run.
    fn node(self: &Arc<Server>, group: Option<&str>) -> Result<Arc<Node>, RpcError> {
        // Held while the group is looked up, so that nothing is kept of one that stops meanwhile.
        let mut nodes = self.nodes.lock();
        let running = self.groups.running(group).map_err(errors::groups)?;
        let name = &running.group().genesis().group_id;
        if let Some(node) = nodes.get(name).filter(|node| node.group.is(running.group())) {
            return Ok(node.clone());
        }
        let is_home = self.groups.home() == Some(name);
        let node = Arc::new(Node {
            server: self.clone(),
            group: running.group().clone(),
            snapshots: running.snapshots().clone(),
            snapshot_writer: Semaphore::new(1),
            abis: abi::AbiCache::default(),
            refusals: refusals::Refusals::new(running.group().genesis_hash()),
            development: self.development.clone().filter(|_| is_home),
        });
        nodes.insert(name.clone(), node.clone());
        Ok(node)
    }

    /// Keeps nothing of groups that stop, so that their files can be closed.
    fn prune(&self) {
        let mut nodes = self.nodes.lock();
        nodes.retain(|name, node| {
            let runs = self.groups.running(Some(name)).is_ok();
            if !runs {
                node.refusals.tell_left_out(true);
            }
            runs
        });
    }

    /// Keeps nothing more of any group: nothing is served any more.
    pub(crate) fn end(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock());
        nodes.values().for_each(|node| node.refusals.tell_left_out(true));
    }

    /// Those that were asked.
    fn known_nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().values().cloned().collect()
    }
}
