//! What shows that a group agreed on a block.

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::block::Header;
use crate::crypto::{self, PublicKey, Signature};
use crate::encoding::Canonical;
use crate::genesis::ChainIdentity;
use crate::hash::Hash;
use crate::limits;
use crate::sign_bytes;
use crate::units::{Epoch, Height, Round};
use crate::validator_set::ValidatorSet;

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

/// Why a certificate does not show that a block was decided.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// It is for a block of another height.
    #[error("the certificate is for height {found}, the block has height {expected}")]
    WrongHeight {
        /// The certificate's height.
        found: Height,
        /// The block's height.
        expected: Height,
    },
    /// It is of another epoch.
    #[error("the certificate is of epoch {found}, the block of epoch {expected}")]
    WrongEpoch {
        /// The certificate's epoch.
        found: Epoch,
        /// The block's epoch.
        expected: Epoch,
    },
    /// It is for another block.
    #[error("the certificate is for block {found}, this is block {expected}")]
    WrongBlock {
        /// The certificate's block.
        found: Hash,
        /// The block.
        expected: Hash,
    },
    /// The block is not decided by this validator set.
    #[error("the block is decided by validator set {expected}, not by {found}")]
    WrongValidators {
        /// Hash of the given set.
        found: Hash,
        /// Hash that the block's header has.
        expected: Hash,
    },
    /// Fewer signatures than a quorum.
    #[error("the certificate has {found} signatures, a quorum is {quorum}")]
    NoQuorum {
        /// How many it has.
        found: usize,
        /// How many it needs.
        quorum: usize,
    },
    /// A validator's signature is out of order or there twice.
    #[error("the certificate's signature of validator {index} is out of order; indices strictly increase")]
    Order {
        /// The validator's index.
        index: u32,
    },
    /// There is no such validator.
    #[error("the certificate has a signature of validator {index}, but there are {count} validators")]
    NoSuchValidator {
        /// The index.
        index: u32,
        /// How many validators there are.
        count: usize,
    },
    /// A signature is not the validator's precommit for this block.
    #[error("the certificate's signature of validator {index} does not match its key and the precommit for the block")]
    BadSignature {
        /// The validator's index.
        index: u32,
    },
}

impl Certificate {
    /// Whether these validators decided the block with this header. Every signature must be good, not only a quorum
    /// of them, so that nobody can pass on a certificate with rubbish in it.
    ///
    /// # Errors
    /// The first thing that is wrong, cheapest checks first.
    pub fn verify(
        &self,
        chain: &ChainIdentity,
        validators: &ValidatorSet,
        header: &Header,
    ) -> Result<(), CertificateError> {
        Certificate::verify_all(chain, validators, &[(self, header)]).map_err(|(_, error)| error)
    }

    /// Whether these validators decided all of these blocks, like [`Certificate::verify`] of each; all signatures are
    /// verified as one batch.
    ///
    /// # Errors
    /// The place of the first block that they did not decide, with what is wrong.
    pub fn verify_all(
        chain: &ChainIdentity,
        validators: &ValidatorSet,
        blocks: &[(&Certificate, &Header)],
    ) -> Result<(), (usize, CertificateError)> {
        let mut signed = Vec::with_capacity(blocks.len());
        for (at, (certificate, header)) in blocks.iter().enumerate() {
            let checked =
                certificate.check_subject(validators, header).and_then(|()| certificate.check_signers(validators));
            checked.map_err(|error| (at, error))?;
            signed.push(certificate.sign_bytes(chain));
        }
        let mut votes = Vec::new();
        for ((at, (certificate, _)), bytes) in blocks.iter().enumerate().zip(&signed) {
            votes.extend(
                certificate.votes(validators).map(|(index, key, vote)| (at, index, key, bytes.as_slice(), vote)),
            );
        }
        if crypto::all_verify(votes.iter().map(|(_, _, key, bytes, signature)| (*key, *bytes, *signature))) {
            return Ok(());
        }
        // A batch says that one is bad, not which.
        let bad = votes.iter().find(|(_, _, key, bytes, signature)| key.verify(bytes, signature).is_err());
        match bad {
            Some((at, index, ..)) => Err((*at, CertificateError::BadSignature { index: *index })),
            None => Ok(()),
        }
    }

    /// Index, key and signature of everyone who signed. The signers must have been checked.
    fn votes<'a>(&'a self, validators: &'a ValidatorSet) -> impl Iterator<Item = (u32, &'a PublicKey, &'a Signature)> {
        let vote = |(index, signature): &'a (u32, Signature)| Some((*index, &validators.get(*index)?.key, signature));
        self.signatures.iter().filter_map(vote)
    }

    /// What each of its signatures covers.
    pub fn sign_bytes(&self, chain: &ChainIdentity) -> Vec<u8> {
        sign_bytes::precommit(chain, self.epoch, self.height, self.round, &self.block_hash)
    }

    fn check_subject(&self, validators: &ValidatorSet, header: &Header) -> Result<(), CertificateError> {
        if self.height != header.height {
            return Err(CertificateError::WrongHeight { found: self.height, expected: header.height });
        }
        if self.epoch != header.epoch {
            return Err(CertificateError::WrongEpoch { found: self.epoch, expected: header.epoch });
        }
        let set = validators.hash(header.crypto);
        if set != header.validators {
            return Err(CertificateError::WrongValidators { found: set, expected: header.validators });
        }
        let block = header.hash();
        if self.block_hash != block {
            return Err(CertificateError::WrongBlock { found: self.block_hash, expected: block });
        }
        Ok(())
    }

    fn check_signers(&self, validators: &ValidatorSet) -> Result<(), CertificateError> {
        let quorum = validators.quorum();
        if self.signatures.len() < quorum {
            return Err(CertificateError::NoQuorum { found: self.signatures.len(), quorum });
        }
        let mut at_least = 0;
        for (index, _) in &self.signatures {
            if *index < at_least {
                return Err(CertificateError::Order { index: *index });
            }
            if *index as usize >= validators.len() {
                return Err(no_such_validator(*index, validators));
            }
            at_least = *index + 1;
        }
        Ok(())
    }
}

fn no_such_validator(index: u32, validators: &ValidatorSet) -> CertificateError {
    CertificateError::NoSuchValidator { index, count: validators.len() }
}

#[cfg(test)]
mod tests;
