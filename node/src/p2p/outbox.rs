//! What waits to be sent to one peer: bounded, the urgent first, groups in turn.
//!
//! Putting something in never waits. Each module of each group has bounds of its own, so a group that sends too much loses
//! frames of its own and of nobody else; a frame is always taken where nothing waits, however long it is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_group::network::Module;
use hanse_types::Hash;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::frame::Parcel;

/// A peer that takes nothing for so long, while something waits for it, lags.
const PATIENCE: Duration = Duration::from_secs(1);
/// For so long after a frame was dropped, a peer counts as one that lags.
const MEMORY: Duration = Duration::from_secs(5);

/// A frame that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// The group's genesis hash.
    pub(super) group: Hash,
    /// What it is about.
    pub(super) module: Module,
    /// The group's frame.
    pub(super) parcel: Arc<Parcel>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Bytes of frames that may wait, for each module of each group.
    capacity: usize,
    queues: Mutex<Queues>,
    filled: Notify,
}

#[derive(Debug)]
struct Queues {
    modules: BTreeMap<Module, Turns>,
    taken_at: Instant,
    dropped: u64,
    dropped_at: Option<Instant>,
}

/// The groups of one module, in turn.
#[derive(Debug, Default)]
struct Turns {
    groups: BTreeMap<Hash, Waiting>,
    last: Option<Hash>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Arc<Parcel>>,
    bytes: usize,
}

impl Outbox {
    /// An empty one.
    pub(super) fn new(capacity: usize) -> Outbox {
        let queues = Queues { modules: BTreeMap::new(), taken_at: Instant::now(), dropped: 0, dropped_at: None };
        Outbox { capacity, queues: Mutex::new(queues), filled: Notify::new() }
    }

    /// Puts a frame in; whether there was room.
    pub(super) fn put(&self, group: Hash, module: Module, parcel: Arc<Parcel>) -> bool {
        let mut queues = self.queues.lock();
        if queues.waiting() == 0 {
            // Nobody was slow while there was nothing to take.
            queues.taken_at = Instant::now();
        }
        let waiting = queues.modules.entry(module).or_default().groups.entry(group).or_default();
        if waiting.bytes > 0 && waiting.bytes + parcel.len() > self.capacity {
            queues.dropped += 1;
            queues.dropped_at = Some(Instant::now());
            return false;
        }
        waiting.bytes += parcel.len();
        waiting.frames.push_back(parcel);
        drop(queues);
        self.filled.notify_one();
        true
    }

    /// Takes the most urgent frame, if there is any.
    pub(super) fn take(&self) -> Option<Outgoing> {
        let mut queues = self.queues.lock();
        let (module, (group, parcel)) =
            queues.modules.iter_mut().find_map(|(module, turns)| Some((*module, turns.next()?)))?;
        queues.taken_at = Instant::now();
        Some(Outgoing { group, module, parcel })
    }

    /// Completes when something was put in since the last time; there may be nothing all the same.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Frames of a module that wait.
    pub(super) fn waiting(&self, module: Module) -> usize {
        self.queues.lock().modules.get(&module).map_or(0, Turns::waiting)
    }

    /// Frames that there was no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.queues.lock().dropped
    }

    /// Whether the peer takes frames more slowly than they are made.
    pub(super) fn lags(&self) -> bool {
        let queues = self.queues.lock();
        let stands = queues.waiting() > 0 && queues.taken_at.elapsed() > PATIENCE;
        stands || queues.dropped_at.is_some_and(|at| at.elapsed() < MEMORY)
    }
}

impl Queues {
    fn waiting(&self) -> usize {
        self.modules.values().map(Turns::waiting).sum()
    }
}

impl Turns {
    fn waiting(&self) -> usize {
        self.groups.values().map(|waiting| waiting.frames.len()).sum()
    }

    /// The next frame of the group whose turn it is: the first one after the last that has any.
    fn next(&mut self) -> Option<(Hash, Arc<Parcel>)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let first = self.groups.range((after, Bound::Unbounded)).next().or_else(|| self.groups.iter().next());
        let group = *first?.0;
        let waiting = self.groups.get_mut(&group)?;
        let parcel = waiting.frames.pop_front()?;
        waiting.bytes -= parcel.len();
        if waiting.frames.is_empty() {
            self.groups.remove(&group);
        }
        self.last = Some(group);
        Some((group, parcel))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: Hash = Hash([1; 32]);
    const TWO: Hash = Hash([2; 32]);

    fn frame(length: usize) -> Arc<Parcel> {
        Arc::new(Parcel::new(vec![0; length].into()))
    }

    fn order(outbox: &Outbox) -> Vec<(Module, Hash, usize)> {
        std::iter::from_fn(|| outbox.take()).map(|next| (next.module, next.group, next.parcel.len())).collect()
    }

    #[test]
    fn the_urgent_goes_first_and_groups_take_turns() {
        let outbox = Outbox::new(1_000);
        let put = |group, module, length| assert!(outbox.put(group, module, frame(length)));
        put(ONE, Module::Transactions, 1);
        put(ONE, Module::Consensus, 2);
        put(ONE, Module::Consensus, 3);
        put(TWO, Module::Consensus, 4);
        put(TWO, Module::Sync, 5);
        let (consensus, sync, transactions) = (Module::Consensus, Module::Sync, Module::Transactions);
        let expected =
            [(consensus, ONE, 2), (consensus, TWO, 4), (consensus, ONE, 3), (sync, TWO, 5), (transactions, ONE, 1)];
        assert_eq!(order(&outbox), expected);
    }

    #[test]
    fn a_group_that_sends_too_much_loses_its_own_frames_only() {
        let outbox = Outbox::new(100);
        assert!(outbox.put(ONE, Module::Sync, frame(1_000)));
        assert!(!outbox.put(ONE, Module::Sync, frame(1)));
        assert!(outbox.put(TWO, Module::Sync, frame(60)) && outbox.put(ONE, Module::Consensus, frame(60)));
        assert!(!outbox.put(TWO, Module::Sync, frame(41)) && outbox.put(TWO, Module::Sync, frame(40)));
        assert_eq!((outbox.dropped(), outbox.waiting(Module::Sync)), (2, 3));
        assert!(outbox.lags());
        assert_eq!(order(&outbox).len(), 4);
        assert!(outbox.put(ONE, Module::Sync, frame(1)));
    }

    #[tokio::test]
    async fn who_waits_for_a_frame_is_woken() {
        let outbox = Arc::new(Outbox::new(100));
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move {
                loop {
                    match outbox.take() {
                        Some(next) => break next,
                        None => outbox.filled().await,
                    }
                }
            }
        });
        outbox.put(ONE, Module::Sync, frame(7));
        assert_eq!(waiting.await.unwrap().parcel.len(), 7);
    }
}
