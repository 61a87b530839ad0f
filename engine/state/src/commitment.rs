//! What the header's state root commits to, and how it follows a block's changes.
//!
//! A group's genesis chooses one of two commitments:
//!
//! - [`flat`]: a chain of digests of every block's changes. Costs one hash of the changed bytes; two nodes that differ in
//!   any write differ in the root at once. Proves no single value.
//! - [`tree`]: a sparse Merkle tree of 16 ways over the keys' hashes. The root depends on the state alone, not on the way that
//!   led to it, and any value, or a key's absence, can be proven against it ([`proof`]).
//!
//! Both are hashed by the group's crypto suite.
//!
//! The tree is kept in [`Page`]s of a [`node`] and the leaves close below it, addressed by [`PagePath`]. [`update`] reads the
//! pages on the changed paths from a [`NodeView`] and gives the pages to store; nothing is written here, so a block can be
//! executed on top of a parent that is still being written ([`PageOverlay`]).
//!
//! It does no I/O. Start reading at [`tree`].

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Hash, StateCommitment};

use crate::changes::ChangeSet;
use crate::view::StateError;

pub mod flat;
mod hashing;
mod leaves;
pub mod node;
pub mod page;
pub mod proof;
pub mod tree;

pub use node::Node;
pub use page::{Page, PagePath};
pub use proof::{Proof, ProofError, prove};

/// Pages of one state's tree. Does not change while it is held.
pub trait NodeView: Send + Sync {
    /// The page at a path, none if there is none.
    ///
    /// # Errors
    /// If the store fails, or holds bytes that are no page.
    fn page(&self, path: &PagePath) -> Result<Option<Arc<Page>>, StateError>;

    /// What they are hashed by.
    fn suite(&self) -> CryptoSuite;
}

/// What a block does to the commitment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The state root after the block.
    pub root: Hash,
    /// Pages to write, or (none) to remove; no path twice. Empty for the flat commitment.
    pub pages: Vec<(PagePath, Option<Arc<Page>>)>,
}

/// The commitment after a block's changes to the state whose commitment is `parent_root` and whose pages are `nodes`.
/// Uses the rayon pool in which it is called.
///
/// # Errors
/// If pages can't be read or do not add up to `parent_root`.
pub fn update(
    kind: StateCommitment,
    parent_root: &Hash,
    nodes: &dyn NodeView,
    changes: &ChangeSet,
) -> Result<Update, StateError> {
    match kind {
        StateCommitment::Flat => {
            Ok(Update { root: flat::root(nodes.suite(), parent_root, changes), pages: Vec::new() })
        }
        StateCommitment::Merkle => tree::update(parent_root, nodes, changes),
    }
}

/// Pages in memory.
#[derive(Clone, Debug)]
pub struct MemoryNodes {
    suite: CryptoSuite,
    pages: HashMap<PagePath, Arc<Page>, RandomState>,
}

impl MemoryNodes {
    /// None, which are hashed by this suite.
    pub fn new(suite: CryptoSuite) -> MemoryNodes {
        MemoryNodes { suite, pages: HashMap::default() }
    }

    /// Applies what a block did.
    pub fn apply(&mut self, update: &Update) {
        for (path, page) in &update.pages {
            match page {
                Some(page) => self.pages.insert(*path, page.clone()),
                None => self.pages.remove(path),
            };
        }
    }

    /// Number of pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there is no page.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

impl NodeView for MemoryNodes {
    fn page(&self, path: &PagePath) -> Result<Option<Arc<Page>>, StateError> {
        Ok(self.pages.get(path).cloned())
    }

    fn suite(&self) -> CryptoSuite {
        self.suite
    }
}

/// The pages after a block that is not durable yet: its update over its parent's pages.
pub struct PageOverlay {
    pages: HashMap<PagePath, Option<Arc<Page>>, RandomState>,
    parent: Arc<dyn NodeView>,
}

impl PageOverlay {
    /// The pages after `update`.
    pub fn new(update: &Update, parent: Arc<dyn NodeView>) -> PageOverlay {
        PageOverlay { pages: update.pages.iter().cloned().collect(), parent }
    }
}

impl NodeView for PageOverlay {
    fn page(&self, path: &PagePath) -> Result<Option<Arc<Page>>, StateError> {
        match self.pages.get(path) {
            Some(page) => Ok(page.clone()),
            None => self.parent.page(path),
        }
    }

    fn suite(&self) -> CryptoSuite {
        self.parent.suite()
    }
}
