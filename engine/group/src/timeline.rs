//! When each thread ran which transaction, of the newest blocks, as a diary of this node.
//!
//! It is nobody's agreement: another node, or the same one again, would write another. It is kept in memory only, and only
//! while somebody asked for it, because two looks at the clock for each run of a transaction cost more than nothing.
//!
//! Start reading at [`Timelines`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use hanse_scheduler::Pass;
use hanse_types::{Height, TxIndex};
use parking_lot::Mutex;

/// Blocks that are kept at most,
pub const BLOCKS_MAX: usize = 128;
/// and runs of all of them together, if there is more than one.
pub const RUNS_MAX: usize = 200_000;

/// One run of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedRun {
    /// Which transaction, by its place in the block.
    pub index: TxIndex,
    /// Which thread, from 0.
    pub worker: u32,
    /// On what occasion.
    pub pass: Pass,
    /// When it began, counted from when the block did.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
}

/// The runs of one block, in the order in which they began.
#[derive(Clone, Debug)]
pub struct BlockTimeline {
    /// The block.
    pub height: Height,
    /// How long all its runs took, and what the scheduler does between them.
    pub took: Duration,
    /// The runs.
    pub runs: Arc<[TimedRun]>,
}

/// The diary of a group.
#[derive(Debug, Default)]
pub struct Timelines {
    is_on: AtomicBool,
    blocks: Mutex<VecDeque<BlockTimeline>>,
}

impl Timelines {
    /// Whether blocks are recorded from now on.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Records blocks from the next one on, or stops. What was recorded is forgotten when it stops.
    pub fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
        if !on {
            self.blocks.lock().clear();
        }
    }

    /// First and last height of what is kept; what lies between is there, unless recording was off meanwhile.
    pub fn heights(&self) -> Option<(Height, Height)> {
        let blocks = self.blocks.lock();
        Some((blocks.front()?.height, blocks.back()?.height))
    }

    /// That of a block, none if it was not recorded or is forgotten.
    pub fn of(&self, height: Height) -> Option<BlockTimeline> {
        self.blocks.lock().iter().find(|block| block.height == height).cloned()
    }

    /// Begins with a block, if blocks are recorded.
    pub(crate) fn begin(&self) -> Option<Arc<Recording>> {
        self.is_on().then(|| Arc::new(Recording { started: Instant::now(), runs: Mutex::default() }))
    }

    /// Keeps what was recorded of a block, whose transactions have this order: for each place in the block, that in the
    /// batch.
    pub(crate) fn keep(&self, height: Height, order: &[usize], recording: &Recording) {
        let took = recording.started.elapsed();
        let mut places = vec![0; order.len()];
        for (place, index) in (0..).zip(order) {
            places[*index] = place;
        }
        let mut runs: Vec<TimedRun> = std::mem::take(&mut *recording.runs.lock());
        for run in &mut runs {
            run.index = TxIndex(places[run.index.as_usize()]);
        }
        runs.sort_unstable_by_key(|run| (run.start, run.worker));
        let mut blocks = self.blocks.lock();
        blocks.retain(|block| block.height < height);
        blocks.push_back(BlockTimeline { height, took, runs: runs.into() });
        let mut kept: usize = blocks.iter().map(|block| block.runs.len()).sum();
        while blocks.len() > BLOCKS_MAX || (kept > RUNS_MAX && blocks.len() > 1) {
            kept -= blocks.pop_front().map_or(0, |block| block.runs.len());
        }
    }
}

/// The runs of a block that is being made.
#[derive(Debug)]
pub(crate) struct Recording {
    started: Instant,
    /// With places in the batch.
    runs: Mutex<Vec<TimedRun>>,
}

/// What one thread writes down, without a word to the others until it is done with the block.
#[derive(Debug)]
pub(crate) struct Lane {
    recording: Arc<Recording>,
    worker: u32,
    began: Instant,
    runs: Vec<TimedRun>,
}

impl Lane {
    /// That of the present thread.
    pub(crate) fn new(recording: Arc<Recording>) -> Lane {
        let worker = rayon::current_thread_index().unwrap_or(0) as u32;
        let began = recording.started;
        Lane { recording, worker, began, runs: Vec::new() }
    }

    pub(crate) fn began(&mut self) {
        self.began = Instant::now();
    }

    pub(crate) fn ended(&mut self, index: usize, pass: Pass) {
        let since = |time: Instant| time.saturating_duration_since(self.recording.started);
        let (start, end) = (since(self.began), since(Instant::now()));
        self.runs.push(TimedRun { index: TxIndex(index as u32), worker: self.worker, pass, start, end });
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.recording.runs.lock().append(&mut self.runs);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(timelines: &Timelines, height: u64, order: &[usize]) {
        let recording = timelines.begin().unwrap();
        let mut lane = Lane::new(recording.clone());
        for index in 0..order.len() {
            lane.began();
            lane.ended(index, Pass::Speculation);
        }
        drop(lane);
        timelines.keep(Height(height), order, &recording);
    }

    #[test]
    fn runs_are_told_by_their_places_in_the_block() {
        let timelines = Timelines::default();
        assert!(timelines.begin().is_none(), "nobody asked for it");
        timelines.switch(true);
        record(&timelines, 7, &[2, 0, 1]);
        let block = timelines.of(Height(7)).unwrap();
        let places: Vec<u32> = block.runs.iter().map(|run| run.index.0).collect();
        assert_eq!(places, [1, 2, 0]);
        assert!(block.runs.iter().all(|run| run.start <= run.end && run.end <= block.took));
        timelines.switch(false);
        assert!(timelines.of(Height(7)).is_none());
    }

    #[test]
    fn the_oldest_are_forgotten_and_a_height_is_there_once() {
        let timelines = Timelines::default();
        timelines.switch(true);
        for height in 1..=BLOCKS_MAX as u64 + 3 {
            record(&timelines, height, &[0]);
        }
        assert_eq!(timelines.heights(), Some((Height(4), Height(BLOCKS_MAX as u64 + 3))));
        // A chain that was taken back makes the height again.
        record(&timelines, 9, &[0, 1]);
        assert_eq!(
            (timelines.heights(), timelines.of(Height(9)).unwrap().runs.len()),
            (Some((Height(4), Height(9))), 2)
        );
    }
}
