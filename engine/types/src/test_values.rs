//! Plain values for tests of this crate.

use crate::genesis::{ConsensusKind, CryptoSuite, Genesis, Params, StateCommitment, Validator};
use crate::units::{Gas, Height, Timestamp};
use crate::{Address, ContractRef, Transaction};

pub(crate) fn genesis() -> Genesis {
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1_000),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: vec![Validator { name: "one".into(), key: crate::crypto::PublicKey::Ed25519([3; 32]) }],
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
