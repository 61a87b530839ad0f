//! A chain in development at its user's word: time ahead, and back to a snapshot.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use serde_json::Value;

/// What `bob` holds.
fn balance(node: &Node) -> String {
    node.run(&["contract", "query", "account", "balance_of", "bob"])["result"].as_str().unwrap().to_owned()
}

fn pay(node: &Node) -> Value {
    node.run(&["contract", "call", "account", "transfer", "bob", "5"])
}

fn refused(node: &Node, args: &[&str], exit: i32, word: &str) {
    let output = node.hanse(&[&["--json"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{said}");
    assert!(said.contains(word), "{said}");
}

#[test]
fn a_chain_goes_back_to_a_snapshot_and_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    pay(&node);
    let (before, height) = (balance(&node), node.run(&["status"])["chain"]["height"].clone());
    node.run(&["ledger", "snapshot", "before"]);
    let gone = pay(&node)["tx_id"].as_str().unwrap().to_owned();
    pay(&node);
    assert_ne!(balance(&node), before);

    refused(&node, &["dev", "revert", "nowhere"], 7, "no snapshot");
    refused(&node, &["dev", "revert", "../group"], 7, "no snapshot");
    let reverted = node.run(&["dev", "revert", "before"]);
    assert_eq!(reverted["height"], height);
    assert_eq!(balance(&node), before);
    refused(&node, &["tx", "show", &gone], 7, "");

    // The snapshot is still there, to go back to as often as a test wants.
    pay(&node);
    assert_ne!(balance(&node), before);
    node.run(&["dev", "revert", "before"]);
    assert_eq!(balance(&node), before);
    node.stop();

    let node = Node::start(folder.path());
    assert_eq!(balance(&node), before);
    node.stop();
}

#[test]
fn a_damaged_snapshot_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    pay(&node);
    let path = node.run(&["ledger", "snapshot", "hurt"])["path"].as_str().unwrap().to_owned();
    pay(&node);
    let now = balance(&node);
    let database = std::path::Path::new(&path).join("ledger");
    let table = std::fs::read_dir(&database).unwrap().map(|entry| entry.unwrap().path());
    let table = table.filter(|file| file.extension().is_some_and(|extension| extension == "sst")).min().unwrap();
    // A new file in its place: the snapshot is linked from the ledger's files.
    std::fs::remove_file(&table).unwrap();
    std::fs::write(&table, "damaged").unwrap();
    let output = node.hanse(&["--json", "dev", "revert", "hurt"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(balance(&node), now);
    pay(&node);
    node.stop();
    let left: Vec<String> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("group-")), "{left:?}");
}

#[test]
fn time_goes_ahead_and_clients_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let time = || node.run(&["status"])["chain"]["block_time"].as_u64().unwrap();
    pay(&node);
    let before = time();
    let soon_over =
        node.run(&["contract", "call", "account", "transfer", "bob", "5", "--unsigned", "--lifetime", "60"]);
    assert_eq!(node.run(&["dev", "advance", "86400"])["clock_ahead_ms"], 86_400_000);
    pay(&node);
    let after = time();
    assert!(after >= before + 86_400_000, "{after} is not a day after {before}");

    // What was made before the day passed has expired.
    let file = folder.path().join("late.json");
    std::fs::write(&file, soon_over.to_string()).unwrap();
    let signed = node.run(&["tx", "sign", file.to_str().unwrap()]);
    std::fs::write(&file, signed.to_string()).unwrap();
    refused(&node, &["tx", "send", file.to_str().unwrap()], 4, "expired");
    node.stop();
}
