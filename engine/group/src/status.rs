//! What became of a transaction.

use std::sync::Arc;

use hanse_ledger::LedgerError;
use hanse_replica::Whereabouts;
use hanse_types::{Height, Receipt, TxId};
use tokio::sync::oneshot;

use crate::drops::{DropRecord, Known};
use crate::event::Event;
use crate::group::Group;

/// Where a transaction's life stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// It was accepted and waits for a block.
    Waiting,
    /// It is in a block that is being made, and not durable yet.
    Sealed {
        /// The block's height.
        height: Height,
    },
    /// It is in a block, for good.
    Committed(Box<Receipt>),
    /// It was accepted, and will never be executed unless it is sent again.
    Dropped(Box<DropRecord>),
    /// This node does not know it: it was never accepted here, or that was not to outlive a crash, or was dropped so long
    /// ago that it is forgotten.
    Unknown,
}

impl Group {
    /// What became of a transaction. What was told as final stays so: committed always, dropped unless it is sent again
    /// and accepted.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub async fn status(&self, id: TxId) -> Result<TransactionStatus, LedgerError> {
        // In the order of a transaction's way, so that one that moves on meanwhile is met on its way.
        match self.locate(id).await {
            Some(Whereabouts::Waiting) => return Ok(TransactionStatus::Waiting),
            Some(Whereabouts::Sealed { height }) => return Ok(TransactionStatus::Sealed { height }),
            None => {}
        }
        if let Some(receipt) = tokio::task::block_in_place(|| self.inner.ledger.receipt_of(&id))? {
            return Ok(TransactionStatus::Committed(Box::new(receipt)));
        }
        Ok(match self.inner.drops.get(&id) {
            Some(Known::Dropped(dropped)) => TransactionStatus::Dropped(Box::new(dropped)),
            // Nobody is told before it is on the disk.
            Some(Known::Dropping) => TransactionStatus::Waiting,
            None => TransactionStatus::Unknown,
        })
    }

    /// Why a transaction was dropped, unless it waits again.
    pub(crate) async fn was_dropped(&self, id: TxId) -> Option<Arc<str>> {
        let Some(Known::Dropped(dropped)) = self.inner.drops.get(&id) else { return None };
        match self.locate(id).await {
            Some(_) => None,
            None => Some(dropped.reason.into()),
        }
    }

    /// Where a transaction is in the pool; none also if the group has stopped.
    async fn locate(&self, id: TxId) -> Option<Whereabouts> {
        let (reply, whereabouts) = oneshot::channel();
        self.inner.events.send(Event::Locate { id, reply }).await.ok()?;
        whereabouts.await.ok().flatten()
    }
}
