//! Portable snapshots: making them for others, and beginning with one that others have.
//!
//! Each time so many blocks have passed, a node writes what it has as a portable snapshot beside its ledger and offers it to the
//! other members (`offers.rs`). At the same height it is the same at each of them. A node without a block, if it is told to
//! ([`SyncMode::Snapshot`]), gets such a one of several members at a time and makes a ledger of it, while its group runs on at
//! the genesis block; then the group is to be opened anew ([`Group::snapshot_ready`](crate::Group::snapshot_ready)), and goes on
//! from there.
//!
//! ```text
//! GROUP/offers/HEIGHT/    a snapshot for others
//! GROUP/incoming/         what has come of one
//! ```
//!
//! Whether what was fetched is the chain's is found out by [`hanse_ledger::portable`]; who is asked for what is decided by
//! [`SnapshotFetch`](hanse_replica::sync::SnapshotFetch).

#[cfg(feature = "rocksdb")]
pub(crate) mod fetch;
mod offers;

pub use hanse_replica::sync::{FetchLimits, FetchProgress, FetchStage};

pub(crate) use offers::Offers;

use hanse_consensus::Peer;
use hanse_replica::sync::SyncMessage;
use tokio::sync::mpsc;

/// What a fetch is told.
#[cfg_attr(not(feature = "rocksdb"), allow(dead_code, reason = "a ledger in memory is made of no snapshot"))]
pub(crate) enum Told {
    Up(Peer),
    Down(Peer),
    Heard(Peer, SyncMessage),
}

/// Where a fetch is told, if there is one.
#[derive(Clone, Default)]
pub(crate) struct FetchSender(Option<mpsc::Sender<Told>>);

impl FetchSender {
    /// A peer is connected; that is never lost.
    pub(crate) async fn up(&self, peer: Peer) {
        self.tell(Told::Up(peer)).await;
    }

    /// It is not any more.
    pub(crate) async fn down(&self, peer: Peer) {
        self.tell(Told::Down(peer)).await;
    }

    async fn tell(&self, told: Told) {
        if let Some(sender) = &self.0 {
            // A fetch that is over needs nothing.
            let _ = sender.send(told).await;
        }
    }

    /// A peer has sent something. Where there is no room for it, it is asked for again.
    pub(crate) fn heard(&self, peer: Peer, message: SyncMessage) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(Told::Heard(peer, message));
        }
    }
}

/// How a node that is behind gets what the others have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Every block, which it runs itself.
    #[default]
    Full,
    /// Every block with its outcomes, which it applies; the newest ones it runs.
    Fast,
    /// While it has no block: a snapshot, then the blocks after that.
    Snapshot,
}

impl SyncMode {
    /// All of them.
    pub const ALL: [SyncMode; 3] = [SyncMode::Full, SyncMode::Fast, SyncMode::Snapshot];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            SyncMode::Full => "full",
            SyncMode::Fast => "fast",
            SyncMode::Snapshot => "snapshot",
        }
    }
}

/// What a node offers to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferRules {
    /// Blocks between two snapshots; 0 makes none.
    pub every: u64,
    /// How many are kept; the oldest goes first.
    pub keep: usize,
}

impl Default for OfferRules {
    fn default() -> OfferRules {
        OfferRules { every: 10_000, keep: 2 }
    }
}
