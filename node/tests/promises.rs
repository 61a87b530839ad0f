//! What a node promised holds over kill -9, a full disk, and time that passes while it is down: nothing that it
//! acknowledged is lost, nothing happens twice, and what can no longer happen has an end with a reason.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Node, receipts_of};
use hanse_client::methods::{EventCursor, EventParams, Events, GetTxStatus, QueryEvents, TxParams, Wait, WaitMany};
use hanse_client::views::TxStatusView;
use hanse_client::{Call, ChainContext, Client, ClientError, Contract, RpcError, codes};
use hanse_types::crypto::SecretKey;
use hanse_types::{Address, Hash, Height, SignedTransaction, Status};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How long a node may take for what it always does.
const PATIENCE: Duration = Duration::from_secs(60);
/// Kills in one run; more by `HANSE_KILLS`.
const KILLS: usize = 5;

fn key(name: &str) -> SecretKey {
    let mut seed = [b' '; 32];
    let text = format!("hanse development {name}");
    seed[..text.len()].copy_from_slice(text.as_bytes());
    SecretKey::ed25519(seed)
}

async fn context(client: &Client) -> ChainContext {
    ChainContext::from(&client.chain_info().await.unwrap())
}

/// A payment of one unit to a receiver of this number.
fn payment(context: &ChainContext, from: &SecretKey, to: u64) -> (Hash, SignedTransaction) {
    let mut receiver = [7; 20];
    receiver[..8].copy_from_slice(&to.to_be_bytes());
    let args = borsh::to_vec(&(Address(receiver), 1u128)).unwrap();
    let signed = Call::new(Contract::native(1), "transfer", args).sign(context, from).unwrap();
    (signed.id(&context.genesis).0, signed)
}

async fn status(client: &Client, id: Hash) -> TxStatusView {
    client.call::<GetTxStatus>(TxParams { tx_id: id }).await.unwrap()
}

/// Waits until what becomes of a transaction is final, as the blocks come.
async fn end_of(client: &Client, id: Hash) -> TxStatusView {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match status(client, id).await {
            TxStatusView::Waiting | TxStatusView::Sealed { .. } => {
                assert!(tokio::time::Instant::now() < deadline, "{id} comes to no end");
                // Answered when the next block is there, or in a second.
                let height = client.chain_info().await.unwrap().height;
                client.wait_block(height, Duration::from_secs(1)).await.unwrap();
            }
            end => return end,
        }
    }
}

/// What clients were told, over all lives of the node.
#[derive(Default)]
struct Told {
    /// Acknowledged: accepted with a promise, or committed.
    acknowledged: Vec<Hash>,
    receipts: HashMap<Hash, Height>,
}

/// Whether a node has refused only for now: after kills in a row before a block came, it runs what waits in small batches, and takes
/// less meanwhile.
fn is_for_now(error: &RpcError) -> bool {
    [codes::BUSY.code, codes::POOL_FULL.code].contains(&error.code)
}

/// Waits for a block, or a while, or until the node is gone.
async fn wait_for_room(client: &Client) {
    if let Ok(info) = client.chain_info().await {
        drop(client.wait_block(info.height, Duration::from_millis(200)).await);
    }
}

/// One client that pays and pays, in the way of its number, until the node is gone.
async fn pay(client: Client, number: u64, round: u64, told: Arc<Mutex<Told>>, context: ChainContext) {
    let from = key(["alice", "bob", "carol"][number as usize % 3]);
    for n in 0u64.. {
        let to = (round << 40) | (number << 32) | n;
        let (id, signed) = payment(&context, &from, to);
        let answer = match number % 3 {
            0 => client.send(&signed, Wait::Pool, PATIENCE).await.map(|_| None),
            1 => client.send(&signed, Wait::Committed, PATIENCE).await.map(|submitted| submitted.receipt),
            _ => {
                let pairs: Vec<_> = (0..20).map(|k| payment(&context, &from, to | ((k + 1) << 20))).collect();
                let transactions: Vec<_> = pairs.iter().map(|(_, signed)| signed.clone()).collect();
                match client.submit_bulk(&transactions, WaitMany::Pool).await {
                    Ok(answer) => {
                        assert!(
                            answer.refused.iter().all(|refused| is_for_now(&refused.error)),
                            "{:?}",
                            answer.refused
                        );
                        let refused: BTreeSet<usize> = answer.refused.iter().map(|refused| refused.index).collect();
                        let taken = pairs.iter().enumerate().filter(|(index, _)| !refused.contains(index));
                        told.lock().unwrap().acknowledged.extend(taken.map(|(_, (id, _))| *id));
                        if !refused.is_empty() {
                            wait_for_room(&client).await;
                        }
                        continue;
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match answer {
            Ok(receipt) => {
                let mut told = told.lock().unwrap();
                told.acknowledged.push(id);
                told.receipts.extend(receipt.map(|receipt| (id, receipt.height)));
            }
            Err(ClientError::Broken { .. } | ClientError::Connect { .. }) => return,
            Err(ClientError::Refused(error)) if is_for_now(&error) => wait_for_room(&client).await,
            Err(other) => panic!("{other}"),
        }
    }
}

fn places_of(page: &Events) -> impl Iterator<Item = EventCursor> {
    page.events.iter().map(|e| EventCursor { height: e.height, index: e.index, event: e.event_index })
}

/// Reads events on from a cursor that outlives the node, until it is gone.
async fn follow(client: Client, seen: Arc<Mutex<(EventCursor, Vec<EventCursor>)>>) {
    loop {
        let from = seen.lock().unwrap().0;
        let params = EventParams { from, limit: Some(50), ..EventParams::default() };
        let Ok(page) = client.call::<QueryEvents>(params).await else { return };
        {
            let mut seen = seen.lock().unwrap();
            seen.1.extend(places_of(&page));
            seen.0 = page.next;
        }
        if page.complete {
            let newest = Height(page.next.height.0.saturating_sub(1));
            if client.wait_block(newest, Duration::from_secs(1)).await.is_err() {
                return;
            }
        }
    }
}

/// All transactions of the chain with their heights, and the places of all events.
async fn whole_chain(client: &Client) -> (Vec<(Hash, Height)>, Vec<EventCursor>) {
    let (mut transactions, mut events) = (Vec::new(), Vec::new());
    let tip = client.chain_info().await.unwrap().height;
    for height in 1..=tip.0 {
        for receipt in receipts_of(client, Height(height)).await {
            assert_eq!(receipt.outcome.status, Status::Success);
            transactions.push((receipt.tx_id, receipt.height));
            let numbers = 0..receipt.outcome.events.len() as u32;
            events.extend(numbers.map(|event| EventCursor { height: receipt.height, index: receipt.index, event }));
        }
    }
    (transactions, events)
}

/// A life of the node under load, ended by kill -9 after so many acknowledgements. Often no block comes in it: then what waits comes
/// under suspicion, which must cost nothing that was acknowledged either.
async fn live_and_die(
    folder: &Path,
    round: u64,
    told: &Arc<Mutex<Told>>,
    seen: &Arc<Mutex<(EventCursor, Vec<EventCursor>)>>,
) {
    let node = Node::start(folder);
    let context = context(&node.client()).await;
    let mut clients = JoinSet::new();
    for number in 0..6 {
        clients.spawn(pay(node.client(), number, round, told.clone(), context.clone()));
    }
    clients.spawn(follow(node.client(), seen.clone()));
    let enough = told.lock().unwrap().acknowledged.len() + 60 + (round as usize * 97) % 500;
    while told.lock().unwrap().acknowledged.len() < enough {
        let height = node.client().chain_info().await.unwrap().height;
        node.client().wait_block(height, Duration::from_millis(20)).await.unwrap();
    }
    node.kill();
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_again_and_again_nothing_acknowledged_is_lost_or_doubled() {
    let kills = std::env::var("HANSE_KILLS").ok().map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let told: Arc<Mutex<Told>> = Arc::default();
    let seen: Arc<Mutex<(EventCursor, Vec<EventCursor>)>> = Arc::default();
    for round in 0..kills as u64 {
        live_and_die(folder.path(), round, &told, &seen).await;
    }

    let node = Node::start(folder.path());
    let client = node.client();
    let acknowledged = std::mem::take(&mut told.lock().unwrap().acknowledged);
    for id in &acknowledged {
        let end = end_of(&client, *id).await;
        assert!(matches!(end, TxStatusView::Committed { status: Status::Success, .. }), "{id}: {end:?}");
    }
    let (transactions, events) = whole_chain(&client).await;
    let heights: BTreeMap<Hash, Height> = transactions.iter().copied().collect();
    assert_eq!(heights.len(), transactions.len(), "executed twice");
    assert!(acknowledged.iter().all(|id| heights.contains_key(id)), "acknowledged and lost");
    for (id, height) in &told.lock().unwrap().receipts {
        assert_eq!(heights.get(id), Some(height), "a receipt that was given out is no longer true");
    }

    // The follower catches up, and has seen each event once, in order.
    let from = seen.lock().unwrap().0;
    let params = EventParams { from, ..EventParams::default() };
    let mut followed = std::mem::take(&mut seen.lock().unwrap().1);
    let mut page = client.call::<QueryEvents>(params).await.unwrap();
    loop {
        followed.extend(places_of(&page));
        if page.complete {
            break;
        }
        let params = EventParams { from: page.next, ..EventParams::default() };
        page = client.call::<QueryEvents>(params).await.unwrap();
    }
    assert_eq!(followed, events, "missed, doubled or out of order");
    println!(
        "{kills} kills, {} acknowledged, {} committed, {} events, all of them once",
        acknowledged.len(),
        transactions.len(),
        events.len()
    );
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_while_the_node_is_down_is_dropped_with_a_reason_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough that no block comes before the node is killed.
    let node = Node::start_with(folder.path(), &["--block-interval", "3000"]);
    let client = node.client();
    let context = context(&client).await;
    let alice = key("alice");
    let args = borsh::to_vec(&(Address([9; 20]), 5u128)).unwrap();
    let short = Call::new(Contract::native(1), "transfer", args).lifetime(Duration::from_millis(1_500));
    let signed = short.sign(&context, &alice).unwrap();
    let id = signed.id(&context.genesis).0;
    client.send(&signed, Wait::Pool, PATIENCE).await.unwrap();
    let (kept, other) = payment(&context, &alice, 1);
    client.send(&other, Wait::Pool, PATIENCE).await.unwrap();
    // On a disk that stands still for as long it is over before the node is down, with the same end.
    let before = status(&client, id).await;
    assert!(
        matches!(&before, TxStatusView::Waiting)
            || matches!(&before, TxStatusView::Dropped { reason, .. } if reason == "expired"),
        "{before:?}"
    );
    node.kill();
    while hanse_client::call::now() < signed.transaction.expiration {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let node = Node::start(folder.path());
    let client = node.client();
    let end = end_of(&client, id).await;
    assert!(matches!(&end, TxStatusView::Dropped { reason, .. } if reason == "expired"), "{end:?}");
    let end = end_of(&client, kept).await;
    assert!(matches!(end, TxStatusView::Committed { status: Status::Success, .. }), "{end:?}");
    node.kill();

    // It is known after another crash, too.
    let node = Node::start(folder.path());
    let id_text = id.to_string();
    let shown = node.run(&["tx", "status", &id_text]);
    assert_eq!(
        (&shown["state"], &shown["reason"], &shown["retry"]),
        (&json!("dropped"), &json!("expired"), &json!("new_transaction"))
    );
    let listed = node.run(&["tx", "failed", "list"]);
    assert_eq!(listed["failed"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["failed"][0]["tx_id"], &listed["failed"][0]["end"]), (&json!(id), &json!("dropped")));
    let one = node.run(&["tx", "failed", "show", &id_text]);
    assert_eq!(one["transaction"]["arguments"]["amount"], "5");

    let (exit, error) = node.fail(&["tx", "failed", "retry", &id_text]);
    assert_eq!(exit, 4);
    assert!(error["hint"].as_str().unwrap().contains("--sign-anew"), "{error}");
    let (exit, _) = node.fail(&["tx", "failed", "retry", &id_text, "--sign-anew", "--from", "bob"]);
    assert_eq!(exit, 2);
    let sent = node.run(&["tx", "failed", "retry", "--all", "--sign-anew"]);
    let renewed: Hash = sent[0]["sent"].as_str().unwrap().parse().unwrap();
    let end = end_of(&node.client(), renewed).await;
    assert!(matches!(end, TxStatusView::Committed { status: Status::Success, .. }), "{end:?}");
    // Once is enough.
    assert_eq!(node.run(&["tx", "failed", "retry", "--all", "--sign-anew"]), json!([]));
    let (_, error) = node.fail(&["tx", "failed", "retry", &id_text, "--sign-anew"]);
    assert_eq!(error["code"], codes::REPLACED.code);
    let paid = node.run(&["contract", "query", "account", "balance_of", &Address([9; 20]).to_string()]);
    assert_eq!(paid["result"], "5");
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_failed_is_listed_and_tried_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let poor = ["contract", "call", "account", "transfer", "alice", "9_000_000_000_000_000_000", "--from", "bob"];
    let (exit, _) = node.fail(&poor);
    assert_eq!(exit, 3);
    let listed = node.run(&["tx", "failed", "list"]);
    let failed = &listed["failed"][0];
    assert_eq!((&failed["end"], &failed["method"]), (&json!("executed"), &json!("transfer")));
    assert_eq!(node.run(&["tx", "failed", "list", "--reason", "expired"])["failed"], json!([]));
    let id = failed["tx_id"].as_str().unwrap();
    let shown = node.run(&["tx", "status", id]);
    assert_eq!((&shown["state"], &shown["status"]), (&json!("committed"), &failed["reason"]));
    let (exit, _) = node.fail(&["tx", "failed", "retry", id]);
    assert_eq!(exit, 4);
    assert_eq!(
        node.run(&["tx", "failed", "retry", "--all", "--sign-anew"]),
        json!([]),
        "nothing helps where it is poor"
    );

    // The cause is mended, and the same call is made again.
    node.run(&["contract", "call", "account", "transfer", "bob", "900_000_000_000_000_000"]);
    let sent = node.run(&["tx", "failed", "retry", id, "--sign-anew", "--from", "bob"]);
    assert!(sent[0]["sent"].is_string());
    let (_, error) = node.fail(&["tx", "failed", "retry", id, "--sign-anew", "--from", "bob"]);
    assert_eq!(error["code"], codes::REPLACED.code);
    let (exit, error) = node.fail(&["tx", "failed", "show", &Hash([1; 32]).to_string()]);
    assert_eq!((exit, &error["code"]), (7, &json!(codes::NOT_FOUND.code)));
    assert_eq!(node.run(&["tx", "status", &Hash([1; 32]).to_string()])["state"], "unknown");
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_breaks_no_promise() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_on_small_disk(folder.path(), 8_192);
    let client = node.client();
    let context = context(&client).await;
    let (alice, mut acknowledged, mut refused) = (key("alice"), Vec::new(), BTreeSet::new());
    for n in 0..2_000u64 {
        let mut account = [3; 20];
        account[..8].copy_from_slice(&n.to_be_bytes());
        let args = borsh::to_vec(&(Address(account), "x".repeat(30_000))).unwrap();
        let call = Call::new(Contract::native(1), "create_account", args);
        let signed = call.sign(&context, &alice).unwrap();
        match client.send(&signed, Wait::Pool, PATIENCE).await {
            Ok(sent) => acknowledged.push(sent.tx_id),
            Err(ClientError::Refused(error)) => {
                refused.insert(error.code);
                if refused.contains(&codes::GROUP_STOPPED.code) {
                    break;
                }
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused.contains(&codes::GROUP_STOPPED.code), "the disk is full at some time: {refused:?}");
    assert!(
        refused.is_subset(&BTreeSet::from([codes::GROUP_STOPPED.code, codes::OUTCOME_UNKNOWN.code])),
        "{refused:?}"
    );
    assert!(acknowledged.len() > 10);
    node.kill();

    let node = Node::start(folder.path());
    for id in acknowledged {
        let end = end_of(&node.client(), id).await;
        assert!(matches!(end, TxStatusView::Committed { status: Status::Success, .. }), "{id}: {end:?}");
    }
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_submit_promises_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--block-interval", "60000"]);
    let client = node.client();
    let context = context(&client).await;
    let alice = key("alice");
    let payments: Vec<_> = (0..6).map(|n| payment(&context, &alice, n)).collect();
    let bulk = |signed: &SignedTransaction| hanse_client::bulk::encode(std::slice::from_ref(signed));
    let post = async |query: &str, body: Vec<u8>| -> Value {
        let url = format!("{}/v1/submit{query}", node.url);
        let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    client.send(&payments[0].1, Wait::None, PATIENCE).await.unwrap();
    client.send(&payments[1].1, Wait::Pool, PATIENCE).await.unwrap();
    assert_eq!(post("?wait=none", bulk(&payments[2].1)).await["accepted"], 1);
    assert_eq!(post("?wait=pool", bulk(&payments[3].1)).await["accepted"], 1);
    assert_eq!(post("", bulk(&payments[4].1)).await["accepted"], 1);
    assert_eq!(post("?wait=committed", bulk(&payments[5].1)).await["code"], codes::INVALID_PARAMS.code);
    node.kill();

    let node = Node::start(folder.path());
    let mut states = Vec::new();
    for (id, _) in &payments {
        states.push(status(&node.client(), *id).await != TxStatusView::Unknown);
    }
    assert_eq!(states, [false, true, false, true, true, false]);
    node.stop();
}
