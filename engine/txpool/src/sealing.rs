//! When a batch is ready, and what is in it.
//!
//! A batch is ready when it is full, when its oldest transaction has waited the chain's block interval, or when it is so
//! large that waiting for more gains nothing, if somebody said from where on that is ([`Pool::seal_from`]). It takes
//! transactions in the order of their arrival; none overtakes another, so none starves. One that is under suspicion is in no
//! batch with those that are not, and with few of those that are.

use hanse_types::{Timestamp, TxId, Verified};

use crate::admission::{self, Place};
use crate::pool::{Arrival, Pool};
use crate::refusal::Refusal;

/// A transaction that left the pool without a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Which.
    pub transaction: Verified,
    /// The place that it had.
    pub arrival: Arrival,
    /// Why.
    pub refusal: Refusal,
}

impl Dropped {
    /// Its identity.
    pub fn id(&self) -> TxId {
        self.transaction.id()
    }
}

/// What sealing gave.
#[derive(Debug, Default)]
pub struct Sealed {
    /// The transactions of the block, in the order of their arrival; empty only if none could be included.
    pub batch: Vec<Verified>,
    /// Those whose turn it was, but which no block will include any more.
    pub dropped: Vec<Dropped>,
}

impl Pool {
    /// When the next batch is ready, as things are: a time that has passed if it is full, none if nothing waits.
    pub fn deadline(&self) -> Option<Timestamp> {
        let (_, oldest) = self.waiting.first_key_value()?;
        let wait_ms =
            if self.is_full() || self.waiting.len() >= self.enough { 0 } else { self.params.block_interval_ms };
        Some(oldest.since.plus_ms(wait_ms))
    }

    /// From now on so many transactions are a batch, however short they have waited.
    pub fn seal_from(&mut self, count: usize) {
        self.enough = count.max(1);
    }

    /// Whether a batch is ready.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Takes a batch for the block at this place. Its transactions are in a block under way until they are
    /// [committed](Pool::committed) or [returned](Pool::returned).
    pub fn seal(&mut self, place: Place) -> Sealed {
        let mut sealed = Sealed::default();
        // What can't be in this block may be in one before it that is not decided: then it is too early to drop it.
        let is_ahead = self.is_of_several() && place.height > self.history().height().next();
        let mut left = Vec::new();
        let mut room = Room::new(self);
        while let Some((arrival, oldest)) = self.waiting.first_key_value() {
            let arrival = *arrival;
            let checked = admission::check_place(&oldest.transaction, &self.params, &self.history, place);
            if checked.is_ok() && !room.take(&oldest.transaction, self.suspects.get(&arrival).copied()) {
                break;
            }
            let Some(entry) = self.take_waiting(arrival) else { break };
            match checked {
                Err(_) if is_ahead => left.push((arrival, entry)),
                Err(refusal) => sealed.dropped.extend(self.give_up(arrival, entry, refusal)),
                Ok(()) => {
                    sealed.batch.push(entry.transaction.clone());
                    self.put_sealed(arrival, entry);
                }
            }
        }
        left.into_iter().for_each(|(arrival, entry)| self.wait(arrival, entry));
        sealed
    }

    /// Takes out those of them that wait: they are in another node's block under way, until it is
    /// [committed](Pool::committed) or they are [returned](Pool::returned). Which they are.
    pub fn claim<'a>(&mut self, ids: impl IntoIterator<Item = &'a TxId>) -> Vec<TxId> {
        let mut claimed = Vec::new();
        for id in ids {
            let arrival = self.arrivals.get(id).copied();
            if let Some((arrival, entry)) = arrival.and_then(|arrival| Some((arrival, self.take_waiting(arrival)?))) {
                self.put_sealed(arrival, entry);
                claimed.push(*id);
            }
        }
        claimed
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= admission::block_tx_count_max(&self.params)
            || self.load.bytes >= admission::block_bytes_max(&self.params)
            || self.load.gas >= u128::from(self.limits.batch_gas.0)
    }
}

/// What still fits into a batch.
struct Room {
    taken: usize,
    /// Whether those taken are suspects.
    of_suspects: bool,
    /// Most of them.
    count: usize,
    bytes: u64,
    gas: u64,
}

impl Room {
    fn new(pool: &Pool) -> Room {
        let (count, bytes) = (admission::block_tx_count_max(&pool.params), admission::block_bytes_max(&pool.params));
        Room { taken: 0, of_suspects: false, count, bytes, gas: pool.limits.batch_gas.0 }
    }

    /// Takes room for a transaction, if it fits; if it is a suspect, in a batch of so many at most. The first always fits: by
    /// bytes it was checked, and of gas it needs no more than the chain allows.
    fn take(&mut self, transaction: &Verified, suspect: Option<usize>) -> bool {
        let (bytes, gas) = (transaction.byte_count() as u64, transaction.transaction().gas_limit.0);
        let count = suspect.unwrap_or(usize::MAX).min(self.count);
        let fits = self.taken < count && bytes <= self.bytes && gas <= self.gas;
        if self.taken > 0 && !(fits && self.of_suspects == suspect.is_some()) {
            return false;
        }
        self.of_suspects = suspect.is_some();
        self.taken += 1;
        self.count = count;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.gas = self.gas.saturating_sub(gas);
        true
    }
}
