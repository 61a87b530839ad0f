//! The flat commitment: each root is the digest of the root before and of the block's changes.
//!
//! Changes are hashed in runs of fixed length, in parallel, and the runs' digests together, so the root does not depend
//! on the number of threads. A block that changes nothing leaves the root as it is.

use hanse_types::Hash;
use hanse_types::Value;
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::Domain;
use rayon::prelude::*;

use crate::changes::ChangeSet;

/// Changes that are hashed as one run. Part of the format.
const RUN: usize = 512;

/// The root after `changes` to a state with root `parent`.
pub fn root(suite: CryptoSuite, parent: &Hash, changes: &ChangeSet) -> Hash {
    if changes.is_empty() {
        return *parent;
    }
    let entries: Vec<_> = changes.iter().collect();
    let runs: Vec<Hash> = entries.par_chunks(RUN).map(|run| run_digest(suite, run)).collect();
    let mut body = Vec::with_capacity(32 * (runs.len() + 1));
    body.extend_from_slice(parent.as_bytes());
    for run in &runs {
        body.extend_from_slice(run.as_bytes());
    }
    suite.hash(Domain::StateNode, &body)
}

/// Digest of a run: each key with its length, and its value with its length, or the mark of a removal.
fn run_digest(suite: CryptoSuite, entries: &[(&[u8], Option<&Value>)]) -> Hash {
    let mut bytes = Vec::with_capacity(entries.len() * 64);
    for (key, value) in entries {
        bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(key);
        match value {
            Some(value) => {
                bytes.push(1);
                bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
                bytes.extend_from_slice(value);
            }
            None => bytes.push(0),
        }
    }
    suite.hash(Domain::StateLeaf, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(parent: &Hash, changes: &ChangeSet) -> Hash {
        super::root(CryptoSuite::Standard, parent, changes)
    }

    fn changes(entries: &[(&[u8], Option<&[u8]>)]) -> ChangeSet {
        ChangeSet::from_unsorted(entries.iter().map(|(key, value)| ((*key).into(), value.map(Value::new))).collect())
    }

    #[test]
    fn every_difference_shows() {
        let sets = [
            changes(&[]),
            changes(&[(b"a", None)]),
            changes(&[(b"a", Some(b""))]),
            changes(&[(b"a", Some(b"1"))]),
            changes(&[(b"a1", Some(b""))]),
            changes(&[(b"a", Some(b"1")), (b"b", None)]),
            changes(&[(b"a", None), (b"b", Some(b"1"))]),
        ];
        let mut roots: Vec<_> = sets.iter().map(|set| root(&Hash::ZERO, set)).collect();
        let parent = roots[1];
        roots.extend(sets.iter().skip(1).map(|set| root(&parent, set)));
        let count = roots.len();
        roots.sort_unstable();
        roots.dedup();
        assert_eq!(roots.len(), count);
    }

    #[test]
    fn threads_do_not_matter() {
        let many: Vec<_> = (0..5_000u32).map(|n| (n.to_be_bytes()[..].into(), Some(Value::new(&[1; 40])))).collect();
        let many = ChangeSet::from_unsorted(many);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        assert_eq!(one.install(|| root(&Hash::ZERO, &many)), root(&Hash::ZERO, &many));
    }

    #[test]
    fn nothing_changed_means_the_same_root() {
        let before = root(&Hash::ZERO, &changes(&[(b"a", None)]));
        assert_eq!(root(&before, &ChangeSet::default()), before);
    }
}
