//! Four nodes, four processes: one chain over the network, the loss of one, who is refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::consortium::{Consortium, PATIENCE, payment, peers, until, until_connected};
use common::{Node, hanse};
use hanse_client::methods::{BlockAt, BlockParams, GetBlock, GetChainStatus, NoParams};
use hanse_client::{ChainContext, Client};
use hanse_types::{Hash, Height};
use serde_json::Value;

async fn hash_at(client: &Client, height: Height) -> Hash {
    let params = BlockParams { at: BlockAt::Height(height), ..BlockParams::default() };
    client.call::<GetBlock>(params).await.unwrap().header.hash
}

async fn height(client: &Client) -> Height {
    client.chain_info().await.unwrap().height
}

/// Pays at these nodes in turn until it is told to stop; how many payments are in blocks.
async fn pay(clients: Vec<Client>, first: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut paid = 0;
    for (number, client) in (first..).zip(clients.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // Many blocks come while a node is away.
        let context = ChainContext::from(&client.chain_info().await.unwrap());
        let payment = payment(&context, number);
        client.submit_and_wait(&payment, PATIENCE).await.unwrap().receipt().unwrap();
        paid += 1;
    }
    paid
}

/// The longest time between two blocks that a node sees, until it has seen so many.
async fn longest_wait(client: &Client, blocks: u64) -> Duration {
    let (mut last, mut since, mut longest) = (height(client).await, Instant::now(), Duration::ZERO);
    let end = Height(last.0 + blocks);
    while last < end {
        let next = client.wait_block(last, PATIENCE).await.unwrap();
        last = next.header.expect("a block in a minute").height;
        longest = longest.max(since.elapsed());
        since = Instant::now();
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_make_one_chain_and_bear_the_loss_of_one() {
    let consortium = Consortium::new(4);
    let mut nodes: Vec<Node> = (1..=4).map(|number| consortium.start(number)).collect();
    let clients: Vec<Client> = nodes.iter().map(Node::client).collect();
    for client in &clients {
        let network = until_connected(client, 3).await;
        assert_eq!(network.peers.iter().filter(|peer| peer.dialed.is_some()).count(), 3);
    }
    let context = ChainContext::from(&clients[0].chain_info().await.unwrap());
    for (number, client) in clients.iter().enumerate() {
        client.submit_and_wait(&payment(&context, number as u64), PATIENCE).await.unwrap().receipt().unwrap();
    }

    // One is killed while the others are paid at.
    let victim = nodes.pop().unwrap();
    let (stop, living) = (Arc::new(AtomicBool::new(false)), clients[..3].to_vec());
    let payers: Vec<_> = (1..=6).map(|payer| tokio::spawn(pay(living.clone(), payer << 32, stop.clone()))).collect();
    longest_wait(&clients[0], 3).await;
    victim.kill();
    // So many that it would have been its turn.
    let longest = longest_wait(&clients[0], 12).await;
    println!("one of four killed: the longest wait for a block was {} ms", longest.as_millis());
    let gone = until(
        "the loss is seen",
        || peers(&clients[0]),
        |network| {
            let count = |state: &str| network.peers.iter().filter(|peer| peer.state == state).count();
            (count("connecting"), count("ready")) == (1, 2)
        },
    );
    assert!(gone.await.peers.iter().any(|peer| peer.name == "node-4" && peer.state == "connecting"));

    // It comes back while they are still paid at, and catches up.
    nodes.push(consortium.start(4));
    let back = nodes[3].client();
    until_connected(&back, 3).await;
    let behind = height(&clients[0]).await;
    until("it has caught up", || height(&back), |height| *height >= behind).await;
    stop.store(true, Ordering::Relaxed);
    let mut paid = 0;
    for payer in payers {
        paid += payer.await.unwrap();
    }
    assert!(paid > 0);
    let end = height(&clients[0]).await;
    let all = [&clients[0], &clients[1], &clients[2], &back];
    let mut hashes = Vec::new();
    for client in all {
        until("all are there", || height(client), |height| *height >= end).await;
        hashes.push(hash_at(client, end).await);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");

    until_connected(&clients[0], 3).await;
    let status = String::from_utf8(nodes[0].hanse(&["status"]).stdout).unwrap();
    assert!(status.contains("node-2 ready at /ip4/127.0.0.1/tcp/"), "{status}");
    let shown = String::from_utf8(nodes[0].hanse(&["net", "peers"]).stdout).unwrap();
    assert!(shown.contains("node-4") && shown.contains("12D3KooW"), "{shown}");
    let ready = || nodes[0].figure("hanse_net_peers{state=\"ready\"}");
    until("they are counted", ready, |count| *count == 3.0).await;
    let figures = reqwest::get(format!("{}/metrics", nodes[0].url)).await.unwrap().text().await.unwrap();
    assert!(figures.contains("hanse_net_bytes_total{direction=\"sent\",module=\"consensus\"}"), "{figures}");
    nodes.into_iter().for_each(Node::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_never_there_fetches_the_chain_under_load_whatever_kills_it() {
    let consortium = Consortium::new(4);
    let nodes: Vec<Node> = (1..=3).map(|number| consortium.start(number)).collect();
    let clients: Vec<Client> = nodes.iter().map(Node::client).collect();
    until_connected(&clients[0], 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let payers: Vec<_> = (1..=3).map(|payer| tokio::spawn(pay(clients.clone(), payer << 32, stop.clone()))).collect();
    longest_wait(&clients[0], 60).await;

    let fetched = async |client: &Client| {
        client.call::<GetChainStatus>(NoParams {}).await.unwrap().sync.map_or(0, |sync| sync.blocks)
    };
    let mut newcomer = consortium.start(4);
    let mut blocks = 0;
    for part in [10, 30] {
        let client = newcomer.client();
        until("it is on its way", || height(&client), |height| *height >= Height(part)).await;
        blocks += fetched(&client).await;
        newcomer.kill();
        newcomer = consortium.start(4);
    }
    let client = newcomer.client();
    let end = height(&clients[0]).await;
    until("it has caught up", || height(&client), |height| *height >= end).await;
    stop.store(true, Ordering::Relaxed);
    for payer in payers {
        assert!(payer.await.unwrap() > 0);
    }
    assert_eq!(hash_at(&client, end).await, hash_at(&clients[0], end).await);
    let sync = client.call::<GetChainStatus>(NoParams {}).await.unwrap().sync.unwrap();
    assert!(blocks + sync.blocks > 0 && sync.lies.is_empty() && sync.dropped == 0, "{sync:?}");
    let figures = reqwest::get(format!("{}/metrics", newcomer.url)).await.unwrap().text().await.unwrap();
    assert!(figures.contains("hanse_sync_blocks_total{group="), "{figures}");
    newcomer.stop();
    nodes.into_iter().for_each(Node::stop);
}

fn port_of(url: &Value) -> u16 {
    url.as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_chain_is_made_run_and_stopped_by_commands() {
    let consortium = Consortium::new(4);
    // Free ones, and none that the system gives to others while a node is down.
    let nodes = consortium.made["nodes"].as_array().unwrap();
    let ports: BTreeSet<u16> = nodes.iter().map(|node| port_of(&node["rpc"])).collect();
    assert!(ports.len() == 4 && ports.iter().all(|port| (10_000..30_000).contains(port)), "{ports:?}");
    let run = |args: &[&str]| -> Value {
        let output = hanse(consortium.folder(), &[&["--json", "chain"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let started = run(&["start", "all"]);
    let started = started.as_array().unwrap();
    assert!(started.len() == 4 && started.iter().all(|node| node["started"] == true), "{started:?}");
    assert!(run(&["start", "all"]).as_array().unwrap().iter().all(|node| node["started"] == false));
    assert_eq!(run(&["stop", "all", "--node", "node-2"]), serde_json::json!(["node-2"]));
    let status = run(&["status", "all"]);
    let running: Vec<bool> = status.as_array().unwrap().iter().map(|node| node.get("pid").is_some()).collect();
    assert_eq!(running, [true, false, true, true]);
    assert_eq!(status[0]["chain"]["genesis_hash"], consortium.made["genesis_hash"]);
    assert_eq!(run(&["start", "all", "--node", "node-2"])[0]["started"], true);
    assert_eq!(run(&["stop", "all"]).as_array().unwrap().len(), 4);
    assert_eq!(run(&["stop", "all"]), serde_json::json!([]));
}

#[test]
fn a_start_that_fails_leaves_nothing_running_that_it_started() {
    let consortium = Consortium::new(4);
    let run = |args: &[&str]| hanse(consortium.folder(), &[&["--json", "chain"], args].concat());
    let running = || -> Vec<bool> {
        let status: Value = serde_json::from_slice(&run(&["status", "all"]).stdout).unwrap();
        status.as_array().unwrap().iter().map(|node| node.get("pid").is_some()).collect()
    };
    assert!(run(&["start", "all", "--node", "node-1"]).status.success());
    // The third can't be opened: its genesis is none any more.
    let genesis = consortium.folder().join("all/node-3/genesis.json");
    let whole = std::fs::read(&genesis).unwrap();
    std::fs::write(&genesis, "{}").unwrap();
    let failed = run(&["start", "all"]);
    let text = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{text}");
    let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("node-3 is not ready: it has ended; the last lines of "), "{message}");
    assert!(message.contains("node-3/hanse.out:\n") && message.contains("genesis.json"), "{message}");
    assert!(message.ends_with("\nstopped again, as this command had started them: node-2, node-4"), "{message}");
    assert!(error["error"]["hint"].as_str().unwrap().contains("the same command"), "{error}");
    assert_eq!(running(), [true, false, false, false], "the first ran before");
    std::fs::write(&genesis, whole).unwrap();
    assert!(run(&["start", "all"]).status.success());
    assert_eq!(running(), [true; 4]);
    assert!(run(&["stop", "all"]).status.success());
}

#[test]
fn what_can_be_no_chain_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], expected: &str| {
        let output = hanse(folder.path(), &[&["chain", "new", "all", "--plain-keys"], args].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{args:?}: {text}");
        assert!(!folder.path().join("all").exists());
    };
    refused(&["--nodes", "0"], "0 is not in 1..=128");
    for host in ["a/b", "a:0", "a:b", "300.1.1.1", "[::1]:0", "-a", "a..b", ""] {
        refused(&["--hosts", &format!("a.example,{host}")], "neither the name nor the address of a host");
    }
    refused(&["--hosts", "a.example,A.example:30300"], "a.example is named twice");
    refused(&["--port", "65530"], "8 ports are needed");
    refused(&["--account", "alice=5"], "development key alice");
    let hosts = ["--hosts", "a.example,10.0.0.7:30300,[2001:db8::7]:30301,d.example"];
    let output = hanse(folder.path(), &[&["chain", "new", "all", "--plain-keys"], &hosts[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = std::fs::read_to_string(folder.path().join("all/node-1/hanse.toml")).unwrap();
    assert!(written.contains("external = \"/dns/a.example/tcp/7430\""), "{written}");
    assert!(written.contains("peers = [\"/ip4/10.0.0.7/tcp/30300/p2p/12D3KooW"), "{written}");
    let written = std::fs::read_to_string(folder.path().join("all/node-2/hanse.toml")).unwrap();
    assert!(written.contains("listen = \"0.0.0.0:30300\"") && written.contains("/ip6/2001:db8::7/tcp/30301/p2p/"));
    refused_start(folder.path());
}

/// A network that can't be is said with its place.
fn refused_start(folder: &std::path::Path) {
    let path = folder.join("all/node-1/hanse.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (line, expected) in [
        ("peers = [\"10.0.0.7:7430\"]", "no multiaddress"),
        ("allow = [\"node-2\"]", "neither a node's id"),
        ("queue_mib = 0", "must be from 1"),
    ] {
        let key = line.split(' ').next().unwrap();
        let others = text.lines().filter(|known| !known.trim_start_matches('#').starts_with(&format!("{key} =")));
        let changed: Vec<&str> =
            others.flat_map(|known| if known == "[network]" { vec![known, line] } else { vec![known] }).collect();
        std::fs::write(&path, changed.join("\n")).unwrap();
        let output = hanse(folder, &["config", "check", "--config", "all/node-1/hanse.toml"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{line}: {said}");
    }
}
