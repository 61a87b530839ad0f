//! What a node lets in: the limits that its operator sets, and what its log tells of what was kept out.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{Node, hanse};
use hanse_client::{Call, ChainContext, Contract, bulk, codes};
use hanse_types::crypto::SecretKey;
use hanse_types::{Address, Hash, SignedTransaction};
use serde_json::{Value, json};

fn service(folder: &Path, variables: &[(&str, &str)]) -> Node {
    let output = hanse(folder, &["init", "node", "--plain-key", "--listen", "127.0.0.1:0"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Node::serve(folder, variables)
}

/// Transactions whose signatures are wrong: they were made for another chain.
async fn forged(node: &Node, count: usize) -> Vec<SignedTransaction> {
    let info = node.client().chain_info().await.unwrap();
    let context = ChainContext { genesis: Hash::ZERO, ..ChainContext::from(&info) };
    let (key, args) = (SecretKey::ed25519([7; 32]), borsh::to_vec(&(Address([9; 20]), 1u128)).unwrap());
    let call = || Call::new(Contract::native(1), "transfer", args.clone()).sign(&context, &key).unwrap();
    (0..count).map(|_| call()).collect()
}

async fn post(node: &Node, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let answer = reqwest::Client::new().post(format!("{}{path}", node.url)).body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

fn batch(method: &str, params: &Value, count: usize) -> String {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    Value::from(vec![request; count]).to_string()
}

#[tokio::test]
async fn what_is_refused_is_logged_some_one_by_one_and_the_rest_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    let forged = forged(&node, 25).await;
    let (_, answer) = post(&node, bulk::PATH, bulk::encode(&forged)).await;
    assert_eq!(answer["refused"].as_array().unwrap().len(), 25, "{answer}");
    let nonsense = json!({ "transaction": "0x1234" });
    let (_, answers) = post(&node, "", batch("tx_submit", &nonsense, 12)).await;
    assert!(answers.as_array().unwrap().iter().all(|answer| answer["error"]["code"] == codes::MALFORMED.code));
    node.stop();

    let log = std::fs::read_to_string(folder.path().join("node/log/exception.log")).unwrap();
    let lines = |words: &str, reason: &str| -> Vec<&str> {
        log.lines().filter(|line| line.contains(words) && line.contains(&format!("reason={reason}"))).collect()
    };
    let single = lines("transaction refused", "bad_signature");
    assert_eq!(single.len(), 10, "{log}");
    assert!(single.iter().all(|line| line.contains(" tx=0x") && line.contains(" sender=0x")), "{log}");
    let rest = lines("more transactions were refused", "bad_signature");
    assert!(rest.len() == 1 && rest[0].contains("count=15"), "{log}");
    assert_eq!(lines("transaction refused", "malformed_transaction").len(), 10, "{log}");
    let rest = lines("more transactions were refused", "malformed_transaction");
    assert!(rest.len() == 1 && rest[0].contains("count=2"), "{log}");
}

#[tokio::test]
async fn an_operator_sets_what_a_request_may_hold() {
    let folder = tempfile::tempdir().unwrap();
    let limits =
        [("HANSE_RPC__BATCH_REQUESTS", "2"), ("HANSE_RPC__BULK_TRANSACTIONS", "3"), ("HANSE_RPC__BULK_MIB", "5")];
    let node = service(folder.path(), &[&limits[..], &[("HANSE_RPC__PAGE_ENTRIES", "4")]].concat());
    let (_, answer) = post(&node, "", batch("node_info", &json!({}), 2)).await;
    let told = &answer[1]["result"]["limits"];
    let expected = [("batch_requests", 2), ("bulk_transactions", 3), ("bulk_bytes", 5 << 20), ("page_entries", 4)];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{told}");
    }
    let (_, answer) = post(&node, "", batch("node_info", &json!({}), 3)).await;
    assert_eq!(answer["error"]["code"], codes::TOO_LARGE.code, "{answer}");
    let (status, answer) = post(&node, bulk::PATH, bulk::encode(&forged(&node, 4).await)).await;
    assert_eq!((status, &answer["code"]), (400, &json!(codes::TOO_LARGE.code)), "{answer}");
    let (_, answer) = post(&node, "", batch("contract_list", &json!({ "limit": 100 }), 1)).await;
    assert_eq!(answer[0]["result"]["contracts"].as_array().unwrap().len(), 4, "{answer}");
    node.stop();

    let config = folder.path().join("node/hanse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\n[rpc]\n", "\n[rpc]\nbulk_mib = 100\n")).unwrap();
    let output = hanse(folder.path(), &["config", "check", "--config", "node/hanse.toml"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("rpc.bulk_memory_mib is 64, and must be 100"), "{error}");
}

#[tokio::test]
async fn a_client_gets_its_rate_and_is_told_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let limits = [("HANSE_RPC__CLIENT_REQUESTS", "5"), ("HANSE_RPC__CLIENT_TRANSACTIONS", "1")];
    let node = service(folder.path(), &[&limits[..], &[("HANSE_RPC__CLIENT_LIMITS_LOCAL", "true")]].concat());
    let forged = bulk::encode(&forged(&node, 60).await);
    let (status, _) = post(&node, bulk::PATH, forged.clone()).await;
    assert_eq!(status, 200, "more than a burst at once, of a client that sent nothing before");
    let (status, answer) = post(&node, bulk::PATH, forged).await;
    assert_eq!((status, &answer["data"]["name"]), (429, &json!("client_limit")), "{answer}");

    let started = Instant::now();
    let (_, answers) = post(&node, "", batch("chain_info", &json!({}), 100)).await;
    let (answers, seconds) = (answers.as_array().unwrap().clone(), started.elapsed().as_secs_f64());
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == codes::CLIENT_LIMIT.code);
    let waits: Vec<u64> =
        refused.map(|answer| answer["error"]["data"]["detail"]["retry_after_ms"].as_u64().unwrap()).collect();
    let answered = answers.len() - waits.len();
    assert!((5..=11 + (5.0 * seconds) as usize).contains(&answered), "{answered} in {seconds} s");
    assert!(waits.iter().all(|wait| (1..=250).contains(wait)), "{waits:?}");

    let deadline = Instant::now() + Duration::from_secs(60);
    while node.client().chain_info().await.is_err() {
        assert!(Instant::now() < deadline, "the client was never let in again");
        tokio::time::sleep(Duration::from_millis(waits[0])).await;
    }
    // Operators are not counted.
    let operator = reqwest::Client::builder().unix_socket(node.admin_socket()).build().unwrap();
    let answer = operator.post("http://localhost").body(batch("chain_info", &json!({}), 100)).send().await.unwrap();
    let answers: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert!(answers.as_array().unwrap().iter().all(|answer| answer.get("error").is_none()), "{answers}");
    node.stop();
}
