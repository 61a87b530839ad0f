//! Plain values for tests of this crate.
#![allow(clippy::unwrap_used)]

use crate::crypto::{SecretKey, Signer};
use crate::genesis::{ConsensusKind, CryptoSuite, Genesis, Params, StateCommitment, Validator};
use crate::units::{Epoch, Gas, Height, Round, Timestamp};
use crate::{Address, ContractRef, Hash, Header, SignedTransaction, Transaction};

pub(crate) fn genesis() -> Genesis {
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1_000),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: vec![Validator { name: "one".into(), key: SecretKey::ed25519([3; 32]).public_key() }],
        administrators: vec![Address([9; 20])],
        accounts: Vec::new(),
        params: Params::default(),
    }
}

pub(crate) fn transaction() -> Transaction {
    Transaction {
        version: Transaction::VERSION,
        chain_id: "chain".into(),
        group_id: "group".into(),
        sender: Address([1; 20]),
        nonce: 7,
        ref_height: Height(3),
        ref_hash: [5; 8],
        timestamp: Timestamp(2_000),
        expiration: Timestamp(60_000),
        gas_limit: Gas(1_000_000),
        business_id: b"order-17".to_vec(),
        contract: ContractRef::Address(Address::native(1)),
        method: "transfer".into(),
        args: vec![1, 2, 3],
    }
}

pub(crate) fn header() -> Header {
    Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height: Height(4),
        parent: Hash([1; 32]),
        timestamp: Timestamp(3_000),
        tx_root: Hash([2; 32]),
        receipt_root: Hash([3; 32]),
        rw_set_root: Hash([4; 32]),
        dag_digest: Hash([5; 32]),
        state_root: Hash([6; 32]),
        validators: Hash([7; 32]),
        next_validators: Hash([8; 32]),
        epoch: Epoch(2),
        round: Round(1),
        proposer: 3,
        gas_used: Gas(12_345),
        tx_count: 0,
        extra: b"extra".to_vec(),
    }
}

pub(crate) fn signed(key: &SecretKey, nonce: u64) -> SignedTransaction {
    let transaction = Transaction { nonce, sender: key.public_key().address(), ..transaction() };
    let signature = key.sign(&transaction.sign_bytes(&genesis().hash())).unwrap();
    SignedTransaction { transaction, public_key: key.public_key(), signature }
}
