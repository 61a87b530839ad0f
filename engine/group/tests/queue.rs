//! What was accepted with a promise over the end of the process: it is in the pool again after any crash, in its order,
//! unless it is committed or was dropped with a reason.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use hanse_group::{Durability, Group, GroupConfig, WaitError};
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerOptions, MemoryStore};
use hanse_types::{Genesis, Height, Params, SignedTransaction, StateCommitment, Status, TxId};

/// Longer than any test may take.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
/// A block interval that never ends: what is accepted waits.
const NEVER_MS: u64 = 24 * 60 * 60 * 1_000;

fn waiting_genesis() -> Genesis {
    let genesis = genesis(StateCommitment::Flat);
    Genesis { params: Params { block_interval_ms: NEVER_MS, ..genesis.params }, ..genesis }
}

async fn open_on(store: Arc<MemoryStore>, genesis: Genesis, folder: &Path) -> Group {
    let initial = hanse_vm::system::genesis_state(&genesis);
    let ledger = Ledger::open_store(store, &genesis, &initial, LedgerOptions::default()).unwrap();
    let config = GroupConfig { threads: 2, ..GroupConfig::new(genesis, folder.to_owned()) };
    Group::open_on(ledger, config, Arc::new(validator())).await.unwrap()
}

fn id(group: &Group, transaction: &SignedTransaction) -> TxId {
    transaction.transaction.id(&group.genesis_hash())
}

/// What the disk of a running group holds, as a crash at this moment leaves it.
fn crashed(store: &MemoryStore) -> Arc<MemoryStore> {
    Arc::new(store.restarted())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_outlives_a_crash_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default());
    let group = open_on(store.clone(), waiting_genesis(), folder.path()).await;
    let kept: Vec<_> = (0..50).map(|n| transfer(&group, 1, 2, 1, n)).collect();
    let held: Vec<_> = (50..100).map(|n| transfer(&group, 1, 2, 1, n)).collect();
    for (kept, held) in kept.iter().zip(&held) {
        group.submit(held.clone(), Durability::Memory).await.unwrap();
        group.submit(kept.clone(), Durability::Disk).await.unwrap();
    }
    assert_eq!(group.pool_status().waiting, 100);
    // Sent again with a promise, one that had none is kept from then on, in its old place.
    let again = group.submit(held[7].clone(), Durability::Disk).await.unwrap_err();
    assert_eq!(again.code(), "already_in_pool");

    let after = open_on(crashed(&store), waiting_genesis(), folder.path()).await;
    assert_eq!(after.pool_status().waiting, 51);
    for lost in held.iter().enumerate().filter(|(n, _)| *n != 7).map(|(_, held)| held) {
        after.submit(lost.clone(), Durability::Memory).await.unwrap();
    }
    for again in kept.iter().chain([&held[7]]) {
        let refused = after.submit(again.clone(), Durability::Disk).await.unwrap_err();
        assert_eq!(refused.code(), "already_in_pool");
    }
    assert_eq!(after.pool_status().waiting, 100);
    after.stop().await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_keeps_what_waits_even_without_a_promise() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default());
    let group = open_on(store.clone(), waiting_genesis(), folder.path()).await;
    for n in 0..20 {
        group.submit(transfer(&group, 1, 2, 1, n), Durability::Memory).await.unwrap();
    }
    group.stop().await;
    let group = open_on(crashed(&store), waiting_genesis(), folder.path()).await;
    assert_eq!(group.pool_status().waiting, 20);
    group.stop().await;
}

/// Submits with a promise until the store fails, then starts again on what it holds.
async fn fails_and_keeps_its_promises(at: u64, fault: Fault) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default().failing(at, fault));
    let genesis = genesis(StateCommitment::Flat);
    let group = open_on(store.clone(), genesis.clone(), folder.path()).await;
    let (mut promised, mut unknown) = (Vec::new(), Vec::new());
    for n in 0.. {
        let pair = [transfer(&group, 1, 2, 1, 2 * n), transfer(&group, 3, 2, 1, 2 * n + 1)];
        let answers = group.submit_many(pair.to_vec(), Durability::Disk).await;
        for (answer, transaction) in answers.into_iter().zip(pair) {
            match answer {
                Ok(_) => promised.push(transaction),
                Err(error) if error.code() == "outcome_unknown" => unknown.push(transaction),
                Err(error) => assert_eq!(error.code(), "group_stopped"),
            }
        }
        if !group.is_running() {
            break;
        }
        if n % 3 == 2 {
            // Blocks come between the writes of the queue.
            let newest = id(&group, promised.last().unwrap());
            let outcome = group.wait(newest, FOR_EVER).await;
            assert!(matches!(outcome, Ok(_) | Err(WaitError::OutcomeUnknown)), "{outcome:?}");
        }
    }
    assert!(group.stopped().unwrap().contains("injected"));
    let refused = group.submit(transfer(&group, 4, 5, 1, 1), Durability::Disk).await;
    assert_eq!(refused.map_err(|error| error.code()), Err("group_stopped"));
    group.stop().await;

    let group = open_on(crashed(&store), genesis, folder.path()).await;
    for transaction in &promised {
        let receipt = group.wait(id(&group, transaction), PATIENCE).await.unwrap();
        assert_eq!(receipt.status, Status::Success);
    }
    // What nothing was promised of is either there as a whole or not at all, and can be sent again.
    let mut sent_again = 0;
    for transaction in &unknown {
        match group.submit(transaction.clone(), Durability::Disk).await {
            Ok(_) => sent_again += 1,
            Err(error) => assert!(["already_in_pool", "already_committed"].contains(&error.code()), "{error}"),
        }
        group.wait(id(&group, transaction), PATIENCE).await.unwrap();
    }
    assert!(fault == Fault::AfterWrite || sent_again == unknown.len());
    assert_eq!(balance(&group, 2).await, RICHES + (promised.len() + unknown.len()) as u128);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_breaks_no_promise() {
    for fault in [Fault::BeforeWrite, Fault::DiskFull, Fault::AfterWrite] {
        // The genesis is the first write.
        for at in 1..14 {
            fails_and_keeps_its_promises(at, fault).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_emptied_as_blocks_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default());
    let group = open_on(store.clone(), genesis(StateCommitment::Flat), folder.path()).await;
    for n in 0..200 {
        let sent = group.submit(transfer(&group, 1, 2, 1, n), Durability::Disk).await.unwrap();
        group.wait(sent, PATIENCE).await.unwrap();
    }
    // Each write removes what was committed by then; the newest is removed by the next.
    assert!(group.ledger().queue(0, 100).unwrap().len() <= 2);
    assert_eq!(group.pool_status().waiting, 0);
    group.stop().await;
    let group = open_on(crashed(&store), genesis(StateCommitment::Flat), folder.path()).await;
    assert_eq!((group.pool_status().waiting, height(&group) > Height(0)), (0, true));
    group.stop().await;
}
