//! A group's chain at one height as bytes that are the same at every honest member, whatever its database looks like:
//! what one needs who wants to go on from there without the blocks before.
//!
//! A portable snapshot is a list of [`Item`]s in a fixed order, cut into chunks of about [`CHUNK_BYTES`] at fixed places,
//! with a [`Manifest`] that names them by their digests. So two members that have one of the same height have the same
//! one, and its chunks may come from both. What differs between honest members, the certificates, is not in it.
//!
//! That a snapshot is the chain's is not said by its manifest: the header of its height is decided by validators, and
//! everything else follows from that header. Only the state of a group with the flat commitment does not, and
//! [`Manifest::transactions`].

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::block::{Block, Header};
use crate::encoding::Canonical;
use crate::genesis::{Genesis, Validator};
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::receipt::Receipt;
use crate::rw_set::RwSet;
use crate::units::{Epoch, Height};
use crate::validator_set::{ValidatorSet, ValidatorSetError};
use crate::value::Value;
use crate::vote::{Certificate, CertificateError};

/// A chunk that has reached this many bytes takes no further item.
pub const CHUNK_BYTES: usize = 1 << 20;

/// One thing in a portable snapshot. They come in this order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Item {
    /// A block: first those before the snapshot's height that may hold transactions which have not expired, or whose hashes
    /// can be referred to, in the order of the chain; then the snapshot's own.
    Block(Box<Block>),
    /// A receipt of the snapshot's own block, in its order.
    Receipt(Receipt),
    /// An access set of the snapshot's own block, in its order.
    RwSet(RwSet),
    /// An entry of the state after that block, in the order of the keys.
    State {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        value: Value,
    },
}

/// Items that travel together.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Chunk(pub Vec<Item>);

impl Canonical for Chunk {
    const NAME: &'static str = "chunk of a snapshot";
    // Less than a full one, and the longest item.
    const MAX_BYTES: usize = CHUNK_BYTES + limits::BLOCK_BYTES + 64;
}

/// The digest of a chunk's canonical bytes, as the manifest has it.
pub fn chunk_digest(bytes: &[u8]) -> Hash {
    Hash::of(Domain::PortableChunk, bytes)
}

/// What a portable snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Manifest {
    /// Format version, [`Manifest::VERSION`].
    pub version: u16,
    /// Hash of the genesis of the group.
    pub genesis: Hash,
    /// The height after whose block the state is.
    pub height: Height,
    /// That block's hash.
    pub block_hash: Hash,
    /// The height of the first block in it.
    pub first: Height,
    /// Transactions of all blocks up to this height. A figure for people: no header says it.
    pub transactions: u64,
    /// Digests of the chunks, in order.
    pub chunks: Vec<Hash>,
}

impl Manifest {
    /// The only format version so far.
    pub const VERSION: u16 = 1;
    /// Most chunks.
    pub const CHUNKS: usize = 1 << 18;

    /// By what a snapshot is known.
    pub fn id(&self) -> Hash {
        Hash::of(Domain::PortableManifest, &self.encode())
    }
}

impl Canonical for Manifest {
    const NAME: &'static str = "manifest of a snapshot";
    const MAX_BYTES: usize = 32 * Manifest::CHUNKS + 256;
}

/// A block of which it is shown that the validators before it decided it, and that names those who decide after it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NamedValidators {
    /// The block's header.
    pub header: Header,
    /// Shows that it was decided.
    pub certificate: Certificate,
    /// Those whom it names, in their order.
    pub validators: Vec<Validator>,
}

impl Canonical for NamedValidators {
    const NAME: &'static str = "handover";
    const MAX_BYTES: usize = limits::HEADER_BYTES + limits::CERTIFICATE_BYTES + limits::VALIDATORS * 256 + 256;
}

/// What shows that a snapshot's block was decided.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Anchor {
    /// The block's header.
    pub header: Header,
    /// Shows that its validators decided it.
    pub certificate: Certificate,
    /// How the office came from the founders to those who decide the next block, one after another.
    pub handovers: Vec<NamedValidators>,
}

impl Canonical for Anchor {
    const NAME: &'static str = "anchor of a snapshot";
    const MAX_BYTES: usize = 32 << 20;
}

/// Why a snapshot's block is not known to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnchorError {
    /// The manifest is none of this group, or not of that header.
    #[error("its manifest is of another format, group or block than the header")]
    Other,
    /// The founders are no validator set, or those named by a block are not.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A block was not decided.
    #[error("block {height} was not decided: {error}")]
    NotDecided {
        /// Its height.
        height: Height,
        /// What is wrong with its certificate.
        error: CertificateError,
    },
    /// A block does not name those who are said to decide after it.
    #[error("block {height} does not name the validators of epoch {epoch}")]
    NotNamed {
        /// Its height.
        height: Height,
        /// Theirs.
        epoch: Epoch,
    },
    /// It is not told who decides after the block.
    #[error("{found} handovers are told, and the next block is of epoch {epoch}")]
    Epochs {
        /// How many there are.
        found: usize,
        /// How many there must be.
        epoch: Epoch,
    },
}

impl Anchor {
    /// Whether the manifest's block was decided by validators who follow from the genesis. Gives those of every epoch.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, genesis: &Genesis, manifest: &Manifest) -> Result<Vec<ValidatorSet>, AnchorError> {
        let Anchor { header, certificate, handovers } = self;
        let is_of = (manifest.version, manifest.genesis) == (Manifest::VERSION, genesis.hash())
            && (manifest.height, manifest.block_hash) == (header.height, header.hash())
            && (header.crypto, &header.chain_id, &header.group_id)
                == (genesis.crypto, &genesis.chain_id, &genesis.group_id);
        let has_block = Height(0) < manifest.first && manifest.first <= manifest.height;
        if !is_of || !has_block {
            return Err(AnchorError::Other);
        }
        let changes = header.next_validators != header.validators;
        let epoch = Epoch(header.epoch.0.saturating_add(u64::from(changes)));
        if handovers.len() as u64 != epoch.0 {
            return Err(AnchorError::Epochs { found: handovers.len(), epoch });
        }
        let chain = genesis.identity();
        let mut sets = vec![ValidatorSet::from_genesis(genesis)?];
        let mut last = Height(0);
        for handover in handovers {
            let (next, deciding) = (handover.successors()?, &sets[sets.len() - 1]);
            let (height, epoch) = (handover.header.height, Epoch(sets.len() as u64));
            let is_next = handover.header.epoch.0 + 1 == epoch.0 && last < height && height <= header.height;
            let named = next.hash(genesis.crypto);
            let names = handover.header.next_validators == named && named != handover.header.validators;
            if !is_next || !names {
                return Err(AnchorError::NotNamed { height, epoch });
            }
            let decided = handover.certificate.verify(&chain, deciding, &handover.header);
            decided.map_err(|error| AnchorError::NotDecided { height, error })?;
            last = height;
            sets.push(next.succeeding(deciding));
        }
        // Of the epoch before the one that begins with the next block, or of that one.
        let deciding = &sets[header.epoch.0 as usize];
        let decided = certificate.verify(&chain, deciding, header);
        decided.map_err(|error| AnchorError::NotDecided { height: header.height, error })?;
        match sets[sets.len() - 1].hash(genesis.crypto) == header.next_validators {
            true => Ok(sets),
            false => Err(AnchorError::NotNamed { height: header.height, epoch }),
        }
    }
}

impl NamedValidators {
    /// Those whom it names, as a set.
    fn successors(&self) -> Result<ValidatorSet, ValidatorSetError> {
        ValidatorSet::new(self.validators.clone())
    }
}
