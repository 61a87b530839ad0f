//! ed25519 by the rules of ZIP-215, under which single and batch verification agree on every input.

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey, VerificationKeyBytes, batch};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

use super::{CryptoError, Signature};

pub(super) use ed25519_zebra::SigningKey;

pub(super) fn public_key(key: &SigningKey) -> [u8; 32] {
    VerificationKeyBytes::from(key).into()
}

pub(super) fn check_public(key: &[u8; 32]) -> Result<(), CryptoError> {
    VerificationKey::try_from(*key).map(drop).map_err(|_| CryptoError::InvalidKey)
}

pub(super) fn verify(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> Result<(), CryptoError> {
    let key = VerificationKey::try_from(*key).map_err(|_| CryptoError::InvalidKey)?;
    key.verify(&ZebraSignature::from_bytes(&signature.0), bytes).map_err(|_| CryptoError::InvalidSignature)
}

/// Whether every signature of a batch is good. Costs about half of verifying them singly.
pub(super) fn verify_batch<'a>(items: impl Iterator<Item = (&'a [u8; 32], &'a [u8], &'a Signature)>) -> bool {
    let mut verifier = batch::Verifier::new();
    let mut transcript = Sha256::new();
    for (key, bytes, signature) in items {
        transcript.update(key);
        transcript.update(signature.0);
        transcript.update(Sha256::digest(bytes));
        verifier.queue((VerificationKeyBytes::from(*key), ZebraSignature::from_bytes(&signature.0), bytes));
    }
    verifier.verify(Coefficients::of(transcript)).is_ok()
}

/// The batch equation's coefficients, drawn from a hash over the whole batch.
///
/// They must not be known before the batch is fixed. Whoever changes a bit of it gets others, so an attacker could only
/// try batch after batch for coefficients under which bad signatures cancel out, about 2¹²⁸ times; and the answer does not
/// depend on a source of randomness.
struct Coefficients {
    seed: [u8; 32],
    counter: u64,
}

impl Coefficients {
    fn of(transcript: Sha256) -> Coefficients {
        Coefficients { seed: transcript.finalize().into(), counter: 0 }
    }
}

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(self.seed).chain_update(self.counter.to_le_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}
