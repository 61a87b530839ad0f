//! What was accepted with a promise over the end of the process: it is in the pool again after any crash, in its order,
//! unless it is committed or was dropped with a reason.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use common::*;
use hanse_group::{
    DropLimits, Durability, FailedPlace, Failure, Group, GroupConfig, RetryError, TransactionStatus, WaitError,
};
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerOptions, MemoryStore};
use hanse_types::{Gas, Genesis, Height, Params, SignedTransaction, StateCommitment, Status, Transaction, TxId};

/// Longer than any test may take.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
/// A block interval that never ends: what is accepted waits.
const NEVER_MS: u64 = 24 * 60 * 60 * 1_000;

fn waiting_genesis() -> Genesis {
    let genesis = genesis(StateCommitment::Flat);
    Genesis { params: Params { block_interval_ms: NEVER_MS, ..genesis.params }, ..genesis }
}

async fn open_on(store: Arc<MemoryStore>, genesis: Genesis, folder: &Path) -> Group {
    open_with(store, genesis, folder, DropLimits::default()).await
}

async fn open_with(store: Arc<MemoryStore>, genesis: Genesis, folder: &Path, drops: DropLimits) -> Group {
    let initial = hanse_vm::system::genesis_state(&genesis);
    let ledger = Ledger::open_store(store, &genesis, &initial, LedgerOptions::default()).unwrap();
    let config = GroupConfig { threads: 2, drops, ..patient(genesis, folder.to_owned()) };
    Group::open_on(ledger, config, Arc::new(validator())).await.unwrap()
}

fn id(group: &Group, transaction: &SignedTransaction) -> TxId {
    transaction.id(&group.genesis_hash())
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
    let mut kept = 0;
    for transaction in &unknown {
        match group.submit(transaction.clone(), Durability::Disk).await.map_err(|error| error.code()) {
            // A block may have been written before the queue was.
            Ok(_) | Err("already_committed") => {}
            Err("already_in_pool") => kept += 1,
            Err(error) => panic!("{error}"),
        }
        group.wait(id(&group, transaction), PATIENCE).await.unwrap();
    }
    assert!(fault == Fault::AfterWrite || kept == 0);
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

/// How long a payment lives that is to expire before a block comes: by the group's clock, which the test moves.
const SHORT: Duration = Duration::from_secs(60);
/// Moves the clock past that: it counts whole milliseconds, so it may be up to two behind the one that transactions are dated by.
const LONGER: Duration = Duration::from_secs(61);
/// How long a block waits for more.
const INTERVAL: Duration = Duration::from_secs(120);

fn short_lived(group: &Group, nonce: u64) -> SignedTransaction {
    let long = transfer(group, 1, 2, 1, nonce).transaction;
    signed(group, 1, Transaction { expiration: now().plus_ms(SHORT.as_millis() as u64), ..long })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_is_known_over_restarts_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::default());
    let genesis = genesis(StateCommitment::Flat);
    let genesis =
        Genesis { params: Params { block_interval_ms: INTERVAL.as_millis() as u64, ..genesis.params }, ..genesis };
    let limits = DropLimits { count: 5, ..DropLimits::default() };
    let group = open_with(store.clone(), genesis.clone(), folder.path(), limits).await;
    let sent: Vec<_> = (0..12).map(|n| short_lived(&group, n)).collect();
    let ids: Vec<_> = sent.iter().map(|transaction| id(&group, transaction)).collect();
    for answer in group.submit_many(sent.clone(), Durability::Disk).await {
        answer.unwrap();
    }
    assert_eq!(group.status(ids[0]).await, Ok(TransactionStatus::Waiting));
    // All of them wait before the first is dropped: soon it is forgotten.
    let mut outcomes: Vec<_> = ids.iter().map(|id| Box::pin(group.wait(*id, PATIENCE))).collect();
    for outcome in &mut outcomes {
        assert!(std::future::poll_fn(|context| Poll::Ready(outcome.as_mut().poll(context))).await.is_pending());
    }
    group.advance_clock(LONGER).await;
    for outcome in outcomes {
        assert_eq!(outcome.await, Err(WaitError::Dropped { reason: "expired".into() }));
    }
    let check = async |group: &Group| {
        for (n, id) in ids.iter().enumerate() {
            match group.status(*id).await.unwrap() {
                TransactionStatus::Dropped(dropped) => assert!(n >= 7 && dropped.reason == "expired"),
                status => assert!(n < 7 && status == TransactionStatus::Unknown, "{n}: {status:?}"),
            }
        }
        let failed = group.failed(FailedPlace::END, 3).unwrap();
        let older = group.failed(failed[2].place, 3).unwrap();
        let listed: Vec<_> = failed.iter().chain(&older).map(|failed| failed.id).collect();
        let newest_first: Vec<_> = ids[7..].iter().rev().copied().collect();
        assert_eq!(listed, newest_first);
        assert!(failed.iter().all(|failed| matches!(failed.failure, Failure::Dropped(_))));
        assert_eq!(failed[0].signed, sent[11]);
    };
    check(&group).await;
    let group = open_with(crashed(&store), genesis, folder.path(), limits).await;
    group.advance_clock(LONGER).await;
    check(&group).await;

    // As it was it can't be executed; made anew it can, once.
    assert!(matches!(group.retry(ids[9]).await, Err(RetryError::Submit(error)) if error.code() == "expired"));
    let other = transfer(&group, 1, 2, 2, 100);
    assert_eq!(group.renew(ids[9], other).await, Err(RetryError::OtherCall { id: ids[9] }));
    let anew = transfer(&group, 1, 2, 1, 101);
    let renewed = group.renew(ids[9], anew.clone()).await.unwrap();
    assert_eq!(renewed, id(&group, &anew));
    let again = group.renew(ids[9], transfer(&group, 1, 2, 1, 102)).await;
    assert_eq!(again, Err(RetryError::Renewed { id: ids[9], by: renewed }));
    group.advance_clock(INTERVAL).await;
    assert_eq!(group.wait(renewed, PATIENCE).await.unwrap().status, Status::Success);
    let again = group.renew(ids[9], transfer(&group, 1, 2, 1, 103)).await;
    assert_eq!(again, Err(RetryError::Renewed { id: ids[9], by: renewed }));
    assert_eq!(group.retry(renewed).await, Err(RetryError::NotFailed { id: renewed }));
    // What replaces it, and is refused, does not stand in the way of another one.
    let refused =
        signed(&group, 1, Transaction { gas_limit: Gas(u64::MAX), ..transfer(&group, 1, 2, 1, 104).transaction });
    assert!(matches!(group.renew(ids[8], refused).await, Err(RetryError::Submit(_))));
    assert!(group.renew(ids[8], transfer(&group, 1, 2, 1, 105)).await.is_ok());
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_failed_are_found_by_block() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let mut failed = Vec::new();
    for n in 0..6 {
        let too_much = transfer(&group, 1, 2, RICHES * 10, n);
        let receipt = group.submit_and_wait(too_much, PATIENCE).await.unwrap();
        assert!(!receipt.status.is_success());
        failed.push(receipt.tx_id);
        group.submit_and_wait(transfer(&group, 1, 2, 1, 100 + n), PATIENCE).await.unwrap();
    }
    failed.reverse();
    let mut found = Vec::new();
    let mut below = FailedPlace::END;
    loop {
        let page = group.failed(below, 2).unwrap();
        let Some(last) = page.last() else { break };
        below = last.place;
        found.extend(page.into_iter().map(|failed| failed.id));
    }
    assert_eq!(found, failed);
    let TransactionStatus::Committed(receipt) = group.status(failed[0]).await.unwrap() else { panic!("not committed") };
    assert_eq!(group.retry(failed[0]).await, Err(RetryError::Executed { id: failed[0], height: receipt.height }));
    group.stop().await;
}
