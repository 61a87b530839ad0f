//! Bodies as an attacker or a broken client sends them: made of good ones by a seeded mutator, answered in this process.
//!
//! Each is answered with a result or with an error of the table, never by a panic, and never with one that blames the node.
//! `HANSE_MUTATIONS` says how many (millions, on a machine with nothing else to do), `HANSE_SEED` which.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::StreamExt;
use hanse_client::jsonrpc::RpcError;
use hanse_client::views::ChainInfo;
use hanse_client::{Call, ChainContext, Contract, bulk, codes, methods, openrpc};
use hanse_group::{Group, GroupConfig};
use hanse_types::crypto::Signer;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Genesis, GenesisAccount, Validator};
use hanse_types::{Address, Params, StateCommitment};
use serde_json::{Value, json};

use super::admin::Operator;
use super::caller::Caller;
use super::dispatch::{self, Answer};
use super::{Capacity, Server, Setup, http};
use crate::groups::{Accept, ChainFolder, Groups, Housekeeping, Shared};
use crate::keys::dev;
use crate::log::{Format, Log};
use crate::metrics::Metrics;

/// Bodies in a run that says nothing else.
const DEFAULT: u64 = 20_000;
/// Bodies that are answered at the same time.
const AT_ONCE: usize = 64;
/// Those that wait for a block may be left waiting.
const PATIENCE: Duration = Duration::from_millis(20);

/// A process has one.
static LOG: LazyLock<Arc<Log>> = LazyLock::new(|| Arc::new(Log::to_stderr(Format::Text).unwrap()));

/// See [`LOG`].
pub(crate) fn log() -> Arc<Log> {
    LOG.clone()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

async fn server(folder: &std::path::Path) -> Arc<Server> {
    let alice = dev::address(CryptoSuite::Standard, "alice").unwrap();
    let genesis = Genesis {
        chain_id: dev::CHAIN_ID.into(),
        group_id: "main".into(),
        timestamp: hanse_client::call::now(),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Merkle,
        validators: vec![Validator { name: "dev".into(), key: dev::validator(0).public_key() }],
        administrators: vec![alice],
        accounts: vec![GenesisAccount { address: alice, balance: 1_000 }],
        params: Params { block_interval_ms: 1, ..Params::default() },
    };
    let folder = ChainFolder(folder.to_owned());
    let config = GroupConfig { threads: 1, ..GroupConfig::new(genesis, folder.group()) };
    let metrics = Metrics::new();
    let shared = Shared {
        signer: Arc::new(dev::validator(0)),
        net: None,
        housekeeping: Housekeeping::default(),
        metrics: metrics.clone(),
        log: LOG.clone(),
    };
    let groups = Groups::open(shared, config, None, folder, Accept::Ask).await.unwrap();
    Server::new(Setup {
        groups,
        net: None,
        capacity: Capacity::default(),
        metrics,
        serve_metrics: false,
        log: LOG.clone(),
        development: None,
        admin: None,
    })
}

fn group(server: &Server) -> Group {
    server.groups.running(None).unwrap().group().clone()
}

/// Who may call every method.
fn operator() -> Caller {
    Caller::Operator(Operator("a test".into()))
}

/// Good requests of every method: the examples of the description, and some that this chain has an answer for.
fn requests() -> Vec<Value> {
    let examples = openrpc::examples();
    let of_examples = methods::all()
        // These would write snapshots or logs without end, or stop the group that is asked.
        .filter(|method| !matches!(method.name, "ledger_snapshot" | "node_logLevel" | "group_stop"))
        .flat_map(|method| {
            let examples = examples[method.name].as_array().cloned().unwrap_or_default();
            examples.into_iter().map(|example| (method.name, example["params"].clone()))
        });
    let alice = dev::address(CryptoSuite::Standard, "alice").unwrap();
    let args = json!({ "to": Address([7; 20]), "amount": "5" });
    let own = [
        ("tx_simulate", json!({ "contract": "account", "method": "transfer", "args": args, "caller": alice })),
        ("contract_query", json!({ "contract": "account", "method": "balance_of", "args": [alice] })),
        ("state_range", json!({ "contract": "account", "prefix": "0x62", "limit": 3, "height": 0 })),
        ("state_get", json!({ "contract": "account", "key": "0x00", "proof": true })),
        ("event_query", json!({ "contract": "account", "name": "Transfer", "from": { "height": 0 } })),
        ("block_get", json!({ "at": "latest", "include": ["transactions", "receipts", "dag", "rw_sets"] })),
        ("dag_get", json!({ "at": 1, "vertices": 5 })),
        ("chain_info", json!({ "group": "main" })),
    ];
    let all = of_examples.chain(own);
    all.map(|(method, params)| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).collect()
}

/// What may stand where something else did.
fn novelty(random: &mut Random) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("latest"),
        json!("0x"),
        json!("0x0"),
        json!("0xffffffffffffffffffffffffffffffffffffffff"),
        json!("340282366920938463463374607431768211456"),
        json!("account"),
        json!("\u{0}\u{ffff}"),
        json!("a".repeat(300)),
        json!([]),
        json!({}),
        json!([[[[[[[[1]]]]]]]]),
        json!({ "a": { "b": { "c": [] } } }),
    ];
    random.of(&values).clone()
}

/// Replaces, removes or doubles something inside.
fn mutate(value: &mut Value, random: &mut Random) {
    let here = random.below(4) == 0;
    match value {
        Value::Object(fields) if !here && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = random.of(&names).clone();
            match random.below(8) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert(name + "x", novelty(random))),
                _ => mutate(fields.get_mut(&name).unwrap(), random),
            }
        }
        Value::Array(values) if !here && !values.is_empty() => {
            let at = random.below(values.len());
            match random.below(6) {
                0 => drop(values.remove(at)),
                1 => values.push(values[at].clone()),
                _ => mutate(&mut values[at], random),
            }
        }
        Value::String(text) if random.below(2) == 0 && text.is_ascii() && !text.is_empty() => {
            let at = random.below(text.len());
            let letter = *random.of(b"0129afxZ@-. \"");
            text.replace_range(at..=at, std::str::from_utf8(&[letter]).unwrap());
        }
        Value::Number(number) if random.below(2) == 0 => {
            *value = json!(number.as_u64().unwrap_or_default().wrapping_add(random.next() % 5).wrapping_sub(2));
        }
        other => *other = novelty(random),
    }
}

/// Flips, cuts, inserts and repeats bytes.
fn scramble(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1).min(bytes.len().saturating_sub(1));
        match random.below(5) {
            _ if bytes.is_empty() => bytes.push(random.next() as u8),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, *random.of(b"{}[]\",:\\0\xff")),
            _ => bytes.extend_from_within(at..(at + random.below(40)).min(bytes.len())),
        }
    }
}

fn body(requests: &[Value], random: &mut Random) -> Vec<u8> {
    let count = if random.below(16) == 0 { 2 } else { 1 };
    let mut batch: Vec<Value> = (0..count).map(|_| random.of(requests).clone()).collect();
    for request in &mut batch {
        (0..random.below(3)).for_each(|_| mutate(request, random));
    }
    let value = if count == 1 { batch.remove(0) } else { json!(batch) };
    let mut bytes = value.to_string().into_bytes();
    if random.below(3) == 0 {
        scramble(&mut bytes, random);
    }
    bytes
}

fn check(error: &RpcError, body: &[u8]) {
    let told = String::from_utf8_lossy(body);
    let known = codes::ErrorCode::of(error.code).unwrap_or_else(|| panic!("{error:?} to {told}"));
    assert_ne!(known, codes::INTERNAL, "{error} to {told}");
    assert_ne!(known, codes::GROUP_STOPPED, "something panicked: {error} to {told}");
}

async fn json_body(server: &Arc<Server>, body: Vec<u8>) {
    let Ok(answer) = tokio::time::timeout(PATIENCE, dispatch::answer(server, &operator(), &body)).await else { return };
    let responses = match answer {
        Answer::Single(response) => vec![response],
        Answer::Batch(responses) => responses,
    };
    for response in responses {
        assert!(response.result.is_some() != response.error.is_some(), "{}", String::from_utf8_lossy(&body));
        response.error.iter().for_each(|error| check(error, &body));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_gets_an_answer_that_blames_the_body() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let requests = requests();
    let mut random = Random(number("HANSE_SEED", 1));
    let bodies = (0..number("HANSE_MUTATIONS", DEFAULT)).map(|_| body(&requests, &mut random));
    futures::stream::iter(bodies).for_each_concurrent(AT_ONCE, |body| json_body(&server, body)).await;
    assert_eq!(group(&server).stopped(), None);
    group(&server).stop().await;
}

/// A good bulk submission.
async fn frame(server: &Arc<Server>) -> Vec<u8> {
    let asked = dispatch::answer(server, &operator(), br#"{"jsonrpc":"2.0","id":1,"method":"chain_info"}"#).await;
    let Answer::Single(response) = asked else { panic!("one request, one answer") };
    let info: ChainInfo = serde_json::from_value(response.result.unwrap()).unwrap();
    let context = ChainContext::from(&info);
    let args = borsh::to_vec(&(Address([7; 20]), 1u128)).unwrap();
    let alice = dev::key(CryptoSuite::Standard, "alice").unwrap();
    let call = || Call::new(Contract::native(1), "transfer", args.clone()).sign(&context, &alice).unwrap();
    bulk::encode(&[call(), call(), call()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_node_refuses_a_submission_before_it_decodes_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let mut frame = frame(&server).await;
    frame.truncate(frame.len() - 1);
    let asker = operator();
    let submit = || http::submit_all(&server, &asker, "wait=none", &frame);
    let open = submit().await.unwrap_err();
    assert_eq!(open.code, codes::MALFORMED.code, "{open}");
    group(&server).stop().await;
    let closed = submit().await.unwrap_err();
    assert_eq!(closed.code, codes::GROUP_STOPPED.code, "{closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_is_taken_or_refused_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let good = frame(&server).await;
    let mut random = Random(number("HANSE_SEED", 1) ^ 0xb01d);
    for _ in 0..number("HANSE_MUTATIONS", DEFAULT) / 4 {
        let mut frame = good.clone();
        scramble(&mut frame, &mut random);
        match http::submit_all(&server, &operator(), "wait=none", &frame).await {
            Ok(summary) => summary.refused.iter().for_each(|refused| check(&refused.error, &frame)),
            Err(error) => check(&error, &frame),
        }
    }
    assert_eq!(group(&server).stopped(), None);
    group(&server).stop().await;
}
