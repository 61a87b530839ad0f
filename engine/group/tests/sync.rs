//! Nodes that are behind catch up with the others, from several at a time, whoever of them lies.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/net.rs"]
mod net;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use common::*;
use hanse_consensus::{Peer, Recipient};
use hanse_group::network::{Frame, Module, Transport};
use hanse_group::{Group, Network, SyncMessage};
use hanse_types::genesis::{ConsensusKind, Genesis};
use hanse_types::{Canonical, Height, Params};
use net::*;

/// Transactions of one block, so that there are many blocks.
const PER_BLOCK: u32 = 4;

fn small_blocks(consensus: ConsensusKind, validators: usize) -> Genesis {
    let params = Params { block_tx_count_max: PER_BLOCK, block_interval_ms: 5, ..Params::default() };
    Genesis { params, ..genesis_of(consensus, validators) }
}

/// Has so many blocks made of transfers that are submitted to one node.
async fn make(group: &Group, from: u8, blocks: u64) {
    let count = blocks * u64::from(PER_BLOCK);
    committed(group, &submit(group, from, 0..count).await).await;
}

/// A way out that counts the blocks that go over it, and may change a byte of each answer.
#[derive(Debug)]
struct Watched {
    way_out: Arc<dyn Transport>,
    lies: bool,
    answers: Arc<AtomicU64>,
}

impl Transport for Watched {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let Frame::Sync(mut message) = Frame::decode(&frame).unwrap() else {
            return self.way_out.send(to, module, frame);
        };
        if let SyncMessage::Blocks(answer) = &mut *message {
            self.answers.fetch_add(1, Ordering::Relaxed);
            for block in answer.blocks.iter_mut().filter(|_| self.lies) {
                let middle = block.len() / 2;
                block[middle] ^= 1;
            }
        }
        self.way_out.send(to, module, Frame::Sync(message).encode().into());
    }
}

impl Net {
    /// Starts a node whose answers are counted, and are lies if so wished.
    async fn up_watched(&mut self, n: usize, lies: bool) -> Arc<AtomicU64> {
        let answers = Arc::<AtomicU64>::default();
        let Network { transport: way_out, incoming } = self.hub.join(Peer(n as u32));
        let transport = Arc::new(Watched { way_out, lies, answers: answers.clone() });
        self.up_by(n, Network { transport, incoming }).await;
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_fetches_blocks_of_several_at_once_while_more_are_made() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 4);
    let mut answers = Vec::new();
    for n in 0..3 {
        answers.push(net.up_watched(n, false).await);
    }
    make(net.group(0), 1, 150).await;
    net.reach(height(net.group(0))).await;
    let (stop, busy) = (Arc::new(AtomicBool::new(false)), net.group(0).clone());
    let stopped = stop.clone();
    let load = tokio::spawn(async move {
        let mut nonce = 0;
        while !stopped.load(Ordering::Relaxed) {
            committed(&busy, &submit(&busy, 2, nonce..nonce + 8).await).await;
            nonce += 8;
        }
    });
    net.up(3).await;
    net.reach(Height(height(net.group(0)).0 + 5)).await;
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    net.reach(height(net.group(0))).await;
    assert!(net.agree() >= Height(155));

    let status = net.group(3).sync().unwrap();
    assert!(status.progress.blocks >= 100 && status.lies.is_empty(), "{status:?}");
    let shares: Vec<u64> = answers.iter().map(|answers| answers.load(Ordering::Relaxed)).collect();
    assert!(shares.iter().filter(|share| **share > 0).count() >= 2, "{shares:?}");
    assert!(replay_all(net.group(3)) >= 600);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_other_blocks_is_left_alone_and_named_and_the_node_catches_up_all_the_same() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 4);
    let lies = [false, true, false];
    for (n, lies) in lies.into_iter().enumerate() {
        net.up_watched(n, lies).await;
    }
    make(net.group(0), 1, 100).await;
    net.reach(height(net.group(0))).await;
    // The liar is asked first.
    let honest = [Peer(0), Peer(2)];
    honest.iter().for_each(|peer| net.hub.cut(*peer, Peer(3)));
    net.up(3).await;
    net.until_sync(3, |status| !status.lies.is_empty()).await;
    honest.iter().for_each(|peer| net.hub.heal(*peer, Peer(3)));
    net.reach(height(net.group(0))).await;
    net.agree();
    let status = net.group(3).sync().unwrap();
    assert!(!status.lies.is_empty() && status.lies.iter().all(|lie| lie.peer == Peer(1)), "{status:?}");
    assert!(status.lies.iter().all(|lie| lie.reason.contains("block ")), "{status:?}");
    assert!(status.progress.lies as usize == status.lies.len() && status.progress.dropped == 1, "{status:?}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_on_its_way_goes_on_where_it_was() {
    for consensus in [ConsensusKind::Bft, ConsensusKind::Raft] {
        let mut net = Net::of(small_blocks(consensus, 1), 3);
        net.up(0).await;
        net.up(1).await;
        make(net.group(0), 1, 120).await;
        let end = height(net.group(0));
        net.reach(end).await;
        net.up(2).await;
        let mut at = Height(0);
        for part in [1, 2, 3] {
            let deadline = Instant::now() + PATIENCE;
            let mut tip = net.group(2).tip();
            let wanted = Height(end.0 * part / 4);
            tokio::time::timeout_at(deadline.into(), tip.wait_for(|header| header.height >= wanted))
                .await
                .unwrap()
                .unwrap();
            net.down(2).await;
            net.up(2).await;
            assert!(height(net.group(2)) >= wanted && wanted > at, "what was durable is lost");
            at = wanted;
        }
        net.reach(end).await;
        net.agree();
        net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_was_away_catches_up_and_votes_again() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 4), 4);
    for n in 0..4 {
        net.up(n).await;
    }
    make(net.group(0), 1, 3).await;
    net.down(3).await;
    make(net.group(0), 2, 25).await;
    let before = height(net.group(0));
    net.up(3).await;
    net.reach(before).await;
    // With another one away, its vote is needed.
    net.down(2).await;
    make(net.group(3), 3, 2).await;
    net.agree();
    assert!(net.group(3).sync().unwrap().progress.blocks > 0);
    net.stop().await;
}
