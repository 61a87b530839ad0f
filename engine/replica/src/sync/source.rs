//! What is known of a peer that blocks are asked of.

use std::collections::BTreeMap;

use hanse_types::{Height, Timestamp};

/// Requests that were given up and may still be answered, at most.
const LATE: usize = 16;
/// The shortest time that a peer is left alone that did not answer, in milliseconds; it doubles each time.
const PAUSE_MS: u64 = 500;
/// So often it doubles.
const DOUBLINGS: u32 = 6;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// The lowest block that it says it has.
    pub(super) first: Height,
    /// The highest.
    pub(super) tip: Height,
    /// The lowest block whose outcomes it says it has; it is taken to have all until it says so.
    pub(super) outcomes_from: Height,
    /// Requests that it has not answered.
    pub(super) asked: usize,
    /// How long an answer took lately, in milliseconds; none before the first.
    pub(super) took_ms: Option<u64>,
    /// Requests in a row that it did not answer in time.
    failures: u32,
    /// Until when it is left alone.
    pub(super) paused_until: Timestamp,
    /// When it was asked for what it did not bring in time, by the height asked for.
    late: BTreeMap<Height, Timestamp>,
    /// Answers to what it was not asked.
    pub(super) unasked: usize,
}

impl Source {
    /// Whether it may be asked for a block.
    pub(super) fn has(&self, height: Height, now: Timestamp) -> bool {
        self.first <= height && height <= self.tip && self.paused_until <= now
    }

    /// Whether it may be asked for a block with its outcomes.
    pub(super) fn has_outcomes(&self, height: Height, now: Timestamp) -> bool {
        self.has(height, now) && self.outcomes_from <= height
    }

    /// How long another request will take, as far as can be said.
    pub(super) fn expected_ms(&self) -> u64 {
        self.took_ms.unwrap_or(0).saturating_mul(self.asked as u64 + 1)
    }

    /// How long it may take to answer; at least `least_ms`.
    pub(super) fn patience_ms(&self, least_ms: u64) -> u64 {
        let usual = self.expected_ms().saturating_mul(4).max(least_ms);
        usual.saturating_mul(1 << self.failures.min(3))
    }

    /// It has answered what it was asked then.
    pub(super) fn answered(&mut self, asked_at: Timestamp, now: Timestamp) {
        self.asked = self.asked.saturating_sub(1);
        self.failures = 0;
        self.measured(asked_at, now);
    }

    fn measured(&mut self, asked_at: Timestamp, now: Timestamp) {
        let took = now.since_ms(asked_at);
        self.took_ms = Some(self.took_ms.map_or(took, |before| (3 * before + took) / 4));
    }

    /// It did not answer in time, or said that it can't.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.asked = self.asked.saturating_sub(1);
        let pause = PAUSE_MS << self.failures.min(DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        self.paused_until = self.paused_until.max(now.plus_ms(pause));
    }

    /// What it was asked for then may still come.
    pub(super) fn may_still_bring(&mut self, from: Height, asked_at: Timestamp) {
        self.late.insert(from, asked_at);
        while self.late.len() > LATE {
            self.late.pop_first();
        }
    }

    /// Whether this is what it was asked for and did not bring in time.
    pub(super) fn brings_late(&mut self, from: Height, now: Timestamp) -> bool {
        let Some(asked_at) = self.late.remove(&from) else { return false };
        self.measured(asked_at, now);
        self.paused_until = self.paused_until.min(now);
        true
    }
}
