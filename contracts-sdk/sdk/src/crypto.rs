//! Hashes and signatures, computed by the host.

use crate::host;

/// A signature algorithm that the host can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Algorithm {
    /// ed25519 by ZIP-215: a key of 32 bytes, a signature of 64.
    Ed25519 = 0,
    /// ECDSA over secp256k1 and SHA-256: a compressed key of 33 bytes, a signature of 64 with low `s`.
    Secp256k1 = 1,
}

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    host::sha256(bytes)
}

/// Whether the signature over the message is the key's. A malformed key or signature is not an error, but `false`.
pub fn verify(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    host::verify(algorithm as u32, key, message, signature)
}

/// Hash of one of the last 256 blocks. Not a source of randomness: whoever proposes a block can choose among hashes.
pub fn block_hash(height: u64) -> Option<[u8; 32]> {
    host::block_hash(height)
}
