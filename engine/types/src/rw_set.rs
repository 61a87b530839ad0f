//! Access sets: everything a transaction observed of the state, and everything it did to it.
//!
//! This is the durable form, with keys in full. While a block runs, accesses hold small integers instead (see
//! `hanse-state`); both say the same. Entries stand in the order of first access, which is the program's, so the
//! encoding is canonical.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::crypto::CryptoSuite;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::units::TxIndex;
use crate::value::Value;

/// Which value a read saw: the one before the block, or the one left by a transaction of the same block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Version {
    /// The parent block's state.
    Parent,
    /// The last transaction before this one, in block order, that wrote or added to the key.
    Tx(TxIndex),
}

/// A key that was read, present or not.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Read {
    /// Full state key.
    pub key: Vec<u8>,
    /// Which value was seen.
    pub version: Version,
    /// Whether there was a value: an absence is an observation too.
    pub present: bool,
}

/// A range that was scanned, as far as the scan got.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RangeRead {
    /// First key of the range, full.
    pub start: Vec<u8>,
    /// First key after it. A scan that stopped at its limit ends just after the last key it returned.
    pub end: Vec<u8>,
}

/// A key that was written or removed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Write {
    /// Full state key.
    pub key: Vec<u8>,
    /// The new value, or none for a removal.
    pub value: Option<Value>,
}

/// A key that was added to without being read.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Add {
    /// Full state key.
    pub key: Vec<u8>,
    /// What was added, and within which bounds.
    pub delta: Delta,
}

/// A commutative change of an unsigned integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Delta {
    /// The signed amount.
    pub amount: i128,
    /// Bytes of the stored little-endian integer: 1, 2, 4, 8 or 16.
    pub width: u8,
    /// Least value that may result.
    pub min: u128,
    /// Greatest value that may result.
    pub max: u128,
}

/// The access set of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RwSet {
    /// What was read, each key once.
    pub reads: Vec<Read>,
    /// What was scanned.
    pub ranges: Vec<RangeRead>,
    /// What was written, each key once, with the last value.
    pub writes: Vec<Write>,
    /// What was added to, each key once. No key is both here and in `reads` or `writes`.
    pub adds: Vec<Add>,
}

impl RwSet {
    /// The leaf of the block's access-set tree.
    pub fn digest(&self, suite: CryptoSuite) -> Hash {
        suite.hash(Domain::RwSet, &self.encode())
    }

    /// [`RwSet::digest`] of each.
    pub fn digests(suite: CryptoSuite, sets: &[RwSet]) -> Vec<Hash> {
        suite.hash_each_encoded(Domain::RwSet, sets)
    }
}

impl Canonical for RwSet {
    const NAME: &'static str = "access set";
    const MAX_BYTES: usize = limits::RW_SET_BYTES;
}
