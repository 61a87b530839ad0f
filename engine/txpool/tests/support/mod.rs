//! A chain's founders and clients, for tests.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::sync::Arc;

use hanse_txpool::{CommittedBlock, History, Pool, PoolLimits};
use hanse_types::crypto::verified::Verifier;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::hash::Domain;
use hanse_types::{
    Address, ContractRef, Gas, Genesis, Hash, Height, Params, SignedTransaction, StateCommitment, Timestamp,
    Transaction, TxId, Verified,
};

/// Time of block 0.
pub const GENESIS_TIME: Timestamp = Timestamp(1_000_000);

/// A group with one validator, whose clients are known by number.
pub struct World {
    pub genesis: Genesis,
    pub validator: SecretKey,
    verifier: Verifier,
    genesis_hash: Hash,
    clients: Vec<SecretKey>,
}

impl World {
    pub fn new(params: Params) -> World {
        let validator = SecretKey::ed25519([77; 32]);
        let genesis = Genesis {
            chain_id: "chain".into(),
            group_id: "group".into(),
            timestamp: GENESIS_TIME,
            crypto: CryptoSuite::Standard,
            consensus: ConsensusKind::Solo,
            state_commitment: StateCommitment::Flat,
            validators: vec![Validator { name: "one".into(), key: validator.public_key() }],
            administrators: Vec::new(),
            accounts: Vec::new(),
            params,
        };
        World::of(genesis)
    }

    /// The same of another genesis.
    pub fn of(genesis: Genesis) -> World {
        let validator = SecretKey::ed25519([77; 32]);
        let clients = (1..=8).map(|n| SecretKey::ed25519([n; 32])).collect();
        let verifier = Verifier::new(Arc::new(genesis.clone()));
        World { genesis_hash: genesis.hash(), genesis, validator, verifier, clients }
    }

    pub fn params(&self) -> &Params {
        &self.genesis.params
    }

    /// A pool on the genesis block.
    pub fn pool(&self, limits: PoolLimits) -> Pool {
        Pool::new(limits, self.params().clone(), self.history())
    }

    pub fn history(&self) -> History {
        History::new(self.params().ref_block_window, Height(0), GENESIS_TIME, [block_hash(Height(0))])
    }

    /// A call that refers to the genesis block and expires so many milliseconds after it.
    pub fn call(&self, client: usize, nonce: u64, expires_ms: u64) -> Transaction {
        Transaction {
            version: Transaction::VERSION,
            chain_id: "chain".into(),
            group_id: "group".into(),
            sender: self.clients[client].public_key().address(),
            nonce,
            ref_height: Height(0),
            ref_hash: prefix(&block_hash(Height(0))),
            timestamp: GENESIS_TIME,
            expiration: GENESIS_TIME.plus_ms(expires_ms),
            gas_limit: Gas(1_000),
            business_id: Vec::new(),
            contract: ContractRef::Address(Address::native(1)),
            method: "transfer".into(),
            args: Vec::new(),
        }
    }

    /// Signed by its sender, one of the clients.
    pub fn sign(&self, transaction: Transaction) -> SignedTransaction {
        let key = self.clients.iter().find(|key| key.public_key().address() == transaction.sender).unwrap();
        let signature = key.sign(&transaction.sign_bytes(&self.genesis_hash)).unwrap();
        SignedTransaction { transaction, public_key: key.public_key(), signature }
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub fn verify(&self, signed: SignedTransaction) -> Verified {
        self.verifier.verify(signed).unwrap()
    }

    pub fn verified(&self, transaction: Transaction) -> Verified {
        self.verify(self.sign(transaction))
    }

    /// A call of client 0 that lives for a minute.
    pub fn plain(&self, nonce: u64) -> Verified {
        self.verified(self.call(0, nonce, 60_000))
    }
}

pub fn at(ms: u64) -> Timestamp {
    GENESIS_TIME.plus_ms(ms)
}

/// The hash of a block of a chain that is only made of heights.
pub fn block_hash(height: Height) -> Hash {
    Hash::of(Domain::Header, &height.0.to_le_bytes())
}

pub fn prefix(hash: &Hash) -> [u8; 8] {
    hash.as_bytes()[..8].try_into().unwrap()
}

pub fn ids(batch: &[Verified]) -> Vec<TxId> {
    batch.iter().map(Verified::id).collect()
}

/// The block at this height with this batch, committed.
pub fn block(height: u64, timestamp: Timestamp, batch: &[Verified]) -> CommittedBlock {
    let height = Height(height);
    let transactions = batch.iter().map(|tx| (tx.id(), tx.transaction().expiration)).collect();
    CommittedBlock { height, hash: block_hash(height), timestamp, transactions }
}
