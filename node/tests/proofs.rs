//! What a real node proves, and what a client that trusts the genesis alone makes of it; and the past.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use hanse_client::methods::{ProofOf, ProveTx, ProveTxParams};
use hanse_client::proof::Anchor;
use hanse_client::{ClientError, codes};
use hanse_types::{Address, Genesis, Hash, Height, TxId};
use serde_json::{Value, json};

/// The balances of accounts are a field of the native contract `account`.
const BALANCE_OF_BOB: &str = "balances/bob";

fn pay(node: &Node, amount: &str) -> Value {
    node.run(&["contract", "call", "account", "transfer", "bob", amount])
}

fn genesis(folder: &std::path::Path) -> Genesis {
    serde_json::from_slice(&std::fs::read(folder.join("genesis.json")).unwrap()).unwrap()
}

fn address(node: &Node, at: usize) -> Address {
    node.started["accounts"][at]["address"].as_str().unwrap().parse().unwrap()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

/// The number in a value of the state.
fn number(value: &Value) -> u128 {
    let bytes: hanse_client::Bytes = value.as_str().unwrap().parse().unwrap();
    u128::from_le_bytes(bytes.0.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_the_genesis_needs_to_trust_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
    let receipts = [pay(&node, "30"), pay(&node, "12")];
    let anchor = Anchor::new(&genesis(folder.path())).unwrap();
    let client = node.client();
    for receipt in &receipts {
        let id = hash(&receipt["tx_id"]);
        let signed = client.proven_transaction(&anchor, id).await.unwrap();
        assert_eq!(signed.value.transaction.method, "transfer");
        let proven = client.proven_receipt(&anchor, id).await.unwrap();
        assert_eq!((proven.value.tx_id, proven.header.height), (TxId(id), proven.value.height));
        let rw_set = client.proven_rw_set(&anchor, id).await.unwrap();
        assert!(!rw_set.value.writes.is_empty());
        assert_eq!(signed.header, rw_set.header);
    }

    let account = Address::native(1);
    let key = [&hanse_abi::keys::field_prefix("balances")[..], &address(&node, 1).0].concat();
    let mut before = None;
    for (height, paid) in [(None, 42), (Some(Height(1)), 30), (Some(Height(2)), 42)] {
        let proven = client.proven_state(&anchor, account, &key, height).await.unwrap();
        let value = u128::from_le_bytes(proven.value.unwrap().try_into().unwrap());
        assert_eq!(value - *before.get_or_insert(value - paid), paid, "at {height:?}");
    }
    let absent = client.proven_state(&anchor, account, b"nothing", Some(Height(1))).await.unwrap();
    assert_eq!(absent.value, None);

    let mut other = genesis(folder.path());
    other.timestamp.0 += 1;
    let stranger = Anchor::new(&other).unwrap();
    let refused = client.proven_state(&stranger, account, &key, None).await.unwrap_err();
    assert!(matches!(refused, ClientError::Proof(_)), "{refused}");
    let missing = ProveTxParams { tx_id: Hash([9; 32]), of: ProofOf::Receipt };
    assert!(client.call::<ProveTx>(missing).await.unwrap_err().is(codes::NOT_FOUND));
}

#[test]
fn the_command_line_shows_what_it_checked_and_on_what_ground() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
    let receipt = pay(&node, "30");
    let (id, genesis) = (receipt["tx_id"].as_str().unwrap(), folder.path().join("genesis.json"));
    let genesis = genesis.to_str().unwrap();
    for of in ["transaction", "receipt", "access-set"] {
        let proven = node.run(&["tx", "proof", id, "--of", of, "--genesis", genesis]);
        assert_eq!((&proven["trusted"], &proven["height"]), (&json!("validators"), &receipt["height"]));
    }
    let block_hash = node.run(&["tx", "show", id])["block_hash"].clone();
    let proven = node.run(&["tx", "proof", id, "--trust", block_hash.as_str().unwrap()]);
    assert_eq!((&proven["trusted"], &proven["block_hash"]), (&json!("hash"), &block_hash));
    let (exit, error) = node.fail(&["tx", "proof", id, "--trust", &Hash::ZERO.to_string()]);
    assert_eq!(exit, 1);
    assert!(error["message"].as_str().unwrap().contains("leads to block"), "{error}");

    let proven = node.run(&["state", "get", "account", BALANCE_OF_BOB, "--proof", "--genesis", genesis]);
    assert_eq!((&proven["trusted"], &proven["block_hash"]), (&json!("validators"), &block_hash));
    let unproven = node.run(&["state", "get", "account", BALANCE_OF_BOB]);
    assert_eq!((&unproven["value"], &unproven["proof"]), (&proven["value"], &Value::Null));
    let absent = node.run(&["state", "get", "account", "balances/0x00", "--proof"]);
    assert_eq!((&absent["value"], &absent["trusted"]), (&Value::Null, &json!("node")));
    let (exit, _) = node.fail(&["state", "get", "account", "0x1"]);
    assert_eq!(exit, 2);
    let (exit, error) = node.fail(&["state", "get", "nobody", "x"]);
    assert_eq!((exit, &error["code"]), (7, &json!(1001)));
}

#[test]
fn the_past_is_told_until_it_is_pruned_and_a_flat_group_says_that_it_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let balance = |node: &Node, height: &str| {
        let answer = node.run(&["state", "get", "account", BALANCE_OF_BOB, "--height", height]);
        assert_eq!(answer["height"].to_string(), height);
        number(&answer["value"])
    };
    let start = balance(&node, "0");
    for amount in ["30", "12", "8"] {
        pay(&node, amount);
    }
    let all = |node: &Node| ["0", "1", "2", "3"].map(|height| balance(node, height) - start);
    assert_eq!(all(&node), [0, 30, 42, 50]);
    let (exit, error) = node.fail(&["state", "get", "account", BALANCE_OF_BOB, "--height", "4"]);
    assert_eq!((exit, &error["code"]), (7, &json!(1001)));
    let (_, error) = node.fail(&["state", "get", "account", BALANCE_OF_BOB, "--proof"]);
    assert_eq!(error["code"], 1006);
    node.stop();

    let node = Node::start(folder.path());
    assert_eq!(all(&node), [0, 30, 42, 50], "after a restart");
    assert_eq!(node.run(&["ledger", "prune", "--below", "2"])["oldest_height"], 2);
    let check_pruned = |node: &Node| {
        let (exit, error) = node.fail(&["state", "get", "account", BALANCE_OF_BOB, "--height", "1"]);
        assert_eq!((exit, &error["code"], &error["detail"]["oldest_height"]), (7, &json!(1005), &json!(2)));
        assert_eq!(["2", "3"].map(|height| balance(node, height) - start), [42, 50]);
    };
    check_pruned(&node);
    node.kill();
    check_pruned(&Node::start(folder.path()));
}

#[test]
fn a_snapshot_of_a_running_node_becomes_a_node_of_the_same_past() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
    let first = pay(&node, "30");
    let taken = node.run(&["ledger", "snapshot", "before-lunch"]);
    assert_eq!((&taken["height"], &taken["name"]), (&first["height"], &json!("before-lunch")));
    pay(&node, "12");
    let (_, error) = node.fail(&["ledger", "snapshot", "before-lunch"]);
    assert_eq!(error["code"], 1008);
    let (_, error) = node.fail(&["ledger", "snapshot", "../elsewhere"]);
    assert_eq!(error["code"], -32602);
    let later = node.run(&["ledger", "snapshot"]);
    let info = node.run(&["ledger", "info"]);
    assert_eq!((&info["snapshots"], &info["blocks"]), (&json!([taken, later]), &json!(3)));
    let genesis_hash = node.started["genesis_hash"].as_str().unwrap().to_owned();
    node.stop();

    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    let (from, to) = (taken["path"].as_str().unwrap(), copy.to_str().unwrap());
    let run = |args: &[&str]| common::hanse(elsewhere.path(), &[&["--json"], args].concat());
    let other = run(&["ledger", "restore", from, to, "--genesis-hash", &Hash::ZERO.to_string()]);
    assert_eq!(other.status.code(), Some(1));
    let restored = run(&["ledger", "restore", from, to, "--genesis-hash", &genesis_hash]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(run(&["ledger", "restore", from, to]).status.code(), Some(2));
    let checked: Value = serde_json::from_slice(&run(&["ledger", "check", to]).stdout).unwrap();
    assert_eq!((&checked["height"], &checked["block_hash"]), (&taken["height"], &taken["block_hash"]));

    let node = Node::start(&copy);
    assert_eq!((&node.started["height"], &node.started["genesis_hash"]), (&first["height"], &json!(genesis_hash)));
    assert_eq!(node.run(&["tx", "show", first["tx_id"].as_str().unwrap()])["receipt"], first);
    pay(&node, "8");
    node.stop();
    assert!(run(&["ledger", "check", to]).status.success());
    assert_eq!(run(&["ledger", "check", from]).status.code(), Some(7));
}
