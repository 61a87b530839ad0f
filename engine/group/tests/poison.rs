//! A transaction by which the node fails: it is found, runs alone, and is dropped with a reason; everything else is
//! executed, in its order.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/harm.rs"]
mod harm;

use std::path::Path;
use std::sync::Arc;

use common::*;
use hanse_consensus::Peer;
use hanse_group::{Durability, FailedPlace, Failure, Group, GroupConfig, Hub, TransactionStatus};
use hanse_ledger::{Ledger, LedgerOptions, MemoryStore};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, Genesis, Validator};
use hanse_types::{Address, Height, Params, SignedTransaction, StateCommitment, Status, TxId};
use harm::{Harm, HarmfulStore, POISON};

fn params(params: Params) -> Genesis {
    Genesis { params, ..genesis(StateCommitment::Merkle) }
}

fn ledger_on(store: &HarmfulStore, genesis: &Genesis) -> Ledger {
    let initial = hanse_vm::system::genesis_state(genesis);
    Ledger::open_store(Arc::new(store.clone()), genesis, &initial, LedgerOptions::default()).unwrap()
}

async fn open_on(store: &HarmfulStore, folder: &Path) -> Group {
    open_of(store, folder, genesis(StateCommitment::Merkle)).await
}

async fn open_of(store: &HarmfulStore, folder: &Path, genesis: Genesis) -> Group {
    let ledger = ledger_on(store, &genesis);
    let config = GroupConfig { threads: 2, ..patient(genesis, folder.to_owned()) };
    Group::open_on(ledger, config, Arc::new(validator())).await.unwrap()
}

fn new_store(harm: Harm) -> HarmfulStore {
    HarmfulStore::new(MemoryStore::default(), harm)
}

/// By which the node fails.
fn poison(group: &Group, nonce: u64) -> SignedTransaction {
    let args = borsh::to_vec(&(POISON, "poison".to_owned())).unwrap();
    signed(group, 7, call(group, 7, nonce, Address::native(1), "create_account", args))
}

fn id(group: &Group, transaction: &SignedTransaction) -> TxId {
    transaction.id(&group.genesis_hash())
}

/// Ten payments, the poison, ten payments: all promised to outlive a crash. The ids, and which of them is the poison.
async fn submit_all(group: &Group) -> (Vec<TxId>, usize) {
    (submit_among(group, 20, 10).await, 10)
}

/// So many payments, with the poison at this place.
async fn submit_among(group: &Group, count: u64, place: usize) -> Vec<TxId> {
    let mut all: Vec<_> = (0..count).map(|nonce| transfer(group, 1, 2, 1, nonce)).collect();
    all.insert(place, poison(group, 0));
    let answers = group.submit_many(all, Durability::Disk).await;
    answers.into_iter().map(Result::unwrap).collect()
}

async fn has_stopped(group: &Group) {
    let stopped = async {
        while group.is_running() {
            // Ends with an unknown outcome when the group fails.
            let never = transfer(group, 19, 1, 1, 1_000_000);
            drop(group.wait(id(group, &never), PATIENCE).await);
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.expect("the group does not stop");
}

async fn committed_in_order(group: &Group, ids: &[TxId]) {
    let mut places = Vec::new();
    for id in ids {
        let receipt = group.wait(*id, PATIENCE).await.unwrap();
        assert_eq!(receipt.status, Status::Success);
        places.push((receipt.height, receipt.index));
    }
    assert!(places.is_sorted(), "{places:?}");
    replay_all(group);
}

async fn assert_dropped(group: &Group, id: TxId, how: &str) {
    let TransactionStatus::Dropped(dropped) = group.status(id).await.unwrap() else { panic!("not dropped") };
    assert_eq!(dropped.reason, "engine_failed");
    assert!(dropped.message.contains(how), "{}", dropped.message);
    let failed = group.failed(FailedPlace::END, 10).unwrap();
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|one| one.id == id && matches!(one.failure, Failure::Dropped(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_panics_inside_the_node_is_dropped_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(Harm::Panic);
    let group = open_on(&store, folder.path()).await;
    let (mut ids, at) = submit_all(&group).await;
    has_stopped(&group).await;
    assert!(group.stopped().unwrap().contains("harmed by the poisoned account"));
    group.stop().await;
    assert_eq!(group.ledger().suspects().unwrap().iter().map(|mark| mark.id).collect::<Vec<_>>(), [ids[at]]);

    // What came before it is executed, then it is tried alone.
    let store = store.crashed(Harm::Panic);
    let group = open_on(&store, folder.path()).await;
    has_stopped(&group).await;
    group.stop().await;
    assert_dropped(&group, ids[at], "harmed").await;

    let store = store.crashed(Harm::Panic);
    let group = open_on(&store, folder.path()).await;
    let culprit = ids.remove(at);
    committed_in_order(&group, &ids).await;
    assert_dropped(&group, culprit, "harmed").await;
    assert_eq!(balance(&group, 2).await, RICHES + 20);
    assert!(group.ledger().suspects().unwrap().is_empty());

    // Tried again it is alone at once.
    assert_eq!(group.retry(culprit).await, Ok(culprit));
    has_stopped(&group).await;
    group.stop().await;
    assert_dropped(&group, culprit, "harmed").await;

    // A node that was mended takes it.
    let group = open_on(&store.crashed(Harm::None), folder.path()).await;
    assert_eq!(group.retry(culprit).await, Ok(culprit));
    assert_eq!(group.wait(culprit, PATIENCE).await.unwrap().status, Status::Success);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_ends_the_process_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_store(Harm::Hang);
    let mut group = open_on(&store, folder.path()).await;
    let (mut ids, at) = submit_all(&group).await;
    let mut starts = 0;
    // Each time it hangs, the process ends.
    while !matches!(group.status(ids[at]).await.unwrap(), TransactionStatus::Dropped(_)) {
        tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
        store = store.crashed(Harm::Hang);
        group = open_on(&store, folder.path()).await;
        starts += 1;
        assert!(starts < 10, "it is not found");
    }
    // Until it is suspected, the process ended twice; then come three trials, and the start that drops it.
    assert_eq!(starts, 5);
    let culprit = ids.remove(at);
    committed_in_order(&group, &ids).await;
    assert_dropped(&group, culprit, "the process ended").await;
    group.stop().await;
    assert_eq!(group.ledger().interrupted().unwrap(), None);

    // Tried again it is alone at once, and whoever sends it once more does not take its trials back.
    let sent = group.failed(FailedPlace::END, 1).unwrap().remove(0).signed;
    let mut store = store.crashed(Harm::Hang);
    let mut group = open_on(&store, folder.path()).await;
    assert_eq!(group.retry(culprit).await, Ok(culprit));
    for trials in 1..3 {
        tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
        store = store.crashed(Harm::Hang);
        group = open_on(&store, folder.path()).await;
        let again = group.submit(sent.clone(), Durability::Disk).await;
        assert!(matches!(&again, Err(error) if error.code() == "already_in_pool"), "{again:?}");
        // What is kept after it says that all before is written.
        group.submit(transfer(&group, 1, 2, 1, 1_000 + trials), Durability::Disk).await.unwrap();
        let marks = group.ledger().suspects().unwrap();
        assert_eq!(marks.iter().map(|mark| (mark.id, u64::from(mark.trials))).collect::<Vec<_>>(), [(culprit, trials)]);
    }
    tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
    let group = open_on(&store.crashed(Harm::Hang), folder.path()).await;
    assert_dropped(&group, culprit, "the process ended").await;
    group.stop().await;
}

/// A chain where a reference may lie few blocks back.
fn short_window() -> Genesis {
    params(Params { ref_block_window: 40, ..genesis(StateCommitment::Merkle).params })
}

#[tokio::test(flavor = "multi_thread")]
async fn suspicion_costs_few_blocks_so_that_none_that_waits_becomes_too_old_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(Harm::Hang);
    let group = open_of(&store, folder.path(), short_window()).await;
    let ids = submit_among(&group, 600, 0).await;
    // It is killed in its first block, twice, as if by somebody; then nothing is wrong.
    tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
    let store = store.crashed(Harm::Hang);
    open_of(&store, folder.path(), short_window()).await;
    tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
    let group = open_of(&store.crashed(Harm::None), folder.path(), short_window()).await;
    assert_eq!(group.ledger().suspects().unwrap().len(), ids.len());
    committed_in_order(&group, &ids).await;
    assert!(height(&group) <= Height(40 / 8), "{:?}", height(&group));
    group.stop().await;
    assert_eq!((group.ledger().suspects().unwrap(), group.ledger().interrupted().unwrap()), (vec![], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_ends_the_process_is_found_among_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_store(Harm::Hang);
    let mut group = open_of(&store, folder.path(), short_window()).await;
    let mut ids = submit_among(&group, 600, 400).await;
    let mut starts = 0;
    while !matches!(group.status(ids[400]).await.unwrap(), TransactionStatus::Dropped(_)) {
        tokio::time::timeout(PATIENCE, store.has_harmed()).await.unwrap();
        store = store.crashed(Harm::Hang);
        group = open_of(&store, folder.path(), short_window()).await;
        starts += 1;
        assert!(starts < 20, "it is not found");
    }
    // Until it is suspected, the process ended twice; then it is one of 121, of 25 and of 5, and alone three times.
    assert_eq!(starts, 8);
    let culprit = ids.remove(400);
    committed_in_order(&group, &ids).await;
    assert_dropped(&group, culprit, "the process ended").await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_between_blocks_accuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let slow = || params(Params { block_interval_ms: 120_000, ..genesis(StateCommitment::Merkle).params });
    let mut store = new_store(Harm::None);
    let mut group = open_of(&store, folder.path(), slow()).await;
    // One block is made, so that there is one to be between.
    let first = transfer(&group, 1, 3, 1, 1_000);
    let first = group.submit(first, Durability::Disk).await.unwrap();
    group.advance_clock(std::time::Duration::from_secs(121)).await;
    group.wait(first, PATIENCE).await.unwrap();
    // While a block is made this says of what.
    assert_eq!(std::fs::read(folder.path().join("running")).unwrap(), [0; 17]);
    let ids = submit_among(&group, 5, 2).await;
    for _ in 0..5 {
        store = store.crashed(Harm::None);
        group = open_of(&store, folder.path(), slow()).await;
        assert_eq!(group.status(ids[0]).await, Ok(TransactionStatus::Waiting));
    }
    assert_eq!((group.ledger().suspects().unwrap(), group.ledger().interrupted().unwrap()), (vec![], None));
    group.advance_clock(std::time::Duration::from_secs(121)).await;
    committed_in_order(&group, &ids).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_of_a_disk_is_no_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(Harm::Error);
    let group = open_on(&store, folder.path()).await;
    let (ids, _) = submit_all(&group).await;
    has_stopped(&group).await;
    group.stop().await;
    assert!(group.ledger().suspects().unwrap().is_empty());
    let group = open_on(&store.crashed(Harm::None), folder.path()).await;
    committed_in_order(&group, &ids).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_nothing_to_do_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(Harm::None);
    open_on(&store, folder.path()).await.stop().await;
    let store = store.crashed(Harm::None);
    open_on(&store, folder.path()).await.stop().await;
    assert_eq!(store.writes(), 0);
}

/// A node that is started again whenever it has stopped, as by a supervisor.
struct Member {
    number: usize,
    folder: tempfile::TempDir,
    store: HarmfulStore,
    group: Group,
    stops: usize,
}

fn key(n: usize) -> SecretKey {
    SecretKey::ed25519([150 + n as u8; 32])
}

async fn join(hub: &Arc<Hub>, number: usize, store: &HarmfulStore, is_new: bool, folder: &Path) -> Group {
    let validators = (0..4).map(|n| Validator { name: format!("v{n}"), key: key(n).public_key() }).collect();
    let genesis = Genesis { consensus: ConsensusKind::Bft, validators, ..genesis(StateCommitment::Merkle) };
    let ledger = ledger_on(store, &genesis);
    let config = GroupConfig { threads: 1, ..patient(genesis, folder.to_owned()) };
    Group::join_on(ledger, is_new, config, Arc::new(key(number)), hub.join(Peer(number as u32))).await.unwrap()
}

impl Member {
    async fn start(hub: &Arc<Hub>, number: usize) -> Member {
        let (folder, store) = (tempfile::tempdir().unwrap(), new_store(Harm::Panic));
        let group = join(hub, number, &store, true, folder.path()).await;
        Member { number, folder, store, group, stops: 0 }
    }

    async fn restart_if_stopped(&mut self, hub: &Arc<Hub>) {
        if self.group.is_running() {
            return;
        }
        self.group.stop().await;
        self.stops += 1;
        self.store = self.store.crashed(Harm::Panic);
        self.group = join(hub, self.number, &self.store, false, self.folder.path()).await;
    }

    fn has(&self, id: &TxId) -> bool {
        self.group.ledger().find_transaction(id).unwrap().is_some()
    }
}

/// All of four validators fail by it, wherever it goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_several_validators_gets_over_it() {
    let hub = Hub::new();
    let mut members = Vec::new();
    for number in 0..4 {
        members.push(Member::start(&hub, number).await);
    }
    let (mut ids, at) = submit_all(&members[0].group).await;
    let culprit = ids.remove(at);
    let all_over = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
        while !members.iter().all(|member| member.group.is_running() && ids.iter().all(|id| member.has(id))) {
            tick.tick().await;
            for member in &mut members {
                member.restart_if_stopped(&hub).await;
            }
        }
    };
    tokio::time::timeout(2 * PATIENCE, all_over).await.expect("the group does not get over it");
    let stops: usize = members.iter().map(|member| member.stops).sum();
    assert!((1..=12).contains(&stops), "{stops} stops");
    // More may come: whoever still has the poison fails by it. What all have stays.
    for member in &members {
        assert!(!member.has(&culprit));
        for height in 1..=member.group.ledger().height().0 {
            let other = members[0].group.ledger().block_hash(Height(height)).unwrap();
            assert!(other.is_none() || member.group.ledger().block_hash(Height(height)).unwrap() == other);
        }
    }
    for member in members {
        member.group.stop().await;
    }
}
