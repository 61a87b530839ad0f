//! The pool's books: who waits, who is in a block under way, how much of it there is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hanse_types::{Address, Gas, Hash, Params, Timestamp, TxId, Verified};

use crate::admission::{self, Place};
use crate::early::Early;
use crate::history::{CommittedBlock, History, NotNext};
use crate::lapsed::Lapsed;
use crate::refusal::Refusal;
use crate::sealing::Dropped;

/// How much a node keeps for one group. Transactions of blocks under way count, for they may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Most transactions.
    pub count: usize,
    /// Most canonical bytes.
    pub bytes: usize,
    /// Most transactions of one sender, so that one can't keep out the others.
    pub sender_count: usize,
    /// Most canonical bytes of one sender.
    pub sender_bytes: usize,
    /// How long the oldest may wait for its block, from its submission on, in milliseconds, while more is admitted; twice
    /// the chain's block interval, if that is longer; and what deciding takes besides. What comes faster than blocks take it
    /// is refused soon, so that what is admitted does not wait for long.
    pub wait_ms: u64,
    /// How many may wait for however long. Where few wait, it is not because of them: a disk stands still, or a proposer is missed,
    /// and nobody gains if they are turned away.
    pub wait_count: usize,
    /// Most gas that the transactions of one batch may ask for together; a batch has one transaction at least.
    pub batch_gas: Gas,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            count: 200_000,
            bytes: 256 << 20,
            sender_count: 50_000,
            sender_bytes: 64 << 20,
            wait_ms: 400,
            wait_count: 256,
            batch_gas: Gas(u64::MAX),
        }
    }
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Transactions that wait.
    pub waiting: usize,
    /// Transactions in blocks under way.
    pub sealed: usize,
    /// Transactions that are over by this node's clock, and wait for the chain to say so.
    pub lapsed: usize,
    /// Canonical bytes of those that wait or are in blocks under way.
    pub bytes: usize,
    /// Committed transactions that are remembered against duplicates.
    pub remembered: usize,
    /// How many more it has room for.
    pub room: usize,
    /// Since when the oldest waits; none if nothing does.
    pub waiting_since: Option<Timestamp>,
    /// When the first was submitted of those in blocks under way; none if there are none.
    pub sealed_since: Option<Timestamp>,
    /// From when on it admits nothing more unless blocks take what waits; none if few wait.
    pub closes_at: Option<Timestamp>,
}

/// Transactions of one group that are not in a committed block yet, in the order of their arrival.
#[derive(Debug)]
pub struct Pool {
    pub(crate) limits: PoolLimits,
    pub(crate) params: Params,
    pub(crate) history: History,
    /// Those that wait, by arrival.
    pub(crate) waiting: BTreeMap<Arrival, Entry>,
    /// What the waiting ones add up to.
    pub(crate) load: Load,
    /// Those in blocks under way. They keep their arrival, and with it their place if they come back.
    pub(crate) sealed: BTreeMap<Arrival, Entry>,
    /// Both of them.
    pub(crate) arrivals: HashMap<TxId, Arrival>,
    /// Those that may have brought the node down, with how many of them may be in a batch with each, itself included.
    pub(crate) suspects: BTreeMap<Arrival, usize>,
    /// Those that are under suspicion as soon as they come.
    pub(crate) suspect_on_arrival: Vec<TxId>,
    /// How many transactions are a batch, however short they have waited.
    pub(crate) enough: usize,
    /// How much longer than by its own bounds a transaction may wait, in milliseconds, as what decides takes so long.
    pub(crate) deciding_ms: u64,
    /// Those that are over by this node's clock, where others make blocks too.
    pub(crate) lapsed: Lapsed,
    /// Those that others have passed on too soon. They count for nothing else.
    pub(crate) early: Early,
    /// The waiting ones by expiration.
    expirations: BTreeSet<(Timestamp, Arrival)>,
    total: Usage,
    senders: HashMap<Address, Usage>,
    next_arrival: Arrival,
    /// When the newest of all that came was submitted: who comes later has not waited longer.
    newest: Timestamp,
    /// Where each is by its leaf, in a group of several.
    leaves: Option<HashMap<Hash, Arrival>>,
}

/// Place in the order of arrival: a number that grows, over restarts too, for what is kept over them.
pub type Arrival = u64;

/// A transaction that is to be kept outside the pool, so that it outlives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its place.
    pub arrival: Arrival,
    /// The transaction.
    pub transaction: Verified,
}

/// A transaction, and since when it waits.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: Verified,
    pub(crate) since: Timestamp,
    /// Whether it was given out to be kept.
    kept: bool,
}

/// A number of transactions and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    count: usize,
    bytes: usize,
}

impl Usage {
    fn has_room(self, bytes: usize, limit: Usage) -> bool {
        self.count < limit.count && self.bytes.saturating_add(bytes) <= limit.bytes
    }

    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    fn subtract(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }
}

/// Bytes and gas limits of the transactions that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) bytes: u64,
    pub(crate) gas: u128,
}

impl Load {
    fn add(&mut self, transaction: &Verified) {
        self.bytes += transaction.byte_count() as u64;
        self.gas += u128::from(transaction.transaction().gas_limit.0);
    }

    fn subtract(&mut self, transaction: &Verified) {
        self.bytes -= transaction.byte_count() as u64;
        self.gas -= u128::from(transaction.transaction().gas_limit.0);
    }
}

impl Pool {
    /// An empty pool on top of a chain.
    pub fn new(limits: PoolLimits, params: Params, history: History) -> Pool {
        Pool {
            limits,
            params,
            history,
            waiting: BTreeMap::new(),
            load: Load::default(),
            sealed: BTreeMap::new(),
            arrivals: HashMap::new(),
            suspects: BTreeMap::new(),
            suspect_on_arrival: Vec::new(),
            enough: usize::MAX,
            deciding_ms: 0,
            lapsed: Lapsed::default(),
            early: Early::default(),
            expirations: BTreeSet::new(),
            total: Usage::default(),
            senders: HashMap::new(),
            next_arrival: 0,
            newest: Timestamp(0),
            leaves: None,
        }
    }

    /// The pool of a group in which others make blocks too. It finds transactions by their leaves in a block's transaction
    /// tree, which is how proposals name them, and it reports one as expired when the chain says so, not this node's clock.
    #[must_use]
    pub fn of_several(self) -> Pool {
        let leaves = self.entries().map(|(arrival, entry)| (entry.transaction.leaf(), *arrival)).collect();
        Pool { leaves: Some(leaves), ..self }
    }

    /// Whether others make blocks too.
    pub(crate) fn is_of_several(&self) -> bool {
        self.leaves.is_some()
    }

    fn entries(&self) -> impl Iterator<Item = (&Arrival, &Entry)> {
        self.waiting.iter().chain(&self.sealed).chain(&self.lapsed.entries)
    }

    pub(crate) fn entry(&self, arrival: Arrival) -> Option<&Entry> {
        let sealed = || self.sealed.get(&arrival);
        self.waiting.get(&arrival).or_else(sealed).or_else(|| self.lapsed.entries.get(&arrival))
    }

    /// The chain's parameters, as the next block has them.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// What this node's operator allows.
    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// What is known of the chain.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How full it is.
    pub fn status(&self) -> PoolStatus {
        PoolStatus {
            waiting: self.waiting.len(),
            sealed: self.sealed.len(),
            lapsed: self.lapsed.entries.len(),
            bytes: self.total.bytes,
            remembered: self.history.remembered(),
            room: self.limits.count.saturating_sub(self.total.count),
            waiting_since: self.waiting_since(),
            sealed_since: since_of(&self.sealed),
            closes_at: self.closes_at(),
        }
    }

    /// How long a transaction may wait from its submission on while more is admitted, in milliseconds.
    pub fn wait_ms(&self) -> u64 {
        let own_ms = self.limits.wait_ms.max(self.params.block_interval_ms.saturating_mul(2));
        own_ms.saturating_add(self.deciding_ms)
    }

    /// From now on deciding takes so long, in milliseconds: what waits for the block after the one that is being decided does
    /// not wait because of this node.
    pub fn deciding_takes(&mut self, ms: u64) {
        self.deciding_ms = ms;
    }

    /// Whether the transaction is here: it waits, is in a block under way, or has lapsed.
    pub fn contains(&self, id: &TxId) -> bool {
        self.arrivals.contains_key(id)
    }

    /// The transaction with this leaf, if it is here and the pool finds them so.
    pub fn by_leaf(&self, leaf: &Hash) -> Option<&Verified> {
        let arrival = self.leaves.as_ref()?.get(leaf)?;
        Some(&self.entry(*arrival)?.transaction)
    }

    /// The first so many of those that wait, in the order of their arrival.
    pub fn oldest_waiting(&self, count: usize) -> Vec<Verified> {
        let waiting = self.waiting.iter().filter(|(arrival, _)| !self.suspects.contains_key(arrival));
        waiting.take(count).map(|(_, entry)| entry.transaction.clone()).collect()
    }

    /// Takes other parameters from the next block on. What waits is measured by them when its turn comes.
    pub fn set_params(&mut self, params: Params) {
        self.params = params;
    }

    /// Admits a transaction that was submitted at `since`, or says why not.
    ///
    /// # Errors
    /// The first check that fails, cheapest first.
    pub fn submit(&mut self, transaction: Verified, since: Timestamp, now: Timestamp) -> Result<TxId, Refusal> {
        self.admit(transaction, since, now, Pool::check_wait)
    }

    /// Admits a transaction that another node has admitted before, however long the oldest waits here. One that refers to a
    /// block which only that node has is refused, and admitted when it is here too ([`Pool::admit_early`]).
    ///
    /// # Errors
    /// As for [`Pool::submit`].
    pub fn relayed(&mut self, transaction: Verified, since: Timestamp, now: Timestamp) -> Result<TxId, Refusal> {
        let answer = self.admit(transaction.clone(), since, now, |_, _| Ok(()));
        if let Err(Refusal::ReferenceUnknown { .. }) = answer {
            self.keep_early(transaction, since);
        }
        answer
    }

    fn admit(
        &mut self,
        transaction: Verified,
        since: Timestamp,
        now: Timestamp,
        check_wait: impl FnOnce(&Pool, Timestamp) -> Result<(), Refusal>,
    ) -> Result<TxId, Refusal> {
        let place = Place::next(&self.history, now);
        let id = transaction.id();
        admission::check_place(&transaction, &self.params, &self.history, place)?;
        if self.contains(&id) {
            return Err(Refusal::AlreadyInPool { id });
        }
        admission::check_not_committed(&transaction, &self.history)?;
        self.check_room(&transaction)?;
        check_wait(self, now)?;
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.enter(arrival, &transaction);
        if self.suspect_on_arrival.contains(&id) {
            self.suspect(&id, 1);
        }
        let since = self.waits_since(since.min(now));
        self.wait(arrival, Entry { transaction, since, kept: false });
        Ok(id)
    }

    /// Takes in what another pool had admitted and had kept, in its old place, before anything is admitted. Bounds do not
    /// count, for it was promised a place; what became of it meanwhile does: it is dropped with the reason when its turn
    /// comes, if it is not includable any more. What is there already is left as it is, and what a block holds is left out: a ledger
    /// that began with a snapshot does not find it, but knows its id.
    pub fn restore(&mut self, kept: Kept, now: Timestamp) {
        let Kept { arrival, transaction } = kept;
        self.next_arrival = self.next_arrival.max(arrival.saturating_add(1));
        let is_new = admission::check_not_committed(&transaction, &self.history).is_ok();
        if is_new && !self.contains(&transaction.id()) {
            self.enter(arrival, &transaction);
            let since = self.waits_since(now);
            self.wait(arrival, Entry { transaction, since, kept: true });
        }
    }

    /// Gives places from this one on to those that come, and never an earlier one.
    pub fn resume(&mut self, next: Arrival) {
        self.next_arrival = self.next_arrival.max(next);
    }

    /// Gives a transaction out to be kept; none if it is not here, or was given out before.
    pub fn keep(&mut self, id: &TxId) -> Option<Kept> {
        let arrival = *self.arrivals.get(id)?;
        let books = [&mut self.waiting, &mut self.sealed, &mut self.lapsed.entries];
        let entry = books.into_iter().find_map(|book| book.get_mut(&arrival))?;
        let first = !std::mem::replace(&mut entry.kept, true);
        first.then(|| Kept { arrival, transaction: entry.transaction.clone() })
    }

    /// All that it holds and has not given out to be kept yet, in the order of arrival.
    pub fn keep_all(&mut self) -> Vec<Kept> {
        let mut arrivals: Vec<(Arrival, TxId)> = self.arrivals.iter().map(|(id, arrival)| (*arrival, *id)).collect();
        arrivals.sort_unstable();
        arrivals.into_iter().filter_map(|(_, id)| self.keep(&id)).collect()
    }

    /// The place of the oldest that it holds, or of the next to come. What was kept of earlier places is done with.
    pub fn oldest(&self) -> Arrival {
        let first = |entries: &BTreeMap<Arrival, Entry>| entries.first_key_value().map(|(arrival, _)| *arrival);
        let oldest = [&self.waiting, &self.sealed, &self.lapsed.entries].into_iter().filter_map(first).min();
        oldest.unwrap_or(self.next_arrival)
    }

    /// A block is durable: its transactions leave the pool, whether or not it was made here, and are remembered as
    /// long as a block could include them.
    ///
    /// # Errors
    /// If the block is not the next; nothing is changed then.
    pub fn committed(&mut self, block: &CommittedBlock) -> Result<(), NotNext> {
        self.history.append(block)?;
        for (id, _) in &block.transactions {
            self.remove(id);
        }
        Ok(())
    }

    /// A block failed: its transactions wait again, in the places that they had. Those that are not in a block under
    /// way are left as they are.
    pub fn returned(&mut self, ids: impl IntoIterator<Item = TxId>) {
        for id in ids {
            let arrival = self.arrivals.get(&id).copied();
            if let Some((arrival, entry)) = arrival.and_then(|arrival| self.sealed.remove_entry(&arrival)) {
                self.wait(arrival, entry);
            }
        }
    }

    /// Takes out those that wait and have expired for every block that this node makes, of this time or later. Those of
    /// which it is certain that no block will hold them are dropped, which in a group of several is for the chain to say;
    /// others may be certain now that were taken out before.
    pub fn expire(&mut self, block_time: Timestamp) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        self.revive(block_time);
        while let Some((expiration, arrival)) = self.expirations.first().copied().filter(|first| first.0 <= block_time)
        {
            let Some(entry) = self.take_waiting(arrival) else { break };
            let refusal = Refusal::Expired { expiration, block_time };
            dropped.extend(self.give_up(arrival, entry, refusal));
        }
        self.settle(&mut dropped);
        dropped
    }

    /// One that was taken from those that wait can't be included any more: it is dropped, or lapses.
    pub(crate) fn give_up(&mut self, arrival: Arrival, entry: Entry, refusal: Refusal) -> Option<Dropped> {
        let is_of_time = matches!(refusal, Refusal::Expired { .. } | Refusal::ExpiresTooLate { .. });
        if is_of_time && self.is_of_several() {
            self.lapse(arrival, entry);
            return None;
        }
        Some(self.drop_taken(arrival, entry.transaction, refusal))
    }

    /// All that it holds, in the order of arrival: for another pool to take over.
    pub fn into_transactions(mut self) -> impl Iterator<Item = Verified> {
        self.waiting.append(&mut self.sealed);
        self.waiting.append(&mut self.lapsed.entries);
        self.waiting.into_values().map(|entry| entry.transaction)
    }

    /// Takes one from those that wait; it stays in the books.
    pub(crate) fn take_waiting(&mut self, arrival: Arrival) -> Option<Entry> {
        let entry = self.waiting.remove(&arrival)?;
        self.expirations.remove(&(entry.transaction.transaction().expiration, arrival));
        self.load.subtract(&entry.transaction);
        Some(entry)
    }

    /// Notes one that was taken as being in a block under way.
    pub(crate) fn put_sealed(&mut self, arrival: Arrival, entry: Entry) {
        self.sealed.insert(arrival, entry);
    }

    /// Strikes one that was taken from the books.
    pub(crate) fn drop_taken(&mut self, arrival: Arrival, transaction: Verified, refusal: Refusal) -> Dropped {
        self.leave(&transaction);
        self.struck(arrival, transaction, refusal)
    }

    /// Strikes the place of one that is in no other book any more.
    pub(crate) fn struck(&mut self, arrival: Arrival, transaction: Verified, refusal: Refusal) -> Dropped {
        self.arrivals.remove(&transaction.id());
        self.suspects.remove(&arrival);
        Dropped { transaction, arrival, refusal }
    }

    fn waits_since(&mut self, since: Timestamp) -> Timestamp {
        self.newest = self.newest.max(since);
        self.newest
    }

    /// Puts one that was taken back among those that wait.
    pub(crate) fn wait(&mut self, arrival: Arrival, entry: Entry) {
        self.load.add(&entry.transaction);
        self.expirations.insert((entry.transaction.transaction().expiration, arrival));
        self.waiting.insert(arrival, entry);
    }

    fn remove(&mut self, id: &TxId) {
        let Some(arrival) = self.arrivals.remove(id) else { return };
        self.suspects.remove(&arrival);
        if let Some(entry) = self.sealed.remove(&arrival).or_else(|| self.take_waiting(arrival)) {
            self.leave(&entry.transaction);
        } else if let Some(entry) = self.lapsed.remove(arrival) {
            self.forget(&entry.transaction);
        }
    }

    fn check_room(&self, transaction: &Verified) -> Result<(), Refusal> {
        let bytes = transaction.byte_count();
        let PoolLimits { count, bytes: most_bytes, sender_count, sender_bytes, .. } = self.limits;
        let sender = self.senders.get(&transaction.transaction().sender).copied().unwrap_or_default();
        if !sender.has_room(bytes, Usage { count: sender_count, bytes: sender_bytes }) {
            return Err(Refusal::SenderLimit { count: sender.count, bytes: sender.bytes });
        }
        if !self.total.has_room(bytes, Usage { count, bytes: most_bytes }) {
            return Err(Refusal::PoolFull { count: self.total.count, bytes: self.total.bytes });
        }
        Ok(())
    }

    /// From when on nothing more is admitted, as things are.
    fn closes_at(&self) -> Option<Timestamp> {
        let since = self.waiting_since().filter(|_| self.waiting.len() >= self.limits.wait_count)?;
        Some(since.plus_ms(self.wait_ms()))
    }

    fn check_wait(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.waiting_since().filter(|_| self.closes_at().is_some_and(|at| at < now)) {
            Some(since) => Err(Refusal::PoolSlow { count: self.waiting.len(), waited_ms: now.since_ms(since) }),
            None => Ok(()),
        }
    }

    fn waiting_since(&self) -> Option<Timestamp> {
        since_of(&self.waiting)
    }

    /// Puts one into the books.
    pub(crate) fn enter(&mut self, arrival: Arrival, transaction: &Verified) {
        self.arrivals.insert(transaction.id(), arrival);
        if let Some(leaves) = &mut self.leaves {
            leaves.insert(transaction.leaf(), arrival);
        }
        let bytes = transaction.byte_count();
        self.total.add(bytes);
        self.senders.entry(transaction.transaction().sender).or_default().add(bytes);
    }

    /// Strikes one from the books, all but its place.
    fn leave(&mut self, transaction: &Verified) {
        self.forget(transaction);
        self.free(transaction);
    }

    /// Finds it by its leaf no more.
    pub(crate) fn forget(&mut self, transaction: &Verified) {
        if let Some(leaves) = &mut self.leaves {
            leaves.remove(&transaction.leaf());
        }
    }

    /// Gives others the room that it had.
    pub(crate) fn free(&mut self, transaction: &Verified) {
        let (sender, bytes) = (transaction.transaction().sender, transaction.byte_count());
        self.total.subtract(bytes);
        if let Some(usage) = self.senders.get_mut(&sender) {
            usage.subtract(bytes);
            if usage.count == 0 {
                self.senders.remove(&sender);
            }
        }
    }
}

/// When the first was submitted.
fn since_of(entries: &BTreeMap<Arrival, Entry>) -> Option<Timestamp> {
    entries.first_key_value().map(|(_, oldest)| oldest.since)
}
