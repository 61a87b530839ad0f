//! What shows that a group agreed on a block.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::crypto::Signature;
use crate::encoding::Canonical;
use crate::hash::Hash;
use crate::limits;
use crate::units::{Epoch, Height, Round};

/// Signatures of validators over the sign-bytes of the precommit for one block.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// The block's height.
    pub height: Height,
    /// The round in which it was decided.
    pub round: Round,
    /// The validator set that decided.
    pub epoch: Epoch,
    /// The block.
    pub block_hash: Hash,
    /// Validator index (strictly increasing) and signature.
    pub signatures: Vec<(u32, Signature)>,
}

impl Canonical for Certificate {
    const NAME: &'static str = "commit certificate";
    const MAX_BYTES: usize = limits::CERTIFICATE_BYTES;
}
