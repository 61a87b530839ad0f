//! Proofs that a key has a value, or has none, under a root of the [`tree`](super::tree).
//!
//! A proof holds the nodes on the key's way through the tree. Each must have the hash that the one above says, the first
//! the root; the last says whether there is a leaf of the key. It is checked against a root alone, without the tree.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Canonical, Hash};
use thiserror::Error;

use super::node::{DEPTH_MAX, Held, Leaf, Node, PLACES, place_of};
use super::{NodeView, PagePath, leaves};
use crate::view::StateError;

/// A proof of a key's presence or absence.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proof {
    /// The nodes on the key's way, from the root down; none if the tree is empty.
    pub nodes: Vec<Node>,
}

impl Canonical for Proof {
    const NAME: &'static str = "state proof";
    const MAX_BYTES: usize = 4 + DEPTH_MAX * (2 + 2 + 4 + 2 * PLACES * 32);
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
    /// It has a node whose maps do not say what it holds.
    #[error("node {depth} of the proof is malformed; ask for the proof again, from another node if need be")]
    Malformed {
        /// The node's depth.
        depth: usize,
    },
    /// It ends before the key's way does, or goes on after it.
    #[error("the proof has {found} nodes, which is not where the key's way ends; ask for a proof of this key")]
    OtherLength {
        /// Its nodes.
        found: usize,
    },
    /// It is for another root.
    #[error("a node of the proof has hash {found}, not {expected}; the proof is for another state, or forged")]
    OtherRoot {
        /// The node's hash.
        found: Hash,
        /// The root, or what the node above says.
        expected: Hash,
    },
}

impl Proof {
    /// Checks that under `root`, which this suite made, `key` has this value, or none.
    ///
    /// # Errors
    /// If the proof does not show that.
    pub fn verify(&self, suite: CryptoSuite, root: &Hash, key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        let key = leaves::key_hash(suite, key);
        let leaf = self.walk(suite, root, &key)?;
        match (leaf.filter(|leaf| leaf.key == key), value) {
            (Some(_), None) => Err(ProofError::Present),
            (None, Some(_)) => Err(ProofError::Absent),
            (Some(leaf), Some(value)) if leaf.value != leaves::value_hash(suite, value) => Err(ProofError::OtherValue),
            _ => Ok(()),
        }
    }

    /// Goes the key's way, and gives the leaf at which it ends, if it does not end at nothing.
    fn walk(&self, suite: CryptoSuite, root: &Hash, key: &Hash) -> Result<Option<Leaf>, ProofError> {
        let mut held = if *root == Hash::ZERO { Held::Nothing } else { Held::Node(*root) };
        let length = ProofError::OtherLength { found: self.nodes.len() };
        for (depth, node) in self.nodes.iter().enumerate() {
            let Held::Node(expected) = held else { return Err(length) };
            let found = node.hash(suite);
            if found != expected {
                return Err(ProofError::OtherRoot { found, expected });
            }
            if depth >= DEPTH_MAX {
                return Err(length);
            }
            held = node.held(place_of(key, depth)).ok_or(ProofError::Malformed { depth })?;
        }
        let depth = self.nodes.len();
        match held {
            Held::Node(_) => Err(length),
            Held::Nothing => Ok(None),
            Held::Leaf(leaf) if PagePath::of(&leaf.key, depth) != PagePath::of(key, depth) => {
                Err(ProofError::Elsewhere)
            }
            Held::Leaf(leaf) => Ok(Some(leaf)),
        }
    }
}

/// The proof of a key's value or absence, whichever holds in these pages.
///
/// # Errors
/// If pages can't be read, or one is missing.
pub fn prove(nodes: &dyn NodeView, key: &[u8]) -> Result<Proof, StateError> {
    let (suite, key) = (nodes.suite(), leaves::key_hash(nodes.suite(), key));
    let mut way = Vec::new();
    while way.len() < DEPTH_MAX {
        let (depth, path) = (way.len(), PagePath::of(&key, way.len()));
        match nodes.page(&path)? {
            Some(page) if page.descend(suite, &key, depth, &mut way).is_some() => {}
            None if depth > 0 => return Err(damaged(&path, "it is missing")),
            _ => return Ok(Proof { nodes: way }),
        }
    }
    Err(damaged(&PagePath::of(&key, DEPTH_MAX), "the way does not end"))
}

fn damaged(path: &PagePath, reason: &str) -> StateError {
    StateError::Damaged { place: format!("page {path:?} of the state tree"), reason: reason.into() }
}
