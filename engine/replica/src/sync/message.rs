//! What nodes that catch up and those who help them say to each other.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{Block, Canonical, Certificate, Height, limits};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SyncMessage {
    /// Asks for committed blocks. The answer may have fewer of them.
    GetBlocks {
        /// The height of the first.
        from: Height,
        /// How many.
        count: u32,
    },
    /// Answers it.
    Blocks(Blocks),
}

/// Committed blocks that follow one another, as many as one message takes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Blocks {
    /// The height that was asked for, and that the first of the blocks has.
    pub from: Height,
    /// Canonical bytes of a [`DecidedBlock`] each; none if the sender has not got the first one.
    pub blocks: Vec<Vec<u8>>,
    /// The lowest block that the sender has.
    pub first: Height,
    /// The highest.
    pub tip: Height,
}

/// A block with what shows that it was decided.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DecidedBlock {
    /// Shows that it was decided.
    pub certificate: Certificate,
    /// The block.
    pub block: Block,
}

impl Canonical for DecidedBlock {
    const NAME: &'static str = "decided block";
    const MAX_BYTES: usize = limits::BLOCK_BYTES + limits::CERTIFICATE_BYTES;
}
