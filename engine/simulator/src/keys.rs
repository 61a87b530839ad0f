//! Keys of the simulated validators: real ones, or a stand-in that costs one hash.
//!
//! The stand-in is a keyed hash whose secrets this module holds. It is as hard to forge for the simulated adversaries as
//! a real signature, since none of them looks here; a share of the runs uses the real algorithm.

use std::sync::Arc;

use hanse_consensus::Verify;
use hanse_types::Hash;
use hanse_types::crypto::{PublicKey, SecretKey, SignError, Signature, Signer};
use hanse_types::hash::Domain;

/// Everybody's keys.
#[derive(Debug)]
pub(crate) enum Keyring {
    /// Keyed hashes.
    Hashes { count: u8 },
    /// ed25519.
    Real(Vec<SecretKey>),
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
            Keyring::Real((0..count).map(|owner| SecretKey::ed25519([owner + 1; 32])).collect())
        } else {
            Keyring::Hashes { count }
        }
    }

    fn has(&self, owner: u8) -> bool {
        match self {
            Keyring::Hashes { count } => owner < *count,
            Keyring::Real(keys) => usize::from(owner) < keys.len(),
        }
    }

    pub(crate) fn public(&self, owner: u8) -> PublicKey {
        match self {
            Keyring::Hashes { .. } => PublicKey::Ed25519([owner + 1; 32]),
            Keyring::Real(keys) => keys[usize::from(owner)].public_key(),
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

fn keyed_hash(owner: u8, bytes: &[u8]) -> Signature {
    // No domain of the chain's own hashes: a byte in front that is none.
    let Hash(digest) = Hash::of_parts(Domain::GuardRecord, &[b"stand-in", &[owner], bytes]);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&digest);
    Signature(signature)
}

impl Verify for Keys {
    fn verify(&self, key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
        match (&*self.ring, key) {
            (Keyring::Hashes { count }, PublicKey::Ed25519([id, ..])) => {
                (1..=*count).contains(id) && keyed_hash(id - 1, bytes) == *signature
            }
            (Keyring::Hashes { .. }, _) => false,
            (Keyring::Real(_), key) => key.verify(bytes, signature).is_ok(),
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
            Keyring::Real(keys) => keys[usize::from(self.owner)].sign(bytes),
        }
    }
}
