//! What the next block is made on: the durable state, and blocks that are on their way to it.

use std::collections::VecDeque;
use std::sync::Arc;

use hanse_types::{Hash, Height, limits};

use crate::execution::{Base, ExecutedBlock};

/// The end of a chain as this node has it.
pub(crate) struct Chain {
    durable: Base,
    /// Hashes of durable blocks, the newest first.
    recent: VecDeque<Hash>,
    /// Blocks that were run and are not durable, in the order of their heights.
    under_way: VecDeque<Arc<ExecutedBlock>>,
}

impl Chain {
    /// A chain whose newest block is durable. `recent` are hashes of blocks, the newest first.
    pub(crate) fn new(durable: Base, recent: impl IntoIterator<Item = Hash>) -> Chain {
        Chain { durable, recent: recent.into_iter().collect(), under_way: VecDeque::new() }
    }

    /// What the next block is made on.
    pub(crate) fn base(&self) -> Base {
        self.under_way.iter().fold(self.durable.clone(), |base, block| base.after(block))
    }

    /// Hashes of the blocks before the next one, the newest first.
    pub(crate) fn recent_hashes(&self) -> Vec<Hash> {
        let under_way = self.under_way.iter().rev().map(|block| block.hash);
        under_way.chain(self.recent.iter().copied()).take(limits::RECENT_BLOCKS as usize).collect()
    }

    /// A block was run.
    pub(crate) fn executed(&mut self, block: Arc<ExecutedBlock>) {
        self.under_way.push_back(block);
    }

    /// A block that was run.
    pub(crate) fn under_way(&self, height: Height) -> Option<&Arc<ExecutedBlock>> {
        self.under_way.iter().find(|block| block.header.height == height)
    }

    /// The oldest block under way is durable, and this is the state after it.
    pub(crate) fn persisted(&mut self, durable: Base) -> Option<Arc<ExecutedBlock>> {
        let block = self.under_way.pop_front()?;
        self.durable = durable;
        self.recent.push_front(block.hash);
        self.recent.truncate(limits::RECENT_BLOCKS as usize);
        Some(block)
    }
}
