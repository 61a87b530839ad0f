//! Validators are killed with -9 at random under load, one after another and now and then all at once, and started again: what
//! any of them acknowledged is in the chain, once, and all have one chain.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::consortium::{Consortium, PATIENCE, payment, until, until_connected};
use common::{Node, receipts_of};
use hanse_client::methods::{BlockAt, BlockParams, GetBlock, GetTxStatus, TxParams, Wait};
use hanse_client::views::TxStatusView;
use hanse_client::{ChainContext, Client, ClientError, codes};
use hanse_types::{Hash, Height, Status};

/// Kills in one run; more by `HANSE_KILLS`.
const KILLS: usize = 6;
/// One of so many kills is of all validators at once.
const ALL_AT_ONCE: usize = 5;
/// Acknowledgements between two kills, and blocks.
const ACKNOWLEDGED: usize = 40;
const BLOCKS: u64 = 2;

/// What clients were told to be accepted for good.
type Acknowledged = Arc<Mutex<Vec<Hash>>>;

/// Pays at one node until it is told to stop, whether the node is there or not.
async fn pay(client: Client, first: u64, told: Acknowledged, stop: Arc<AtomicBool>) {
    for number in first.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // More blocks come in all than a transaction may refer back.
        let Ok(info) = client.chain_info().await else {
            room(&client).await;
            continue;
        };
        let context = ChainContext::from(&info);
        let signed = payment(&context, number);
        match client.send(&signed, Wait::Pool, PATIENCE).await {
            Ok(_) => told.lock().unwrap().push(signed.id(&context.genesis).0),
            // What became of it is not known, or nothing: the next one is another.
            Err(ClientError::Broken { .. } | ClientError::Connect { .. }) => room(&client).await,
            Err(error) if error.is(codes::POOL_FULL) || error.is(codes::BUSY) => room(&client).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits for a block, a while at most.
async fn room(client: &Client) {
    match client.chain_info().await {
        Ok(info) => drop(client.wait_block(info.height, Duration::from_millis(100)).await),
        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
    }
}

/// A number below a bound, the next of a sequence that is always the same.
fn next(dice: &mut u64, below: usize) -> usize {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*dice >> 33) as usize % below
}

async fn height(client: &Client) -> Height {
    client.chain_info().await.unwrap().height
}

async fn status(client: &Client, id: Hash) -> TxStatusView {
    client.call::<GetTxStatus>(TxParams { tx_id: id }).await.unwrap()
}

/// The transactions of a chain up to a height.
async fn transactions(client: &Client, last: Height) -> Vec<Hash> {
    let mut all = Vec::new();
    for height in 1..=last.0 {
        for receipt in receipts_of(client, Height(height)).await {
            assert_eq!(receipt.outcome.status, Status::Success);
            all.push(receipt.tx_id);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_killed_at_random_under_load_lose_and_double_nothing() {
    let kills = std::env::var("HANSE_KILLS").ok().map_or(KILLS, |kills| kills.parse().unwrap());
    let consortium = Consortium::new(4);
    let mut nodes: Vec<Option<Node>> = (1..=4).map(|number| Some(consortium.start(number))).collect();
    let clients: Vec<Client> = nodes.iter().flatten().map(Node::client).collect();
    until_connected(&clients[0], 3).await;
    let (told, stop) = (Acknowledged::default(), Arc::new(AtomicBool::new(false)));
    let payers: Vec<_> = (0..8)
        .map(|payer| {
            let client = clients[payer % 4].clone();
            tokio::spawn(pay(client, (payer as u64 + 1) << 32, told.clone(), stop.clone()))
        })
        .collect();

    let mut dice = 1;
    for kill in 1..=kills {
        let count = || told.lock().unwrap().len();
        let (enough, at) = (count() + ACKNOWLEDGED, height(&clients[0]).await);
        let goes_on = async || {
            let height = height(&clients[0]).await;
            (count(), height)
        };
        until("the chain goes on", goes_on, |(count, height)| *count >= enough && height.0 >= at.0 + BLOCKS).await;
        let victims = match kill % ALL_AT_ONCE {
            0 => 0..4,
            _ => {
                let victim = next(&mut dice, 4);
                victim..victim + 1
            }
        };
        nodes[victims.clone()].iter_mut().flat_map(Option::take).for_each(Node::kill);
        for victim in victims {
            nodes[victim] = Some(consortium.start(victim + 1));
        }
    }

    stop.store(true, Ordering::Relaxed);
    for payer in payers {
        payer.await.unwrap();
    }
    let acknowledged = std::mem::take(&mut *told.lock().unwrap());
    for id in &acknowledged {
        let end = until(
            "it comes to an end",
            || status(&clients[0], *id),
            |status| !matches!(status, TxStatusView::Waiting | TxStatusView::Sealed { .. } | TxStatusView::Unknown),
        );
        let end = end.await;
        assert!(matches!(end, TxStatusView::Committed { status: Status::Success, .. }), "{id}: {end:?}");
    }
    let last = height(&clients[0]).await;
    let executed = transactions(&clients[0], last).await;
    let once: BTreeSet<Hash> = executed.iter().copied().collect();
    assert_eq!(once.len(), executed.len(), "executed twice");
    assert!(acknowledged.iter().all(|id| once.contains(id)), "acknowledged and lost");
    let at_last = async |client: &Client| {
        let params = BlockParams { at: BlockAt::Height(last), ..BlockParams::default() };
        client.call::<GetBlock>(params).await.unwrap().header.hash
    };
    for client in &clients[1..] {
        until("it has the chain", || height(client), |height| *height >= last).await;
        assert_eq!(at_last(client).await, at_last(&clients[0]).await);
    }
    println!(
        "{kills} kills of validators, {} acknowledged, {} executed, each of them once",
        acknowledged.len(),
        executed.len()
    );
    nodes.into_iter().flatten().for_each(Node::stop);
}
