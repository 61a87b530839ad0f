//! Keys and signatures; the only place that names an algorithm.

use borsh::{BorshDeserialize, BorshSerialize};

pub mod verified;

/// A public key with its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum PublicKey {
    /// ed25519 by ZIP-215: single and batch verification agree on every input.
    Ed25519([u8; 32]),
    /// secp256k1, compressed; for client transactions.
    Secp256k1([u8; 33]),
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
        }
    }
}

/// Why a text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is written as ed25519:<64 hexadecimal digits> or secp256k1:<66 hexadecimal digits>")]
pub struct PublicKeyError;

impl std::str::FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let (algorithm, digits) = text.split_once(':').ok_or(PublicKeyError)?;
        match algorithm {
            "ed25519" => const_hex::decode_to_array(digits).map(PublicKey::Ed25519).map_err(|_| PublicKeyError),
            "secp256k1" => const_hex::decode_to_array(digits).map(PublicKey::Secp256k1).map_err(|_| PublicKeyError),
            _ => Err(PublicKeyError),
        }
    }
}
