//! Fetching a snapshot of peers that are slow, silent, give it up, or lie, over virtual time and a network that loses, whatever
//! kills the node meanwhile.
//!
//! Headers, certificates, handovers and digests are real; making a ledger of the chunks is left out. One seed gives one run.
#![allow(clippy::unwrap_used)]

#[path = "sim/random.rs"]
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hanse_consensus::Peer;
use hanse_replica::sync::{
    Description, FetchLimits, FetchOutput, FetchProgress, FetchStage, Offer, SnapshotFetch, SyncMessage,
};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::portable::{Anchor, Manifest, NamedValidators, chunk_digest};
use hanse_types::{
    Certificate, Epoch, Gas, Genesis, Hash, Header, Height, Params, Round, StateCommitment, Timestamp, ValidatorSet,
};
use random::Random;

const LIMITS: FetchLimits = FetchLimits { wait_ms: 2_000, ask_ms: 300, chunks_per_peer: 2, chunks: 6, answer_ms: 200 };
/// Everything must be there by then; milliseconds of virtual time.
const END: u64 = 120_000;
const CHUNKS: u32 = 60;
/// The height that names the second set.
const HANDOVER: Height = Height(50);

fn key(set: u8, n: u8) -> SecretKey {
    SecretKey::ed25519([100 + 10 * set + n; 32])
}

fn validators(set: u8) -> Vec<Validator> {
    (0..4).map(|n| Validator { name: format!("v{set}{n}"), key: key(set, n).public_key() }).collect()
}

fn genesis(state_commitment: StateCommitment) -> Genesis {
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Bft,
        state_commitment,
        validators: validators(0),
        administrators: Vec::new(),
        accounts: Vec::new(),
        params: Params::default(),
    }
}

/// A block of this height, decided by three of its validators.
fn decided(genesis: &Genesis, height: Height) -> (Header, Certificate) {
    let set = |set| ValidatorSet::new(validators(set)).unwrap().hash(CryptoSuite::Standard);
    let epoch = u8::from(height > HANDOVER);
    let header = Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height,
        parent: Hash([height.0 as u8; 32]),
        timestamp: Timestamp(height.0),
        tx_root: Hash::ZERO,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Hash::ZERO,
        state_root: Hash::ZERO,
        validators: set(epoch),
        next_validators: set(u8::from(height >= HANDOVER)),
        epoch: Epoch(u64::from(epoch)),
        round: Round(0),
        proposer: 0,
        gas_used: Gas(0),
        tx_count: 0,
        extra: Vec::new(),
    };
    let epoch = header.epoch;
    let mut certificate =
        Certificate { height, round: Round(0), epoch, block_hash: header.hash(), signatures: Vec::new() };
    let bytes = certificate.sign_bytes(&genesis.identity());
    let by = epoch.0 as u8;
    certificate.signatures = (0..3).map(|n| (u32::from(n), key(by, n).sign(&bytes).unwrap())).collect();
    (header, certificate)
}

fn bytes(salt: u8, index: u32) -> Vec<u8> {
    [&[salt][..], &index.to_le_bytes()].concat()
}

/// A snapshot of this height; another salt makes another content with the same header.
fn description(genesis: &Genesis, height: Height, salt: u8) -> Description {
    let (header, certificate) = decided(genesis, height);
    let handovers = if height < HANDOVER { Vec::new() } else { vec![handover(genesis)] };
    let manifest = Manifest {
        version: Manifest::VERSION,
        genesis: genesis.hash(),
        height,
        block_hash: header.hash(),
        first: Height(1),
        transactions: 9,
        chunks: (0..CHUNKS).map(|index| chunk_digest(&bytes(salt, index))).collect(),
    };
    Description { manifest, anchor: Anchor { header, certificate, handovers } }
}

fn handover(genesis: &Genesis) -> NamedValidators {
    let (header, certificate) = decided(genesis, HANDOVER);
    NamedValidators { header, certificate, validators: validators(1) }
}

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Honest {
        in_ms: u64,
    },
    /// Has an older one.
    Older,
    /// Has none.
    Without,
    Silent,
    /// Comes and goes.
    Leaver,
    /// Gives its snapshot up after so many chunks.
    Forgetful,
    /// Claims a height that nobody has, and says nothing of it.
    Boaster,
    /// Changes chunks.
    OtherBytes,
    /// Has another content, with a manifest that fits.
    OtherContent,
    /// Has a block that nobody decided.
    Undecided,
    /// Leaves the handover out.
    NoHandover,
    /// Says another thing than it was asked for.
    OtherManifest,
}

impl Kind {
    const LIARS: [Kind; 5] =
        [Kind::OtherBytes, Kind::OtherContent, Kind::Undecided, Kind::NoHandover, Kind::OtherManifest];
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    took_ms: u64,
    lied: BTreeSet<usize>,
    served: Vec<u32>,
    crashes: u64,
    /// Chunks that were written, those of before a crash included.
    written: u32,
    /// The height of what came, if anything did.
    height: Option<Height>,
    progress: FetchProgress,
}

enum Event {
    Answer(usize, SyncMessage),
    Begun(Vec<u32>),
    Kept(u32),
    Imported(Result<(), String>),
    Leave(usize),
    Return(usize),
}

struct Scene {
    genesis: Arc<Genesis>,
    random: Random,
    peers: Vec<Kind>,
    loss: u64,
    crash: u64,
    now: u64,
    planned: u64,
    agenda: BTreeMap<(u64, u64), (u64, Event)>,
    fetch: SnapshotFetch,
    /// What is on the disk: which snapshot, and its chunks.
    disk: Option<(Arc<Description>, BTreeSet<u32>)>,
    outcome: Outcome,
}

const NEWEST: Height = Height(80);

impl Scene {
    fn new(commitment: StateCommitment, seed: u64, peers: &[Kind], loss: u64, crash: u64) -> Scene {
        let genesis = Arc::new(genesis(commitment));
        let outcome = Outcome {
            took_ms: 0,
            lied: BTreeSet::new(),
            served: vec![0; peers.len()],
            crashes: 0,
            written: 0,
            height: None,
            progress: FetchProgress::default(),
        };
        let fetch = SnapshotFetch::new(LIMITS, genesis.clone(), None);
        let (random, peers, agenda) = (Random::new(seed), peers.to_vec(), BTreeMap::new());
        let mut scene =
            Scene { genesis, random, peers, loss, crash, now: 10, planned: 0, agenda, fetch, disk: None, outcome };
        scene.start();
        scene
    }

    fn start(&mut self) {
        let preferred = self.disk.as_ref().map(|(what, _)| what.manifest.id());
        self.fetch = SnapshotFetch::new(LIMITS, self.genesis.clone(), preferred);
        for peer in 0..self.peers.len() {
            self.act(|fetch, now, out| {
                fetch.peer_up(Peer(peer as u32), Some(key(1, peer as u8).public_key()), now, out)
            });
            if self.peers[peer] == Kind::Leaver {
                self.plan(150, Event::Leave(peer));
            }
        }
    }

    /// Until there is a snapshot, or it is clear that there is none.
    fn run(mut self) -> Outcome {
        while self.fetch.holds() && self.fetch.progress().stage != FetchStage::Ready {
            let timer = self.fetch.deadline().map(|at| at.0.max(self.now));
            let event = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let is_timer = timer.is_some_and(|timer| event.is_none_or(|event| timer < event));
            if is_timer {
                self.now = timer.unwrap();
                self.act(|fetch, now, out| fetch.tick(now, out));
            } else {
                let ((at, _), (life, event)) = self.agenda.pop_first().expect("it waits for nothing");
                self.now = at;
                if life == self.outcome.crashes {
                    self.happen(event);
                }
            }
            assert!(self.now < END, "{:?}", self.fetch.progress());
        }
        self.outcome.took_ms = self.now;
        self.outcome.progress = self.fetch.progress();
        self.outcome.height = self.fetch.progress().height;
        self.outcome
    }

    fn plan(&mut self, in_ms: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + in_ms, self.planned), (self.outcome.crashes, event));
    }

    fn act(&mut self, act: impl FnOnce(&mut SnapshotFetch, Timestamp, &mut Vec<FetchOutput>)) {
        let mut out = Vec::new();
        act(&mut self.fetch, Timestamp(self.now), &mut out);
        out.into_iter().for_each(|output| self.perform(output));
    }

    fn perform(&mut self, output: FetchOutput) {
        match output {
            FetchOutput::Send(Peer(peer), message) => self.serve(peer as usize, message),
            FetchOutput::Begin(what) => {
                let same = self.disk.take().filter(|(before, _)| before.manifest == what.manifest);
                let (what, have) = same.unwrap_or((what, BTreeSet::new()));
                self.plan(1, Event::Begun(have.iter().copied().collect()));
                self.disk = Some((what, have));
            }
            FetchOutput::Keep { index, bytes } => {
                let (what, have) = self.disk.as_mut().unwrap();
                assert_eq!(chunk_digest(&bytes), what.manifest.chunks[index as usize]);
                assert!(have.insert(index), "chunk {index} came twice");
                self.outcome.written += 1;
                self.plan(2, Event::Kept(index));
            }
            FetchOutput::Import(what) => {
                let (on_disk, have) = self.disk.as_ref().unwrap();
                assert!(have.len() == CHUNKS as usize && on_disk.manifest == what.manifest);
                let is_true = what.manifest == description(&self.genesis, what.manifest.height, 0).manifest;
                let result = if is_true { Ok(()) } else { Err("its state has another root".to_owned()) };
                self.plan(20, Event::Imported(result));
            }
            FetchOutput::Lied { peer: Peer(peer), .. } => drop(self.outcome.lied.insert(peer as usize)),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Answer(peer, message) => {
                self.outcome.served[peer] += u32::from(matches!(message, SyncMessage::Chunk { .. }));
                self.act(|fetch, now, out| fetch.heard(Peer(peer as u32), message, now, out));
            }
            Event::Begun(have) => self.act(|fetch, now, out| fetch.begun(&have, now, out)),
            Event::Kept(index) => {
                self.act(|fetch, now, out| fetch.kept(index, now, out));
                if self.random.chance(self.crash) {
                    self.outcome.crashes += 1;
                    self.start();
                }
            }
            Event::Imported(result) => self.act(|fetch, now, out| fetch.imported(result, now, out)),
            Event::Leave(peer) => {
                self.act(|fetch, now, out| fetch.peer_down(Peer(peer as u32), now, out));
                self.plan(100, Event::Return(peer));
            }
            Event::Return(peer) => {
                self.act(|fetch, now, out| fetch.peer_up(Peer(peer as u32), None, now, out));
                self.plan(150, Event::Leave(peer));
            }
        }
    }

    /// What a peer has: the snapshot, and what its chunks are made of.
    fn has(&self, peer: usize) -> Option<(Description, u8)> {
        let (height, salt) = match self.peers[peer] {
            Kind::Without | Kind::Silent => return None,
            Kind::Older => (Height(40), 0),
            Kind::Boaster => (Height(u64::MAX), 0),
            // Of each liar another one.
            Kind::OtherContent => (Height(90), 1 + peer as u8),
            Kind::Undecided | Kind::NoHandover | Kind::OtherManifest => (Height(91 + peer as u64), 0),
            _ => (NEWEST, 0),
        };
        let mut has = description(&self.genesis, height, salt);
        match self.peers[peer] {
            Kind::Undecided => has.anchor.certificate.signatures[1].1.0[7] ^= 1,
            Kind::NoHandover => has.anchor.handovers.clear(),
            _ => {}
        }
        Some((has, salt))
    }

    fn serve(&mut self, peer: usize, message: SyncMessage) {
        let kind = self.peers[peer];
        let in_ms = match kind {
            Kind::Honest { in_ms } => in_ms + self.random.below(5),
            _ => 20 + self.random.below(10),
        };
        let lost = self.random.chance(self.loss) || self.random.chance(self.loss);
        if lost || kind == Kind::Silent {
            return;
        }
        let answer = match (message, self.has(peer)) {
            (SyncMessage::GetOffers, None) => SyncMessage::Offers(Vec::new()),
            (SyncMessage::GetOffers, Some((has, _))) => {
                SyncMessage::Offers(vec![Offer { height: has.manifest.height, id: has.manifest.id() }])
            }
            (SyncMessage::GetDescription { .. }, Some(_)) if kind == Kind::Boaster => return,
            (SyncMessage::GetDescription { .. }, Some((mut has, _))) => {
                has.manifest.transactions += u64::from(kind == Kind::OtherManifest);
                SyncMessage::Description(Box::new(has))
            }
            (SyncMessage::GetChunk { id, index }, Some((_, salt))) => {
                let mut bytes = bytes(salt, index);
                let forgot = kind == Kind::Forgetful && self.outcome.served[peer] > 5;
                let is_other = kind == Kind::OtherBytes && index.is_multiple_of(3);
                bytes[1] ^= u8::from(is_other);
                if forgot {
                    bytes.clear();
                }
                SyncMessage::Chunk { id, index, bytes }
            }
            (message, _) => panic!("{message:?} is sent"),
        };
        self.plan(in_ms, Event::Answer(peer, answer));
    }
}

fn run(seed: u64, peers: &[Kind], loss: u64, crash: u64) -> Outcome {
    run_of(StateCommitment::Merkle, seed, peers, loss, crash)
}

fn run_of(commitment: StateCommitment, seed: u64, peers: &[Kind], loss: u64, crash: u64) -> Outcome {
    std::panic::catch_unwind(|| Scene::new(commitment, seed, peers, loss, crash).run())
        .unwrap_or_else(|_| panic!("seed {seed} with {peers:?} failed, see above"))
}

#[test]
fn chunks_come_from_several_at_once_and_most_from_the_fastest() {
    let outcome = run(1, &[Kind::Honest { in_ms: 10 }, Kind::Honest { in_ms: 60 }, Kind::Older], 0, 0);
    assert_eq!((outcome.height, outcome.written), (Some(NEWEST), CHUNKS));
    assert!(
        outcome.served[0] > 2 * outcome.served[1] && outcome.served[1] > 0 && outcome.served[2] == 0,
        "{outcome:?}"
    );
    assert!(outcome.lied.is_empty() && outcome.took_ms < 60 * 10, "{outcome:?}");
}

#[test]
fn it_comes_whatever_gets_lost_and_what_is_there_is_not_fetched_again() {
    let (mut crashes, mut timeouts) = (0, 0);
    for seed in 0..40 {
        let helpers = [Kind::Honest { in_ms: 20 }, Kind::Honest { in_ms: 80 }, Kind::Leaver, Kind::Forgetful];
        let peers = [&helpers[..], &[Kind::Silent, Kind::Boaster, Kind::Without]].concat();
        let outcome = run(seed, &peers, 100, 15);
        assert!(outcome.lied.is_empty() && outcome.height == Some(NEWEST), "seed {seed}: {outcome:?}");
        assert_eq!(outcome.written, CHUNKS, "seed {seed}: {outcome:?}");
        crashes += outcome.crashes;
        timeouts += outcome.progress.timeouts;
    }
    assert!(crashes > 5 && timeouts > 50, "{crashes} crashes, {timeouts} times without an answer");
}

#[test]
fn who_lies_is_found_out_and_named_and_nobody_else() {
    for liar in Kind::LIARS {
        let mut found = 0;
        for seed in 0..8 {
            let outcome = run(seed, &[Kind::Honest { in_ms: 30 }, liar, Kind::Honest { in_ms: 30 }], 30, 0);
            assert_eq!(outcome.height, Some(NEWEST), "{liar:?}, seed {seed}: {outcome:?}");
            assert!(outcome.lied.iter().all(|peer| *peer == 1), "{liar:?}, seed {seed}: {outcome:?}");
            found += outcome.lied.len();
        }
        assert!(found > 0, "{liar:?} was never found out");
    }
}

#[test]
fn among_liars_one_honest_peer_is_enough() {
    for seed in 0..10 {
        let peers = [&Kind::LIARS[..], &[Kind::Honest { in_ms: 40 }]].concat();
        let outcome = run(seed, &peers, 50, 5);
        assert_eq!(outcome.height, Some(NEWEST), "seed {seed}: {outcome:?}");
        assert!(!outcome.lied.contains(&Kind::LIARS.len()), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn where_nobody_has_one_or_it_is_only_liars_blocks_are_fetched_instead() {
    for peers in [&[Kind::Without, Kind::Silent][..], &[Kind::Undecided, Kind::OtherContent]] {
        let outcome = run(3, peers, 0, 0);
        assert_eq!((outcome.height, outcome.progress.stage), (None, FetchStage::Asking), "{peers:?}: {outcome:?}");
    }
}

#[test]
fn a_state_that_no_header_shows_needs_more_holders_than_can_lie() {
    let honest = Kind::Honest { in_ms: 20 };
    let alone = run_of(StateCommitment::Flat, 1, &[honest, Kind::OtherContent, Kind::Older], 0, 0);
    assert_eq!(alone.height, None, "{alone:?}");
    let two = run_of(StateCommitment::Flat, 1, &[honest, Kind::OtherContent, honest], 0, 0);
    assert_eq!((two.height, two.lied.len()), (Some(NEWEST), 0), "{two:?}");
    // Two who have the same, but are no validators.
    let strangers =
        run_of(StateCommitment::Flat, 1, &[honest, Kind::Older, Kind::Older, Kind::Silent, honest, honest], 0, 0);
    assert_ne!(strangers.height, Some(NEWEST), "{strangers:?}");
}

#[test]
fn a_node_that_has_a_block_of_its_own_fetches_none() {
    let mut fetch = SnapshotFetch::new(LIMITS, Arc::new(genesis(StateCommitment::Merkle)), None);
    let mut out = Vec::new();
    fetch.peer_up(Peer(1), None, Timestamp(1), &mut out);
    assert!(fetch.holds() && out.len() == 1);
    fetch.has_block();
    fetch.heard(
        Peer(1),
        SyncMessage::Offers(vec![Offer { height: Height(5), id: Hash::ZERO }]),
        Timestamp(2),
        &mut out,
    );
    assert!(!fetch.holds() && out.len() == 1 && fetch.progress().stage == FetchStage::Over);
}

#[test]
fn one_seed_gives_one_run() {
    let peers = [&Kind::LIARS[..], &[Kind::Honest { in_ms: 20 }, Kind::Leaver, Kind::Forgetful]].concat();
    assert_eq!(run(7, &peers, 100, 10), run(7, &peers, 100, 10));
}
