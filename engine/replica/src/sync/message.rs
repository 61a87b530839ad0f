//! What nodes that catch up and those who help them say to each other.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::portable::{Anchor, Manifest};
use hanse_types::{Block, Canonical, Certificate, Hash, Height, limits};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SyncMessage {
    /// Asks for committed blocks. The answer may have fewer of them.
    GetBlocks {
        /// The height of the first.
        from: Height,
        /// How many.
        count: u32,
        /// Whether their outcomes are wanted with them.
        outcomes: bool,
    },
    /// Answers it.
    Blocks(Blocks),
    /// Asks which portable snapshots the peer has.
    GetOffers,
    /// Answers it.
    Offers(Vec<Offer>),
    /// Asks what a snapshot is.
    GetDescription {
        /// Which.
        id: Hash,
    },
    /// Answers it.
    Description(Box<Description>),
    /// Asks for a chunk of a snapshot.
    GetChunk {
        /// Of which.
        id: Hash,
        /// Its number, from 0.
        index: u32,
    },
    /// Answers it.
    Chunk {
        /// Of which snapshot it is.
        id: Hash,
        /// Its number.
        index: u32,
        /// Its bytes; none if the sender has not got it, or no longer.
        bytes: Vec<u8>,
    },
}

/// A portable snapshot that a peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Offer {
    /// The height after whose block the state is.
    pub height: Height,
    /// [`Manifest::id`].
    pub id: Hash,
}

/// What a portable snapshot is.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Description {
    /// What it consists of.
    pub manifest: Manifest,
    /// What shows that its block was decided.
    pub anchor: Anchor,
}

/// Committed blocks that follow one another, as many as one message takes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Blocks {
    /// The height that was asked for, and that the first of the blocks has.
    pub from: Height,
    /// Canonical bytes of a [`DecidedBlock`] each; none if the sender has not got the first one, or has forgotten its outcomes
    /// that were asked for.
    pub blocks: Vec<Vec<u8>>,
    /// Canonical bytes of the [`Outcomes`](hanse_types::Outcomes) of each of the first of these blocks, if they were asked for;
    /// those of the others are too long.
    pub outcomes: Vec<Vec<u8>>,
    /// The lowest block that the sender has.
    pub first: Height,
    /// The highest.
    pub tip: Height,
    /// The lowest block whose outcomes it has.
    pub outcomes_from: Height,
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
