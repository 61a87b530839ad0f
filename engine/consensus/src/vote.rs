//! Votes, unsigned and signed.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::crypto::{SignError, Signature, Signer};
use hanse_types::{Canonical, Certificate, ChainIdentity, Epoch, Hash, Height, Round, sign_bytes};
use thiserror::Error;

use crate::durable::{Disk, Durable, VoteLog, VoteLogError};

/// A validator's word that it decides for a block. On its own it can't be signed: see [`Durable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Precommit {
    /// Version of the validator set.
    pub epoch: Epoch,
    /// The block's height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The block.
    pub block_hash: Hash,
}

impl Canonical for Precommit {
    const NAME: &'static str = "precommit";
    const MAX_BYTES: usize = 64;
}

impl Precommit {
    /// What everyone who signed a certificate says.
    pub(crate) fn of(certificate: &Certificate) -> Precommit {
        let Certificate { height, round, epoch, block_hash, .. } = *certificate;
        Precommit { epoch, height, round, block_hash }
    }

    /// Where it stands among all votes of a validator: for one position there is one vote.
    pub(crate) fn position(&self) -> (Height, Round) {
        (self.height, self.round)
    }
}

impl Durable<Precommit> {
    /// What the validator signs.
    pub fn sign_bytes(&self, chain: &ChainIdentity) -> Vec<u8> {
        let Precommit { epoch, height, round, block_hash } = *self.get();
        sign_bytes::precommit(chain, epoch, height, round, &block_hash)
    }
}

/// A durable vote with its signature: fit to leave the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPrecommit {
    vote: Durable<Precommit>,
    signature: Signature,
}

impl SignedPrecommit {
    /// Joins a vote and the signature over its [sign-bytes](Durable::sign_bytes).
    pub fn new(vote: Durable<Precommit>, signature: Signature) -> SignedPrecommit {
        SignedPrecommit { vote, signature }
    }

    /// The vote.
    pub fn vote(&self) -> &Precommit {
        self.vote.get()
    }

    /// The signature.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// The vote, still as something that is on disk.
    pub(crate) fn durable(&self) -> Durable<Precommit> {
        self.vote
    }
}

/// Why a vote was not signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignVoteError {
    /// It could not be made durable.
    #[error(transparent)]
    Log(#[from] VoteLogError),
    /// The signer refused.
    #[error(transparent)]
    Signer(#[from] SignError),
}

impl<D: Disk> VoteLog<D> {
    /// Makes a vote durable, then has it signed: all that an [`Output::Sign`](crate::Output::Sign) asks for.
    ///
    /// # Errors
    /// If the vote contradicts an earlier one, can't be written, or is not signed.
    pub fn sign(
        &mut self,
        vote: Precommit,
        chain: &ChainIdentity,
        signer: &dyn Signer,
    ) -> Result<SignedPrecommit, SignVoteError> {
        let vote = self.write(vote)?;
        let signature = signer.sign(&vote.sign_bytes(chain))?;
        Ok(SignedPrecommit::new(vote, signature))
    }
}
