//! Members that lie to a node which catches up, each a process or a client of libp2p: they are named and left alone, nothing
//! that they say is kept, and the node catches up from the others.
#![allow(clippy::unwrap_used)]

mod common;
mod peer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::Node;
use common::consortium::{Consortium, PATIENCE, payment, until, until_connected};
use hanse_client::methods::{BlockAt, BlockParams, GetBlock, GetChainStatus, NoParams};
use hanse_client::views::ChainStatus;
use hanse_client::{ChainContext, Client};
use hanse_consensus::{Have, Message, Status};
use hanse_group::network::Frame;
use hanse_replica::sync::{Blocks, DecidedBlock, Description, Offer, SyncMessage};
use hanse_types::portable::{Chunk, Item, chunk_digest};
use hanse_types::{Canonical, Hash, Height, Round};
use peer::{Member, key_of};
use tokio::task::JoinHandle;

/// Who lies: a validator that does not run.
const LIAR: usize = 3;
/// To whom.
const VICTIM: usize = 4;
/// How many blocks there are.
const BLOCKS: u64 = 24;
/// How many there would be by the liar's words.
const CLAIMED: Height = Height(1_000);
/// Members make a snapshot each time so many blocks have passed.
const SNAPSHOT_EVERY: &str = "20";
/// How long whoever lied is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// What honest members answer.
struct Truth {
    blocks: Blocks,
    offers: Vec<Offer>,
    description: Description,
    chunks: Vec<Vec<u8>>,
}

impl Truth {
    /// Asks a node for all that it has.
    async fn of(member: &mut Member) -> Truth {
        let all = SyncMessage::GetBlocks { from: Height(1), count: BLOCKS as u32, outcomes: true };
        let blocks = ask(member, all, |answer| match answer {
            SyncMessage::Blocks(blocks) => Some(blocks),
            _ => None,
        });
        let blocks = blocks.await;
        let offers = ask(member, SyncMessage::GetOffers, |answer| match answer {
            SyncMessage::Offers(offers) => Some(offers),
            _ => None,
        });
        let offers = offers.await;
        let id = offers[0].id;
        let description = ask(member, SyncMessage::GetDescription { id }, |answer| match answer {
            SyncMessage::Description(description) => Some(*description),
            _ => None,
        });
        let description = description.await;
        let mut chunks = Vec::new();
        for wanted in 0..description.manifest.chunks.len() as u32 {
            let chunk = ask(member, SyncMessage::GetChunk { id, index: wanted }, |answer| match answer {
                SyncMessage::Chunk { index, bytes, .. } if index == wanted => Some(bytes),
                _ => None,
            });
            chunks.push(chunk.await);
        }
        Truth { blocks, offers, description, chunks }
    }

    /// The same without the last entry of the snapshot's state. All of it fits together, but for what validators decided.
    fn forged(&self) -> Truth {
        let mut chunks = self.chunks.clone();
        let last = chunks.last_mut().unwrap();
        let mut items = Chunk::decode(last).unwrap();
        assert!(matches!(items.0.pop(), Some(Item::State { .. })));
        *last = items.encode();
        let mut description = self.description.clone();
        description.manifest.chunks = chunks.iter().map(|chunk| chunk_digest(chunk)).collect();
        let offers = vec![Offer { height: description.manifest.height, id: description.manifest.id() }];
        Truth { blocks: self.blocks.clone(), offers, description, chunks }
    }

    /// The answer to a request.
    fn answer(&self, request: &SyncMessage) -> Option<SyncMessage> {
        Some(match *request {
            SyncMessage::GetBlocks { from, count, outcomes } => {
                let skipped = from.0 as usize - 1;
                let part = |all: &[Vec<u8>]| all.iter().skip(skipped).take(count as usize).cloned().collect();
                let outcomes = if outcomes { part(&self.blocks.outcomes) } else { Vec::new() };
                SyncMessage::Blocks(Blocks {
                    from,
                    blocks: part(&self.blocks.blocks),
                    outcomes,
                    tip: CLAIMED,
                    ..self.blocks
                })
            }
            SyncMessage::GetOffers => SyncMessage::Offers(self.offers.clone()),
            SyncMessage::GetDescription { .. } => SyncMessage::Description(Box::new(self.description.clone())),
            SyncMessage::GetChunk { id, index } => {
                SyncMessage::Chunk { id, index, bytes: self.chunks[index as usize].clone() }
            }
            _ => return None,
        })
    }
}

/// Asks a node until an answer comes that fits: a frame to a node that has only just connected may get lost.
async fn ask<T>(member: &mut Member, request: SyncMessage, fits: impl Fn(SyncMessage) -> Option<T>) -> T {
    let request = Frame::Sync(Box::new(request));
    let deadline = Instant::now() + PATIENCE;
    let answered = async |member: &mut Member| loop {
        if let Frame::Sync(answer) = member.hear().await.expect("the node keeps the connection")
            && let Some(answer) = fits(*answer)
        {
            return answer;
        }
    };
    loop {
        member.say(&request).await.unwrap();
        if let Ok(answer) = tokio::time::timeout(Duration::from_secs(1), answered(member)).await {
            return answer;
        }
        assert!(Instant::now() < deadline, "no answer in time");
    }
}

/// A way to lie: what honest members answer, made into something else. Whether it was.
type Lie = fn(&mut SyncMessage) -> bool;

/// Changes the first blocks of an answer, of which there are two at least.
fn blocks(answer: &mut SyncMessage, change: impl FnOnce(&mut [DecidedBlock])) -> bool {
    let SyncMessage::Blocks(Blocks { blocks, .. }) = answer else { return false };
    if blocks.len() < 2 {
        return false;
    }
    let mut decided: Vec<DecidedBlock> = blocks.iter().map(|bytes| DecidedBlock::decode(bytes).unwrap()).collect();
    change(&mut decided);
    *blocks = decided.iter().map(Canonical::encode).collect();
    true
}

fn two_transactions_change_places(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| {
        let [first, second, ..] = decided else { unreachable!("there are two") };
        std::mem::swap(&mut first.block.transactions, &mut second.block.transactions);
    })
}

fn a_transaction_is_left_out(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| {
        decided[0].block.transactions.pop();
    })
}

fn the_state_is_another(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| decided[0].block.header.state_root = Hash([7; 32]))
}

fn votes_change_places(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| {
        let [(_, first), (_, second), ..] = &mut decided[0].certificate.signatures[..] else {
            unreachable!("a quorum of four is three")
        };
        std::mem::swap(first, second);
    })
}

fn a_vote_is_missing(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| {
        decided[0].certificate.signatures.pop();
    })
}

fn the_order_is_another(answer: &mut SyncMessage) -> bool {
    blocks(answer, |decided| decided.swap(0, 1))
}

fn a_block_is_noise(answer: &mut SyncMessage) -> bool {
    let SyncMessage::Blocks(Blocks { blocks, .. }) = answer else { return false };
    blocks.first_mut().is_some_and(|block| {
        *block = b"no block".to_vec();
        true
    })
}

fn outcomes_change_places(answer: &mut SyncMessage) -> bool {
    let SyncMessage::Blocks(Blocks { outcomes, .. }) = answer else { return false };
    let many = outcomes.len() > 1;
    if many {
        outcomes.swap(0, 1);
    }
    many
}

/// For a truth that was forged before.
fn nothing_else(answer: &mut SyncMessage) -> bool {
    matches!(answer, SyncMessage::Chunk { .. })
}

fn a_snapshot_is_not_decided(answer: &mut SyncMessage) -> bool {
    let SyncMessage::Description(description) = answer else { return false };
    description.anchor.certificate.signatures.pop().is_some()
}

fn a_chunk_is_altered(answer: &mut SyncMessage) -> bool {
    let SyncMessage::Chunk { bytes, .. } = answer else { return false };
    bytes.last_mut().is_some_and(|byte| {
        *byte ^= 1;
        true
    })
}

/// A liar at work.
struct Liar {
    /// Lies that it was asked for.
    told: Arc<AtomicU64>,
    work: JoinHandle<()>,
}

impl Liar {
    /// Connects a liar to its victim. It claims to have many blocks, answers requests, and lies in its way when it can.
    async fn start(consortium: &Consortium, truth: Arc<Truth>, lie: Lie) -> Liar {
        let mut member = Member::connect(consortium, LIAR, VICTIM).await;
        let told = Arc::new(AtomicU64::new(0));
        let count = told.clone();
        // Until its victim stops.
        let work = tokio::spawn(async move {
            let mut again = tokio::time::interval(Duration::from_millis(100));
            loop {
                let words = tokio::select! {
                    _ = again.tick() => far_ahead(),
                    heard = member.hear() => {
                        let Some(heard) = heard else { return };
                        let Frame::Sync(request) = heard else { continue };
                        let Some(mut answer) = truth.answer(&request) else { continue };
                        count.fetch_add(u64::from(lie(&mut answer)), Ordering::Relaxed);
                        Frame::Sync(Box::new(answer))
                    }
                };
                if member.say(&words).await.is_err() {
                    return;
                }
            }
        });
        Liar { told, work }
    }

    fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// The claim to be far ahead.
fn far_ahead() -> Frame {
    Frame::Consensus(Box::new(Message::Status(Status {
        height: CLAIMED.next(),
        round: Round(0),
        proposal: false,
        prevotes: Have::default(),
        precommits: Have::default(),
        valid_round: None,
        waits: false,
    })))
}

async fn status(client: &Client) -> ChainStatus {
    client.call::<GetChainStatus>(NoParams {}).await.unwrap()
}

/// Waits until a node names the liar; why.
async fn named(what: &str, client: &Client) -> String {
    let lies = |status: &ChainStatus| status.sync.as_ref().is_some_and(|sync| !sync.lies.is_empty());
    let sync = until(what, || status(client), lies).await.sync.unwrap();
    assert!(
        sync.lies.iter().all(|lie| lie.name == format!("node-{LIAR}") && !lie.reason.is_empty()),
        "{what}: {sync:?}"
    );
    sync.lies[0].reason.clone()
}

/// Four validators, of which the first two have made blocks with the third and stopped; the last one has never run. And
/// what they would answer.
async fn made(options: &[&str]) -> (Consortium, String, Truth) {
    let consortium = Consortium::new_with(4, options);
    let liar = key_of(&consortium, LIAR).public().to_peer_id().to_string();
    let offering = [("HANSE_NETWORK__ALLOW", liar.as_str()), ("HANSE_SYNC__SNAPSHOT_EVERY", SNAPSHOT_EVERY)];
    let nodes: Vec<Node> = (1..=3).map(|number| consortium.start_with(number, &offering)).collect();
    let client = nodes[0].client();
    until_connected(&client, 2).await;
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    for to in 0..BLOCKS {
        client.submit_and_wait(&payment(&context, to), PATIENCE).await.unwrap().receipt().unwrap();
    }
    let offers = |status: &ChainStatus| status.sync.as_ref().is_some_and(|sync| !sync.offers.is_empty());
    until("there is a snapshot", || status(&client), offers).await;
    let mut nodes = nodes.into_iter();
    let first = nodes.next().unwrap();
    nodes.for_each(Node::stop);
    let truth = Truth::of(&mut Member::connect(&consortium, LIAR, 1).await).await;
    assert!(truth.blocks.blocks.len() as u64 == BLOCKS && truth.blocks.outcomes.len() > 1 && !truth.chunks.is_empty());
    first.stop();
    (consortium, liar, truth)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_blocks_is_named_and_left_alone_and_the_others_are_asked() {
    let (consortium, liar, truth) = made(&[]).await;
    let truth = Arc::new(truth);
    let victim = |mode| consortium.start_with(VICTIM, &[("HANSE_NETWORK__ALLOW", &liar), ("HANSE_SYNC__MODE", mode)]);
    let lies: [(&str, &str, Lie, &str); 8] = [
        ("transactions of another block", "full", two_transactions_change_places, "transactions have the root"),
        ("a transaction less", "full", a_transaction_is_left_out, "transactions"),
        ("another state", "full", the_state_is_another, "certificate"),
        ("votes of others", "full", votes_change_places, "certificate"),
        ("too few votes", "full", a_vote_is_missing, "certificate"),
        ("another order", "full", the_order_is_another, "height"),
        ("noise", "full", a_block_is_noise, "decided block"),
        ("outcomes of another block", "fast", outcomes_change_places, "receipts have the root"),
    ];
    for (what, mode, lie, reason) in lies {
        let node = victim(mode);
        let liar = Liar::start(&consortium, truth.clone(), lie).await;
        let said = named(what, &node.client()).await;
        assert!(said.contains(reason), "{what}: {said}");
        assert!(liar.told() > 0, "{what}");
        until("they are counted", || node.figure("hanse_sync_lies_total"), |lies| *lies > 0.0).await;
        assert_eq!(status(&node.client()).await.height, Height(0), "{what}");
        node.stop();
    }

    // While the liar goes on, those come back who don't.
    let node = victim("full");
    let client = node.client();
    let since = Instant::now();
    let liar = Liar::start(&consortium, truth, votes_change_places).await;
    named("the last", &client).await;
    let honest: Vec<Node> = (1..=2).map(|number| consortium.start(number)).collect();
    until_connected(&client, 3).await;
    // What it was asked for at the same time is answered too by now.
    let told = liar.told();
    // Without the victim they are two of four.
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    client.submit_and_wait(&payment(&context, u64::MAX), PATIENCE).await.unwrap().receipt().unwrap();
    assert!(liar.told() == told || since.elapsed() > LEFT_ALONE, "it was asked again");
    let hash_of = async |client: &Client| {
        let params = BlockParams { at: BlockAt::Height(Height(BLOCKS)), ..BlockParams::default() };
        client.call::<GetBlock>(params).await.unwrap().header.hash
    };
    assert_eq!(hash_of(&client).await, hash_of(&honest[0].client()).await);
    node.stop();
    honest.into_iter().for_each(Node::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_a_snapshot_is_named_and_nobody_begins_with_it() {
    // With the other commitment one member's snapshot is not begun with anyway.
    let (consortium, liar, mut truth) = made(&["--commitment", "merkle"]).await;
    // Nobody is to catch up without a snapshot.
    truth.blocks.blocks.clear();
    let (forged, truth) = (Arc::new(truth.forged()), Arc::new(truth));
    let lies: [(&str, &Arc<Truth>, Lie, &str); 3] = [
        ("too few votes", &truth, a_snapshot_is_not_decided, "certificate"),
        ("an altered chunk", &truth, a_chunk_is_altered, "chunk"),
        ("another state", &forged, nothing_else, "state"),
    ];
    for (what, truth, lie, reason) in lies {
        let variables = [("HANSE_NETWORK__ALLOW", liar.as_str()), ("HANSE_SYNC__MODE", "snapshot")];
        let node = consortium.start_with(VICTIM, &variables);
        let liar = Liar::start(&consortium, truth.clone(), lie).await;
        let said = named(what, &node.client()).await;
        assert!(said.contains(reason), "{what}: {said}");
        assert!(liar.told() > 0, "{what}");
        until("they are counted", || node.figure("hanse_sync_lies_total"), |lies| *lies > 0.0).await;
        let status = status(&node.client()).await;
        assert!(status.first_height <= Height(1) && status.height == Height(0), "{what}: {status:?}");
        node.stop();
    }
}
