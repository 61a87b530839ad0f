//! One fixed value of each type, with every field set to something that can be told apart.

use hanse_abi::Event;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::*;

pub(crate) fn validator_key() -> SecretKey {
    SecretKey::ed25519([3; 32])
}

pub(crate) fn ed25519_key() -> SecretKey {
    SecretKey::ed25519([1; 32])
}

pub(crate) fn secp256k1_key() -> SecretKey {
    SecretKey::secp256k1([2; 32]).unwrap()
}

pub(crate) fn sm2_key() -> SecretKey {
    SecretKey::sm2([4; 32]).unwrap()
}

/// Every parameter is stated, so that another default does not change the bytes.
fn params() -> Params {
    Params {
        block_tx_count_max: 10_000,
        block_bytes_max: 8 << 20,
        block_interval_ms: 200,
        tx_gas_max: Gas(1_000_000_000),
        tx_lifetime_ms_max: 600_000,
        ref_block_window: 1_000,
        memory_pages_max: 256,
        floats_allowed: false,
        gas_schedule: 1,
        open_deployment: true,
    }
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        chain_id: "hansa".into(),
        group_id: "trade".into(),
        timestamp: Timestamp(1_700_000_000_000),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Merkle,
        validators: vec![Validator { name: "luebeck".into(), key: validator_key().public_key() }],
        administrators: vec![Address([9; 20]), Address([8; 20])],
        accounts: vec![GenesisAccount { address: ed25519_key().public_key().address(), balance: 1 << 100 }],
        params: params(),
    }
}

pub(crate) fn transaction() -> Transaction {
    Transaction {
        version: Transaction::VERSION,
        chain_id: "hansa".into(),
        group_id: "trade".into(),
        sender: ed25519_key().public_key().address(),
        nonce: 0x0102_0304_0506_0708,
        ref_height: Height(3),
        ref_hash: [5; 8],
        timestamp: Timestamp(1_700_000_001_000),
        expiration: Timestamp(1_700_000_061_000),
        gas_limit: Gas(1_000_000),
        business_id: b"order-17".to_vec(),
        contract: ContractRef::Address(Address([7; 20])),
        method: "transfer".into(),
        args: vec![1, 2, 3],
    }
}

/// Calls by name, so that both forms are covered.
pub(crate) fn named_transaction() -> Transaction {
    let contract = ContractRef::Name { name: "Token".into(), version: 2 };
    Transaction { contract, sender: secp256k1_key().public_key().address(), business_id: Vec::new(), ..transaction() }
}

pub(crate) fn signed(key: &SecretKey, transaction: Transaction) -> SignedTransaction {
    let signature = key.sign(&transaction.sign_bytes(&genesis().hash())).unwrap();
    SignedTransaction { transaction, public_key: key.public_key(), signature }
}

pub(crate) fn rw_set() -> RwSet {
    RwSet {
        reads: vec![
            Read { key: vec![1, 2], version: Version::Parent, present: true },
            Read { key: vec![1, 3], version: Version::Tx(TxIndex(4)), present: false },
        ],
        ranges: vec![RangeRead { start: vec![2], end: vec![2, 9] }],
        writes: vec![
            Write { key: vec![3], value: Some(Value::new(&[6; 40])) },
            Write { key: vec![4], value: None },
            Write { key: vec![5], value: Some(Value::new(&[])) },
        ],
        adds: vec![Add { key: vec![6], delta: Delta { amount: -5, width: 8, min: 0, max: u64::MAX.into() } }],
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        tx_id: transaction().id(CryptoSuite::Standard, &genesis().hash()),
        height: Height(4),
        index: TxIndex(1),
        status: Status::Success,
        gas_used: Gas(12_345),
        output: vec![9, 8],
        error_code: 0,
        message: String::new(),
        failed_in: Address::ZERO,
        events: vec![ReceiptEvent {
            contract: Address([7; 20]),
            event: Event { name: "Transferred".into(), topics: vec![vec![1], vec![]], data: vec![2, 3] },
        }],
        rw_set: rw_set().digest(CryptoSuite::Standard),
    }
}

pub(crate) fn failed_receipt() -> Receipt {
    Receipt {
        tx_id: named_transaction().id(CryptoSuite::Standard, &genesis().hash()),
        index: TxIndex(2),
        status: Status::Reverted,
        error_code: 77,
        message: "größer als 0".into(),
        failed_in: Address([7; 20]),
        events: Vec::new(),
        ..receipt()
    }
}

pub(crate) fn dag() -> Dag {
    Dag::from_rows(&[&[][..], &[0], &[0, 1]]).unwrap()
}

pub(crate) fn header() -> Header {
    let validators = ValidatorSet::from_genesis(&genesis()).unwrap().hash(CryptoSuite::Standard);
    Header {
        crypto: CryptoSuite::Standard,
        chain_id: "hansa".into(),
        group_id: "trade".into(),
        height: Height(4),
        parent: Hash([1; 32]),
        timestamp: Timestamp(1_700_000_002_000),
        tx_root: Hash([2; 32]),
        receipt_root: Hash([3; 32]),
        rw_set_root: Hash([4; 32]),
        dag_digest: dag().digest(CryptoSuite::Standard),
        state_root: Hash([6; 32]),
        validators,
        next_validators: Hash([8; 32]),
        epoch: Epoch(2),
        round: Round(1),
        proposer: 3,
        gas_used: Gas(24_690),
        tx_count: 3,
        extra: b"extra".to_vec(),
    }
}

pub(crate) fn block() -> Block {
    let transactions = vec![
        signed(&ed25519_key(), transaction()),
        signed(&secp256k1_key(), named_transaction()),
        signed(&ed25519_key(), Transaction { nonce: 2, ..transaction() }),
    ];
    Block { header: header(), dag: dag(), transactions }
}

pub(crate) fn certificate() -> Certificate {
    let header = header();
    let mut certificate = Certificate {
        height: header.height,
        round: Round(2),
        epoch: header.epoch,
        block_hash: header.hash(),
        signatures: Vec::new(),
    };
    let signature = validator_key().sign(&certificate.sign_bytes(&genesis().identity())).unwrap();
    certificate.signatures.push((0, signature));
    certificate
}
