//! ed25519 by the rules of ZIP-215, under which single and batch verification agree on every input.
//!
//! Keys, signing and single verification are `ed25519-zebra`'s; [`batch`] puts many signatures into one equation.

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey, VerificationKeyBytes};

use super::{CryptoError, Signature};

pub(super) use batch::{Item, Points, verify_each};
pub(super) use ed25519_zebra::SigningKey;

mod batch;

pub(super) fn public_key(key: &SigningKey) -> [u8; 32] {
    VerificationKeyBytes::from(key).into()
}

pub(super) fn check_public(key: &[u8; 32]) -> Result<(), CryptoError> {
    VerificationKey::try_from(*key).map(drop).map_err(|_| CryptoError::InvalidKey)
}

pub(super) fn verify(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> Result<(), CryptoError> {
    let key = VerificationKey::try_from(*key).map_err(|_| CryptoError::InvalidKey)?;
    key.verify(&ZebraSignature::from_bytes(&signature.0), bytes).map_err(|_| CryptoError::InvalidSignature)
}
