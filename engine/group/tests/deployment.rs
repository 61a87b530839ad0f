//! Code is checked and compiled when its transaction is submitted, before any block has it.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::*;
use hanse_group::{Durability, Group};
use hanse_types::{Gas, SignedTransaction, StateCommitment, Status};
use hanse_vm::system::lifecycle;

/// `(module (memory (export "memory") 1) (func (export "hanse.run")))`, with a data segment of this byte.
fn module(byte: u8) -> Vec<u8> {
    let mut code = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01".to_vec();
    code.extend_from_slice(b"\x07\x16\x02\x06memory\x02\0\x09hanse.run\0\0\x0a\x04\x01\x02\0\x0b");
    code.extend_from_slice(&[0x0b, 0x07, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x01, byte]);
    code
}

fn deploy(group: &Group, from: u8, nonce: u64, name: &str, code: &[u8], gas: u64) -> SignedTransaction {
    let args = borsh::to_vec(&(name, code, Vec::<u8>::new())).unwrap();
    let mut transaction = call(group, from, nonce, lifecycle::ADDRESS, "deploy", args);
    transaction.gas_limit = Gas(gas);
    signed(group, from, transaction)
}

/// Compiled modules on the disk.
fn compiled(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("compiled")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_checked_and_compiled_when_it_is_submitted() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let refused =
        group.submit(deploy(&group, 1, 1, "bad", b"nonsense", 50_000_000), Durability::Disk).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_code");
    assert!(refused.to_string().contains("not valid WebAssembly"), "{refused}");

    // No block compiles these: the first has not the gas, the second not the name.
    let poor = group.submit_and_wait(deploy(&group, 1, 2, "poor", &module(1), 20_000), PATIENCE).await.unwrap();
    assert_eq!((poor.status, compiled(folder.path())), (Status::OutOfGas, 0));
    let taken = deploy(&group, 1, 3, "account", &module(1), 50_000_000);
    let taken = group.submit_and_wait(taken, PATIENCE).await.unwrap();
    assert_eq!((taken.status, compiled(folder.path())), (Status::PermissionDenied, 1), "{}", taken.message);

    // Among others, in their order.
    let batch = vec![
        transfer(&group, 1, 2, 5, 4),
        deploy(&group, 1, 5, "good", &module(2), 50_000_000),
        deploy(&group, 1, 6, "bad", b"nonsense", 50_000_000),
        transfer(&group, 1, 2, 5, 7),
    ];
    let answers = group.submit_many(batch, Durability::Disk).await;
    assert_eq!(answers[2].as_ref().unwrap_err().code(), "invalid_code");
    for at in [0, 1, 3] {
        let receipt = group.wait(answers[at].clone().unwrap(), PATIENCE).await.unwrap();
        assert_eq!(receipt.status, Status::Success, "{}", receipt.message);
    }
    assert_eq!(compiled(folder.path()), 2);
    group.stop().await;
}

/// Where only administrators deploy, nobody else has anything compiled; and an upgrade is its owner's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_compiled_for_who_may_not_deploy() {
    let folder = tempfile::tempdir().unwrap();
    let group = open(folder.path(), StateCommitment::Flat).await;
    let run = async |transaction: SignedTransaction| group.submit_and_wait(transaction, PATIENCE).await.unwrap();
    let deployed = run(deploy(&group, 2, 1, "mine", &module(1), 50_000_000)).await;
    assert_eq!(deployed.status, Status::Success, "{}", deployed.message);
    let contract: hanse_types::Address = borsh::from_slice(&deployed.output).unwrap();
    let upgrade = |from, nonce, byte| {
        let args = borsh::to_vec(&(contract, module(byte), Vec::<u8>::new())).unwrap();
        signed(&group, from, call(&group, from, nonce, lifecycle::ADDRESS, "upgrade", args))
    };
    assert_eq!(run(upgrade(3, 1, 2)).await.status, Status::PermissionDenied);
    assert_eq!(compiled(folder.path()), 1);
    assert_eq!(run(upgrade(2, 2, 2)).await.status, Status::Success);
    assert_eq!(compiled(folder.path()), 2);

    let close = borsh::to_vec(&("open_deployment", 0u64)).unwrap();
    let params = hanse_vm::system::params::ADDRESS;
    assert_eq!(run(signed(&group, 1, call(&group, 1, 1, params, "set", close))).await.status, Status::Success);
    let refused = run(deploy(&group, 2, 3, "closed", &module(3), 50_000_000)).await;
    assert_eq!((refused.status, compiled(folder.path())), (Status::PermissionDenied, 2), "{}", refused.message);
    group.stop().await;
}
