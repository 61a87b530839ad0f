//! What a validator must not forget, crash or not: its term, its vote in it, and the end of its log.
//!
//! All of it is one record, replaced as a whole and synced before anything that rests on it is said. It stays small: what
//! is in the ledger is not in it, so it has one block at most, with its transactions, and the terms since the newest
//! durable block.
//!
//! **A record that is lost, damaged, or older than a vote that the node has given makes an observer for good.** The
//! node may have voted in a term that it doesn't remember, or promised to have a block that it hasn't; nothing that it can
//! learn from others tells when it would be safe to go on (a message that was on its way when the record was lost may
//! still count for either). Like in every Raft, such a validator's place has to be given to a new key.
//!
//! **Each validator set has a log of its own**, so a record is of one epoch, and what is in it says nothing of a later
//! one: whoever comes to an epoch with the record of an earlier one begins there with nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::hash::Domain;
use hanse_types::{Canonical, ChainIdentity, Epoch, Hash, Height, Round, limits};

use crate::block::{BLOCK_BYTES, CompactBlock};
use crate::durable::{Disk, DiskError};
use crate::raft::words::{Base, Entry};

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// Version of the validator set whose log it is.
    pub epoch: Epoch,
    /// The newest term that this validator knows of.
    pub term: Round,
    /// Index of the one that it voted for in that term, or follows.
    pub voted_for: Option<u32>,
    /// Up to where its log is in its ledger.
    pub base: Base,
    /// The log behind that.
    pub entries: Vec<Entry>,
    /// The canonical bytes of the transactions of each of its blocks, in order; nothing for one that is not wanted any
    /// more. The engine doesn't know them: whoever carries out [`Output::Record`](crate::Output::Record) fills them in.
    pub bodies: Vec<Vec<Vec<u8>>>,
}

impl Canonical for Record {
    const NAME: &'static str = "record of a raft";
    // A block is behind its bodies' bytes by a length for each transaction; of stale blocks there are none to speak of.
    const MAX_BYTES: usize = 4 * (BLOCK_BYTES + limits::BLOCK_BODY_BYTES);
}

impl Record {
    /// Its blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &CompactBlock> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Block { block, .. } => Some(block),
            Entry::Term(_) => None,
        })
    }

    /// The height that is under way, by it.
    pub fn height(&self) -> Height {
        self.base.height.next()
    }
}

/// Where the record is kept.
#[derive(Debug)]
pub struct RecordStore<D> {
    disk: D,
    genesis: Hash,
    broken: bool,
}

impl<D: Disk> RecordStore<D> {
    /// The store with these bytes on its disk, and the record, if there is one that can be relied on; `first_start` if this
    /// very start has created the ledger, so that there can be none. `voted` is the epoch and the term of the newest block that this
    /// node has signed: a record of an earlier one is an old copy.
    ///
    /// # Errors
    /// If the first record can't be written.
    pub fn open(
        disk: D,
        chain: &ChainIdentity,
        stored: Option<&[u8]>,
        first_start: bool,
        voted: Option<(Epoch, Round)>,
    ) -> Result<(RecordStore<D>, Option<Record>), DiskError> {
        let mut store = RecordStore { disk, genesis: chain.genesis, broken: false };
        if first_start {
            store.write(&Record::default())?;
            return Ok((store, Some(Record::default())));
        }
        let record = stored.and_then(|bytes| store.unsealed(bytes));
        let record = record.filter(|record| voted.is_none_or(|voted| voted <= (record.epoch, record.term)));
        Ok((store, record))
    }

    /// Makes a record durable in the place of the one before.
    ///
    /// # Errors
    /// If it may not have been written. After that nothing is known of the disk, so every later call fails too.
    pub fn write(&mut self, record: &Record) -> Result<(), DiskError> {
        if self.broken {
            return Err(DiskError("an earlier record was not written".into()));
        }
        let bytes = record.encode();
        let written = self.disk.write_synced(&[&self.checksum(&bytes), &bytes[..]].concat());
        self.broken = written.is_err();
        written
    }

    /// Covers the chain too, so that another chain's record is none of this one's.
    fn checksum(&self, bytes: &[u8]) -> [u8; 8] {
        Hash::of_parts(Domain::RaftRecord, &[&self.genesis.0, bytes]).0.first_chunk().copied().unwrap_or_default()
    }

    fn unsealed(&self, bytes: &[u8]) -> Option<Record> {
        let (check, bytes) = bytes.split_first_chunk::<8>()?;
        Record::decode(bytes).ok().filter(|_| self.checksum(bytes) == *check)
    }
}
