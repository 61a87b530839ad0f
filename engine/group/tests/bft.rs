//! Several validators of one group in one process, each with its own disk, pool and threads, joined by channels.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/net.rs"]
mod net;

use std::path::Path;
use std::sync::Arc;

use common::*;
use hanse_consensus::Peer;
use hanse_group::{Group, GroupConfig};
use hanse_types::crypto::Signer;
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Epoch, Height, Role};
use net::*;

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_and_an_observer_agree_on_what_clients_of_each_submit() {
    let net = Net::start(ConsensusKind::Bft, 4, 1).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.extend(submit(net.group(n), 1 + n as u8, 0..200).await);
    }
    for n in 0..5 {
        committed(net.group(n), &ids).await;
    }
    let height = net.agree();
    assert!(height >= Height(1));
    for n in 0..5 {
        assert_eq!(balance(net.group(n), 20).await, RICHES + 1_000);
        let certificate = net.group(n).ledger().certificate(height).unwrap().unwrap();
        assert!(certificate.signatures.len() >= 3);
    }
    assert_eq!(replay_all(net.group(4)), 1_000);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_without_one_validator_and_takes_it_back() {
    let mut net = Net::start(ConsensusKind::Bft, 4, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..50).await).await;
    net.reach(Height(1)).await;
    net.down(1).await;
    for round in 1..8 {
        committed(net.group(0), &submit(net.group(0), 1, round * 100..round * 100 + 50).await).await;
    }
    let before = height(net.group(0));
    net.up(1).await;
    net.reach(before).await;
    committed(net.group(1), &submit(net.group(1), 2, 0..50).await).await;
    net.agree();
    assert_eq!(balance(net.group(1), 20).await, RICHES + 450);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_group_decides_nothing_and_both_halves_go_on_together() {
    let net = Net::start(ConsensusKind::Bft, 4, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..20).await).await;
    let links = || [0, 1].into_iter().flat_map(|one| [2, 3].map(|two| (Peer(one), Peer(two))));
    links().for_each(|(one, two)| net.hub.cut(one, two));
    let (left, right) = (submit(net.group(0), 2, 0..20).await, submit(net.group(2), 3, 0..20).await);
    tokio::join!(undecided(net.group(0), left[0], 3), undecided(net.group(2), right[0], 3));
    links().for_each(|(one, two)| net.hub.heal(one, two));
    for n in 0..4 {
        committed(net.group(n), &left).await;
        committed(net.group(n), &right).await;
    }
    net.agree();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_stop_and_go_on_where_they_were() {
    let mut net = Net::start(ConsensusKind::Bft, 4, 0).await;
    committed(net.group(3), &submit(net.group(3), 1, 0..50).await).await;
    for n in 0..4 {
        net.down(n).await;
    }
    for n in 0..4 {
        net.up(n).await;
    }
    let again = transfer(net.group(2), 1, 20, 1, 50);
    net.group(2).submit_and_wait(again, PATIENCE).await.unwrap();
    net.reach(Height(2)).await;
    assert!(net.agree() >= Height(2));
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_record_of_votes_makes_an_observer_until_it_is_safe() {
    let mut net = Net::start(ConsensusKind::Bft, 4, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..10).await).await;
    net.reach(Height(1)).await;
    net.down(3).await;
    lose_votes(&net.directory(3));
    net.up(3).await;
    for round in 1..6 {
        committed(net.group(0), &submit(net.group(0), 1, round * 100..round * 100 + 10).await).await;
    }
    net.reach(height(net.group(0))).await;
    // It votes again some heights later: with another validator down, its vote is needed.
    net.down(2).await;
    committed(net.group(3), &submit(net.group(3), 4, 0..10).await).await;
    net.agree();
    net.stop().await;
}

fn lose_votes(directory: &Path) {
    let votes = directory.join("votes");
    assert!(votes.join("journal").exists() && votes.join("guard").exists());
    std::fs::remove_dir_all(votes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_runs_twice_is_found_out_and_the_evidence_stays() {
    let mut net = Net::start(ConsensusKind::Bft, 4, 0).await;
    let directory = net.folder.path().join("twin");
    let config = GroupConfig { threads: 1, timing: TIMING, ..patient(net.genesis.clone(), directory) };
    let twin = Group::join(config, Arc::new(key(3)), net.hub.join(Peer(9))).await.unwrap();
    let accused = |net: &Net| net.groups[..3].iter().flatten().any(|group| !group.accusations().is_empty());
    let mut nonce = 0;
    while !accused(&net) {
        assert!(nonce < 5_000, "nobody was found out");
        committed(net.group(0), &submit(net.group(0), 1, nonce..nonce + 10).await).await;
        nonce += 10;
    }
    twin.close(PATIENCE).await;
    let by = (0..3).find(|n| !net.group(*n).accusations().is_empty()).unwrap();
    let known = net.group(by).accusations();
    assert!(known.iter().all(|accusation| accusation.evidence.validator() == 3));
    net.down(by).await;
    net.up(by).await;
    assert_eq!(net.group(by).accusations()[..known.len()], known[..]);
    let agreement = net.group(by).agreement();
    assert!(agreement.is_none_or(|agreement| agreement.votes));
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_come_and_go_by_transaction_at_the_boundary_of_a_block() {
    let mut net = Net::start(ConsensusKind::Bft, 4, 1).await;
    committed(net.group(0), &submit(net.group(0), 2, 0..50).await).await;
    voting(net.group(4), false).await;
    let newcomer = ("v4", key(4).public_key().to_string(), Role::Sealer);
    govern(net.group(0), 1, "add", borsh::to_vec(&newcomer).unwrap()).await;
    voting(net.group(4), true).await;
    // The block that names the new set is the old one's, in the old epoch.
    let handover = net.group(4).ledger().handover(Epoch(1)).unwrap().unwrap();
    assert_eq!((handover.header.epoch, handover.validators.len()), (Epoch(0), 5));
    govern(net.group(4), 2, "remove", borsh::to_vec(&"v0").unwrap()).await;
    voting(net.group(0), false).await;
    assert_eq!(net.group(0).members().borrow().as_slice().len(), 4);
    // Of v1 to v4, three decide: with v1 away, the newcomer's vote is needed.
    net.down(1).await;
    committed(net.group(0), &submit(net.group(0), 3, 0..50).await).await;
    net.up(1).await;
    // All of them begin again in the epoch where they were.
    for n in 0..5 {
        net.down(n).await;
    }
    for n in 0..5 {
        net.up(n).await;
    }
    committed(net.group(2), &submit(net.group(2), 4, 0..50).await).await;
    let last = height(net.group(2));
    net.reach(last).await;
    net.agree();
    assert_eq!(net.group(0).ledger().header(last).unwrap().unwrap().epoch, Epoch(2));
    assert_eq!(replay_all(net.group(4)), 152);
    net.group(4).ledger().verify_blocks().unwrap();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_one_agrees_with_itself() {
    let mut net = Net::start(ConsensusKind::Bft, 1, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..50).await).await;
    net.down(0).await;
    net.up(0).await;
    committed(net.group(0), &submit(net.group(0), 1, 50..100).await).await;
    assert_eq!(balance(net.group(0), 20).await, RICHES + 100);
    net.stop().await;
}
