//! Nodes that are behind catch up by what the blocks wrote, and have the same ledger as those who run every block: whoever
//! lies about it, whoever has forgotten it, and whenever they are stopped.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/net.rs"]
mod net;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use hanse_consensus::{Peer, Recipient};
use hanse_group::network::{Frame, Module, Transport};
use hanse_group::sync::{Progress, SyncLimits};
use hanse_group::{Group, GroupConfig, Network, SyncMessage, SyncMode};
use hanse_types::crypto::Signer;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Genesis};
use hanse_types::{Canonical, Height, Outcomes, Params, Role, StateCommitment};
use net::*;

/// Transactions of one block, so that there are many blocks.
const PER_BLOCK: u32 = 4;
/// The newest blocks, which are run.
const REPLAYED: u64 = 8;

fn small_blocks(consensus: ConsensusKind, validators: usize) -> Genesis {
    let params = Params { block_tx_count_max: PER_BLOCK, block_interval_ms: 5, ..Params::default() };
    Genesis { params, ..genesis_of(consensus, validators) }
}

/// Has so many blocks made of transfers that are submitted to one node.
async fn make(group: &Group, from: u8, blocks: u64) {
    let count = blocks * u64::from(PER_BLOCK);
    committed(group, &submit(group, from, 0..count).await).await;
}

/// How a node answers those who ask for outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Honestly,
    /// A byte of each block's outcomes is another.
    Damaged,
    /// Receipts and access sets fit each other, but say that something else was written.
    Invented,
}

/// A way out that counts the outcomes that go over it, and may change them.
#[derive(Debug)]
struct Watched {
    way_out: Arc<dyn Transport>,
    answers: Answers,
    outcomes: Arc<AtomicU64>,
}

impl Transport for Watched {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let Frame::Sync(mut message) = Frame::decode(&frame).unwrap() else {
            return self.way_out.send(to, module, frame);
        };
        if let SyncMessage::Blocks(answer) = &mut *message {
            self.outcomes.fetch_add(answer.outcomes.len() as u64, Ordering::Relaxed);
            answer.outcomes.iter_mut().for_each(|bytes| falsify(bytes, self.answers));
        }
        self.way_out.send(to, module, Frame::Sync(message).encode().into());
    }
}

fn falsify(bytes: &mut Vec<u8>, how: Answers) {
    match how {
        Answers::Honestly => {}
        Answers::Damaged => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        Answers::Invented => {
            let (mut receipts, mut rw_sets) = Outcomes::decode(bytes).unwrap().into_parts();
            let add = rw_sets.iter_mut().flat_map(|set| &mut set.adds).next();
            add.map_or_else(|| panic!("a transfer adds"), |add| add.delta.amount += 1);
            receipts
                .iter_mut()
                .zip(&rw_sets)
                .for_each(|(receipt, set)| receipt.rw_set = set.digest(CryptoSuite::Standard));
            *bytes = Outcomes::new(CryptoSuite::Standard, receipts, rw_sets).unwrap().encode();
        }
    }
}

impl Net {
    async fn up_in(&mut self, n: usize, sync_mode: SyncMode) {
        let network = self.hub.join(Peer(n as u32));
        self.join_in(n, sync_mode, network).await;
    }

    async fn join_in(&mut self, n: usize, sync_mode: SyncMode, network: Network) {
        let usual = patient(self.genesis.clone(), self.directory(n));
        let sync = SyncLimits { replayed: REPLAYED, ..SyncLimits::default() };
        let config = GroupConfig { threads: 1, timing: TIMING, sync, sync_mode, ..usual };
        self.groups[n] = Some(Group::join(config, Arc::new(key(n)), network).await.unwrap());
    }

    /// Starts a node whose outcomes are counted, and are lies if so wished.
    async fn up_watched(&mut self, n: usize, answers: Answers) -> Arc<AtomicU64> {
        let outcomes = Arc::<AtomicU64>::default();
        let Network { transport: way_out, incoming } = self.hub.join(Peer(n as u32));
        let transport = Arc::new(Watched { way_out, answers, outcomes: outcomes.clone() });
        self.join_in(n, SyncMode::Full, Network { transport, incoming }).await;
        outcomes
    }

    fn progress(&self, n: usize) -> Progress {
        self.group(n).sync().unwrap().progress
    }

    /// Two nodes have the same ledger: all that blocks hold and did, and the state, by its entries and by its root.
    fn same_ledgers(&self, one: usize, two: usize) {
        let (one, two) = (self.group(one).ledger(), self.group(two).ledger());
        assert_eq!(one.height(), two.height());
        for height in (1..=one.height().0).map(Height) {
            assert_eq!(one.block(height).unwrap().unwrap(), two.block(height).unwrap().unwrap(), "block {height}");
            assert_eq!(one.receipts(height).unwrap(), two.receipts(height).unwrap(), "receipts of {height}");
            if one.history_from().max(two.history_from()) <= height {
                assert_eq!(one.rw_sets(height).unwrap(), two.rw_sets(height).unwrap(), "access sets of {height}");
            }
            assert!(two.certificate(height).unwrap().is_some_and(|certificate| certificate.height == height));
        }
        let snapshot =
            |ledger: &hanse_ledger::Ledger| ledger.exporter().run(60_000, |_, _| Ok::<(), Infallible>(())).unwrap();
        assert_eq!(snapshot(one), snapshot(two));
        two.verify_state().unwrap();
        two.verify_blocks().unwrap();
    }

    /// Waits until a node has blocks of at least this height.
    async fn follow(&self, n: usize, wanted: Height) {
        let mut tip = self.group(n).tip();
        let reached = tip.wait_for(|header| header.height >= wanted);
        let waited = tokio::time::timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "{}: {:?}, {:?}", height(self.group(n)), self.progress(n), self.group(n).stopped());
    }

    /// Starts a node that hears of one of the others when it has begun with blocks of those who have their outcomes.
    async fn up_beginning_without(&mut self, other: u32, n: usize) {
        let me = Peer(n as u32);
        self.hub.cut(Peer(other), me);
        self.up_in(n, SyncMode::Fast).await;
        self.until_sync(n, |status| status.progress.applied > 0).await;
        self.hub.heal(Peer(other), me);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_applies_blocks_has_the_ledger_of_one_that_runs_them() {
    for (consensus, commitment) in [
        (ConsensusKind::Bft, StateCommitment::Merkle),
        (ConsensusKind::Bft, StateCommitment::Flat),
        (ConsensusKind::Raft, StateCommitment::Merkle),
    ] {
        let genesis = Genesis { state_commitment: commitment, ..small_blocks(consensus, 1) };
        let mut net = Net::of(genesis, 3);
        net.up_in(0, SyncMode::Full).await;
        make(net.group(0), 2, 60).await;
        let end = height(net.group(0));
        net.up_in(1, SyncMode::Full).await;
        net.reach(end).await;
        net.up_in(2, SyncMode::Fast).await;
        net.reach(end).await;
        net.same_ledgers(0, 1);
        net.same_ledgers(0, 2);
        assert_eq!(net.progress(1).applied, 0);
        let Progress { applied, blocks, .. } = net.progress(2);
        assert!(
            applied >= 60 - 2 * REPLAYED && applied <= end.0 - REPLAYED && blocks >= applied,
            "{applied} of {blocks}"
        );
        assert!(net.group(2).sync().unwrap().lies.is_empty());
        // What it makes of what comes next is what the others make of it.
        make(net.group(2), 3, 2).await;
        net.reach(height(net.group(2))).await;
        net.agree();
        assert!(replay_all(net.group(2)) >= 240);
        net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_and_parameters_that_change_on_the_way_are_followed() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 4);
    net.up_in(0, SyncMode::Full).await;
    net.up_in(1, SyncMode::Full).await;
    make(net.group(0), 2, 20).await;
    let member = ("v1", key(1).public_key().to_string(), Role::Sealer);
    govern(net.group(0), 0, "add", borsh::to_vec(&member).unwrap()).await;
    net.reach(height(net.group(0))).await;
    voting(net.group(1), true).await;
    make(net.group(1), 3, 20).await;
    govern(net.group(0), 1, "remove", borsh::to_vec(&"v0").unwrap()).await;
    make(net.group(1), 4, 20).await;
    net.reach(height(net.group(1))).await;
    let end = height(net.group(1));
    net.up_in(2, SyncMode::Fast).await;
    net.up_in(3, SyncMode::Full).await;
    net.reach(end).await;
    net.same_ledgers(1, 2);
    net.same_ledgers(3, 2);
    let status = net.group(2).sync().unwrap();
    assert!(status.progress.applied > 30 && status.lies.is_empty(), "{status:?}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_outcomes_is_left_alone_and_named() {
    for answers in [Answers::Damaged, Answers::Invented] {
        let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 4);
        net.up_watched(0, Answers::Honestly).await;
        net.up_watched(1, answers).await;
        net.up_watched(2, Answers::Honestly).await;
        make(net.group(0), 2, 60).await;
        let end = height(net.group(0));
        net.reach(end).await;
        // The liar is asked first.
        let honest = [Peer(0), Peer(2)];
        honest.iter().for_each(|peer| net.hub.cut(*peer, Peer(3)));
        net.up_in(3, SyncMode::Fast).await;
        net.until_sync(3, |status| !status.lies.is_empty()).await;
        honest.iter().for_each(|peer| net.hub.heal(*peer, Peer(3)));
        net.reach(end).await;
        net.same_ledgers(0, 3);
        let status = net.group(3).sync().unwrap();
        assert!(
            !status.lies.is_empty() && status.lies.iter().all(|lie| lie.peer == Peer(1)),
            "{answers:?}: {status:?}"
        );
        assert!(status.lies.iter().all(|lie| lie.reason.contains("block ")), "{status:?}");
        assert!(status.progress.applied > 60 - 2 * REPLAYED && status.progress.dropped == 1, "{status:?}");
        net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_come_of_who_has_them_and_blocks_of_which_nobody_has_are_run() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 4);
    let mut sent = Vec::new();
    for n in 0..2 {
        sent.push(net.up_watched(n, Answers::Honestly).await);
    }
    make(net.group(0), 2, 80).await;
    let end = height(net.group(0));
    net.reach(end).await;
    // One has forgotten everything old, the other some.
    net.group(0).ledger().prune_history(end).unwrap();
    net.group(1).ledger().prune_history(Height(20)).unwrap();
    net.up_beginning_without(0, 2).await;
    net.reach(end).await;
    net.same_ledgers(1, 2);
    let status = net.group(2).sync().unwrap();
    let applied = status.progress.applied;
    let most = end.0 - 19 - REPLAYED;
    assert!(most / 2 < applied && applied <= most && status.lies.is_empty(), "{status:?}");
    assert_eq!(sent[0].load(Ordering::Relaxed), 0, "who has none sends none");
    assert!(sent[1].load(Ordering::Relaxed) >= applied);
    // It has the outcomes of all blocks now, of those that it has run too: the next one need run none but the newest.
    assert_eq!(net.group(2).ledger().history_from(), Height(0));
    net.down(1).await;
    net.up_beginning_without(0, 3).await;
    net.reach(end).await;
    net.same_ledgers(2, 3);
    let status = net.group(3).sync().unwrap();
    assert!(status.progress.applied > most && status.lies.is_empty(), "{status:?}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_on_its_way_goes_on_where_it_was_in_either_mode() {
    let mut net = Net::of(small_blocks(ConsensusKind::Bft, 1), 3);
    net.up_in(0, SyncMode::Full).await;
    net.up_in(1, SyncMode::Full).await;
    make(net.group(0), 2, 120).await;
    let end = height(net.group(0));
    net.reach(end).await;
    let mut applied = 0;
    for (part, mode) in [(1, SyncMode::Fast), (2, SyncMode::Full), (3, SyncMode::Fast)] {
        net.up_in(2, mode).await;
        let wanted = Height(end.0 * part / 4);
        net.follow(2, wanted).await;
        applied += net.progress(2).applied;
        net.down(2).await;
    }
    net.up_in(2, SyncMode::Fast).await;
    assert!(height(net.group(2)) >= Height(end.0 * 3 / 4), "what was durable is lost");
    net.reach(end).await;
    net.same_ledgers(0, 2);
    assert!(applied > 0 && net.group(2).sync().unwrap().lies.is_empty());
    net.stop().await;
}
