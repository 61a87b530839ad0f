//! Transactions that may have brought the node down while it ran them.
//!
//! A suspect keeps its place, but is in no batch with those that are not, and in one with so many suspects only as it may
//! share it with: if the node fails again, it is one of these. It is acquitted when it was run and the node still stood, and
//! convicted, so dropped, when it was alone and the node did not. (If the whole process ended, the next one judges.)

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::ops::RangeInclusive;

use hanse_types::{TxId, Verified};

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
}

impl Pool {
    /// Puts a transaction under suspicion, in batches of so many suspects at most; none if it is not here, or is under suspicion
    /// already.
    pub fn suspect(&mut self, id: &TxId, at_once: usize) -> Option<Suspicion> {
        let arrival = *self.arrivals.get(id)?;
        let Entry::Vacant(entry) = self.suspects.entry(arrival) else { return None };
        entry.insert(at_once);
        Some(Suspicion { id: *id, arrival })
    }

    /// Names those that are under suspicion as soon as they come, in the place of those named before. Each is a batch alone.
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
        self.suspects.contains_key(&arrival).then_some(Suspicion { id: *id, arrival })
    }

    /// The places of a batch, from its first to its last; none if these are not here any more.
    pub fn places(&self, batch: &[Verified]) -> Option<RangeInclusive<Arrival>> {
        let place = |transaction: &Verified| self.arrivals.get(&transaction.id()).copied();
        Some(place(batch.first()?)?..=place(batch.last()?)?)
    }

    /// A suspect was run, and the node still stands: it is one like any other. Its place, if it was a suspect.
    pub fn acquit(&mut self, id: &TxId) -> Option<Arrival> {
        let Suspicion { arrival, .. } = self.suspicion(id)?;
        self.suspects.remove(&arrival).map(|_| arrival)
    }

    /// It was one of these, of several in a batch: others that may share one are acquitted, as those of one that is divided. The
    /// places of those.
    pub fn acquit_all_but(&mut self, suspects: &[Suspicion]) -> Vec<Arrival> {
        let stay: BTreeSet<Arrival> = suspects.iter().map(|suspect| suspect.arrival).collect();
        let others = self.suspects.extract_if(.., |arrival, at_once| *at_once > 1 && !stay.contains(arrival));
        others.map(|(arrival, _)| arrival).collect()
    }

    /// The node failed while it ran a suspect alone: it leaves the pool, also from a block under way.
    pub fn convict(&mut self, id: &TxId, reason: String) -> Option<Dropped> {
        let Suspicion { arrival, .. } = self.suspicion(id)?;
        let entry = self.sealed.remove(&arrival).or_else(|| self.take_waiting(arrival))?;
        Some(self.drop_taken(arrival, entry.transaction, Refusal::EngineFailed { reason }))
    }
}
