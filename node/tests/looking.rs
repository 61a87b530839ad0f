//! Looking at contracts from the command line: what they keep, which there are, what they are called, what errors mean.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Node, module, token_module};
use serde_json::{Value, json};

fn deploy(node: &Node, name: &str, arguments: &[&str], wasm: &str) -> Value {
    node.run(&[&["contract", "deploy", name, "--wasm", wasm], arguments].concat())["address"].clone()
}

fn register(node: &Node, id: &str, place: &str) {
    node.run(&["contract", "call", "assets", "register", id, place]);
}

#[test]
fn storage_is_read_by_field_and_element() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node, "token", &["--supply", "1_000"], token_module());
    let height = node.run(&["contract", "call", "token", "transfer", "bob", "30"])["height"].to_string();

    let whole = node.run(&["contract", "storage", "token"]);
    assert!(whole["fields"].as_array().unwrap().iter().any(|field| field["name"] == "balances"), "{whole}");
    let balances = node.run(&["contract", "storage", "token", "balances"]);
    assert_eq!(balances["entries"].as_array().unwrap().len(), 2);
    let bob = node.run(&["contract", "storage", "token", "balances", "bob"]);
    assert_eq!(bob["entries"][0]["decoded"], "30");
    let before = (height.parse::<u64>().unwrap() - 1).to_string();
    let (code, error) = node.fail(&["contract", "storage", "token", "balances", "bob", "--height", &before]);
    assert_eq!(code, 7, "{error}");
    let text = node.hanse(&["contract", "storage", "token", "balances", "bob"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("balances[0x") && text.contains("\"30\""), "{text}");

    for (words, part) in [
        (&["token", "balanzes", "bob"][..], "there are"),
        (&["token", "supply", "bob"], "has no elements"),
        (&["token", "balances", "nobody-here"], "nobody-here"),
    ] {
        let (code, error) = node.fail(&[&["contract", "storage"], words].concat());
        assert!(code != 0 && error["message"].as_str().unwrap().contains(part), "{words:?}: {code}: {error}");
    }
    assert_eq!(node.fail(&["contract", "storage", "nothing"]).0, 7);
    node.stop();
}

#[test]
fn rows_and_ordered_entries_are_decoded_by_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node, "assets", &[], &module("assets"));
    for (id, place) in [("crate-7", "Lagos"), ("crate-10", "Bergen"), ("crate", "Riga")] {
        register(&node, id, place);
    }
    let rows = node.run(&["contract", "storage", "assets", "assets"]);
    let shown: Vec<&Value> = rows["entries"].as_array().unwrap().iter().map(|row| &row["field"]).collect();
    assert_eq!(shown, ["assets[crate]", "assets[crate-10]", "assets[crate-7]"], "in their order");
    let row = node.run(&["contract", "storage", "assets", "assets", "crate"]);
    assert_eq!(row["entries"].as_array().unwrap().len(), 1, "no other that begins like it: {row}");
    assert_eq!(row["entries"][0]["decoded"]["place"], "Riga");
    let step = node.run(&["contract", "storage", "assets", "history", r#"["crate-7", 0]"#]);
    assert_eq!(step["entries"][0]["field"], "history[crate-7, 0]");
    assert_eq!(step["entries"][0]["decoded"]["state"], "Registered");

    // Page by page, and each entry once.
    let page = node.run(&["contract", "storage", "assets", "assets", "--limit", "2"]);
    let next = page["next"].as_str().unwrap();
    let rest = node.run(&["contract", "storage", "assets", "assets", "--start", next]);
    assert_eq!(rest["entries"][0]["field"], "assets[crate-7]");
    assert!(rest["next"].is_null());
    node.stop();
}

#[test]
fn contracts_and_names_are_listed_and_names_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let address = deploy(&node, "token", &["--supply", "1_000"], token_module());
    let list = node.run(&["contract", "list"]);
    let contracts = list["contracts"].as_array().unwrap();
    assert!(contracts.iter().any(|contract| contract["address"] == address));
    assert!(contracts.iter().any(|contract| contract["name"] == "names" && contract["deployed"].is_null()));
    let one = node.run(&["contract", "list", "--limit", "1"]);
    let rest = node.run(&["contract", "list", "--after", one["next"].as_str().unwrap()]);
    assert_eq!(rest["contracts"].as_array().unwrap().len(), contracts.len() - 1);

    let set = node.run(&["name", "set", "coin", "token"]);
    assert_eq!((&set["status"], &set["result"]), (&json!("success"), &json!(1)));
    node.run(&["name", "set", "coin", address.as_str().unwrap(), "--version", "5"]);
    let name = node.run(&["name", "get", "coin"]);
    let versions: Vec<&Value> =
        name["versions"].as_array().unwrap().iter().map(|version| &version["version"]).collect();
    assert_eq!(versions, [&json!(5), &json!(1)]);
    assert_eq!(node.run(&["contract", "query", "coin@1", "balance_of", "alice"])["result"], "1000");
    let all = node.run(&["name", "list"]);
    assert!(all["names"].as_array().unwrap().iter().any(|name| name["name"] == "coin"));

    // Another's name, a name that is none, and a contract that is none.
    assert_eq!(node.fail(&["name", "set", "coin", "token", "--from", "bob"]).0, 3);
    assert_eq!(node.fail(&["name", "set", "0coin", "token"]).0, 3);
    assert_eq!(node.fail(&["name", "set", "other", "nothing"]).0, 7);
    assert_eq!(node.fail(&["name", "get", "nothing"]).0, 7);
    node.stop();
}

#[test]
fn help_tells_of_commands_and_errors() {
    let help = |words: &[&str]| common::hanse(Path::new("."), &[&["help"], words].concat());
    let by_number = help(&["errors", "5003"]);
    assert!(by_number.status.success());
    assert!(String::from_utf8_lossy(&by_number.stdout).starts_with("5003 outcome_unknown"));
    assert_eq!(help(&["errors", "outcome_unknown"]).stdout, by_number.stdout);
    assert_eq!(common::hanse(Path::new("."), &["errors", "outcome_unknown"]).stdout, by_number.stdout);
    assert_eq!(help(&["errors"]).stdout, common::hanse(Path::new("."), &["errors"]).stdout);
    let unknown = help(&["errors", "outcome_unknow"]);
    assert_eq!(unknown.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean outcome_unknown?"));

    let deploy = String::from_utf8(help(&["contract", "deploy"]).stdout).unwrap();
    assert!(deploy.contains("Usage: hanse contract deploy"), "{deploy}");
    assert!(String::from_utf8(help(&[]).stdout).unwrap().contains("Commands:"));
    let typo = help(&["contract", "depoly"]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&typo.stderr).contains("did you mean deploy?"));
}
