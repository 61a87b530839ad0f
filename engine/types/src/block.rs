//! Blocks: a header, the DAG, and the transactions in block order.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::dag::Dag;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::transaction::SignedTransaction;
use crate::units::{Epoch, Gas, Height, Round, Timestamp};

/// What the validators sign: everything about a block in a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Format version, [`Header::VERSION`].
    pub version: u16,
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
    /// The only format version so far.
    pub const VERSION: u16 = 1;

    /// The block's hash.
    pub fn hash(&self) -> Hash {
        Hash::of(Domain::Header, &self.encode())
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
