//! The Merkle commitment: a sparse tree of 16 ways whose leaves lie where their keys' hashes say.
//!
//! A key's leaf lies at the end of the shortest prefix of its hash, in steps of four bits and at least one, that no other
//! key shares. So the tree, and its root, follow from the entries alone: the order in which they came, and what was
//! removed, leaves no trace. An empty tree has root zero. What a node is and how it is hashed is said in
//! [`node`](super::node), and why a root stands for one state only.
//!
//! Hashes, all by the group's crypto suite under the domains of `hanse_types::hash`:
//!
//! | of | over |
//! |---|---|
//! | a key, a value | `StateLeaf` ‖ 0 ‖ key, `StateLeaf` ‖ 1 ‖ value |
//! | a node | `StateNode` ‖ places with a leaf ‖ places with a node ‖ what they hold |
//!
//! Sixteen ways, because hashing is what an update costs: a node of 16 hashes takes 9 blocks of SHA-256, the 15 binary
//! nodes in its stead take 30; a leaf takes one block more where it lies, and none of its own. A proof is longer for it.
//!
//! A block's changes go in together. First they are sorted by the keys' hashes, and the pages on their ways are made anew
//! from the top down, without hashing; then the changed nodes are hashed from the bottom up, a depth at a time, many
//! side by side. The 16 subtrees below the topmost page are independent, and so run in parallel.

use std::sync::Arc;

use hanse_types::Hash;
use hanse_types::crypto::CryptoSuite;
use rayon::prelude::*;

use super::hashing::{Hashing, Place};
use super::node::{Leaf, Node, PLACES, first_bits, place_of};
use super::page::{Below, Draft, Places, RUN_MAX};
use super::{NodeView, Page, PagePath, Update, leaves};
use crate::changes::ChangeSet;
use crate::view::StateError;

/// Blocks with fewer changes are done on one thread.
const PARALLEL_MIN: usize = 64;
/// Changes that are hashed as one job.
const RUN: usize = 512;

/// A key's new value, or none if it is removed.
#[derive(Clone, Copy)]
struct Change {
    /// Hash of the key.
    key: Hash,
    /// Hash of the value.
    value: Option<Hash>,
}

/// The tree after a block's changes.
///
/// # Errors
/// If pages can't be read or do not add up to `parent_root`.
pub fn update(parent_root: &Hash, nodes: &dyn NodeView, changes: &ChangeSet) -> Result<Update, StateError> {
    if changes.is_empty() {
        return Ok(Update { root: *parent_root, pages: Vec::new() });
    }
    let before = match parent_root {
        &Hash::ZERO => None,
        root => Some(load(nodes, &PagePath::ROOT, root)?),
    };
    let changes = Sorted::new(nodes.suite(), changes);
    let run = |(place, below)| Subtree::new(nodes).run(below, &changes.through(place));
    let subtrees: Vec<_> = before.as_deref().map_or(Places::EMPTY, Page::places).enumerate().collect();
    let results: Vec<_> = if changes.len() < PARALLEL_MIN {
        subtrees.iter().map(|subtree| run(*subtree)).collect::<Result<_, _>>()?
    } else {
        subtrees.par_iter().map(|subtree| run(*subtree)).collect::<Result<_, _>>()?
    };
    Ok(join(nodes.suite(), parent_root, before.is_some(), &subtrees, results))
}

/// The topmost page over what became of the places below it.
fn join(
    suite: CryptoSuite,
    parent_root: &Hash,
    existed: bool,
    before: &[(usize, Below<'_>)],
    results: Vec<Changed>,
) -> Update {
    let mut top = Draft::default();
    let mut pages = Vec::new();
    let mut changed = false;
    for ((place, before), result) in before.iter().zip(results) {
        pages.extend(result.pages);
        changed |= !matches!(result.after, After::Same);
        match result.after {
            After::Same => top.keep(*place, *before),
            After::Run(run) => top.add_run(*place, &run),
            After::Page(hash) => top.page(*place, Some(hash)),
        }
    }
    if !changed {
        return Update { root: *parent_root, pages };
    }
    if top.is_empty() {
        pages.extend(existed.then_some((PagePath::ROOT, None)));
        return Update { root: Hash::ZERO, pages };
    }
    let mut hashing = Hashing::default();
    hashing.push_page(PagePath::ROOT, Place::TOP, top);
    let root = hashing.run(suite, 0, |path, page| pages.push((path, Some(Arc::new(page)))));
    Update { root, pages }
}

/// A block's changes in the order of the keys' hashes.
struct Sorted {
    changes: Vec<Change>,
    /// The first bits of the keys' hashes, and where the changes are.
    order: Vec<(u64, u32)>,
}

impl Sorted {
    fn new(suite: CryptoSuite, changes: &ChangeSet) -> Sorted {
        let entries: Vec<_> = changes.iter().map(|(key, value)| (key, value.map(|value| value.as_slice()))).collect();
        let mut changes = vec![Change { key: Hash::ZERO, value: None }; entries.len()];
        let runs = changes.par_chunks_mut(RUN).zip(entries.par_chunks(RUN));
        runs.for_each(|(changes, entries)| hash_run(suite, entries, changes));
        let mut order: Vec<_> = changes.iter().zip(0..).map(|(change, at)| (first_bits(&change.key), at)).collect();
        let key = |at: u32| &changes[at as usize].key;
        let compare =
            |left: &(u64, u32), right: &(u64, u32)| left.0.cmp(&right.0).then_with(|| key(left.1).cmp(key(right.1)));
        if order.len() < PARALLEL_MIN {
            order.sort_unstable_by(compare);
        } else {
            order.par_sort_unstable_by(compare);
        }
        Sorted { changes, order }
    }

    fn len(&self) -> usize {
        self.changes.len()
    }

    /// The changes below a place of the topmost page.
    fn through(&self, place: usize) -> Vec<Change> {
        let place_of = |(bits, _): &(u64, u32)| (bits >> 60) as usize;
        let from = self.order.partition_point(|change| place_of(change) < place);
        let to = self.order.partition_point(|change| place_of(change) <= place);
        self.order[from..to].iter().map(|(_, at)| self.changes[*at as usize]).collect()
    }
}

/// Hashes keys and values.
fn hash_run(suite: CryptoSuite, entries: &[(&[u8], Option<&[u8]>)], changes: &mut [Change]) {
    let keys = leaves::key_hashes(suite, entries.iter().map(|(key, _)| *key));
    let mut values = leaves::value_hashes(suite, entries.iter().filter_map(|(_, value)| *value)).into_iter();
    for ((change, key), (_, value)) in changes.iter_mut().zip(keys).zip(entries) {
        *change = Change { key, value: value.and_then(|_| values.next()) };
    }
}

/// The page that must be there, with the hash that it must have.
fn load(nodes: &dyn NodeView, path: &PagePath, hash: &Hash) -> Result<Arc<Page>, StateError> {
    let damaged = |reason| StateError::Damaged { place: format!("page {path:?} of the state tree"), reason };
    let page = nodes.page(path)?.ok_or_else(|| damaged("it is missing".into()))?;
    if page.hash() != hash {
        return Err(damaged(format!("its hash is {}, the node above says {hash}", page.hash())));
    }
    Ok(page)
}

/// Pages to write or to remove.
type Pages = Vec<(PagePath, Option<Arc<Page>>)>;

/// What became of what lies below a place of the topmost page.
struct Changed {
    after: After,
    pages: Pages,
}

enum After {
    /// It is as it was.
    Same,
    /// At most [`RUN_MAX`] leaves.
    Run(Vec<Leaf>),
    /// A page with this hash.
    Page(Hash),
}

/// What became of what lies below a place, while nothing is hashed yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is as it was.
    Same,
    /// Some leaves, none to [`RUN_MAX`].
    Run,
    /// A page.
    Page,
}

/// One subtree below the topmost page, while it is changed.
struct Subtree<'a> {
    nodes: &'a dyn NodeView,
    hashing: Hashing,
    pages: Pages,
}

impl<'a> Subtree<'a> {
    fn new(nodes: &'a dyn NodeView) -> Subtree<'a> {
        Subtree { nodes, hashing: Hashing::reuse(), pages: Vec::new() }
    }

    /// Changes what lies below a place of the topmost page.
    fn run(mut self, below: Below<'_>, changes: &[Change]) -> Result<Changed, StateError> {
        let mut run = Vec::new();
        let after = match self.change(below, 1, Place::TOP, changes, &mut run)? {
            Outcome::Same => After::Same,
            Outcome::Run => After::Run(run),
            Outcome::Page => {
                let pages = &mut self.pages;
                After::Page(
                    self.hashing.run(self.nodes.suite(), 1, |path, page| pages.push((path, Some(Arc::new(page))))),
                )
            }
        };
        self.hashing.leave();
        Ok(Changed { after, pages: self.pages })
    }

    /// Changes what lies below a place. A page below it has this depth, and belongs to that place. If leaves remain, they
    /// are added to `run`.
    fn change(
        &mut self,
        below: Below<'_>,
        depth: usize,
        place: Place,
        changes: &[Change],
        run: &mut Vec<Leaf>,
    ) -> Result<Outcome, StateError> {
        if changes.is_empty() {
            return Ok(Outcome::Same);
        }
        match below {
            Below::Page(hash) => {
                let path = PagePath::of(&changes[0].key, depth);
                let page = load(self.nodes, &path, &hash)?;
                let outcome = self.change_page(Some(&page), depth, place, changes, run)?;
                if let Outcome::Run = outcome {
                    self.pages.push((path, None));
                }
                Ok(outcome)
            }
            Below::Leaves(before, _) => {
                let since = run.len();
                if !merge(before, changes, run) {
                    run.truncate(since);
                    return Ok(Outcome::Same);
                }
                if run.len() - since <= RUN_MAX {
                    return Ok(Outcome::Run);
                }
                let leaves = run.split_off(since);
                let all: Vec<_> = leaves.iter().map(|leaf| Change { key: leaf.key, value: Some(leaf.value) }).collect();
                self.change_page(None, depth, place, &all, run)
            }
        }
    }

    /// Changes a page, or makes one. If so few leaves remain that they belong into the page above, they are added to
    /// `run`.
    fn change_page(
        &mut self,
        page: Option<&Page>,
        depth: usize,
        place: Place,
        changes: &[Change],
        run: &mut Vec<Leaf>,
    ) -> Result<Outcome, StateError> {
        let parent = self.hashing.next(depth);
        let mut draft = page.map_or_else(Draft::default, Draft::like);
        let mut before = page.map_or(Places::EMPTY, Page::places);
        let mut changed = false;
        for group in changes.chunk_by(|left, right| place_of(&left.key, depth) == place_of(&right.key, depth)) {
            let place = place_of(&group[0].key, depth);
            draft.keep_until(place, &mut before);
            let below = before.next().unwrap_or_default();
            let since = draft.leaves.len();
            match self.change(below, depth + 1, Place { parent, place }, group, &mut draft.leaves)? {
                Outcome::Same => {
                    draft.keep(place, below);
                    continue;
                }
                Outcome::Run => draft.run(place, since),
                Outcome::Page => draft.page(place, None),
            }
            changed = true;
        }
        if !changed {
            return Ok(Outcome::Same);
        }
        draft.keep_until(PLACES, &mut before);
        if draft.is_run() {
            run.extend_from_slice(&draft.leaves);
            return Ok(Outcome::Run);
        }
        self.hashing.push_page(PagePath::of(&changes[0].key, depth), place, draft);
        Ok(Outcome::Page)
    }
}

/// Adds leaves after changes to them, both in the order of their keys, and says whether anything is different.
fn merge(leaves: &[Leaf], changes: &[Change], into: &mut Vec<Leaf>) -> bool {
    let mut at = into.len();
    // Most changes are of values; the others move the few leaves after them.
    into.extend_from_slice(leaves);
    let mut changed = false;
    for change in changes {
        at += into[at..].iter().take_while(|leaf| leaf.is_before(&change.key)).count();
        let old = into.get_mut(at).filter(|leaf| leaf.key == change.key);
        match (old, change.value) {
            (None, None) => continue,
            (None, Some(value)) => into.insert(at, Leaf { key: change.key, value }),
            (Some(leaf), Some(value)) if leaf.value == value => continue,
            (Some(leaf), Some(value)) => leaf.value = value,
            (Some(_), None) => drop(into.remove(at)),
        }
        changed = true;
    }
    changed
}

/// The root of a tree with these entries, computed from nothing: what [`update`] must agree with.
pub fn root_of<'a>(suite: CryptoSuite, entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Hash {
    let leaf = |(key, value): (&[u8], &[u8])| Leaf {
        key: leaves::key_hash(suite, key),
        value: leaves::value_hash(suite, value),
    };
    let mut leaves: Vec<_> = entries.into_iter().map(leaf).collect();
    leaves.sort_unstable_by_key(|leaf| leaf.key);
    if leaves.is_empty() { Hash::ZERO } else { Node::over(suite, &leaves, 0).hash(suite) }
}

#[cfg(test)]
mod tests;
