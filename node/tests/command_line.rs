//! What the README promises of the command line, word for word, and what scripts rely on.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Output;

use common::Node;
use hanse_client::codes;
use serde_json::Value;

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn from_nothing_to_a_confirmed_call() {
    let folder = tempfile::tempdir().unwrap();
    let new = common::hanse(folder.path(), &["contract", "new", "counter"]);
    assert!(new.status.success(), "{}", text(&new.stderr));
    let again = common::hanse(folder.path(), &["contract", "new", "counter"]);
    assert_eq!(code(&again), 2);

    let contract = folder.path().join("counter");
    let nowhere = common::hanse(folder.path(), &["contract", "deploy", "counter"]);
    assert_eq!(code(&nowhere), 2, "{}", text(&nowhere.stderr));
    let built = common::hanse(&contract, &["contract", "build"]);
    assert!(built.status.success(), "{}", text(&built.stderr));
    assert!(text(&built.stdout).contains("add(by: u64)"), "{}", text(&built.stdout));

    let chain = tempfile::tempdir().unwrap();
    let node = Node::start(chain.path());
    let run = |args: &[&str]| {
        let args = [&["--rpc", &node.url, "--json"], args].concat();
        let output = common::hanse(&contract, &args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let deployed = run(&["contract", "deploy", "counter"]);
    assert!(deployed["address"].as_str().unwrap().starts_with("0x"));
    let receipt = run(&["contract", "call", "counter", "add", "--by", "3"]);
    assert_eq!(receipt["status"], "success");
    assert_eq!(run(&["contract", "query", "counter", "total"])["result"], "3");
    assert_eq!(run(&["block", "dag", "latest"])["transactions"], 1);
    node.stop();
}

#[test]
fn a_transaction_is_signed_where_no_node_is() {
    let folder = tempfile::tempdir().unwrap();
    let chain = tempfile::tempdir().unwrap();
    let node = Node::start(chain.path());
    let online = |args: &[&str]| common::hanse(folder.path(), &[&["--rpc", &node.url, "--json"], args].concat());
    let offline =
        |args: &[&str]| common::hanse(folder.path(), &[&["--rpc", "http://127.0.0.1:1", "--json"], args].concat());
    let write = |name: &str, output: &Output| {
        assert!(output.status.success(), "{}", text(&output.stderr));
        std::fs::write(folder.path().join(name), &output.stdout).unwrap();
    };
    let call = ["contract", "call", "--unsigned", "--lifetime", "60", "account", "transfer", "bob", "5"];
    write("unsigned.json", &online(&call));
    let decoded: Value = serde_json::from_slice(&offline(&["tx", "decode", "unsigned.json"]).stdout).unwrap();
    assert_eq!((&decoded["method"], &decoded["signed"]), (&"transfer".into(), &false.into()));

    let other = offline(&["tx", "sign", "unsigned.json", "--from", "bob"]);
    assert_eq!(code(&other), 2, "{}", text(&other.stderr));
    assert!(text(&other.stderr).contains("sign with the sender's key"), "{}", text(&other.stderr));
    let unsigned = online(&["tx", "send", "unsigned.json"]);
    assert_eq!(code(&unsigned), 2, "{}", text(&unsigned.stderr));

    write("signed.json", &offline(&["tx", "sign", "unsigned.json"]));
    let sent = online(&["tx", "send", "signed.json"]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let receipt: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((&receipt["status"], &receipt["tx_id"]), (&"success".into(), &decoded["tx_id"]));
    // The same again: it is one transaction, with one receipt, however often it is sent.
    let again = online(&["tx", "send", "signed.json"]);
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), receipt, "{}", text(&again.stderr));

    for (content, word) in [("no json", "holds no JSON"), ("{}", "holds no transaction")] {
        std::fs::write(folder.path().join("bad.json"), content).unwrap();
        let refused = offline(&["tx", "sign", "bad.json"]);
        assert_eq!(code(&refused), 2);
        assert!(text(&refused.stderr).contains(word), "{}", text(&refused.stderr));
    }
    node.stop();
}

#[test]
fn keys_come_from_openssl_and_go_there() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "correct horse").unwrap();
    let hanse = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hanse"));
        command.current_dir(&folder).env("HANSE_KEYS", folder.path().join("keys"));
        command.args(["--json", "--password-file", "password"]).args(args).output().unwrap()
    };
    // RFC 8410, section 10.3.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    std::fs::write(folder.path().join("openssl.pem"), pem).unwrap();
    let imported = hanse(&["key", "import", "treasury", "openssl.pem"]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let sealed: Value = serde_json::from_slice(&hanse(&["key", "export", "treasury"]).stdout).unwrap();
    assert!(sealed["pem"].as_str().unwrap().contains("ENCRYPTED"));
    let plain: Value = serde_json::from_slice(&hanse(&["key", "export", "treasury", "--plain"]).stdout).unwrap();
    assert_eq!(plain["pem"], pem);
    assert_eq!(code(&hanse(&["key", "import", "treasury", "openssl.pem"])), 1);
    assert_eq!(code(&hanse(&["key", "import", "alice", "openssl.pem"])), 2);
    assert_eq!(code(&hanse(&["key", "export", "nobody"])), 7);
}

#[test]
fn shells_complete_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = common::hanse(Path::new("."), &["completions", shell]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("contract"), "{shell}");
    }
}

#[test]
fn without_a_node_the_exit_code_is_6() {
    // Port 1 of this machine: reserved, and nobody listens there.
    let output = common::hanse(Path::new("."), &["--rpc", "http://192.0.2.1:1", "--json", "errors", "2012"]);
    assert!(output.status.success());
    let output = common::hanse(Path::new("."), &["--rpc", "http://127.0.0.1:1", "status"]);
    assert_eq!(code(&output), 6, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hanse dev"));
    assert!(output.stdout.is_empty());
    for wrong in ["ftp://x", "nonsense"] {
        assert_eq!(code(&common::hanse(Path::new("."), &["--rpc", wrong, "status"])), 2);
    }
}

#[test]
fn keys_are_made_without_a_question_where_nobody_can_answer() {
    let folder = tempfile::tempdir().unwrap();
    let refused = common::hanse(folder.path(), &["key", "new", "treasury"]);
    assert_eq!(code(&refused), 2, "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("HANSE_KEY_PASSWORD"));

    std::fs::write(folder.path().join("password"), "correct horse\n").unwrap();
    let made = common::hanse(folder.path(), &["--json", "--password-file", "password", "key", "new", "treasury"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let shown = common::hanse(folder.path(), &["--json", "key", "show", "treasury"]);
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap(), made);
    assert_eq!(code(&common::hanse(folder.path(), &["key", "show", "nobody"])), 7);
    assert_eq!(code(&common::hanse(folder.path(), &["key", "new", "alice"])), 2);
}

#[test]
fn an_account_of_ones_own_pays_and_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "correct horse\n").unwrap();
    let chain = tempfile::tempdir().unwrap();
    let node = Node::start(chain.path());
    let run = |args: &[&str]| {
        let args = [&["--rpc", &node.url, "--json", "--password-file", "password"], args].concat();
        let output = common::hanse(folder.path(), &args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    run(&["key", "new", "treasury", "--algorithm", "secp256k1"]);
    run(&["contract", "call", "account", "transfer", "--to", "treasury", "--amount", "50"]);
    run(&["--from", "treasury", "contract", "call", "account", "transfer", "--to", "bob", "--amount", "20"]);
    assert_eq!(run(&["contract", "query", "account", "balance_of", "treasury"])["result"], "30");
}

#[test]
fn a_program_is_told_in_json_what_it_got_wrong() {
    for wrong in [&["tx", "trace", "0x12"][..], &["nonsense"], &["contract", "info"], &["status", "--nonsense"]] {
        let output = common::hanse(Path::new("."), &[&["--json"], wrong].concat());
        assert_eq!(code(&output), 2, "{wrong:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(!message.starts_with("error") && error["error"]["exit"] == 2, "{error}");
    }
    let help = common::hanse(Path::new("."), &["--json", "tx", "--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("trace"), "help is no error");
}

#[test]
fn a_command_waits_for_its_block_as_long_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // No block comes before the command ends.
    let node = Node::start_with(folder.path(), &["--block-interval", "60000"]);
    let (exit, error) = node.fail(&["contract", "call", "account", "transfer", "bob", "5", "--commit-timeout", "1"]);
    assert_eq!((exit, &error["code"]), (5, &Value::from(codes::OUTCOME_UNKNOWN.code)));
    let id = error["hint"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(node.run(&["tx", "status", &id])["state"], "waiting");
    assert_eq!(code(&node.hanse(&["status", "--commit-timeout", "0"])), 2);
    node.stop();
}
