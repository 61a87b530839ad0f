//! What a group hashes and signs with, as its genesis says.
//!
//! Everything that a group's members agree on is hashed by its suite: transactions, receipts, access sets, DAGs, headers, trees
//! and the state. What a node keeps for itself, such as checksums of its files, is not ([`Hash::of`]).
//!
//! | | hash | clients sign | validators vote |
//! |---|---|---|---|
//! | `standard` | SHA-256 | ed25519 (ZIP-215), secp256k1 | ed25519 |
//! | `guomi` | SM3 (GB/T 32905) | SM2 (GB/T 32918.2) | ed25519 |
//!
//! A validator votes with the key that its node has in the network, and libp2p knows none of SM2.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sm3::Sm3;

use super::{CryptoError, PublicKey, SecretKey};
use crate::hash::{Domain, Hash};

/// See the module. Its canonical byte is its number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CryptoSuite {
    /// SHA-256, and ed25519; secp256k1 for client transactions too.
    Standard,
    /// The Chinese national standards: SM3, and SM2 for client transactions.
    Guomi,
}

impl CryptoSuite {
    /// All of them.
    pub const ALL: [CryptoSuite; 2] = [CryptoSuite::Standard, CryptoSuite::Guomi];

    /// The digest of the domain's tag and the bytes.
    pub fn hash(self, domain: Domain, bytes: &[u8]) -> Hash {
        self.hash_parts(domain, &[bytes])
    }

    /// The digest of the domain's tag and the parts, one after another (the caller sees to it that they can't run into one
    /// another).
    pub fn hash_parts(self, domain: Domain, parts: &[&[u8]]) -> Hash {
        match self {
            CryptoSuite::Standard => Hash::by::<Sha256>(domain, parts),
            CryptoSuite::Guomi => Hash::by::<Sm3>(domain, parts),
        }
    }

    /// The key that clients of this suite usually have, of 32 random bytes.
    ///
    /// # Errors
    /// As [`SecretKey::sm2`]: for next to no bytes.
    pub fn client_key(self, seed: [u8; 32]) -> Result<SecretKey, CryptoError> {
        match self {
            CryptoSuite::Standard => Ok(SecretKey::ed25519(seed)),
            CryptoSuite::Guomi => SecretKey::sm2(seed),
        }
    }

    /// Whether a validator may use this key.
    pub fn allows_validator(self, key: &PublicKey) -> bool {
        match self {
            CryptoSuite::Standard | CryptoSuite::Guomi => matches!(key, PublicKey::Ed25519(_)),
        }
    }

    /// Whether a client may use this key.
    pub fn allows_client(self, key: &PublicKey) -> bool {
        key.suite() == self
    }
}

impl std::fmt::Display for CryptoSuite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CryptoSuite::Standard => "standard",
            CryptoSuite::Guomi => "guomi",
        })
    }
}
