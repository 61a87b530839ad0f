//! A node as a process: one group, its listener, what is done beside, an end when told. `hanse start` and `hanse dev` differ
//! only in where their settings come from.
//!
//! It promises that nothing is served before the group is open, and that at the end requests are answered and blocks
//! written before it returns.
//!
//! It knows nothing of configuration files and of command lines. Start reading at [`run`].

mod folder;
mod housekeeping;

use std::net::SocketAddr;
use std::sync::Arc;

use hanse_group::{Group, GroupConfig};
use hanse_types::crypto::{SecretKey, Signer};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::log::Log;
use crate::metrics::Metrics;
use crate::rpc;

pub(crate) use folder::{ChainFolder, FolderError, read_genesis, write_genesis};
pub(crate) use housekeeping::Housekeeping;

/// What a node is started with.
pub(crate) struct Setup {
    /// The group.
    pub(crate) group: GroupConfig,
    /// The key that decides its blocks.
    pub(crate) signer: SecretKey,
    /// Where requests are taken; port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// How many requests are served at a time.
    pub(crate) capacity: rpc::Capacity,
    /// Whether figures are served.
    pub(crate) serve_metrics: bool,
    /// The chain's folder, which is there.
    pub(crate) folder: ChainFolder,
    /// What is done to the ledger in time.
    pub(crate) housekeeping: Housekeeping,
    /// The process's log.
    pub(crate) log: Arc<Log>,
}

/// Why a node does not run.
#[derive(Debug, Error)]
pub(crate) enum ServiceError {
    /// The port is taken, or may not be used.
    #[error("can't listen on {address}: {error}; choose another address or port, or port 0 for a free one")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The group did not open.
    #[error(transparent)]
    Open(#[from] hanse_group::OpenError),
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// Runs a node until the process is told to stop. `announce` is called once it takes requests, with its address.
pub(crate) async fn run(
    setup: Setup,
    announce: impl FnOnce(&Group, SocketAddr) -> std::io::Result<()>,
) -> Result<(), ServiceError> {
    let stop = stop_signal()?;
    let address = setup.listen;
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| ServiceError::Listen { address, error })?;
    let signer: Arc<dyn Signer> = Arc::new(setup.signer);
    let metrics = Metrics::new();
    let observer = metrics.observer(&setup.group.genesis.group_id);
    let pool_capacity = setup.group.pool.count;
    let group = Group::open(GroupConfig { observer: observer.clone(), ..setup.group }, signer).await?;
    observer.start_at(group.tip().borrow().height.0);
    metrics.watch(group.clone(), setup.folder.0.clone(), pool_capacity, setup.log.clone());
    let snapshots = setup.folder.snapshots();
    let beside = tokio::spawn(housekeeping::run(setup.housekeeping, group.clone(), snapshots.clone()));
    let heights = tokio::spawn(tell_heights(group.clone(), setup.log.clone()));

    let genesis = group.genesis();
    let (chain, group_id, height) = (&genesis.chain_id, &genesis.group_id, group.tip().borrow().height.0);
    tracing::info!(height, %chain, group = %group_id, address = %listener.local_addr()?, "started");
    announce(&group, listener.local_addr()?)?;
    let node = rpc::Node::new(rpc::Setup {
        group: group.clone(),
        snapshots,
        capacity: setup.capacity,
        metrics,
        serve_metrics: setup.serve_metrics,
        log: setup.log,
    });
    let served = rpc::serve(listener, node, stop).await;
    beside.abort();
    group.stop().await;
    heights.abort();
    tracing::info!("stopped");
    Ok(served?)
}

/// Tells the log the chain's height.
async fn tell_heights(group: Group, log: Arc<Log>) {
    let mut tip = group.tip();
    loop {
        log.at_height(tip.borrow_and_update().height.0);
        if tip.changed().await.is_err() {
            return;
        }
    }
}

/// Completes when the process is asked to end.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    })
}
