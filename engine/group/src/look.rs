//! What others may look at: the pool's transactions, figures of recent blocks, how the group is run.

use hanse_txpool::{Listed, PoolLimits};
use hanse_types::{Height, TxId};
use tokio::sync::oneshot;

use crate::event::Event;
use crate::group::Group;
use crate::observe::BlockFigures;
use crate::timeline::Timelines;

/// How this node runs the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads that execute blocks and verify signatures.
    pub threads: usize,
    /// Whether each of these threads stays on one core.
    pub bind_cores: bool,
    /// Threads that answer simulations and queries.
    pub query_threads: usize,
    /// Bounds of the pool.
    pub pool: PoolLimits,
    /// Most submissions that wait for their signatures to be verified.
    pub intake_waiting: usize,
}

impl Group {
    /// At most `limit` transactions of the pool in the order of their arrival, those after `after`, and whether there are
    /// more; nothing once the group has stopped. The pool stands still meanwhile, so ask for little.
    pub async fn pool_list(&self, after: Option<TxId>, limit: usize) -> (Vec<Listed>, bool) {
        let (reply, list) = oneshot::channel();
        let asked = self.inner.events.send(Event::List { after, limit, reply }).await;
        if asked.is_err() {
            return (Vec::new(), false);
        }
        list.await.unwrap_or_default()
    }

    /// A transaction of the pool.
    pub async fn pool_transaction(&self, id: TxId) -> Option<Listed> {
        let (reply, found) = oneshot::channel();
        self.inner.events.send(Event::Find { id, reply }).await.ok()?;
        found.await.ok().flatten()
    }

    /// What blocks from a height on took on this node, the oldest first: the newest ones that were made since the group was
    /// opened.
    pub fn recent_figures(&self, since: Height) -> Vec<BlockFigures> {
        self.inner.recent_figures.since(since)
    }

    /// When this node's threads ran what, of blocks that were made while that was recorded.
    pub fn timelines(&self) -> &Timelines {
        &self.inner.timelines
    }

    /// How this node runs it.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}
