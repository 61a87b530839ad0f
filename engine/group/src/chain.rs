//! What the next block is made on: the durable state, and blocks that are on their way to it.
//!
//! It keeps what was run until it is durable, several blocks of one height if there are, and knows nothing of votes.

use std::collections::VecDeque;
use std::sync::Arc;

use hanse_types::{Hash, limits};

use crate::execution::{Base, ExecutedBlock};

/// The end of a chain as this node has it.
pub struct Chain {
    durable: Base,
    /// Hashes of durable blocks, the newest first.
    recent: VecDeque<Hash>,
    /// Blocks that were run and are not durable, several of one height perhaps.
    under_way: Vec<Arc<ExecutedBlock>>,
}

impl Chain {
    /// A chain whose newest block is durable. `recent` are hashes of blocks, the newest first.
    pub fn new(durable: Base, recent: impl IntoIterator<Item = Hash>) -> Chain {
        Chain { durable, recent: recent.into_iter().collect(), under_way: Vec::new() }
    }

    /// What a block is made on whose parent this is, and the hashes of the blocks before it, the newest first; none if the
    /// parent is not at the end of this chain.
    pub fn base(&self, parent: &Hash) -> Option<(Base, Vec<Hash>)> {
        let blocks = self.ancestors(parent)?;
        let base = blocks.iter().rev().fold(self.durable.clone(), |base, block| base.after(block));
        let hashes = blocks.iter().map(|block| block.hash).chain(self.recent.iter().copied());
        Some((base, hashes.take(limits::RECENT_BLOCKS as usize).collect()))
    }

    /// The blocks under way from this one back to the durable end, the newest first.
    fn ancestors(&self, hash: &Hash) -> Option<Vec<&Arc<ExecutedBlock>>> {
        let (mut blocks, mut at) = (Vec::new(), *hash);
        while self.recent.front() != Some(&at) {
            let block = self.block(&at)?;
            at = block.header.parent;
            blocks.push(block);
        }
        Some(blocks)
    }

    /// A block was run; one of a height that is over is of no use any more.
    pub fn executed(&mut self, block: Arc<ExecutedBlock>) {
        if block.header.height > self.durable.height && self.block(&block.hash).is_none() {
            self.under_way.push(block);
        }
    }

    /// A block that was run and is not durable.
    pub fn block(&self, hash: &Hash) -> Option<&Arc<ExecutedBlock>> {
        self.under_way.iter().find(|block| block.hash == *hash)
    }

    /// A block is durable, and this is the state after it. Others of its height are forgotten.
    pub fn persisted(&mut self, hash: &Hash, durable: Base) -> Option<Arc<ExecutedBlock>> {
        let block = self.block(hash)?.clone();
        self.durable = durable;
        self.recent.push_front(block.hash);
        self.recent.truncate(limits::RECENT_BLOCKS as usize);
        self.under_way.retain(|other| other.header.height > block.header.height);
        Some(block)
    }
}
