//! Nodes without a block begin with a snapshot of the others, whoever of them lies and whenever they are stopped.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/net.rs"]
mod net;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::*;
use hanse_consensus::{Peer, Recipient};
use hanse_group::network::{Frame, Module, Transport};
use hanse_group::snapshots::{FetchLimits, FetchStage};
use hanse_group::{Group, GroupConfig, Network, OfferRules, SyncMessage, SyncMode};
use hanse_ledger::LedgerError;
use hanse_types::genesis::{ConsensusKind, Genesis};
use hanse_types::{Canonical, Height, Params};
use net::*;

/// Transactions of one block, so that there are many blocks.
const PER_BLOCK: u32 = 4;
/// Blocks between two snapshots.
const EVERY: u64 = 20;

fn small_blocks(consensus: ConsensusKind, validators: usize) -> Genesis {
    let params = Params { block_tx_count_max: PER_BLOCK, block_interval_ms: 5, ..Params::default() };
    Genesis { params, ..genesis_of(consensus, validators) }
}

/// Has so many blocks made of transfers that are submitted to one node.
async fn make(group: &Group, from: u8, blocks: u64) {
    let count = blocks * u64::from(PER_BLOCK);
    committed(group, &submit(group, from, 0..count).await).await;
}

/// A way out that counts the chunks that go over it, and may change a byte of each.
#[derive(Debug)]
struct Watched {
    way_out: Arc<dyn Transport>,
    lies: bool,
    chunks: Arc<AtomicU64>,
}

impl Transport for Watched {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let Frame::Sync(mut message) = Frame::decode(&frame).unwrap() else {
            return self.way_out.send(to, module, frame);
        };
        if let SyncMessage::Chunk { bytes, .. } = &mut *message {
            self.chunks.fetch_add(1, Ordering::Relaxed);
            let middle = bytes.len() / 2;
            bytes.iter_mut().skip(middle).take(usize::from(self.lies)).for_each(|byte| *byte ^= 1);
        }
        self.way_out.send(to, module, Frame::Sync(message).encode().into());
    }
}

impl Net {
    fn config(&self, n: usize) -> GroupConfig {
        let offers = OfferRules { every: EVERY, keep: 2 };
        let usual = patient(self.genesis.clone(), self.directory(n));
        GroupConfig { threads: 1, timing: TIMING, offers, ..usual }
    }

    /// Starts a node that makes snapshots, and lies about them if so wished; counts the chunks that it sends.
    async fn up_offering(&mut self, n: usize, lies: bool) -> Arc<AtomicU64> {
        let chunks = Arc::<AtomicU64>::default();
        let Network { transport: way_out, incoming } = self.hub.join(Peer(n as u32));
        let transport = Arc::new(Watched { way_out, lies, chunks: chunks.clone() });
        let network = Network { transport, incoming };
        self.groups[n] = Some(Group::join(self.config(n), Arc::new(key(n)), network).await.unwrap());
        chunks
    }

    /// Starts a node that begins with a snapshot, if it has no block, however late it hears of one.
    async fn up_new(&mut self, n: usize) {
        self.up_hoping(n, FetchLimits { wait_ms: PATIENCE.as_millis() as u64, ..FetchLimits::default() }).await;
    }

    /// The same, as long as this allows.
    async fn up_hoping(&mut self, n: usize, fetch: FetchLimits) {
        let config = GroupConfig { sync_mode: SyncMode::Snapshot, fetch, ..self.config(n) };
        let network = self.hub.join(Peer(n as u32));
        self.groups[n] = Some(Group::join(config, Arc::new(key(n)), network).await.unwrap());
    }

    /// Waits until a node has a snapshot, and opens it anew.
    async fn begin(&mut self, n: usize) {
        let ready = tokio::time::timeout(PATIENCE, self.group(n).snapshot_ready()).await;
        assert!(ready.is_ok(), "{:?}", self.group(n).sync());
        self.down(n).await;
        self.up_new(n).await;
    }

    /// Waits until a node offers a snapshot of this height at least.
    async fn offered(&self, n: usize, height: u64) {
        self.until_sync(n, |status| status.offers.first().is_some_and(|newest| newest.0 >= height)).await;
    }

    /// Has blocks made until these nodes offer a snapshot of the 40th at least. One that still makes a snapshot would pass over the
    /// next.
    async fn make_snapshots(&self, nodes: &[usize]) {
        for (from, height) in [(1, 20), (5, 40)] {
            make(self.group(0), from, EVERY + 2).await;
            for n in nodes {
                self.offered(*n, height).await;
            }
        }
    }

    /// The nodes have the same newest state.
    async fn same_state(&self, one: usize, two: usize) {
        self.reach(height(self.group(one)).max(height(self.group(two)))).await;
        let at = height(self.group(one)).min(height(self.group(two)));
        let root = |n: usize| self.group(n).ledger().header(at).unwrap().unwrap().state_root;
        assert_eq!(root(one), root(two));
        self.group(two).ledger().verify_state().unwrap();
        self.group(two).ledger().verify_blocks().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_begins_with_a_snapshot_of_several_while_more_blocks_are_made() {
    for consensus in [ConsensusKind::Bft, ConsensusKind::Raft] {
        let mut net = Net::of(small_blocks(consensus, 1), 4);
        let mut chunks = Vec::new();
        for n in 0..3 {
            chunks.push(net.up_offering(n, false).await);
        }
        net.make_snapshots(&[0, 1, 2]).await;
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
        net.up_new(3).await;
        net.begin(3).await;
        let first = net.group(3).ledger().first();
        assert!(first >= Height(40) && first.0.is_multiple_of(EVERY), "{first}");
        net.reach(Height(first.0 + 25)).await;
        stop.store(true, Ordering::Relaxed);
        load.await.unwrap();
        net.same_state(0, 3).await;
        assert!(matches!(net.group(3).ledger().block(Height(1)), Err(LedgerError::BeforeFirst { .. })));
        let status = net.group(3).sync().unwrap();
        assert!(status.lies.is_empty() && status.snapshot.is_none(), "{status:?}");
        assert!(chunks.iter().any(|chunks| chunks.load(Ordering::Relaxed) > 0));
        assert!(!net.directory(3).join("incoming").exists());
        net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_other_chunks_is_named_and_the_snapshot_comes_of_the_others() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 3);
    net.up_offering(0, false).await;
    // It answers first, as it is the first to be asked.
    let liar = net.up_offering(1, true).await;
    net.make_snapshots(&[0, 1]).await;
    net.hub.cut(Peer(0), Peer(2));
    net.up_new(2).await;
    net.until_sync(2, |status| !status.lies.is_empty()).await;
    net.hub.heal(Peer(0), Peer(2));
    let ready = tokio::time::timeout(PATIENCE, net.group(2).snapshot_ready()).await;
    let status = net.group(2).sync().unwrap();
    assert!(ready.is_ok() && liar.load(Ordering::Relaxed) > 0, "{status:?}");
    assert!(status.lies.iter().all(|lie| lie.peer == Peer(1) && lie.reason.contains("digest")), "{status:?}");
    assert_eq!(status.snapshot.unwrap().stage, FetchStage::Ready);
    net.begin(2).await;
    net.same_state(0, 2).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_on_its_way_begins_all_the_same_and_keeps_what_it_accepted() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 2);
    net.up_offering(0, false).await;
    net.make_snapshots(&[0]).await;
    // While nobody is there, it accepts transactions; they outlive the change of ledgers.
    net.down(0).await;
    net.up_new(1).await;
    let waiting: Vec<_> = (0..3).map(|nonce| transfer(net.group(1), 3, 20, 1, nonce)).collect();
    let answers = net.group(1).submit_many(waiting, hanse_group::Durability::Disk).await;
    let ids: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    net.up_offering(0, false).await;
    for _ in 0..3 {
        net.down(1).await;
        net.up_new(1).await;
        assert!(net.group(1).sync().is_none_or(|status| status.lies.is_empty()));
    }
    if net.group(1).ledger().height() == Height(0) {
        net.begin(1).await;
    }
    assert!(net.group(1).ledger().first() >= Height(40));
    committed(net.group(1), &ids).await;
    net.same_state(0, 1).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_a_snapshot_blocks_are_fetched() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 2);
    net.up_offering(0, false).await;
    make(net.group(0), 1, 10).await;
    net.up_hoping(1, FetchLimits::default()).await;
    net.reach(height(net.group(0))).await;
    net.agree();
    assert_eq!(net.group(1).ledger().first(), Height(1));
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_that_are_all_new_wait_for_no_snapshot() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 4), 4);
    for n in 0..4 {
        net.up_hoping(n, FetchLimits::default()).await;
    }
    make(net.group(0), 1, 3).await;
    net.reach(height(net.group(0))).await;
    net.agree();
    net.stop().await;
}
