//! What the network counts, for `/metrics` and for whoever looks at a peer.

use std::sync::atomic::{AtomicU64, Ordering};

use hanse_group::network::Module;

use super::frame::Head;

/// Declares why something was not taken, with each reason's name as a label.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident = $name:literal,)+) => {
        /// Why something was not taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Refused {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl Refused {
            /// All of them.
            pub(crate) const ALL: [Refused; [$($name),+].len()] = [$(Refused::$reason),+];

            /// Its name as a label.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Refused::$reason => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// A connection of a node that is no member and not allowed, where keys decide.
    Connection = "not_admitted",
    /// A connection of a node without a certificate, where certificates decide.
    NoCertificate = "no_certificate",
    /// One whose certificate does not hold yet, or does no more.
    CertificateTime = "certificate_time",
    /// One whose certificate is by no trusted authority.
    CertificateAuthority = "certificate_authority",
    /// One that presented another's certificate.
    CertificateKey = "certificate_key",
    /// One that presented what is no certificate of a node.
    CertificateForm = "certificate_form",
    /// One that is denied.
    Denied = "denied",
    /// One whose authority is denied.
    AuthorityDenied = "authority_denied",
    /// One that did what no node does, a moment ago.
    Banned = "banned",
    /// One more connection than there may be.
    TooMany = "too_many",
    /// A frame of a group that its sender is no member of; whether this node has that group is not said.
    Group = "not_a_member",
    /// A frame of a member that sends more than its part.
    Flood = "flood",
    /// What no frame is.
    Malformed = "malformed",
    /// A frame that is to be sent, to a peer that takes them too slowly.
    Full = "peer_slow",
}

/// Bytes in both directions, and what was not taken.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    saved: AtomicU64,
    refused: AtomicU64,
}

impl Traffic {
    /// A frame with this head came.
    pub(super) fn receive(&self, head: &Head) {
        self.received.fetch_add(head.wire_bytes() as u64, Ordering::Relaxed);
    }

    /// A frame with this head went.
    pub(super) fn send(&self, head: &Head) {
        self.sent.fetch_add(head.wire_bytes() as u64, Ordering::Relaxed);
        self.saved.fetch_add(head.saved() as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames that came and were more than their sender's part.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes of frames that came.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that frames which went would have had more, were none packed.
    pub(crate) fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
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
    refused: [AtomicU64; Refused::ALL.len()],
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
