//! Gives outcomes to those who wait for them.

use std::collections::HashMap;
use std::sync::Arc;

use hanse_types::{Header, Receipt, TxId};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

/// How a transaction's life in the pool ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in a block that is durable, with its certificate.
    Committed(Arc<Receipt>),
    /// It left the pool without being executed, and never will be.
    Dropped {
        /// Why, by its stable name.
        reason: Arc<str>,
    },
}

/// Who waits for which transaction, and the newest committed header.
#[derive(Debug)]
pub struct Feed {
    waiting: Mutex<Waiting>,
    tip: watch::Sender<Arc<Header>>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_id: HashMap<TxId, Vec<oneshot::Sender<Outcome>>>,
    /// Nothing will be told any more.
    closed: bool,
}

impl Feed {
    /// A feed of a chain whose newest block has this header.
    pub fn new(tip: Arc<Header>) -> Feed {
        Feed { waiting: Mutex::default(), tip: watch::Sender::new(tip) }
    }

    /// Waits for a transaction's outcome; an error is the end of the feed. The caller asks the ledger *after* this call,
    /// so that an outcome that came before it is not missed.
    pub fn wait(&self, id: TxId) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if !waiting.closed {
            let list = waiting.by_id.entry(id).or_default();
            list.retain(|other| !other.is_closed());
            list.push(sender);
        }
        receiver
    }

    /// Forgets waiters that gave up on this transaction.
    pub fn forget(&self, id: TxId) {
        let by_id = &mut self.waiting.lock().by_id;
        if let Some(list) = by_id.get_mut(&id) {
            list.retain(|sender| !sender.is_closed());
            if list.is_empty() {
                by_id.remove(&id);
            }
        }
    }

    /// Tells of a committed block.
    pub fn committed(&self, header: Arc<Header>, receipts: &[Receipt]) {
        let mut waiting = self.waiting.lock();
        if !waiting.by_id.is_empty() {
            for receipt in receipts {
                if let Some(list) = waiting.by_id.remove(&receipt.tx_id) {
                    tell(list, &Outcome::Committed(Arc::new(receipt.clone())));
                }
            }
        }
        drop(waiting);
        self.tip.send_replace(header);
    }

    /// Tells that a transaction left the pool unexecuted.
    pub fn dropped(&self, id: TxId, reason: &str) {
        if let Some(list) = self.waiting.lock().by_id.remove(&id) {
            tell(list, &Outcome::Dropped { reason: reason.into() });
        }
    }

    /// Ends the feed: whoever waits, now or later, is told that nothing will come.
    pub fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        waiting.by_id.clear();
    }

    /// The newest committed header, and its successors as they come.
    pub fn tip(&self) -> watch::Receiver<Arc<Header>> {
        self.tip.subscribe()
    }
}

fn tell(list: Vec<oneshot::Sender<Outcome>>, outcome: &Outcome) {
    for sender in list {
        // One who no longer listens has given up; there is nobody to tell.
        let _ = sender.send(outcome.clone());
    }
}
