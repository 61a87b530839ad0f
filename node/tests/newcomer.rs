//! Nodes of a group that runs, each a process: a new one begins with a snapshot of the others, under load and whatever kills it.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::Node;
use common::consortium::{Consortium, PATIENCE, payment, until, until_connected};
use hanse_client::methods::{
    BlockAt, BlockParams, CertificateParams, GetBlock, GetCertificate, GetChainStatus, NoParams,
};
use hanse_client::views::ChainStatus;
use hanse_client::{ChainContext, Client, codes};
use hanse_types::{Hash, Height};

/// Members make a snapshot each time so many blocks have passed, and keep what a newcomer may still ask for, however fast they are.
const OFFERING: &[(&str, &str)] = &[("HANSE_SYNC__SNAPSHOT_EVERY", "20"), ("HANSE_SYNC__SNAPSHOTS_KEPT", "100")];
const BEGINNING: &[(&str, &str)] = &[("HANSE_SYNC__SNAPSHOT_EVERY", "20"), ("HANSE_SYNC__MODE", "snapshot")];

async fn status(client: &Client) -> ChainStatus {
    client.call::<GetChainStatus>(NoParams {}).await.unwrap()
}

async fn root_at(client: &Client, height: Height) -> (Hash, Hash) {
    let params = BlockParams { at: BlockAt::Height(height), ..BlockParams::default() };
    let header = client.call::<GetBlock>(params).await.unwrap().header;
    (header.hash, header.state_root)
}

/// Pays receivers from this number on until it is told to stop; how many payments are in blocks.
async fn pay(client: Client, first: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut paid = 0;
    while !stop.load(Ordering::Relaxed) {
        // Many blocks come while the newcomer begins.
        let context = ChainContext::from(&client.chain_info().await.unwrap());
        client.submit_and_wait(&payment(&context, first + paid), PATIENCE).await.unwrap().receipt().unwrap();
        paid += 1;
    }
    paid
}

/// Waits until a node has begun with a snapshot.
async fn begun(client: &Client) -> ChainStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // While its group is opened anew, requests for it are refused.
        match client.call::<GetChainStatus>(NoParams {}).await {
            Ok(status) if status.first_height > Height(1) && status.sync.is_some() => return status,
            answer => assert!(Instant::now() < deadline, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_begins_with_a_snapshot_under_load_whatever_kills_it() {
    let consortium = Consortium::new(4);
    let nodes: Vec<Node> = (1..=3).map(|number| consortium.start_with(number, OFFERING)).collect();
    let clients: Vec<Client> = nodes.iter().map(Node::client).collect();
    until_connected(&clients[0], 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let payers: Vec<_> =
        (0..3).map(|at| tokio::spawn(pay(clients[at].clone(), (at as u64) << 32, stop.clone()))).collect();
    // Two must have the same one.
    for client in &clients {
        let offers = |status: &ChainStatus| status.sync.as_ref().is_some_and(|sync| sync.offers.contains(&Height(20)));
        until("members have a snapshot", || status(client), offers).await;
    }

    // Killed at once, and when it is connected; then it is left alone.
    consortium.start_with(4, BEGINNING).kill();
    let killed = consortium.start_with(4, BEGINNING);
    until_connected(&killed.client(), 3).await;
    killed.kill();
    let newcomer = consortium.start_with(4, BEGINNING);
    let client = newcomer.client();
    let began = begun(&client).await;
    assert!(began.first_height.0.is_multiple_of(20) && began.sync.unwrap().mode == "snapshot");
    let end = Height(status(&clients[0]).await.height.0 + 5);
    // Whichever of both has the block first.
    for reader in [&client, &clients[0]] {
        until("it has caught up", || status(reader), |status| status.height >= end).await;
    }
    assert_eq!(root_at(&client, end).await, root_at(&clients[0], end).await);
    stop.store(true, Ordering::Relaxed);
    for payer in payers {
        assert!(payer.await.unwrap() > 0);
    }

    // What was before is not denied: it is not here.
    let before = CertificateParams { at: BlockAt::Height(Height(1)) };
    let error = client.call::<GetCertificate>(before).await.unwrap_err();
    assert!(error.is(codes::PRUNED) && error.to_string().contains("began with a snapshot"), "{error}");
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    client.submit_and_wait(&payment(&context, u64::MAX), PATIENCE).await.unwrap().receipt().unwrap();
    let figures = reqwest::get(format!("{}/metrics", newcomer.url)).await.unwrap().text().await.unwrap();
    assert!(
        figures.contains("hanse_sync_snapshot_chunks{group=") && figures.contains("hanse_sync_lies_total"),
        "{figures}"
    );

    // It begins with a snapshot once; from then on it goes on from its blocks.
    // What it was given was packed by those who gave it.
    let mut saved = 0.0;
    for node in &nodes {
        saved += node.figure("hanse_net_saved_bytes_total{module=\"sync\"}").await;
    }
    assert!(saved > 0.0);
    newcomer.kill();
    let back = consortium.start_with(4, BEGINNING);
    let again = status(&back.client()).await;
    assert!(again.first_height == began.first_height && again.height >= began.height);
    assert!(again.sync.is_none_or(|sync| sync.snapshot.is_none()));
    back.stop();
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_mode_that_is_none_is_refused() {
    let consortium = Consortium::new(4);
    let path = consortium.folder().join("all/node-1/hanse.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("#mode = \"full\"", "mode = \"quick\"");
    assert!(text.contains("quick"), "{text}");
    std::fs::write(&path, text).unwrap();
    let checked = common::hanse(consortium.folder(), &["config", "check", "--config", "all/node-1/hanse.toml"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(!checked.status.success() && said.contains("write \"full\", \"fast\" or \"snapshot\""), "{said}");
}
