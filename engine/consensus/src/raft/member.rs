//! A validator's Raft: the crate's state machine with the blocks that its entries stand for.
//!
//! The crate ([`noraft`]) knows that an entry is there, and not what it is. What is kept here beside it are the blocks by
//! their places; the [`Base`] that ties log and chain together; and the order of its effects: what has to be durable goes
//! out as one [`Record`], and everything that the crate wants sent after it waits until that is written. Meanwhile its
//! further wishes pile up in it, where they merge.

use std::collections::{BTreeMap, BTreeSet};

use hanse_types::{Certificate, Epoch, Hash, Height, Round};
use noraft::{ClusterConfig, Log, LogEntries, LogEntry, LogIndex, LogPosition, Message, Node, NodeId, Term};

use crate::block::CompactBlock;
use crate::raft::record::Record;
use crate::raft::words::{Base, ENTRIES, Entry, Position, RaftMessage, RaftWord};

pub use noraft::Role;

/// Blocks that a log keeps though they are durable, for those who are a little behind. Who lacks more skips ahead.
const TRAIL: usize = 16;

/// A block in the log.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    term: Round,
    pub(super) certificate: Certificate,
    pub(super) block: CompactBlock,
}

impl Logged {
    pub(super) fn height(&self) -> Height {
        self.block.header().height
    }
}

/// What the engine has to do for it.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// It wants to be told of [`Timer::Lead`](crate::Timer::Lead) anew.
    pub(super) timer: bool,
    /// This is to be made durable.
    pub(super) record: Option<Record>,
    /// These may be sent.
    pub(super) messages: Vec<RaftMessage>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Member {
    node: Node,
    config: ClusterConfig,
    epoch: Epoch,
    me: u32,
    /// The blocks in the log, by their places' numbers.
    blocks: BTreeMap<u64, Logged>,
    base: Base,
    /// What waits for the record that is being written.
    recording: Option<Vec<RaftMessage>>,
    /// Up to which place everybody was told that all is committed.
    announced: u64,
}

fn term_of(round: Round) -> Term {
    Term::new(u64::from(round.0))
}

fn round_of(term: Term) -> Round {
    // Terms of messages have 32 bits, and a node counts one on at each election.
    Round(u32::try_from(term.get()).unwrap_or(u32::MAX))
}

fn id_of(validator: u32) -> NodeId {
    NodeId::new(u64::from(validator))
}

fn validator_of(id: NodeId) -> u32 {
    // The crate names nobody whom it was not told of by such an index.
    u32::try_from(id.get()).unwrap_or(u32::MAX)
}

impl From<Position> for LogPosition {
    fn from(Position { term, index }: Position) -> LogPosition {
        LogPosition::new(term_of(term), LogIndex::new(index))
    }
}

impl From<LogPosition> for Position {
    fn from(LogPosition { term, index }: LogPosition) -> Position {
        Position { term: round_of(term), index: index.get() }
    }
}

impl Member {
    /// One of so many validators, as its record says.
    pub(super) fn new(me: u32, validators: usize, record: Record) -> Member {
        let Record { epoch, term, voted_for, base, entries, bodies: _ } = record;
        let voters: BTreeSet<NodeId> = (0..validators as u64).map(NodeId::new).collect();
        let config = ClusterConfig { voters, ..ClusterConfig::new() };
        let log = LogEntries::from_iter(base.position.into(), entries.iter().map(kind));
        let node = Node::restart(id_of(me), term_of(term), voted_for.map(id_of), Log::new(config.clone(), log));
        let announced = base.position.index;
        let mut member = Member { node, config, epoch, me, blocks: BTreeMap::new(), base, recording: None, announced };
        member.keep(base.position, entries);
        member
    }

    /// One of so many validators that begin an epoch: the log's beginning is a durable block.
    pub(super) fn beginning(me: u32, validators: usize, epoch: Epoch, height: Height) -> Member {
        let base = Base { position: Position::default(), height };
        let mut member = Member::new(me, validators, Record { epoch, base, ..Record::default() });
        // Whoever has begun has a record of it.
        member.node.actions_mut().save_current_term = true;
        member
    }

    pub(super) fn role(&self) -> Role {
        self.node.role()
    }

    pub(super) fn is_leader(&self) -> bool {
        self.role().is_leader()
    }

    pub(super) fn term(&self) -> Round {
        round_of(self.node.current_term())
    }

    /// The end of the log.
    pub(super) fn last(&self) -> Position {
        self.node.log().last_position().into()
    }

    /// This validator's index.
    pub(super) fn me(&self) -> u32 {
        self.me
    }

    pub(super) fn base(&self) -> Base {
        self.base
    }

    /// Whether all that is in the log is committed, and durable as a record.
    pub(super) fn is_settled(&self) -> bool {
        self.is_durable() && self.node.commit_index() == self.node.log().last_position().index
    }

    /// The committed block of a height, once the log with it is durable.
    pub(super) fn committed(&self, height: Height) -> Option<&Logged> {
        let end = self.node.commit_index().get();
        let mut blocks = self.blocks.range(..=end).filter(|_| self.is_durable());
        blocks.find_map(|(_, logged)| (logged.height() == height).then_some(logged))
    }

    /// The newest block of a height in the log.
    pub(super) fn logged(&self, height: Height) -> Option<&Logged> {
        self.blocks.values().rev().find(|logged| logged.height() == height)
    }

    /// The block of a message that is not in the log and could be: how many entries are before it.
    pub(super) fn new_block<'a>(&self, message: &'a RaftMessage) -> Option<(usize, &'a Certificate, &'a CompactBlock)> {
        let RaftWord::Append { before, entries, .. } = &message.word else { return None };
        let log = self.node.log().entries();
        if message.term < self.term() || !log.contains((*before).into()) {
            return None;
        }
        let at = entries.iter().position(|entry| matches!(entry, Entry::Block { .. }))?;
        let Entry::Block { certificate, block } = &entries[at] else { return None };
        let place = Position { term: certificate.round, index: before.index + at as u64 + 1 };
        (!log.contains(place.into())).then_some((at, certificate, block))
    }

    /// Takes what another says. If it doesn't belong here, nothing comes of it.
    ///
    /// Returns false if the log begins with something else than the leader's, which can't be.
    pub(super) fn hear(&mut self, message: RaftMessage) -> bool {
        let RaftMessage { from, term, word, .. } = message;
        let (from, term) = (id_of(from), term_of(term));
        let (heard, appended) = match word {
            RaftWord::Elect { last } => (Message::RequestVoteCall { from, term, last_position: last.into() }, None),
            RaftWord::Elected { granted } => (Message::RequestVoteReply { from, term, vote_granted: granted }, None),
            RaftWord::Appended { last } => {
                (Message::AppendEntriesReply { from, term, last_position: last.into() }, None)
            }
            RaftWord::Append { committed, before, entries } => {
                let list = LogEntries::from_iter(before.into(), entries.iter().map(kind));
                let commit_index = LogIndex::new(committed);
                (Message::AppendEntriesCall { from, term, commit_index, entries: list }, Some((before, entries)))
            }
            RaftWord::Skip(_) | RaftWord::Canvass { .. } | RaftWord::Canvassed { .. } => return true,
        };
        let fits = self.node.handle_message(&heard).is_ok();
        if let Some((before, entries)) = appended {
            self.keep(before, entries);
        }
        fits
    }

    /// The answer to the leader waits until its block can be taken.
    pub(super) fn hold_answer(&mut self, leader: u32) {
        let leader = id_of(leader);
        let is_answer = |message: &Message| matches!(message, Message::AppendEntriesReply { .. });
        if self.node.actions().send_messages.get(&leader).is_some_and(is_answer) {
            self.node.actions_mut().send_messages.remove(&leader);
        }
    }

    /// Keeps the blocks that the log has taken, and none that it hasn't.
    fn keep(&mut self, before: Position, entries: Vec<Entry>) {
        let log = self.node.log().entries();
        let holds = |index: u64, term: Round| log.contains(Position { term, index }.into());
        self.blocks.retain(|index, logged| holds(*index, logged.term));
        for (index, entry) in (before.index + 1..).zip(entries) {
            let Entry::Block { certificate, block } = entry else { continue };
            let term = certificate.round;
            if index > log.prev_position().index.get() && holds(index, term) {
                self.blocks.insert(index, Logged { term, certificate, block });
            }
        }
    }

    /// Wants to lead; or says, as leader, that it is there.
    pub(super) fn campaign(&mut self) {
        self.node.handle_election_timeout();
    }

    /// Puts a block into the log, as leader of the term in which it was made.
    pub(super) fn propose(&mut self, certificate: Certificate, block: CompactBlock) {
        let position = self.node.propose_command();
        if !position.is_invalid() {
            self.blocks.insert(position.index.get(), Logged { term: round_of(position.term), certificate, block });
        }
    }

    /// Goes on from a place up to which the chain is here; whether there was anything to skip.
    pub(super) fn skip(&mut self, base: Base) -> bool {
        if base.position.index <= self.base.position.index {
            return false;
        }
        let skipped = self.node.handle_snapshot_installed(base.position.into(), self.config.clone());
        if skipped {
            self.base = base;
            // The answers to come rest on it, so it is to be durable before them.
            self.node.actions_mut().save_current_term = true;
            self.keep(base.position, Vec::new());
        }
        skipped
    }

    /// Blocks up to a height are durable; `is_here` tells of a block whether it is the one of its height. What is known to
    /// be in the chain is not needed in the record any more, and only for a while in the log.
    pub(super) fn durable_to(&mut self, is_here: impl Fn(&Logged) -> bool) {
        let committed = self.node.commit_index();
        let mut base = self.base;
        let behind = self.node.log().entries().iter_with_positions();
        for (position, entry) in behind.skip_while(|(position, _)| position.index.get() <= self.base.position.index) {
            match (entry, self.blocks.get(&position.index.get())) {
                (LogEntry::Command, Some(logged)) if is_here(logged) => {
                    base = Base { position: position.into(), height: logged.height() };
                }
                (LogEntry::Command, _) => break,
                _ if position.index <= committed => base.position = position.into(),
                _ => {}
            }
        }
        self.base = base;
        let places: Vec<u64> = self.blocks.range(..=base.position.index).map(|(index, _)| *index).collect();
        let gone = places.len().checked_sub(TRAIL + 1).and_then(|place| places.get(place)).copied();
        if let (Some(index), true) = (gone, self.node.actions().is_empty()) {
            self.cut(index);
        }
    }

    /// Forgets the log up to a place that is in the ledger.
    fn cut(&mut self, index: u64) {
        let Some(term) = self.node.log().entries().get_term(LogIndex::new(index)) else { return };
        let position = LogPosition::new(term, LogIndex::new(index));
        if self.node.handle_snapshot_installed(position, self.config.clone()) {
            self.blocks.retain(|place, _| *place > index);
        }
    }

    /// A record of an earlier epoch is being written: there is none of this one before that is done.
    pub(super) fn wait(&mut self) {
        self.recording = Some(Vec::new());
    }

    /// The record is durable; what may be said now.
    pub(super) fn recorded(&mut self) -> Option<Vec<RaftMessage>> {
        self.recording.take()
    }

    /// Whether what it says of itself is on disk.
    fn is_durable(&self) -> bool {
        let actions = self.node.actions();
        let saves = actions.save_current_term || actions.save_voted_for || actions.append_log_entries.is_some();
        self.recording.is_none() && !saves
    }

    /// Whether a record is being written.
    pub(super) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Tells all at once when more has become committed, as the others wait for it.
    fn announce(&mut self) {
        let committed = self.node.commit_index().get();
        if committed > self.announced && self.is_leader() {
            self.node.heartbeat();
        }
        self.announced = self.announced.max(committed);
    }

    /// What it wants done. While a record is being written, only its timer.
    pub(super) fn wishes(&mut self) -> Wishes {
        if self.is_recording() {
            let timer = std::mem::take(&mut self.node.actions_mut().set_election_timeout);
            return Wishes { timer, ..Wishes::default() };
        }
        self.announce();
        let actions = std::mem::take(self.node.actions_mut());
        let to_all = actions.broadcast_message.iter().filter_map(|message| self.message(None, message));
        let to_some =
            actions.send_messages.iter().filter_map(|(to, message)| self.message(Some(validator_of(*to)), message));
        let skips =
            actions.install_snapshots.iter().map(|to| self.say(Some(validator_of(*to)), RaftWord::Skip(self.base)));
        let messages: Vec<RaftMessage> = to_all.chain(to_some).chain(skips).collect();
        let saves = actions.save_current_term || actions.save_voted_for || actions.append_log_entries.is_some();
        let timer = actions.set_election_timeout;
        if !saves {
            return Wishes { timer, record: None, messages };
        }
        self.recording = Some(messages);
        Wishes { timer, record: Some(self.record()), messages: Vec::new() }
    }

    fn record(&self) -> Record {
        let log = self.node.log().entries();
        let entries = log.since(self.base.position.into()).map(|behind| self.entries(&behind, usize::MAX));
        Record {
            epoch: self.epoch,
            term: self.term(),
            voted_for: self.node.voted_for().map(validator_of),
            base: self.base,
            entries: entries.unwrap_or_default(),
            bodies: Vec::new(),
        }
    }

    /// Entries with their blocks, up to one that has none, and so many blocks.
    fn entries(&self, list: &LogEntries, blocks: usize) -> Vec<Entry> {
        let mut left = blocks;
        let entry = |(position, entry): (LogPosition, LogEntry)| match entry {
            LogEntry::Term(term) => Some(Entry::Term(round_of(term))),
            LogEntry::ClusterConfig(_) => None,
            LogEntry::Command => {
                left = left.checked_sub(1)?;
                let Logged { certificate, block, .. } = self.blocks.get(&position.index.get())?.clone();
                Some(Entry::Block { certificate, block })
            }
        };
        list.iter_with_positions().map_while(entry).collect()
    }

    fn message(&self, to: Option<u32>, message: &Message) -> Option<RaftMessage> {
        let word = match message {
            Message::RequestVoteCall { last_position, .. } => RaftWord::Elect { last: (*last_position).into() },
            Message::RequestVoteReply { vote_granted, .. } => RaftWord::Elected { granted: *vote_granted },
            Message::AppendEntriesReply { last_position, .. } => RaftWord::Appended { last: (*last_position).into() },
            Message::AppendEntriesCall { commit_index, entries: list, .. } => {
                let mut entries = self.entries(list, 1);
                entries.truncate(ENTRIES);
                RaftWord::Append { committed: commit_index.get(), before: list.prev_position().into(), entries }
            }
        };
        Some(RaftMessage { term: round_of(message.term()), ..self.say(to, word) })
    }

    pub(super) fn say(&self, to: Option<u32>, word: RaftWord) -> RaftMessage {
        RaftMessage { epoch: self.epoch, from: self.me, to, term: self.term(), word }
    }

    /// Bounds that hold whatever others say: blocks in the log.
    pub(super) fn kept(&self) -> usize {
        self.blocks.len()
    }

    /// The newest block of the log that a chain of this height doesn't have yet.
    pub(super) fn beyond(&self, tip: Height) -> Option<Hash> {
        self.blocks.values().rev().find(|logged| logged.height() > tip).map(|logged| logged.block.hash())
    }
}

fn kind(entry: &Entry) -> LogEntry {
    match entry {
        Entry::Term(term) => LogEntry::Term(term_of(*term)),
        Entry::Block { .. } => LogEntry::Command,
    }
}
