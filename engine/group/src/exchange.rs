//! What the driver has to do for and with other members: sending, answering from the ledger, checking what they send.
//!
//! Everything slow goes to threads of its own, a bounded number at a time. What there is no room for is not done: whoever
//! wanted it asks again.

use std::sync::Arc;

use hanse_consensus::{CompactBlock, Message, Peer, Recipient};
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::answer;
use hanse_replica::sync::{End, Examination, Examined, SyncMessage};
use hanse_types::crypto::verified::Verifier;
use hanse_types::{Canonical, Hash, Height, SignedTransaction, Verified};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::event::{Event, Events};
use crate::network::{Frame, Transport};

/// Answers, and checks of what was fetched, that are under way at a time.
const UNDER_WAY: usize = 4;

/// Bytes of transactions in one frame of relayed ones, at most; one transaction it always has.
const RELAY_BYTES: usize = 256 << 10;

/// Ranges of blocks that are looked at at a time; others wait.
const EXAMINATIONS: usize = 2;

/// See the module. A group without a network sends nothing.
pub(crate) struct Exchange {
    pub(crate) transport: Option<Arc<dyn Transport>>,
    ledger: Ledger,
    verifier: Verifier,
    pool: Arc<rayon::ThreadPool>,
    events: Events,
    room: Arc<Semaphore>,
    examining: Arc<Semaphore>,
}

impl Exchange {
    pub(crate) fn new(
        transport: Option<Arc<dyn Transport>>,
        ledger: Ledger,
        verifier: Verifier,
        pool: Arc<rayon::ThreadPool>,
        events: Events,
    ) -> Exchange {
        let (room, examining) = (Arc::new(Semaphore::new(UNDER_WAY)), Arc::new(Semaphore::new(EXAMINATIONS)));
        Exchange { transport, ledger, verifier, pool, events, room, examining }
    }

    pub(crate) fn send(&self, to: Recipient, message: Message) {
        self.put(to, &Frame::Consensus(Box::new(message)));
    }

    /// Asks a peer for blocks.
    pub(crate) fn sync(&self, to: Peer, message: SyncMessage) {
        self.put(Recipient::One(to), &Frame::Sync(Box::new(message)));
    }

    /// Finds out what blocks are that a peer has sent, and tells the driver, whatever happens.
    pub(crate) fn examine(&self, examination: Examination) {
        let Examination { peer, first, epoch, .. } = examination;
        let (chain, verifier, pool) = (self.ledger.genesis().identity(), self.verifier.clone(), self.pool.clone());
        let (events, turns) = (self.events.clone(), self.examining.clone());
        tokio::spawn(async move {
            let _turn = turns.acquire().await;
            let run = move || pool.install(|| examination.run(&chain, &verifier));
            let nothing = |_| Examined { peer, first, epoch, blocks: Vec::new(), end: End::All };
            let examined = tokio::task::spawn_blocking(run).await.unwrap_or_else(nothing);
            // A driver that is gone needs nothing.
            let _ = events.send(Event::Examined(Box::new(examined))).await;
        });
    }

    /// Sends transactions that clients have submitted here.
    pub(crate) fn relay(&self, to: Recipient, transactions: &[Verified]) {
        let mut rest = transactions;
        while !rest.is_empty() {
            let (part, left) = rest.split_at(first_part(rest));
            self.put(to, &Frame::Transactions(part.iter().map(|transaction| transaction.signed().clone()).collect()));
            rest = left;
        }
    }

    fn put(&self, to: Recipient, frame: &Frame) {
        if let Some(transport) = &self.transport {
            transport.send(to, frame.module(), frame.encode().into());
        }
    }

    /// Sends a committed block with its certificate.
    pub(crate) fn serve_decided(&self, to: Peer, height: Height) {
        self.answer(to, move |ledger| decided(ledger, height));
    }

    /// Sends transactions of a committed block.
    pub(crate) fn serve_transactions(&self, to: Peer, block: Hash, missing: Vec<u32>) {
        self.answer(to, move |ledger| transactions_of(ledger, block, missing));
    }

    fn answer(&self, to: Peer, read: impl FnOnce(&Ledger) -> Result<Option<Message>, LedgerError> + Send + 'static) {
        let (Some(transport), Ok(permit)) = (self.transport.clone(), self.room.clone().try_acquire_owned()) else {
            return;
        };
        let ledger = self.ledger.clone();
        tokio::task::spawn_blocking(move || {
            match read(&ledger) {
                Ok(Some(message)) => {
                    let frame = Frame::Consensus(Box::new(message));
                    transport.send(Recipient::One(to), frame.module(), frame.encode().into());
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "a peer could not be answered from the ledger"),
            }
            drop(permit);
        });
    }

    /// Sees which of these transactions are good, and tells the driver.
    pub(crate) fn verify(&self, block: Hash, transactions: Vec<Vec<u8>>) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return };
        let (verifier, pool, events) = (self.verifier.clone(), self.pool.clone(), self.events.clone());
        tokio::task::spawn_blocking(move || {
            let decoded = transactions.iter().filter_map(|bytes| SignedTransaction::decode(bytes).ok()).collect();
            let transactions = pool.install(|| verifier.verify_all(decoded)).into_iter().flatten().collect();
            drop(permit);
            // A driver that is gone needs nothing.
            let _ = events.blocking_send(Event::Supplied { block, transactions });
        });
    }
}

/// How many of these go into the first frame.
fn first_part(transactions: &[Verified]) -> usize {
    let mut bytes = 0;
    let fits = |transaction: &&Verified| {
        bytes += transaction.byte_count();
        bytes <= RELAY_BYTES
    };
    transactions.iter().take_while(fits).count().max(1)
}

/// A committed block with its certificate, as [`Message::Decided`]; none if the ledger does not have it.
///
/// # Errors
/// If the ledger can't be read.
pub fn decided(ledger: &Ledger, height: Height) -> Result<Option<Message>, LedgerError> {
    if height < ledger.first() {
        return Ok(None);
    }
    let (Some(block), Some(certificate)) = (ledger.block(height)?, ledger.certificate(height)?) else {
        return Ok(None);
    };
    let genesis = ledger.genesis().hash();
    let leaf = |signed: &SignedTransaction| signed.leaf(signed.id(&genesis));
    let leaves = block.transactions.iter().map(leaf).collect();
    // What the ledger holds fits together; it was checked when it was written.
    let block = CompactBlock::new(block.header, block.dag, leaves).ok();
    Ok(block.map(|block| Message::Decided { certificate, block }))
}

/// Transactions of a committed block at these places, as [`Message::Transactions`]; none if the ledger does not have it.
///
/// # Errors
/// If the ledger can't be read.
pub fn transactions_of(ledger: &Ledger, hash: Hash, missing: Vec<u32>) -> Result<Option<Message>, LedgerError> {
    let Some(header) = ledger.header_by_hash(&hash)? else { return Ok(None) };
    let Some(block) = ledger.block(header.height)? else { return Ok(None) };
    let encoded = |place: u32| block.transactions.get(place as usize).map(SignedTransaction::encode);
    Ok(Some(Message::Transactions { block: hash, transactions: answer(missing, encoded) }))
}
