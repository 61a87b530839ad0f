//! How nodes that lack something get it: telling where they are, answering those who lack, fetching from one peer after
//! another.
//!
//! No message has to arrive the first time. Each node says regularly at which height and round it is and what it has of
//! it. A peer that is further says so, and is asked for the block that was decided; a peer at the same height sends what
//! is missing there. All of it is limited per peer, so that a peer that lies or floods costs little.

use std::collections::VecDeque;

use hanse_types::{Hash, Height, Timestamp};

use crate::bft::height::{Stage, Votes};
use crate::bft::{Bft, Bug};
use crate::statement::{SignedStatement, Statement, VoteKind};
use crate::verify::Verify;
use crate::{Have, Message, Output, Peer, Recipient, Request, Status, Timer};

/// Messages for the next height that one peer may have waiting.
const WAITING: usize = 8;

/// What is known of a peer, and what it has cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerState {
    /// The height that it says it works on.
    height: Height,
    /// Whether it says that it has something to decide there.
    waits: bool,
    /// What it said of the next height.
    waiting: VecDeque<Message>,
    /// When it was last told where this node is.
    hinted: Option<Timestamp>,
    /// When it was last sent what it lacks.
    answered: Option<Timestamp>,
    /// The committed block that it was last sent, and when.
    served: Option<(Height, Timestamp)>,
}

impl PeerState {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether it says that it has something to decide at this height.
    pub(crate) fn waits_at(&self, height: Height) -> bool {
        self.waits && self.height == height
    }
}

/// Something that peers are asked for, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    what: Request,
    /// Peers asked so far.
    asked: usize,
}

impl Fetch {
    pub(crate) fn what(&self) -> &Request {
        &self.what
    }
}

impl<V: Verify> Bft<V> {
    pub(super) fn peer_up(&mut self, peer: Peer, out: &mut Vec<Output>) {
        self.peers.insert(peer, PeerState::default());
        out.push(Output::Send(Recipient::One(peer), self.own_status()));
    }

    pub(super) fn peer_down(&mut self, peer: Peer) {
        self.peers.remove(&peer);
    }

    pub(super) fn repair(&mut self, out: &mut Vec<Output>) {
        if !self.config.bugs.has(Bug::NeverRepair) {
            out.push(Output::Send(Recipient::All, self.own_status()));
        }
        self.set_timer(Timer::Repair, self.config.timing.repair_ms, out);
    }

    fn own_status(&self) -> Message {
        let votes = self.at.now();
        Message::Status(Status {
            height: self.at.height,
            round: self.at.round,
            proposal: votes.is_some_and(|votes| !votes.proposals.is_empty()),
            prevotes: votes.map(|votes| votes.prevotes.have()).unwrap_or_default(),
            precommits: votes.map(|votes| votes.precommits.have()).unwrap_or_default(),
            valid_round: self.at.valid_round(),
            waits: self.at.waits,
        })
    }

    /// A peer speaks of a height that is over here.
    pub(super) fn is_behind(&mut self, from: Peer, message: &Message, out: &mut Vec<Output>) {
        let pause = self.config.timing.repair_ms / 2;
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if let Message::Status(status) = message {
            (peer.height, peer.waits) = (status.height, status.waits);
        }
        if is_due(peer.hinted, now, pause) {
            peer.hinted = Some(now);
            out.push(Output::Send(Recipient::One(from), self.own_status()));
        }
    }

    /// A peer speaks of a height that has not begun here.
    pub(super) fn is_ahead(&mut self, from: Peer, height: Height, message: Message, out: &mut Vec<Output>) {
        let keep = self.is_for_later(&message, height);
        let unbounded = self.config.bugs.has(Bug::WaitingUnbounded);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        match message {
            Message::Status(status) => (peer.height, peer.waits) = (height, status.waits),
            message if keep && (peer.waiting.len() < WAITING || unbounded) => peer.waiting.push_back(message),
            _ => {}
        }
        let is_behind = peer.height > self.at.height && !self.config.bugs.has(Bug::NeverCatchUp);
        if is_behind && !matches!(self.at.stage, Stage::Committing(_)) {
            self.want(Request::Decided(self.at.height), Some(from), out);
        }
    }

    /// Asks for the block of the height that begins now, if a peer has said that it is over: whoever is many blocks behind
    /// asks for one after the other without a pause, each of another peer.
    pub(super) fn catch_up(&mut self, out: &mut Vec<Output>) {
        let height = self.at.height;
        let ahead: Vec<Peer> =
            self.peers.iter().filter(|(_, peer)| peer.height > height).map(|(peer, _)| *peer).collect();
        let turn = height.0 as usize % ahead.len().max(1);
        let is_open = !matches!(self.at.stage, Stage::Committing(_)) && !self.config.bugs.has(Bug::NeverCatchUp);
        if let Some(peer) = ahead.get(turn).filter(|_| is_open) {
            self.want(Request::Decided(height), Some(*peer), out);
        }
    }

    /// What waited for the height that begins now.
    pub(super) fn replay_waiting(&mut self, out: &mut Vec<Output>) {
        let waiting: Vec<_> =
            self.peers.iter_mut().map(|(peer, state)| (*peer, std::mem::take(&mut state.waiting))).collect();
        for (peer, messages) in waiting {
            for message in messages {
                self.message(peer, message, out);
            }
        }
    }

    /// A peer at the same height says what it has.
    pub(super) fn status(&mut self, from: Peer, status: &Status, out: &mut Vec<Output>) {
        let (now, pause, bugs) = (self.now, self.config.timing.repair_ms / 2, self.config.bugs);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.height = status.height;
        peer.waits = status.waits && !bugs.has(Bug::RestForGood);
        if !is_due(peer.answered, now, pause) {
            return;
        }
        peer.answered = Some(now);
        let mut answer = Vec::new();
        self.answer(status, &mut answer);
        out.extend(answer.into_iter().map(|message| Output::Send(Recipient::One(from), message)));
    }

    /// What a node lacks that is there.
    fn answer(&self, status: &Status, answer: &mut Vec<Message>) {
        if let Some(decision) = &self.at.decision {
            answer.push(Message::Quorum(decision.clone()));
            return;
        }
        let newer = self.at.valid.as_ref().filter(|valid| status.valid_round.is_none_or(|round| round < valid.round));
        answer.extend(newer.map(|valid| Message::Quorum(valid.polka.clone())));
        if status.round < self.at.round {
            // It has nothing of this round as far as it says.
            let nothing = Status { proposal: false, prevotes: Have::default(), precommits: Have::default(), ..*status };
            self.answer_round(&Status { round: self.at.round, ..nothing }, answer);
        }
        self.answer_round(status, answer);
    }

    fn answer_round(&self, status: &Status, answer: &mut Vec<Message>) {
        let Some(votes) = self.at.rounds.get(&status.round) else { return };
        if !status.proposal {
            let first = votes.proposals.first().and_then(|held| self.at.proposal(held));
            answer.extend(first.map(Message::Proposal));
        }
        self.answer_votes(status, VoteKind::Prevote, &status.prevotes, votes, answer);
        self.answer_votes(status, VoteKind::Precommit, &status.precommits, votes, answer);
    }

    fn answer_votes(&self, status: &Status, kind: VoteKind, have: &Have, votes: &Votes, answer: &mut Vec<Message>) {
        let tally = votes.of(kind);
        if let Some(choice) = tally.majority() {
            // As a whole, since single votes may be hidden behind others of the same validators.
            let quorum = if have.quorum { None } else { self.quorum(status.round, kind, choice) };
            answer.extend(quorum.map(Message::Quorum));
            return;
        }
        let vote = |(validator, choice, signature)| {
            let statement = Statement::vote(kind, self.epoch, self.at.height, status.round, choice);
            Message::Vote(SignedStatement { statement, validator, signature })
        };
        answer.extend(tally.lacking(have).map(vote));
    }

    /// Answers a request, from here or by the caller.
    pub(super) fn serve(&mut self, to: Peer, request: Request, out: &mut Vec<Output>) {
        match request {
            Request::Block(hash) => {
                let found = self.at.candidates.get(&hash).map(|candidate| Message::Block(candidate.block.clone()));
                out.extend(found.map(|block| Output::Send(Recipient::One(to), block)));
            }
            Request::Transactions { block, missing } => out.push(Output::ServeTransactions { to, block, missing }),
            Request::Decided(height) => self.serve_decided(to, height, out),
        }
    }

    fn serve_decided(&mut self, to: Peer, height: Height, out: &mut Vec<Output>) {
        let (now, pause) = (self.now, self.config.timing.fetch_ms / 2);
        let Some(peer) = self.peers.get_mut(&to).filter(|_| height <= self.tip.height) else { return };
        let again = peer.served.is_some_and(|(served, at)| served == height && !is_due(Some(at), now, pause));
        if !again && !self.config.bugs.has(Bug::NeverServe) {
            peer.served = Some((height, now));
            out.push(Output::ServeDecided { to, height });
        }
    }

    pub(super) fn missing(&mut self, block: Hash, missing: Vec<u32>, out: &mut Vec<Output>) {
        let Some(candidate) = self.at.candidates.get(&block) else { return };
        let source = candidate.source;
        let what = Request::Transactions { block, missing };
        if self.is_fetching(&what) {
            // The answer brought nothing. Asking again at once would go on as fast as the network; time will ask another.
            return;
        }
        self.fetches.retain(|fetch| !matches!(&fetch.what, Request::Transactions { block: of, .. } if *of == block));
        if !self.config.bugs.has(Bug::NeverFetch) {
            self.want(what, source, out);
        }
    }

    /// Transactions that were asked for.
    pub(super) fn supply(&mut self, block: Hash, transactions: Vec<(u32, Vec<u8>)>, out: &mut Vec<Output>) {
        let asked = |fetch: &Fetch| matches!(&fetch.what, Request::Transactions { block: of, .. } if *of == block);
        if self.fetches.iter().any(asked) {
            out.push(Output::Supply { block, transactions });
        }
    }

    /// Begins to ask for something, unless that is under way: first the peer that is likely to have it.
    pub(super) fn want(&mut self, what: Request, likely: Option<Peer>, out: &mut Vec<Output>) {
        if self.is_fetching(&what) {
            return;
        }
        if self.fetches.is_empty() {
            self.set_timer(Timer::Fetch, self.config.timing.fetch_ms, out);
        }
        let mut fetch = Fetch { what, asked: 0 };
        match likely.filter(|peer| self.peers.contains_key(peer)) {
            Some(peer) => out.push(Output::Send(Recipient::One(peer), Message::Request(fetch.what.clone()))),
            None => self.ask_next(&mut fetch, out),
        }
        self.fetches.push(fetch);
    }

    pub(super) fn is_fetching(&self, what: &Request) -> bool {
        self.fetches.iter().any(|fetch| fetch.what == *what)
    }

    /// Asks the next peer for everything that has not come.
    pub(super) fn fetch_again(&mut self, out: &mut Vec<Output>) {
        let mut fetches = std::mem::take(&mut self.fetches);
        fetches.retain(|fetch| self.is_missing(&fetch.what));
        if !self.config.bugs.has(Bug::AskOnce) {
            fetches.iter_mut().for_each(|fetch| self.ask_next(fetch, out));
        }
        self.fetches = fetches;
        if !self.fetches.is_empty() {
            self.set_timer(Timer::Fetch, self.config.timing.fetch_ms, out);
        }
    }

    fn is_missing(&self, what: &Request) -> bool {
        match what {
            Request::Decided(height) => *height == self.at.height && self.at.decision.is_none(),
            Request::Block(hash) => !self.at.candidates.contains_key(hash),
            Request::Transactions { block, .. } => {
                self.at.candidates.get(block).is_some_and(|candidate| candidate.verdict.is_none())
            }
        }
    }

    fn ask_next(&self, fetch: &mut Fetch, out: &mut Vec<Output>) {
        let may_have = |peer: &PeerState| match fetch.what {
            Request::Decided(height) => peer.height > height,
            _ => true,
        };
        let peers: Vec<Peer> = self.peers.iter().filter(|(_, peer)| may_have(peer)).map(|(peer, _)| *peer).collect();
        if let Some(peer) = peers.get(fetch.asked % peers.len().max(1)) {
            fetch.asked += 1;
            out.push(Output::Send(Recipient::One(*peer), Message::Request(fetch.what.clone())));
        }
    }
}

fn is_due(last: Option<Timestamp>, now: Timestamp, pause_ms: u64) -> bool {
    last.is_none_or(|last| now.since_ms(last) >= pause_ms)
}
