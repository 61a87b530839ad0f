//! ECDSA over secp256k1 and SHA-256, low `s` only, for client transactions.

use secp256k1::{Message, PublicKey, SecretKey, ecdsa};
use sha2::{Digest, Sha256};

use super::{CryptoError, Signature};

fn message(bytes: &[u8]) -> Message {
    Message::from_digest(Sha256::digest(bytes).into())
}

pub(super) fn check_secret(secret: &[u8; 32]) -> Result<(), CryptoError> {
    SecretKey::from_secret_bytes(*secret).map(drop).map_err(|_| CryptoError::InvalidKey)
}

pub(super) fn check_public(key: &[u8; 33]) -> Result<(), CryptoError> {
    PublicKey::from_slice(key).map(drop).map_err(|_| CryptoError::InvalidKey)
}

fn secret_key(secret: &[u8; 32]) -> SecretKey {
    SecretKey::from_secret_bytes(*secret).expect("checked when the key was made")
}

pub(super) fn public_key(secret: &[u8; 32]) -> [u8; 33] {
    secret_key(secret).public_key().serialize()
}

pub(super) fn sign(secret: &[u8; 32], bytes: &[u8]) -> Signature {
    Signature(secret_key(secret).sign_ecdsa(message(bytes)).serialize_compact())
}

pub(super) fn verify(key: &[u8; 33], bytes: &[u8], signature: &Signature) -> Result<(), CryptoError> {
    let key = PublicKey::from_slice(key).map_err(|_| CryptoError::InvalidKey)?;
    // The library refuses a high `s`, so nobody can turn a signature into another one of the same transaction.
    let signature = ecdsa::Signature::from_compact(&signature.0).map_err(|_| CryptoError::InvalidSignature)?;
    signature.verify(message(bytes), &key).map_err(|_| CryptoError::InvalidSignature)
}
