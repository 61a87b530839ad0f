//! What members of a group send each other, as nobody sends it: frames that real groups have exchanged, a few bytes changed.
//!
//! Each is decoded or refused, never by a panic; and what decodes encodes to the same bytes, so that no two frames say the same.
//! `HANSE_MUTATIONS` says how many there are of each kind of consensus.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../types/tests/common/mutate.rs"]
mod mutate;
#[path = "common/net.rs"]
mod net;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use common::*;
use hanse_consensus::{Message, Peer, Recipient};
use hanse_group::network::{Frame, Module, Transport};
use hanse_group::{Network, SyncMessage};
use hanse_replica::sync::DecidedBlock;
use hanse_types::genesis::{ConsensusKind, Genesis};
use hanse_types::{Canonical, Params};
use mutate::{neighbours, per_value};
use net::*;
use parking_lot::Mutex;

/// Changed copies of each frame; more by `HANSE_MUTATIONS`.
const MUTATIONS: usize = 1_000;
/// Frames of one kind that are kept.
const KEPT: usize = 8;
/// Longest frame that is kept: of long ones most changes hit the transactions in the middle.
const BYTES: usize = 16 << 10;

/// Frames by what they are.
type Kept = Arc<Mutex<BTreeMap<String, Vec<Arc<[u8]>>>>>;

/// A way out that keeps some frames of each kind.
#[derive(Debug)]
struct Recorder {
    way_out: Arc<dyn Transport>,
    kept: Kept,
}

impl Transport for Recorder {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let mut kept = self.kept.lock();
        let of_kind = kept.entry(kind(&Frame::decode(&frame).unwrap())).or_default();
        if of_kind.len() < KEPT && frame.len() <= BYTES && !of_kind.contains(&frame) {
            of_kind.push(frame.clone());
        }
        drop(kept);
        self.way_out.send(to, module, frame);
    }
}

/// A frame's kind: the names of its variants, as its text begins.
fn kind(frame: &Frame) -> String {
    let name =
        |text: String| text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned();
    match frame {
        Frame::Consensus(message) => match &**message {
            Message::Raft(message) => format!("Raft {}", name(format!("{:?}", message.word))),
            message => format!("Consensus {}", name(format!("{message:?}"))),
        },
        Frame::Transactions(_) => "Transactions".into(),
        Frame::Sync(message) => format!("Sync {}", name(format!("{message:?}"))),
    }
}

/// Frames of four nodes that make blocks, of which one comes late and one dies.
async fn recorded(consensus: ConsensusKind) -> BTreeMap<String, Vec<Arc<[u8]>>> {
    let kept = Kept::default();
    // Many small blocks, so that the late one asks for them by sync.
    let params = Params { block_tx_count_max: 4, block_interval_ms: 5, ..Params::default() };
    let mut net = Net::of(Genesis { params, ..genesis_of(consensus, 4) }, 4);
    for n in [0, 1, 2] {
        up(&mut net, n, &kept).await;
    }
    committed(net.group(0), &submit(net.group(0), 1, 0..240).await).await;
    up(&mut net, 3, &kept).await;
    let late = height(net.group(0));
    committed(net.group(1), &submit(net.group(1), 2, 0..40).await).await;
    net.reach(late).await;
    net.down(0).await;
    committed(net.group(1), &submit(net.group(1), 3, 0..10).await).await;
    net.stop().await;
    kept.lock().clone()
}

async fn up(net: &mut Net, n: usize, kept: &Kept) {
    let Network { transport: way_out, incoming } = net.hub.join(Peer(n as u32));
    let transport = Arc::new(Recorder { way_out, kept: kept.clone() });
    net.up_by(n, Network { transport, incoming }).await;
}

async fn mutated(consensus: ConsensusKind, kinds: usize) {
    let all = recorded(consensus).await;
    let frames: Vec<&Arc<[u8]>> = all.values().flatten().collect();
    println!("{} frames of {:?}", frames.len(), all.keys());
    assert!(all.len() >= kinds && all.contains_key("Transactions"), "{:?}", all.keys());
    assert!(all.keys().any(|kind| kind.starts_with("Sync")), "{:?}", all.keys());
    let (begun, count) = (Instant::now(), per_value(frames.len() as u32, MUTATIONS));
    let (mut decoded, mut refused, mut blocks) = (0u64, 0u64, 0usize);
    for frame in &frames {
        for bytes in neighbours(frame, count) {
            match Frame::decode(&bytes) {
                Ok(frame) => {
                    assert_eq!(frame.encode(), bytes, "{frame:?}");
                    blocks += decide(&frame);
                    decoded += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    let time = begun.elapsed().as_millis();
    println!("{consensus:?}: {decoded} decoded, with {blocks} blocks, {refused} refused, in {time} ms");
    assert!(decoded > 1_000 && refused > 1_000 && blocks > 100, "{decoded} decoded, {refused} refused");
}

/// What a group does with a frame first; how many blocks came of it.
fn decide(frame: &Frame) -> usize {
    let _ = frame.module();
    let Frame::Sync(message) = frame else { return 0 };
    let SyncMessage::Blocks(answer) = &**message else { return 0 };
    answer.blocks.iter().filter(|block| DecidedBlock::decode(block).is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_frames_of_bft_are_decoded_or_refused() {
    mutated(ConsensusKind::Bft, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_frames_of_raft_are_decoded_or_refused() {
    mutated(ConsensusKind::Raft, 4).await;
}
