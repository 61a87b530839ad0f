//! How much may be under way, so that nobody waits for long.
//!
//! By Little's law a transaction waits for as long as the node takes for all that is before it: verification, the pool,
//! the blocks under way, the disk. So one bound on all of it together bounds the whole wait, wherever the time goes, and
//! what is above it is refused at once instead of waiting to be refused. How much that is depends on the machine and on
//! what is called, so the window follows what was seen: a block whose oldest transaction took longer than it should from
//! its submission until it was durable narrows it in that proportion, one that took less widens it, if anybody was turned
//! away.
//!
//! A window that is full stays shut until a good part of it is free: whoever comes with many transactions would otherwise
//! have all of them decoded for the few that there is room for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hanse_txpool::PoolStatus;
use hanse_types::Timestamp;
use parking_lot::Mutex;

/// What is let in however slow blocks are.
const LEAST: usize = 256;

/// What is let in before anything is known.
const FIRST: usize = 8_192;

/// The part of it that is free when it opens again.
const REOPENS: usize = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct Window {
    limit: AtomicUsize,
    /// Most that may wait for verification, whatever the window.
    verifying_most: usize,
    /// Transactions that wait for verification, or are being verified.
    verifying: AtomicUsize,
    /// Whether somebody was turned away since the window last changed.
    turned_away: AtomicBool,
    /// Whether it was full, and not enough of it has become free since.
    shut: AtomicBool,
    /// When the window last changed: what came before says nothing of it.
    changed: Mutex<Timestamp>,
}

/// A place of transactions that are being verified; they leave it when it is dropped.
#[derive(Debug)]
pub(crate) struct Verifying {
    window: Arc<Window>,
    count: usize,
}

impl Window {
    /// A window of a node in which so many may wait for verification.
    pub(crate) fn new(verifying_most: usize) -> Window {
        Window {
            limit: AtomicUsize::new(FIRST),
            verifying_most,
            verifying: AtomicUsize::new(0),
            turned_away: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            changed: Mutex::new(Timestamp(0)),
        }
    }

    /// How many may be under way at once.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// How many more it lets in, with a pool that is so full.
    pub(crate) fn room(&self, pool: &PoolStatus) -> usize {
        let (limit, verifying) = (self.limit(), self.verifying.load(Ordering::Relaxed));
        let room = limit.saturating_sub(verifying + pool.waiting + pool.sealed);
        let room = room.min(self.verifying_most.saturating_sub(verifying)).min(pool.room);
        let enough = if self.shut.load(Ordering::Relaxed) { limit.min(self.verifying_most) / REOPENS } else { 1 };
        let is_shut = room < enough;
        self.shut.store(is_shut, Ordering::Relaxed);
        if is_shut { 0 } else { room }
    }

    /// Somebody was turned away.
    pub(crate) fn turned_away(&self) {
        self.turned_away.store(true, Ordering::Relaxed);
    }

    /// Lets transactions in to be verified.
    pub(crate) fn enter(self: &Arc<Window>, count: usize) -> Verifying {
        self.verifying.fetch_add(count, Ordering::Relaxed);
        Verifying { window: self.clone(), count }
    }

    /// A block is durable whose oldest transaction was submitted at `since`; it should have taken no longer than
    /// `target_ms`.
    pub(crate) fn durable(&self, since: Timestamp, now: Timestamp, target_ms: u64) {
        let mut changed = self.changed.lock();
        if since < *changed {
            return;
        }
        let waited_ms = now.since_ms(since).max(1);
        let turned_away = self.turned_away.swap(false, Ordering::Relaxed);
        let limit = next_limit(self.limit(), waited_ms, target_ms.max(1), turned_away);
        if limit != self.limit() {
            self.limit.store(limit, Ordering::Relaxed);
            *changed = now;
        }
    }
}

impl Drop for Verifying {
    fn drop(&mut self) {
        self.window.verifying.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// The window after one of `limit` let the oldest wait for so long. It at most doubles or halves, as one block may be
/// unlike those that follow; it does not grow past what anybody needs.
fn next_limit(limit: usize, waited_ms: u64, target_ms: u64, turned_away: bool) -> usize {
    if waited_ms <= target_ms && !turned_away {
        return limit;
    }
    let fitting = (limit as u128 * u128::from(target_ms) / u128::from(waited_ms)) as usize;
    fitting.clamp(limit / 2, limit.saturating_mul(2)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(waiting: usize, sealed: usize) -> PoolStatus {
        PoolStatus { waiting, sealed, room: 100_000, ..PoolStatus::default() }
    }

    #[test]
    fn what_is_verified_waits_and_is_in_blocks_counts() {
        let window = Arc::new(Window::new(5_000));
        assert_eq!(window.room(&pool(0, 0)), 5_000);
        assert_eq!(window.room(&pool(4_000, 3_000)), FIRST - 7_000);
        let verifying = window.enter(1_000);
        assert_eq!(window.room(&pool(0, 0)), 4_000);
        assert_eq!(window.room(&pool(4_000, 3_000)), FIRST - 8_000);
        assert_eq!(window.room(&PoolStatus { room: 3, ..pool(0, 0) }), 3);
        drop(verifying);
        assert_eq!(window.room(&pool(0, 0)), 5_000);
        assert_eq!(window.room(&pool(4_000, 30_000)), 0);
    }

    #[test]
    fn a_full_window_opens_when_a_quarter_of_it_is_free() {
        let window = Arc::new(Window::new(FIRST));
        assert_eq!(window.room(&pool(FIRST - 1, 0)), 1);
        assert_eq!(window.room(&pool(FIRST, 0)), 0);
        assert_eq!(window.room(&pool(FIRST - FIRST / 4 + 1, 0)), 0);
        assert_eq!(window.room(&pool(FIRST - FIRST / 4, 0)), FIRST / 4);
        assert_eq!(window.room(&pool(FIRST - 1, 0)), 1);
    }

    #[test]
    fn the_window_follows_the_wait() {
        assert_eq!(next_limit(1_000, 400, 300, false), 750);
        assert_eq!(next_limit(1_000, 60_000, 300, true), 500);
        assert_eq!(next_limit(LEAST, 60_000, 300, true), LEAST);
        // Without anybody at the door a short wait says nothing.
        assert_eq!(next_limit(1_000, 200, 300, false), 1_000);
        assert_eq!(next_limit(1_000, 200, 300, true), 1_500);
        assert_eq!(next_limit(1_000, 1, 300, true), 2_000);
    }

    #[test]
    fn it_changes_once_for_what_it_let_in() {
        let window = Window::new(5_000);
        window.durable(Timestamp(1_000), Timestamp(1_600), 300);
        assert_eq!(window.limit(), FIRST / 2);
        // These came while it was wider.
        window.durable(Timestamp(1_599), Timestamp(2_300), 300);
        assert_eq!(window.limit(), FIRST / 2);
        window.durable(Timestamp(1_600), Timestamp(2_000), 300);
        assert_eq!(window.limit(), FIRST / 2 * 3 / 4);
        window.turned_away();
        window.durable(Timestamp(2_000), Timestamp(2_150), 300);
        assert_eq!(window.limit(), FIRST / 2 * 3 / 2);
    }
}
