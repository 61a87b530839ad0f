//! What the network counts, for `/metrics` and for whoever looks at a peer.

use std::sync::atomic::{AtomicU64, Ordering};

use hanse_group::network::Module;

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A connection of a node that is not admitted.
    Connection,
    /// A frame of a group that its sender is no member of; whether this node has that group is not said.
    Group,
    /// What no frame is.
    Malformed,
    /// A frame that is to be sent, to a peer that takes them too slowly.
    Full,
}

impl Refused {
    /// All of them.
    pub(crate) const ALL: [Refused; 4] = [Refused::Connection, Refused::Group, Refused::Malformed, Refused::Full];

    /// Its name as a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Refused::Connection => "not_admitted",
            Refused::Group => "not_a_member",
            Refused::Malformed => "malformed",
            Refused::Full => "peer_slow",
        }
    }
}

/// Bytes in both directions.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    pub(super) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn send(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of frames that came.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes of frames that went.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Counters of the whole node.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    modules: [Traffic; 3],
    refused: [AtomicU64; 4],
}

impl Figures {
    /// Bytes of a module's frames.
    pub(crate) fn of(&self, module: Module) -> &Traffic {
        &self.modules[module as usize]
    }

    pub(super) fn refuse(&self, why: Refused) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was refused so.
    pub(crate) fn refused(&self, why: Refused) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }
}
