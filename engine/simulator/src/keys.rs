//! Keys of the simulated validators: real ones, or a stand-in that costs next to nothing.
//!
//! The stand-in is a keyed hash whose secrets this module holds. It is as hard to forge for the simulated adversaries as
//! a real signature, since none of them looks here; a share of the runs uses the real algorithm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;
use hanse_consensus::Verify;
use hanse_types::crypto::{PublicKey, SecretKey, SignError, Signature, Signer};

/// Everybody's keys.
#[derive(Debug)]
pub(crate) enum Keyring {
    /// Keyed hashes.
    Hashes { count: u8 },
    /// ed25519.
    Real(RealKeys),
}

/// Real keys. What one node has verified the others need not: signatures that they find good or bad are remembered, for they
/// are most of what a run takes.
#[derive(Debug)]
pub(crate) struct RealKeys {
    keys: Vec<SecretKey>,
    verified: Mutex<HashMap<Claim, bool, FixedState>>,
}

/// A key, a signature, and a digest of what it is said to be over.
type Claim = (PublicKey, [u8; 64], [u8; 64]);

impl RealKeys {
    fn verify(&self, key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
        let claim = (*key, signature.0, keyed_hash(0, bytes).0);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        *verified.entry(claim).or_insert_with(|| key.verify(bytes, signature).is_ok())
    }
}

/// One node's key, and all others' to verify with.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) ring: Arc<Keyring>,
    pub(crate) owner: u8,
}

impl Keyring {
    pub(crate) fn new(count: u8, real: bool) -> Keyring {
        if real {
            let keys = (0..count).map(|owner| SecretKey::ed25519([owner + 1; 32])).collect();
            Keyring::Real(RealKeys { keys, verified: Mutex::default() })
        } else {
            Keyring::Hashes { count }
        }
    }

    fn has(&self, owner: u8) -> bool {
        match self {
            Keyring::Hashes { count } => owner < *count,
            Keyring::Real(keys) => usize::from(owner) < keys.keys.len(),
        }
    }

    pub(crate) fn public(&self, owner: u8) -> PublicKey {
        match self {
            Keyring::Hashes { .. } => PublicKey::Ed25519([owner + 1; 32]),
            Keyring::Real(real) => real.keys[usize::from(owner)].public_key(),
        }
    }
}

impl Keys {
    /// What a validator has signed in another group. Nobody gets a signature over this group's words here.
    ///
    /// Validators are taken by their index in the first set.
    pub(crate) fn others_elsewhere(&self, validator: u32, bytes: &[u8]) -> Result<Signature, SignError> {
        let owner = u8::try_from(validator).unwrap_or(self.owner);
        let owner = if self.ring.has(owner) { owner } else { self.owner };
        Keys { ring: self.ring.clone(), owner }.sign(bytes)
    }
}

/// A hash of 128 bits, keyed by the owner: two lanes of multiplications, each stirred at the end. Good enough where
/// nobody looks for collisions, and a tenth of the price of a real one.
fn keyed_hash(owner: u8, bytes: &[u8]) -> Signature {
    let (mut one, mut other) = (0x9e37_79b9_7f4a_7c15 ^ u64::from(owner), bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        one = (one ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(29);
        other = (other.rotate_left(23) ^ word ^ one).wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    let mut signature = [0; 64];
    signature[..8].copy_from_slice(&stirred(one ^ other.rotate_left(17)).to_le_bytes());
    signature[8..16].copy_from_slice(&stirred(other ^ one.rotate_left(41)).to_le_bytes());
    Signature(signature)
}

fn stirred(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Verify for Keys {
    fn verify(&self, key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
        match (&*self.ring, key) {
            (Keyring::Hashes { count }, PublicKey::Ed25519([id, ..])) => {
                (1..=*count).contains(id) && keyed_hash(id - 1, bytes) == *signature
            }
            (Keyring::Hashes { .. }, _) => false,
            (Keyring::Real(real), key) => real.verify(key, bytes, signature),
        }
    }
}

impl Signer for Keys {
    fn public_key(&self) -> PublicKey {
        self.ring.public(self.owner)
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError> {
        match &*self.ring {
            Keyring::Hashes { .. } => Ok(keyed_hash(self.owner, bytes)),
            Keyring::Real(real) => real.keys[usize::from(self.owner)].sign(bytes),
        }
    }
}
