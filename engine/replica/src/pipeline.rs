//! The blocks under way: at most one that is decided and being written, and one that is being made on top of it.

use std::collections::VecDeque;

use hanse_txpool::CommittedBlock;
use hanse_types::{Hash, Header, Height, Timestamp, TxId, Verified};

/// Most blocks under way.
const DEPTH: usize = 2;

/// A block under way.
#[derive(Debug)]
pub(crate) struct InWork {
    height: Height,
    timestamp: Timestamp,
    transactions: Vec<(TxId, Timestamp)>,
    /// Its hash, once it is executed.
    hash: Option<Hash>,
    decided: bool,
}

impl InWork {
    pub(crate) fn new(height: Height, timestamp: Timestamp, batch: &[Verified]) -> InWork {
        let transactions = batch.iter().map(|tx| (tx.id(), tx.transaction().expiration)).collect();
        InWork { height, timestamp, transactions, hash: None, decided: false }
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    fn into_ids(self) -> impl Iterator<Item = TxId> {
        self.transactions.into_iter().map(|(id, _)| id)
    }
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    blocks: VecDeque<InWork>,
}

impl Pipeline {
    pub(crate) fn is_full(&self) -> bool {
        self.blocks.len() >= DEPTH
    }

    /// Whether a batch is being executed or voted on.
    pub(crate) fn is_making(&self) -> bool {
        self.blocks.back().is_some_and(|block| !block.decided)
    }

    /// The height of the block that holds a transaction.
    pub(crate) fn height_of(&self, id: &TxId) -> Option<Height> {
        let holds = |block: &&InWork| block.transactions.iter().any(|(other, _)| other == id);
        self.blocks.iter().find(holds).map(|block| block.height)
    }

    pub(crate) fn newest(&self) -> Option<&InWork> {
        self.blocks.back()
    }

    pub(crate) fn push(&mut self, block: InWork) {
        self.blocks.push_back(block);
    }

    /// The block of this height, if it is being executed.
    pub(crate) fn in_execution(&self, height: Height) -> Option<&InWork> {
        self.blocks.back().filter(|block| block.height == height && block.hash.is_none())
    }

    /// Notes that the newest block has been executed.
    pub(crate) fn executed(&mut self, header: &Header) {
        if let Some(block) = self.blocks.back_mut() {
            block.hash = Some(header.hash());
        }
    }

    /// Notes that a block is decided; it is the newest one.
    pub(crate) fn decided(&mut self, height: Height) {
        if let Some(block) = self.blocks.back_mut().filter(|block| block.height == height) {
            block.decided = true;
        }
    }

    /// Takes out the oldest block, if it has this height and is decided: it is durable.
    pub(crate) fn persisted(&mut self, height: Height) -> Option<CommittedBlock> {
        let InWork { hash, decided, .. } = *self.blocks.front().filter(|block| block.height == height)?;
        let (true, Some(hash)) = (decided, hash) else { return None };
        let InWork { timestamp, transactions, .. } = self.blocks.pop_front()?;
        Some(CommittedBlock { height, hash, timestamp, transactions })
    }

    /// Takes out the transactions of all blocks from this height on: they failed.
    pub(crate) fn fail_from(&mut self, height: Height) -> Vec<TxId> {
        let failed = self.blocks.partition_point(|block| block.height < height);
        self.blocks.split_off(failed).into_iter().flat_map(InWork::into_ids).collect()
    }

    /// Takes out the transactions of the block that is not decided.
    pub(crate) fn fail_undecided(&mut self) -> Vec<TxId> {
        let failed = self.blocks.partition_point(|block| block.decided);
        self.blocks.split_off(failed).into_iter().flat_map(InWork::into_ids).collect()
    }
}
