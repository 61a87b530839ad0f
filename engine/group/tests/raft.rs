//! Validators of one group with consensus `raft` in one process, each with its own disk, pool and threads: a leader that
//! goes, a majority that goes, all that go, and a record that is lost.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/net.rs"]
mod net;

use common::*;
use hanse_consensus::Peer;
use hanse_group::agreement::{self, Part};
use hanse_group::{Agreement, Group};
use hanse_types::crypto::Signer;
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Epoch, Height, Role};
use net::*;
use tokio::task::JoinSet;

/// Blocks that make a node that was away lack more than logs keep.
const MANY: u64 = 24;

async fn start(validators: usize, observers: usize) -> Net {
    Net::start(ConsensusKind::Raft, validators, observers).await
}

/// Waits until one of those that run leads.
async fn leader(net: &Net) -> usize {
    let leads = |now: &Option<Agreement>| now.is_some_and(|now| now.part == Part::Role(agreement::Role::Leader));
    let mut waits = JoinSet::new();
    for (n, group) in net.groups.iter().enumerate() {
        let Some(mut agreement) = group.as_ref().map(Group::follow_agreement) else { continue };
        waits.spawn(async move { agreement.wait_for(leads).await.is_ok().then_some(n) });
    }
    let first = tokio::time::timeout(PATIENCE, waits.join_next()).await.expect("nobody leads");
    first.unwrap().unwrap().expect("the group runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn three_validators_and_an_observer_agree_on_what_clients_of_each_submit() {
    let net = start(3, 1).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.extend(submit(net.group(n), 1 + n as u8, 0..200).await);
    }
    for n in 0..4 {
        committed(net.group(n), &ids).await;
    }
    let height = net.agree();
    assert!(height >= Height(1));
    for n in 0..4 {
        assert_eq!(balance(net.group(n), 20).await, RICHES + 800);
        // The one who made the block signs.
        let block = net.group(n).ledger().block(height).unwrap().unwrap();
        let certificate = net.group(n).ledger().certificate(height).unwrap().unwrap();
        let signers: Vec<u32> = certificate.signatures.iter().map(|(signer, _)| *signer).collect();
        assert_eq!((signers, certificate.round), (vec![block.header.proposer], block.header.round));
    }
    let observer = net.group(3).agreement().unwrap();
    assert_eq!((observer.part, observer.votes), (Part::Observer, false));
    assert_eq!(replay_all(net.group(3)), 800);
    net.group(3).ledger().verify_blocks().unwrap();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_without_its_leader_and_takes_it_back() {
    let mut net = start(3, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..50).await).await;
    let first = leader(&net).await;
    net.down(first).await;
    let other = (first + 1) % 3;
    for round in 1..=MANY {
        committed(net.group(other), &submit(net.group(other), 1, round * 100..round * 100 + 10).await).await;
    }
    assert_ne!(leader(&net).await, first);
    let before = height(net.group(other));
    net.up(first).await;
    net.reach(before).await;
    committed(net.group(first), &submit(net.group(first), 2, 0..50).await).await;
    // It counts again: with another one away, it is one of the two that are needed.
    net.down(other).await;
    committed(net.group(first), &submit(net.group(first), 2, 100..150).await).await;
    net.agree();
    assert_eq!(balance(net.group(first), 20).await, RICHES + 150 + u128::from(MANY) * 10);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_decides_nothing_and_what_it_took_is_not_lost() {
    let net = start(3, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..20).await).await;
    let first = leader(&net).await;
    let others = [(first + 1) % 3, (first + 2) % 3];
    let link = |other: usize| (Peer(first as u32), Peer(other as u32));
    others.iter().map(|other| link(*other)).for_each(|(one, two)| net.hub.cut(one, two));
    let alone = submit(net.group(first), 2, 0..20).await;
    for other in others {
        committed(net.group(other), &submit(net.group(other), 3 + other as u8, 0..20).await).await;
    }
    assert!(net.group(first).ledger().receipt_of(&alone[0]).unwrap().is_none());
    others.iter().map(|other| link(*other)).for_each(|(one, two)| net.hub.heal(one, two));
    for n in 0..3 {
        committed(net.group(n), &alone).await;
    }
    net.agree();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_is_decided_until_it_is_back() {
    let mut net = start(3, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..20).await).await;
    net.reach(Height(1)).await;
    let left = leader(&net).await;
    let gone = [(left + 1) % 3, (left + 2) % 3];
    for n in gone {
        net.down(n).await;
    }
    let waiting = submit(net.group(left), 2, 0..20).await;
    undecided(net.group(left), waiting[0], 3).await;
    net.up(gone[0]).await;
    committed(net.group(left), &waiting).await;
    net.up(gone[1]).await;
    committed(net.group(gone[1]), &waiting).await;
    net.agree();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_stop_and_go_on_where_they_were() {
    let mut net = start(3, 0).await;
    committed(net.group(2), &submit(net.group(2), 1, 0..50).await).await;
    let term = net.group(0).agreement().unwrap().round;
    for n in 0..3 {
        net.down(n).await;
    }
    for n in 0..3 {
        net.up(n).await;
    }
    let again = transfer(net.group(2), 1, 20, 1, 50);
    net.group(2).submit_and_wait(again, PATIENCE).await.unwrap();
    net.reach(Height(2)).await;
    assert!(net.agree() >= Height(2));
    assert!(net.group(0).agreement().unwrap().round > term);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_its_record_follows_and_promises_nothing() {
    let mut net = start(3, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..10).await).await;
    net.reach(Height(1)).await;
    net.down(2).await;
    std::fs::remove_file(net.directory(2).join("votes").join("raft")).unwrap();
    net.up(2).await;
    let ids = submit(net.group(2), 4, 0..10).await;
    committed(net.group(2), &ids).await;
    let now = net.group(2).agreement().unwrap();
    assert_eq!((now.part, now.votes), (Part::Observer, false));
    // The other two go on, and one of them does not with it alone.
    net.down(1).await;
    let waiting = submit(net.group(0), 1, 100..110).await;
    undecided(net.group(0), waiting[0], 2).await;
    net.up(1).await;
    committed(net.group(2), &waiting).await;
    net.agree();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_come_and_go_by_transaction_and_each_set_has_a_log_of_its_own() {
    let mut net = start(3, 1).await;
    committed(net.group(0), &submit(net.group(0), 2, 0..50).await).await;
    voting(net.group(3), false).await;
    let newcomer = ("v3", key(3).public_key().to_string(), Role::Sealer);
    govern(net.group(0), 1, "add", borsh::to_vec(&newcomer).unwrap()).await;
    voting(net.group(3), true).await;
    let handover = net.group(3).ledger().handover(Epoch(1)).unwrap().unwrap();
    assert_eq!((handover.header.epoch, handover.validators.len(), handover.validators.quorum()), (Epoch(0), 4, 1));
    govern(net.group(3), 2, "remove", borsh::to_vec(&"v0").unwrap()).await;
    voting(net.group(0), false).await;
    // Of v1 to v3, two decide: with v1 away, the newcomer is needed. Who was removed follows, and takes transactions.
    net.down(1).await;
    committed(net.group(0), &submit(net.group(0), 3, 0..50).await).await;
    net.up(1).await;
    // All of them begin again in the epoch where they were.
    for n in 0..4 {
        net.down(n).await;
    }
    for n in 0..4 {
        net.up(n).await;
    }
    committed(net.group(2), &submit(net.group(2), 4, 0..50).await).await;
    let last = height(net.group(2));
    net.reach(last).await;
    net.agree();
    assert_eq!(net.group(0).ledger().header(last).unwrap().unwrap().epoch, Epoch(2));
    assert_eq!(replay_all(net.group(3)), 152);
    net.group(3).ledger().verify_blocks().unwrap();
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_one_agrees_with_itself() {
    let mut net = start(1, 0).await;
    committed(net.group(0), &submit(net.group(0), 1, 0..50).await).await;
    net.down(0).await;
    net.up(0).await;
    committed(net.group(0), &submit(net.group(0), 1, 50..100).await).await;
    assert_eq!(balance(net.group(0), 20).await, RICHES + 100);
    net.stop().await;
}
