//! Merkle trees over lists of digests, with proofs of inclusion.
//!
//! The tree has the shape of RFC 6962: a list of more than one leaf is split at the greatest power of two below its
//! length. Leaves and inner nodes are hashed under different tags, so neither passes for the other, and the proof's
//! length follows from index and count, so a proof is for one place only.

use borsh::{BorshDeserialize, BorshSerialize};
use rayon::prelude::*;

use crate::crypto::CryptoSuite;
use crate::encoding::Canonical;
use crate::hash::many::Messages;
use crate::hash::{Domain, Hash};

/// Nodes that are hashed as one job.
const RUN: usize = 512;

/// The root of a list of digests; [`Hash::ZERO`] for none. Long lists are hashed on the rayon pool in which it is called.
pub fn root(suite: CryptoSuite, leaves: &[Hash]) -> Hash {
    let mut level = runs(suite, leaves, |messages, leaf| messages.add_parts(Domain::MerkleLeaf, &[leaf.as_bytes()]));
    // Splitting at powers of two pairs neighbours, level by level, and carries up one that is left over.
    while level.len() > 1 {
        let (pairs, odd) = level.as_chunks();
        let mut nodes = runs(suite, pairs, |messages, [left, right]: &[Hash; 2]| {
            messages.add_parts(Domain::MerkleNode, &[left.as_bytes(), right.as_bytes()]);
        });
        nodes.extend(odd);
        level = nodes;
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

/// The digests of the messages that the items add, many side by side, and long lists on many threads.
fn runs<T: Sync>(suite: CryptoSuite, items: &[T], add: impl Fn(&mut Messages, &T) + Sync) -> Vec<Hash> {
    let run = |items: &[T]| {
        let mut messages = Messages::default();
        items.iter().for_each(|item| add(&mut messages, item));
        messages.hash(suite)
    };
    if items.len() <= RUN { run(items) } else { items.par_chunks(RUN).flat_map_iter(run).collect() }
}

/// The digests beside the path from a leaf to the root, from the bottom up.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proof(pub Vec<Hash>);

impl Canonical for Proof {
    const NAME: &'static str = "Merkle proof";
    const MAX_BYTES: usize = 4 + 64 * 32;
}

/// The proof that the leaf at `index` is in the list; none if there is no such leaf.
pub fn prove(suite: CryptoSuite, leaves: &[Hash], index: usize) -> Option<Proof> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut leaves, mut index) = (leaves, index);
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root(suite, right));
            leaves = left;
        } else {
            path.push(root(suite, left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    Some(Proof(path))
}

/// Whether `leaf` is at `index` of the list of `count` leaves that has this root.
pub fn verify(suite: CryptoSuite, root: &Hash, leaf: &Hash, index: usize, count: usize, proof: &Proof) -> bool {
    fn climb(suite: CryptoSuite, leaf: &Hash, index: usize, count: usize, path: &[Hash]) -> Option<Hash> {
        if count == 1 {
            return path.is_empty().then(|| leaf_hash(suite, leaf));
        }
        let (beside, below) = path.split_last()?;
        let left = split(count);
        if index < left {
            Some(node_hash(suite, &climb(suite, leaf, index, left, below)?, beside))
        } else {
            Some(node_hash(suite, beside, &climb(suite, leaf, index - left, count - left, below)?))
        }
    }
    index < count && climb(suite, leaf, index, count, &proof.0).is_some_and(|computed| computed == *root)
}

/// The greatest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn leaf_hash(suite: CryptoSuite, leaf: &Hash) -> Hash {
    suite.hash(Domain::MerkleLeaf, leaf.as_bytes())
}

fn node_hash(suite: CryptoSuite, left: &Hash, right: &Hash) -> Hash {
    suite.hash_parts(Domain::MerkleNode, &[left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| Hash::of(Domain::Receipt, &n.to_le_bytes())).collect()
    }

    /// The definition of RFC 6962, word by word.
    fn root_by_definition(suite: CryptoSuite, leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::ZERO,
            [leaf] => leaf_hash(suite, leaf),
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node_hash(suite, &root_by_definition(suite, left), &root_by_definition(suite, right))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        for count in (0..70).chain([511, 512, 513, 1_023, 1_025, 2_500]) {
            let leaves = leaves(count);
            for suite in CryptoSuite::ALL {
                assert_eq!(root(suite, &leaves), root_by_definition(suite, &leaves), "{count} leaves, {suite}");
            }
        }
    }

    #[test]
    fn every_leaf_is_proven_at_its_place_only() {
        for (count, suite) in (1..40).chain([1_023, 1_024, 1_500]).zip(CryptoSuite::ALL.into_iter().cycle()) {
            let leaves = leaves(count);
            let verify = |root: &_, leaf: &_, index, proof: &_| verify(suite, root, leaf, index, count, proof);
            let root = root(suite, &leaves);
            for index in (0..count).step_by(1 + count / 20) {
                let proof = prove(suite, &leaves, index).unwrap();
                assert!(verify(&root, &leaves[index], index, &proof));
                assert!(!verify(&root, &leaves[index], index + 1, &proof));
                assert!(!verify(&root, &Hash::ZERO, index, &proof));
                assert!(!verify(&Hash::ZERO, &leaves[index], index, &proof));
                let longer = Proof([&proof.0[..], &[Hash::ZERO]].concat());
                assert!(!verify(&root, &leaves[index], index, &longer));
                let other = proof.0.iter().map(|hash| Hash::of(Domain::MerkleNode, hash.as_bytes())).collect();
                assert!(count == 1 || !verify(&root, &leaves[index], index, &Proof(other)));
            }
            assert_eq!(prove(suite, &leaves, count), None);
        }
    }

    #[test]
    fn an_inner_node_is_no_leaf() {
        let (suite, leaves) = (CryptoSuite::Standard, leaves(2));
        let whole = root(suite, &leaves);
        assert!(!verify(suite, &root(suite, &[whole]), &leaves[0], 0, 2, &prove(suite, &leaves, 0).unwrap()));
        assert_eq!(root(suite, &[]), Hash::ZERO);
    }
}
