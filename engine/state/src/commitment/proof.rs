//! Proofs that a key has a value, or has none, under a root of the [`tree`](super::tree).
//!
//! A proof holds what the key's way through the tree ends at, and the hashes beside the way. It is checked against a
//! root alone, without the tree.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{Canonical, Hash};
use thiserror::Error;

use super::page::Slot;
use super::tree::bit;
use super::{NodeView, PagePath, lanes};
use crate::view::StateError;

/// Greatest depth of a leaf.
const DEPTH_MAX: usize = 256;

/// What the way of a key through the tree ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum End {
    /// Nothing: the key is absent.
    Nothing,
    /// A leaf: the key's own, or another's, and then the key is absent.
    Leaf {
        /// Hash of the leaf's key.
        key: Hash,
        /// Hash of its value.
        value: Hash,
    },
}

/// A proof of a key's presence or absence.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proof {
    /// Where the key's way ends.
    pub end: End,
    /// The hashes beside the way, from the root down.
    pub beside: Vec<Hash>,
}

impl Canonical for Proof {
    const NAME: &'static str = "state proof";
    const MAX_BYTES: usize = 1 + 64 + 4 + DEPTH_MAX * 32;
}

/// Why a proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// It ends at a leaf of this key, so it can't prove absence.
    #[error("the proof shows that the key has a value, not that it is absent")]
    Present,
    /// It ends elsewhere than at the key's leaf, so it can't prove presence.
    #[error("the proof shows that the key is absent, not that it has a value")]
    Absent,
    /// It ends at the key's leaf, which holds another value.
    #[error("the proof is for another value of the key")]
    OtherValue,
    /// It ends at a leaf that does not lie on the key's way.
    #[error("the proof ends at a leaf that does not lie on the key's way; ask for a proof of this key")]
    Elsewhere,
    /// It is longer than any way.
    #[error("the proof has {found} steps, a way has at most {DEPTH_MAX}")]
    TooLong {
        /// Its steps.
        found: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to root {found}, not to {expected}; it is for another state, or forged")]
    OtherRoot {
        /// Where it leads.
        found: Hash,
        /// The root that was to be shown.
        expected: Hash,
    },
}

impl Proof {
    /// Checks that under `root`, `key` has this value, or none.
    ///
    /// # Errors
    /// If the proof does not show that.
    pub fn verify(&self, root: &Hash, key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        if self.beside.len() > DEPTH_MAX {
            return Err(ProofError::TooLong { found: self.beside.len() });
        }
        let key = lanes::key_hash(key);
        self.check_end(&key, value)?;
        let mut hash = match &self.end {
            End::Nothing => Hash::ZERO,
            End::Leaf { key, value } => lanes::leaf_hash(key, value),
        };
        for (depth, beside) in self.beside.iter().enumerate().rev() {
            hash = if bit(&key, depth) { lanes::node_hash(beside, &hash) } else { lanes::node_hash(&hash, beside) };
        }
        if hash == *root { Ok(()) } else { Err(ProofError::OtherRoot { found: hash, expected: *root }) }
    }

    /// Whether the way's end says what is claimed.
    fn check_end(&self, key: &Hash, value: Option<&[u8]>) -> Result<(), ProofError> {
        match (&self.end, value) {
            (End::Leaf { key: found, .. }, None) if found == key => Err(ProofError::Present),
            (End::Leaf { key: found, .. }, None) if !self.on_the_way(key, found) => Err(ProofError::Elsewhere),
            (_, None) => Ok(()),
            (End::Leaf { key: found, value: digest }, Some(value)) if found == key => {
                if *digest == lanes::value_hash(value) { Ok(()) } else { Err(ProofError::OtherValue) }
            }
            (_, Some(_)) => Err(ProofError::Absent),
        }
    }

    fn on_the_way(&self, key: &Hash, other: &Hash) -> bool {
        (0..self.beside.len()).all(|depth| bit(key, depth) == bit(other, depth))
    }
}

/// The proof of a key's value or absence, whichever holds in these pages.
///
/// # Errors
/// If pages can't be read, or one is missing.
pub fn prove(nodes: &dyn NodeView, key: &[u8]) -> Result<Proof, StateError> {
    let key = lanes::key_hash(key);
    let mut beside = Vec::new();
    for depth in 0..64 {
        let path = PagePath::of(&key, depth);
        let slot = match nodes.page(&path)? {
            Some(page) => page.descend(&key, depth, &mut beside),
            None if depth == 0 => Slot::Empty,
            None => return Err(damaged(&path, "it is missing")),
        };
        match slot {
            Slot::Empty => return Ok(Proof { end: End::Nothing, beside }),
            Slot::Leaf(leaf) => return Ok(Proof { end: End::Leaf { key: leaf.key, value: leaf.value }, beside }),
            Slot::Branch(_) => {}
        }
    }
    Err(damaged(&PagePath::of(&key, 64), "the way does not end"))
}

fn damaged(path: &PagePath, reason: &str) -> StateError {
    StateError::Damaged { place: format!("page {path:?} of the state tree"), reason: reason.into() }
}
