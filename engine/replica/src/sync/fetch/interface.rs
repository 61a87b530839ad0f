//! What a fetch is bounded by, what it wants done, and how far it is.

use std::sync::Arc;

use hanse_consensus::Peer;
use hanse_types::Height;

#[cfg(doc)]
use super::SnapshotFetch;
use crate::sync::message::{Description, SyncMessage};

/// Bounds of a fetch. They decide how fast it is and what it costs, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// How long to wait for somebody who has a snapshot before blocks are fetched instead, in milliseconds.
    pub wait_ms: u64,
    /// How often peers are asked what they have, in milliseconds.
    pub ask_ms: u64,
    /// Chunks that a peer has to send at a time.
    pub chunks_per_peer: usize,
    /// Chunks that are being asked for or written at a time.
    pub chunks: usize,
    /// The shortest time that a peer is given to answer, in milliseconds.
    pub answer_ms: u64,
}

impl Default for FetchLimits {
    fn default() -> FetchLimits {
        FetchLimits { wait_ms: 10_000, ask_ms: 2_000, chunks_per_peer: 2, chunks: 16, answer_ms: 3_000 }
    }
}

/// What it wants done.
#[derive(Clone, Debug)]
pub enum FetchOutput {
    /// Send this peer this.
    Send(Peer, SyncMessage),
    /// Make room for this snapshot, then tell which chunks are there already with [`SnapshotFetch::begun`].
    Begin(Arc<Description>),
    /// Make a chunk durable, then tell with [`SnapshotFetch::kept`].
    Keep {
        /// Its number.
        index: u32,
        /// Its bytes, which are what the manifest says.
        bytes: Vec<u8>,
    },
    /// All chunks are there: make a ledger of them, then tell with [`SnapshotFetch::imported`].
    Import(Arc<Description>),
    /// A peer sent what no honest node sends; it is asked for no more of this.
    Lied {
        /// Who.
        peer: Peer,
        /// What was wrong.
        reason: String,
    },
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FetchStage {
    /// Nobody is known yet who has a snapshot that can be used.
    #[default]
    Asking,
    /// Chunks are being fetched.
    Fetching,
    /// A ledger is being made of them.
    Importing,
    /// The ledger is made, and waits for being taken.
    Ready,
    /// There is nothing to be fetched any more: the node has blocks of its own.
    Over,
}

/// How far it is, for those who look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// What is being done.
    pub stage: FetchStage,
    /// The snapshot's height, if there is one.
    pub height: Option<Height>,
    /// Chunks that are here.
    pub kept: u32,
    /// Chunks that it has.
    pub chunks: u32,
    /// Bytes of chunks that were fetched since the start.
    pub bytes: u64,
    /// Requests that were not answered in time since the start.
    pub timeouts: u64,
    /// Times since the start that a peer was found to lie.
    pub lies: u64,
}
