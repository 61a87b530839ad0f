//! Blocks: a header, the DAG, and the transactions in block order.
//!
//! A block that decodes is not yet a good one. [`Block::check_shape`] says whether body and header fit each other as far
//! as the block alone shows it; that the transactions are the header's shows in [`tx_root`], for which they are verified
//! first; and that receipts and access sets are the header's shows when the block is run.

use borsh::{BorshDeserialize, BorshSerialize, io};
use rayon::prelude::*;
use thiserror::Error;

use crate::crypto::{CryptoSuite, Verified};
use crate::dag::Dag;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::merkle;
use crate::names::{NameError, NameKind};
use crate::receipt::Receipt;
use crate::transaction::SignedTransaction;
use crate::units::{Epoch, Gas, Height, Round, Timestamp};

/// What the validators sign: everything about a block in a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// What the block is hashed by, as its chain's genesis says. It is written as the version of the format: 1 is standard,
    /// 2 guomi.
    #[borsh(serialize_with = "version::write", deserialize_with = "version::read")]
    pub crypto: CryptoSuite,
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Position in the chain.
    pub height: Height,
    /// Hash of the block before.
    pub parent: Hash,
    /// Strictly later than the parent's.
    pub timestamp: Timestamp,
    /// Merkle root of the transaction ids, each with the hash of its signature.
    pub tx_root: Hash,
    /// Merkle root of the receipts' digests.
    pub receipt_root: Hash,
    /// Merkle root of the access sets' digests.
    pub rw_set_root: Hash,
    /// Digest of the DAG.
    pub dag_digest: Hash,
    /// Commitment to the state after this block.
    pub state_root: Hash,
    /// Hash of the validator set that decides this block.
    pub validators: Hash,
    /// Hash of the validator set that decides the next.
    pub next_validators: Hash,
    /// Version of the validator set.
    pub epoch: Epoch,
    /// Round in which the block was first proposed.
    pub round: Round,
    /// Index of the proposer in the validator set.
    pub proposer: u32,
    /// Gas of all transactions.
    pub gas_used: Gas,
    /// Number of transactions.
    pub tx_count: u32,
    /// Anything a consensus engine needs to be hashed with the block.
    pub extra: Vec<u8>,
}

impl Header {
    /// The block's hash.
    pub fn hash(&self) -> Hash {
        self.crypto.hash(Domain::Header, &self.encode())
    }

    /// Whether it keeps the rules that hold for a header by itself.
    ///
    /// # Errors
    /// If an id is none, or there are more transactions or extra bytes than allowed.
    pub fn check(&self) -> Result<(), ShapeError> {
        let id = |field, id: &str| NameKind::Id.check(id).map_err(|reason| ShapeError::Id { field, reason });
        id("chain id", &self.chain_id)?;
        id("group id", &self.group_id)?;
        at_most("transactions", self.tx_count as usize, limits::BLOCK_TRANSACTIONS)?;
        at_most("bytes of extra data", self.extra.len(), limits::HEADER_EXTRA_BYTES)
    }
}

/// Headers of each suite have a format version of their own.
mod version {
    use borsh::{BorshDeserialize, BorshSerialize, io};

    use super::CryptoSuite;

    pub(super) fn write<W: io::Write>(crypto: &CryptoSuite, writer: &mut W) -> io::Result<()> {
        crypto.header_version().serialize(writer)
    }

    pub(super) fn read<R: io::Read>(reader: &mut R) -> io::Result<CryptoSuite> {
        let version = u16::deserialize_reader(reader)?;
        CryptoSuite::of_header_version(version).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("headers of format version {version} are unknown"))
        })
    }
}

impl CryptoSuite {
    /// The format version of headers that are hashed by it.
    pub fn header_version(self) -> u16 {
        match self {
            CryptoSuite::Standard => 1,
            CryptoSuite::Guomi => 2,
        }
    }

    /// The suite of headers of a format version, if there is such.
    pub fn of_header_version(version: u16) -> Option<CryptoSuite> {
        CryptoSuite::ALL.into_iter().find(|suite| suite.header_version() == version)
    }
}

impl Canonical for Header {
    const NAME: &'static str = "header";
    const MAX_BYTES: usize = limits::HEADER_BYTES;
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Which transaction waits for which.
    pub dag: Dag,
    /// The transactions, in block order.
    pub transactions: Vec<SignedTransaction>,
}

impl Block {
    /// Whether header, DAG and transactions fit each other and the limits, as far as can be said without verifying or
    /// running anything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_shape(&self) -> Result<(), ShapeError> {
        self.header.check()?;
        let stated = self.header.tx_count as usize;
        for (what, found) in [("transactions", self.transactions.len()), ("vertices in its DAG", self.dag.len())] {
            if found != stated {
                return Err(ShapeError::Count { what, found, stated });
            }
        }
        at_most("bytes of transactions", self.body_bytes(), limits::BLOCK_BODY_BYTES)?;
        let digest = self.dag.digest(self.header.crypto);
        if digest != self.header.dag_digest {
            return Err(ShapeError::DagDigest { found: digest, stated: self.header.dag_digest });
        }
        Ok(())
    }

    /// Canonical bytes of all its transactions together.
    pub fn body_bytes(&self) -> usize {
        self.transactions.par_iter().map(Canonical::encoded_len).sum()
    }
}

/// Why a block's parts don't fit each other or the limits.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// An id is none.
    #[error("the block's {field} {reason}")]
    Id {
        /// Which id.
        field: &'static str,
        /// What is wrong with it.
        reason: NameError,
    },
    /// Too much of something.
    #[error("the block has {found} {what}, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How much it has.
        found: usize,
        /// How much it may have.
        limit: usize,
    },
    /// The header counts otherwise.
    #[error("the block has {found} {what}, its header says {stated} transactions")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many the header says.
        stated: usize,
    },
    /// The DAG is another block's.
    #[error("the block's DAG has the digest {found}, its header says {stated}")]
    DagDigest {
        /// Of the DAG.
        found: Hash,
        /// In the header.
        stated: Hash,
    },
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), ShapeError> {
    if found > limit { Err(ShapeError::TooMany { what, found, limit }) } else { Ok(()) }
}

/// Digests that are made as one job.
const RUN: usize = 256;

/// The header's root over these transactions, in block order. Runs on the rayon pool in which it is called.
pub fn tx_root(suite: CryptoSuite, transactions: &[Verified]) -> Hash {
    let leaves: Vec<_> = transactions.par_chunks(RUN).flat_map_iter(Verified::leaves).collect();
    merkle::root(suite, &leaves)
}

/// The header's root over these receipts, in block order. Runs on the rayon pool in which it is called.
pub fn receipt_root(suite: CryptoSuite, receipts: &[Receipt]) -> Hash {
    let runs = receipts.par_chunks(RUN);
    let leaves: Vec<_> = runs.flat_map_iter(|receipts| Receipt::digests(suite, receipts)).collect();
    merkle::root(suite, &leaves)
}

/// The header's root over the access sets, whose digests the receipts carry.
pub fn rw_set_root(suite: CryptoSuite, receipts: &[Receipt]) -> Hash {
    let leaves: Vec<_> = receipts.iter().map(|receipt| receipt.rw_set).collect();
    merkle::root(suite, &leaves)
}

impl Canonical for Block {
    const NAME: &'static str = "block";
    const MAX_BYTES: usize = limits::BLOCK_BYTES;
}

/// Header, the DAG's own bytes with their length before them, transactions.
impl BorshSerialize for Block {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.header.serialize(writer)?;
        self.dag.encode().serialize(writer)?;
        self.transactions.serialize(writer)
    }
}

impl BorshDeserialize for Block {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Block> {
        let header = Header::deserialize_reader(reader)?;
        let dag = Dag::decode(&Vec::deserialize_reader(reader)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        let transactions = Vec::deserialize_reader(reader)?;
        Ok(Block { header, dag, transactions })
    }
}

#[cfg(test)]
mod tests;
