//! Blocks for those who are behind: answering from the ledger what other nodes ask for, and what is known of this node's own
//! catching up.
//!
//! Answers are read and sent away from the group's driver, one at a time, with pauses where more is asked for than a rate
//! allows; each peer may have a few waiting. So whoever catches up slows consensus no more than that. What there is no room
//! for is not answered: who asked asks again, or somebody else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hanse_consensus::{Peer, Recipient};
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::sync::{Blocks, DecidedBlock, SyncMessage};
pub use hanse_replica::sync::{Progress, SyncLimits};
use hanse_types::crypto::PublicKey;
use hanse_types::{Canonical, Height, Outcomes, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::group::Group;
use crate::network::{Frame, Module, Transport};
use crate::snapshots::{FetchProgress, FetchStage, Offers, SyncMode};

/// Requests of one peer that may wait for their answers.
const PER_PEER: usize = 4;
/// Bytes of blocks that one answer has at most; one block it always has.
const ANSWER_BYTES: usize = 1 << 20;
/// Blocks that one answer has at most.
const ANSWER_BLOCKS: u32 = 256;
/// Bytes that are sent in a second at most, to all peers together.
const BYTES_PER_SECOND: u64 = 64 << 20;
/// Lies that are remembered.
const LIES: usize = 64;
/// How often it is said how far catching up is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How far a node is in catching up with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// How far it is.
    pub progress: Progress,
    /// What peers have sent that no honest node sends, the oldest first.
    pub lies: Vec<Lie>,
    /// How it gets what the others have.
    pub mode: SyncMode,
    /// How far it is in getting a snapshot, if it was begun with one in mind.
    pub snapshot: Option<FetchProgress>,
    /// Heights of the snapshots that it has for other members, the newest first.
    pub offers: Vec<Height>,
}

/// Something that a peer has sent, and that is not the chain's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lie {
    /// The peer, as the transport numbers it.
    pub peer: Peer,
    /// Its key, if the transport knows it.
    pub key: Option<PublicKey>,
    /// What was wrong.
    pub reason: Arc<str>,
    /// This node's time.
    pub timestamp: Timestamp,
}

impl Group {
    /// How far this node is in catching up; none in a group without other nodes.
    pub fn sync(&self) -> Option<SyncStatus> {
        let progress = (*self.inner.sync_progress.borrow())?;
        let inner = &self.inner;
        let snapshot = inner.fetch.as_ref().map(|fetch| *fetch.borrow());
        let offers = inner.offers.iter().flat_map(Offers::list).map(|offer| offer.height).collect();
        Some(SyncStatus { progress, lies: inner.lies.all(), mode: inner.sync_mode, snapshot, offers })
    }

    /// Waits until a ledger was made of a snapshot: the group is to be stopped and opened anew then, and goes on from there.
    /// For ever, if there is no such thing to come. Waiting does not keep the group.
    pub fn snapshot_ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let fetch = self.inner.fetch.clone();
        async move {
            if let Some(mut fetch) = fetch
                && fetch.wait_for(|progress| progress.stage == FetchStage::Ready).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        }
    }
}

/// The newest lies.
#[derive(Debug, Default)]
pub(crate) struct Lies(Mutex<VecDeque<Lie>>);

impl Lies {
    /// Says in the log what a peer has sent, and remembers it.
    pub(crate) fn report(&self, lie: Lie) {
        let name = lie.key.map_or_else(|| format!("number {}", lie.peer.0), |key| key.to_string());
        let reason = &*lie.reason;
        warn!(peer = name, reason, "a member sent what is not the chain's; it is asked for none for a while");
        let mut lies = self.0.lock();
        if lies.len() == LIES {
            lies.pop_front();
        }
        lies.push_back(lie);
    }

    fn all(&self) -> Vec<Lie> {
        self.0.lock().iter().cloned().collect()
    }
}

/// Says in the log how far catching up is.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    since: Option<(Instant, Instant, Height)>,
}

impl Teller {
    /// This is how far it is now.
    pub(crate) fn tell(&mut self, progress: &Progress, height: Height) {
        let now = Instant::now();
        match self.since {
            None if progress.active => {
                let target = progress.target.unwrap_or(height).0;
                info!(
                    height = height.0,
                    target, "this node is behind: blocks are fetched from several members at a time"
                );
                self.since = Some((now, now, height));
            }
            Some((began, _, first)) if !progress.active => {
                let (blocks, took_ms) = (height.0.saturating_sub(first.0), began.elapsed().as_millis() as u64);
                info!(height = height.0, blocks, took_ms, "this node has caught up");
                self.since = None;
            }
            Some((began, told, first)) if now.duration_since(told) >= TELL_EVERY => {
                let target = progress.target.unwrap_or(height).0;
                let blocks = height.0.saturating_sub(first.0);
                let per_second = blocks as f64 / began.elapsed().as_secs_f64();
                info!(height = height.0, target, ready = progress.ready, per_second, "catching up");
                self.since = Some((began, now, first));
            }
            _ => {}
        }
    }
}

/// Answers other nodes from the ledger.
pub(crate) struct BlockServer {
    transport: Arc<dyn Transport>,
    ledger: Ledger,
    offers: Offers,
    /// Who reads.
    turn: Semaphore,
    /// How many requests of each peer wait.
    waiting: Mutex<BTreeMap<Peer, usize>>,
    /// When the next answer may be sent.
    free_at: Mutex<Instant>,
}

impl BlockServer {
    pub(crate) fn new(transport: Arc<dyn Transport>, ledger: Ledger, offers: Offers) -> Arc<BlockServer> {
        let free_at = Mutex::new(Instant::now());
        Arc::new(BlockServer { transport, ledger, offers, turn: Semaphore::new(1), waiting: Mutex::default(), free_at })
    }

    /// Answers a peer that asks for something, soon. What is no request has no answer.
    pub(crate) fn serve(self: &Arc<BlockServer>, to: Peer, request: SyncMessage) {
        if !self.take_seat(to) {
            return;
        }
        let server = self.clone();
        tokio::spawn(async move {
            server.answer(to, request).await;
            server.leave_seat(to);
        });
    }

    fn take_seat(&self, peer: Peer) -> bool {
        let mut waiting = self.waiting.lock();
        let taken = waiting.entry(peer).or_default();
        let is_free = *taken < PER_PEER;
        *taken += usize::from(is_free);
        is_free
    }

    fn leave_seat(&self, peer: Peer) {
        let mut waiting = self.waiting.lock();
        if let Some(taken) = waiting.get_mut(&peer) {
            *taken -= 1;
            if *taken == 0 {
                waiting.remove(&peer);
            }
        }
    }

    async fn answer(self: &Arc<BlockServer>, to: Peer, request: SyncMessage) {
        // Never closed.
        let Ok(_turn) = self.turn.acquire().await else { return };
        let server = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let answer = server.read(request)?;
            Ok::<_, String>(answer.map(|answer| Frame::Sync(Box::new(answer)).encode()))
        });
        match read.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(frame))) => {
                self.keep_pace(frame.len()).await;
                let frame: Arc<[u8]> = frame.into();
                self.transport.send(Recipient::One(to), Module::Sync, frame);
            }
            Ok(Err(error)) => warn!(%error, "a peer could not be answered from the ledger"),
            // The runtime ends.
            Err(_) => {}
        }
    }

    fn read(&self, request: SyncMessage) -> Result<Option<SyncMessage>, String> {
        Ok(match request {
            SyncMessage::GetBlocks { from, count, outcomes } => {
                let blocks = blocks(&self.ledger, from, count, outcomes).map_err(|error| error.to_string())?;
                Some(SyncMessage::Blocks(blocks))
            }
            SyncMessage::GetOffers => Some(SyncMessage::Offers(self.offers.list())),
            SyncMessage::GetDescription { id } => {
                self.offers.description(&id)?.map(|found| SyncMessage::Description(Box::new(found)))
            }
            SyncMessage::GetChunk { id, index } => {
                Some(SyncMessage::Chunk { id, index, bytes: self.offers.chunk(&id, index)? })
            }
            _ => None,
        })
    }

    /// Waits until the rate allows another answer.
    async fn keep_pace(&self, bytes: usize) {
        let at = {
            let mut free_at = self.free_at.lock();
            let at = (*free_at).max(Instant::now());
            *free_at = at + Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND);
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

/// Committed blocks from a height on, as many as one answer takes; with the outcomes of each, if so wished: none if those of the
/// first were pruned.
///
/// # Errors
/// If the ledger can't be read.
pub fn blocks(ledger: &Ledger, from: Height, count: u32, with_outcomes: bool) -> Result<Blocks, LedgerError> {
    let (first, tip, outcomes_from) = (ledger.first(), ledger.height(), ledger.history_from());
    let mut answer = Blocks { from, blocks: Vec::new(), outcomes: Vec::new(), first, tip, outcomes_from };
    if from.0.max(1) < first.0 || (with_outcomes && from < outcomes_from) {
        return Ok(answer);
    }
    let mut bytes = 0;
    let last = from.0.saturating_add(u64::from(count.min(ANSWER_BLOCKS))).min(tip.0.saturating_add(1));
    for height in (from.0.max(1)..last).map(Height) {
        let (Some(block), Some(certificate)) = (ledger.block(height)?, ledger.certificate(height)?) else { break };
        let block = DecidedBlock { certificate, block }.encode();
        let outcomes = if with_outcomes { outcomes(ledger, height)? } else { None };
        bytes += block.len() + outcomes.as_ref().map_or(0, Vec::len);
        let is_alike = outcomes.is_some() != answer.outcomes.is_empty();
        if !answer.blocks.is_empty() && (bytes > ANSWER_BYTES || !is_alike) {
            break;
        }
        answer.blocks.push(block);
        answer.outcomes.extend(outcomes);
    }
    Ok(answer)
}

/// The outcomes of a block, as they are sent; none if they were pruned, or are too long.
fn outcomes(ledger: &Ledger, height: Height) -> Result<Option<Vec<u8>>, LedgerError> {
    let rw_sets = match ledger.rw_sets(height) {
        Err(LedgerError::Pruned { .. }) => return Ok(None),
        read => read?,
    };
    let (Some(receipts), Some(rw_sets)) = (ledger.receipts(height)?, rw_sets) else { return Ok(None) };
    let bytes = Outcomes::encode_parts(ledger.genesis().crypto, &receipts, &rw_sets);
    Ok(Some(bytes).filter(|bytes| bytes.len() <= Outcomes::MAX_BYTES))
}
