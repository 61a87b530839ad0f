//! Streams of a real node: in order, without a gap, each once, whatever breaks; by this workspace's client and by a
//! stock one.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::Node;
use common::consortium::until;
use common::proxy::Proxy;
use futures::StreamExt;
use hanse_client::methods::{EventCursor, GetPool, GetReceipt, NoParams, ReceiptParams, WaitMany};
use hanse_client::stream::{BLOCKS_PATH, CURSOR_FRAME, END_FRAME, EVENTS_PATH, EventFilter, Step};
use hanse_client::views::LocatedEvent;
use hanse_client::{Call, ChainContext, Client, Contract, RpcError, codes};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, Height};
use reqwest_eventsource::Event;
use serde_json::{Value, json};

/// What a test may take for something that comes for certain.
const PATIENCE: Duration = Duration::from_secs(60);

fn deploy(node: &Node) {
    node.run(&["contract", "deploy", "token", "--wasm", common::token_module(), "--supply", "1_000_000_000"]);
}

fn pay(node: &Node, to: &str, amount: u32) {
    node.run(&["contract", "call", "token", "transfer", to, &amount.to_string()]);
}

fn transfers() -> EventFilter {
    EventFilter { contract: Some("token".parse().unwrap()), name: Some("Transfer".into()), topic: None }
}

fn place(event: &LocatedEvent) -> EventCursor {
    EventCursor { height: event.height, index: event.index, event: event.event_index }
}

/// All events of the chain that a filter lets through, by asking.
async fn asked(client: &Client, filter: &EventFilter) -> Vec<EventCursor> {
    use hanse_client::methods::{EventParams, QueryEvents};
    let mut places = Vec::new();
    let mut from = EventCursor::default();
    loop {
        let (contract, name) = (filter.contract.clone(), filter.name.clone());
        let params = EventParams { contract, name, from, ..EventParams::default() };
        let page = client.call::<QueryEvents>(params).await.unwrap();
        places.extend(page.events.iter().map(place));
        from = page.next;
        if page.complete {
            return places;
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes within a minute")
}

#[tokio::test(flavor = "multi_thread")]
async fn history_and_news_come_from_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    pay(&node, "bob", 1);
    let client = node.client();

    let mut from_start = client.events(transfers(), Some(EventCursor::default()));
    let mut amounts = Vec::new();
    let mut from_now = client.events(transfers(), None);
    within(from_now.ready()).await.unwrap();
    let begun = from_now.cursor().unwrap();
    assert_eq!(begun, EventCursor::from(client.chain_info().await.unwrap().height.next()));
    for amount in 2..5 {
        pay(&node, "carol", amount);
    }
    while amounts.len() < 5 {
        let (cursor, event) = within(from_start.next()).await.unwrap();
        assert!(cursor > place(&event) && cursor.height == event.height);
        amounts.push(event.event.fields.unwrap()["amount"].as_str().unwrap().to_owned());
    }
    // The first is that of the supply, at deployment.
    assert_eq!(amounts, ["1000000000", "1", "2", "3", "4"]);
    let (_, first) = within(from_now.next()).await.unwrap();
    assert_eq!(first.event.fields.unwrap()["amount"], "2");

    // Any cursor is a place to go on from.
    let (cursor, _) = within(from_now.next()).await.unwrap();
    let mut later = client.events(transfers(), Some(cursor));
    assert_eq!(within(later.next()).await.unwrap().1.event.fields.unwrap()["amount"], "4");
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_filter_moves_on_and_blocks_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let client = node.client();
    let nothing = EventFilter { name: Some("Nothing".into()), ..EventFilter::default() };
    let mut quiet = client.events(nothing, Some(EventCursor::default()));
    let step = within(quiet.step()).await.unwrap();
    let height = client.chain_info().await.unwrap().height;
    assert_eq!(step, Step::Progress { cursor: height.next().into(), newest: height });
    assert!(quiet.caught_up());

    let mut blocks = client.blocks_with(Some(Height(0)), true);
    for amount in 1..6 {
        pay(&node, "bob", amount);
    }
    let newest = client.chain_info().await.unwrap();
    let mut parent = None;
    for height in 0..=newest.height.0 {
        let (cursor, block) = within(blocks.next()).await.unwrap();
        assert_eq!((block.header.height, cursor), (Height(height), Height(height + 1)));
        assert!(parent.is_none_or(|parent| parent == block.header.parent));
        assert_eq!(block.tx_ids.unwrap().len(), block.header.tx_count as usize);
        parent = Some(block.header.hash);
    }
    assert_eq!(parent, Some(newest.block_hash));
    node.stop();
}

/// A follower that stores nothing but its cursor sees every event once, through cut connections and kills of the node
/// under load; and so does one with a wider filter.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_or_doubled_when_the_node_is_killed() {
    const ROUNDS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    deploy(&node);
    let proxy = Proxy::new(&node.url);
    let follow = |filter: EventFilter| {
        let client = Client::new(&proxy.url).unwrap();
        let mut stream = client.events(filter, Some(EventCursor::default()));
        let (seen, places) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((_, event)) = stream.next().await {
                if seen.send(place(&event)).is_err() {
                    break;
                }
            }
        });
        (task, places)
    };
    let (narrow, mut narrow_places) = follow(transfers());
    let (wide, mut wide_places) = follow(EventFilter::default());

    for _ in 0..ROUNDS {
        let load = std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                node.hanse(&[
                    "bench",
                    "--workload",
                    "token",
                    "--transactions",
                    "50000",
                    "--accounts",
                    "50",
                    "--patience",
                    "30",
                ])
            });
            let client = node.client();
            let height = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async { client.chain_info().await.unwrap().height })
            });
            // In the middle of it: some blocks with many transactions have come.
            let busy = async {
                let mut blocks = client.blocks(Some(height.next()));
                for _ in 0..4 {
                    blocks.next().await.unwrap();
                    proxy.cut();
                }
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(within(busy)));
            let pid = node.process_id().to_string();
            assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            load.join().unwrap()
        });
        assert!(!load.status.success());
        node.kill();
        node = Node::start(folder.path());
        proxy.point_at(&node.url);
    }
    let client = node.client();
    let pool = || async { client.call::<GetPool>(NoParams {}).await.unwrap() };
    until("what was left is in blocks", pool, |pool| pool.waiting + pool.sealed == 0).await;
    pay(&node, "bob", 7);

    for (places, filter) in [(&mut narrow_places, transfers()), (&mut wide_places, EventFilter::default())] {
        let expected = asked(&client, &filter).await;
        assert!(expected.len() > 50, "the load left {} events", expected.len());
        let mut seen = Vec::new();
        while seen.last() != expected.last() {
            seen.push(within(places.recv()).await.unwrap());
        }
        assert_eq!(seen, expected);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    }
    narrow.abort();
    wide.abort();
    node.stop();
}

/// A client that knows nothing of this chain: it repeats the last id it was given, and that is all it takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_of_sse_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    let proxy = Proxy::new(&node.url);
    let url = format!("{}{EVENTS_PATH}?contract=token&name=Transfer&from=0", proxy.url);
    let mut frames = reqwest_eventsource::EventSource::get(&url);
    let mut amounts = Vec::new();
    let (mut opened, mut paid) = (0, 0);
    while amounts.len() < 6 {
        match within(frames.next()).await.unwrap() {
            Ok(Event::Message(frame)) if frame.event == CURSOR_FRAME => {
                // It has caught up: something new, and every second time on a new connection.
                if paid < 5 {
                    paid += 1;
                    if paid % 2 == 0 {
                        proxy.cut();
                    }
                    tokio::task::block_in_place(|| pay(&node, "bob", paid));
                }
            }
            Ok(Event::Message(frame)) => {
                assert_eq!(frame.event, "message");
                let value: Value = serde_json::from_str(&frame.data).unwrap();
                amounts.push(value["fields"]["amount"].as_str().unwrap().to_owned());
            }
            Ok(Event::Open) => opened += 1,
            // It tells of the cut, and goes on.
            Err(_) => {}
        }
    }
    assert_eq!(amounts, ["1000000000", "1", "2", "3", "4", "5"]);
    assert!(opened >= 3, "{opened} connections");
    frames.close();
    node.stop();
}

/// A client of JSON-RPC that knows nothing of this chain.
#[test]
fn a_stock_client_of_json_rpc_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = jsonrpc::Client::simple_http(&node.url, None, None).unwrap();
    let info: Value = client.call("chain_info", None).unwrap();
    assert_eq!(info["chain_id"], "hanse-dev");

    let at = jsonrpc::arg(json!({ "at": 99 }));
    match client.call::<Value>("block_get", Some(&at)) {
        Err(jsonrpc::Error::Rpc(error)) => {
            assert_eq!(error.code, codes::NOT_FOUND.code);
            let data: Value = serde_json::from_str(error.data.unwrap().get()).unwrap();
            assert_eq!((&data["name"], &data["retry"]), (&json!("not_found"), &json!("never")));
        }
        other => panic!("{other:?}"),
    }

    let batch = [client.build_request("pool_status", None), client.build_request("block_get", Some(&at))];
    let answers = client.send_batch(&batch).unwrap();
    let errors: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().error.is_some()).collect();
    assert_eq!(errors, [false, true]);
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_can_not_be_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let events = |query: &str| format!("{}{EVENTS_PATH}?{query}", node.url);
    let cases = [
        (events("from=latest"), 400, codes::INVALID_PARAMS, "no cursor"),
        (events("from=0.0.0.0"), 400, codes::INVALID_PARAMS, "no cursor"),
        (events("from=99"), 404, codes::NOT_FOUND, "the newest is"),
        (events("contract=nobody"), 404, codes::NOT_FOUND, "nobody"),
        (events("contract=0x12"), 400, codes::INVALID_PARAMS, "names no contract"),
        (events("topic=0x12"), 400, codes::INVALID_PARAMS, "topic needs contract and name"),
        (events("contracts=token"), 400, codes::INVALID_PARAMS, "contracts"),
        (events("group=other"), 404, codes::NOT_FOUND, "other"),
        (format!("{}{BLOCKS_PATH}?from=1.0", node.url), 400, codes::INVALID_PARAMS, "no cursor"),
    ];
    for (url, status, kind, words) in cases {
        let answer = http.get(&url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{url}");
        let error: RpcError = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(error.is(kind) && error.message.contains(words), "{url}: {error}");
    }
    // The header of a reconnect goes before the parameter.
    let answer = http.get(events("from=0")).header("last-event-id", "x").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 400);

    // One client can't take all the streams.
    let limit = client_limit(&node, &http).await;
    assert!(limit > 0 && limit < 1_000, "{limit}");
    node.stop();
}

/// Opens streams until one is refused; all are closed again, and their places are free.
async fn client_limit(node: &Node, http: &reqwest::Client) -> usize {
    let url = format!("{}{BLOCKS_PATH}", node.url);
    let mut open = Vec::new();
    loop {
        let answer = http.get(&url).send().await.unwrap();
        if answer.status().is_success() {
            open.push(answer);
            continue;
        }
        assert_eq!(answer.status().as_u16(), 503);
        let error: RpcError = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(error.is(codes::BUSY) && error.message.contains("streams open"), "{error}");
        break;
    }
    let count = open.len();
    drop(open);
    // The node learns of the closed connections one by one.
    let again = async { while !http.get(&url).send().await.unwrap().status().is_success() {} };
    within(again).await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_ends_its_streams_with_a_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let answer = reqwest::get(format!("{}{BLOCKS_PATH}?from=0", node.url)).await.unwrap();
    let mut frames = sse_stream::SseStream::new(reqwest::Body::from(answer));
    let first = within(frames.next()).await.unwrap().unwrap();
    assert_eq!((first.event, first.id.as_deref()), (None, Some("1")));
    // Must not wait for its readers.
    node.stop();
    loop {
        let frame = within(frames.next()).await.unwrap().unwrap();
        if frame.event.as_deref() == Some(END_FRAME) {
            let error: RpcError = serde_json::from_str(&frame.data.unwrap()).unwrap();
            assert!(error.is(codes::GROUP_STOPPED), "{error}");
            assert_eq!(frame.id.as_deref(), Some("1"));
            break;
        }
    }
    assert!(within(frames.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_and_says_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    deploy(&node);
    pay(&node, "bob", 1);
    pay(&node, "carol", 2);
    let lines = |args: &[&str]| -> Vec<Value> {
        let output = node.hanse(&[&["--json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    };
    let watch = ["event", "watch", "--contract", "token", "--event", "Transfer", "--since", "0"];
    let first = lines(&[&watch[..], &["--count", "2"]].concat());
    assert_eq!(first.len(), 3);
    assert_eq!(first[1]["fields"]["amount"], "1");
    let cursor = first[2]["cursor"].as_str().unwrap();
    assert_eq!(first[1]["cursor"], cursor);

    let rest =
        lines(&["event", "watch", "--contract", "token", "--name", "Transfer", "--since", cursor, "--no-follow"]);
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[0]["fields"]["amount"], "2");

    // By the first topic, as the ABI writes it.
    let paid_to_nobody = lines(&[&watch[..], &["--topic", "carol", "--no-follow"]].concat());
    assert_eq!(paid_to_nobody.len(), 1, "carol sent nothing: {paid_to_nobody:?}");
    let sent = lines(&[&watch[..], &["--topic", "alice", "--no-follow"]].concat());
    assert_eq!(sent.len(), 3, "{sent:?}");

    let blocks = lines(&["block", "watch", "--since", "0", "--no-follow"]);
    let heights: Vec<u64> = blocks.iter().filter_map(|block| block["header"]["height"].as_u64()).collect();
    assert_eq!(heights, (0..heights.len() as u64).collect::<Vec<_>>());
    assert_eq!(blocks.last().unwrap()["cursor"], heights.len().to_string());

    let wrong = node.hanse(&["event", "watch", "--since", "7.x"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is no cursor"));
    node.stop();
}

/// A reader that takes nothing loses its connection and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_is_cut_and_goes_on_where_it_was() {
    // Far more bytes than the buffers between two processes hold.
    const BATCHES: usize = 20;
    const BATCH: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let payer = SecretKey::ed25519([7; 32]);
    let funds = format!("{}=1_000_000_000", payer.public_key().address());
    let made = ["init", "node", "--listen", "127.0.0.1:0", "--plain-key", "--account", &funds];
    assert!(common::hanse(folder.path(), &made).status.success());
    let limits = [("HANSE_RPC__READER_PATIENCE_SECONDS", "5"), ("HANSE_RPC__STREAMS_PER_CLIENT", "1")];
    let node = Node::serve(folder.path(), &limits);
    let client = node.client();
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    let args = borsh::to_vec(&(Address([9; 20]), 1u128)).unwrap();
    let pay = || Call::new(Contract::native(1), "transfer", args.clone()).sign(&context, &payer).unwrap();
    for _ in 0..BATCHES {
        let mut batch: Vec<_> = (0..BATCH).map(|_| pay()).collect();
        // A node with a slow disk takes a part of them, and the rest when that is committed.
        while !batch.is_empty() {
            let sent = || async {
                match client.submit_bulk(&batch, WaitMany::None).await {
                    Ok(answer) => answer.accepted,
                    Err(error) if error.is(codes::BUSY) || error.is(codes::POOL_FULL) => 0,
                    Err(error) => panic!("{error}"),
                }
            };
            let accepted = until("some are taken", sent, |accepted| *accepted > 0).await;
            let tx_id = batch[accepted - 1].id(&context.genesis).0;
            let params = ReceiptParams { tx_id, proof: false, timeout_ms: PATIENCE.as_millis() as u64 };
            client.call::<GetReceipt>(params).await.unwrap();
            batch.drain(..accepted);
        }
    }
    let everything = EventFilter::default;
    let expected = asked(&client, &everything()).await;
    assert_eq!(expected.len(), BATCHES * BATCH);

    // There is one seat. Who has it and is up to date keeps it.
    let mut idle = client.events(everything(), None);
    within(idle.ready()).await.unwrap();
    let refused = within(client.events(everything(), None).ready()).await.unwrap_err();
    assert!(refused.is(codes::BUSY), "{refused}");
    drop(idle);

    // Who takes nothing loses it, so another gets it.
    let mut slow = client.events(everything(), Some(EventCursor::default()));
    let first = async {
        loop {
            // The seat is free when the node has seen that the other is gone.
            if let Ok((_, event)) = slow.next().await {
                return event;
            }
        }
    };
    let first = within(first).await;
    let mut seen = vec![place(&first)];
    within(async { while client.events(everything(), None).ready().await.is_err() {} }).await;

    let mut lost = 0;
    while seen.len() < expected.len() {
        match within(slow.step()).await.unwrap() {
            Step::Value(_, event) => seen.push(place(&event)),
            Step::Lost { .. } => lost += 1,
            Step::Progress { .. } => {}
        }
    }
    assert!(lost > 0, "it was never cut");
    assert_eq!(seen, expected);
    node.stop();
}
