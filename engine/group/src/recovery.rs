//! Takes over what an earlier process had accepted and did not see committed.
//!
//! What is in the chain by now, or was recorded as dropped, is done with; the rest is verified anew and gets its old
//! place. Whether it can still be in a block is the pool's to judge, which drops it with the reason if not.

use hanse_ledger::{Ledger, LedgerError};
use hanse_txpool::{Arrival, Kept};
use hanse_types::SignedTransaction;
use hanse_types::crypto::verified::{Verifier, VerifyError};

use crate::drops::Drops;
use crate::suspects::Suspects;

/// Entries that are read at a time.
const PAGE: usize = 4_096;

/// What an earlier process left.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// What waits, in the order of its arrival.
    pub(crate) waiting: Vec<Kept>,
    /// The next place in the order of arrival.
    pub(crate) next_arrival: Arrival,
    /// How many entries there were that are done with.
    pub(crate) done_with: usize,
    /// Those that may have brought an earlier process down, as [`suspects`](crate::suspects) judges.
    pub(crate) suspects: Suspects,
}

/// Why the queue could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// It could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It holds what was never accepted.
    #[error(
        "the queue holds a transaction at place {arrival} that is not valid: {error}; the store is damaged: restore it \
         from a backup"
    )]
    Invalid {
        /// Its place.
        arrival: Arrival,
        /// What is wrong.
        error: VerifyError,
    },
}

/// Reads the queue. Call it inside the rayon pool on which signatures are to be verified.
pub(crate) fn read(ledger: &Ledger, drops: &Drops, verifier: &Verifier) -> Result<Recovered, RecoveryError> {
    let genesis = ledger.genesis().hash();
    let dropped = drops.arrivals();
    let mut recovered = Recovered { next_arrival: drops.next_arrival(), ..Recovered::default() };
    let mut from = 0;
    loop {
        let page = ledger.queue(from, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(recovered) };
        from = last.saturating_add(1);
        recovered.next_arrival = recovered.next_arrival.max(from);
        let count = page.len();
        let mut open = Vec::with_capacity(count);
        for (arrival, signed) in page {
            let id = signed.id(&genesis);
            if !dropped.contains(&(arrival, id)) && ledger.find_transaction(&id)?.is_none() {
                open.push((arrival, signed));
            }
        }
        recovered.done_with += count - open.len();
        verify(open, verifier, &mut recovered.waiting)?;
    }
}

fn verify(
    page: Vec<(Arrival, SignedTransaction)>,
    verifier: &Verifier,
    waiting: &mut Vec<Kept>,
) -> Result<(), RecoveryError> {
    let (arrivals, signed): (Vec<Arrival>, Vec<SignedTransaction>) = page.into_iter().unzip();
    for (arrival, result) in arrivals.into_iter().zip(verifier.verify_all(signed)) {
        let transaction = result.map_err(|error| RecoveryError::Invalid { arrival, error })?;
        waiting.push(Kept { arrival, transaction });
    }
    Ok(())
}
