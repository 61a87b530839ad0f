//! A node as a process: its groups, its listeners, an end when told. `hanse start` and `hanse dev` differ
//! only in where their settings come from.
//!
//! It promises that nothing is served before the configured group is open, and that at the end requests are answered and blocks
//! written before it returns.
//!
//! It knows nothing of configuration files and of command lines. Start reading at [`run`].

mod development;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use hanse_client::views::AdminView;
use hanse_group::{GroupConfig, Network};
use hanse_types::crypto::SecretKey;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::groups::{Accept, ChainFolder, Groups, Housekeeping, Shared, lobby, snapshots};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::p2p::Net;
use crate::rpc::{self, AdminListener, Server};

pub(crate) use development::{Development, mend};

/// What a node is started with.
pub(crate) struct Setup {
    /// The configured group, and how all are run; none of a seed, which has no groups.
    pub(crate) group: Option<GroupConfig>,
    /// Its connection to other nodes, if it has any.
    pub(crate) network: Option<Network>,
    /// The node's part in the network, if it is in one.
    pub(crate) net: Option<Arc<Net>>,
    /// The key that decides its blocks.
    pub(crate) signer: SecretKey,
    /// Where requests are taken; port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// Where operators' requests are taken, if they are.
    pub(crate) admin: Option<rpc::AdminPlace>,
    /// How many requests are served at a time.
    pub(crate) capacity: rpc::Capacity,
    /// Whether figures are served.
    pub(crate) serve_metrics: bool,
    /// The chain's folder, which is there.
    pub(crate) folder: ChainFolder,
    /// What is done to the ledger in time.
    pub(crate) housekeeping: Housekeeping,
    /// Whose invitations to groups are accepted without asking.
    pub(crate) accept: Accept,
    /// Whether the chain is one in development, which its user may move ahead in time and back to a snapshot.
    pub(crate) is_development: bool,
    /// The process's log.
    pub(crate) log: Arc<Log>,
}

/// How long a node waits for the last question before it takes a chain back.
const CLOSING: Duration = Duration::from_secs(30);

/// Why a node has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The process was told to stop.
    Stopped,
    /// It shall go on with the older chain that is in its folder now, at this address.
    Reverted(SocketAddr),
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
    /// Operators' requests can't be taken.
    #[error(transparent)]
    Admin(#[from] rpc::AdminError),
    /// The group did not open.
    #[error(transparent)]
    Open(#[from] hanse_group::OpenError),
    /// Something of the node still runs.
    #[error(
        "a question to the chain has not ended in time, so the chain could not be taken back; start the node again"
    )]
    InUse,
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// Where a node takes requests.
pub(crate) struct Serving {
    /// Those of all.
    pub(crate) address: SocketAddr,
    /// Those of operators.
    pub(crate) admin: Option<AdminView>,
}

/// Runs a node until `stop` completes, or its chain is taken back. `announce` is called once it takes requests, with its
/// addresses.
pub(crate) async fn run(
    setup: Setup,
    stop: impl Future<Output = ()> + Send + 'static,
    announce: impl FnOnce(&Groups, &Serving) -> std::io::Result<()>,
) -> Result<Ended, ServiceError> {
    let address = setup.listen;
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| ServiceError::Listen { address, error })?;
    let admin = match &setup.admin {
        Some(place) => Some(AdminListener::bind(place).await?),
        None => None,
    };
    let metrics = Metrics::new();
    metrics.watch_process(setup.folder.0.clone(), setup.log.clone());
    if let Some(net) = &setup.net {
        metrics.watch_net(net.clone());
    }
    let shared = Shared {
        signer: Arc::new(setup.signer),
        net: setup.net.clone(),
        housekeeping: setup.housekeeping,
        metrics: metrics.clone(),
        log: setup.log.clone(),
    };
    let folder = setup.folder.clone();
    let groups = match setup.group {
        Some(group) => Groups::open(shared, group, setup.network, folder, setup.accept).await?,
        None => Groups::none(shared, folder),
    };
    let net = setup.net.clone().filter(|_| groups.home().is_some());
    let lobby = net.map(|net| tokio::spawn(lobby::run(groups.clone(), net)));
    let snapshots =
        (setup.net.is_some() && groups.home().is_some()).then(|| tokio::spawn(snapshots::run(groups.clone())));
    let address = listener.local_addr()?;
    let serving = Serving { address, admin: admin.as_ref().map(|admin| admin.view().clone()) };
    match groups.home_genesis() {
        Some(genesis) => {
            let height = groups.running(None).map_or(0, |home| home.height().0);
            tracing::info!(height, chain = %genesis.chain_id, group = %genesis.group_id, %address, "started");
        }
        None => tracing::info!(%address, "started as a seed"),
    }
    announce(&groups, &serving)?;
    let development = setup.is_development.then(|| Arc::new(Development::new(setup.folder.clone())));
    let (stop, ended) = either(stop, development.as_deref());
    let server = Server::new(rpc::Setup {
        groups: groups.clone(),
        net: setup.net.clone(),
        capacity: setup.capacity,
        metrics,
        serve_metrics: setup.serve_metrics,
        log: setup.log,
        development,
        admin: serving.admin,
    });
    let stop = stop.boxed().shared();
    let operators = serve_operators(admin, server.clone(), stop.clone());
    let (served, operators) = tokio::join!(rpc::serve(listener, server.clone(), stop), operators);
    lobby.into_iter().chain(snapshots).for_each(|task| task.abort());
    server.end();
    let is_closed = groups.close(CLOSING).await;
    if let Some(net) = &setup.net {
        net.stop().await;
    }
    served.and(operators)?;
    if !ended.load(Ordering::Relaxed) {
        tracing::info!("stopped");
        return Ok(Ended::Stopped);
    }
    if !is_closed {
        return Err(ServiceError::InUse);
    }
    development::exchange(&setup.folder)?;
    tracing::info!("taken back to a snapshot");
    Ok(Ended::Reverted(address))
}

async fn serve_operators(
    listener: Option<AdminListener>,
    server: Arc<Server>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    match listener {
        Some(listener) => listener.serve(server, stop).await,
        None => Ok(()),
    }
}

/// Completes when the first of both does, and tells which: true if the chain shall be taken back.
fn either(
    stop: impl Future<Output = ()> + Send + 'static,
    development: Option<&Development>,
) -> (impl Future<Output = ()> + Send + 'static, Arc<AtomicBool>) {
    let reverted = development.map(Development::reverted);
    let is_reverted = Arc::new(AtomicBool::new(false));
    let told = is_reverted.clone();
    let first = async move {
        let reverted = async {
            match reverted {
                Some(reverted) => reverted.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop => {}
            () = reverted => told.store(true, Ordering::Relaxed),
        }
    };
    (first, is_reverted)
}

/// Completes when the process is asked to end.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
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
