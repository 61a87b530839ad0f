//! Who is let in, and what becomes of those who say what they may not: clients of libp2p against a real node.
#![allow(clippy::unwrap_used)]

mod common;
mod peer;

use std::time::{Duration, Instant};

use common::consortium::{Consortium, PATIENCE, peers, until};
use futures::{AsyncWriteExt, StreamExt};
use hanse_client::views::NodePeers;
use hanse_types::Hash;
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, identify, ping};
use peer::{BehaviourEvent, FRAMES, client, frame, key_of, packed, until_event};

const NO_CERTIFICATE: &str = "hanse_net_refused_total{reason=\"no_certificate\"}";
const BANNED: &str = "hanse_net_refused_total{reason=\"banned\"}";
const NOT_A_MEMBER: &str = "hanse_net_refused_total{reason=\"not_a_member\"}";
const MALFORMED: &str = "hanse_net_refused_total{reason=\"malformed\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_is_let_in_if_its_node_says_so_and_refused_otherwise() {
    let consortium = Consortium::new(2);
    let guest = Keypair::generate_ed25519();
    let allowed = guest.public().to_peer_id().to_string();
    let node = consortium.start_with(1, &[("HANSE_NETWORK__ALLOW", &allowed)]);
    let address: Multiaddr = consortium.address(1).parse().unwrap();

    let mut swarm = client(guest);
    swarm.dial(address.clone()).unwrap();
    let agent = until_event(&mut swarm, |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { info, .. })) => Some(info),
        _ => None,
    });
    let info = agent.await;
    assert!(info.agent_version.starts_with("hanse/") && info.protocol_version == "/hanse/1", "{info:?}");
    until_event(&mut swarm, |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { result: Ok(time), .. })) => Some(time),
        _ => None,
    })
    .await;
    let following = tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let client_of = node.client();
    let seen = until(
        "the guest is seen",
        || peers(&client_of),
        |network| {
            network.peers.iter().any(|peer| peer.id == allowed && peer.state == "foreign" && peer.groups.is_empty())
        },
    );
    seen.await;
    following.abort();

    let mut stranger = client(Keypair::generate_ed25519());
    let before = node.figure(NO_CERTIFICATE).await;
    stranger.dial(address).unwrap();
    until_event(&mut stranger, |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { .. })) => {
            panic!("a stranger was told what the node is")
        }
        SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => Some(()),
        _ => None,
    })
    .await;
    assert!(node.figure(NO_CERTIFICATE).await > before);
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_says_what_it_may_not_is_not_heard_and_kept_out() {
    let consortium = Consortium::new(2);
    // This client has no certificate.
    let node = consortium
        .start_with(1, &[("HANSE_NETWORK__ALLOW", &key_of(&consortium, 2).public().to_peer_id().to_string())]);
    let address: Multiaddr = consortium.address(1).parse().unwrap();
    let peer: PeerId = consortium.address(1).rsplit('/').next().unwrap().parse().unwrap();
    let mut swarm = client(key_of(&consortium, 2));
    let mut control = swarm.behaviour().stream.new_control();
    swarm.dial(address.clone()).unwrap();
    until_event(&mut swarm, |event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())).await;
    let following = tokio::spawn(async move {
        loop {
            if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
                return swarm;
            }
        }
    });
    let mut stream = control.open_stream(peer, FRAMES).await.unwrap();

    // A group that the node does not have, and what is no message in the one that it has.
    let group: Hash = consortium.made["genesis_hash"].as_str().unwrap().parse().unwrap();
    stream.write_all(&frame(Hash([9; 32]), 0, &[1; 100_000])).await.unwrap();
    stream.write_all(&packed(Hash([8; 32]), 2, 8_000, &[1; 1_000])).await.unwrap();
    stream.write_all(&frame(group, 2, b"no message")).await.unwrap();
    stream.flush().await.unwrap();
    let refused = |wanted: f64| until("it is counted", || node.figure(NOT_A_MEMBER), move |count| *count == wanted);
    refused(2.0).await;
    // It is not the member's fault if a message can't be read: its program may be newer.
    let (client_of, key) = (node.client(), address.to_string());
    let connected = peers(&client_of).await;
    assert!(connected.peers.iter().any(|peer| peer.name == "node-2" && peer.connected_ms.is_some()), "{key}");

    // What is not packed as it says ends the connection, and the next one is refused.
    stream.write_all(&packed(group, 2, 8_000, &[0xf0; 1_000])).await.unwrap();
    stream.flush().await.unwrap();
    let mut swarm = tokio::time::timeout(PATIENCE, following).await.unwrap().unwrap();
    let is_banned = |seen: &NodePeers| seen.peers.iter().any(|peer| peer.name == "node-2" && peer.state == "banned");
    until("it is banned", || peers(&client_of), is_banned).await;
    assert_eq!(node.figure(MALFORMED).await, 1.0);
    let (before, since) = (node.figure(BANNED).await, Instant::now());
    swarm.dial(address).unwrap();
    until_event(&mut swarm, |event| match event {
        SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => Some(()),
        _ => None,
    })
    .await;
    assert!(node.figure(BANNED).await > before || since.elapsed() > Duration::from_secs(30));
    node.stop();
}
