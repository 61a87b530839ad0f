//! Receipts: what a transaction did.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::crypto::CryptoSuite;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::transaction::TxId;
use crate::units::{Gas, Height, TxIndex};
use hanse_abi::{Address, Event, Status};

/// An event with the contract that emitted it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReceiptEvent {
    /// Who emitted it.
    pub contract: Address,
    /// What was emitted.
    pub event: Event,
}

/// What running one transaction gave, before it has a place in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// How it ended.
    pub status: Status,
    /// What it cost.
    pub gas_used: Gas,
    /// See [`Receipt::output`].
    pub output: Vec<u8>,
    /// See [`Receipt::error_code`].
    pub error_code: u32,
    /// See [`Receipt::message`].
    pub message: String,
    /// See [`Receipt::failed_in`].
    pub failed_in: Address,
    /// See [`Receipt::events`].
    pub events: Vec<ReceiptEvent>,
}

/// The durable outcome of one transaction. Holds codes and contract data, never text of the engine, so that it is the
/// same on every build.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// Which transaction.
    pub tx_id: TxId,
    /// In which block.
    pub height: Height,
    /// At which place.
    pub index: TxIndex,
    /// How it ended.
    pub status: Status,
    /// What it cost, also when it failed.
    pub gas_used: Gas,
    /// What the method returned, or, for [`Status::Reverted`], the error's fields (Borsh).
    pub output: Vec<u8>,
    /// For [`Status::Reverted`], the contract's own error code.
    pub error_code: u32,
    /// For [`Status::Panicked`] and the limits, a deterministic message.
    pub message: String,
    /// The contract in which it failed, where it failed in a nested call; zero for success.
    pub failed_in: Address,
    /// What was emitted, in order; empty unless successful.
    pub events: Vec<ReceiptEvent>,
    /// Digest of the access set.
    pub rw_set: Hash,
}

impl Receipt {
    /// The leaf of the block's receipt tree.
    pub fn digest(&self, suite: CryptoSuite) -> Hash {
        suite.hash(Domain::Receipt, &self.encode())
    }

    /// [`Receipt::digest`] of each.
    pub fn digests(suite: CryptoSuite, receipts: &[Receipt]) -> Vec<Hash> {
        suite.hash_each_encoded(Domain::Receipt, receipts)
    }
}

impl Canonical for Receipt {
    const NAME: &'static str = "receipt";
    const MAX_BYTES: usize = limits::RECEIPT_BYTES;
}
