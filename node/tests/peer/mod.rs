//! A program with libp2p that is no node: it connects with a key of its choice and says what a test wants.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../src/p2p/tcp.rs"]
mod tcp;

use std::io;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use hanse_group::network::{Frame, Module};
use hanse_types::crypto::SecretKey;
use hanse_types::crypto::key_file::from_plain_pem;
use hanse_types::{Canonical, Hash};
use libp2p::core::upgrade::Version;
use libp2p::identity::{Keypair, ed25519};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport, identify, noise, ping, yamux};
use libp2p_stream as stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::common::consortium::{Consortium, PATIENCE};

/// What frames are sent on.
pub(crate) const FRAMES: StreamProtocol = StreamProtocol::new("/hanse/frames/2");

/// A client as any program with libp2p can be.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) stream: stream::Behaviour,
}

pub(crate) fn client(key: Keypair) -> Swarm<Behaviour> {
    let peer = key.public().to_peer_id();
    let transport = tcp::Tcp::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(identify::Config::new("/test/1".into(), key.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(100))),
        stream: stream::Behaviour::new(),
    };
    Swarm::new(transport, behaviour, peer, libp2p::swarm::Config::with_tokio_executor())
}

/// The key of a node that is not started.
pub(crate) fn key_of(consortium: &Consortium, number: usize) -> Keypair {
    let path = consortium.folder().join(format!("all/node-{number}/validator.pem"));
    let SecretKey::Ed25519(key) = from_plain_pem(&std::fs::read_to_string(path).unwrap()).unwrap() else {
        panic!("validators have keys of ed25519");
    };
    let secret = ed25519::SecretKey::try_from_bytes(key.as_bytes().to_owned()).unwrap();
    ed25519::Keypair::from(secret).into()
}

/// Follows what happens until it is what was waited for.
pub(crate) async fn until_event<T>(
    swarm: &mut Swarm<Behaviour>,
    wanted: impl Fn(SwarmEvent<BehaviourEvent>) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(swarm.select_next_some().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// One frame as it goes over the wire.
pub(crate) fn frame(group: Hash, module: u8, payload: &[u8]) -> Vec<u8> {
    let length = (33 + payload.len()) as u32;
    [&length.to_be_bytes()[..], &group.0, &[module], payload].concat()
}

/// One that says that it is packed, and how long it was before.
pub(crate) fn packed(group: Hash, module: u8, unpacked: u32, payload: &[u8]) -> Vec<u8> {
    frame(group, 128 | module, &[&unpacked.to_be_bytes()[..], payload].concat())
}

/// A member of the group, played: it is connected to one node, and whatever that one says can be heard.
pub(crate) struct Member {
    group: Hash,
    out: Stream,
    heard: mpsc::UnboundedReceiver<Frame>,
    following: JoinHandle<()>,
}

impl Member {
    /// Connects with the key of one node, which does not run, to another, which allows it without a certificate.
    pub(crate) async fn connect(consortium: &Consortium, number: usize, to: usize) -> Member {
        let address: Multiaddr = consortium.address(to).parse().unwrap();
        let node: PeerId = consortium.address(to).rsplit('/').next().unwrap().parse().unwrap();
        let mut swarm = client(key_of(consortium, number));
        let mut control = swarm.behaviour().stream.new_control();
        let mut incoming = control.accept(FRAMES).unwrap();
        swarm.dial(address).unwrap();
        until_event(&mut swarm, |event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())).await;
        let (tell, heard) = mpsc::unbounded_channel();
        let following = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = swarm.select_next_some() => {}
                    Some((_, stream)) = incoming.next() => drop(tokio::spawn(listen(stream, tell.clone()))),
                }
            }
        });
        let out = control.open_stream(node, FRAMES).await.unwrap();
        Member { group: consortium.made["genesis_hash"].as_str().unwrap().parse().unwrap(), out, heard, following }
    }

    /// Says this to the node; fails if that has ended the connection.
    pub(crate) async fn say(&mut self, words: &Frame) -> io::Result<()> {
        let module = Module::ALL.iter().position(|module| *module == words.module()).unwrap();
        self.out.write_all(&frame(self.group, module as u8, &words.encode())).await?;
        self.out.flush().await
    }

    /// What the node says next, as long as it keeps the connection.
    pub(crate) async fn hear(&mut self) -> Option<Frame> {
        self.heard.recv().await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Tells what comes over a stream until it ends.
async fn listen(mut stream: Stream, tell: mpsc::UnboundedSender<Frame>) {
    let mut length = [0; 4];
    while stream.read_exact(&mut length).await.is_ok() {
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        if stream.read_exact(&mut bytes).await.is_err() {
            return;
        }
        let (label, rest) = bytes.split_at(33);
        let words = match label[32] & 128 {
            0 => rest.to_vec(),
            _ => {
                let (unpacked, rest) = rest.split_first_chunk().unwrap();
                lz4_flex::block::decompress(rest, u32::from_be_bytes(*unpacked) as usize).unwrap()
            }
        };
        if tell.send(Frame::decode(&words).unwrap()).is_err() {
            return;
        }
    }
}
