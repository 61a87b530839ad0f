//! The state machine: what has come, what is to be done again; what is asked of whom is in `asking.rs`.

mod asking;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hanse_consensus::Peer;
use hanse_types::{Epoch, Hash, Height, Timestamp, ValidatorSet};

use crate::sync::examine::{End, Examination, Examined, SyncedBlock};
use crate::sync::message::{Blocks, SyncMessage};
use crate::sync::source::Source;

/// Answers to nothing that a peer may send: one that was given up may have been asked for twice.
const UNASKED: usize = 32;

/// Bounds of what is asked for and kept. They decide how fast a node catches up and what that costs, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncLimits {
    /// Blocks after the newest durable one that are asked for or kept.
    pub window_blocks: u64,
    /// Bytes of them; the next block is asked for in any case.
    pub window_bytes: usize,
    /// Bytes that an answer is expected to have at most, unless it is of one block.
    pub answer_bytes: usize,
    /// Blocks that are asked for in one request.
    pub request_blocks: u32,
    /// Requests that a peer has to answer at a time.
    pub requests_per_peer: usize,
    /// The shortest time that a peer is given to answer, in milliseconds.
    pub answer_ms: u64,
    /// How long a peer that lied is left alone, in milliseconds.
    pub drop_ms: u64,
    /// A node that lacks fewer blocks than this asks for each when its height begins.
    pub behind: u64,
    /// The newest blocks of all that peers have, which are run whatever outcomes there are: so many.
    pub replayed: u64,
}

impl Default for SyncLimits {
    fn default() -> SyncLimits {
        SyncLimits {
            window_blocks: 512,
            window_bytes: 32 << 20,
            answer_bytes: 1 << 20,
            request_blocks: 64,
            requests_per_peer: 2,
            answer_ms: 2_000,
            drop_ms: 60_000,
            behind: 3,
            replayed: 32,
        }
    }
}

/// What it wants done.
#[derive(Clone, Debug)]
pub enum SyncOutput {
    /// Send this peer this.
    Send(Peer, SyncMessage),
    /// Find out what these blocks are, then tell with [`BlockSync::examined`]. Answered exactly once.
    Examine(Examination),
    /// A peer sent what no honest node sends; it is left alone for a while.
    Lied {
        /// Who.
        peer: Peer,
        /// What was wrong.
        reason: String,
    },
}

/// How far it is, for those who look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether blocks are being fetched.
    pub active: bool,
    /// The highest block that a peer claims to have, if it is above this node's.
    pub target: Option<Height>,
    /// Blocks that are here and not durable.
    pub ready: usize,
    /// Requests that wait for an answer.
    pub asked: usize,
    /// Blocks that were fetched and found good since the start.
    pub blocks: u64,
    /// Those of them that came with their outcomes, and are not run.
    pub applied: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Requests that were not answered in time since the start.
    pub timeouts: u64,
    /// Times since the start that a peer was found to lie.
    pub lies: u64,
    /// Peers that are left alone for that.
    pub dropped: usize,
}

/// A range of blocks that is on its way.
#[derive(Clone, Copy, Debug)]
struct Range {
    count: u64,
    bytes: usize,
    /// Whether they were asked for with their outcomes.
    outcomes: bool,
    peer: Peer,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The peer was asked then, and has until then to answer.
    Asked { at: Timestamp, until: Timestamp },
    /// It has answered, and the blocks are being looked at.
    Examining,
}

/// One node's fetching of blocks that the others have.
#[derive(Clone, Debug)]
pub struct BlockSync {
    limits: SyncLimits,
    /// The newest durable block.
    tip: (Height, Hash),
    /// Who decides the blocks after it, and the epoch.
    set: Arc<ValidatorSet>,
    epoch: Epoch,
    /// Whether blocks are asked for with their outcomes.
    by_outcomes: bool,
    active: bool,
    /// Whether nothing is fetched for now: a snapshot may come.
    held: bool,
    sources: BTreeMap<Peer, Source>,
    /// Peers that lied, and until when they are left alone. They may come and go meanwhile.
    dropped: BTreeMap<Peer, Timestamp>,
    /// By the height of the first block; they don't overlap one another nor what is ready.
    ranges: BTreeMap<Height, Range>,
    ready: BTreeMap<Height, SyncedBlock>,
    ready_bytes: usize,
    /// Other validators decide from here on, somebody said: to be asked for when the block before is durable.
    barrier: Option<Height>,
    /// Lengths of the newest blocks that came, to guess how many fit an answer.
    lengths: VecDeque<usize>,
    counted: Progress,
    now: Timestamp,
}

impl BlockSync {
    /// One that goes on after this durable block, whose successor this set decides.
    pub fn new(limits: SyncLimits, tip: (Height, Hash), set: Arc<ValidatorSet>, epoch: Epoch) -> BlockSync {
        BlockSync {
            limits,
            tip,
            set,
            epoch,
            by_outcomes: false,
            active: false,
            held: false,
            sources: BTreeMap::new(),
            dropped: BTreeMap::new(),
            ranges: BTreeMap::new(),
            ready: BTreeMap::new(),
            ready_bytes: 0,
            barrier: None,
            lengths: VecDeque::new(),
            counted: Progress::default(),
            now: Timestamp(0),
        }
    }

    /// The same, which asks for the outcomes of blocks with them, so that they need not be run: except for the newest ones
    /// ([`SyncLimits::replayed`]), and where nobody has them.
    #[must_use]
    pub fn by_outcomes(self) -> BlockSync {
        BlockSync { by_outcomes: true, ..self }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let asked = self.ranges.values().filter(|range| matches!(range.stage, Stage::Asked { .. })).count();
        let target = Some(self.target()).filter(|target| *target > self.tip.0);
        let dropped = self.dropped.values().filter(|until| **until > self.now).count();
        Progress { active: self.active, target, ready: self.ready.len(), asked, dropped, ..self.counted }
    }

    /// When it wants to be told the time at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        let asked = self.ranges.values().filter_map(|range| match range.stage {
            Stage::Asked { until, .. } => Some(until),
            Stage::Examining => None,
        });
        let paused = self.sources.values().map(|source| source.paused_until);
        let waits = paused.chain(self.dropped.values().copied()).filter(|at| self.active && *at > self.now);
        asked.chain(waits).min()
    }

    /// Blocks are verified and handed on up to here.
    pub fn tip(&self) -> Height {
        self.tip.0
    }

    /// The next block, if it is here; see [`BlockSync::block`].
    pub fn next(&mut self, out: &mut Vec<SyncOutput>) -> Option<&SyncedBlock> {
        let (height, parent) = (self.tip.0.next(), self.tip.1);
        let stranger = self.ready.get(&height).filter(|next| next.block.header().parent != parent);
        if let Some(peer) = stranger.map(|next| next.peer) {
            self.forget_ready(height);
            self.lied(peer, format!("block {height}: it does not follow this node's newest block"), out);
            self.ask(out);
        }
        self.ready.get(&height)
    }

    /// A verified block that is not durable yet, if it is here. That it follows the block before is seen in its header.
    pub fn block(&self, height: Height) -> Option<&SyncedBlock> {
        self.ready.get(&height)
    }

    /// Fetches nothing from now on, or does again: the node may get a snapshot of the chain instead.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether the block after the newest durable one is here or being looked at: its height is over elsewhere.
    pub fn has_next(&self) -> bool {
        self.ready.contains_key(&self.tip.0.next())
    }

    /// A peer is connected.
    pub fn peer_up(&mut self, peer: Peer) {
        self.sources.insert(peer, Source::default());
    }

    /// It is not any more.
    pub fn peer_down(&mut self, peer: Peer, now: Timestamp, out: &mut Vec<SyncOutput>) {
        self.now = self.now.max(now);
        self.sources.remove(&peer);
        self.release(peer);
        self.ask(out);
    }

    /// A peer says that this is its newest block.
    pub fn heard(&mut self, peer: Peer, tip: Height, now: Timestamp, out: &mut Vec<SyncOutput>) {
        self.now = self.now.max(now);
        if let Some(source) = self.sources.get_mut(&peer) {
            source.tip = tip;
            self.ask(out);
        }
    }

    /// Consensus lacks the block of this height: whether it comes from here, now or soon. If not, it is to be asked for as if
    /// there were no such thing as this: so nobody who claims to have a block and does not send it holds a node up.
    pub fn want(&mut self, height: Height, now: Timestamp, out: &mut Vec<SyncOutput>) -> bool {
        self.now = self.now.max(now);
        if height != self.tip.0.next() {
            return false;
        }
        let missing = self.target().0.saturating_sub(self.tip.0.0);
        if self.held && missing >= self.limits.behind {
            return true;
        }
        self.active |= missing >= self.limits.behind;
        self.ask(out);
        let is_soon = |range: &Range| match range.stage {
            Stage::Asked { at, .. } => self.now.since_ms(at) < self.limits.answer_ms / 4,
            Stage::Examining => true,
        };
        self.ready.contains_key(&height) || self.covering(height).is_some_and(|(_, range)| is_soon(range))
    }

    /// Time has passed: what was not answered is asked of others.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<SyncOutput>) {
        self.now = self.now.max(now);
        let is_late = |range: &Range| matches!(range.stage, Stage::Asked { until, .. } if until <= self.now);
        let late: Vec<Height> = self.ranges.iter().filter(|(_, range)| is_late(range)).map(|(from, _)| *from).collect();
        for from in late {
            let Some(Range { peer, stage: Stage::Asked { at, .. }, .. }) = self.ranges.remove(&from) else { continue };
            self.counted.timeouts += 1;
            if let Some(source) = self.sources.get_mut(&peer) {
                source.failed(self.now);
                source.may_still_bring(from, at);
            }
        }
        self.ask(out);
    }

    /// A peer has sent blocks.
    pub fn answered(&mut self, peer: Peer, answer: Blocks, now: Timestamp, out: &mut Vec<SyncOutput>) {
        self.now = self.now.max(now);
        let (from, count) = (answer.from, answer.blocks.len() as u64);
        let is_dropped = self.is_dropped(&peer);
        let Some(source) = self.sources.get_mut(&peer).filter(|_| !is_dropped) else { return };
        (source.first, source.tip, source.outcomes_from) = (answer.first, answer.tip, answer.outcomes_from);
        let asked = match self.ranges.get(&from) {
            Some(range @ Range { peer: of, stage: Stage::Asked { at, .. }, .. }) if *of == peer => Some((*at, *range)),
            _ => None,
        };
        match asked {
            Some((_, Range { count: most, .. })) if count > most => {
                self.lied(peer, format!("{count} blocks came from {from} on, {most} were asked for"), out);
            }
            // It has the blocks and has forgotten their outcomes: others are asked for these.
            Some((at, Range { outcomes: true, .. })) if count == 0 && answer.outcomes_from > from => {
                source.answered(at, self.now);
                self.ranges.remove(&from);
            }
            Some(_) if count == 0 => {
                source.failed(self.now);
                self.ranges.remove(&from);
            }
            Some((at, _)) => {
                source.answered(at, self.now);
                self.ranges.remove(&from);
                self.examine(peer, answer, out);
            }
            None if source.brings_late(from, self.now) => {
                let fits = self.room_at(from).is_some_and(|room| 0 < count && count <= room);
                if fits {
                    self.examine(peer, answer, out);
                }
            }
            None => {
                source.unasked += 1;
                if source.unasked > UNASKED {
                    self.lied(peer, "it sends blocks that it was not asked for".into(), out);
                }
            }
        }
        self.ask(out);
    }

    /// Blocks were looked at.
    pub fn examined(&mut self, examined: Examined, now: Timestamp, out: &mut Vec<SyncOutput>) {
        self.now = self.now.max(now);
        let Examined { peer, first, epoch, blocks, end } = examined;
        if self.ranges.get(&first).is_none_or(|range| range.stage != Stage::Examining) {
            return;
        }
        self.ranges.remove(&first);
        for block in blocks {
            let height = block.block.header().height;
            self.counted.blocks += 1;
            self.counted.applied += u64::from(block.outcomes.is_some());
            self.counted.bytes += block.bytes as u64;
            self.lengths.push_back(block.bytes);
            if self.active && height > self.tip.0 {
                self.ready_bytes += block.bytes;
                self.ready.insert(height, block);
            }
        }
        while self.lengths.len() > 64 {
            self.lengths.pop_front();
        }
        match end {
            End::All => {}
            End::OtherValidators(height) if height > self.tip.0.next() => {
                self.barrier = Some(self.barrier.map_or(height, |barrier| barrier.min(height)));
            }
            // Those who decide this height are known, and were when it was looked at.
            End::OtherValidators(height) if height == self.tip.0.next() && epoch == self.epoch => {
                self.lied(peer, format!("block {height}: other validators than this height's decide it"), out);
            }
            End::OtherValidators(_) => {}
            End::Lie(reason) => self.lied(peer, reason, out),
        }
        self.ask(out);
    }

    /// A block is durable, got from here or otherwise, and this set decides the next, if it is another than before.
    pub fn persisted(
        &mut self,
        height: Height,
        hash: Hash,
        validators: Option<Arc<ValidatorSet>>,
        out: &mut Vec<SyncOutput>,
    ) {
        self.tip = (height, hash);
        while let Some((oldest, _)) = self.ready.first_key_value().filter(|(at, _)| **at <= height) {
            self.forget_ready(*oldest);
        }
        if let Some(set) = validators {
            self.set = Arc::new((*set).clone().succeeding(&self.set));
            self.epoch = Epoch(self.epoch.0.saturating_add(1));
        }
        self.barrier = self.barrier.filter(|barrier| *barrier > height.next());
        if self.active && self.target() <= height {
            self.active = false;
            self.ready.clear();
            self.ready_bytes = 0;
            self.barrier = None;
        }
        self.ask(out);
    }

    /// The highest block that anybody claims to have who was not found to lie.
    fn target(&self) -> Height {
        let trusted = self.sources.iter().filter(|(peer, _)| !self.is_dropped(peer));
        trusted.map(|(_, source)| source.tip).max().unwrap_or_default()
    }

    fn is_dropped(&self, peer: &Peer) -> bool {
        self.dropped.get(peer).is_some_and(|until| *until > self.now)
    }

    fn forget_ready(&mut self, height: Height) {
        if let Some(block) = self.ready.remove(&height) {
            self.ready_bytes -= block.bytes;
        }
    }

    /// The range that holds a height.
    fn covering(&self, height: Height) -> Option<(Height, &Range)> {
        let (from, range) = self.ranges.range(..=height).next_back()?;
        (from.0 + range.count > height.0).then_some((*from, range))
    }

    fn examine(&mut self, peer: Peer, answer: Blocks, out: &mut Vec<SyncOutput>) {
        let Blocks { from: first, blocks, mut outcomes, .. } = answer;
        // What nobody asked for counts for nothing.
        let applied = self.replay_from().0.saturating_sub(first.0).min(blocks.len() as u64);
        outcomes.truncate(applied as usize);
        let (count, bytes) = (blocks.len() as u64, blocks.iter().chain(&outcomes).map(Vec::len).sum());
        let range = Range { count, bytes, outcomes: !outcomes.is_empty(), peer, stage: Stage::Examining };
        self.ranges.insert(first, range);
        let (set, epoch) = (self.set.clone(), self.epoch);
        out.push(SyncOutput::Examine(Examination { peer, first, blocks, outcomes, set, epoch }));
    }

    /// What a peer was asked for is to be asked for again.
    fn release(&mut self, peer: Peer) {
        self.ranges.retain(|_, range| range.peer != peer || range.stage == Stage::Examining);
    }

    fn lied(&mut self, peer: Peer, reason: String, out: &mut Vec<SyncOutput>) {
        self.counted.lies += 1;
        self.dropped.retain(|_, until| *until > self.now);
        self.dropped.insert(peer, self.now.plus_ms(self.limits.drop_ms));
        self.release(peer);
        if let Some(source) = self.sources.get_mut(&peer) {
            (source.asked, source.unasked) = (0, 0);
        }
        out.push(SyncOutput::Lied { peer, reason });
    }
}
