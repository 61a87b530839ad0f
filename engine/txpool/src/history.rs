//! What admission must know of the chain: the newest blocks, and the committed transactions that are still valid.

use std::collections::{BTreeMap, HashSet, VecDeque};

use hanse_types::{Hash, Height, Timestamp, TxId};
use thiserror::Error;

/// Most blocks back that a reference can lie, whatever the chain's parameters say. Whoever restarts loads this many
/// hashes (as far as the chain has them) and then judges as one who never stopped.
pub const REF_BLOCKS_MAX: u64 = hanse_types::limits::REF_BLOCK_WINDOW;

/// Milliseconds of expiration times that are remembered, and forgotten, together.
const BUCKET_MS: u64 = 1_000;

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

/// The newest blocks' hashes, and the committed transactions that have not expired.
///
/// Memory is bounded: hash prefixes of [`REF_BLOCKS_MAX`] blocks, and 32 bytes for every transaction that was
/// committed within the longest lifetime allowed.
#[derive(Clone, Debug)]
pub struct History {
    height: Height,
    timestamp: Timestamp,
    /// Prefixes of the newest blocks' hashes, the newest last.
    blocks: VecDeque<[u8; 8]>,
    /// Committed transactions by expiration: key `n` holds those that expire within `n * BUCKET_MS ..`.
    committed: BTreeMap<u64, HashSet<HalfId>>,
}

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
    /// The history of a chain whose newest block has this height and time. `hashes` are those of its newest blocks,
    /// oldest first, the newest block's last; [`REF_BLOCKS_MAX`] are enough.
    pub fn new(height: Height, timestamp: Timestamp, hashes: impl IntoIterator<Item = Hash>) -> History {
        let mut history = History { height, timestamp, blocks: VecDeque::new(), committed: BTreeMap::new() };
        hashes.into_iter().for_each(|hash| history.push_hash(&hash));
        history
    }

    /// Loads committed transactions with their expirations, in any order: at least all that expire after the newest
    /// block.
    pub fn load_window(&mut self, transactions: impl IntoIterator<Item = (TxId, Timestamp)>) {
        transactions.into_iter().for_each(|(id, expiration)| self.remember(id, expiration));
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
        self.committed.values().map(HashSet::len).sum()
    }

    /// The first bytes of a recent block's hash; none if it is not among those known.
    pub fn prefix_of(&self, height: Height) -> Option<[u8; 8]> {
        let back = self.height.0.checked_sub(height.0)?;
        let index = self.blocks.len().checked_sub(1)?.checked_sub(usize::try_from(back).ok()?)?;
        self.blocks.get(index).copied()
    }

    /// Whether the transaction was committed. Exact for those that have not expired at the newest block's time, which
    /// are all that a later block could include; others may be forgotten.
    pub fn is_committed(&self, id: &TxId, expiration: Timestamp) -> bool {
        self.committed.get(&bucket(expiration)).is_some_and(|ids| ids.contains(&half(id)))
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
        block.transactions.iter().for_each(|(id, expiration)| self.remember(*id, *expiration));
        self.forget_expired();
        Ok(())
    }

    fn remember(&mut self, id: TxId, expiration: Timestamp) {
        if expiration > self.timestamp {
            self.committed.entry(bucket(expiration)).or_default().insert(half(&id));
        }
    }

    fn forget_expired(&mut self) {
        // The bucket of the newest block's time may hold some that are still valid, so it stays.
        while let Some(oldest) = self.committed.first_entry().filter(|oldest| *oldest.key() < bucket(self.timestamp)) {
            oldest.remove();
        }
    }

    fn push_hash(&mut self, hash: &Hash) {
        if self.blocks.len() as u64 > REF_BLOCKS_MAX {
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
