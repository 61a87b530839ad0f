//! What can go wrong, in words that say what to do.

use hanse_state::StateError;
use hanse_types::{CertificateError, Hash, Height};
use thiserror::Error;

use crate::content::OtherDigest;

/// The store below failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// An operation failed.
    #[error("the database at {place} failed to {action}: {reason}")]
    Failed {
        /// Where the database is.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What it said.
        reason: String,
    },
    /// The database belongs to another chain.
    #[error(
        "the database at {place} has the tables {found:?}, which are not those of chain {chain:?}; give each chain \
         and group a directory of its own"
    )]
    OtherTables {
        /// Where the database is.
        place: String,
        /// This chain.
        chain: String,
        /// Tables that this chain's database does not have.
        found: Vec<String>,
    },
}

/// Why the ledger can't answer, accept a block, or open.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// State or its commitment could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A stored record is not what this program wrote.
    #[error("the ledger is damaged at {place}: {reason}; restore it from a backup or fetch it anew from the group")]
    Damaged {
        /// Which record.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Written by another version of the format.
    #[error("the ledger has format {found}, this program knows format {known}; use the program that wrote it")]
    OtherFormat {
        /// Its format.
        found: u32,
        /// This program's.
        known: u32,
    },
    /// It belongs to another chain, group or genesis.
    #[error("the ledger is of {what} {found}, but {expected} was asked for; check the directory and the genesis")]
    OtherChain {
        /// What differs: chain, group, genesis or genesis block.
        what: &'static str,
        /// As stored.
        found: String,
        /// As asked for.
        expected: String,
    },
    /// The genesis can't be used.
    #[error("the genesis can't be used: {reason}")]
    BadGenesis {
        /// Why.
        reason: String,
    },
    /// A block does not follow the newest one.
    #[error("block {height} does not follow the newest block {tip}: {reason}")]
    NotNext {
        /// Its height.
        height: Height,
        /// The newest block's height.
        tip: Height,
        /// Why not.
        reason: String,
    },
    /// Parts of a block do not belong together.
    #[error("block {height} is not consistent: {reason}")]
    Inconsistent {
        /// Its height.
        height: Height,
        /// What does not fit.
        reason: String,
    },
    /// A header does not state a digest of its block's content.
    #[error("block {height} is not its header's: its {} is {}, the header says {}", other.what, other.found, other.stated)]
    OtherDigest {
        /// Its height.
        height: Height,
        /// Which digest.
        other: OtherDigest,
    },
    /// A block was not decided by the group's validators.
    #[error("block {height} was not decided: {error}")]
    NotDecided {
        /// Its height.
        height: Height,
        /// What is wrong with its certificate.
        error: CertificateError,
    },
    /// A write failed before; what the disk holds is not known until it is opened anew.
    #[error(
        "the ledger takes no block since a write failed ({reason}); free or repair the disk, then restart the group"
    )]
    Poisoned {
        /// The failure.
        reason: String,
    },
    /// It was removed on purpose.
    #[error("access sets and states before height {floor} were pruned here; ask for a later one, or another node")]
    Pruned {
        /// Lowest height that still has its own.
        floor: Height,
    },
    /// This ledger began with a portable snapshot, after that block.
    #[error(
        "block {height} is not on this node, whose ledger began with a snapshot of the group's: its first is {first}; ask \
         for a later one, or another node"
    )]
    BeforeFirst {
        /// The height that was asked for.
        height: Height,
        /// The lowest that is here, but for the genesis block.
        first: Height,
    },
    /// There is no such block.
    #[error("there is no block {height}; the newest is {tip}")]
    NoBlock {
        /// The height that was asked for.
        height: Height,
        /// The newest.
        tip: Height,
    },
    /// A proof would need too much of the state's tree to be made anew.
    #[error(
        "more than {limit} keys changed since block {height}, the newest is {tip}; ask for the proof of a later block"
    )]
    TooManyChanges {
        /// The block whose state was to be proven.
        height: Height,
        /// The newest.
        tip: Height,
        /// How many may have changed.
        limit: usize,
    },
    /// The group's commitment can't prove single values.
    #[error(
        "this group's state commitment is flat, it proves no single value; prove a receipt or an access set instead"
    )]
    NoStateProofs,
}

impl LedgerError {
    pub(crate) fn damaged(place: impl Into<String>, reason: impl ToString) -> LedgerError {
        LedgerError::Damaged { place: place.into(), reason: reason.to_string() }
    }

    pub(crate) fn mismatch(height: Height, what: &str, found: &Hash, expected: &Hash) -> LedgerError {
        let reason = format!("the stored {what} has digest {found}, the header says {expected}");
        LedgerError::damaged(format!("block {height}"), reason)
    }
}
