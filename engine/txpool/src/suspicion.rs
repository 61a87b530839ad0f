//! Transactions that may have brought the node down while it ran them.
//!
//! A suspect keeps its place, but is in no batch with others: if the node fails again, it is known by which it did. It is
//! acquitted when it was run and the node still stood, and convicted, so dropped, when it was not.

use hanse_types::TxId;

use crate::pool::{Arrival, Pool};
use crate::refusal::Refusal;
use crate::sealing::Dropped;

/// That a transaction is under suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Which.
    pub id: TxId,
    /// Its place.
    pub arrival: Arrival,
    /// How often it was begun to be run alone and not seen to end.
    pub trials: u8,
}

impl Pool {
    /// Puts a transaction under suspicion, with the trials that it had; none if it is not here. What is known of one that
    /// is under suspicion already stays.
    pub fn suspect(&mut self, id: &TxId, trials: u8) -> Option<Suspicion> {
        let arrival = *self.arrivals.get(id)?;
        let trials = *self.suspects.entry(arrival).or_insert(trials);
        Some(Suspicion { id: *id, arrival, trials })
    }

    /// Names those that are under suspicion as soon as they come, in the place of those named before.
    pub fn suspect_on_arrival(&mut self, ids: Vec<TxId>) {
        self.suspect_on_arrival = ids;
    }

    /// Whether any transaction is under suspicion.
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The suspicion of a transaction, if there is one.
    pub fn suspicion(&self, id: &TxId) -> Option<Suspicion> {
        let arrival = *self.arrivals.get(id).filter(|_| self.has_suspects())?;
        self.suspects.get(&arrival).map(|trials| Suspicion { id: *id, arrival, trials: *trials })
    }

    /// A suspect is to be run alone: counts that, and gives its suspicion as it is then.
    pub fn try_alone(&mut self, id: &TxId) -> Option<Suspicion> {
        let Suspicion { arrival, trials, .. } = self.suspicion(id)?;
        let trials = trials.saturating_add(1);
        self.suspects.insert(arrival, trials);
        Some(Suspicion { id: *id, arrival, trials })
    }

    /// A suspect was run, and the node still stands: it is one like any other. Its suspicion, if there was one.
    pub fn acquit(&mut self, id: &TxId) -> Option<Suspicion> {
        let suspicion = self.suspicion(id)?;
        self.suspects.remove(&suspicion.arrival);
        Some(suspicion)
    }

    /// The node failed while it ran a suspect alone: it leaves the pool, also from a block under way.
    pub fn convict(&mut self, id: &TxId, reason: String) -> Option<Dropped> {
        let Suspicion { arrival, .. } = self.suspicion(id)?;
        let entry = self.sealed.remove(&arrival).or_else(|| self.take_waiting(arrival))?;
        Some(self.drop_taken(arrival, entry.transaction, Refusal::EngineFailed { reason }))
    }
}
