//! A group whose store fails at one write: whoever waits is told that the outcome is unknown, nothing more is taken, and
//! after a restart nothing that was promised is lost and nothing happened twice.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use hanse_group::{Durability, Group, GroupConfig, SubmitError, WaitError};
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerOptions, MemoryStore};
use hanse_types::{StateCommitment, Status};

/// Longer than any test may take: who is told something in time was told it, and did not only give up.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

async fn open_on(store: Arc<MemoryStore>, folder: &Path) -> Group {
    let genesis = genesis(StateCommitment::Merkle);
    let initial = hanse_vm::system::genesis_state(&genesis);
    let ledger = Ledger::open_store(store, &genesis, &initial, LedgerOptions::default()).unwrap();
    let config = GroupConfig { threads: 2, ..patient(genesis, folder.to_owned()) };
    Group::open_on(ledger, config, Arc::new(validator())).await.unwrap()
}

/// Pays once more and once more until the store fails, then starts again on what it holds.
async fn fails_and_recovers(at: u64, fault: Fault) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default().failing(at, fault));
    let group = open_on(store.clone(), folder.path()).await;
    assert!(group.is_running());
    let mut receipts = Vec::new();
    let lost = loop {
        // Two wait at the same time, for the same block or for two.
        let nonce = 2 * receipts.len() as u64;
        let pair = [transfer(&group, 1, 2, 1, nonce), transfer(&group, 3, 2, 1, nonce + 1)];
        let answers = group.submit_many(pair.to_vec(), Durability::Memory).await;
        if let [Err(first), Err(second)] = &answers[..] {
            assert_eq!((first.code(), second.code()), ("group_stopped", "group_stopped"));
            break Vec::new();
        }
        let [first, second] = [answers[0].clone().unwrap(), answers[1].clone().unwrap()];
        let (first, second) = tokio::join!(group.wait(first, FOR_EVER), group.wait(second, FOR_EVER));
        let unknown = |outcome: &Result<_, WaitError>| matches!(outcome, Err(WaitError::OutcomeUnknown));
        assert!(
            [&first, &second].into_iter().all(|outcome| outcome.is_ok() || unknown(outcome)),
            "{first:?} {second:?}"
        );
        let failed = unknown(&first) || unknown(&second);
        let (got, missed): (Vec<_>, Vec<_>) =
            [first, second].into_iter().zip(pair).partition(|(outcome, _)| outcome.is_ok());
        receipts.extend(got.into_iter().map(|(outcome, _)| outcome.unwrap()));
        if failed {
            break missed.into_iter().map(|(_, transaction)| transaction).collect();
        }
    };

    assert!(!group.is_running());
    let reason = group.stopped().unwrap();
    assert!(reason.contains("injected"), "{reason}");
    let refused = group.submit(transfer(&group, 4, 5, 1, 1), Durability::Memory).await;
    assert_eq!(refused.map_err(|error| error.code()), Err("group_stopped"));
    for receipt in &receipts {
        assert_eq!(group.wait(receipt.tx_id, FOR_EVER).await.as_ref(), Ok(receipt), "what is durable can be read");
    }
    group.stop().await;
    assert_eq!(group.stopped(), Some(reason), "the first reason stays");

    let group = open_on(Arc::new(store.restarted()), folder.path()).await;
    assert!(group.is_running());
    for receipt in &receipts {
        assert_eq!(group.ledger().receipt_of(&receipt.tx_id).unwrap().as_ref(), Some(&**receipt));
    }
    for transaction in &lost {
        let id = match group.submit(transaction.clone(), Durability::Memory).await {
            Ok(id) => id,
            Err(SubmitError::Refused(refusal)) if refusal.code() == "already_committed" => {
                transaction.id(&group.genesis_hash())
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(group.wait(id, PATIENCE).await.unwrap().status, Status::Success);
    }
    assert_eq!(balance(&group, 2).await, RICHES + (receipts.len() + lost.len()) as u128);
    group.stop().await;
    assert!(!group.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_stops_the_group_and_loses_nothing() {
    for fault in [Fault::BeforeWrite, Fault::DiskFull, Fault::AfterWrite] {
        // The genesis is the first write; votes and blocks follow one another.
        for at in 1..8 {
            fails_and_recovers(at, fault).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_when_a_group_is_stopped_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let never = transfer(&group, 1, 2, 1, 1).id(&group.genesis_hash());
    let (outcome, ()) = tokio::join!(group.wait(never, FOR_EVER), group.stop());
    assert_eq!(outcome, Err(WaitError::OutcomeUnknown));
    assert_eq!(group.wait(never, FOR_EVER).await, Err(WaitError::OutcomeUnknown));
    assert!(group.stopped().unwrap().contains("told to stop"));
}
