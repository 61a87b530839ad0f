//! Several nodes of one group in one process, each with its own disk, pool and threads, joined by channels.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_consensus::Peer;
use hanse_consensus::bft::Timing;
use hanse_group::{Durability, Group, GroupConfig, Hub, Network, SyncStatus, WaitError};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, Genesis, Validator};
use hanse_types::{Height, StateCommitment, Status, TxId};
use hanse_vm::system::members;

use crate::common::*;

/// Short, so that a dead proposer costs little.
pub const TIMING: Timing = Timing {
    propose_ms: 1_500,
    prevote_ms: 300,
    precommit_ms: 300,
    growth_ms: 300,
    max_ms: 5_000,
    repair_ms: 100,
    fetch_ms: 100,
    drift_ms: 15_000,
};

pub fn key(n: usize) -> SecretKey {
    SecretKey::ed25519([150 + n as u8; 32])
}

pub fn genesis_of(consensus: ConsensusKind, validators: usize) -> Genesis {
    let validators = (0..validators).map(|n| Validator { name: format!("v{n}"), key: key(n).public_key() });
    Genesis { consensus, validators: validators.collect(), ..genesis(StateCommitment::Merkle) }
}

pub struct Net {
    pub hub: Arc<Hub>,
    pub folder: tempfile::TempDir,
    pub genesis: Genesis,
    /// None is down.
    pub groups: Vec<Option<Group>>,
}

impl Net {
    /// Validators, and after them nodes that only follow.
    pub async fn start(consensus: ConsensusKind, validators: usize, observers: usize) -> Net {
        let count = validators + observers;
        let mut net = Net::of(genesis_of(consensus, validators), count);
        for n in 0..count {
            net.up(n).await;
        }
        net
    }

    /// So many nodes of this chain, all of them down.
    pub fn of(genesis: Genesis, count: usize) -> Net {
        let (hub, folder) = (Hub::new(), tempfile::tempdir().unwrap());
        let mut groups = Vec::new();
        groups.resize_with(count, || None);
        Net { hub, folder, genesis, groups }
    }

    pub fn directory(&self, n: usize) -> std::path::PathBuf {
        self.folder.path().join(n.to_string())
    }

    pub async fn up(&mut self, n: usize) {
        let network = self.hub.join(Peer(n as u32));
        self.up_by(n, network).await;
    }

    /// The same over another network.
    pub async fn up_by(&mut self, n: usize, network: Network) {
        let config =
            GroupConfig { threads: 1, timing: TIMING, ..super::patient(self.genesis.clone(), self.directory(n)) };
        self.groups[n] = Some(Group::join(config, Arc::new(key(n)), network).await.unwrap());
    }

    pub async fn down(&mut self, n: usize) {
        assert!(self.groups[n].take().unwrap().close(PATIENCE).await);
    }

    pub fn group(&self, n: usize) -> &Group {
        self.groups[n].as_ref().unwrap()
    }

    pub fn running(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }

    /// Waits until all that run have a block of this height.
    pub async fn reach(&self, wanted: Height) {
        for group in self.running() {
            let mut tip = group.tip();
            let reached = tip.wait_for(|header| header.height >= wanted);
            let waited = tokio::time::timeout(PATIENCE, reached).await;
            assert!(waited.is_ok(), "a node is at {}, not at {wanted}; stopped: {:?}", height(group), group.stopped());
            waited.unwrap().unwrap();
        }
    }

    /// Waits until a node's sync is as wanted.
    pub async fn until_sync(&self, n: usize, wanted: impl Fn(&SyncStatus) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.group(n).sync().is_some_and(|status| wanted(&status)) {
            assert!(Instant::now() < deadline, "{:?}", self.group(n).sync());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// All that run have the same chain up to the lowest of their heights; that height.
    pub fn agree(&self) -> Height {
        let lowest = self.running().map(height).min().unwrap();
        for at in 1..=lowest.0 {
            let hashes: Vec<_> = self.running().map(|group| group.ledger().block_hash(Height(at)).unwrap()).collect();
            assert!(hashes.iter().all(|hash| hash.is_some() && *hash == hashes[0]), "at {at}: {hashes:?}");
        }
        lowest
    }

    pub async fn stop(mut self) {
        for n in 0..self.groups.len() {
            if self.groups[n].is_some() {
                self.down(n).await;
            }
        }
    }
}

/// Submits transfers of its own accounts to one node; their ids.
pub async fn submit(group: &Group, from: u8, nonces: std::ops::Range<u64>) -> Vec<TxId> {
    let transfers = nonces.map(|nonce| transfer(group, from, 20, 1, nonce)).collect();
    let answers = group.submit_many(transfers, Durability::Memory).await;
    answers.into_iter().map(Result::unwrap).collect()
}

pub async fn committed(group: &Group, ids: &[TxId]) {
    for id in ids {
        group.wait(*id, PATIENCE).await.unwrap();
    }
}

/// Nobody decides this while so many proposers could have been waited for.
pub async fn undecided(group: &Group, id: TxId, proposers: u64) {
    let outcome = group.wait(id, Duration::from_millis(proposers * TIMING.propose_ms)).await;
    assert_eq!(outcome, Err(WaitError::OutcomeUnknown));
}

/// Has the administrator change the members; commits it.
pub async fn govern(group: &Group, nonce: u64, method: &str, args: Vec<u8>) {
    let change = signed(group, 1, call(group, 1, nonce, members::ADDRESS, method, args));
    let receipt = group.submit_and_wait(change, PATIENCE).await.unwrap();
    assert_eq!(receipt.status, Status::Success, "{}", receipt.message);
}

/// Waits until this node votes, or does not.
pub async fn voting(group: &Group, votes: bool) {
    let mut agreement = group.follow_agreement();
    let reached = agreement.wait_for(|now| now.is_some_and(|now| now.votes == votes));
    tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap();
}
