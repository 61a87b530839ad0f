//! What is asked of whom: which blocks are neither here nor on their way, whether their outcomes are wanted, who answers first.

use hanse_consensus::Peer;
use hanse_types::{Height, Timestamp};

use super::{BlockSync, Range, Stage, SyncOutput};
use crate::sync::message::SyncMessage;
use crate::sync::source::Source;

/// When somebody can be asked for something.
enum Availability {
    Now,
    /// Who has it did not answer lately, and is left alone for a while.
    Later,
    Never,
}

impl BlockSync {
    /// How many blocks from a height on are neither here nor on their way; none if the height is not to be asked for.
    pub(super) fn room_at(&self, from: Height) -> Option<u64> {
        let end = self.end();
        let taken = from <= self.tip.0 || from.0 >= end || self.ready.contains_key(&from);
        if taken || self.covering(from).is_some() {
            return None;
        }
        let next_range = self.ranges.range(from..).next().map(|(at, _)| at.0);
        let next_ready = self.ready.range(from..).next().map(|(at, _)| at.0);
        let until = [Some(end), next_range, next_ready].into_iter().flatten().min()?;
        Some(until - from.0)
    }

    /// The height before which blocks are asked for.
    fn end(&self) -> u64 {
        let window = self.tip.0.0.saturating_add(1).saturating_add(self.limits.window_blocks);
        let target = self.target().0.saturating_add(1);
        let barrier = self.barrier.map_or(u64::MAX, |barrier| barrier.0);
        window.min(target).min(barrier)
    }

    /// The first height that is to be asked for, and for how many.
    fn next_gap(&self) -> Option<(Height, u64)> {
        let (mut at, end) = (self.tip.0.next(), self.end());
        while at.0 < end {
            if let Some((from, range)) = self.covering(at) {
                at = Height(from.0 + range.count);
            } else if self.ready.contains_key(&at) {
                at = at.next();
            } else {
                return self.room_at(at).map(|room| (at, room));
            }
        }
        None
    }

    /// The first height whose block is run in any case.
    pub(super) fn replay_from(&self) -> Height {
        let newest = self.target().0.saturating_add(1).saturating_sub(self.limits.replayed);
        Height(if self.by_outcomes { newest } else { 0 })
    }

    /// When a block can be asked for with its outcomes.
    fn outcomes_at(&self, height: Height) -> Availability {
        if height >= self.replay_from() {
            return Availability::Never;
        }
        let sources = || self.sources.iter().filter(|(peer, _)| !self.is_dropped(peer)).map(|(_, source)| source);
        if sources().any(|source| source.has_outcomes(height, self.now)) {
            return Availability::Now;
        }
        // Of whoever never answered it is not known.
        let later =
            sources().any(|source| source.took_ms.is_some() && source.has_outcomes(height, Timestamp(u64::MAX)));
        if later { Availability::Later } else { Availability::Never }
    }

    /// How many of the blocks from a height on are to be asked for in the same way as that one.
    fn alike(&self, from: Height, outcomes: bool) -> u64 {
        let replay_from = Some(self.replay_from()).filter(|_| outcomes);
        // Where nobody has the outcomes of a block, somebody may have those of a later one.
        let had_from =
            self.sources.values().map(|source| source.outcomes_from).filter(|_| self.by_outcomes && !outcomes);
        let ends = replay_from.into_iter().chain(had_from).filter(|end| *end > from);
        ends.min().map_or(u64::MAX, |end| end.0 - from.0)
    }

    /// Asks for as much as there is room for, of those who will be the first to answer.
    pub(super) fn ask(&mut self, out: &mut Vec<SyncOutput>) {
        while let Some((from, room)) = self.next_gap().filter(|_| self.active) {
            let is_first = from == self.tip.0.next();
            if !is_first && self.waiting_bytes() + self.limits.answer_bytes > self.limits.window_bytes {
                return;
            }
            let outcomes = match self.outcomes_at(from) {
                Availability::Now => true,
                // What is not needed yet is waited for.
                Availability::Later if !is_first => return,
                Availability::Later | Availability::Never => false,
            };
            let room = room.min(self.alike(from, outcomes));
            let Some(peer) = self.best(from, outcomes) else { return };
            let Some(source) = self.sources.get_mut(&peer) else { return };
            let has = (source.tip.0 - from.0).saturating_add(1);
            let patience = source.patience_ms(self.limits.answer_ms);
            source.asked += 1;
            let count = room.min(has).min(self.usual_count());
            let stage = Stage::Asked { at: self.now, until: self.now.plus_ms(patience) };
            self.ranges.insert(from, Range { count, bytes: self.limits.answer_bytes, outcomes, peer, stage });
            // At most `request_blocks`.
            out.push(SyncOutput::Send(peer, SyncMessage::GetBlocks { from, count: count as u32, outcomes }));
        }
    }

    /// Bytes that are kept and that may come.
    fn waiting_bytes(&self) -> usize {
        self.ready_bytes + self.ranges.values().map(|range| range.bytes).sum::<usize>()
    }

    /// As many blocks as an answer will take, as far as those before tell.
    fn usual_count(&self) -> u64 {
        let most = u64::from(self.limits.request_blocks.max(1));
        let sum: usize = self.lengths.iter().sum();
        match self.lengths.len() {
            0 => most.min(16),
            count => ((self.limits.answer_bytes / (sum / count).max(1)) as u64).clamp(1, most),
        }
    }

    /// Who is expected to answer first, of those who have a block (with its outcomes, if so wished) and may be asked.
    fn best(&self, height: Height, outcomes: bool) -> Option<Peer> {
        let may = |(peer, source): &(&Peer, &Source)| {
            let has = if outcomes { source.has_outcomes(height, self.now) } else { source.has(height, self.now) };
            has && source.asked < self.limits.requests_per_peer && !self.is_dropped(peer)
        };
        let sources = self.sources.iter().filter(may);
        sources.min_by_key(|(peer, source)| (source.expected_ms(), source.asked, **peer)).map(|(peer, _)| *peer)
    }
}
