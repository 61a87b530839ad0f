//! A chain, peers that have it, and a node that has not.

mod chain;

use std::collections::BTreeMap;

use hanse_consensus::Peer;
use hanse_replica::sync::{BlockSync, Blocks, Examined, Progress, SyncLimits, SyncMessage, SyncOutput};
use hanse_types::{Canonical, Height};

pub(crate) use self::chain::Chain;
use crate::random::Random;
use crate::support::at;

/// Everything must be there by then; milliseconds of virtual time.
const END: u64 = 300_000;
/// How often peers tell how far they are, and consensus asks again.
const REPAIR_MS: u64 = 100;
/// Blocks that a peer sends at a time that were not asked for.
const FLOOD: u64 = 8;
const LIMITS: SyncLimits = SyncLimits {
    window_blocks: 64,
    window_bytes: 64 << 10,
    answer_bytes: 4 << 10,
    request_blocks: 16,
    requests_per_peer: 2,
    answer_ms: 200,
    drop_ms: 5_000,
    behind: 3,
    replayed: 10,
};

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Honest {
        in_ms: u64,
    },
    /// Has no blocks below this height.
    Pruned {
        below: u64,
    },
    /// Has no outcomes of blocks below this height.
    Forgetful {
        below: u64,
    },
    /// Has none that fit a message.
    Unhelpful,
    /// Never answers.
    Silent,
    /// Claims a height that nobody has, and never answers.
    Boaster,
    /// Comes and goes.
    Leaver,
    /// Changes a signature of a certificate.
    BadCertificate,
    /// Puts another block's transactions into a block.
    OtherContent,
    /// Changes a transaction's signature.
    BadTransaction,
    /// Sends other blocks than those asked for.
    OtherHeights,
    /// Leaves a block out.
    Gap,
    /// Says that a set of its own decides.
    OwnValidators,
    /// Sends bytes that are no blocks.
    Garbage,
    /// Sends more than was asked for.
    TooMany,
    /// Sends again and again what nobody asked for.
    Flood,
    /// Sends another block's outcomes.
    OtherOutcomes,
    /// Says that a transaction wrote something else.
    OtherWrite,
    /// Sends another block's access sets with the block's receipts.
    OtherSets,
    /// Leaves a transaction's outcome out.
    FewerOutcomes,
    /// Sends bytes that are no outcomes.
    GarbageOutcomes,
    /// Changes a transaction's signature, and sends its outcome.
    OtherSignature,
}

impl Kind {
    pub(crate) const LIARS: [Kind; 9] = [
        Kind::BadCertificate,
        Kind::OtherContent,
        Kind::BadTransaction,
        Kind::OtherHeights,
        Kind::Gap,
        Kind::OwnValidators,
        Kind::Garbage,
        Kind::TooMany,
        Kind::Flood,
    ];

    pub(crate) const LIARS_OF_OUTCOMES: [Kind; 6] = [
        Kind::OtherOutcomes,
        Kind::OtherWrite,
        Kind::OtherSets,
        Kind::FewerOutcomes,
        Kind::GarbageOutcomes,
        Kind::OtherSignature,
    ];
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) took_ms: u64,
    /// Blocks that each peer has sent.
    pub(crate) served: Vec<u64>,
    /// Those with their outcomes.
    pub(crate) served_outcomes: Vec<u64>,
    /// Blocks that were applied, not run.
    pub(crate) applied: u64,
    /// Peers that were found to lie, one entry for each time.
    pub(crate) lied: Vec<usize>,
    pub(crate) crashes: u64,
    pub(crate) progress: Progress,
}

enum Event {
    Answer(usize, Blocks),
    Examined(Box<Examined>),
    Executed(Height),
    Repair,
    Leave(usize),
    Return(usize),
}

pub(crate) struct Scene<'a> {
    chain: &'a Chain,
    random: Random,
    peers: Vec<Kind>,
    loss: u64,
    crash: u64,
    now: u64,
    planned: u64,
    /// With the life of the node in which it was planned.
    agenda: BTreeMap<(u64, u64), (u64, Event)>,
    sync: BlockSync,
    /// Blocks that are durable here.
    height: Height,
    executing: bool,
    outcome: Outcome,
}

impl<'a> Scene<'a> {
    /// Of a thousand messages so many get lost; of a thousand blocks so many are followed by a crash.
    pub(crate) fn new(chain: &'a Chain, seed: u64, peers: &[Kind], loss: u64, crash: u64) -> Scene<'a> {
        let (served, lied, progress) = (vec![0; peers.len()], Vec::new(), Progress::default());
        let served_outcomes = served.clone();
        let mut scene = Scene {
            chain,
            random: Random::new(seed),
            peers: peers.to_vec(),
            loss,
            crash,
            now: 10,
            planned: 0,
            agenda: BTreeMap::new(),
            sync: chain.begin(LIMITS, Height(0)),
            height: Height(0),
            executing: false,
            outcome: Outcome { took_ms: 0, served, served_outcomes, applied: 0, lied, crashes: 0, progress },
        };
        scene.start();
        scene
    }

    pub(crate) fn run(mut self) -> Outcome {
        while self.height < self.chain.height() {
            let timer = self.sync.deadline().map(|at| at.since_ms(start_of_time()));
            let event = self.agenda.first_key_value().map(|((at, _), _)| *at).expect("repair comes for ever");
            if let Some(timer) = timer.filter(|timer| *timer < event) {
                self.now = self.now.max(timer);
                self.act(|sync, now, out| sync.tick(now, out));
                continue;
            }
            let ((time, _), (life, event)) = self.agenda.pop_first().unwrap();
            self.now = time;
            assert!(self.now < END, "at {}: {:?}", self.height, self.sync.progress());
            if life == self.outcome.crashes {
                self.happen(event);
            }
            self.check_bounds();
        }
        self.outcome.took_ms = self.now;
        self.outcome.progress = self.sync.progress();
        self.outcome
    }

    fn check_bounds(&self) {
        let Progress { ready, asked, .. } = self.sync.progress();
        assert!(ready <= LIMITS.window_blocks as usize, "{ready} blocks are kept");
        assert!(asked <= self.peers.len() * LIMITS.requests_per_peer, "{asked} requests are under way");
    }

    fn plan(&mut self, in_ms: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + in_ms, self.planned), (self.outcome.crashes, event));
    }

    /// The node begins at what is durable.
    fn start(&mut self) {
        self.sync = self.chain.begin(LIMITS, self.height);
        self.executing = false;
        (0..self.peers.len()).for_each(|peer| self.sync.peer_up(Peer(peer as u32)));
        self.plan(1, Event::Repair);
        let leavers = (0..self.peers.len()).filter(|peer| self.peers[*peer] == Kind::Leaver);
        leavers.collect::<Vec<_>>().into_iter().for_each(|peer| self.plan(150, Event::Leave(peer)));
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut BlockSync, hanse_types::Timestamp, &mut Vec<SyncOutput>) -> T) -> T {
        let mut out = Vec::new();
        let answer = act(&mut self.sync, at(self.now), &mut out);
        out.into_iter().for_each(|output| self.perform(output));
        answer
    }

    fn perform(&mut self, output: SyncOutput) {
        match output {
            SyncOutput::Send(Peer(peer), SyncMessage::GetBlocks { from, count, outcomes }) => {
                self.serve(peer as usize, from, count, outcomes);
            }
            SyncOutput::Send(peer, message) => panic!("{message:?} is sent to {peer:?}"),
            SyncOutput::Examine(examination) => {
                let examined = examination.run(&self.chain.identity(), self.chain.verifier());
                let in_ms = 1 + self.random.below(8);
                self.plan(in_ms, Event::Examined(Box::new(examined)));
            }
            SyncOutput::Lied { peer, .. } => self.outcome.lied.push(peer.0 as usize),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Answer(peer, blocks) => {
                self.outcome.served[peer] += blocks.blocks.len() as u64;
                self.outcome.served_outcomes[peer] += blocks.outcomes.len() as u64;
                self.act(|sync, now, out| sync.answered(Peer(peer as u32), blocks, now, out));
            }
            Event::Examined(examined) => self.act(|sync, now, out| sync.examined(*examined, now, out)),
            Event::Executed(height) => self.executed(height),
            Event::Repair => self.repair(),
            Event::Leave(peer) => {
                self.act(|sync, now, out| sync.peer_down(Peer(peer as u32), now, out));
                self.plan(100, Event::Return(peer));
            }
            Event::Return(peer) => {
                self.sync.peer_up(Peer(peer as u32));
                self.plan(150, Event::Leave(peer));
            }
        }
        self.execute();
    }

    /// Peers say how far they are, and consensus asks for what it lacks.
    fn repair(&mut self) {
        for (peer, kind) in self.peers.clone().into_iter().enumerate() {
            let tip = if kind == Kind::Boaster { Height(u64::MAX) } else { self.chain.height() };
            self.act(|sync, now, out| sync.heard(Peer(peer as u32), tip, now, out));
            for _ in 0..if kind == Kind::Flood { FLOOD } else { 0 } {
                let from = Height(1 + self.random.below(self.chain.height().0));
                let blocks = self.chain.blocks(from, 1);
                self.plan(1, Event::Answer(peer, self.answer(from, blocks)));
            }
        }
        let (next, comes) = (self.height.next(), self.act(|sync, now, out| sync.want(sync.tip().next(), now, out)));
        if !comes && !self.executing && next.0 + LIMITS.behind > self.chain.height().0 {
            // The last few are asked for one by one, of whoever says that the height is over.
            self.executing = true;
            self.plan(20, Event::Executed(next));
        }
        self.plan(REPAIR_MS, Event::Repair);
    }

    /// One block is run at a time.
    fn execute(&mut self) {
        if self.executing {
            return;
        }
        let next = self.act(|sync, _, out| sync.next(out).cloned());
        if let Some(next) = next {
            let height = next.block.header().height;
            assert_eq!((height, next.block.hash()), (self.height.next(), self.chain.hash(height)), "not the chain's");
            assert_eq!(next.block.transactions().len(), next.transactions.len());
            if let Some(outcomes) = &next.outcomes {
                // Whoever claims a height that nobody has makes all blocks old.
                let is_old = self.chain.is_applicable(height, &LIMITS) || self.peers.contains(&Kind::Boaster);
                assert!(is_old, "block {height} is to be run");
                assert_eq!(**outcomes, *self.chain.outcomes_of(height), "not the chain's");
                self.outcome.applied += 1;
            }
            self.executing = true;
            let in_ms = 1 + self.random.below(3);
            self.plan(in_ms, Event::Executed(height));
        }
    }

    fn executed(&mut self, height: Height) {
        (self.executing, self.height) = (false, height);
        if self.random.chance(self.crash) {
            self.outcome.crashes += 1;
            return self.start();
        }
        let (hash, validators) = (self.chain.hash(height), self.chain.next_validators(height));
        self.act(|sync, _, out| sync.persisted(height, hash, validators, out));
        self.act(|sync, now, out| sync.want(height.next(), now, out));
    }

    fn answer(&self, from: Height, blocks: Vec<Vec<u8>>) -> Blocks {
        let (tip, outcomes) = (self.chain.height(), Vec::new());
        Blocks { from, blocks, outcomes, first: Height(1), tip, outcomes_from: Height(0) }
    }

    fn serve(&mut self, peer: usize, from: Height, count: u32, outcomes: bool) {
        if self.random.chance(self.loss) {
            return;
        }
        let kind = self.peers[peer];
        // An answer takes as much as has room in it, and sometimes less.
        let count = if self.random.chance(100) { 1 + self.random.below(u64::from(count)) } else { u64::from(count) };
        let mut answer = self.answer(from, self.chain.blocks(from, count));
        if outcomes {
            answer.outcomes = self.chain.outcomes(from, count);
        }
        let last = answer.blocks.len().saturating_sub(1);
        let victim = self.random.below(last as u64 + 1) as usize;
        match kind {
            Kind::Silent | Kind::Boaster => return,
            Kind::Pruned { below } => {
                answer.first = Height(below);
                answer.blocks.truncate(if from.0 < below { 0 } else { usize::MAX });
            }
            Kind::Forgetful { below } => {
                answer.outcomes_from = Height(below);
                if outcomes && from.0 < below {
                    (answer.blocks, answer.outcomes) = (Vec::new(), Vec::new());
                }
            }
            Kind::Unhelpful => answer.outcomes.clear(),
            Kind::Honest { .. } | Kind::Leaver | Kind::Flood => {}
            Kind::OtherSignature if outcomes => {
                answer.blocks[victim] = self.chain.tampered(from.0 + victim as u64, Kind::BadTransaction);
            }
            kind if Kind::LIARS_OF_OUTCOMES.contains(&kind) => {
                let lie =
                    |outcomes: &mut Vec<u8>| *outcomes = self.chain.tampered_outcomes(from.0 + victim as u64, kind);
                answer.outcomes.get_mut(victim).into_iter().for_each(lie);
            }
            Kind::OtherHeights => answer.blocks = self.chain.blocks(from.next(), count),
            Kind::Gap if last > 0 => drop(answer.blocks.remove(last - 1)),
            Kind::Gap => answer.blocks = self.chain.blocks(from.next(), 1),
            Kind::Garbage => answer.blocks[victim] = vec![self.random.below(256) as u8; 300],
            Kind::TooMany => {
                let more = self.chain.blocks(from, u64::from(LIMITS.request_blocks));
                answer.blocks = [more, vec![vec![0; 100]; LIMITS.request_blocks as usize]].concat();
            }
            kind => answer.blocks[victim] = self.chain.tampered(from.0 + victim as u64, kind),
        }
        let in_ms = match kind {
            Kind::Honest { in_ms } => in_ms + self.random.below(5),
            _ => 10 + self.random.below(30),
        };
        // What is sent is what bytes say.
        let bytes = SyncMessage::Blocks(answer);
        let SyncMessage::Blocks(answer) = borsh::from_slice(&borsh::to_vec(&bytes).unwrap()).unwrap() else { return };
        assert!(answer.blocks.iter().all(|block| block.len() < hanse_replica::sync::DecidedBlock::MAX_BYTES));
        self.plan(in_ms, Event::Answer(peer, answer));
    }
}

fn start_of_time() -> hanse_types::Timestamp {
    at(0)
}
