//! Every order of events in a small group: the real engine, searched state by state.
//!
//! Four validators, one of them faulty, at one height, in rounds 0 to *R* − 1. The three honest ones run
//! [`hanse_consensus::Bft`] and nothing else is modelled: a state of the search is a state of each of the three engines.
//! What has been said stays deliverable for ever, so the network needs no state of its own: any message reaches any
//! engine at any later time, or never, in any order, as often as it likes. Timeouts run out whenever they like, also
//! those that are not set. The faulty validator says everything: each kind of vote for each block and for none to
//! whomever it likes whenever it likes, two blocks where it proposes, and later its own old blocks or anybody's, with a
//! polka where one can be put together, and without.
//!
//! In every state it is checked that
//! - no two honest engines decide differently;
//! - no engine says two things at one position, halts, or wants signed what a guard without any memory refuses;
//! - a prevote for a block is not against the lock, unless that block had a polka in the lock's round or a later one;
//! - a precommit for a block rests on its polka, and a decision on a quorum of precommits.
//!
//! # The two ways through
//! [`Delivery::Alone`] delivers every message by itself, and knows every vote that an engine holds as a part of its state.
//! That is too much to search to its end, so it goes ahead at random, as a seed has it, up to a number of states.
//!
//! [`Delivery::Whole`] delivers votes of one kind, round and choice all at once, everybody's who has said so, with the
//! faulty one's, and only if something comes of it that others notice sooner or later: a word, another round, a lock, a
//! decision. This is searched to the end. It loses nothing:
//! - *Rules ask for quorums of like votes.* Every rule that counts votes counts those for one choice; the two that count
//!   votes for different ones only set timers, which here run out anyway, and following others to a later round does what
//!   a timeout does.
//! - *What nobody notices can wait.* A vote that completes nothing changes nothing but a tally of its receiver. Delivered
//!   later, just before the one that completes something, it has the same effect then; as it stays deliverable, the run
//!   with the late delivery is one of those that are searched. A proposal is looked at on its arrival in its own round, or
//!   not at all; the block that it brings can be had later, when votes ask for it.
//! - *What an engine has said, its round, step and lock are all that its further words depend on*, besides what is
//!   delivered to it; votes that it holds could be delivered again. So engines that agree in these are one state. Two
//!   things come out later: the valid block and what else is known of votes, of an engine that is still to propose, which
//!   are part of its state then; who gave the votes of a quorum never does ([`Detail::Quorums`]).
//! - *Whoever has decided, or has said its last word of the last round, says nothing more here.* Only that is kept of it
//!   which it said.
//!
//! Engines are run once for each pair of state and event and remembered, so most of the search is looking up numbers.
//!
//! # What it does not see
//! More than one height, rounds after *R* − 1, bad blocks, crashes, statuses and what answers them. The seeds try these,
//! and [`crate::crash`] and [`crate::twins`] search through some.
//!
//! Start reading at [`Search::run`].

use std::collections::HashMap;

use foldhash::fast::FixedState;
use hanse_consensus::bft::{Bugs, Detail};
use hanse_consensus::{Input, Message, Peer, Proposal, Quorum, Statement, Step, Timer, VoteKind, Word};
use hanse_types::hash::Domain;
use hanse_types::{Epoch, Hash, Height, Round};

mod place;
mod rules;

use crate::random::Random;
use crate::small::VALIDATORS;
use place::{Place, Proposed, Setting};
use rules::State;

/// How messages reach engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One by one. States are taken in the random order of this seed.
    Alone {
        /// The seed.
        seed: u64,
    },
    /// All votes for one thing at once, where something comes of it. States are taken in the order of their distance from
    /// the first.
    Whole,
}

/// A search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The validator that is faulty: 1 proposes in round 0, 2 in round 1, 3 in round 2, 0 in none of these.
    pub faulty: u8,
    /// How many rounds there are.
    pub rounds: u32,
    /// How messages reach engines.
    pub delivery: Delivery,
    /// States after which the search stops, if it has not come to its end.
    pub limit: usize,
    /// Mistakes in the engines.
    pub bugs: Bugs,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Events tried in them that led somewhere.
    pub transitions: u64,
    /// Different states of single engines.
    pub engines: usize,
    /// States in which an engine has decided.
    pub decisions: usize,
    /// Whether every state was searched that there is.
    pub complete: bool,
    /// What did not hold, if something did not, and how it came to that, event by event.
    pub violation: Option<(String, Vec<String>)>,
}

impl Search {
    /// Searches until something does not hold, everything has been seen, or the limit is reached.
    pub fn run(&self) -> Found {
        let setting = Setting::new(self.faulty, self.rounds, self.bugs);
        Searching::new(&setting, self.delivery).run(self.limit)
    }
}

/// Something that happens to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Timeout(Step),
    /// One validator's vote.
    Vote {
        from: u8,
        kind: VoteKind,
        round: u8,
        choice: u8,
    },
    /// The votes of all these validators, one bit each.
    Votes {
        from: u8,
        kind: VoteKind,
        round: u8,
        choice: u8,
    },
    /// A proposal, by its place among all that were ever seen.
    Proposal(u16),
}

/// The three engines, by their places.
type Engines = [u32; 3];

/// Mostly the newest state, which is far from the first, and sometimes any.
fn take(open: &mut Vec<u32>, dice: &mut Random) -> u32 {
    let last = open.len() - 1;
    let taken = if dice.chance(900) { last } else { dice.below(open.len() as u64) as usize };
    open.swap_remove(taken)
}

struct Searching<'a> {
    setting: &'a Setting,
    delivery: Delivery,
    places: Vec<Place>,
    /// The number of each place, by the digest of the bytes by which it is known.
    names: HashMap<Hash, u32, FixedState>,
    /// What comes of an event in a place.
    after: HashMap<(u32, Event), u32, FixedState>,
    proposals: Vec<Proposal>,
    /// Their numbers, by what is proposed and by the validators in the polka.
    numbers: HashMap<(Proposed, u8), u16, FixedState>,
    /// All states, each with the one that it was reached from, the engine that something happened to, and what.
    states: Vec<(Engines, u32, u8, Option<Event>)>,
    known: HashMap<Engines, (), FixedState>,
    transitions: u64,
    decisions: usize,
}

impl<'a> Searching<'a> {
    fn new(setting: &'a Setting, delivery: Delivery) -> Searching<'a> {
        Searching {
            setting,
            delivery,
            places: Vec::new(),
            names: HashMap::default(),
            after: HashMap::default(),
            proposals: Vec::new(),
            numbers: HashMap::default(),
            states: Vec::new(),
            known: HashMap::default(),
            transitions: 0,
            decisions: 0,
        }
    }

    fn run(mut self, limit: usize) -> Found {
        let honest: Vec<u8> = self.setting.honest().collect();
        let first = [0, 1, 2].map(|at| self.place(Place::first(self.setting, honest[at])));
        self.add(first, 0, 0, None);
        // States from `next` on have not been looked at.
        let (mut next, mut events, mut dice) = (0, Vec::new(), None);
        if let Delivery::Alone { seed } = self.delivery {
            dice = Some(Random::new(seed, "search"));
        }
        let mut open: Vec<u32> = vec![0];
        let mut violation = None;
        while violation.is_none() && self.states.len() < limit {
            let taken = match &mut dice {
                Some(dice) if !open.is_empty() => take(&mut open, dice) as usize,
                None if next < self.states.len() => next,
                _ => break,
            };
            next += 1;
            let before = self.states.len();
            violation = self.expand(taken, &mut events);
            if dice.is_some() {
                open.extend(before as u32..self.states.len() as u32);
            }
        }
        Found {
            complete: violation.is_none() && next >= self.states.len(),
            states: self.states.len(),
            transitions: self.transitions,
            engines: self.places.len(),
            decisions: self.decisions,
            violation,
        }
    }

    /// Does everything that can happen in a state.
    fn expand(&mut self, taken: usize, events: &mut Vec<Event>) -> Option<(String, Vec<String>)> {
        let engines = self.states[taken].0;
        for moved in 0..engines.len() {
            events.clear();
            self.events(&engines, moved, events);
            for event in events.drain(..) {
                let there = self.happens(engines[moved], event);
                if there == engines[moved] {
                    continue;
                }
                self.transitions += 1;
                let mut reached = engines;
                reached[moved] = there;
                if !self.add(reached, taken, moved, Some(event)) {
                    continue;
                }
                let said = self.places[engines[moved] as usize].said.len();
                let state = State { setting: self.setting, places: reached.map(|at| &self.places[at as usize]) };
                if let Some(broken) = state.broken(moved, said) {
                    return Some((broken, self.path()));
                }
            }
        }
        None
    }

    fn add(&mut self, engines: Engines, from: usize, moved: usize, event: Option<Event>) -> bool {
        let is_new = self.known.insert(engines, ()).is_none();
        if is_new {
            self.states.push((engines, from as u32, moved as u8, event));
            self.decisions += usize::from(engines.iter().any(|at| self.places[*at as usize].decided.is_some()));
        }
        is_new
    }

    /// The place of an engine's state, which may be known.
    fn place(&mut self, place: Place) -> u32 {
        let name = match self.delivery {
            Delivery::Alone { .. } => place.state(),
            Delivery::Whole => place.essence(self.setting, Detail::Quorums),
        };
        let next = self.places.len() as u32;
        // Any domain serves: the digest stays here.
        let number = *self.names.entry(Hash::of(Domain::Header, &name)).or_insert(next);
        if number == next {
            self.places.push(place);
        }
        number
    }

    // ---- What can happen ----

    /// Everything that can happen to an engine next.
    fn events(&mut self, engines: &Engines, moved: usize, events: &mut Vec<Event>) {
        let place = &self.places[engines[moved] as usize];
        let (round, step) = (place.round(), place.step());
        if place.is_over(self.setting) && (place.decided.is_some() || round >= self.setting.rounds) {
            return;
        }
        if step != Step::Precommit {
            events.push(Event::Timeout(step));
        }
        events.push(Event::Timeout(Step::Precommit));
        self.votes(engines, moved, events);
        self.proposals_of_honest(engines, moved, events);
        self.proposals_of_faulty(engines, round, step, events);
    }

    fn votes(&self, engines: &Engines, moved: usize, events: &mut Vec<Event>) {
        let place = &self.places[engines[moved] as usize];
        for round in 0..self.setting.rounds as u8 {
            for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                for choice in self.setting.choices() {
                    let all = self.voters(engines, kind, u32::from(round), choice);
                    let (mask, count) = (all & !(1 << place.me), all.count_ones());
                    let is_quorum = count as usize >= self.setting.group.set.quorum();
                    // Fewer than a quorum can move nobody, but an engine with a mistake in it; of a later round they
                    // would move anybody there, which a timeout does without leaving votes behind.
                    let is_tried = is_quorum || (count > 1 && u32::from(round) <= place.round());
                    let alone = matches!(self.delivery, Delivery::Alone { .. });
                    if alone {
                        let from = (0..VALIDATORS).filter(|from| mask >> from & 1 == 1);
                        events.extend(from.map(|from| Event::Vote { from, kind, round, choice }));
                    }
                    if if alone { is_quorum } else { is_tried } {
                        events.push(Event::Votes { from: mask, kind, round, choice });
                    }
                }
            }
        }
    }

    fn proposals_of_honest(&mut self, engines: &Engines, moved: usize, events: &mut Vec<Event>) {
        let place = &self.places[engines[moved] as usize];
        let (round, step) = (place.round(), place.step());
        for other in (0..engines.len()).filter(|other| *other != moved) {
            for at in 0..self.places[engines[other] as usize].proposals.len() {
                let proposed = self.places[engines[other] as usize].proposals[at];
                if self.is_heard(proposed.0, round, step) {
                    events.push(self.proposal(engines, proposed));
                }
            }
        }
    }

    /// Whether a proposal of a round is delivered to an engine that is there.
    fn is_heard(&self, turn: u32, round: u32, step: Step) -> bool {
        (turn == round && step == Step::Propose) || matches!(self.delivery, Delivery::Alone { .. })
    }

    /// New blocks in the faulty one's turn; old ones, with a polka if there can be one.
    fn proposals_of_faulty(&mut self, engines: &Engines, round: u32, step: Step, events: &mut Vec<Event>) {
        let faulty = u32::from(self.setting.faulty);
        for turn in (0..self.setting.rounds).filter(|turn| self.setting.proposer(*turn) == faulty) {
            if !self.is_heard(turn, round, step) {
                continue;
            }
            for choice in self.setting.choices().skip(1) {
                let made = self.setting.blocks[usize::from(choice) - 1].header().round.0;
                if made == turn {
                    events.push(self.proposal(engines, (turn, choice, None)));
                }
                for valid in made..turn {
                    events.push(self.proposal(engines, (turn, choice, Some(valid))));
                }
            }
        }
    }

    /// Who can be shown to have voted for something, the faulty one among them.
    fn voters(&self, engines: &Engines, kind: VoteKind, round: u32, choice: u8) -> u8 {
        let bit = self.setting.bit(kind, round, self.setting.choice(choice));
        let voters = engines.iter().map(|at| &self.places[*at as usize]).filter(|place| place.votes & bit != 0);
        voters.fold(1 << self.setting.faulty, |mask, place| mask | 1u8 << place.me)
    }

    /// The arrival of a proposal, with a polka of all who can be shown to have voted for it.
    fn proposal(&mut self, engines: &Engines, proposed: Proposed) -> Event {
        let (turn, choice, valid) = proposed;
        let voters = valid.map_or(0, |valid| self.voters(engines, VoteKind::Prevote, valid, choice));
        if let Some(number) = self.numbers.get(&(proposed, voters)) {
            return Event::Proposal(*number);
        }
        let block = self.setting.blocks[usize::from(choice) - 1].clone();
        let polka = valid.and_then(|round| self.quorum(voters, VoteKind::Prevote, round as u8, choice));
        let word = Word::Propose { block: block.hash(), valid_round: valid.map(Round) };
        let statement = Statement { epoch: Epoch(0), height: Height(1), round: Round(turn), word };
        let signed = self.setting.group.sign(self.setting.proposer(turn), statement);
        let number = self.proposals.len() as u16;
        self.proposals.push(Proposal { signed, block, polka });
        self.numbers.insert((proposed, voters), number);
        Event::Proposal(number)
    }

    fn quorum(&self, from: u8, kind: VoteKind, round: u8, choice: u8) -> Option<Quorum> {
        if (from.count_ones() as usize) < self.setting.group.set.quorum() {
            return None;
        }
        let statement = self.setting.vote(kind, u32::from(round), choice);
        let voters = (0..u32::from(VALIDATORS)).filter(|voter| from >> voter & 1 == 1);
        let signatures = voters.map(|voter| (voter, self.setting.group.sign(voter, statement).signature)).collect();
        let Statement { epoch, height, round, .. } = statement;
        Some(Quorum { kind, epoch, height, round, block: self.setting.choice(choice), signatures })
    }

    // ---- What comes of it ----

    fn happens(&mut self, at: u32, event: Event) -> u32 {
        if let Some(there) = self.after.get(&(at, event)) {
            return *there;
        }
        let mut place = self.places[at as usize].clone();
        self.tell(&mut place, event);
        let noticed = self.delivery != Delivery::Whole || self.is_noticed(at, &place);
        let there = if noticed { self.place(place) } else { at };
        self.after.insert((at, event), there);
        there
    }

    /// Whether others notice sooner or later that an engine has gone on.
    fn is_noticed(&self, before: u32, after: &Place) -> bool {
        let essence = |place: &Place| place.essence(self.setting, Detail::Nothing);
        after.wrong.is_some() || essence(&self.places[before as usize]) != essence(after)
    }

    fn tell(&self, place: &mut Place, event: Event) {
        let faulty = Peer(u32::from(self.setting.faulty));
        let mut hear = |message| place.tell(self.setting, Input::Message { from: faulty, message });
        match event {
            Event::Timeout(step) => {
                let timer = Timer::Step { height: Height(1), round: Round(place.round()), step };
                place.tell(self.setting, Input::Timeout(timer));
            }
            Event::Proposal(number) => hear(Message::Proposal(self.proposals[usize::from(number)].clone())),
            Event::Vote { from, kind, round, choice } => {
                let statement = self.setting.vote(kind, u32::from(round), choice);
                hear(Message::Vote(self.setting.group.sign(u32::from(from), statement)));
            }
            Event::Votes { from, kind, round, choice } => {
                let statement = self.setting.vote(kind, u32::from(round), choice);
                for voter in (0..VALIDATORS).filter(|voter| from >> voter & 1 == 1) {
                    hear(Message::Vote(self.setting.group.sign(u32::from(voter), statement)));
                }
                // As one, in case that it does not take a vote of the faulty one any more.
                let quorum = self.quorum(from, kind, round, choice);
                quorum.into_iter().for_each(|quorum| hear(Message::Quorum(quorum)));
            }
        }
    }

    /// How the newest state came about.
    fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = self.states.len() - 1;
        while let (engines, from, moved, Some(event)) = &self.states[at] {
            let place = &self.places[engines[usize::from(*moved)] as usize];
            let told = match event {
                Event::Proposal(number) => format!("{:?}", self.proposals[usize::from(*number)].signed.statement),
                event => format!("{event:?}"),
            };
            path.push(format!("validator {} in round {}: {told}", place.me, place.round()));
            at = *from as usize;
        }
        path.reverse();
        path
    }
}
