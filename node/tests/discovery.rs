//! Nodes that know one address only, that of a seed: they find each other, and go on without it.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../src/p2p/tcp.rs"]
mod tcp;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::consortium::{Consortium, PATIENCE, payment, peers, until, until_connected};
use common::{Node, hanse};
use futures::StreamExt;
use hanse_client::views::{NodePeers, PeerView};
use hanse_client::{ChainContext, Client};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport, identify, kad, noise, yamux};
use serde_json::Value;

/// A chain's name that stands nowhere by chance,
const CANARY: &str = "canary-3f81c4";
/// and a group's.
const GROUP: &str = "canary-b06d27";

fn with_seeds(count: usize, options: &[&str]) -> Consortium {
    Consortium::new_with(count, &[&["--seeds", "1", "--chain-id", CANARY], options].concat())
}

fn start_seed(consortium: &Consortium, variables: &[(&str, &str)]) -> Node {
    Node::serve_by(consortium.folder(), "all/seed-1/hanse.toml", variables)
}

/// Ids of the nodes, in the order of their numbers.
fn ids(consortium: &Consortium) -> Vec<PeerId> {
    let id = |node: &Value| node["address"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
    consortium.made["nodes"].as_array().unwrap().iter().map(id).collect()
}

async fn pay(client: &Client, to: u64) {
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    client.submit_and_wait(&payment(&context, to), PATIENCE).await.unwrap().receipt().unwrap();
}

/// All that is in the files of a folder.
fn contents(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => contents(&path),
        false if path.is_file() => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
        // A socket.
        false => String::new(),
    };
    entries.map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_that_know_a_seed_only_form_their_group_and_outlive_it() {
    let consortium = with_seeds(4, &[]);
    for number in 1..=4 {
        let text = fs::read_to_string(consortium.folder().join(format!("all/node-{number}/hanse.toml"))).unwrap();
        assert!(text.contains("\n#peers = []") && text.contains("\nseeds = [\"/ip4/127.0.0.1/tcp/"), "{text}");
    }
    let seed = start_seed(&consortium, &[]);
    let begun = Instant::now();
    let mut nodes: Vec<Node> = (1..=4).map(|number| consortium.start(number)).collect();
    let clients: Vec<Client> = nodes.iter().map(Node::client).collect();
    let mut found = BTreeSet::new();
    for client in &clients {
        until_connected(client, 3).await;
        let is_seed = |peer: &PeerView| {
            peer.address_source.as_deref() == Some("seed") && peer.state == "foreign" && peer.name == "seed-1"
        };
        let one_seed = |network: &NodePeers| network.peers.iter().filter(|peer| is_seed(peer)).count() == 1;
        let network = until("it knows the seed", || peers(client), one_seed).await;
        found.extend(network.peers.iter().filter_map(|peer| peer.address_source.clone()));
    }
    println!("four validators by a seed: connected after {} ms", begun.elapsed().as_millis());
    assert!(found.contains("discovered") && !found.contains("configured"), "{found:?}");
    for (number, client) in clients.iter().enumerate() {
        pay(client, number as u64).await;
    }
    // Some of them found a group besides, which they talk of in the lobby.
    nodes[0].run(&["group", "create", GROUP, "--member", "node-2"]);
    let shown = String::from_utf8(nodes[0].hanse(&["net", "peers"]).stdout).unwrap();
    assert!(shown.contains("known by") && shown.contains("seed"), "{shown}");

    // One moves to another port.
    let before = peers(&clients[0]).await;
    nodes.pop().unwrap().stop();
    let gone = |network: &NodePeers| network.peers.iter().any(|peer| peer.name == "node-4" && peer.state != "ready");
    until("its end is seen", || peers(&clients[0]), gone).await;
    nodes.push(consortium.start_with(4, &[("HANSE_NETWORK__LISTEN", "127.0.0.1:0")]));
    let after = until_connected(&clients[0], 3).await;
    assert_eq!(before.peers.len(), after.peers.len());
    until_connected(&nodes[3].client(), 3).await;
    pay(&nodes[3].client(), 10).await;

    // The seed has seen four nodes, and nothing of what they do together.
    let of_seed = seed.client();
    let all_foreign = |seen: &NodePeers| seen.peers.len() == 4 && seen.peers.iter().all(|peer| peer.state == "foreign");
    let seen = until("the seed is connected to all", || peers(&of_seed), all_foreign).await;
    assert!(seen.peers.iter().all(|peer| peer.groups.is_empty()));
    assert_eq!(seen.peers.iter().map(|peer| peer.received_bytes + peer.sent_bytes).sum::<u64>(), 0);
    let metrics = reqwest::get(format!("{}/metrics", seed.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("hanse_net_peers{state=\"foreign\"} 4"), "{metrics}");
    for path in ["health", "ready"] {
        assert!(reqwest::get(format!("{}/{path}", seed.url)).await.unwrap().status().is_success());
    }
    let (code, error) = seed.fail(&["status"]);
    assert!(code != 0 && error["message"].as_str().unwrap().contains("it is a seed"), "{error}");
    let genesis = consortium.made["genesis_hash"].as_str().unwrap().trim_start_matches("0x").to_owned();
    let told = serde_json::to_string(&seen).unwrap();
    let files = contents(&consortium.folder().join("all/seed-1"));
    assert!(files.contains("started as a seed"), "its log is looked at");
    for text in [&files, &metrics, &told] {
        assert!(!text.contains(CANARY) && !text.contains(GROUP) && !text.contains(&genesis));
    }
    let log = || async { contents(&consortium.folder().join("all/node-1/log")) };
    until("a member's log has both", log, |log| log.contains(CANARY) && log.contains(GROUP)).await;

    // Without the seed the group goes on, also when one of them dies and comes back.
    seed.kill();
    for (number, client) in clients[..3].iter().enumerate() {
        pay(client, 20 + number as u64).await;
    }
    nodes.remove(1).kill();
    nodes.insert(1, consortium.start(2));
    until_connected(&clients[0], 3).await;
    let back = nodes[1].client();
    until("it is connected", || peers(&back), |network| network.peers.iter().any(|peer| peer.state == "ready")).await;
    pay(&clients[0], 30).await;
    nodes.into_iter().for_each(Node::stop);
}

/// Addresses that a node keeps over restarts, once it keeps those of so many others.
async fn kept(consortium: &Consortium, number: usize, count: usize) -> String {
    let path = consortium.folder().join(format!("all/node-{number}/data/addresses.json"));
    let read = || async { fs::read_to_string(&path).unwrap_or_default() };
    until("addresses are kept", read, |text| text.matches("/p2p/").count() == count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_restart_while_their_seed_is_away_find_the_members_that_they_knew() {
    let consortium = with_seeds(4, &[]);
    let seed = start_seed(&consortium, &[]);
    let nodes: Vec<Node> = (1..=4).map(|number| consortium.start(number)).collect();
    let ids = ids(&consortium);
    for (number, node) in nodes.iter().enumerate() {
        until_connected(&node.client(), 3).await;
        let text = kept(&consortium, number + 1, 3).await;
        let knows = |other: &usize| text.contains(&ids[*other].to_string());
        assert_eq!((0..4).filter(knows).count(), 3, "all members but itself, and no seed: {text}");
    }
    // Nobody is left who could tell, and one of them can't read what it kept.
    seed.kill();
    nodes.into_iter().for_each(Node::kill);
    fs::write(consortium.folder().join("all/node-1/data/addresses.json"), "[\"nowhere\"]").unwrap();
    let nodes: Vec<Node> = (1..=4).map(|number| consortium.start(number)).collect();
    for node in &nodes {
        let network = until_connected(&node.client(), 3).await;
        let sources = network.peers.iter().filter_map(|peer| peer.address_source.as_deref());
        assert!(sources.into_iter().all(|source| ["discovered", "seed"].contains(&source)), "{network:?}");
    }
    pay(&nodes[0].client(), 1).await;
    let log = || async { contents(&consortium.folder().join("all/node-1/log")) };
    until("it is in the log", log, |log| log.contains("can't be read; they are found and written anew")).await;
    kept(&consortium, 1, 3).await;
    // Who is denied is struck out.
    nodes[0].run(&["net", "deny", &ids[3].to_string()]);
    let text = kept(&consortium, 1, 2).await;
    assert!(!text.contains(&ids[3].to_string()), "{text}");
    nodes.into_iter().for_each(Node::stop);
}

/// A client that asks as nodes do.
#[derive(NetworkBehaviour)]
struct Asking {
    identify: identify::Behaviour,
    kademlia: kad::Behaviour<MemoryStore>,
}

fn asking(key: Keypair) -> Swarm<Asking> {
    let peer = key.public().to_peer_id();
    let transport = tcp::Tcp::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = kad::Config::new(StreamProtocol::new("/hanse/kad/1"));
    let behaviour = Asking {
        identify: identify::Behaviour::new(identify::Config::new("/test/1".into(), key.public())),
        kademlia: kad::Behaviour::with_config(peer, MemoryStore::new(peer), config),
    };
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE);
    Swarm::new(transport, behaviour, peer, config)
}

/// Asks a seed for nodes until it has heard of all of these, or the seed has ended the connection; those that it has heard of.
async fn heard(mut swarm: Swarm<Asking>, seed: &Multiaddr, of: &BTreeSet<PeerId>) -> BTreeSet<PeerId> {
    let mut address = seed.clone();
    let Some(libp2p::multiaddr::Protocol::P2p(peer)) = address.pop() else { panic!("an address has an id") };
    swarm.behaviour_mut().kademlia.add_address(&peer, address);
    swarm.behaviour_mut().kademlia.get_closest_peers(vec![7; 32]);
    let mut found = BTreeSet::new();
    let asking = async {
        while found != *of {
            match swarm.select_next_some().await {
                // Whom it heard of it connects to, or tries to.
                SwarmEvent::Dialing { peer_id: Some(other), .. }
                | SwarmEvent::OutgoingConnectionError { peer_id: Some(other), .. }
                    if other != peer =>
                {
                    found.insert(other);
                }
                // The seed has hung up, before or after it was asked.
                SwarmEvent::OutgoingConnectionError { .. } => return,
                SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == peer => return,
                SwarmEvent::Behaviour(AskingEvent::Kademlia(kad::Event::OutboundQueryProgressed { step, .. }))
                    if step.last =>
                {
                    swarm.behaviour_mut().kademlia.get_closest_peers(vec![7; 32]);
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_learns_of_nobody() {
    let consortium = with_seeds(2, &[]);
    let guest = Keypair::generate_ed25519();
    let allowed = guest.public().to_peer_id().to_string();
    let seed = start_seed(&consortium, &[("HANSE_NETWORK__ALLOW", &allowed)]);
    let nodes: Vec<Node> = (1..=2).map(|number| consortium.start(number)).collect();
    until_connected(&nodes[0].client(), 1).await;
    let address: Multiaddr = consortium.made["seeds"][0]["address"].as_str().unwrap().parse().unwrap();
    let members: BTreeSet<PeerId> = ids(&consortium).into_iter().collect();
    assert_eq!(heard(asking(guest), &address, &members).await, members);
    assert_eq!(heard(asking(Keypair::generate_ed25519()), &address, &members).await, BTreeSet::new());
    let metrics = reqwest::get(format!("{}/metrics", seed.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("hanse_net_refused_total{reason=\"no_certificate\"} "), "{metrics}");
    assert!(!metrics.contains("hanse_net_refused_total{reason=\"no_certificate\"} 0\n"), "{metrics}");
    nodes.into_iter().for_each(Node::stop);
    seed.stop();
}

#[test]
fn a_chain_with_seeds_is_made_run_and_joined_by_commands() {
    for options in [&[][..], &["--no-certificates"]] {
        let consortium = with_seeds(2, options);
        let run = |args: &[&str]| -> Value {
            let output = hanse(consortium.folder(), &[&["--json", "chain"], args].concat());
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        for node in ["node-1", "seed-1"] {
            let file = format!("all/{node}/hanse.toml");
            let checked = hanse(consortium.folder(), &["config", "check", "--config", &file]);
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
        assert!(!consortium.folder().join("all/seed-1/genesis.json").exists());
        assert_eq!(run(&["start", "all"]).as_array().unwrap().len(), 3);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = run(&["status", "all"]);
            let connected = |node: &Value| {
                let peers = node["network"]["peers"].as_array().unwrap().iter();
                peers.filter(|peer| peer.get("connected_ms").is_some()).count()
            };
            if status.as_array().unwrap().iter().all(|node| connected(node) == 2) {
                let seed = &status[2];
                assert!(
                    seed["name"] == "seed-1" && seed.get("chain").is_none() && seed.get("error").is_none(),
                    "{seed}"
                );
                break;
            }
            assert!(Instant::now() < deadline, "{status}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let added = run(&["add-node", "all", "--plain-key"]);
        assert_eq!(added["name"], "node-3");
        let text = fs::read_to_string(consortium.folder().join("all/node-3/hanse.toml")).unwrap();
        assert!(text.contains("\nseeds = [\"/ip4/127.0.0.1/tcp/") && text.contains("\n#peers = []"), "{text}");
        assert_eq!(run(&["stop", "all"]).as_array().unwrap().len(), 3);
    }
}
