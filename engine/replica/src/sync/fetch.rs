//! The state machine that gets a portable snapshot: who has which, which chunks are asked of whom, what has come.
//!
//! It asks everybody what they have, takes the newest that is the chain's, and fetches its chunks from all who have it at a
//! time. A chunk counts when it has the digest that the manifest says, and the manifest when its block was decided by
//! validators who follow from the genesis. Whether all of it together is what that block's header commits to is found out at
//! the end ([`FetchOutput::Import`]); where a header can't say that (the flat commitment), as many validators must have the
//! same snapshot as can't all lie.
//!
//! What has come is kept by whoever carries this out, so that a fetch goes on where it was after a crash.

mod interface;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hanse_consensus::Peer;
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::ConsensusKind;
use hanse_types::portable::chunk_digest;
use hanse_types::{Genesis, Hash, Height, StateCommitment, Timestamp, ValidatorSet};

use crate::sync::message::{Description, Offer, SyncMessage};
use crate::sync::source::Source;

pub use interface::{FetchLimits, FetchOutput, FetchProgress, FetchStage};

/// Snapshots that one peer may offer.
const OFFERS: usize = 8;

/// A peer that may have snapshots.
#[derive(Clone, Debug, Default)]
struct Holder {
    key: Option<PublicKey>,
    source: Source,
    offers: Vec<Offer>,
    lied: bool,
}

impl Holder {
    fn offers(&self, id: &Hash) -> bool {
        !self.lied && self.offers.iter().any(|offer| offer.id == *id)
    }
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing is under way, or this peer was asked then what a snapshot is, and has until then.
    Asking(Option<Asked<Hash>>),
    /// Room is being made.
    Beginning(Arc<Description>),
    Fetching(Fetching),
    Importing(Arc<Description>),
    Ready(Height),
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Asked<T> {
    what: T,
    peer: Peer,
    at: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Debug)]
struct Fetching {
    what: Arc<Description>,
    id: Hash,
    /// Neither here nor on their way.
    missing: BTreeSet<u32>,
    asked: BTreeMap<u32, Asked<()>>,
    writing: BTreeSet<u32>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct SnapshotFetch {
    limits: FetchLimits,
    genesis: Arc<Genesis>,
    /// What an earlier process was fetching.
    preferred: Option<Hash>,
    holders: BTreeMap<Peer, Holder>,
    phase: Phase,
    /// What was found to be decided, and who decides after it.
    known: BTreeMap<Hash, (Arc<Description>, ValidatorSet)>,
    /// When the first peer came, or it turned out that what was fetched is of no use.
    since: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    counted: FetchProgress,
    now: Timestamp,
}

impl SnapshotFetch {
    /// One for a node of this group that has no block yet. `preferred` is the snapshot of which it has chunks.
    pub fn new(limits: FetchLimits, genesis: Arc<Genesis>, preferred: Option<Hash>) -> SnapshotFetch {
        SnapshotFetch {
            limits,
            genesis,
            preferred,
            holders: BTreeMap::new(),
            phase: Phase::Asking(None),
            known: BTreeMap::new(),
            since: None,
            asked_at: None,
            counted: FetchProgress::default(),
            now: Timestamp(0),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> FetchProgress {
        let (stage, height, chunks, missing) = match &self.phase {
            Phase::Asking(_) => (FetchStage::Asking, None, 0, 0),
            Phase::Beginning(what) => (FetchStage::Fetching, Some(what.manifest.height), what.count(), what.count()),
            Phase::Fetching(Fetching { what, missing, asked, writing, .. }) => {
                let missing = (missing.len() + asked.len() + writing.len()) as u32;
                (FetchStage::Fetching, Some(what.manifest.height), what.count(), missing)
            }
            Phase::Importing(what) => (FetchStage::Importing, Some(what.manifest.height), what.count(), 0),
            Phase::Ready(height) => (FetchStage::Ready, Some(*height), 0, 0),
            Phase::Over => (FetchStage::Over, None, 0, 0),
        };
        FetchProgress { stage, height, kept: chunks - missing, chunks, ..self.counted }
    }

    /// Whether blocks are not to be fetched meanwhile: there is a snapshot, or there may be one soon.
    pub fn holds(&self) -> bool {
        match self.phase {
            Phase::Asking(_) => self.since.is_none_or(|since| self.now.since_ms(since) < self.limits.wait_ms),
            Phase::Over => false,
            _ => true,
        }
    }

    /// When it wants to be told the time at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        let asked: Vec<Timestamp> = match &self.phase {
            Phase::Asking(description) => description.iter().map(|asked| asked.until).collect(),
            Phase::Fetching(fetching) => fetching.asked.values().map(|asked| asked.until).collect(),
            _ => return None,
        };
        let again = self.asked_at.map(|at| at.plus_ms(self.limits.ask_ms));
        let paused = self.holders.values().map(|holder| holder.source.paused_until).filter(|until| *until > self.now);
        let end = self.since.map(|since| since.plus_ms(self.limits.wait_ms)).filter(|end| *end > self.now);
        asked.into_iter().chain(again).chain(paused).chain(end).min()
    }

    /// A peer is connected, which has this key, if that is known.
    pub fn peer_up(&mut self, peer: Peer, key: Option<PublicKey>, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        self.since.get_or_insert(self.now);
        let lied = self.holders.get(&peer).is_some_and(|holder| holder.lied);
        self.holders.insert(peer, Holder { key, lied, ..Holder::default() });
        if matches!(self.phase, Phase::Asking(_) | Phase::Fetching(_)) {
            out.push(FetchOutput::Send(peer, SyncMessage::GetOffers));
        }
        self.asked_at.get_or_insert(self.now);
        self.go_on(out);
    }

    /// It is not any more. Whether it lied is remembered.
    pub fn peer_down(&mut self, peer: Peer, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        if let Some(holder) = self.holders.get_mut(&peer) {
            *holder = Holder { lied: holder.lied, ..Holder::default() };
        }
        self.release(peer);
        self.go_on(out);
    }

    /// This node has a block of its own.
    pub fn has_block(&mut self) {
        if matches!(self.phase, Phase::Asking(_)) {
            self.phase = Phase::Over;
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        let mut late = Vec::new();
        match &mut self.phase {
            Phase::Asking(description) => {
                late.extend(description.take_if(|asked| asked.until <= now).map(|of| of.peer))
            }
            Phase::Fetching(Fetching { asked, missing, .. }) => {
                let gone: Vec<(u32, Peer)> =
                    asked.iter().filter(|(_, of)| of.until <= now).map(|(index, of)| (*index, of.peer)).collect();
                for (index, peer) in gone {
                    asked.remove(&index);
                    missing.insert(index);
                    late.push(peer);
                }
            }
            _ => {}
        }
        for peer in late {
            self.counted.timeouts += 1;
            self.failed(peer);
        }
        self.ask_offers(out);
        self.go_on(out);
    }

    /// A peer has sent something about snapshots; anything else is passed over.
    pub fn heard(&mut self, peer: Peer, message: SyncMessage, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        let Some(holder) = self.holders.get_mut(&peer).filter(|holder| !holder.lied) else { return };
        match message {
            SyncMessage::Offers(mut offers) => {
                offers.retain(|offer| offer.height > Height(0));
                offers.truncate(OFFERS);
                holder.offers = offers;
            }
            SyncMessage::Description(description) => self.described(peer, *description, out),
            SyncMessage::Chunk { id, index, bytes } => self.came(peer, (id, index), bytes, out),
            _ => {}
        }
        self.go_on(out);
    }

    /// There is room for the snapshot, and these chunks of it are there.
    pub fn begun(&mut self, have: &[u32], now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        let Phase::Beginning(what) = &self.phase else { return };
        let mut missing: BTreeSet<u32> = (0..what.count()).collect();
        missing.retain(|index| !have.contains(index));
        let (what, id) = (what.clone(), what.manifest.id());
        self.phase = Phase::Fetching(Fetching { what, id, missing, asked: BTreeMap::new(), writing: BTreeSet::new() });
        self.go_on(out);
    }

    /// A chunk is durable.
    pub fn kept(&mut self, index: u32, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        if let Phase::Fetching(fetching) = &mut self.phase {
            fetching.writing.remove(&index);
        }
        self.go_on(out);
    }

    /// A ledger was made of the chunks, or they are not the chain's; then what is wrong. Whoever has offered them lied.
    pub fn imported(&mut self, result: Result<(), String>, now: Timestamp, out: &mut Vec<FetchOutput>) {
        self.now = self.now.max(now);
        let Phase::Importing(what) = &self.phase else { return };
        let (height, id) = (what.manifest.height, what.manifest.id());
        match result {
            Ok(()) => self.phase = Phase::Ready(height),
            Err(reason) => {
                self.begin_again();
                self.known.remove(&id);
                let liars = self.holders.iter().filter(|(_, holder)| holder.offers(&id)).map(|(peer, _)| *peer);
                for peer in liars.collect::<Vec<_>>() {
                    self.lied(peer, format!("the snapshot of block {height}: {reason}"), out);
                }
                self.go_on(out);
            }
        }
    }

    fn described(&mut self, peer: Peer, description: Description, out: &mut Vec<FetchOutput>) {
        let Phase::Asking(asked) = &mut self.phase else { return };
        let Some(Asked { what: id, at, .. }) = asked.take_if(|asked| asked.peer == peer) else { return };
        self.answered(peer, at);
        let (height, found) = (description.manifest.height, description.manifest.id());
        if found != id {
            return self.lied(peer, format!("what it says of the snapshot {id} is of another"), out);
        }
        match description.anchor.verify(&self.genesis, &description.manifest) {
            Ok(mut sets) => {
                // Of the epoch after the block; there is one at least.
                if let Some(set) = sets.pop() {
                    self.known.insert(id, (Arc::new(description), set));
                }
            }
            Err(error) => self.lied(peer, format!("the snapshot of block {height}: {error}"), out),
        }
    }

    fn came(&mut self, peer: Peer, (of, index): (Hash, u32), bytes: Vec<u8>, out: &mut Vec<FetchOutput>) {
        let Phase::Fetching(Fetching { what, id, missing, asked, writing }) = &mut self.phase else { return };
        let is_awaited = of == *id && asked.get(&index).is_some_and(|asked| asked.peer == peer);
        let Some(Asked { at, .. }) = is_awaited.then(|| asked.remove(&index)).flatten() else { return };
        if bytes.is_empty() {
            missing.insert(index);
            // It has given the snapshot up.
            if let Some(holder) = self.holders.get_mut(&peer) {
                holder.offers.retain(|offer| offer.id != of);
            }
            return self.failed(peer);
        }
        let is_good = what.manifest.chunks.get(index as usize).is_some_and(|digest| chunk_digest(&bytes) == *digest);
        if !is_good {
            missing.insert(index);
            let height = what.manifest.height;
            return self.lied(peer, format!("chunk {index} of the snapshot of block {height} has another digest"), out);
        }
        writing.insert(index);
        self.counted.bytes += bytes.len() as u64;
        out.push(FetchOutput::Keep { index, bytes });
        self.answered(peer, at);
    }

    /// Does what has become possible.
    fn go_on(&mut self, out: &mut Vec<FetchOutput>) {
        match &self.phase {
            Phase::Asking(None) => self.choose(out),
            Phase::Fetching(Fetching { what, missing, asked, writing, .. }) => {
                if missing.is_empty() && asked.is_empty() && writing.is_empty() {
                    out.push(FetchOutput::Import(what.clone()));
                    self.phase = Phase::Importing(what.clone());
                } else if self.is_given_up() {
                    self.begin_again();
                    self.choose(out);
                } else {
                    self.ask_chunks(out);
                }
            }
            _ => {}
        }
    }

    fn begin_again(&mut self) {
        self.phase = Phase::Asking(None);
        self.since = Some(self.now);
    }

    /// Whether the snapshot is nobody's any more who is here, and somebody has another.
    fn is_given_up(&self) -> bool {
        let Phase::Fetching(Fetching { id, .. }) = &self.phase else { return false };
        let has_it = self.holders.values().any(|holder| holder.offers(id));
        !has_it && self.holders.values().any(|holder| !holder.lied && !holder.offers.is_empty())
    }

    /// Takes the newest snapshot that is known to be decided and had by enough, or asks what the newest is.
    fn choose(&mut self, out: &mut Vec<FetchOutput>) {
        let mut offered: Vec<Offer> = Vec::new();
        let holders = || self.holders.values().filter(|holder| !holder.lied);
        holders().for_each(|holder| offered.extend(&holder.offers));
        offered.sort_by_key(|offer| (Some(offer.id) != self.preferred, std::cmp::Reverse(offer.height), offer.id));
        offered.dedup();
        for Offer { id, .. } in offered {
            match self.known.get(&id) {
                Some((what, set)) if self.is_confirmed(&id, set) => {
                    out.push(FetchOutput::Begin(what.clone()));
                    self.phase = Phase::Beginning(what.clone());
                    return;
                }
                // Others may turn out to have it.
                Some(_) => {}
                None => {
                    let Some(peer) = self.best(&id, 1) else { continue };
                    let until = self.now.plus_ms(self.ask(peer));
                    self.phase = Phase::Asking(Some(Asked { what: id, peer, at: self.now, until }));
                    out.push(FetchOutput::Send(peer, SyncMessage::GetDescription { id }));
                    return;
                }
            }
        }
    }

    /// Whether the snapshot's state follows from its header, or so many validators have it that one of them is honest.
    fn is_confirmed(&self, id: &Hash, set: &ValidatorSet) -> bool {
        let is_trusting = self.genesis.consensus == ConsensusKind::Raft;
        if self.genesis.state_commitment == StateCommitment::Merkle || is_trusting {
            return true;
        }
        let holders = self.holders.values().filter(|holder| holder.offers(id));
        let keys: BTreeSet<_> = holders.filter_map(|holder| set.index_of(&holder.key?)).collect();
        keys.len() > (set.len() - 1) / 3
    }

    fn ask_chunks(&mut self, out: &mut Vec<FetchOutput>) {
        loop {
            let Phase::Fetching(Fetching { id, missing, asked, writing, .. }) = &self.phase else { return };
            let Some(index) = missing.first().copied() else { return };
            if asked.len() + writing.len() >= self.limits.chunks {
                return;
            }
            let id = *id;
            let Some(peer) = self.best(&id, self.limits.chunks_per_peer) else { return };
            let until = self.now.plus_ms(self.ask(peer));
            let Phase::Fetching(Fetching { missing, asked, .. }) = &mut self.phase else { return };
            missing.remove(&index);
            asked.insert(index, Asked { what: (), peer, at: self.now, until });
            out.push(FetchOutput::Send(peer, SyncMessage::GetChunk { id, index }));
        }
    }

    /// Asks everybody what they have, now and then.
    fn ask_offers(&mut self, out: &mut Vec<FetchOutput>) {
        let is_time = self.asked_at.is_some_and(|at| self.now.since_ms(at) >= self.limits.ask_ms);
        if !is_time || !matches!(self.phase, Phase::Asking(_) | Phase::Fetching(_)) {
            return;
        }
        self.asked_at = Some(self.now);
        let asked = self.holders.iter().filter(|(_, holder)| !holder.lied);
        out.extend(asked.map(|(peer, _)| FetchOutput::Send(*peer, SyncMessage::GetOffers)));
    }

    /// Who is expected to answer first, of those who have a snapshot and may be asked.
    fn best(&self, id: &Hash, at_a_time: usize) -> Option<Peer> {
        let may = |(_, holder): &(&Peer, &Holder)| {
            holder.offers(id) && holder.source.asked < at_a_time && holder.source.paused_until <= self.now
        };
        let holders = self.holders.iter().filter(may);
        let first = holders.min_by_key(|(peer, holder)| (holder.source.expected_ms(), holder.source.asked, **peer));
        first.map(|(peer, _)| *peer)
    }

    /// A peer is asked for something; how long it may take.
    fn ask(&mut self, peer: Peer) -> u64 {
        let Some(holder) = self.holders.get_mut(&peer) else { return 0 };
        let patience = holder.source.patience_ms(self.limits.answer_ms);
        holder.source.asked += 1;
        patience
    }

    fn answered(&mut self, peer: Peer, at: Timestamp) {
        if let Some(holder) = self.holders.get_mut(&peer) {
            holder.source.answered(at, self.now);
        }
    }

    fn failed(&mut self, peer: Peer) {
        if let Some(holder) = self.holders.get_mut(&peer) {
            holder.source.failed(self.now);
        }
    }

    /// What a peer was asked for is to be asked for again.
    fn release(&mut self, peer: Peer) {
        match &mut self.phase {
            Phase::Asking(description) => drop(description.take_if(|asked| asked.peer == peer)),
            Phase::Fetching(Fetching { asked, missing, .. }) => {
                missing.extend(asked.iter().filter(|(_, of)| of.peer == peer).map(|(index, _)| *index));
                asked.retain(|_, of| of.peer != peer);
            }
            _ => {}
        }
    }

    fn lied(&mut self, peer: Peer, reason: String, out: &mut Vec<FetchOutput>) {
        self.counted.lies += 1;
        if let Some(holder) = self.holders.get_mut(&peer) {
            *holder = Holder { key: holder.key, lied: true, ..Holder::default() };
        }
        self.release(peer);
        out.push(FetchOutput::Lied { peer, reason });
    }
}

impl Description {
    /// How many chunks there are; a manifest has no more than fit.
    fn count(&self) -> u32 {
        self.manifest.chunks.len() as u32
    }
}
