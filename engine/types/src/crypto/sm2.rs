//! SM2 signatures (GB/T 32918.2) over SM3, for client transactions of groups with the suite `guomi`.
//!
//! Every signer has the identifier that GM/T 0009 gives to whoever has none of their own.

use sm2::dsa::signature::{Signer, Verifier};
use sm2::dsa::{Signature as Sm2Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::sec1::ToSec1Point;

use super::{CryptoError, Signature};

/// The signer's identifier, which is hashed with the key before the bytes.
const IDENTIFIER: &str = "1234567812345678";

fn signing_key(secret: &[u8; 32]) -> Result<SigningKey, CryptoError> {
    SigningKey::from_slice(IDENTIFIER, secret).map_err(|_| CryptoError::InvalidKey)
}

fn checked(secret: &[u8; 32]) -> SigningKey {
    signing_key(secret).expect("checked when the key was made")
}

fn verifying_key(key: &[u8; 33]) -> Result<VerifyingKey, CryptoError> {
    // The library knows another way to write a point in as many bytes; a key has one.
    if !matches!(key[0], 2 | 3) {
        return Err(CryptoError::InvalidKey);
    }
    VerifyingKey::from_sec1_bytes(IDENTIFIER, key).map_err(|_| CryptoError::InvalidKey)
}

/// Whether it is a key. The library takes the order less one as well, for which no signature exists.
pub(super) fn check_secret(secret: &[u8; 32]) -> Result<(), CryptoError> {
    let signature: Result<Sm2Signature, _> = signing_key(secret)?.try_sign(&[]);
    signature.map(drop).map_err(|_| CryptoError::InvalidKey)
}

pub(super) fn check_public(key: &[u8; 33]) -> Result<(), CryptoError> {
    verifying_key(key).map(drop)
}

pub(super) fn public_key(secret: &[u8; 32]) -> [u8; 33] {
    let point = checked(secret).verifying_key().to_sec1_point(true);
    point.as_bytes().try_into().expect("a compressed point has 33 bytes")
}

/// Signs; the same bytes always in the same way, so that nothing depends on a source of randomness.
pub(super) fn sign(secret: &[u8; 32], bytes: &[u8]) -> Signature {
    let signature: Sm2Signature = checked(secret).try_sign(bytes).expect("a key that was checked signs everything");
    Signature(signature.to_bytes().into())
}

pub(super) fn verify(key: &[u8; 33], bytes: &[u8], signature: &Signature) -> Result<(), CryptoError> {
    let signature = Sm2Signature::from_slice(&signature.0).map_err(|_| CryptoError::InvalidSignature)?;
    verifying_key(key)?.verify(bytes, &signature).map_err(|_| CryptoError::InvalidSignature)
}
