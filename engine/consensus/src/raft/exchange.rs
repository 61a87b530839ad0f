//! Messages to and from the state machine, and how who lacks blocks gets them from ledgers.

use hanse_types::{Hash, Height, Timestamp};

use crate::raft::member::Member;
use crate::raft::words::{RaftMessage, RaftWord};
use crate::raft::{Held, Raft};
use crate::verify::Verify;
use crate::{Fault, Have, Message, Output, Peer, Recipient, Request, Status, Timer};

/// What is known of a peer, and what it has cost.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerState {
    /// The height that it says it works on.
    height: Height,
    /// The validator that it is, by what it said last.
    validator: Option<u32>,
    /// The committed block that it was last sent, and when.
    served: Option<(Height, Timestamp)>,
}

/// Something that peers are asked for, one after another.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    what: Request,
    /// Peers asked so far.
    asked: usize,
}

impl<V: Verify> Raft<V> {
    pub(super) fn peer_up(&mut self, peer: Peer, out: &mut Vec<Output>) {
        self.peers.insert(peer, PeerState::default());
        out.push(Output::Send(Recipient::One(peer), self.own_status()));
    }

    pub(super) fn peer_down(&mut self, peer: Peer) {
        self.peers.remove(&peer);
    }

    /// Others have the numbers of the validators now.
    pub(super) fn forget_validators(&mut self) {
        self.peers.values_mut().for_each(|state| state.validator = None);
    }

    /// Says regularly where this node is, and asks for what it lacks if it came no further meanwhile.
    pub(super) fn repair(&mut self, out: &mut Vec<Output>) {
        out.push(Output::Send(Recipient::All, self.own_status()));
        out.push(Output::SetTimer { timer: Timer::Repair, after_ms: self.config.timing.repair_ms });
        self.forward(out);
        if std::mem::replace(&mut self.seen_at, self.tip.height) == self.tip.height {
            self.catch_up(None, out);
        }
    }

    /// Who leads may not have the transactions that wait here, or that are in a block of this node that came to nothing.
    fn forward(&mut self, out: &mut Vec<Output>) {
        let leader = self.leader().filter(|_| !self.member.as_ref().is_some_and(Member::is_leader));
        let is_leader = |state: &PeerState| leader.is_some() && state.validator == leader;
        let peer = self.peers.iter().find(|(_, state)| is_leader(state)).map(|(peer, _)| *peer);
        let waits = (self.has_batch || self.left_over) && self.asked.is_none();
        if let Some(peer) = peer.filter(|_| waits) {
            (self.has_batch, self.left_over) = (false, false);
            out.push(Output::Forward(peer));
        }
    }

    /// A block is durable here: those who only follow, and have no leader to tell them, hear of it at once.
    pub(super) fn tell_of_progress(&mut self, out: &mut Vec<Output>) {
        if self.member.as_ref().is_some_and(Member::is_leader) {
            out.push(Output::Send(Recipient::All, self.own_status()));
        }
        if self.member.is_none() || self.ahead.is_some() {
            self.catch_up(None, out);
        }
    }

    pub(super) fn own_status(&self) -> Message {
        let (height, round) = self.position();
        let (prevotes, precommits) = (Have::default(), Have::default());
        Message::Status(Status {
            height,
            round,
            proposal: false,
            prevotes,
            precommits,
            valid_round: None,
            waits: false,
        })
    }

    pub(super) fn message(&mut self, from: Peer, message: Message, out: &mut Vec<Output>) -> Result<(), Fault> {
        if !self.peers.contains_key(&from) {
            return Ok(());
        }
        match message {
            Message::Raft(message) => return self.raft(from, message, out),
            Message::Status(status) => self.status(from, status.height, out),
            Message::Request(request) => self.serve(from, request, out),
            Message::Transactions { block, transactions } => {
                let asked =
                    |fetch: &Fetch| matches!(&fetch.what, Request::Transactions { block: of, .. } if *of == block);
                if self.fetches.iter().any(asked) {
                    out.push(Output::Supply { block, transactions });
                }
            }
            Message::Decided { certificate, block } => {
                let wanted = self.committing.is_none() && self.is_fetching(&Request::Decided(self.height()));
                if wanted && self.fits(&certificate, &block) {
                    self.fetches.retain(|fetch| !matches!(fetch.what, Request::Decided(_)));
                    self.served = Some((from, certificate, block));
                }
            }
            // Words of groups that agree otherwise.
            Message::Proposal(_) | Message::Vote(_) | Message::Quorum(_) | Message::Block(_) | Message::Evidence(_) => {
            }
        }
        Ok(())
    }

    fn raft(&mut self, from: Peer, message: RaftMessage, out: &mut Vec<Output>) -> Result<(), Fault> {
        let me = self.config.key.and_then(|key| self.set.index_of(&key));
        if message.epoch != self.epoch || !message.is_sound(self.set.len()) || me == Some(message.from) {
            return Ok(());
        }
        self.is_validator(from, message.from);
        let is_append = matches!(message.word, RaftWord::Append { .. });
        if is_append && self.heard.is_none_or(|(term, _)| term < message.term) {
            self.heard = Some((message.term, message.from));
        }
        self.note_presence(&message, is_append);
        let Some(member) = &mut self.member else { return Ok(()) };
        if message.to.is_some() && message.to != me {
            return Ok(());
        }
        match message.word {
            RaftWord::Skip(base) => {
                if base.position.index > member.base().position.index {
                    self.ahead = Some(base);
                    self.catch_up(Some(from), out);
                }
                return Ok(());
            }
            RaftWord::Canvass { last } => {
                self.answer_canvass(message.from, message.term, last, out);
                return Ok(());
            }
            RaftWord::Canvassed { granted } => return self.canvassed(&message, granted),
            _ => {}
        }
        let found = member.new_block(&message).map(|(at, certificate, block)| (at, certificate.clone(), block.clone()));
        let leader = message.from;
        let Some((at, certificate, block)) = found else {
            let term = message.term;
            self.hear(message)?;
            self.hold_answer(leader, is_append && self.holds(term));
            return Ok(());
        };
        self.hear(first_entries(&message, at))?;
        // Until the block was run, the leader is not told that it is here, nor that it isn't.
        self.held = Some(Held { from, message, certificate, block });
        self.hold_answer(leader, true);
        Ok(())
    }

    fn holds(&self, term: hanse_types::Round) -> bool {
        self.held.as_ref().is_some_and(|held| held.message.term == term)
    }

    fn hold_answer(&mut self, leader: u32, hold: bool) {
        if let Some(member) = self.member.as_mut().filter(|_| hold) {
            member.hold_answer(leader);
        }
    }

    fn is_validator(&mut self, peer: Peer, validator: u32) {
        for (other, state) in &mut self.peers {
            if *other == peer {
                state.validator = Some(validator);
            } else if state.validator == Some(validator) {
                state.validator = None;
            }
        }
    }

    /// Sends to the peer that a validator is, or to all, of whom the others take no notice.
    pub(super) fn send(&mut self, message: RaftMessage, out: &mut Vec<Output>) {
        let is_meant = |state: &PeerState| message.to.is_some() && state.validator == message.to;
        let peer = self.peers.iter().find(|(_, state)| is_meant(state)).map(|(peer, _)| *peer);
        let to = peer.map_or(Recipient::All, Recipient::One);
        out.push(Output::Send(to, Message::Raft(message)));
    }

    fn status(&mut self, from: Peer, height: Height, out: &mut Vec<Output>) {
        let is_further = height > self.height();
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.height = height;
        }
        if is_further && self.member.is_none() {
            self.catch_up(Some(from), out);
        }
    }

    /// Asks for the next block from a ledger, if somebody has it.
    fn catch_up(&mut self, likely: Option<Peer>, out: &mut Vec<Output>) {
        let height = self.height();
        let elsewhere = self.peers.values().any(|peer| peer.height > height);
        let ahead = self.ahead.is_some_and(|base| base.height >= height);
        if (elsewhere || ahead) && self.committing.is_none() && self.served.is_none() {
            let likely = likely.or_else(|| self.first_beyond(height));
            self.want(Request::Decided(height), likely, out);
        }
    }

    fn first_beyond(&self, height: Height) -> Option<Peer> {
        self.peers.iter().find(|(_, peer)| peer.height > height).map(|(peer, _)| *peer)
    }

    /// Answers a request by the caller.
    fn serve(&mut self, to: Peer, request: Request, out: &mut Vec<Output>) {
        match request {
            Request::Transactions { block, missing } => out.push(Output::ServeTransactions { to, block, missing }),
            Request::Decided(height) if height <= self.tip.height => {
                let (now, pause) = (self.now, self.config.timing.fetch_ms / 2);
                let Some(peer) = self.peers.get_mut(&to) else { return };
                let again = peer.served.is_some_and(|(served, at)| served == height && now.since_ms(at) < pause);
                if !again {
                    peer.served = Some((height, now));
                    out.push(Output::ServeDecided { to, height });
                }
            }
            Request::Decided(_) | Request::Block(_) => {}
        }
    }

    /// Transactions of a block that is to be run are not here: its leader has them, or whoever served it.
    pub(super) fn missing(&mut self, block: Hash, missing: Vec<u32>, out: &mut Vec<Output>) {
        let what = Request::Transactions { block, missing };
        if self.is_fetching(&what) {
            // The answer brought nothing. Asking again at once would go on as fast as the network; time will ask another.
            return;
        }
        let held = self.held.as_ref().filter(|held| held.block.hash() == block).map(|held| held.from);
        let served = || self.served.as_ref().filter(|(_, _, served)| served.hash() == block).map(|(peer, ..)| *peer);
        self.fetches.retain(|fetch| !matches!(&fetch.what, Request::Transactions { block: of, .. } if *of == block));
        self.want(what, held.or_else(served), out);
    }

    /// Begins to ask for something, unless that is under way: first the peer that is likely to have it.
    fn want(&mut self, what: Request, likely: Option<Peer>, out: &mut Vec<Output>) {
        if self.is_fetching(&what) {
            return;
        }
        if self.fetches.is_empty() {
            out.push(Output::SetTimer { timer: Timer::Fetch, after_ms: self.config.timing.fetch_ms });
        }
        let mut fetch = Fetch { what, asked: 0 };
        match likely.filter(|peer| self.peers.contains_key(peer)) {
            Some(peer) => out.push(Output::Send(Recipient::One(peer), Message::Request(fetch.what.clone()))),
            None => self.ask_next(&mut fetch, out),
        }
        self.fetches.push(fetch);
    }

    fn is_fetching(&self, what: &Request) -> bool {
        self.fetches.iter().any(|fetch| fetch.what == *what)
    }

    /// Asks the next peer for everything that has not come.
    pub(super) fn fetch_again(&mut self, out: &mut Vec<Output>) {
        let mut fetches = std::mem::take(&mut self.fetches);
        fetches.retain(|fetch| self.is_missing(&fetch.what));
        fetches.iter_mut().for_each(|fetch| self.ask_next(fetch, out));
        self.fetches = fetches;
        if !self.fetches.is_empty() {
            out.push(Output::SetTimer { timer: Timer::Fetch, after_ms: self.config.timing.fetch_ms });
        }
    }

    fn is_missing(&self, what: &Request) -> bool {
        match what {
            Request::Transactions { block, .. } => self.verdicts.get(block).is_some_and(Option::is_none),
            Request::Decided(height) => *height == self.height() && self.committing.is_none(),
            Request::Block(_) => false,
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

/// A message of the leader without what follows so many entries.
fn first_entries(message: &RaftMessage, count: usize) -> RaftMessage {
    let mut first = message.clone();
    if let RaftWord::Append { entries, .. } = &mut first.word {
        entries.truncate(count);
    }
    first
}
