//! Is it parallel, and why not? By RPC and by the command line, of a real node.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Node, token_module};
use hanse_client::methods::{
    CallParams, DagParams, DagStatsParams, GetDag, GetDagStats, GetHotKeys, GetReceipt, HotKeysParams, ReceiptParams,
    SimulateTx, WaitMany,
};
use hanse_client::views::DagView;
use hanse_client::{Call, ChainContext, Client, Contract};
use hanse_types::crypto::SecretKey;
use hanse_types::{Address, Hash, Height, SignedTransaction};
use serde_json::{Value, json};

fn key(name: &str) -> SecretKey {
    let mut seed = [b' '; 32];
    let text = format!("hanse development {name}");
    seed[..text.len()].copy_from_slice(text.as_bytes());
    SecretKey::ed25519(seed)
}

async fn context(client: &Client) -> ChainContext {
    ChainContext::from(&client.chain_info().await.unwrap())
}

fn transfer(context: &ChainContext, contract: &str, from: &SecretKey, to: u8) -> SignedTransaction {
    let args = borsh::to_vec(&(Address([to; 20]), 1u128)).unwrap();
    Call::new(contract.parse().unwrap(), "transfer", args).sign(context, from).unwrap()
}

/// Sends transactions that get into one block; its DAG and their ids.
async fn in_one_block(client: &Client, transactions: &[SignedTransaction]) -> (DagView, Vec<Hash>) {
    let genesis = context(client).await.genesis;
    assert_eq!(client.submit_bulk(transactions, WaitMany::Pool).await.unwrap().accepted, transactions.len());
    let ids: Vec<Hash> = transactions.iter().map(|signed| signed.id(&genesis).0).collect();
    let params = ReceiptParams { tx_id: ids[0], proof: false, timeout_ms: 20_000 };
    let at = client.call::<GetReceipt>(params).await.unwrap().receipt.height;
    let params = DagParams { at: hanse_client::methods::BlockAt::Height(at), vertices: 100, tx_id: None };
    let dag = client.call::<GetDag>(params).await.unwrap();
    assert_eq!(dag.transactions as usize, transactions.len());
    (dag, ids)
}

#[tokio::test]
async fn what_waits_is_told_for_whom_and_for_which_key() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    let chain = context(&client).await;
    let (alice, bob) = (key("alice"), key("bob"));
    // Three of one sender, one of another: two lanes.
    let batch: Vec<SignedTransaction> = [(&alice, 1), (&alice, 2), (&bob, 3), (&alice, 4)]
        .iter()
        .map(|(from, to)| transfer(&chain, "account", from, 0x50 + to))
        .collect();
    let (dag, ids) = in_one_block(&client, &batch).await;
    assert_eq!((dag.depth, dag.roots, dag.critical_path.len()), (3, 2, 3));
    assert!(dag.critical_path[0].key.is_none());
    let step = &dag.critical_path[1];
    assert_eq!(step.call, "account.transfer");
    assert!(step.how.as_deref().is_some_and(|how| how.ends_with("then write")), "{step:?}");

    let hot = &dag.hot_keys[0];
    assert_eq!(Some(&hot.key), step.key.as_ref());
    let sender = alice_address(&node);
    assert!(hot.key.field.as_deref().is_some_and(|field| field.contains(&sender[2..])), "{hot:?}");
    assert!((hot.span_share - 2.0 / 3.0).abs() < 0.1, "{hot:?}");
    assert_eq!(hot.advice.as_ref().map(|advice| advice.name.as_str()), Some("one_sender"));
    assert_eq!(hot.methods, ["account.transfer"]);

    let waiting = dag.vertices.iter().filter(|vertex| vertex.blocked_by.is_some()).count();
    assert_eq!(waiting, 2);
    let last = dag.vertices.iter().find(|vertex| vertex.depth == 3).unwrap();
    let shown = node.run(&["tx", "show", &last.tx_id.to_string()]);
    assert_eq!(shown["vertex"]["blocked_by"]["key"], json!(step.key));
    let text = String::from_utf8(node.hanse(&["tx", "show", &last.tx_id.to_string()]).stdout).unwrap();
    assert!(text.contains("waited for  account.transfer at place"), "{text}");
    assert!(ids.contains(&last.tx_id));

    let text = String::from_utf8(node.hanse(&["block", "dag"]).stdout).unwrap();
    assert!(text.contains("the critical path") && text.contains("send from several accounts"), "{text}");
    let stats = client.call::<GetDagStats>(DagStatsParams { last: Some(1) }).await.unwrap();
    assert_eq!((stats.blocks.len(), stats.blocks[0].transactions), (1, 4));
    assert!(stats.blocks[0].executions.is_some_and(|executions| executions >= 4), "{stats:?}");
    assert!((stats.totals.parallelism - dag.parallelism).abs() < 0.01, "{stats:?}");
    let keys = client.call::<GetHotKeys>(HotKeysParams::default()).await.unwrap();
    assert_eq!((keys.keys[0].key.clone(), keys.to_height), (hot.key.clone(), dag.height));
    let shown = node.run(&["stats", "parallel", "--last", "5"]);
    assert_eq!(shown["hot_keys"]["keys"][0]["advice"]["name"], "one_sender");

    // What this process did not make is figured out from the ledger.
    node.stop();
    let node = Node::start(folder.path());
    let again = node.client().call::<GetDagStats>(DagStatsParams { last: Some(1) }).await.unwrap();
    assert_eq!((again.blocks[0].executions, again.blocks[0].height), (None, dag.height));
    assert_eq!((again.blocks[0].work, again.blocks[0].span), (dag.work, dag.span));
}

fn alice_address(node: &Node) -> String {
    node.started["accounts"][0]["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_simulation_names_the_waiting_transactions_it_conflicts_with() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000_000"]);
    let token = node.run(&["contract", "info", "token"])["address"].as_str().unwrap().to_owned();
    // From here on transactions wait.
    node.run(&["contract", "call", "params", "set", "block_interval_ms", "60000"]);
    let chain = context(&client).await;
    let waiting = transfer(&chain, &token, &key("alice"), 7);
    let id = waiting.id(&chain.genesis).0;
    assert_eq!(client.submit_bulk(&[waiting], WaitMany::Pool).await.unwrap().accepted, 1);

    let simulate = async |caller: &str, to: u8| {
        let caller: Address = caller.parse().unwrap();
        let args = json!({ "to": Address([to; 20]), "amount": "0" });
        let contract: Contract = "token".parse().unwrap();
        let params = CallParams { contract, method: "transfer".into(), args, caller: Some(caller), gas_limit: None };
        client.call::<SimulateTx>(params).await.unwrap()
    };
    let of_alice = simulate(&alice_address(&node), 8).await;
    assert_eq!((of_alice.pool.looked_at, of_alice.pool.unknown, of_alice.pool.more), (1, 0, false));
    assert_eq!(of_alice.conflicts.len(), 1, "{of_alice:?}");
    let conflict = &of_alice.conflicts[0];
    assert_eq!((conflict.tx_id, conflict.method.as_str()), (id, "transfer"));
    assert!(conflict.key.field.as_deref().is_some_and(|field| field.starts_with("balances[")), "{conflict:?}");
    // Another payer to the same payee: both add to what it has.
    let bob = node.started["accounts"][1]["address"].as_str().unwrap();
    assert!(simulate(bob, 7).await.conflicts.is_empty());

    let words = ["contract", "simulate", "token", "transfer", "--to", bob, "--amount", "0"];
    let shown: Value = node.run(&words);
    assert_eq!(shown["conflicts"][0]["tx_id"], json!(id));
    let text = String::from_utf8(node.hanse(&words).stdout).unwrap();
    assert!(text.contains("conflicts  1 of 1 waiting transactions"), "{text}");
    assert_eq!(client.chain_info().await.unwrap().height, Height(chain.ref_height.0), "a simulation changes nothing");
}

#[tokio::test]
async fn a_node_shows_when_it_ran_what_if_it_was_asked_to_record_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    node.run(&["contract", "call", "account", "transfer", "bob", "1"]);
    let (code, error) = node.fail(&["block", "timeline"]);
    assert_eq!(code, 7, "{error}");
    assert!(error["hint"].as_str().unwrap().contains("--record on"), "{error}");
    assert_eq!(node.run(&["block", "timeline", "--record", "on"])["on"], true);

    let chain = context(&client).await;
    let (alice, bob) = (key("alice"), key("bob"));
    let batch: Vec<SignedTransaction> =
        (0..40).map(|at| transfer(&chain, "account", if at % 2 == 0 { &alice } else { &bob }, 0x30 + at)).collect();
    let (dag, ids) = in_one_block(&client, &batch).await;
    let shown = node.run(&["block", "timeline", &dag.height.to_string()]);
    let runs = shown["runs"].as_array().unwrap();
    let passes = &shown["passes"];
    let count = |pass: &str| passes[pass].as_u64().unwrap();
    let all = ["kept", "wasted", "ordered", "strayed", "alone"].map(count).iter().sum::<u64>();
    assert_eq!((all, count("kept") + count("ordered") + count("alone")), (runs.len() as u64, 40), "{passes}");
    let stats = client.call::<GetDagStats>(DagStatsParams { last: Some(1) }).await.unwrap();
    assert_eq!(stats.blocks[0].executions, Some(all), "what the scheduler counted");
    let took = shown["took_us"].as_f64().unwrap();
    for run in runs {
        let (start, end) = (run["start_us"].as_f64().unwrap(), run["end_us"].as_f64().unwrap());
        assert!(start <= end && end <= took, "{run}");
        let id: Hash = run["tx_id"].as_str().unwrap().parse().unwrap();
        assert!(ids.contains(&id), "{run}");
    }
    let text = String::from_utf8(node.hanse(&["block", "timeline", "--width", "40"]).stdout).unwrap();
    assert!(text.contains("no part of the chain") && text.lines().count() >= 6, "{text}");

    assert_eq!(node.run(&["block", "timeline", "--record", "off"])["from_height"], Value::Null);
    assert_eq!(node.fail(&["block", "timeline"]).0, 7);
    node.stop();
}
