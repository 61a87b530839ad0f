//! A node as a service: what `hanse init` writes, what `hanse start` does with it, and what it refuses.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Node, hanse};
use serde_json::Value;

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// What a command that must fail says, and its exit code.
fn refusal(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = hanse(folder, args);
    assert!(!output.status.success(), "hanse {args:?} should fail");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn initialised(folder: &Path, options: &[&str]) {
    let output = hanse(folder, &[&["init", "node", "--listen", "127.0.0.1:0", "--plain-key"], options].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The lines of one of a node's logs.
fn log(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("node/log").join(format!("{name}.log"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_node_is_made_started_stopped_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "correct horse\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let password = password.to_str().unwrap();
    let made = hanse(folder.path(), &["--json", "key", "new", "treasury", "--password-file", password]);
    let treasury = json(&made)["address"].as_str().unwrap().to_owned();
    let account = ["--account", "treasury=1_000", "--administrator", "treasury"];
    let made = hanse(
        folder.path(),
        &[&["--json", "init", "node", "--listen", "127.0.0.1:0", "--password-file", password], &account[..]].concat(),
    );
    let made = json(&made);
    assert_eq!(made["administrators"], serde_json::json!([treasury]));
    assert_eq!(made["encrypted"], true);
    let mode = std::fs::metadata(folder.path().join("node/validator.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let node = Node::serve(folder.path(), &[]);
    assert_eq!(node.started["genesis_hash"], made["genesis_hash"]);
    let bob = "0x00000000000000000000000000000000000000b0";
    let call = ["contract", "call", "account", "transfer", bob, "5", "--from", "treasury", "--password-file", password];
    assert_eq!(node.run(&call)["status"], "success");
    let call =
        ["contract", "call", "account", "transfer", bob, "5000", "--from", "treasury", "--password-file", password];
    assert_eq!(node.fail(&call).0, 3);
    node.stop();

    let node = Node::serve(folder.path(), &[("HANSE_LOG__FORMAT", "json")]);
    assert_eq!(node.started["height"], 2, "it goes on where it was");
    assert_eq!(node.run(&["contract", "query", "account", "balance_of", bob, "--from", "treasury"])["result"], "5");
    node.stop();

    let system = log(folder.path(), "system");
    let of =
        |words: &str| system.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {system:?}"));
    assert!(of(" INFO hanse::service: started height=0 ").contains("chain=hanse"), "{}", of("started"));
    assert!(of("block committed").contains("height=1"));
    assert!(of("\"message\":\"started\"").starts_with('{'));
    for line in &system {
        let time = line.trim_start_matches("{\"time\":\"");
        assert!(time.as_bytes()[10] == b'T' && time.as_bytes()[19] == b'.' && time.as_bytes()[23] == b'Z', "{line}");
    }
}

#[test]
fn nothing_is_said_while_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    initialised(folder.path(), &[]);
    let (node, said) = Node::serve_quietly(folder.path());
    assert_eq!(said, format!("{}\n", node.url), "the port was any free one, so it is told");
    let (output, errors) = node.stop_and_read();
    assert_eq!((output.as_str(), errors.as_str()), ("", ""));
}

#[test]
fn a_node_starts_though_nobody_reads_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    initialised(folder.path(), &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_hanse"));
    program.current_dir(folder.path()).args(["start", "--json", "--config", "node/hanse.toml"]);
    let mut process = program.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let system = folder.path().join("node/log/system.log");
    let is_up = || std::fs::read_to_string(&system).is_ok_and(|text| text.contains(" hanse::service: started "));
    while !is_up() && process.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not start");
        std::thread::yield_now();
    }
    // It says so only after it logged that.
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_node_does_not_start_with_anything_wrong_and_says_what() {
    let folder = tempfile::tempdir().unwrap();
    initialised(folder.path(), &[]);
    let start = ["start", "--config", "node/hanse.toml"];
    let config = folder.path().join("node/hanse.toml");
    let good = std::fs::read_to_string(&config).unwrap();

    std::fs::write(&config, good.replace("[execution]", "[execution]\nthread = 2")).unwrap();
    let (code, error) = refusal(folder.path(), &start);
    assert_eq!(code, 1);
    assert!(error.contains("node/hanse.toml:") && error.contains("did you mean execution.threads?"), "{error}");
    std::fs::write(&config, &good).unwrap();

    let key = folder.path().join("node/validator.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(folder.path(), &start).1.contains("chmod 600"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::write(&config, good.replace("127.0.0.1:0", &address)).unwrap();
    assert!(refusal(folder.path(), &start).1.contains(&format!("can't listen on {address}")));
    std::fs::write(&config, &good).unwrap();

    let genesis = folder.path().join("node/genesis.json");
    let text = std::fs::read_to_string(&genesis).unwrap();
    std::fs::write(&genesis, text.replace("\"chain_id\": \"hanse\"", "\"chain_id\": \"other\"")).unwrap();
    let (_, error) = refusal(folder.path(), &start);
    assert!(error.contains("the data folder has the chain hanse"), "{error}");

    let (code, error) = refusal(folder.path(), &["start", "--config", "absent.toml"]);
    assert!(code == 1 && error.contains("absent.toml") && error.contains("hanse init"), "{error}");
}

#[test]
fn a_chain_whose_keys_everyone_has_is_no_service() {
    let folder = tempfile::tempdir().unwrap();
    let (code, error) = refusal(folder.path(), &["init", "node", "--plain-key", "--administrator", "alice"]);
    assert!(code == 2 && error.contains("development key alice"), "{error}");
    assert!(!folder.path().join("node").exists(), "nothing is written when the command line is wrong");
    initialised(folder.path(), &[]);
    let (code, error) = refusal(folder.path(), &["init", "node", "--plain-key"]);
    assert!(code == 2 && error.contains("there already"), "{error}");

    let chain = folder.path().join("chain");
    Node::start(&chain).stop();
    std::fs::copy(chain.join("genesis.json"), folder.path().join("node/genesis.json")).unwrap();
    let (_, error) = refusal(folder.path(), &["start", "--config", "node/hanse.toml"]);
    assert!(error.contains("development key validator"), "{error}");
}

#[test]
fn the_configuration_says_what_it_is_and_where_from() {
    let folder = tempfile::tempdir().unwrap();
    initialised(folder.path(), &[]);
    let config = ["--config", "node/hanse.toml"];
    let checked = json(&hanse(folder.path(), &[&["--json", "config", "check"], &config[..]].concat()));
    assert_eq!(checked["notes"], serde_json::json!([]));
    let printed = json(&hanse(folder.path(), &[&["--json", "config", "print", "--origin"], &config[..]].concat()));
    assert_eq!(printed["rpc"]["listen"]["value"], "127.0.0.1:0");
    assert!(printed["rpc"]["listen"]["origin"].as_str().unwrap().starts_with("node/hanse.toml:"));
    assert_eq!(printed["pool"]["mib"], serde_json::json!({ "value": 256, "origin": "default" }));
    let different = json(&hanse(folder.path(), &[&["--json", "config", "diff"], &config[..]].concat()));
    let keys: Vec<&str> = different.as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["rpc.listen"]);

    let printed = hanse(folder.path(), &[&["config", "print"], &config[..]].concat());
    let again = folder.path().join("node/again.toml");
    std::fs::write(&again, &printed.stdout).unwrap();
    let different =
        hanse(folder.path(), &["--json", "config", "diff", "--config", "node/again.toml", "node/hanse.toml"]);
    assert_eq!(json(&different), serde_json::json!([]), "what is printed is a configuration");
}

#[test]
fn a_chain_in_development_does_not_keep_history_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--keep-history", "2", "--block-interval", "1"]);
    let oldest = |node: &Node| node.run(&["ledger", "info"])["oldest_height"].as_u64().unwrap();
    let mut sent = 0;
    while oldest(&node) == 0 {
        assert_eq!(node.run(&["contract", "call", "account", "transfer", "bob", "1"])["status"], "success");
        sent += 1;
        assert!(sent < 100, "nothing was given up");
    }
    assert!(sent > 2);
    node.stop();
}

#[test]
fn history_and_snapshots_are_kept_by_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "x").unwrap();
    let password = password.to_str().unwrap();
    let made = hanse(folder.path(), &["key", "new", "user", "--password-file", password]);
    assert!(made.status.success());
    initialised(folder.path(), &["--account", "user=1000", "--block-interval", "1"]);
    let rules =
        [("HANSE_HISTORY__KEEP_BLOCKS", "3"), ("HANSE_SNAPSHOTS__EVERY_BLOCKS", "2"), ("HANSE_SNAPSHOTS__KEEP", "2")];
    let node = Node::serve(folder.path(), &rules);
    let bob = "0x00000000000000000000000000000000000000b0";
    let mut sent = 0;
    let ledger = loop {
        let call = ["contract", "call", "account", "transfer", bob, "1", "--from", "user", "--password-file", password];
        assert_eq!(node.run(&call)["status"], "success");
        sent += 1;
        let ledger = node.run(&["ledger", "info"]);
        let snapshots = ledger["snapshots"].as_array().unwrap();
        // Housekeeping is beside the chain: it is done when it is done.
        let kept = snapshots.len() == 2 && snapshots[0]["height"].as_u64() > Some(2);
        if sent >= 8 && kept && ledger["oldest_height"].as_u64() > Some(1) {
            break ledger;
        }
        assert!(sent < 100, "{ledger}");
    };
    let oldest = ledger["oldest_height"].as_u64().unwrap();
    assert!(oldest <= sent - 3, "{oldest} of {sent}: three are kept");
    assert!(ledger["snapshots"][0]["name"].as_str().unwrap().starts_with("auto-"));
    node.stop();
}
