//! What comes in from outside: every mistake has its code, its words and its retry hint, and none does harm.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::Node;
use hanse_client::methods::{Access, GetPool, NoParams, SubmitParams, SubmitTx, Wait, WaitMany};
use hanse_client::{Bytes, Call, ChainContext, Client, ClientError, Contract, bulk, codes};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, Canonical, Gas, Hash, SignedTransaction, Status, TxId};
use serde_json::{Value, json};

/// A running node and the key of one of its funded accounts.
struct World {
    node: Node,
    client: Client,
    http: reqwest::Client,
    alice: SecretKey,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(folder.path());
        let mut seed = [b' '; 32];
        seed[..23].copy_from_slice(b"hanse development alice");
        let alice = SecretKey::ed25519(seed);
        let named = node.started["accounts"][0]["address"].as_str().unwrap();
        assert_eq!(alice.public_key().address().to_string(), named);
        World { client: node.client(), node, http: reqwest::Client::new(), alice, _folder: folder }
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Value {
        let answer = self.http.post(&self.node.url).body(body).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn context(&self) -> ChainContext {
        ChainContext::from(&self.client.chain_info().await.unwrap())
    }

    async fn payment(&self, amount: u128) -> SignedTransaction {
        let args = borsh::to_vec(&(Address([9; 20]), amount)).unwrap();
        Call::new(Contract::native(1), "transfer", args).sign(&self.context().await, &self.alice).unwrap()
    }

    async fn refusal(&self, signed: &SignedTransaction) -> i32 {
        match self.client.submit(signed).await {
            Err(ClientError::Refused(error)) => error.code,
            other => panic!("should be refused: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_request_that_is_none_is_told_what_it_is_not() {
    let world = World::new();
    let cases = [
        ("{", codes::PARSE_ERROR),
        ("[]", codes::INVALID_REQUEST),
        ("7", codes::INVALID_REQUEST),
        (r#"{"method":"chain_info","id":1}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"1.0","method":"chain_info","id":1}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","method":"chain_info","id":1,"extra":2}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","method":"chain_info"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","method":"chain_info","id":{}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","method":"chain_inof","id":1}"#, codes::UNKNOWN_METHOD),
        (r#"{"jsonrpc":"2.0","method":"chain_info","id":1,"params":[1]}"#, codes::INVALID_PARAMS),
        (r#"{"jsonrpc":"2.0","method":"chain_info","id":1,"params":{"x":1}}"#, codes::INVALID_PARAMS),
        (r#"{"jsonrpc":"2.0","method":"tx_get","id":1}"#, codes::INVALID_PARAMS),
        (r#"{"jsonrpc":"2.0","method":"tx_get","id":1,"params":{"tx_id":"0x12"}}"#, codes::INVALID_PARAMS),
        (r#"{"jsonrpc":"2.0","method":"block_get","id":1,"params":{"at":99}}"#, codes::NOT_FOUND),
        (r#"{"jsonrpc":"2.0","method":"contract_abi","id":1,"params":{"contract":"nobody"}}"#, codes::NOT_FOUND),
        (r#"{"jsonrpc":"2.0","method":"tx_submit","id":1,"params":{"transaction":"0x00"}}"#, codes::MALFORMED),
    ];
    for (body, kind) in cases {
        let answer = world.post(body).await;
        let error = &answer["error"];
        assert_eq!(
            (&error["code"], &error["data"]["name"]),
            (&json!(kind.code), &json!(kind.name)),
            "{body}: {answer}"
        );
        assert_eq!(error["data"]["hint"], kind.hint);
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(answer.get("result").is_none());
    }
    assert!(world.client.chain_info().await.is_ok());
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_is_named_with_what_it_should_be() {
    let world = World::new();
    let hash = "a hash, such as a transaction's id, is 0x and 64 hexadecimal digits";
    let cases = [
        ("tx_get", json!({ "tx_id": "0x12" }), "tx_get: tx_id: ", hash),
        ("tx_trace", json!({ "tx_id": "latest" }), "tx_trace: tx_id: ", hash),
        ("tx_receipt", json!({ "tx_id": "0x12" }), "tx_receipt: tx_id: ", hash),
        ("block_get", json!({ "at": "0x12" }), "block_get: at: ", "the 0x… hash of its header"),
        ("contract_get", json!({ "contract": "0x12" }), "contract_get: contract: ", "0x and 40"),
        (
            "contract_list",
            json!({ "after": "0x12" }),
            "contract_list: after: ",
            "an address is 0x and 40 hexadecimal digits",
        ),
    ];
    for (method, params, start, what) in cases {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let error = world.post(body.to_string()).await["error"].clone();
        assert_eq!(error["code"], codes::INVALID_PARAMS.code, "{method}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(start) && message.contains(what), "{message}");
    }
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_and_bounded() {
    let world = World::new();
    let one = |id: u32, method: &str| json!({ "jsonrpc": "2.0", "method": method, "id": id });
    let batch = json!([one(3, "chain_info"), one(1, "nothing"), 5, one(2, "pool_status")]);
    let answers = world.post(batch.to_string()).await;
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(3), &json!(1), &Value::Null, &json!(2)]);
    assert_eq!(answers[0]["result"]["chain_id"], "hanse-dev");
    assert_eq!(answers[1]["error"]["code"], codes::UNKNOWN_METHOD.code);
    assert_eq!(answers[2]["error"]["code"], codes::INVALID_REQUEST.code);

    let many: Vec<Value> = (0..101).map(|id| one(id, "pool_status")).collect();
    let answer = world.post(json!(many).to_string()).await;
    assert_eq!(answer["error"]["code"], codes::TOO_LARGE.code);

    let limit = world.client.chain_info().await.unwrap().limits.body_bytes;
    let answer = world.http.post(&world.node.url).body(vec![b' '; limit + 1]).send().await.unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_transaction_that_is_wrong_is_refused_for_its_reason() {
    let world = World::new();
    let context = world.context().await;
    let args = borsh::to_vec(&(Address([9; 20]), 1u128)).unwrap();
    let call = || Call::new(Contract::native(1), "transfer", args.clone());

    let mut forged = world.payment(1).await;
    forged.transaction.args[20] ^= 1;
    assert_eq!(world.refusal(&forged).await, codes::BAD_SIGNATURE.code);

    let mut stolen = world.payment(1).await;
    stolen.transaction.sender = Address([7; 20]);
    assert_eq!(world.refusal(&stolen).await, codes::BAD_SIGNATURE.code);

    let elsewhere = ChainContext { group_id: "other".into(), ..context.clone() };
    assert_eq!(world.refusal(&call().sign(&elsewhere, &world.alice).unwrap()).await, codes::WRONG_CHAIN.code);

    let other_genesis = ChainContext { genesis: Hash([1; 32]), ..context.clone() };
    assert_eq!(world.refusal(&call().sign(&other_genesis, &world.alice).unwrap()).await, codes::BAD_SIGNATURE.code);

    let late = call().sign_with(&context, &world.alice, 1, hanse_types::Timestamp(1)).unwrap();
    assert_eq!(world.refusal(&late).await, codes::EXPIRED.code);

    let fork = ChainContext { ref_hash: [1; 8], ..context.clone() };
    assert_eq!(world.refusal(&call().sign(&fork, &world.alice).unwrap()).await, codes::REFERENCE_MISMATCH.code);

    let greedy = call().gas_limit(Gas(context.gas_max.0 + 1)).sign(&context, &world.alice).unwrap();
    assert_eq!(world.refusal(&greedy).await, codes::GAS_LIMIT_TOO_HIGH.code);

    let twice = world.payment(1).await;
    assert_eq!(world.client.submit(&twice).await.unwrap().outcome.status, Status::Success);
    assert_eq!(world.refusal(&twice).await, codes::ALREADY_COMMITTED.code);
    assert_eq!(world.client.call::<GetPool>(NoParams {}).await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_receipt_is_proven_and_waits_can_end_early() {
    let world = World::new();
    let signed = world.payment(5).await;
    let id = signed.id(&world.context().await.genesis);
    let params = SubmitParams { transaction: Bytes(signed.encode()), wait: Wait::Pool, timeout_ms: None };
    let submitted = world.client.call::<SubmitTx>(params).await.unwrap();
    assert_eq!((submitted.tx_id, submitted.receipt), (id.0, None));
    let receipt = world.client.receipt(id.0, Duration::from_secs(20)).await.unwrap();
    assert_eq!(receipt.outcome.status, Status::Success);

    let params = hanse_client::methods::ReceiptParams { tx_id: id.0, proof: true, timeout_ms: 0 };
    let answer = world.client.call::<hanse_client::methods::GetReceipt>(params).await.unwrap();
    let proof = answer.proof.unwrap();
    let header = hanse_types::Header::decode(&proof.block.header.0).unwrap();
    let proven = hanse_client::proof::check_receipt(&proof, &header, &id).unwrap();
    assert_eq!((proven.height, proven.gas_used), (receipt.height, receipt.outcome.gas_used));
    assert_eq!(header.hash(), world.client.chain_info().await.unwrap().block_hash);

    let missing = world.client.receipt(Hash([1; 32]), Duration::from_millis(1)).await.unwrap_err();
    assert!(missing.is(codes::NOT_FOUND));
}

#[tokio::test]
async fn bulk_takes_the_good_and_names_the_bad() {
    let world = World::new();
    let mut forged = world.payment(2).await;
    forged.signature.0[0] ^= 1;
    let good = [world.payment(1).await, world.payment(3).await];
    let answer = world.client.submit_bulk(&[good[0].clone(), forged, good[1].clone()], WaitMany::Pool).await.unwrap();
    assert_eq!(answer.accepted, 2);
    assert_eq!(answer.refused.len(), 1);
    assert_eq!((answer.refused[0].index, answer.refused[0].error.code), (1, codes::BAD_SIGNATURE.code));
    let genesis = world.context().await.genesis;
    for signed in &good {
        let TxId(id) = signed.id(&genesis);
        assert!(world.client.receipt(id, Duration::from_secs(20)).await.is_ok());
    }

    let cut = world.client.submit_encoded(vec![2, 0, 0, 0, 1], WaitMany::Pool).await.unwrap_err();
    assert!(cut.is(codes::MALFORMED), "{cut}");
    let many = world.client.submit_encoded(u32::MAX.to_le_bytes().to_vec(), WaitMany::Pool).await.unwrap_err();
    assert!(many.is(codes::TOO_LARGE), "{many}");
    let path = format!("{}{}", world.node.url, bulk::PATH);
    let limit = world.client.chain_info().await.unwrap().limits.bulk_bytes;
    let answer = world.http.post(path).body(vec![0; limit + 1]).send().await.unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn health_and_readiness_are_told() {
    let world = World::new();
    for path in ["health", "ready"] {
        let answer = world.http.get(format!("{}/{path}", world.node.url)).send().await.unwrap();
        assert_eq!(answer.status(), reqwest::StatusCode::OK, "{path}");
    }
    let answer = world.http.get(&world.node.url).send().await.unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::METHOD_NOT_ALLOWED);
}

/// Every method that the client knows is served, here or to operators: none is answered with "unknown method".
#[tokio::test]
async fn every_method_is_served() {
    let world = World::new();
    for method in hanse_client::methods::all() {
        let name = method.name;
        let request = json!({ "jsonrpc": "2.0", "method": name, "id": 1, "params": { "no_such_parameter": 1 } });
        let answer = world.post(request.to_string()).await;
        let expected = match method.access {
            Access::Public => codes::INVALID_PARAMS,
            Access::Admin => codes::NO_SUCH_RIGHT,
        };
        assert_eq!(answer["error"]["code"], expected.code, "{name}: {answer}");
    }
}
