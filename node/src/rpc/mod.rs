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
//! | `GET /ready` | 200 while the group takes transactions, 503 with the reason when not |
//!
//! It knows nothing of consensus, execution or storage; it asks the group. Start reading at [`http`].

mod abi;
mod dag;
mod dispatch;
mod errors;
mod handlers;
mod http;
mod limits;
mod listener;
mod registry;
mod render;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use hanse_group::Group;
use tokio::sync::Semaphore;

pub(crate) use http::serve;

/// What the handlers of one node share.
pub(crate) struct Node {
    group: Group,
    /// Where snapshots of the ledger are kept.
    snapshots: PathBuf,
    /// Held by whoever writes one.
    snapshot_writer: Semaphore,
    /// A permit for each request that is being served.
    requests: Semaphore,
    /// A permit for each KiB of bulk submissions.
    bulk_kib: Semaphore,
    /// A permit for each question that reads much.
    deep_reads: Semaphore,
    abis: abi::AbiCache,
    streams: stream::Streams,
}

impl Node {
    /// A server's state for this group, whose snapshots go into a folder.
    pub(crate) fn new(group: Group, snapshots: PathBuf) -> Arc<Node> {
        Arc::new(Node {
            group,
            snapshots,
            snapshot_writer: Semaphore::new(1),
            requests: Semaphore::new(limits::CONCURRENT_REQUESTS),
            bulk_kib: Semaphore::new(limits::BULK_KIB),
            deep_reads: Semaphore::new(limits::DEEP_READS),
            abis: abi::AbiCache::default(),
            streams: stream::Streams::new(),
        })
    }
}
