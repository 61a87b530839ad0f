//! When a validator wants to lead, and when one who leads stops.
//!
//! Raft's election alone lets a validator that was cut off disturb a group that works: its term has grown with each vain
//! election, and the leader steps down before a later term. So nobody begins a term before a majority has said that it
//! would vote for it: that it misses a leader too, and that the other's log is not behind its own (*pre-vote*, section 9.6
//! of Ongaro's dissertation, *Consensus: Bridging Theory and Practice*, 2014). The answer binds nobody, so it need not be
//! durable.
//!
//! Then a leader whom only some can hear, and who hears nobody, would keep those from electing another. So a leader that
//! was not answered by a majority for the time of an election falls silent, and asks like the others (section 6.2, *check
//! quorum*). If a majority would have it, it goes on with its term.
//!
//! Whether a leader was heard lately is told by the clock, and by the own timer: a clock that stands still alone does not
//! keep a leader alive.

use std::collections::BTreeSet;

use hanse_types::{Round, Timestamp};

use crate::raft::Raft;
use crate::raft::member::Member;
use crate::raft::words::{Position, RaftMessage, RaftWord};
use crate::verify::Verify;
use crate::{Fault, Output, Timer};

/// A leader says that it is there so many times in the time of an election.
const BEATS: u64 = 8;
/// After so many beats that were not heard, a leader is missed.
const MISSED: u64 = 2;

/// What a validator knows of who leads, and of who would have it lead.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// The leader that was heard last, and when, unless it is missed by now.
    leader: Option<(u32, Timestamp)>,
    /// Who would vote for this validator, while it asks.
    granted: BTreeSet<u32>,
    /// As leader: who was heard since the last count, and the beats since then.
    heard: BTreeSet<u32>,
    beats: u64,
    /// As leader: whether a majority was not heard for too long.
    is_silent: bool,
}

impl<V: Verify> Raft<V> {
    /// The time of an election, in milliseconds.
    fn election_ms(&self) -> u64 {
        self.config.timing.propose_ms.max(BEATS)
    }

    fn is_majority(&self, count: usize) -> bool {
        2 * count > self.set.len()
    }

    /// Whether this validator leads, and says so.
    fn leads_aloud(&self) -> bool {
        self.member.as_ref().is_some_and(Member::is_leader) && !self.presence.is_silent
    }

    /// How long until a leader is missed, or, for a leader, until it says again that it is there.
    pub(super) fn set_lead_timer(&self, out: &mut Vec<Output>) {
        let Some(member) = &self.member else { return };
        let (count, election) = (self.set.len() as u64, self.election_ms());
        let place = (u64::from(member.me()) + u64::from(member.term().0)) % count;
        let after_ms = match self.leads_aloud() {
            true => election / BEATS,
            false => election / 2 + place * election / (2 * count),
        };
        out.push(Output::SetTimer { timer: Timer::Lead, after_ms });
    }

    /// [`Timer::Lead`] has run out: a leader says that it is there; others ask whether they should lead.
    pub(super) fn lead(&mut self, out: &mut Vec<Output>) {
        self.count_heard();
        let (is_leading, tip) = (self.leads_aloud(), self.tip.height);
        let Some(member) = &mut self.member else { return };
        if is_leading {
            return member.campaign();
        }
        let (me, question) = (member.me(), member.say(None, RaftWord::Canvass { last: member.last() }));
        // A ledger that is behind its own log was put back from a copy: who has it can't propose.
        let may_lead = member.base().height <= tip;
        self.presence.leader = None;
        self.set_lead_timer(out);
        if may_lead {
            self.presence.granted = BTreeSet::from([me]);
            self.send(question, out);
            self.campaign_if_wanted();
        }
    }

    /// After so many beats, a leader that has not heard a majority falls silent.
    fn count_heard(&mut self) {
        let Some(me) = self.member.as_ref().map(Member::me).filter(|_| self.leads_aloud()) else {
            (self.presence.beats, self.presence.heard) = (0, BTreeSet::new());
            return;
        };
        self.presence.heard.insert(me);
        self.presence.beats += 1;
        if self.presence.beats >= BEATS {
            self.presence.is_silent = !self.is_majority(self.presence.heard.len());
            (self.presence.beats, self.presence.heard) = (0, BTreeSet::new());
        }
    }

    /// Notes who was heard.
    pub(super) fn note_presence(&mut self, message: &RaftMessage, is_append: bool) {
        let Some(term) = self.member.as_ref().map(Member::term) else { return };
        self.presence.heard.insert(message.from);
        if is_append && message.term >= term {
            self.presence.leader = Some((message.from, self.now));
            self.presence.granted.clear();
        }
    }

    /// Whether another than this one leads, as far as can be told.
    fn is_led_by_other(&self, than: u32) -> bool {
        let missed_ms = MISSED * self.election_ms() / BEATS;
        let lately = |(leader, at): &(u32, Timestamp)| *leader != than && self.now.since_ms(*at) < missed_ms;
        self.leads_aloud() || self.presence.leader.as_ref().is_some_and(lately)
    }

    /// Somebody asks whether it should lead the next term.
    pub(super) fn answer_canvass(&mut self, asker: u32, term: Round, last: Position, out: &mut Vec<Output>) {
        let is_led = self.is_led_by_other(asker);
        let Some(member) = &self.member else { return };
        let granted = !is_led && term >= member.term() && last >= member.last();
        let answer = member.say(Some(asker), RaftWord::Canvassed { granted });
        self.send(answer, out);
    }

    /// Somebody has answered; from one who is further, the term is taken over.
    pub(super) fn canvassed(&mut self, answer: &RaftMessage, granted: bool) -> Result<(), Fault> {
        let Some(term) = self.member.as_ref().map(Member::term) else { return Ok(()) };
        if answer.term > term {
            return self.hear(RaftMessage { word: RaftWord::Elected { granted: false }, ..answer.clone() });
        }
        if granted && !self.presence.granted.is_empty() {
            self.presence.granted.insert(answer.from);
            self.campaign_if_wanted();
        }
        Ok(())
    }

    /// Wants to lead, or goes on to, if a majority would have it.
    fn campaign_if_wanted(&mut self) {
        if !self.is_majority(self.presence.granted.len()) {
            return;
        }
        self.presence.granted.clear();
        self.presence.is_silent = false;
        if let Some(member) = &mut self.member {
            member.campaign();
        }
    }
}
