//! The blocks under way: a batch that is being made into one, those that were made or are being checked and could be
//! decided, and those that are decided and being written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hanse_consensus::{CompactBlock, Slot, Verdict};
use hanse_txpool::CommittedBlock;
use hanse_types::{Hash, Header, Height, Params, Round, Timestamp, TxId, ValidatorSet, Verified};

use crate::interface::{Amendments, Shown};

/// Most blocks of this node's own that are under way, the decided ones included.
const DEPTH: usize = 2;

/// A batch that is being executed.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) slot: Slot,
    pub(crate) timestamp: Timestamp,
    pub(crate) transactions: Vec<Verified>,
}

/// A block that could be decided.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) height: Height,
    pub(crate) hash: Hash,
    pub(crate) timestamp: Timestamp,
    /// Its transactions; in their order in the block where it is shown to others.
    pub(crate) transactions: Vec<Verified>,
    /// What it changes for those after it.
    pub(crate) amendments: Amendments,
    /// What running it showed; none while it is being run.
    pub(crate) verdict: Option<Verdict>,
    /// Whether it was made here, of transactions that the pool has given out for it.
    pub(crate) own: bool,
    /// Whether consensus has asked for it. What is run before that was not looked at by the rules of admission.
    pub(crate) asked: bool,
}

/// A block of another node whose transactions are not all here.
#[derive(Debug)]
pub(crate) struct Incomplete {
    pub(crate) block: CompactBlock,
    /// Those that were fetched, by their leaves.
    pub(crate) fetched: BTreeMap<Hash, Verified>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    making: Option<Making>,
    /// Batches that are being executed for nothing, as their round is over, and how many for one place.
    abandoned: BTreeMap<(Height, Round, Hash), usize>,
    candidates: BTreeMap<Hash, Candidate>,
    incomplete: BTreeMap<Hash, Incomplete>,
    /// The oldest first.
    decided: VecDeque<Candidate>,
}

impl Making {
    fn ids(self) -> impl Iterator<Item = TxId> {
        self.transactions.into_iter().map(|transaction| transaction.id())
    }
}

impl Candidate {
    fn holds(&self, id: &TxId) -> bool {
        self.transactions.iter().any(|transaction| transaction.id() == *id)
    }
}

impl UnderWay {
    /// Whether this node may be asked for another block.
    pub(crate) fn has_room(&self) -> bool {
        let own = self.candidates.values().any(|candidate| candidate.own);
        self.making.is_none() && !own && self.decided.len() < DEPTH
    }

    /// The height of the block that holds a transaction.
    pub(crate) fn height_of(&self, id: &TxId) -> Option<Height> {
        let made = self.candidates.values().chain(&self.decided).find(|candidate| candidate.holds(id));
        let making = || {
            let is_it = |making: &&Making| making.transactions.iter().any(|transaction| transaction.id() == *id);
            self.making.as_ref().filter(is_it).map(|making| making.slot.height)
        };
        made.map(|candidate| candidate.height).or_else(making)
    }

    /// Time of the newest decided block that is not durable.
    pub(crate) fn newest_time(&self) -> Option<Timestamp> {
        self.decided.back().map(|block| block.timestamp)
    }

    /// A batch is handed out to be executed.
    pub(crate) fn make(&mut self, making: Making) {
        self.making = Some(making);
    }

    /// What is being executed for this place is not wanted any more.
    pub(crate) fn abandon(&mut self, slot: &Slot) {
        *self.abandoned.entry((slot.height, slot.round, slot.parent)).or_default() += 1;
    }

    /// Whether what was executed for the place of this header is not wanted any more. Batches are executed in their order:
    /// those that were abandoned come first.
    pub(crate) fn was_abandoned(&mut self, header: &Header) -> bool {
        let place = (header.height, header.round, header.parent);
        let Some(count) = self.abandoned.get_mut(&place) else { return false };
        *count -= 1;
        if *count == 0 {
            self.abandoned.remove(&place);
        }
        true
    }

    /// The batch for the place of this header was executed; none if there is none.
    pub(crate) fn executed(&mut self, header: &Header) -> Option<Making> {
        let place = (header.height, header.round, header.parent);
        self.making.take_if(|making| (making.slot.height, making.slot.round, making.slot.parent) == place)
    }

    /// There is a block that could be decided.
    pub(crate) fn add(&mut self, candidate: Candidate) {
        self.incomplete.remove(&candidate.hash);
        self.candidates.insert(candidate.hash, candidate);
    }

    /// A block that could be decided.
    pub(crate) fn candidate(&self, hash: &Hash) -> Option<&Candidate> {
        self.candidates.get(hash)
    }

    /// The block that could be decided, or is, and is not durable.
    pub(crate) fn block(&self, hash: &Hash) -> Option<&Candidate> {
        self.candidate(hash).or_else(|| self.decided.iter().find(|block| block.hash == *hash))
    }

    /// Notes what running a block showed; whether it is still a candidate, and consensus waits for that.
    pub(crate) fn checked(&mut self, hash: &Hash, verdict: Verdict, amendments: Amendments) -> bool {
        let Some(candidate) = self.candidates.get_mut(hash) else { return false };
        (candidate.verdict, candidate.amendments) = (Some(verdict), amendments);
        candidate.asked
    }

    /// Consensus asks for a block that is being run already, or was.
    pub(crate) fn ask(&mut self, hash: &Hash) {
        if let Some(candidate) = self.candidates.get_mut(hash) {
            candidate.asked = true;
        }
    }

    /// A block that waits for transactions.
    pub(crate) fn wait_for(&mut self, block: CompactBlock) {
        let new = || Incomplete { block: block.clone(), fetched: BTreeMap::new() };
        self.incomplete.entry(block.hash()).or_insert_with(new);
    }

    /// Those that were fetched for a block.
    pub(crate) fn fetched(&self, hash: &Hash, leaf: &Hash) -> Option<&Verified> {
        self.incomplete.get(hash)?.fetched.get(leaf)
    }

    /// The transactions of a block, in its order, as far as they are here.
    pub(crate) fn body(&self, block: &CompactBlock) -> Vec<Verified> {
        let hash = block.hash();
        if let Some(candidate) = self.block(&hash) {
            return candidate.transactions.clone();
        }
        block.transactions().iter().filter_map(|leaf| self.fetched(&hash, leaf).cloned()).collect()
    }

    /// Transactions came for a block that waits for them: the block, if it is so.
    pub(crate) fn supply(&mut self, hash: &Hash, transactions: Vec<Verified>) -> Option<CompactBlock> {
        let Incomplete { block, fetched } = self.incomplete.get_mut(hash)?;
        let named: BTreeSet<&Hash> = block.transactions().iter().collect();
        let with_leaves = transactions.into_iter().map(|transaction| (transaction.leaf(), transaction));
        fetched.extend(with_leaves.filter(|(leaf, _)| named.contains(leaf)));
        Some(block.clone())
    }

    /// A block is decided: its transactions' new parameters. The others of its height are given up with
    /// [`UnderWay::give_up`].
    pub(crate) fn decide(&mut self, hash: &Hash) -> Option<Option<Arc<Params>>> {
        let block = self.candidates.remove(hash)?;
        let params = block.amendments.params.clone();
        self.decided.push_back(block);
        Some(params)
    }

    /// Takes out the oldest decided block, if it has this height: it is durable. With it, those who decide the next one, if
    /// they are others.
    pub(crate) fn persisted(&mut self, height: Height) -> Option<(CommittedBlock, Option<Arc<ValidatorSet>>)> {
        self.decided.front().filter(|block| block.height == height)?;
        let Candidate { hash, timestamp, transactions, amendments, .. } = self.decided.pop_front()?;
        let ends = |transaction: &Verified| (transaction.id(), transaction.transaction().expiration);
        let block = CommittedBlock { height, hash, timestamp, transactions: transactions.iter().map(ends).collect() };
        Some((block, amendments.validators))
    }

    /// Gives back the transactions that the pool gave out for blocks up to a height that are not decided. A batch that is
    /// being executed is abandoned; a block that was made stays a candidate, for others may hold it.
    pub(crate) fn give_up_own(&mut self, to: Height) -> Vec<TxId> {
        let mut ids = Vec::new();
        if let Some(making) = self.making.take_if(|making| making.slot.height <= to) {
            self.abandon(&making.slot);
            ids.extend(making.ids());
        }
        let own = self.candidates.values_mut().filter(|candidate| candidate.height <= to && candidate.own);
        for candidate in own {
            candidate.own = false;
            ids.extend(candidate.transactions.iter().map(Verified::id));
        }
        ids
    }

    /// The same, and nothing of these heights stays.
    pub(crate) fn give_up(&mut self, to: Height) -> Vec<TxId> {
        let ids = self.give_up_own(to);
        self.candidates.retain(|_, candidate| candidate.height > to);
        self.incomplete.retain(|_, waiting| waiting.block.header().height > to);
        ids
    }

    /// Gives up the blocks from this height on, decided or not: they failed.
    pub(crate) fn fail_from(&mut self, height: Height) -> Vec<TxId> {
        let kept = self.decided.partition_point(|block| block.height < height);
        let failed = self.decided.split_off(kept);
        let mut ids: Vec<TxId> = failed.iter().flat_map(|block| block.transactions.iter().map(Verified::id)).collect();
        ids.extend(self.give_up(Height(u64::MAX)));
        ids
    }
}

/// The block after the one that is being voted on, made ahead: see `ahead.rs`.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) slot: Slot,
    /// Transactions of the parent, taken from those that wait here.
    pub(crate) claimed: Vec<TxId>,
    pub(crate) progress: Progress,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Progress {
    /// There is not enough to make a block of yet.
    Foreseen,
    /// The batch is being executed.
    Making(Making),
    /// It was executed.
    Made(Box<Made>),
}

/// A batch that was executed, and what came of it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) making: Making,
    pub(crate) header: Box<Header>,
    pub(crate) shown: Option<Box<Shown>>,
    pub(crate) amendments: Amendments,
}

impl Ahead {
    /// Whether it has a batch.
    pub(crate) fn has_batch(&self) -> bool {
        !matches!(self.progress, Progress::Foreseen)
    }

    /// The transactions of its batch.
    fn batch(&self) -> &[Verified] {
        match &self.progress {
            Progress::Foreseen => &[],
            Progress::Making(making) => &making.transactions,
            Progress::Made(made) => &made.making.transactions,
        }
    }

    /// The block's height, if it is to hold this transaction.
    pub(crate) fn height_of(&self, id: &TxId) -> Option<Height> {
        self.batch().iter().any(|transaction| transaction.id() == *id).then_some(self.slot.height)
    }
}
