//! What the driver says of transactions by which it failed, or did not.
//!
//! A failure of what runs transactions stops the replica, and would do so again after every start, for what was accepted
//! comes back. So those that it may have been are put under suspicion, to be run apart from others from then on.

use hanse_consensus::Consensus;
use hanse_txpool::{Arrival, Dropped, Kept, Suspicion};
use hanse_types::{TxId, Verified};

use crate::replica::Replica;

/// Whose batch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// One of this node's own, of one transaction.
    Alone,
    /// One of this node's own, of several.
    Shared,
    /// Another node's.
    Foreign,
}

/// What comes of a failure for the transactions that it may have been. To be made durable, so that it outlives the process.
#[derive(Debug, Default)]
pub struct Blamed {
    /// Suspects that were not kept yet, and must be: what is not durable can't be marked.
    pub kept: Vec<Kept>,
    /// The suspects that were none before.
    pub suspects: Vec<Suspicion>,
    /// The places of others that were suspects, and are no more.
    pub acquitted: Vec<Arrival>,
    /// A suspect that was run alone.
    pub convicted: Option<Dropped>,
}

impl<C: Consensus> Replica<C> {
    /// What runs transactions failed, and may have done so by these of a batch. A suspect that was alone is convicted; of
    /// several in a batch it was one of these. To be called before the failure is reported.
    pub fn blame(&mut self, ids: &[TxId], batch: Batch, reason: &str) -> Blamed {
        let known: Vec<_> = ids.iter().filter_map(|id| self.pool.suspicion(id)).collect();
        let mut blamed = Blamed::default();
        match (batch, known.as_slice()) {
            (Batch::Alone, [suspect]) => {
                blamed.convicted = self.pool.convict(&suspect.id, reason.to_owned());
                return blamed;
            }
            // A batch is of suspects or of others, so it was of suspects.
            (Batch::Shared, [_, ..]) => blamed.acquitted = self.pool.acquit_all_but(&known),
            _ => {}
        }
        blamed.suspects = ids.iter().filter_map(|id| self.pool.suspect(id, 1)).collect();
        blamed.kept = ids.iter().filter_map(|id| self.pool.keep(id)).collect();
        blamed
    }

    /// These had brought the node down before, and are about to be submitted again: they are under suspicion at once. In the
    /// place of those named before.
    pub fn suspect_on_arrival(&mut self, ids: Vec<TxId>) {
        self.pool.suspect_on_arrival(ids);
    }

    /// These were run and nothing failed: the places of those that were suspects.
    pub fn acquit(&mut self, transactions: &[Verified]) -> Vec<Arrival> {
        if !self.pool.has_suspects() {
            return Vec::new();
        }
        transactions.iter().filter_map(|transaction| self.pool.acquit(&transaction.id())).collect()
    }
}
