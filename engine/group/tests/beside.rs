//! Questions beside the making of blocks: they have threads and an engine of their own, and change nothing.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::*;
use hanse_group::{Durability, Group};
use hanse_types::{Address, ContractRef, Height, StateCommitment, Status};

/// Asks without a pause until it is told to stop; how many answers came.
async fn ask(group: Group, stop: Arc<AtomicBool>, answers: Arc<AtomicUsize>) {
    let mut nonce = 0;
    while !stop.load(Ordering::Relaxed) {
        nonce += 1;
        // It pays out of the same accounts as the blocks do, and deploys code that has to be compiled.
        let payment = borsh::to_vec(&(address(3), RICHES)).unwrap();
        let simulation = group.simulate(call(&group, 1, nonce, Address::native(1), "transfer", payment)).await.unwrap();
        assert!(matches!(simulation.execution.status, Status::Success | Status::Reverted));
        let name = format!("heavy-{nonce}");
        let deploy = borsh::to_vec(&(name, heavy_module(nonce), Vec::<u8>::new())).unwrap();
        group.simulate(call(&group, 2, nonce, Address::native(2), "deploy", deploy)).await.unwrap();
        group.contract_info(&ContractRef::Address(Address::native(1))).unwrap();
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// A module with work for the compiler, another one each time.
fn heavy_module(nonce: u64) -> Vec<u8> {
    let functions: String = (0..50).map(|n| format!("(func (result i64) (i64.const {}))", nonce * 100 + n)).collect();
    wat::parse_str(format!(r#"(module (memory (export "memory") 1) {functions})"#)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_questions_change_no_block() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Merkle).await;
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let askers: Vec<_> = (0..4).map(|_| tokio::spawn(ask(group.clone(), stop.clone(), answers.clone()))).collect();
    for round in 0..5u64 {
        let batch = (0..200).map(|n| transfer(&group, 1 + (n % 3) as u8, 11 + (n % 5) as u8, 3, round * 1_000 + n));
        for id in group.submit_many(batch.collect(), Durability::Disk).await {
            assert_eq!(group.wait(id.unwrap(), PATIENCE).await.unwrap().status, Status::Success);
        }
    }
    // On a machine with much else to do, the askers may not have had their turn yet.
    while answers.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.await.unwrap();
    }
    assert_eq!(replay_all(&group), 1_000);
    assert!(height(&group) >= Height(5));
    // Payers 1 to 3 paid 67, 67 and 66 times in each round, and nothing else happened to them.
    assert_eq!(balance(&group, 1).await, RICHES - 5 * 67 * 3);
    assert_eq!(balance(&group, 3).await, RICHES - 5 * 66 * 3);
    group.stop().await;
}
