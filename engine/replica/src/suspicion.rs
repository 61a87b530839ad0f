//! What the driver says of transactions by which it failed, or did not.
//!
//! A failure of what runs transactions stops the replica, and would do so again after every start, for what was accepted
//! comes back. So those that it may have been are put under suspicion, to be run apart from others from then on.

use hanse_consensus::Consensus;
use hanse_txpool::{Arrival, Dropped, Kept, Suspicion};
use hanse_types::{TxId, Verified};

use crate::replica::Replica;

/// What comes of a failure for the transactions that it may have been. To be made durable, so that it outlives the process.
#[derive(Debug, Default)]
pub struct Blamed {
    /// Suspects that were not kept yet, and must be: what is not durable can't be marked.
    pub kept: Vec<Kept>,
    /// The suspects.
    pub suspects: Vec<Suspicion>,
    /// The places of others that were suspects, and are no more.
    pub acquitted: Vec<Arrival>,
    /// A suspect that was run alone.
    pub convicted: Option<Dropped>,
}

impl<C: Consensus> Replica<C> {
    /// What runs transactions failed, and may have done so by these. `alone` if it was a batch of this node's own with nothing
    /// else in it: then a suspect is convicted. To be called before the failure is reported.
    pub fn blame(&mut self, ids: &[TxId], alone: bool, reason: &str) -> Blamed {
        if let [id] = ids
            && alone
            && self.pool.suspicion(id).is_some()
        {
            return Blamed { convicted: self.pool.convict(id, reason.to_owned()), ..Blamed::default() };
        }
        let was_of_suspects = !ids.is_empty() && ids.iter().all(|id| self.pool.suspicion(id).is_some());
        let suspects: Vec<_> = ids.iter().filter_map(|id| self.pool.suspect(id, 1)).collect();
        let acquitted = if was_of_suspects { self.pool.acquit_all_but(&suspects) } else { Vec::new() };
        let kept = ids.iter().filter_map(|id| self.pool.keep(id)).collect();
        Blamed { kept, suspects, acquitted, convicted: None }
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
