//! The pool as a list, for those who look at it.

use hanse_types::{Timestamp, TxId, Verified};

use crate::pool::{Arrival, Entry, Pool};

/// A transaction of the pool, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The transaction.
    pub transaction: Verified,
    /// Since when it waits.
    pub since: Timestamp,
    /// Whether it is in a block under way.
    pub sealed: bool,
}

impl Pool {
    /// At most `limit` transactions in the order of their arrival, those after `after`; from the beginning if it is not in
    /// the pool any more. The flag says whether there are more.
    pub fn list(&self, after: Option<&TxId>, limit: usize) -> (Vec<Listed>, bool) {
        let start: Arrival = after.and_then(|id| self.arrivals.get(id)).map_or(0, |arrival| arrival + 1);
        let waiting = self.waiting.range(start..).map(|(arrival, entry)| (*arrival, listed(entry, false)));
        let sealed = self.sealed.range(start..).map(|(arrival, entry)| (*arrival, listed(entry, true)));
        let lapsed = self.lapsed.entries.range(start..).map(|(arrival, entry)| (*arrival, listed(entry, false)));
        // One more than asked for of each, so that it shows whether there are more.
        let most = limit.saturating_add(1);
        let mut found: Vec<(Arrival, Listed)> =
            waiting.take(most).chain(sealed.take(most)).chain(lapsed.take(most)).collect();
        found.sort_by_key(|(arrival, _)| *arrival);
        let more = found.len() > limit;
        (found.into_iter().take(limit).map(|(_, listed)| listed).collect(), more)
    }

    /// The transaction of this id.
    pub fn get(&self, id: &TxId) -> Option<Listed> {
        let arrival = *self.arrivals.get(id)?;
        self.entry(arrival).map(|entry| listed(entry, self.sealed.contains_key(&arrival)))
    }
}

fn listed(entry: &Entry, sealed: bool) -> Listed {
    Listed { transaction: entry.transaction.clone(), since: entry.since, sealed }
}
