//! `hanse bench` on a real node: every workload's calls are those of its contract, and the figures are consistent.
//! How fast anything is, is no matter of a test.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use serde_json::{Value, json};

/// A short load; its report.
fn bench(node: &Node, args: &[&str]) -> Value {
    node.run(&[&["bench", "--accounts", "40", "--batch", "50", "--connections", "4"], args].concat())
}

fn check(report: &Value, transactions: u64) {
    check_with(report, transactions, true);
}

fn check_with(report: &Value, transactions: u64, has_yardstick: bool) {
    assert_eq!((&report["transactions"], &report["failed"]), (&json!(transactions), &json!(0)), "{report}");
    let seconds = report["timeline"].as_array().unwrap();
    assert_eq!(seconds.iter().map(|slot| slot["committed"].as_u64().unwrap()).sum::<u64>(), transactions);
    let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
    let order = ["p50", "p90", "p99", "p99_9", "max"].map(latency);
    assert!(order[0] > 0.0 && order.is_sorted(), "{order:?}");
    let rate = report["transactions_per_second"].as_f64().unwrap();
    // Whoever leaves the yardstick out has no ratio.
    let verified = report["verified_per_second"]["by_library"].as_f64();
    let ratio = report["ratio_to_verification"].as_f64();
    assert_eq!((verified.is_some(), ratio.is_some()), (has_yardstick, has_yardstick), "{report}");
    assert!(verified.zip(ratio).is_none_or(|(verified, ratio)| (ratio - rate / verified).abs() < 1e-9), "{report}");
}

#[test]
fn every_workload_runs_on_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts");
    for contract in ["counter", "smallbank", "kv"] {
        let output = common::hanse(&shipped.join(contract), &["--json", "contract", "build"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built: Value = serde_json::from_slice(&output.stdout).unwrap();
        node.run(&["contract", "deploy", contract, "--wasm", built["wasm"].as_str().unwrap()]);
    }
    check(&bench(&node, &["--transactions", "300"]), 300);
    check(&bench(&node, &["--workload", "counter", "--transactions", "300", "--skew", "1"]), 300);
    assert_eq!(node.run(&["contract", "query", "counter", "get"])["result"], "330");
    let load = bench(&node, &["--workload", "ycsb", "--transactions", "300", "--no-yardstick"]);
    check_with(&load, 300, false);
    // Who was emptied by an amalgamation can't pay: that is no fault of the load.
    let report = bench(&node, &["--workload", "smallbank", "--transactions", "300"]);
    assert_eq!(report["transactions"], 300);
    node.stop();
}

#[test]
fn a_fixed_rate_is_kept_and_questions_are_asked_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let plot = folder.path().join("load.svg");
    let args =
        ["--duration", "7", "--rate", "500", "--warm-up", "0", "--queries", "2", "--plot", plot.to_str().unwrap()];
    let report = bench(&node, &args);
    // On a busy machine, a batch may find no connection free in time; then it is said to be skipped. Or the node refuses it.
    let skipped = report["skipped"].as_u64().unwrap();
    let refused: u64 = report["refused"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    check(&report, 3_500 - 50 * skipped - refused);
    assert_eq!((&report["loop_kind"], &report["offered_per_second"]), (&json!("rate"), &json!(500)));
    // All was sent at its time, so no faster than that.
    assert!(skipped > 0 || report["elapsed_ms"].as_f64().unwrap() >= 6_800.0, "{report}");
    assert!(report["questions"]["answers_per_second"].as_f64().unwrap() > 0.0);
    if cfg!(target_os = "linux") {
        assert!(report["memory"]["most"].as_u64() >= report["memory"]["first"].as_u64());
        assert!(report["cpu"]["node_s"].as_f64().unwrap() > 0.0);
        assert!(report["samples"].as_array().unwrap().len() >= 6);
    }
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
    node.stop();
}

#[test]
fn a_load_that_can_not_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let (exit, error) = node.fail(&["bench", "--workload", "counter"]);
    assert_eq!(exit, 7);
    assert!(error["hint"].as_str().unwrap().contains("hanse contract deploy counter"), "{error}");
    for wrong in [&["bench", "--skew", "-1"][..], &["bench", "--duration", "1", "--transactions", "1"]] {
        assert_eq!(node.hanse(wrong).status.code(), Some(2), "{wrong:?}");
    }
    node.stop();
}

/// How many transactions of a load's beginning are still there after a crash of the node, which makes no block.
fn left_after_a_crash(wait: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let waiting = |node: &Node| node.run(&["status"])["pool"]["waiting"].as_u64().unwrap();
    // No block fills, so none comes before a minute is over.
    let node = Node::start_with(folder.path(), &["--block-interval", "60000"]);
    let load = node.hanse(&["bench", "--accounts", "40", "--wait", wait, "--patience", "3"]);
    assert_eq!(load.status.code(), Some(5), "{}", String::from_utf8_lossy(&load.stderr));
    assert_eq!(waiting(&node), 40, "the accounts are funded first");
    node.kill();
    let node = Node::start(folder.path());
    let left = waiting(&node);
    node.kill();
    left
}

#[test]
fn a_load_that_does_not_wait_is_answered_before_the_disk() {
    assert_eq!(left_after_a_crash("pool"), 40);
    assert_eq!(left_after_a_crash("none"), 0);
}

#[test]
fn a_connection_may_be_unlucky_for_longer_than_the_load_is_patient() {
    let folder = tempfile::tempdir().unwrap();
    let password = [("HANSE_KEY_PASSWORD", "load"), ("HANSE_FROM", "payer")];
    let prepare = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hanse"));
        command.current_dir(folder.path()).env("HANSE_KEYS", folder.path().join("keys")).envs(password).args(args);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    prepare(&["key", "new", "payer"]);
    let founding = ["--block-interval", "500", "--account", "payer=1000000000000"];
    prepare(&[&["init", "node", "--plain-key", "--listen", "127.0.0.1:0"][..], &founding].concat());
    // A block takes what one connection has, so the last of forty has its turn after twenty seconds.
    let node = Node::serve(folder.path(), &[("HANSE_POOL__TRANSACTIONS", "20")]);
    let load = ["bench", "--transactions", "800", "--accounts", "40", "--warm-up", "0", "--patience", "10"];
    let report = node.run_with(&password, &[&load[..], &["--batch", "20", "--connections", "40"]].concat());
    check(&report, 800);
    assert!(report["elapsed_ms"].as_f64().unwrap() > 10_000.0, "{report}");
    node.stop();
}
