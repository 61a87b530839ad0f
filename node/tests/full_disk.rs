//! A node whose disk is full: it says so, promises nothing that it did not keep, and goes on when there is room again.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use hanse_client::codes;
use serde_json::Value;

/// Most calls until the disk is full, by far.
const CALLS: usize = 500;

fn account(n: usize) -> String {
    format!("0x{n:040x}")
}

/// Writes a long label, which is in the block several times.
fn label(node: &Node, n: usize) -> std::process::Output {
    let label = "x".repeat(60_000);
    node.hanse(&[
        "--json",
        "contract",
        "call",
        "account",
        "create_account",
        "--account",
        &account(n),
        "--label",
        &label,
    ])
}

fn error_code(output: &std::process::Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let error: Value =
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{text}"));
    error["error"]["code"].clone()
}

#[tokio::test]
async fn a_node_without_room_stops_says_why_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_on_small_disk(folder.path(), 8_192);
    let (kept, failed) = (0..CALLS)
        .find_map(|n| {
            let output = label(&node, n);
            (!output.status.success()).then_some((n, output))
        })
        .expect("the disk is full at some time");
    assert_eq!(error_code(&failed), codes::OUTCOME_UNKNOWN.code);
    assert_eq!(error_code(&label(&node, CALLS)), codes::GROUP_STOPPED.code);

    let ready = reqwest::get(format!("{}/ready", node.url)).await.unwrap();
    assert_eq!(ready.status(), reqwest::StatusCode::SERVICE_UNAVAILABLE);
    let reason = ready.text().await.unwrap();
    assert!(reason.starts_with("the group main has stopped: ") && reason.contains("File too large"), "{reason}");
    let status = node.run(&["status"]);
    assert_eq!(format!("the group main has stopped: {}\n", status["chain"]["stopped"].as_str().unwrap()), reason);
    assert_eq!(status["chain"]["height"], kept, "what is durable can be read");
    node.kill();

    let node = Node::start(folder.path());
    assert_eq!(reqwest::get(format!("{}/ready", node.url)).await.unwrap().status(), reqwest::StatusCode::OK);
    for n in 0..kept {
        let label = node.run(&["contract", "query", "account", "label_of", &account(n)])["result"].clone();
        assert_eq!(label.as_str().map(str::len), Some(60_000), "{n}");
    }
    assert!(label(&node, CALLS).status.success());
    node.stop();
}
