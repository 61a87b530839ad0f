//! Digests, and the tags that keep hashes of different things apart. [`many`] makes many at a time.

pub mod many;

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::digest::consts::U32;
use sha2::{Digest, Sha256};

/// A 32-byte digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Hash(pub [u8; 32]);

/// What is being hashed. Each domain has its own tag, so that bytes of one kind never pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Domain {
    /// A leaf of a Merkle tree.
    MerkleLeaf = 0,
    /// An inner node of a Merkle tree.
    MerkleNode = 1,
    /// A signed transaction body; the digest is the transaction id.
    Transaction = 2,
    /// A block header; the digest is the block hash.
    Header = 3,
    /// The block DAG.
    Dag = 4,
    /// A receipt.
    Receipt = 5,
    /// An access set.
    RwSet = 6,
    /// A validator set.
    ValidatorSet = 7,
    /// A genesis.
    Genesis = 8,
    /// A public key, of which an address is made.
    PublicKey = 9,
    /// A contract's deployer and name, of which its address is made.
    Contract = 10,
    /// A contract's code.
    Code = 11,
    /// A leaf of the state commitment.
    StateLeaf = 12,
    /// An inner node of the state commitment.
    StateNode = 13,
    /// A transaction with key and signature, as a leaf of the block's transaction tree.
    SignedTransaction = 14,
    /// A frame of a validator's journal.
    JournalFrame = 15,
    /// A validator's record of the newest statement that it may have signed.
    GuardRecord = 16,
    /// What a validator of a group with consensus `raft` must not forget.
    RaftRecord = 17,
    /// A part of a portable snapshot.
    PortableChunk = 18,
    /// What a portable snapshot consists of.
    PortableManifest = 19,
}

impl Hash {
    /// The digest of nothing in particular: parent of the genesis, root of an empty tree.
    pub const ZERO: Hash = Hash([0; 32]);

    /// SHA-256 over the domain's tag and the bytes: for what a node keeps for itself. What the members of a group agree on is
    /// hashed by its suite ([`CryptoSuite::hash`](crate::crypto::CryptoSuite::hash)).
    pub fn of(domain: Domain, bytes: &[u8]) -> Hash {
        Hash::of_parts(domain, &[bytes])
    }

    /// SHA-256 over the domain's tag and the parts, one after another (the caller sees to it that they can't run into
    /// one another).
    pub fn of_parts(domain: Domain, parts: &[&[u8]]) -> Hash {
        Hash::by::<Sha256>(domain, parts)
    }

    pub(crate) fn by<D: Digest<OutputSize = U32>>(domain: Domain, parts: &[&[u8]]) -> Hash {
        let mut hasher = D::new();
        hasher.update([domain as u8]);
        for part in parts {
            hasher.update(part);
        }
        Hash(hasher.finalize().into())
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32, true>::new().format(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no hash. Transactions' ids and blocks' hashes are written so, and people type them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It is too short or too long.
    #[error("a hash, such as a transaction's id, is 0x and 64 hexadecimal digits; this has {found}")]
    Length {
        /// How many characters it has after the `0x`.
        found: usize,
    },
    /// It has a character that is no digit.
    #[error("a hash, such as a transaction's id, is 0x and 64 hexadecimal digits; {character:?} is none")]
    Digit {
        /// The first such character.
        character: char,
    },
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if let Some(character) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
            return Err(HashError::Digit { character });
        }
        // Only digits are left, so nothing but their number can be wrong.
        const_hex::decode_to_array(digits).map(Hash).map_err(|_| HashError::Length { found: digits.len() })
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Hash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A digest, 32 bytes: SHA-256, or what the group's crypto suite says.",
            "pattern": "^0x[0-9a-fA-F]{64}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_hash_is_told_what_one_looks_like() {
        let hash = Hash([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("12".repeat(32).parse(), Ok(Hash([0x12; 32])), "the 0x may be left out");
        for (text, error) in [
            ("", HashError::Length { found: 0 }),
            ("0x12", HashError::Length { found: 2 }),
            ("0x123", HashError::Length { found: 3 }),
            ("latest", HashError::Digit { character: 'l' }),
            ("0x0x12", HashError::Digit { character: 'x' }),
            ("0xä1", HashError::Digit { character: 'ä' }),
        ] {
            let found = text.parse::<Hash>();
            assert_eq!(found, Err(error), "{text}");
            assert!(error.to_string().contains("0x and 64 hexadecimal digits"));
        }
    }
}
