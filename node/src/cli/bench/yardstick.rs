//! What the machine does at most: batch signature verification alone, on the cores that node and load share.
//!
//! Twice: by `ed25519-zebra`'s batch verifier as it comes (or `sm2`'s, one by one, where the group has the suite guomi), the bare
//! signatures and nothing else, which is the yardstick;
//! and by the verifier of a node, which does more (decoding what is signed, addresses, identities) and does it in another
//! way. Whatever makes a node's verifier faster than the library makes the node faster, not the yardstick.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_zebra::{Signature, VerificationKeyBytes, batch};
use hanse_client::call::now;
use hanse_client::{Call, ChainContext, Contract};
use hanse_types::crypto::verified::Verifier;
use hanse_types::crypto::{PublicKey, SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::{Genesis, Params, SignedTransaction, StateCommitment};
use rand_core::{TryCryptoRng, TryRng};
use rayon::prelude::*;
use serde::Serialize;

use super::super::exit::Failure;
use super::signing::{Draft, cores, sign};

/// Transactions that are verified at a time: as many as a node gathers under load.
const GATHERED: usize = 4_096;
/// Signatures in one batch of the library.
const BATCH: usize = 256;
/// How long each way is measured.
const DURATION: Duration = Duration::from_millis(1_000);

/// Transactions with good signatures, and who verifies them.
pub(super) struct Yardstick {
    verifier: Verifier,
    transactions: Vec<SignedTransaction>,
    /// What each signature is over.
    signed: Vec<Vec<u8>>,
    pool: rayon::ThreadPool,
}

/// Signatures per second that all cores verify when they do nothing else.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Verified {
    /// By the library's verifier, in batches where it has them.
    pub(super) by_library: f64,
    /// By a node's verifier.
    pub(super) by_node: f64,
}

impl Verified {
    /// Between two measurements.
    pub(super) fn between(self, other: Verified) -> Verified {
        let mean = |one: f64, two: f64| (one + two) / 2.0;
        Verified { by_library: mean(self.by_library, other.by_library), by_node: mean(self.by_node, other.by_node) }
    }
}

impl Yardstick {
    /// Signs what will be verified, by as many keys as take part in the load. The chain is one of its own: a signature
    /// costs the same for every chain.
    pub(super) fn new(crypto: CryptoSuite, senders: u32) -> Result<Yardstick, Failure> {
        let key = |number: u32| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&number.to_le_bytes());
            // Zero is no key of every suite.
            seed[31] = 1;
            crypto.client_key(seed).map_err(|error| Failure::error(format!("no key can be made: {error}")))
        };
        let keys: Vec<SecretKey> = (0..senders.min(GATHERED as u32)).map(key).collect::<Result<_, _>>()?;
        let genesis = Arc::new(genesis(crypto));
        let context = context(&genesis);
        let draft = |number: usize| {
            let args = vec![number as u8; 36];
            Draft { key: &keys[number % keys.len()], call: Call::new(Contract::native(1), "transfer", args) }
        };
        let drafts: Vec<Draft<'_>> = (0..GATHERED).map(draft).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores()).build();
        let pool = pool.map_err(|error| Failure::error(format!("threads can't be started: {error}")))?;
        let transactions = sign(&drafts, &context)?;
        let signed = transactions.iter().map(|one| one.transaction.sign_bytes(&context.genesis)).collect();
        Ok(Yardstick { verifier: Verifier::new(genesis), transactions, signed, pool })
    }

    /// Measures both ways.
    pub(super) fn measure(&self) -> Result<Verified, Failure> {
        let by_node = repeat(|| self.transactions.clone(), |all| self.verify_as_node(all))?;
        Ok(Verified { by_library: repeat(|| (), |()| self.verify_by_library())?, by_node })
    }

    fn verify_as_node(&self, all: Vec<SignedTransaction>) -> bool {
        self.pool.install(|| self.verifier.verify_all(all)).iter().all(Result::is_ok)
    }

    fn verify_by_library(&self) -> bool {
        let batches = || self.transactions.par_chunks(BATCH).zip(self.signed.par_chunks(BATCH));
        self.pool.install(|| batches().all(|(transactions, signed)| verify_batch(transactions, signed)))
    }
}

/// Things verified per second, [`GATHERED`] at a time.
fn repeat<T>(prepare: impl Fn() -> T, verify: impl Fn(T) -> bool) -> Result<f64, Failure> {
    let (mut verified, mut spent) = (0, Duration::ZERO);
    while spent < DURATION {
        let prepared = prepare();
        let started = Instant::now();
        let good = verify(prepared);
        spent += started.elapsed();
        verified += GATHERED;
        if !good {
            return Err(Failure::error("a good signature was refused: the yardstick measures nothing"));
        }
    }
    Ok(verified as f64 / spent.as_secs_f64())
}

/// Those of ed25519 as one batch, others one by one.
fn verify_batch(transactions: &[SignedTransaction], signed: &[Vec<u8>]) -> bool {
    let mut verifier = batch::Verifier::new();
    for (transaction, signed) in transactions.iter().zip(signed) {
        let PublicKey::Ed25519(key) = transaction.public_key else {
            match transaction.public_key.verify(signed, &transaction.signature) {
                Ok(()) => continue,
                Err(_) => return false,
            }
        };
        let signature = Signature::from_bytes(&transaction.signature.0);
        verifier.queue((VerificationKeyBytes::from(key), signature, signed));
    }
    Random::of_system().is_ok_and(|random| verifier.verify(random).is_ok())
}

/// Random bytes of the system, fetched once for a batch.
struct Random(Box<[u8; 16 * BATCH]>, usize);

impl Random {
    fn of_system() -> Result<Random, getrandom::Error> {
        let mut bytes = Box::new([0; 16 * BATCH]);
        getrandom::fill(&mut bytes[..])?;
        Ok(Random(bytes, 0))
    }
}

impl TryRng for Random {
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
        let next = &self.0[self.1..];
        bytes.copy_from_slice(&next[..bytes.len()]);
        self.1 += bytes.len();
        Ok(())
    }
}

impl TryCryptoRng for Random {}

fn genesis(crypto: CryptoSuite) -> Genesis {
    Genesis {
        chain_id: "yardstick".into(),
        group_id: "main".into(),
        timestamp: now(),
        crypto,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: vec![Validator { name: "nobody".into(), key: SecretKey::ed25519([1; 32]).public_key() }],
        administrators: Vec::new(),
        accounts: Vec::new(),
        params: Params::default(),
    }
}

fn context(genesis: &Genesis) -> ChainContext {
    ChainContext {
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis: genesis.hash(),
        crypto: genesis.crypto,
        ref_height: hanse_types::Height(0),
        ref_hash: [0; 8],
        gas_max: genesis.params.tx_gas_max,
        lifetime_max: Duration::from_millis(genesis.params.tx_lifetime_ms_max),
        clock_ahead: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_measured_is_verified() {
        for crypto in CryptoSuite::ALL {
            let verified = Yardstick::new(crypto, 10).unwrap().measure().unwrap();
            assert!(verified.by_library > 0.0 && verified.by_node > 0.0);
        }
    }

    #[test]
    fn a_bad_signature_is_noticed_by_both() {
        for crypto in CryptoSuite::ALL {
            let mut yardstick = Yardstick::new(crypto, 10).unwrap();
            yardstick.transactions[7].signature.0[3] ^= 1;
            assert!(!yardstick.verify_by_library());
            assert!(!yardstick.verify_as_node(yardstick.transactions.clone()));
        }
    }
}
