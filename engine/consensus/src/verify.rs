//! How the engine asks whether a signature is good.

use hanse_types::crypto::{PublicKey, Signature};

/// Whoever can tell good signatures from bad ones.
///
/// A trait, because a node may verify in batches beforehand and answer from memory, and because a simulation of millions
/// of votes uses a cheaper signature scheme. An implementation answers the same question always the same way, and never
/// says yes to a signature that the key's owner did not give over these bytes.
pub trait Verify {
    /// Whether the signature is this key's over these bytes.
    fn verify(&self, key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool;
}

/// The chain's own algorithms, one signature at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard;

impl Verify for Standard {
    fn verify(&self, key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
        key.verify(bytes, signature).is_ok()
    }
}
