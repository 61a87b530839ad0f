//! Pages: what of the tree is stored, cached and rewritten together.
//!
//! A page is a node with the leaves close below it. Where a place of the node leads to at most `RUN_MAX` leaves, the
//! page holds them all, and the few nodes between follow from them; where it leads to more, there is a page of its own.
//! So a state has one set of pages, however it came about, and what is changed together lies together: nodes of two or
//! three leaves, of which a tree of hashes has most, cost no search and no allocation.
//!
//! A page in memory also carries the hashes of the nodes that follow from its leaves, so that a change hashes only its
//! own way again. They are not stored.

use hanse_types::Hash;
use hanse_types::crypto::CryptoSuite;

use super::hashing::Hashing;
use super::node::{DEPTH_MAX, Held, Leaf, Node, PLACES, place_of};
use crate::view::StateError;

/// Leaves below a place that are still held by the page above. Part of the stored format.
pub(super) const RUN_MAX: usize = 6;
/// Stands for the number of leaves below a place that leads to a page of its own.
const BELOW: u8 = 15;

/// Where a page lies: the first `4 * length` bits of the hashes of all keys below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PagePath {
    length: u8,
    bits: [u8; 32],
}

impl PagePath {
    /// The topmost page's path.
    pub const ROOT: PagePath = PagePath { length: 0, bits: [0; 32] };

    /// The path of the page of this depth on the way of a key's hash.
    pub(super) fn of(key: &Hash, depth: usize) -> PagePath {
        let mut path = PagePath { length: depth as u8, bits: [0; 32] };
        let whole = depth / 2;
        path.bits[..whole].copy_from_slice(&key.0[..whole]);
        if depth % 2 == 1 {
            path.bits[whole] = key.0[whole] & 0xf0;
        }
        path
    }

    /// Number of nodes above.
    pub fn depth(&self) -> usize {
        usize::from(self.length)
    }

    /// The bytes under which a store holds the page: its length, then its bits. Upper pages come first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(33);
        bytes.push(self.length);
        bytes.extend_from_slice(&self.bits[..self.depth().div_ceil(2)]);
        bytes
    }
}

impl std::hash::Hash for PagePath {
    /// Of the first 64 bits and the length: nobody finds many keys that share more.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let first = self.bits.first_chunk().map_or(0, |bits| u64::from_be_bytes(*bits));
        state.write_u64(first ^ u64::from(self.length));
    }
}

/// What lies below a place of a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Below<'a> {
    /// These leaves, none to [`RUN_MAX`], in the order of their keys; if there are several, under a node of this hash.
    Leaves(&'a [Leaf], Hash),
    /// A page of its own, with this hash.
    Page(Hash),
}

impl Default for Below<'_> {
    fn default() -> Self {
        Below::Leaves(&[], Hash::ZERO)
    }
}

/// A page, immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Leaves below each place, or [`BELOW`].
    counts: [u8; PLACES],
    /// All leaves that the page holds, in the order of their keys.
    leaves: Box<[Leaf]>,
    /// Hashes of the nodes below places that have more than one leaf below them, in the order of the places.
    nodes: Box<[Hash]>,
    /// Hash of the page's own node.
    hash: Hash,
}

impl Page {
    /// Hash of the page's node: in the topmost page, the root.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Page>() + size_of_val(&*self.leaves) + size_of_val(&*self.nodes)
    }

    /// What lies below each place, in their order.
    pub(super) fn places(&self) -> Places<'_> {
        Places { counts: &self.counts, leaves: &self.leaves, nodes: &self.nodes }
    }

    /// Goes the way of a key's hash through this page, which is at this depth, and adds the nodes on it. Gives the hash of
    /// the page to which the way leads on, or none if it ends here.
    pub(super) fn descend(&self, suite: CryptoSuite, key: &Hash, depth: usize, nodes: &mut Vec<Node>) -> Option<Hash> {
        let mut node = Node::default();
        for (place, below) in self.places().enumerate() {
            match below {
                Below::Leaves([], _) => {}
                Below::Leaves([leaf], _) => node.push(place, Held::Leaf(*leaf)),
                Below::Leaves(_, hash) | Below::Page(hash) => node.push(place, Held::Node(hash)),
            }
        }
        nodes.push(node);
        let mut run = match self.places().nth(place_of(key, depth))? {
            Below::Page(hash) => return Some(hash),
            Below::Leaves(run, _) => run,
        };
        for depth in depth + 1.. {
            if run.len() < 2 {
                break;
            }
            nodes.push(Node::over(suite, run, depth));
            let place = place_of(key, depth);
            let from = run.partition_point(|leaf| place_of(&leaf.key, depth) < place);
            let to = run.partition_point(|leaf| place_of(&leaf.key, depth) <= place);
            run = &run[from..to];
        }
        None
    }

    /// The bytes that a store holds: the number of leaves below each place, in four bits, the leaves, and the hashes of
    /// pages below.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PLACES / 2 + 64 * self.leaves.len() + 32 * self.nodes.len());
        bytes.extend(self.counts.as_chunks::<2>().0.iter().map(|[even, odd]| even | odd << 4));
        for leaf in &self.leaves {
            bytes.extend_from_slice(leaf.key.as_bytes());
            bytes.extend_from_slice(leaf.value.as_bytes());
        }
        for below in self.places() {
            if let Below::Page(hash) = below {
                bytes.extend_from_slice(hash.as_bytes());
            }
        }
        bytes
    }

    /// The page of these bytes, stored at this path, in a tree that is hashed by this suite.
    ///
    /// # Errors
    /// If they are not a page's, or hold a leaf that does not belong there.
    pub fn from_bytes(suite: CryptoSuite, path: &PagePath, bytes: &[u8]) -> Result<Page, StateError> {
        let draft = Draft::from_bytes(path, bytes);
        let page = draft.and_then(|draft| Hashing::page(suite, *path, draft).ok_or("it holds nothing"));
        page.map_err(|reason| StateError::Damaged {
            place: format!("page {path:?} of the state tree"),
            reason: reason.into(),
        })
    }
}

/// What lies below the places of a page, one after another.
#[derive(Clone)]
pub(super) struct Places<'a> {
    counts: &'a [u8],
    leaves: &'a [Leaf],
    nodes: &'a [Hash],
}

impl Places<'_> {
    /// Those of a page that is not there.
    pub(super) const EMPTY: Places<'static> = Places { counts: &[0; PLACES], leaves: &[], nodes: &[] };
}

impl<'a> Places<'a> {
    /// Number of the next place.
    fn place(&self) -> usize {
        PLACES - self.counts.len()
    }

    /// Takes the next places, before this one, at once.
    fn split_off_until(&mut self, place: usize) -> Option<Places<'a>> {
        let counts = self.counts.split_off(..place.checked_sub(self.place())?)?;
        let leaves = counts.iter().filter(|count| **count != BELOW).map(|count| usize::from(*count)).sum();
        let nodes = counts.iter().filter(|count| **count > 1).count();
        Some(Places { counts, leaves: self.leaves.split_off(..leaves)?, nodes: self.nodes.split_off(..nodes)? })
    }
}

impl<'a> Iterator for Places<'a> {
    type Item = Below<'a>;

    fn next(&mut self) -> Option<Below<'a>> {
        let count = *self.counts.split_off_first()?;
        let node = if count > 1 { *self.nodes.split_off_first()? } else { Hash::ZERO };
        if count == BELOW {
            return Some(Below::Page(node));
        }
        Some(Below::Leaves(self.leaves.split_off(..usize::from(count))?, node))
    }
}

/// A page that is being made, place by place.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    counts: [u8; PLACES],
    /// All leaves. What lies below the next place is added here first.
    pub(super) leaves: Vec<Leaf>,
    nodes: Vec<Hash>,
    /// Places below which there is a node that is to be hashed.
    pending: u16,
}

impl Draft {
    /// An empty draft with the memory for a page like this one: if only values change, none is moved.
    pub(super) fn like(page: &Page) -> Draft {
        let (leaves, nodes) = (Vec::with_capacity(page.leaves.len()), Vec::with_capacity(page.nodes.len()));
        Draft { leaves, nodes, ..Draft::default() }
    }

    /// Takes over what lies below the next places, before this one.
    pub(super) fn keep_until(&mut self, place: usize, before: &mut Places<'_>) {
        let from = before.place();
        if let Some(kept) = before.split_off_until(place) {
            self.counts[from..place].copy_from_slice(kept.counts);
            self.leaves.extend_from_slice(kept.leaves);
            self.nodes.extend_from_slice(kept.nodes);
        }
    }

    /// Takes over what lies below the next place.
    pub(super) fn keep(&mut self, place: usize, below: Below<'_>) {
        match below {
            Below::Page(hash) => self.page(place, Some(hash)),
            Below::Leaves(run, hash) => {
                self.leaves.extend_from_slice(run);
                self.counts[place] = run.len() as u8;
                if run.len() > 1 {
                    self.nodes.push(hash);
                }
            }
        }
    }

    /// Says that the leaves added since there were so many lie below the next place, changed.
    pub(super) fn run(&mut self, place: usize, since: usize) {
        let count = self.leaves.len() - since;
        debug_assert!(count <= RUN_MAX, "a run of {count} leaves");
        self.counted(place, count as u8);
    }

    /// Says that these leaves lie below the next place, changed.
    pub(super) fn add_run(&mut self, place: usize, run: &[Leaf]) {
        let since = self.leaves.len();
        self.leaves.extend_from_slice(run);
        self.run(place, since);
    }

    /// Whether nothing lies below any place.
    pub(super) fn is_empty(&self) -> bool {
        self.counts == [0; PLACES]
    }

    /// Says that there is a page below the next place, with this hash, or one that is not known yet.
    pub(super) fn page(&mut self, place: usize, hash: Option<Hash>) {
        self.counts[place] = BELOW;
        self.nodes.push(hash.unwrap_or(Hash::ZERO));
        if hash.is_none() {
            self.pending |= 1 << place;
        }
    }

    /// Whether there are so few leaves, and no pages below, that they belong into the page above.
    pub(super) fn is_run(&self) -> bool {
        self.leaves.len() <= RUN_MAX && !self.counts.contains(&BELOW)
    }

    /// What lies below each place, in their order.
    pub(super) fn places(&self) -> Places<'_> {
        Places { counts: &self.counts, leaves: &self.leaves, nodes: &self.nodes }
    }

    /// Whether there is a node below a place that is to be hashed.
    pub(super) fn is_pending(&self, place: usize) -> bool {
        self.pending & (1 << place) != 0
    }

    /// Sets the hash of the node below a place.
    pub(super) fn set_node(&mut self, place: usize, hash: Hash) {
        let at = self.counts[..place].iter().filter(|count| **count > 1).count();
        self.nodes[at] = hash;
    }

    /// The page, when everything below it is hashed, and it too.
    pub(super) fn finish(self, hash: Hash) -> Page {
        let (leaves, nodes) = (self.leaves.into_boxed_slice(), self.nodes.into());
        Page { counts: self.counts, leaves, nodes, hash }
    }

    fn from_bytes(path: &PagePath, bytes: &[u8]) -> Result<Draft, &'static str> {
        let (counts, mut rest) = bytes.split_first_chunk::<{ PLACES / 2 }>().ok_or("cut off")?;
        let mut counts = counts.iter().flat_map(|pair| [pair & 0xf, pair >> 4]);
        let counts: [u8; PLACES] = std::array::from_fn(|_| counts.next().unwrap_or_default());
        if path.depth() >= DEPTH_MAX {
            return Err("it lies too deep");
        }
        let mut next = || {
            let (hash, after) = rest.split_first_chunk().ok_or("cut off")?;
            rest = after;
            Ok::<_, &'static str>(Hash(*hash))
        };
        let mut draft = Draft::default();
        for (place, count) in counts.into_iter().enumerate().filter(|(_, count)| *count != BELOW) {
            if usize::from(count) > RUN_MAX {
                return Err("too many leaves lie below one place");
            }
            for _ in 0..count {
                let leaf = Leaf { key: next()?, value: next()? };
                if PagePath::of(&leaf.key, path.depth()) != *path || place_of(&leaf.key, path.depth()) != place {
                    return Err("a leaf lies in a wrong place");
                }
                if draft.leaves.last().is_some_and(|before| before.key >= leaf.key) {
                    return Err("leaves are out of order");
                }
                draft.leaves.push(leaf);
            }
        }
        for (place, count) in counts.into_iter().enumerate() {
            match count {
                BELOW => draft.page(place, Some(next()?)),
                count => draft.counted(place, count),
            }
        }
        if !rest.is_empty() {
            return Err("bytes are left over");
        }
        if draft.is_run() && (*path != PagePath::ROOT || draft.is_empty()) {
            return Err("its leaves are too few for a page");
        }
        Ok(draft)
    }

    /// Says that so many of the leaves lie below the next place.
    fn counted(&mut self, place: usize, count: u8) {
        self.counts[place] = count;
        if count > 1 {
            self.nodes.push(Hash::ZERO);
            self.pending |= 1 << place;
        }
    }
}
