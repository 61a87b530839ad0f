//! A group in a temporary folder, with one validator and a few rich accounts.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hanse_group::{Group, GroupConfig};
use hanse_txpool::PoolLimits;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Genesis, GenesisAccount, Validator};
use hanse_types::{
    Address, ContractRef, Gas, Hash, Height, Params, SignedTransaction, StateCommitment, Timestamp, Transaction, block,
};

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const RICHES: u128 = 1_000_000;

pub fn validator() -> SecretKey {
    SecretKey::ed25519([100; 32])
}

pub fn user(n: u8) -> SecretKey {
    SecretKey::ed25519([n; 32])
}

pub fn address(n: u8) -> Address {
    user(n).public_key().address()
}

pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

pub fn genesis(state_commitment: StateCommitment) -> Genesis {
    let accounts = (1..=20).map(|n| GenesisAccount { address: address(n), balance: RICHES }).collect();
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1_000),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment,
        validators: vec![Validator { name: "one".into(), key: validator().public_key() }],
        administrators: vec![address(1)],
        accounts,
        params: Params { block_interval_ms: 20, ..Params::default() },
    }
}

/// The usual configuration, but for how long transactions may wait: on a machine that has much else to do, blocks are slow.
pub fn patient(genesis: Genesis, folder: PathBuf) -> GroupConfig {
    let usual = GroupConfig::new(genesis, folder);
    GroupConfig { pool: PoolLimits { wait_ms: 60_000, ..usual.pool }, ..usual }
}

pub async fn open(folder: &Path, state_commitment: StateCommitment) -> Group {
    let config = GroupConfig { threads: 2, ..patient(genesis(state_commitment), folder.to_owned()) };
    Group::open(config, Arc::new(validator())).await.unwrap()
}

/// A transaction of a user, not signed.
pub fn call(group: &Group, from: u8, nonce: u64, contract: Address, method: &str, args: Vec<u8>) -> Transaction {
    let tip = group.ledger().tip();
    Transaction {
        version: Transaction::VERSION,
        chain_id: "chain".into(),
        group_id: "group".into(),
        sender: address(from),
        nonce,
        ref_height: tip.header.height,
        ref_hash: prefix(&tip.hash),
        timestamp: now(),
        // Longer than a slow disk takes for all blocks of a test; the chain allows ten minutes.
        expiration: now().plus_ms(8 * 60_000),
        gas_limit: Gas(50_000_000),
        business_id: Vec::new(),
        contract: ContractRef::Address(contract),
        method: method.into(),
        args,
    }
}

pub fn prefix(hash: &Hash) -> [u8; 8] {
    *hash.0.first_chunk().unwrap()
}

pub fn signed(group: &Group, from: u8, transaction: Transaction) -> SignedTransaction {
    let key = user(from);
    let signature = key.sign(&transaction.sign_bytes(&group.genesis_hash())).unwrap();
    SignedTransaction { transaction, public_key: key.public_key(), signature }
}

pub fn transfer(group: &Group, from: u8, to: u8, amount: u128, nonce: u64) -> SignedTransaction {
    let args = borsh::to_vec(&(address(to), amount)).unwrap();
    signed(group, from, call(group, from, nonce, Address::native(1), "transfer", args))
}

pub async fn balance(group: &Group, of: u8) -> u128 {
    balance_of(group, address(of)).await
}

pub async fn balance_of(group: &Group, account: Address) -> u128 {
    let args = borsh::to_vec(&account).unwrap();
    let contract = ContractRef::Name { name: "account".into(), version: 0 };
    let answer = group.query(contract, "balance_of", args, Address::ZERO).await.unwrap();
    borsh::from_slice(&answer.output).unwrap()
}

pub fn height(group: &Group) -> Height {
    group.ledger().height()
}

/// Replays every block from its parent's state, and compares with its header; how many transactions there were.
pub fn replay_all(group: &Group) -> usize {
    let verifier = hanse_types::crypto::verified::Verifier::new(group.genesis().clone());
    let vm = hanse_vm::Vm::new(&hanse_vm::VmConfig::default()).unwrap();
    let mut transactions = 0;
    for height in 1..=group.ledger().height().0 {
        let block = group.ledger().block(Height(height)).unwrap().unwrap();
        let (suite, parent) = (block.header.crypto, group.ledger().state_at(Height(height - 1)).unwrap());
        let verified: Vec<_> = block.transactions.iter().map(|tx| verifier.verify(tx.clone()).unwrap()).collect();
        assert_eq!(block::tx_root(suite, &verified), block.header.tx_root);
        let context = hanse_vm::BlockContext {
            height: Height(height),
            crypto: block.header.crypto,
            timestamp: block.header.timestamp,
            recent_hashes: Vec::new(),
            params: hanse_vm::system::params::load(&*parent).unwrap(),
        };
        let executor = hanse_group::BlockExecutor::new(vm.clone(), context);
        let run = hanse_scheduler::replay(&executor, &verified, &block.dag, parent).unwrap();
        assert_eq!(hanse_scheduler::verify(&block.dag, &run), Ok(()));
        let receipts = group.ledger().receipts(Height(height)).unwrap().unwrap();
        let rw_sets = run.rw_sets();
        for (index, receipt) in receipts.iter().enumerate() {
            assert_eq!(receipt.rw_set, rw_sets[index].digest(suite));
            assert_eq!(receipt.events, run.executions[index].events);
        }
        assert_eq!(block::receipt_root(suite, &receipts), block.header.receipt_root);
        transactions += verified.len();
    }
    transactions
}
