//! A group that runs on this node, and what is done beside it while it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hanse_group::{Group, GroupConfig, Network, OpenError};
use hanse_types::Height;
use hanse_types::crypto::Signer;
use tokio::task::JoinHandle;

use super::folder::ChainFolder;
use super::housekeeping::{self, Housekeeping};
use super::members;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::p2p::Net;

/// What all groups of a node share.
pub(crate) struct Shared {
    /// The key that signs for this node.
    pub(crate) signer: Arc<dyn Signer>,
    /// The node's part in the network, if it is in one.
    pub(crate) net: Option<Arc<Net>>,
    /// What is done to a ledger in time.
    pub(crate) housekeeping: Housekeeping,
    /// The process's figures.
    pub(crate) metrics: Arc<Metrics>,
    /// The process's log.
    pub(crate) log: Arc<Log>,
}

/// See the module.
pub(crate) struct Running {
    group: Group,
    snapshots: PathBuf,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Opens a group.
    ///
    /// # Errors
    /// If it does not open.
    pub(super) async fn open(
        shared: &Shared,
        config: GroupConfig,
        folder: &ChainFolder,
        network: Option<Network>,
        is_home: bool,
    ) -> Result<Running, OpenError> {
        let observer = shared.metrics.observer(&config.genesis.group_id);
        let pool_capacity = config.pool.count;
        let config = GroupConfig { observer: observer.clone(), ..config };
        let group = match network {
            Some(network) => Group::join(config, shared.signer.clone(), network).await?,
            None => Group::open(config, shared.signer.clone()).await?,
        };
        let height = group.tip().borrow().height;
        observer.start_at(height.0);
        shared.metrics.watch(group.clone(), pool_capacity);
        let snapshots = folder.snapshots();
        let mut tasks = vec![tokio::spawn(housekeeping::run(shared.housekeeping, group.clone(), snapshots.clone()))];
        // Lines of the log that are about no group have the height of the node's own.
        if is_home {
            shared.log.at_height(height.0);
            tasks.push(tokio::spawn(tell_heights(group.clone(), shared.log.clone())));
        }
        tasks.extend(shared.net.clone().map(|net| tokio::spawn(members::tell(group.clone(), net))));
        let (chain, name) = (&group.genesis().chain_id, &group.genesis().group_id);
        tracing::info!(%chain, group = %name, height = height.0, "group opened");
        Ok(Running { group, snapshots, tasks })
    }

    /// The group.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Where snapshots of its ledger are kept.
    pub(crate) fn snapshots(&self) -> &PathBuf {
        &self.snapshots
    }

    /// Its newest durable block.
    pub(crate) fn height(&self) -> Height {
        self.group.ledger().height()
    }

    /// Stops it, and waits until nobody uses its files, at most so long; whether nobody does.
    pub(super) async fn close(self: Arc<Running>, metrics: &Metrics, patience: Duration) -> bool {
        for task in &self.tasks {
            task.abort();
        }
        metrics.unwatch(&self.group.genesis_hash());
        self.group.stop().await;
        let closed = self.group.ledger().closed();
        tracing::info!(group = %self.group.genesis().group_id, "group stopped");
        drop(self);
        tokio::task::spawn_blocking(move || closed.wait(patience)).await.unwrap_or(false)
    }
}

/// Tells the log the height of the group.
async fn tell_heights(group: Group, log: Arc<Log>) {
    let mut tip = group.tip();
    loop {
        log.at_height(tip.borrow_and_update().height.0);
        if tip.changed().await.is_err() {
            return;
        }
    }
}
