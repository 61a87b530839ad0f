//! What the driver is told: by those who hold the group, by its threads, by other members.

use std::sync::Arc;
use std::time::Duration;

use hanse_consensus::{Message, Peer, Signed};
use hanse_ledger::Renewal;
use hanse_replica::sync::{Blocks, Examined};
use hanse_replica::{Shown, Whereabouts};
use hanse_txpool::Listed;
use hanse_types::{Hash, Height, Timestamp, TxId, Verified};
use tokio::sync::oneshot;

use crate::blame::RunFailure;
use crate::execution::{Checked, ExecutedBlock};
use crate::submit_error::SubmitError;

/// What happened outside.
pub(crate) enum Event {
    Submitted {
        transactions: Vec<Verified>,
        since: Timestamp,
        /// Which peer has relayed them, if none of our clients sent them.
        from: Option<Peer>,
        keep: bool,
        reply: oneshot::Sender<Vec<Result<TxId, SubmitError>>>,
    },
    /// Somebody asks where a transaction is.
    Locate {
        id: TxId,
        reply: oneshot::Sender<Option<Whereabouts>>,
    },
    /// Somebody looks at the pool.
    List {
        after: Option<TxId>,
        limit: usize,
        reply: oneshot::Sender<(Vec<Listed>, bool)>,
    },
    /// Somebody looks at a transaction of the pool.
    Find {
        id: TxId,
        reply: oneshot::Sender<Option<Listed>>,
    },
    /// A failed transaction is to be replaced, or is not after all.
    Renew {
        id: TxId,
        renewal: Option<Renewal>,
        done: oneshot::Sender<()>,
    },
    Executed {
        height: Height,
        result: Result<Made, RunFailure>,
        took: Duration,
    },
    Checked {
        height: Height,
        block: Hash,
        result: Result<Checked, RunFailure>,
        took: Duration,
    },
    /// Transactions that a peer has sent for a block are good.
    Supplied {
        block: Hash,
        transactions: Vec<Verified>,
    },
    Message {
        from: Peer,
        message: Box<Message>,
    },
    /// A peer has sent committed blocks.
    Synced {
        from: Peer,
        blocks: Blocks,
    },
    /// It was found out what blocks are that a peer has sent.
    Examined(Box<Examined>),
    /// No blocks are to be fetched from now on, or they are again.
    #[cfg_attr(not(feature = "rocksdb"), allow(dead_code, reason = "a ledger in memory is made of no snapshot"))]
    HoldSync(bool),
    PeerUp(Peer),
    PeerDown(Peer),
    Signed {
        height: Height,
        result: Result<Signed, String>,
    },
    Recorded {
        height: Height,
        result: Result<(), String>,
    },
    Persisted {
        height: Height,
        hash: Hash,
        result: Result<(), String>,
        took: Duration,
    },
    NotKept {
        reason: String,
    },
    /// The clock was moved ahead.
    ClockMoved,
    Stop,
}

/// Where it is told.
pub(crate) type Events = tokio::sync::mpsc::Sender<Event>;

/// A block that was made here.
pub(crate) struct Made {
    pub(crate) block: Arc<ExecutedBlock>,
    /// As others are shown it, if there are others.
    pub(crate) shown: Option<Box<Shown>>,
}
