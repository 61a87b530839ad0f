//! What admission must know of the chain: the newest blocks, and the committed transactions that are still valid.

use std::collections::{BTreeMap, HashSet, VecDeque};

use hanse_types::{Hash, Height, Timestamp, TxId};
use thiserror::Error;

/// Most blocks back that a reference can lie, whatever a chain's parameters say.
pub const REF_BLOCKS_MAX: u64 = hanse_types::limits::REF_BLOCK_WINDOW;

/// Milliseconds of expiration times that are remembered, and forgotten, together.
const BUCKET_MS: u64 = 1_000;

/// In so many parts the blocks that a reference can lie back are forgotten: in more, less would be remembered, and looked for in more
/// places.
const ERAS: u64 = 8;

/// A block that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBlock {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: Hash,
    /// Its time.
    pub timestamp: Timestamp,
    /// Its transactions, with their expirations.
    pub transactions: Vec<(TxId, Timestamp)>,
}

/// A committed block is not the one that follows the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("block {found} was committed, but the next is {expected}; blocks are committed in order, each once")]
pub struct NotNext {
    /// Height of the block.
    pub found: Height,
    /// Height that is next.
    pub expected: Height,
}

/// The newest blocks' hashes, and the committed transactions that a later block could include again, were they not remembered: those
/// that have not expired, and may refer to a block that is still recent. Each refers to a block before its own, so wherever
/// [`History::prefix_of`] knows what a transaction refers to, [`History::is_committed`] knows whether a block holds it already.
///
/// Memory is bounded: hash prefixes of as many blocks as a reference can lie back, and 32 bytes for every transaction that was
/// committed within these blocks (and an eighth of them more) and the longest lifetime allowed.
#[derive(Clone, Debug)]
pub struct History {
    height: Height,
    timestamp: Timestamp,
    /// Most blocks back that a reference can lie.
    ref_blocks: u64,
    /// Prefixes of the newest blocks' hashes, the newest last.
    blocks: VecDeque<[u8; 8]>,
    /// Committed transactions by their block: key `n` holds those of the `n`th so many blocks ([`History::era`]).
    committed: BTreeMap<u64, Era>,
    /// How many these are.
    remembered: usize,
}

/// Transactions by expiration: key `n` holds those that expire within `n * BUCKET_MS ..`.
type Era = BTreeMap<u64, HashSet<HalfId>>;

/// Half of a transaction's id: there are as many of them as there are transactions in the longest lifetime, so each byte
/// counts. Whoever finds two transactions with the same half (2^64 attempts) has made one of his own that is refused; to
/// have somebody else's refused takes 2^128.
type HalfId = [u8; 16];

fn half(id: &TxId) -> HalfId {
    let mut half = [0; 16];
    half.copy_from_slice(&id.0.as_bytes()[..16]);
    half
}

impl History {
    /// The history of a chain whose newest block has this height and time, and in which a reference can lie this many blocks back
    /// ([`REF_BLOCKS_MAX`] at most), and never more: one to an older block is refused whatever the parameters say later. `hashes` are
    /// those of its newest blocks, oldest first, the newest block's last; so many are enough.
    pub fn new(
        ref_blocks: u64,
        height: Height,
        timestamp: Timestamp,
        hashes: impl IntoIterator<Item = Hash>,
    ) -> History {
        let ref_blocks = ref_blocks.clamp(1, REF_BLOCKS_MAX);
        let (blocks, committed) = (VecDeque::new(), BTreeMap::new());
        let mut history = History { height, timestamp, ref_blocks, blocks, committed, remembered: 0 };
        hashes.into_iter().for_each(|hash| history.push_hash(&hash));
        history
    }

    /// Most blocks back that a reference can lie.
    pub(crate) fn ref_blocks(&self) -> u64 {
        self.ref_blocks
    }

    /// Height of the oldest block whose transactions it remembers.
    pub fn oldest(&self) -> Height {
        Height(self.oldest_era() * self.era_blocks())
    }

    /// Loads committed transactions with their blocks' heights and their expirations, in any order: at least all of the blocks from
    /// [`History::oldest`] on that expire after the newest block.
    pub fn load_window(&mut self, transactions: impl IntoIterator<Item = (Height, TxId, Timestamp)>) {
        transactions.into_iter().for_each(|(height, id, expiration)| self.remember(height, id, expiration));
    }

    /// Height of the newest block.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Time of the newest block.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// How many committed transactions are remembered.
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// The first bytes of a recent block's hash; none if it is not among those known.
    pub fn prefix_of(&self, height: Height) -> Option<[u8; 8]> {
        let back = self.height.0.checked_sub(height.0)?;
        let index = self.blocks.len().checked_sub(1)?.checked_sub(usize::try_from(back).ok()?)?;
        self.blocks.get(index).copied()
    }

    /// Whether the transaction was committed. Exact for those that a later block could include otherwise: that have not expired at
    /// the newest block's time, and refer to one of the newest blocks. Others may be forgotten.
    pub fn is_committed(&self, id: &TxId, expiration: Timestamp) -> bool {
        let (bucket, half) = (bucket(expiration), half(id));
        self.committed.values().filter_map(|era| era.get(&bucket)).any(|ids| ids.contains(&half))
    }

    /// Appends a block, and forgets transactions that no later block can include.
    ///
    /// # Errors
    /// If the block is not the next; nothing is changed then.
    pub fn append(&mut self, block: &CommittedBlock) -> Result<(), NotNext> {
        let expected = self.height.next();
        if block.height != expected {
            return Err(NotNext { found: block.height, expected });
        }
        self.height = block.height;
        self.timestamp = block.timestamp;
        self.push_hash(&block.hash);
        block.transactions.iter().for_each(|(id, expiration)| self.remember(block.height, *id, *expiration));
        self.forget();
        Ok(())
    }

    fn remember(&mut self, height: Height, id: TxId, expiration: Timestamp) {
        if expiration > self.timestamp && height >= self.oldest() {
            let era = self.committed.entry(self.era(height)).or_default();
            self.remembered += usize::from(era.entry(bucket(expiration)).or_default().insert(half(&id)));
        }
    }

    fn forget(&mut self) {
        let oldest_era = self.oldest_era();
        while let Some(oldest) = self.committed.first_entry().filter(|oldest| *oldest.key() < oldest_era) {
            self.remembered -= oldest.remove().values().map(HashSet::len).sum::<usize>();
        }
        // The bucket of the newest block's time may hold some that are still valid, so it stays.
        let oldest_bucket = bucket(self.timestamp);
        for era in self.committed.values_mut() {
            while let Some(oldest) = era.first_entry().filter(|oldest| *oldest.key() < oldest_bucket) {
                self.remembered -= oldest.remove().len();
            }
        }
        self.committed.retain(|_, era| !era.is_empty());
    }

    /// The blocks whose transactions are forgotten together.
    fn era_blocks(&self) -> u64 {
        self.ref_blocks.div_ceil(ERAS)
    }

    fn era(&self, height: Height) -> u64 {
        height.0 / self.era_blocks()
    }

    /// That of the oldest block that a reference can lead to. Transactions of blocks before it refer to still older ones, so no later
    /// block can include them.
    fn oldest_era(&self) -> u64 {
        self.era(Height(self.height.0.saturating_sub(self.ref_blocks)))
    }

    fn push_hash(&mut self, hash: &Hash) {
        if self.blocks.len() as u64 > self.ref_blocks {
            self.blocks.pop_front();
        }
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&hash.as_bytes()[..8]);
        self.blocks.push_back(prefix);
    }
}

fn bucket(expiration: Timestamp) -> u64 {
    expiration.0 / BUCKET_MS
}
