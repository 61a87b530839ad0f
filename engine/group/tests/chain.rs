//! A real group on a real disk: what goes in comes out once, and is there after a restart.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use hanse_group::{Durability, Group, GroupConfig, SubmitError, WaitError};
use hanse_types::crypto::{CryptoSuite, Signer};
use hanse_types::genesis::{Genesis, GenesisAccount};
use hanse_types::{
    Address, ContractRef, Gas, Height, SignedTransaction, StateCommitment, Status, Timestamp, Transaction,
};

#[tokio::test(flavor = "multi_thread")]
async fn transfers_end_in_blocks_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Merkle).await;
    assert_eq!(height(&group), Height(0));
    let many: Vec<_> = (0..500).map(|n| transfer(&group, 1 + (n % 10) as u8, 11 + (n % 7) as u8, 1, n)).collect();
    let ids = group.submit_many(many.clone(), Durability::Disk).await;
    for id in &ids {
        let receipt = group.wait(id.clone().unwrap(), PATIENCE).await.unwrap();
        assert_eq!(receipt.status, Status::Success, "{}", receipt.message);
        assert_eq!(group.ledger().receipt_of(&receipt.tx_id).unwrap().as_ref(), Some(&*receipt));
    }
    let again = group.submit_many(many.clone(), Durability::Disk).await;
    assert!(again.iter().all(|answer| matches!(answer, Err(error) if error.code() == "already_committed")));
    assert_eq!(balance(&group, 1).await, RICHES - 50);
    let (before, tip) = (balance(&group, 12).await, group.ledger().tip());
    group.stop().await;
    assert_eq!(group.submit(many[0].clone(), Durability::Disk).await, Err(SubmitError::Stopped));
    drop(group);

    let group = open(folder.path(), StateCommitment::Merkle).await;
    assert_eq!(group.ledger().tip().hash, tip.hash);
    assert_eq!(balance(&group, 12).await, before);
    let again = group.submit_many(many, Durability::Disk).await;
    assert!(again.iter().all(|answer| matches!(answer, Err(error) if error.code() == "already_committed")));
    let receipt = group.submit_and_wait(transfer(&group, 2, 3, 7, 10_000), PATIENCE).await.unwrap();
    assert_eq!(receipt.height, tip.header.height.next());
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_replays_to_its_own_header() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    for round in 0..5u64 {
        let batch = (0..200).map(|n| transfer(&group, 1 + (n % 3) as u8, 1 + (n % 5) as u8, 3, round * 1_000 + n));
        for id in group.submit_many(batch.collect(), Durability::Disk).await {
            group.wait(id.unwrap(), PATIENCE).await.unwrap();
        }
    }
    let transactions = replay_all(&group);
    assert_eq!(transactions, 1_000);
    group.stop().await;
}

/// What a client of any suite signs.
fn transfer_by(group: &Group, from: u8, nonce: u64) -> SignedTransaction {
    let key = group.genesis().crypto.client_key([from; 32]).unwrap();
    let args = borsh::to_vec(&(address(2), 3u128)).unwrap();
    let sender = key.public_key().address();
    let transaction = Transaction { sender, ..call(group, from, nonce, Address::native(1), "transfer", args) };
    let signature = key.sign(&transaction.sign_bytes(&group.genesis_hash())).unwrap();
    SignedTransaction { transaction, public_key: key.public_key(), signature }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_another_suite_does_the_same() {
    for commitment in [StateCommitment::Flat, StateCommitment::Merkle] {
        let crypto = CryptoSuite::Guomi;
        let account = |n: u8| crypto.client_key([n; 32]).unwrap().public_key().address();
        let accounts = (1..=5).map(|n| GenesisAccount { address: account(n), balance: RICHES }).collect();
        let genesis = Genesis { crypto, accounts, administrators: vec![account(1)], ..genesis(commitment) };
        let folder = tempfile::tempdir().unwrap();
        let reopen = || async {
            let config = GroupConfig { threads: 2, ..patient(genesis.clone(), folder.path().to_owned()) };
            Group::open(config, std::sync::Arc::new(validator())).await.unwrap()
        };
        let group = reopen().await;
        let many: Vec<_> = (0..100).map(|n| transfer_by(&group, 1 + (n % 5) as u8, n)).collect();
        for id in group.submit_many(many.clone(), Durability::Disk).await {
            group.wait(id.unwrap(), PATIENCE).await.unwrap();
        }
        // A key of the other suite.
        let error = group.submit(transfer(&group, 1, 2, 1, 1_000), Durability::Disk).await.unwrap_err();
        assert!(error.to_string().contains("the group's crypto is guomi"), "{error}");
        let tip = group.ledger().tip();
        group.stop().await;
        drop(group);

        // Its files are read and checked by the same suite, and what is in a block is known again.
        let group = reopen().await;
        assert_eq!((group.ledger().tip().hash, tip.header.crypto), (tip.hash, crypto));
        group.ledger().verify_blocks().unwrap();
        group.ledger().verify_state().unwrap();
        assert_eq!(replay_all(&group), 100);
        let again = group.submit_many(many, Durability::Disk).await;
        assert!(again.iter().all(|answer| matches!(answer, Err(error) if error.code() == "already_committed")));
        assert_eq!(balance(&group, 2).await, 300);
        group.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_with_a_code_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let code = |answer: Result<_, SubmitError>| answer.unwrap_err().code();
    let plain = || call(&group, 1, 1, Address::native(1), "transfer", borsh::to_vec(&(address(2), 5u128)).unwrap());

    let mut forged = signed(&group, 1, plain());
    forged.transaction.nonce = 2;
    assert_eq!(code(group.submit(forged, Durability::Disk).await), "invalid_transaction");
    let mut other = plain();
    other.group_id = "other".into();
    assert_eq!(code(group.submit(signed(&group, 1, other), Durability::Disk).await), "invalid_transaction");
    let mut stolen = plain();
    stolen.sender = address(2);
    assert_eq!(code(group.submit(signed(&group, 1, stolen), Durability::Disk).await), "invalid_transaction");
    let mut old = plain();
    (old.timestamp, old.expiration) = (Timestamp(1), Timestamp(2));
    assert_eq!(code(group.submit(signed(&group, 1, old), Durability::Disk).await), "expired");
    let mut greedy = plain();
    greedy.gas_limit = Gas(u64::MAX);
    assert_eq!(code(group.submit(signed(&group, 1, greedy), Durability::Disk).await), "gas_limit_too_high");
    let mut elsewhere = plain();
    elsewhere.ref_hash = [9; 8];
    assert_eq!(code(group.submit(signed(&group, 1, elsewhere), Durability::Disk).await), "reference_mismatch");
    assert_eq!(height(&group), Height(0));

    let unknown =
        group.wait(plain().id(CryptoSuite::Standard, &group.genesis_hash()), std::time::Duration::from_millis(1)).await;
    assert_eq!(unknown, Err(WaitError::OutcomeUnknown));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_inside_a_block_has_a_receipt_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Merkle).await;
    let run = async |contract: Address, method: &str, args: Vec<u8>, nonce: u64| {
        let transaction = signed(&group, 1, call(&group, 1, nonce, contract, method, args));
        group.submit_and_wait(transaction, PATIENCE).await.unwrap()
    };
    let too_much = borsh::to_vec(&(address(2), RICHES + 1)).unwrap();
    let receipt = run(Address::native(1), "transfer", too_much, 1).await;
    assert_eq!((receipt.status, receipt.error_code), (Status::Reverted, 1));
    assert_eq!(run(Address::native(1), "steal", Vec::new(), 2).await.status, Status::MethodNotFound);
    assert_eq!(run(Address::native(1), "transfer", vec![1], 3).await.status, Status::InvalidArguments);
    assert_eq!(run(Address([7; 20]), "any", Vec::new(), 4).await.status, Status::ContractNotFound);
    assert_eq!(balance(&group, 1).await, RICHES);

    let simulated = group
        .simulate(call(&group, 1, 5, Address::native(1), "transfer", borsh::to_vec(&(address(2), 5u128)).unwrap()))
        .await
        .unwrap();
    assert_eq!(simulated.execution.status, Status::Success);
    assert_eq!((simulated.rw_set.writes.len(), simulated.rw_set.adds.len()), (1, 1));
    assert_eq!(balance(&group, 1).await, RICHES, "a simulation leaves nothing");
    let name = ContractRef::Name { name: "lifecycle".into(), version: 0 };
    assert!(group.abi(&name).unwrap().is_some());
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_change_from_the_next_block_on() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let set = |nonce: u64, by: u8| {
        let args = borsh::to_vec(&("tx_gas_max", 60_000_000u64)).unwrap();
        signed(&group, by, call(&group, by, nonce, Address::native(4), "set", args))
    };
    let refused = group.submit_and_wait(set(1, 2), PATIENCE).await.unwrap();
    assert_eq!(refused.status, Status::PermissionDenied);
    let done = group.submit_and_wait(set(2, 1), PATIENCE).await.unwrap();
    assert_eq!(done.status, Status::Success, "{}", done.message);
    let mut greedy = call(&group, 3, 3, Address::native(1), "supply", Vec::new());
    greedy.gas_limit = Gas(60_000_001);
    assert_eq!(
        group.submit(signed(&group, 3, greedy), Durability::Disk).await.unwrap_err().code(),
        "gas_limit_too_high"
    );
    group.stop().await;
}
