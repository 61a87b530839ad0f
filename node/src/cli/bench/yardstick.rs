//! What the machine does at most: batch signature verification alone, on the cores that node and load share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_client::call::now;
use hanse_client::{Call, ChainContext, Contract};
use hanse_types::crypto::verified::Verifier;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::{Genesis, Params, SignedTransaction, StateCommitment};

use super::super::exit::Failure;
use super::signing::{Draft, cores, sign};

/// Transactions that are verified at a time: as many as a node gathers under load.
const BATCH: usize = 4_096;
/// Senders of them.
const SENDERS: u8 = 64;
/// How long it is measured.
const DURATION: Duration = Duration::from_millis(1_500);

/// Transactions with good signatures, and who verifies them as a node does.
pub(super) struct Yardstick {
    verifier: Verifier,
    transactions: Vec<SignedTransaction>,
    pool: rayon::ThreadPool,
}

impl Yardstick {
    /// Signs what will be verified. The chain is one of its own: a signature costs the same for every chain.
    pub(super) fn new() -> Result<Yardstick, Failure> {
        let keys: Vec<SecretKey> = (0..SENDERS).map(|number| SecretKey::ed25519([number; 32])).collect();
        let genesis = Arc::new(genesis(&keys[0]));
        let context = context(&genesis);
        let draft = |number: usize| {
            let args = vec![number as u8; 36];
            Draft { key: &keys[number % keys.len()], call: Call::new(Contract::native(1), "transfer", args) }
        };
        let drafts: Vec<Draft<'_>> = (0..BATCH).map(draft).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores()).build();
        let pool = pool.map_err(|error| Failure::error(format!("threads can't be started: {error}")))?;
        Ok(Yardstick { verifier: Verifier::new(genesis), transactions: sign(&drafts, &context)?, pool })
    }

    /// Signatures verified per second.
    pub(super) fn measure(&self) -> Result<f64, Failure> {
        let (mut verified, mut spent) = (0, Duration::ZERO);
        while spent < DURATION {
            let batch = self.transactions.clone();
            let started = Instant::now();
            let results = self.pool.install(|| self.verifier.verify_all(batch));
            spent += started.elapsed();
            verified += results.len();
            if results.iter().any(Result::is_err) {
                return Err(Failure::error("a good signature was refused: the yardstick measures nothing"));
            }
        }
        Ok(verified as f64 / spent.as_secs_f64())
    }
}

fn genesis(key: &SecretKey) -> Genesis {
    Genesis {
        chain_id: "yardstick".into(),
        group_id: "main".into(),
        timestamp: now(),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: vec![Validator { name: "nobody".into(), key: key.public_key() }],
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
        assert!(Yardstick::new().unwrap().measure().unwrap() > 0.0);
    }
}
