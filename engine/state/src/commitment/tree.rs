//! The Merkle commitment: a sparse binary tree whose leaves lie where their keys' hashes say.
//!
//! A key's leaf lies at the end of the shortest prefix of its hash that no other key shares; below a leaf there is
//! nothing, beside a lonely way there is [`Hash::ZERO`]. So the tree, and its root, follow from the entries alone: the
//! order in which they came, and what was removed, leaves no trace. An empty tree has root zero.
//!
//! Hashes, all SHA-256 under the domains of `hanse_types::hash`:
//!
//! | of | over |
//! |---|---|
//! | a key, a value | `StateLeaf` ‖ 0 ‖ key, `StateLeaf` ‖ 1 ‖ value |
//! | a leaf | `StateLeaf` ‖ 2 ‖ hash of the key ‖ hash of the value |
//! | a node | `StateNode` ‖ left ‖ right |
//!
//! A block's changes go in together. First they are sorted by the keys' hashes, and the pages on their ways are changed
//! from the top down, without hashing; then the changed pages are hashed from the bottom up, a level at a time, many
//! nodes side by side. The 16 subtrees below the topmost page are independent, and so run in parallel.

use std::sync::Arc;

use hanse_types::Hash;
use rayon::prelude::*;

use super::page::{Draft, Leaf, Slot, hash_drafts, slot_of};
use super::{NodeView, Page, PagePath, Update, lanes};
use crate::changes::ChangeSet;
use crate::view::StateError;

/// Blocks with fewer changes are done on one thread.
const PARALLEL_MIN: usize = 64;
/// Changes that are hashed as one job.
const RUN: usize = 256;

/// A key's new leaf, or none if it is removed.
#[derive(Clone, Copy)]
struct Change {
    key: Hash,
    leaf: Option<Leaf>,
}

/// The tree after a block's changes.
///
/// # Errors
/// If pages can't be read or do not add up to `parent_root`.
pub fn update(parent_root: &Hash, nodes: &dyn NodeView, changes: &ChangeSet) -> Result<Update, StateError> {
    if changes.is_empty() {
        return Ok(Update { root: *parent_root, pages: Vec::new() });
    }
    let changes = hash_changes(changes);
    let before = match parent_root {
        &Hash::ZERO => None,
        root => Some(load(nodes, &PagePath::ROOT, root)?),
    };
    let mut top = before.as_ref().map_or_else(Draft::empty, |page| Draft::of(page));

    let groups: Vec<_> = changes.chunk_by(|left, right| slot_of(&left.key, 0) == slot_of(&right.key, 0)).collect();
    let run = |group: &&[Change]| {
        let at = slot_of(&group[0].key, 0);
        Subtree::new(nodes).run(top.slot(at), group).map(|(slot, pages)| (at, slot, pages))
    };
    let results: Vec<_> = if changes.len() < PARALLEL_MIN {
        groups.iter().map(run).collect::<Result<_, _>>()?
    } else {
        groups.par_iter().map(run).collect::<Result<_, _>>()?
    };

    let mut pages = Vec::new();
    let mut changed = false;
    for (at, slot, below) in results {
        changed |= top.set(at, slot);
        pages.extend(below);
    }
    if !changed {
        return Ok(Update { root: *parent_root, pages });
    }
    hash_drafts([&mut top]);
    let empty = top.collapsed(u16::MAX) == Some(Slot::Empty);
    let page = (!empty).then(|| Arc::new(top.finish()));
    let root = page.as_ref().map_or(Hash::ZERO, |page| *page.hash());
    pages.push((PagePath::ROOT, page));
    Ok(Update { root, pages })
}

/// The changes as leaves, sorted by the keys' hashes.
fn hash_changes(changes: &ChangeSet) -> Vec<Change> {
    let entries: Vec<_> = changes.iter().map(|(key, value)| (key, value.map(|value| value.as_slice()))).collect();
    let mut changes: Vec<Change> = entries.par_chunks(RUN).flat_map_iter(hash_run).collect();
    changes.par_sort_unstable_by_key(|change| change.key);
    changes
}

fn hash_run(entries: &[(&[u8], Option<&[u8]>)]) -> Vec<Change> {
    let keys: Vec<_> = entries.iter().map(|(key, _)| *key).collect();
    let values: Vec<_> = entries.iter().map(|(_, value)| value.unwrap_or_default()).collect();
    let (keys, values) = (lanes::key_hashes(&keys), lanes::value_hashes(&values));
    let mut leaves = lanes::Leaves::default();
    for (key, value) in keys.iter().zip(&values) {
        leaves.push(key, value);
    }
    let hashed = keys.into_iter().zip(values).zip(leaves.hash());
    let change = |(((key, value), hash), (_, given)): (_, &(_, Option<&[u8]>))| Change {
        key,
        leaf: given.map(|_| Leaf { key, value, hash }),
    };
    hashed.zip(entries).map(change).collect()
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

/// A page to be written, with its place in the one above.
struct Work {
    path: PagePath,
    parent: usize,
    slot: usize,
    draft: Draft,
}

/// One subtree below the topmost page, while it is changed.
struct Subtree<'a> {
    nodes: &'a dyn NodeView,
    /// Changed pages by their depth.
    levels: Vec<Vec<Work>>,
    removed: Vec<PagePath>,
}

/// Pages to write or to remove.
type Pages = Vec<(PagePath, Option<Arc<Page>>)>;

impl<'a> Subtree<'a> {
    fn new(nodes: &'a dyn NodeView) -> Subtree<'a> {
        Subtree { nodes, levels: vec![Vec::new(), Vec::new()], removed: Vec::new() }
    }

    /// Changes what lies below a slot of the topmost page.
    fn run(mut self, slot: Slot, changes: &[Change]) -> Result<(Slot, Pages), StateError> {
        let slot = self.change(slot, 1, 0, changes)?;
        Ok(self.hash(slot))
    }

    /// Changes what lies below a slot of a page; pages below the slot have this depth, `parent` is the page's place in
    /// its level. The hash of a changed branch is not known yet.
    fn change(&mut self, slot: Slot, depth: usize, parent: usize, changes: &[Change]) -> Result<Slot, StateError> {
        match slot {
            Slot::Branch(hash) => {
                let path = PagePath::of(&changes[0].key, depth);
                let page = load(self.nodes, &path, &hash)?;
                self.change_page(Some(&page), depth, parent, changes)
            }
            Slot::Empty => self.grow(depth, parent, changes),
            Slot::Leaf(leaf) => match changes.binary_search_by_key(&leaf.key, |change| change.key) {
                Ok(_) => self.grow(depth, parent, changes),
                Err(at) => {
                    let mut all = changes.to_vec();
                    all.insert(at, Change { key: leaf.key, leaf: Some(leaf) });
                    self.grow(depth, parent, &all)
                }
            },
        }
    }

    /// What lies below a slot that holds nothing but these changes.
    fn grow(&mut self, depth: usize, parent: usize, changes: &[Change]) -> Result<Slot, StateError> {
        let mut leaves = changes.iter().filter_map(|change| change.leaf);
        match (leaves.next(), leaves.next()) {
            (None, _) => Ok(Slot::Empty),
            (Some(leaf), None) => Ok(Slot::Leaf(leaf)),
            _ => self.change_page(None, depth, parent, changes),
        }
    }

    /// Changes a page, or makes one.
    fn change_page(
        &mut self,
        page: Option<&Page>,
        depth: usize,
        parent: usize,
        changes: &[Change],
    ) -> Result<Slot, StateError> {
        let key = &changes[0].key;
        let (path, slot) = (PagePath::of(key, depth), slot_of(key, depth - 1));
        if self.levels.len() <= depth {
            self.levels.resize_with(depth + 1, Vec::new);
        }
        let at = self.levels[depth].len();
        let draft = page.map_or_else(Draft::empty, Draft::of);
        self.levels[depth].push(Work { path, parent, slot, draft });
        let mut changed = false;
        for group in changes.chunk_by(|left, right| slot_of(&left.key, depth) == slot_of(&right.key, depth)) {
            let below = slot_of(&group[0].key, depth);
            let old = self.levels[depth][at].draft.slot(below);
            let new = self.change(old, depth + 1, at, group)?;
            changed |= self.levels[depth][at].draft.set(below, new);
        }
        let collapsed = self.levels[depth][at].draft.collapsed(u16::MAX);
        let unchanged = page.filter(|_| !changed).map(|page| Slot::Branch(*page.hash()));
        match unchanged.or(collapsed) {
            // It was the last of its level, and has no changed page below it.
            Some(slot) => {
                self.levels[depth].pop();
                if page.is_some() && changed {
                    self.removed.push(path);
                }
                Ok(slot)
            }
            None => Ok(Slot::Branch(PENDING)),
        }
    }

    /// Hashes the changed pages from the bottom up; `top` is what lies below the slot of the topmost page.
    fn hash(mut self, top: Slot) -> (Slot, Pages) {
        let mut top = top;
        let mut pages: Pages = self.removed.iter().map(|path| (*path, None)).collect();
        for depth in (1..self.levels.len()).rev() {
            let mut level = std::mem::take(&mut self.levels[depth]);
            hash_drafts(level.iter_mut().map(|work| &mut work.draft));
            for work in &level {
                let hash = Slot::Branch(work.draft.hash());
                match self.levels[depth - 1].get_mut(work.parent) {
                    Some(above) if depth > 1 => drop(above.draft.set(work.slot, hash)),
                    _ => top = hash,
                }
            }
            pages.extend(level.into_iter().map(|work| (work.path, Some(Arc::new(work.draft.finish())))));
        }
        (top, pages)
    }
}

/// Stands for a hash that is not known yet; no page has it.
const PENDING: Hash = Hash([0xff; 32]);

/// The root of a tree with these entries, computed from nothing: what [`update`] must agree with.
pub fn root_of<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Hash {
    let leaf = |(key, value): (&[u8], &[u8])| {
        let key = lanes::key_hash(key);
        (key, lanes::leaf_hash(&key, &lanes::value_hash(value)))
    };
    let mut leaves: Vec<_> = entries.into_iter().map(leaf).collect();
    leaves.sort_unstable();
    root_of_leaves(&leaves, 0)
}

fn root_of_leaves(leaves: &[(Hash, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => Hash::ZERO,
        [(_, leaf)] => *leaf,
        _ => {
            let split = leaves.partition_point(|(key, _)| !bit(key, depth));
            let (left, right) = leaves.split_at(split);
            lanes::node_hash(&root_of_leaves(left, depth + 1), &root_of_leaves(right, depth + 1))
        }
    }
}

/// A bit of a hash, counted from the most significant of its first byte.
pub(super) fn bit(hash: &Hash, at: usize) -> bool {
    hash.0[at / 8] & (0x80 >> (at % 8)) != 0
}

#[cfg(test)]
mod tests;
