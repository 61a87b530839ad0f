//! Keys and signatures; the only place that names an algorithm.
//!
//! Everything outside asks a [`PublicKey`] whether a signature is good, and a [`Signer`] for one. A chain's genesis
//! names its [`CryptoSuite`]: which algorithms nodes and clients may use.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_abi::Address;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::{Domain, Hash};

mod ed25519;
pub mod key_file;
mod secp256k1;
mod sm2;
mod suite;
pub mod verified;

pub use suite::CryptoSuite;
pub use verified::{Verified, VerifyError};

/// A public key with its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum PublicKey {
    /// ed25519 by ZIP-215: single and batch verification agree on every input.
    Ed25519([u8; 32]),
    /// secp256k1, compressed; for client transactions.
    Secp256k1([u8; 33]),
    /// SM2, compressed; for client transactions of groups with the suite `guomi`.
    Sm2([u8; 33]),
}

/// A signature; its algorithm is the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PublicKey::Ed25519(bytes) => write!(f, "ed25519:{}", const_hex::encode(bytes)),
            PublicKey::Secp256k1(bytes) => write!(f, "secp256k1:{}", const_hex::encode(bytes)),
            PublicKey::Sm2(bytes) => write!(f, "sm2:{}", const_hex::encode(bytes)),
        }
    }
}

/// Why a text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is written as ed25519:<64 hexadecimal digits>, secp256k1:<66 hexadecimal digits> or sm2:<66>")]
pub struct PublicKeyError;

impl std::str::FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let (algorithm, digits) = text.split_once(':').ok_or(PublicKeyError)?;
        match algorithm {
            "ed25519" => const_hex::decode_to_array(digits).map(PublicKey::Ed25519).map_err(|_| PublicKeyError),
            "secp256k1" => const_hex::decode_to_array(digits).map(PublicKey::Secp256k1).map_err(|_| PublicKeyError),
            "sm2" => const_hex::decode_to_array(digits).map(PublicKey::Sm2).map_err(|_| PublicKeyError),
            _ => Err(PublicKeyError),
        }
    }
}

/// Why a key or a signature is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CryptoError {
    /// The bytes are not a key of their algorithm.
    #[error("the bytes are not a valid key of their algorithm")]
    InvalidKey,
    /// The signature is not the key's over these bytes.
    #[error("the signature does not match the key and the signed bytes")]
    InvalidSignature,
}

impl PublicKey {
    /// The suite of the groups in which clients use such keys.
    pub fn suite(&self) -> CryptoSuite {
        match self {
            PublicKey::Ed25519(_) | PublicKey::Secp256k1(_) => CryptoSuite::Standard,
            PublicKey::Sm2(_) => CryptoSuite::Guomi,
        }
    }

    /// The address of the account that this key controls.
    pub fn address(&self) -> Address {
        let encoded = borsh::to_vec(self).expect("a key encodes into memory");
        address_of(self.suite().hash(Domain::PublicKey, &encoded))
    }

    /// [`PublicKey::address`] of each that clients of this suite may use; of others something else.
    pub(crate) fn addresses<'a>(suite: CryptoSuite, keys: impl Iterator<Item = &'a PublicKey>) -> Vec<Address> {
        let encoded: Vec<_> = keys.map(|key| borsh::to_vec(key).expect("a key encodes into memory")).collect();
        let digests = suite.hash_each(Domain::PublicKey, &[], encoded.iter().map(|key| &key[..]));
        digests.into_iter().map(address_of).collect()
    }

    /// Whether it is a key of its algorithm at all, so that signatures can match it.
    ///
    /// # Errors
    /// If the bytes are no point of the algorithm's curve.
    pub fn check(&self) -> Result<(), CryptoError> {
        match self {
            PublicKey::Ed25519(key) => ed25519::check_public(key),
            PublicKey::Secp256k1(key) => secp256k1::check_public(key),
            PublicKey::Sm2(key) => sm2::check_public(key),
        }
    }

    /// Whether the signature is this key's over these bytes.
    ///
    /// # Errors
    /// If the key is no point of its curve, or the signature is another's, of other bytes, or not canonical.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        match self {
            PublicKey::Ed25519(key) => ed25519::verify(key, bytes, signature),
            PublicKey::Secp256k1(key) => secp256k1::verify(key, bytes, signature),
            PublicKey::Sm2(key) => sm2::verify(key, bytes, signature),
        }
    }
}

/// The address of a key with this digest.
fn address_of(Hash(digest): Hash) -> Address {
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}

/// Whether every one of these signatures is its key's over its bytes; those of ed25519 are verified as one batch.
pub(crate) fn all_verify<'a>(items: impl Iterator<Item = (&'a PublicKey, &'a [u8], &'a Signature)>) -> bool {
    let mut batch = Vec::new();
    for (key, bytes, signature) in items {
        match key {
            PublicKey::Ed25519(key) => batch.push(ed25519::Item { key, bytes, signature }),
            PublicKey::Secp256k1(_) | PublicKey::Sm2(_) if key.verify(bytes, signature).is_ok() => {}
            PublicKey::Secp256k1(_) | PublicKey::Sm2(_) => return false,
        }
    }
    ed25519::verify_each(&batch, &ed25519::Points::default()).into_iter().all(|good| good)
}

/// Whoever can sign: a key in memory, or a device that never gives its key away.
pub trait Signer: Send + Sync {
    /// The key that its signatures verify under.
    fn public_key(&self) -> PublicKey;

    /// Signs sign-bytes.
    ///
    /// # Errors
    /// If the device refuses or can't be reached.
    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError>;
}

/// Why a signer did not sign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the signer did not sign: {reason}")]
pub struct SignError {
    /// What it said.
    pub reason: String,
}

/// A secret key in memory; wiped when dropped, never printed.
pub enum SecretKey {
    /// For validators, nodes and clients.
    Ed25519(Box<ed25519::SigningKey>),
    /// For clients.
    Secp256k1(Zeroizing<[u8; 32]>),
    /// For clients of groups with the suite `guomi`.
    Sm2(Zeroizing<[u8; 32]>),
}

impl SecretKey {
    /// An ed25519 key of 32 random bytes.
    pub fn ed25519(seed: [u8; 32]) -> SecretKey {
        SecretKey::Ed25519(Box::new(ed25519::SigningKey::from(seed)))
    }

    /// A secp256k1 key of 32 random bytes.
    ///
    /// # Errors
    /// If they are zero or not below the curve's order: one chance in 2¹²⁸, or a broken source of randomness.
    pub fn secp256k1(seed: [u8; 32]) -> Result<SecretKey, CryptoError> {
        secp256k1::check_secret(&seed)?;
        Ok(SecretKey::Secp256k1(Zeroizing::new(seed)))
    }

    /// An SM2 key of 32 random bytes.
    ///
    /// # Errors
    /// If they are zero or not below the curve's order less one: one chance in 2³², or a broken source of randomness.
    pub fn sm2(seed: [u8; 32]) -> Result<SecretKey, CryptoError> {
        sm2::check_secret(&seed)?;
        Ok(SecretKey::Sm2(Zeroizing::new(seed)))
    }
}

impl Signer for SecretKey {
    fn public_key(&self) -> PublicKey {
        match self {
            SecretKey::Ed25519(key) => PublicKey::Ed25519(ed25519::public_key(key)),
            SecretKey::Secp256k1(key) => PublicKey::Secp256k1(secp256k1::public_key(key)),
            SecretKey::Sm2(key) => PublicKey::Sm2(sm2::public_key(key)),
        }
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError> {
        Ok(match self {
            SecretKey::Ed25519(key) => Signature(key.sign(bytes).to_bytes()),
            SecretKey::Secp256k1(key) => secp256k1::sign(key, bytes),
            SecretKey::Sm2(key) => sm2::sign(key, bytes),
        })
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys() -> [SecretKey; 3] {
        [SecretKey::ed25519([7; 32]), SecretKey::secp256k1([8; 32]).unwrap(), SecretKey::sm2([9; 32]).unwrap()]
    }

    #[test]
    fn a_signature_is_good_for_its_key_and_bytes_alone() {
        for key in keys() {
            let signature = key.sign(b"bytes").unwrap();
            let public = key.public_key();
            assert_eq!(public.verify(b"bytes", &signature), Ok(()));
            assert_eq!(public.verify(b"other", &signature), Err(CryptoError::InvalidSignature));
            let mut other = signature;
            other.0[40] ^= 1;
            assert!(public.verify(b"bytes", &other).is_err());
            assert_eq!(public.to_string().parse(), Ok(public));
        }
        assert!(SecretKey::secp256k1([0; 32]).is_err());
        assert!(SecretKey::secp256k1([0xff; 32]).is_err());
        assert!(SecretKey::sm2([0; 32]).is_err());
        assert!(SecretKey::sm2([0xff; 32]).is_err());
    }

    #[test]
    fn sm2_has_one_way_to_write_a_key_and_none_that_can_not_sign() {
        let key = keys()[2].public_key();
        let PublicKey::Sm2(bytes) = key else { panic!("{key}") };
        for tag in 0..=u8::MAX {
            let mut other = bytes;
            other[0] = tag;
            assert_eq!(PublicKey::Sm2(other).check().is_ok(), matches!(tag, 2 | 3), "{tag}");
        }
        // The order of the group, and the numbers before it.
        let order = const_hex::decode("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123").unwrap();
        for (less, is_key) in [(0, false), (1, false), (2, true)] {
            let mut secret: [u8; 32] = order[..].try_into().unwrap();
            secret[31] -= less;
            assert_eq!(SecretKey::sm2(secret).is_ok(), is_key, "{less} below the order");
        }
    }

    #[test]
    fn each_suite_has_keys_of_its_own() {
        let allowed = |suite: CryptoSuite| keys().map(|key| suite.allows_client(&key.public_key()));
        assert_eq!(allowed(CryptoSuite::Standard), [true, true, false]);
        assert_eq!(allowed(CryptoSuite::Guomi), [false, false, true]);
        for suite in CryptoSuite::ALL {
            let publics: Vec<_> =
                keys().map(|key| key.public_key()).into_iter().filter(|key| suite.allows_client(key)).collect();
            let addresses: Vec<_> = publics.iter().map(PublicKey::address).collect();
            assert_eq!(PublicKey::addresses(suite, publics.iter()), addresses);
            assert_eq!(keys().map(|key| suite.allows_validator(&key.public_key())), [true, false, false]);
        }
    }

    #[test]
    fn a_secp256k1_signature_with_high_s_is_refused() {
        let key = SecretKey::secp256k1([8; 32]).unwrap();
        let signature = key.sign(b"bytes").unwrap();
        let order = const_hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
        let mut high = signature;
        let mut borrow = 0i32;
        for at in (0..32).rev() {
            let digit = i32::from(order[at]) - i32::from(signature.0[32 + at]) - borrow;
            borrow = i32::from(digit < 0);
            high.0[32 + at] = digit.rem_euclid(256) as u8;
        }
        assert_eq!(key.public_key().verify(b"bytes", &high), Err(CryptoError::InvalidSignature));
    }

    #[test]
    fn secrets_are_not_printed() {
        for key in keys() {
            let printed = format!("{key:?}");
            assert!(!printed.contains("0707") && !printed.contains("0808") && !printed.contains("0909"), "{printed}");
        }
    }
}
