//! The way of a contract on a real chain, and that nothing of it is lost: not by a restart, not by a crash.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::Node;
use serde_json::json;

fn deploy(node: &Node) {
    let deployed =
        node.run(&["contract", "deploy", "token", "--wasm", common::token_module(), "--supply", "1_000_000_000"]);
    assert_eq!(deployed["name"], "token");
    assert_eq!(deployed["deployed"]["version"], 1);
    assert_eq!(deployed["receipt"]["status"], "success");
}

fn balance(node: &Node, owner: &str) -> serde_json::Value {
    node.run(&["contract", "query", "token", "balance_of", owner])["result"].clone()
}

#[test]
fn a_token_is_deployed_called_asked_and_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);

    let receipt = node.run(&["contract", "call", "token", "transfer", "--to", "bob", "--amount", "30"]);
    assert_eq!(receipt["status"], "success");
    assert_eq!(receipt["events"][0]["name"], "Transfer");
    assert_eq!(receipt["events"][0]["fields"]["amount"], "30");
    assert_eq!(balance(&node, "bob"), "30");
    assert_eq!(balance(&node, "alice"), "999999970");

    let id = receipt["tx_id"].as_str().unwrap();
    let shown = node.run(&["tx", "show", id]);
    assert_eq!(shown["transaction"]["method"], "transfer");
    assert_eq!(shown["transaction"]["arguments"]["amount"], "30");
    assert_eq!(shown["receipt"], receipt);

    let height = receipt["height"].to_string();
    let block = node.run(&["block", "show", &height]);
    assert_eq!(block["header"]["tx_count"], 1);
    let dag = node.run(&["block", "dag", &height]);
    assert_eq!((&dag["transactions"], &dag["edges"]), (&json!(1), &json!(0)));
    assert_eq!(dag["work"], dag["span"]);

    let events = node.run(&["event", "list", "--contract", "token", "--name", "Transfer"]);
    // The first one is that of the supply, at deployment.
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
    assert_eq!(node.run(&["event", "list"])["complete"], true);
    node.stop();
}

#[test]
fn a_call_that_reverts_says_why_and_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let transfer = ["contract", "call", "token", "transfer", "alice", "5", "--from", "bob"];
    let (exit, error) = node.fail(&transfer);
    assert_eq!((exit, &error["code"]), (3, &json!(3001)));
    assert_eq!(error["message"], "balance 0 is less than 5");

    let simulated = node.hanse(&[&["--json"], &transfer[..], &["--simulate"]].concat());
    assert_eq!(simulated.status.code(), Some(3));
    let simulation: serde_json::Value = serde_json::from_slice(&simulated.stdout).unwrap();
    assert_eq!(simulation["failure"]["error"], "TooLittle");
    assert!(!simulation["access"]["reads"].as_array().unwrap().is_empty());

    let (exit, error) = node.fail(&["contract", "call", "token", "transfer", "--to", "bob", "--amuont", "5"]);
    assert_eq!((exit, &error["hint"]), (2, &json!("did you mean --amount?")));
    let (exit, _) = node.fail(&["contract", "call", "nothing", "transfer"]);
    assert_eq!(exit, 7);
    let (exit, error) = node.fail(&["contract", "call", "token", "tranfser"]);
    assert_eq!((exit, &error["hint"]), (7, &json!("did you mean transfer?")));
    let (exit, _) = node.fail(&["contract", "query", "token", "transfer", "bob", "5"]);
    assert_eq!(exit, 2);
}

#[test]
fn a_contract_is_frozen_and_unfrozen_by_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let (exit, error) = node.fail(&["contract", "freeze", "token", "--from", "bob"]);
    assert_eq!((exit, &error["code"]), (3, &json!(3010)));
    node.run(&["contract", "freeze", "token"]);
    assert_eq!(node.run(&["contract", "info", "token"])["deployed"]["status"], "frozen");
    let (_, error) = node.fail(&["contract", "call", "token", "transfer", "bob", "1"]);
    assert_eq!(error["code"], 3008);
    node.run(&["contract", "unfreeze", "token"]);
    node.run(&["contract", "call", "token", "transfer", "bob", "1"]);
    assert_eq!(balance(&node, "bob"), "1");
}

#[test]
fn an_argument_may_be_named_like_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    node.run(&["contract", "call", "token", "approve", "--spender", "bob", "--amount", "9"]);
    let spend = ["--from", "bob", "contract", "call", "token", "transfer_from"];
    node.run(&[&spend[..], &["--", "--from", "alice", "--to", "carol", "--amount", "4"]].concat());
    node.run(&[&spend[..], &["alice", "carol", "5"]].concat());
    assert_eq!(balance(&node, "carol"), "9");
    let (_, error) = node.fail(&[&spend[..], &["alice", "carol", "1"]].concat());
    assert_eq!(error["message"], "allowance 0 is less than 1");
}

#[test]
fn a_restart_and_a_crash_keep_everything() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let first = node.run(&["contract", "call", "token", "transfer", "bob", "30"]);
    let genesis = node.started["genesis_hash"].clone();
    node.stop();

    let node = Node::start(folder.path());
    assert_eq!(node.started["genesis_hash"], genesis);
    assert_eq!(node.started["height"], first["height"]);
    assert_eq!(balance(&node, "bob"), "30");
    let second = node.run(&["contract", "call", "token", "transfer", "bob", "12"]);
    assert_eq!(second["height"].as_u64(), first["height"].as_u64().map(|height| height + 1));
    // What a client was told is durable: a crash right after takes nothing of it.
    node.kill();

    let node = Node::start(folder.path());
    assert_eq!(balance(&node, "bob"), "42");
    for receipt in [&first, &second] {
        let shown = node.run(&["tx", "show", receipt["tx_id"].as_str().unwrap()]);
        assert_eq!(&shown["receipt"], receipt);
    }
    node.run(&["contract", "call", "token", "transfer", "bob", "8"]);
    assert_eq!(balance(&node, "bob"), "50");
    node.stop();
}

#[test]
fn a_crash_under_load_loses_nothing_that_was_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let before = node.run(&["bench", "--transactions", "500", "--accounts", "50"]);
    assert_eq!((&before["transactions"], &before["failed"]), (&json!(500), &json!(0)));
    let last = before["last_height"].to_string();
    let block = node.run(&["block", "show", &last]);
    let load = std::thread::scope(|scope| {
        let load = scope.spawn(|| node.hanse(&["bench", "--transactions", "100000", "--patience", "2"]));
        // Killed while blocks come: as soon as one more than there were is durable.
        let client = node.client();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let height = hanse_types::Height(before["last_height"].as_u64().unwrap());
        let waited = runtime.block_on(client.wait_block(height, Duration::from_secs(60))).unwrap();
        assert!(waited.header.is_some());
        let pid = node.process_id().to_string();
        assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        load.join().unwrap()
    });
    assert!(!load.status.success());
    node.kill();

    let node = Node::start(folder.path());
    assert_eq!(node.run(&["block", "show", &last]), block);
    assert!(node.started["height"].as_u64() > before["last_height"].as_u64());
    let after = node.run(&["bench", "--transactions", "500", "--accounts", "50", "--workload", "token"]);
    assert_eq!((&after["transactions"], &after["failed"]), (&json!(500), &json!(0)));
}
