//! The description of the RPC against a real node: it is the committed one, and its examples are what the node answers.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use common::consortium::Consortium;
use common::{Node, token_module};
use hanse_client::methods::{self, Discover, NoParams};
use hanse_client::{Bytes, Call, ChainContext, Client, Contract, openrpc};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, Canonical, Hash, Params, SignedTransaction};
use serde_json::{Value, json};

/// Set, this variable lets the tests write the examples and the document anew instead of comparing them.
const WRITE: &str = "HANSE_WRITE_OPENRPC";
const COMMAND: &str = "HANSE_WRITE_OPENRPC=1 cargo test --release --workspace --test openrpc";

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn write_or_compare(path: &str, expected: &Value) {
    let path = repository(path);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, pretty(expected)).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == pretty(expected), "{} is not what the code says; write it anew: {COMMAND}", path.display());
}

/// A chain on which every method has something to show, and the calls that were made.
struct Recorder {
    node: Node,
    client: Client,
    http: reqwest::Client,
    alice: SecretKey,
    examples: BTreeMap<&'static str, Vec<Value>>,
    folder: tempfile::TempDir,
}

impl Recorder {
    fn new() -> Recorder {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
        let mut seed = [b' '; 32];
        seed[..23].copy_from_slice(b"hanse development alice");
        Recorder {
            client: node.client(),
            node,
            http: reqwest::Client::new(),
            alice: SecretKey::ed25519(seed),
            examples: BTreeMap::new(),
            folder,
        }
    }

    /// Makes a call and keeps it as an example.
    async fn call(&mut self, method: &str, name: &str, params: Value) -> Value {
        let url = self.node.url.clone();
        self.call_at(&url, method, name, params).await
    }

    /// The same of a method for operators.
    async fn operate(&mut self, method: &str, name: &str, params: Value) -> Value {
        let socket = self.node.admin_socket();
        let http = reqwest::Client::builder().unix_socket(socket).build().unwrap();
        let public = std::mem::replace(&mut self.http, http);
        let answer = self.call_at("http://localhost", method, name, params).await;
        self.http = public;
        answer
    }

    async fn call_at(&mut self, url: &str, method: &str, name: &str, params: Value) -> Value {
        let known = methods::all().find(|known| known.name == method).unwrap();
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(url).body(request.to_string()).send().await.unwrap();
        let mut answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(answer.get("error").is_none(), "{method} {params}: {answer}");
        let result = answer["result"].take();
        let example = json!({ "name": name, "params": params, "result": result });
        self.examples.entry(known.name).or_default().push(example);
        result
    }

    async fn signed(&self, contract: Contract, method: &str, args: Vec<u8>) -> SignedTransaction {
        let context = ChainContext::from(&self.client.chain_info().await.unwrap());
        Call::new(contract, method, args).sign(&context, &self.alice).unwrap()
    }

    async fn payment(&self, amount: u128) -> Value {
        let args = borsh::to_vec(&(Address([9; 20]), amount)).unwrap();
        json!(Bytes(self.signed(Contract::native(1), "transfer", args).await.encode()))
    }
}

/// Calls every method once or more, and gives the examples.
async fn record() -> Value {
    let mut world = Recorder::new();
    world.node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000_000"]);
    chain_and_transactions(&mut world).await;
    state_and_contracts(&mut world).await;
    operation(&mut world).await;
    // The one thing in them that is of this machine.
    let folder = world.folder.path().display().to_string();
    serde_json::from_str(&json!(world.examples).to_string().replace(&folder, "/var/lib/hanse")).unwrap()
}

async fn chain_and_transactions(world: &mut Recorder) {
    world.operate("dag_recordTimelines", "from now on", json!({ "on": true })).await;
    world.call("chain_info", "the chain", json!({})).await;
    world.call("chain_status", "how it is doing", json!({})).await;
    world.call("chain_params", "at the beginning", json!({ "height": 0 })).await;
    world.call("chain_members", "now", json!({})).await;
    world.call("chain_handovers", "none: the founders decide", json!({ "from": 1 })).await;
    let payment = world.payment(5).await;
    let submitted =
        world.call("tx_submit", "a payment, until it is in a block", json!({ "transaction": payment })).await;
    let id = submitted["tx_id"].clone();
    let payment = world.payment(6).await;
    let params = json!({ "transaction": payment, "wait": "pool" });
    world.call("tx_submit", "a payment, until it is accepted", params).await;
    let many = json!({ "transactions": [world.payment(7).await, world.payment(8).await] });
    world.call("tx_submitMany", "two payments", many).await;
    failing(world).await;
    world.call("tx_status", "a committed payment", json!({ "tx_id": id })).await;
    world.call("tx_status", "one that never came", json!({ "tx_id": Hash::ZERO })).await;
    world.call("tx_get", "a payment", json!({ "tx_id": id })).await;
    world.call("tx_receipt", "a receipt with its proof", json!({ "tx_id": id, "proof": true })).await;
    world.call("tx_wait", "a payment that is there already", json!({ "tx_id": id })).await;
    world.call("tx_rwset", "a payment", json!({ "tx_id": id })).await;
    world.call("tx_trace", "a payment, step by step", json!({ "tx_id": id })).await;
    world.call("tx_proof", "the access set, proven", json!({ "tx_id": id, "of": "access_set" })).await;
    let height = submitted["receipt"]["height"].clone();
    let params = json!({ "at": height, "include": ["transactions", "receipts", "dag", "rw_sets"] });
    world.call("block_get", "a block with all in it", params).await;
    world.call("block_list", "two blocks", json!({ "below": height, "limit": 2 })).await;
    world.call("block_certificate", "of a block", json!({ "at": height })).await;
    let before = height.as_u64().unwrap() - 1;
    world.call("block_wait", "a block that is there already", json!({ "after": before, "timeout_ms": 1000 })).await;
    world.call("dag_get", "of a block", json!({ "at": height, "vertices": 10 })).await;
    world.call("dag_hotKeys", "of three blocks", json!({ "at": height, "blocks": 3 })).await;
    world.call("dag_timeline", "of a block", json!({ "at": height, "runs": 10 })).await;
    world.call("dag_stats", "of one block", json!({ "last": 1 })).await;
    waiting(world).await;
    world.call("pool_status", "the pool", json!({})).await;
    world.call("pool_list", "nothing waits", json!({ "limit": 2 })).await;
}

/// A transaction that waits, on a chain that makes its blocks at leisure.
async fn waiting(world: &mut Recorder) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--block-interval", "60000"]);
    let context = ChainContext::from(&node.client().chain_info().await.unwrap());
    let args = borsh::to_vec(&(Address([9; 20]), 5u128)).unwrap();
    let call = Call::new(Contract::native(1), "transfer", args);
    let transaction = json!(Bytes(call.sign(&context, &world.alice).unwrap().encode()));
    let params = json!({ "transaction": transaction, "wait": "none" });
    let id = world.call_at(&node.url, "tx_submit", "a payment, not even kept", params).await["tx_id"].clone();
    world.call_at(&node.url, "pool_get", "a payment that waits", json!({ "tx_id": id })).await;
    world.call_at(&node.url, "pool_list", "all that waits", json!({})).await;
}

/// A transaction whose code fails, and another attempt.
async fn failing(world: &mut Recorder) {
    let args = borsh::to_vec(&(Address([9; 20]), u128::MAX)).unwrap();
    let call = async |world: &Recorder| world.signed(Contract::native(1), "transfer", args.clone()).await;
    let greedy = json!(Bytes(call(world).await.encode()));
    let id = world.call("tx_submit", "a payment that fails", json!({ "transaction": greedy })).await["tx_id"].clone();
    world.call("pool_failed", "the newest", json!({ "limit": 1 })).await;
    world.call("pool_failure", "with its bytes", json!({ "tx_id": id })).await;
    let signed = call(world).await;
    let again = json!({ "tx_id": id, "transaction": Bytes(signed.encode()) });
    world.operate("pool_retry", "made and signed anew", again).await;
    // What comes after has the pool to itself.
    let client = world.node.client();
    let retried = signed.id(&client.chain_info().await.unwrap().genesis_hash).0;
    client.receipt(retried, Duration::from_secs(60)).await.unwrap();
}

async fn state_and_contracts(world: &mut Recorder) {
    let alice = world.node.started["accounts"][0]["address"].clone();
    let bob = world.node.started["accounts"][1]["address"].clone();
    let params = json!({ "contract": "token", "key": "0x737570706c7900", "proof": true });
    world.call("state_get", "a key with its proof", params).await;
    let params = json!({ "contract": "token", "keys": ["0x737570706c7900", "0x00"] });
    world.call("state_getMany", "one that has a value, and one that has none", params).await;
    world.call("state_range", "a token's first keys", json!({ "contract": "token", "limit": 2 })).await;
    world.call("state_root", "after the genesis block", json!({ "height": 0 })).await;
    world.call("contract_list", "the chain's own and one more", json!({})).await;
    let params = json!({ "contract": "token", "field": "balances", "element": alice });
    world.call("contract_storage", "a balance", params).await;
    world.call("name_get", "of a contract", json!({ "name": "token" })).await;
    world.call("name_list", "two of them", json!({ "limit": 2 })).await;
    lifecycle(world, &alice).await;
    world.call("contract_get", "a deployed contract", json!({ "contract": "token" })).await;
    world.call("contract_get", "a native contract", json!({ "contract": "account" })).await;
    world.call("contract_abi", "of a native contract", json!({ "contract": "names" })).await;
    let params = json!({ "contract": "token", "method": "balance_of", "args": { "owner": alice } });
    world.call("contract_query", "a balance", params).await;
    let args = json!({ "to": bob, "amount": "5" });
    let params = json!({ "contract": "token", "method": "transfer", "args": args, "caller": alice });
    world.call("tx_simulate", "a transfer", params).await;
    world.call("event_query", "transfers", json!({ "contract": "token", "name": "Transfer", "limit": 1 })).await;
}

/// Unsigned transactions.
async fn lifecycle(world: &mut Recorder, sender: &Value) {
    // A module without anything in it: what is shown is the transaction.
    let code = json!("0x0061736d01000000");
    let args = json!({ "to": sender, "amount": "5" });
    let params = json!({ "sender": sender, "contract": "token", "method": "transfer", "args": args });
    world.call("contract_call", "a transfer", params).await;
    let params = json!({ "sender": sender, "name": "empty", "code": code });
    world.call("contract_deploy", "a module", params).await;
    let params = json!({ "sender": sender, "contract": "token", "code": code });
    world.call("contract_upgrade", "to another module", params).await;
    for method in ["contract_freeze", "contract_unfreeze", "contract_revoke"] {
        world.call(method, "a contract", json!({ "sender": sender, "contract": "token" })).await;
    }
}

async fn operation(world: &mut Recorder) {
    world.operate("ledger_snapshot", "under a name", json!({ "name": "monday" })).await;
    world.call("ledger_info", "the ledger", json!({})).await;
    world.operate("ledger_prune", "nothing yet", json!({ "below": 0 })).await;
    world.call("node_peers", "of a node that is in no network", json!({})).await;
    world.operate("node_logLevel", "what is logged", json!({})).await;
    world
        .operate("node_logLevel", "one part, more closely", json!({ "target": "hanse_group", "level": "debug" }))
        .await;
    groups(world).await;
    admission(world).await;
    world.call("dev_advanceTime", "an hour", json!({ "by_ms": 3_600_000 })).await;
    // The last one: the node starts again.
    world.call("dev_revert", "to a snapshot", json!({ "snapshot": "monday" })).await;
}

/// Groups of this node alone: nobody else has to sign.
async fn groups(world: &mut Recorder) {
    let key = world.call("node_info", "the node", json!({})).await["key"].take();
    let genesis = |group: &str| {
        json!({
            "chain_id": "hanse-dev", "group_id": group, "timestamp": 1_700_000_000_000_u64, "crypto": "standard",
            "consensus": "solo", "state_commitment": "flat",
            "validators": [{ "name": "node-1", "key": key }], "administrators": [], "accounts": [],
            "params": serde_json::to_value(Params::default()).unwrap(),
        })
    };
    world.operate("group_create", "of this node alone", json!({ "genesis": genesis("trade") })).await;
    let name = json!({ "name": "trade" });
    world.operate("group_export", "complete", name.clone()).await;
    let founding = json!({ "genesis": genesis("loans"), "signatures": [] });
    world.operate("group_import", "an invitation", json!({ "founding": founding })).await;
    world.operate("group_accept", "the last signature", json!({ "name": "loans" })).await;
    world.call("group_get", "one that runs", name.clone()).await;
    world.operate("group_stop", "it can be started again", name.clone()).await;
    world.operate("group_start", "it goes on", name.clone()).await;
    world.operate("group_leave", "by force", json!({ "name": "trade", "force": true })).await;
    world.call("group_list", "the configured one, one that runs, one that was left", json!({})).await;
    world.operate("group_remove", "its files are deleted", name).await;
}

/// Who is let into a network, at a node that is in one.
async fn admission(world: &mut Recorder) {
    let consortium = Consortium::new(2);
    let mut node = consortium.start(1);
    std::mem::swap(&mut world.node, &mut node);
    let key = SecretKey::ed25519([77; 32]).public_key().to_string();
    world.operate("node_allow", "a client", json!({ "node": key })).await;
    world.operate("node_deny", "the same", json!({ "key": key })).await;
    world.call("node_admission", "by certificate", json!({})).await;
    world.operate("node_forget", "it again", json!({ "key": key })).await;
    std::mem::swap(&mut world.node, &mut node);
    node.stop();
}

/// What a value is made of, without the values: those differ from run to run.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(values) => {
            let mut shapes: Vec<Value> = values.iter().map(shape).collect();
            shapes.sort_by_key(Value::to_string);
            shapes.dedup();
            json!(shapes)
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

#[tokio::test]
async fn examples_are_what_a_node_answers() {
    let recorded = record().await;
    if std::env::var_os(WRITE).is_some() {
        write_or_compare("clients/rust/src/openrpc/examples.json", &recorded);
        write_or_compare("docs/openrpc.json", &openrpc::document_with(&recorded));
        return;
    }
    let (expected, found) = (shape(&openrpc::examples()), shape(&recorded));
    for method in methods::all() {
        let name = method.name;
        assert_eq!(expected[name], found[name], "the examples of {name} are not what it answers: {COMMAND}");
    }
}

#[tokio::test]
async fn the_document_is_the_committed_one_and_is_served() {
    if std::env::var_os(WRITE).is_none() {
        write_or_compare("docs/openrpc.json", openrpc::document());
    }
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    assert_eq!(node.client().call::<Discover>(NoParams {}).await.unwrap(), *openrpc::document());
    let answer = reqwest::get(format!("{}{}", node.url, openrpc::PATH)).await.unwrap();
    let served: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(served, *openrpc::document());
}
