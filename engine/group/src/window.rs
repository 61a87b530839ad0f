//! How much may be under way, so that nobody waits for long.
//!
//! By Little's law a transaction waits for as long as the node takes for all that is before it: verification, the pool,
//! the blocks under way, the disk. So one bound on all of it together bounds the whole wait, wherever the time goes, and
//! what is above it is refused at once instead of waiting to be refused. How much that is depends on the machine and on
//! what is called, so the window follows what was seen: a block whose oldest transaction took longer than it should from
//! its submission until it was durable narrows it in that proportion, one that took less widens it, by a quarter at most, if
//! anybody was turned away. Where hardly any of it was used it stays as it is: whatever made them wait, others did not.
//!
//! What it takes to decide whatever is decided ([`crate::deciding`]), votes and syncs of disks, is allowed for, since a narrower
//! window would hardly make it shorter ([`Aim`]). While others are turned away those that are let in should wait hardly longer
//! than if they were alone. A part of the window is a block: waiting for more would only let the disk and the cores rest.
//!
//! A window that is full stays shut until a good part of it is free: whoever comes with many transactions would otherwise
//! have all of them decoded for the few that there is room for. Whoever comes with fewer than there is room for is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hanse_txpool::{Pool, PoolStatus};
use hanse_types::Timestamp;
use parking_lot::Mutex;

/// What is let in however slow blocks are. A pool that is too slow lets in as many besides (`PoolLimits::wait_count`), so whoever it
/// turns away is one of many.
const LEAST: usize = 256;

/// What is let in before anything is known.
const FIRST: usize = 8_192;

/// The part of it that is free when it opens again for those who bring more.
const REOPENS: usize = 4;

/// The part of it that must have been used for a long wait to narrow it.
const USED: usize = 2;

/// The part by which it widens at most: less at a time would leave room that nobody gets, more makes the wait swing by
/// twice the aim and back.
const WIDENS: usize = 4;

/// The part of it that is enough for a block where one validator decides alone: verification, the block under way, and the
/// disk have theirs besides.
const BATCHES_ALONE: usize = 6;

/// And where several do: each block costs them votes.
const BATCHES_OF_SEVERAL: usize = 3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Window {
    limit: AtomicUsize,
    /// Most that may wait for verification, whatever the window.
    verifying_most: usize,
    /// Transactions that wait for verification, or are being verified.
    verifying: AtomicUsize,
    /// Whether somebody was turned away since a block last counted.
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

    /// How many transactions are enough for a block.
    pub(crate) fn batch(&self, decides_alone: bool) -> usize {
        self.limit() / if decides_alone { BATCHES_ALONE } else { BATCHES_OF_SEVERAL }
    }

    /// How many more it lets in of `count`, with a pool that is so full: none, if there is little room and they are more. Of
    /// none it lets in one, if any.
    pub(crate) fn room(&self, pool: &PoolStatus, count: usize) -> usize {
        let (limit, verifying) = (self.limit(), self.verifying.load(Ordering::Relaxed));
        let room = limit.saturating_sub(self.under_way(pool));
        let room = room.min(self.verifying_most.saturating_sub(verifying)).min(pool.room);
        let opens_at = (limit.min(self.verifying_most) / REOPENS).max(1);
        let was_shut = self.shut.load(Ordering::Relaxed);
        let is_shut = if was_shut { room < opens_at } else { room == 0 };
        self.shut.store(is_shut, Ordering::Relaxed);
        let count = count.max(1);
        if is_shut && room < count { 0 } else { room.min(count) }
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

    /// How many it has let in that are not durable.
    fn under_way(&self, pool: &PoolStatus) -> usize {
        self.verifying.load(Ordering::Relaxed) + pool.waiting + pool.sealed
    }

    /// A block is durable whose transactions are still in a pool that is so full; its oldest should have taken no longer than
    /// this.
    pub(crate) fn durable(&self, pool: &PoolStatus, now: Timestamp, aim: Aim) {
        let mut changed = self.changed.lock();
        let Some(since) = pool.sealed_since.filter(|since| *since >= *changed) else { return };
        let waited_ms = now.since_ms(since).max(1);
        let turned_away = self.turned_away.swap(false, Ordering::Relaxed);
        // It grows from one block to the next, so this is the most of it.
        if !turned_away && self.under_way(pool) < self.limit() / USED {
            return;
        }
        let target_ms = if turned_away { aim.crowded_ms } else { aim.calm_ms };
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

/// How long a transaction should wait from its submission until it is durable, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    /// While everybody is let in: what the operator allows, or what it may wait for its block to fill and a quarter more, or as
    /// much more as deciding takes.
    pub(crate) calm_ms: u64,
    /// While others are turned away: less, so that whoever is let in waits no longer than twice what he waits alone. Where one
    /// validator decides alone, blocks are full then before they have waited for the interval, so it is what the operator
    /// allows, or on a slow disk thrice what deciding takes: the block before is decided, its own is, and the rest of the work
    /// has as long. Where several do, it is what a transaction waits that is alone: the interval and deciding. Less would make
    /// batches that are too small to be verified and written well, or to be worth their votes.
    pub(crate) crowded_ms: u64,
}

impl Aim {
    /// That of a node's group, in which deciding takes so long.
    pub(crate) fn of(pool: &Pool, deciding_ms: u64, decides_alone: bool) -> Aim {
        let (interval_ms, wait_ms) = (pool.params().block_interval_ms, pool.limits().wait_ms);
        let calm_ms = interval_ms.saturating_add(deciding_ms.max(interval_ms / 4)).max(wait_ms);
        let crowded_ms = if decides_alone {
            // Full blocks take longer to write: an aim that grew thrice as fast as that would never stop them from growing.
            deciding_ms.saturating_mul(3).min(calm_ms)
        } else {
            interval_ms.saturating_add(deciding_ms)
        };
        Aim { calm_ms, crowded_ms: crowded_ms.max(wait_ms) }
    }
}

/// The window after one of `limit` let the oldest wait for so long. It halves at most, as one block may be unlike those that
/// follow; it does not grow past what anybody needs.
fn next_limit(limit: usize, waited_ms: u64, target_ms: u64, turned_away: bool) -> usize {
    if waited_ms <= target_ms && !turned_away {
        return limit;
    }
    let fitting = (limit as u128 * u128::from(target_ms) / u128::from(waited_ms)) as usize;
    fitting.clamp(limit / 2, limit.saturating_add(limit / WIDENS)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use hanse_txpool::{History, PoolLimits};
    use hanse_types::Height;
    use hanse_types::genesis::Params;

    use super::*;

    fn pool(waiting: usize, sealed: usize) -> PoolStatus {
        PoolStatus { waiting, sealed, room: 100_000, ..PoolStatus::default() }
    }

    /// More than there ever is room for.
    const MANY: usize = 100_000;

    #[test]
    fn what_is_verified_waits_and_is_in_blocks_counts() {
        let window = Arc::new(Window::new(5_000));
        assert_eq!(window.room(&pool(0, 0), MANY), 5_000);
        assert_eq!(window.room(&pool(4_000, 3_000), MANY), FIRST - 7_000);
        let verifying = window.enter(1_000);
        assert_eq!(window.room(&pool(0, 0), MANY), 4_000);
        assert_eq!(window.room(&pool(4_000, 3_000), MANY), FIRST - 8_000);
        assert_eq!(window.room(&pool(4_000, 3_000), 7), 7);
        assert_eq!(window.room(&PoolStatus { room: 3, ..pool(0, 0) }, MANY), 3);
        drop(verifying);
        assert_eq!(window.room(&pool(0, 0), MANY), 5_000);
        assert_eq!(window.room(&pool(4_000, 30_000), MANY), 0);
    }

    #[test]
    fn a_full_window_opens_for_many_when_a_quarter_of_it_is_free() {
        let window = Arc::new(Window::new(FIRST));
        assert_eq!(window.room(&pool(FIRST - 1, 0), MANY), 1);
        assert_eq!(window.room(&pool(FIRST, 0), MANY), 0);
        assert_eq!(window.room(&pool(FIRST - FIRST / 4 + 1, 0), MANY), 0);
        assert_eq!(window.room(&pool(FIRST - FIRST / 4, 0), MANY), FIRST / 4);
        assert_eq!(window.room(&pool(FIRST - 1, 0), MANY), 1);
    }

    #[test]
    fn a_full_window_opens_for_few_when_there_is_room_for_them() {
        let window = Arc::new(Window::new(FIRST));
        assert_eq!(window.room(&pool(FIRST, 0), 10), 0);
        assert_eq!(window.room(&pool(FIRST - 9, 0), 10), 0);
        assert_eq!(window.room(&pool(FIRST - 10, 0), 10), 10);
        assert_eq!(window.room(&pool(FIRST - 10, 0), 11), 0, "it is still shut for those who bring more");
        assert_eq!(window.room(&pool(FIRST, 0), 0), 0, "it has no room for anybody");
    }

    #[test]
    fn the_window_follows_the_wait() {
        assert_eq!(next_limit(1_000, 400, 300, false), 750);
        assert_eq!(next_limit(1_000, 60_000, 300, true), 500);
        assert_eq!(next_limit(LEAST, 60_000, 300, true), LEAST);
        // Without anybody at the door a short wait says nothing.
        assert_eq!(next_limit(1_000, 200, 300, false), 1_000);
        assert_eq!(next_limit(1_000, 250, 300, true), 1_200);
        assert_eq!(next_limit(1_000, 1, 300, true), 1_250);
    }

    fn pool_with(wait_ms: u64, block_interval_ms: u64) -> Pool {
        let params = Params { block_interval_ms, ..Params::default() };
        let limits = PoolLimits { wait_ms, ..PoolLimits::default() };
        Pool::new(limits, params, History::new(1, Height(0), Timestamp(0), []))
    }

    #[test]
    fn the_aim_is_a_quarter_above_the_interval_or_what_votes_take_or_where_the_operator_says() {
        let both = |wait_ms, block_interval_ms, deciding_ms, alone| {
            let Aim { calm_ms, crowded_ms } = Aim::of(&pool_with(wait_ms, block_interval_ms), deciding_ms, alone);
            (calm_ms, crowded_ms)
        };
        assert_eq!([both(180, 200, 0, true), both(400, 200, 0, true)], [(250, 180), (400, 400)]);
        // A disk that takes its time.
        assert_eq!([both(180, 200, 70, true), both(180, 200, 300, true)], [(270, 210), (500, 500)]);
        assert_eq!([both(180, 200, 20, false), both(180, 200, 70, false)], [(250, 220), (270, 270)]);
        assert_eq!([both(180, 20, 0, false), both(180, 200, 300, false)], [(180, 180), (500, 500)]);
        let aim = |wait_ms, block_interval_ms, deciding_ms| both(wait_ms, block_interval_ms, deciding_ms, false).0;
        assert_eq!([20, 200, 400, 1_000].map(|interval| aim(250, interval, 0)), [250, 250, 500, 1_250]);
        assert_eq!([aim(400, 200, 0), aim(250, 200, 40), aim(1, u64::MAX, 70)], [400, 250, u64::MAX]);
        assert_eq!([aim(250, 200, 70), aim(400, 200, 300)], [270, 500]);
    }

    /// A pool in which so many wait, and a block with so many is durable whose oldest transaction was submitted then.
    fn durable(waiting: usize, sealed: usize, since: u64) -> PoolStatus {
        PoolStatus { sealed_since: Some(Timestamp(since)), ..pool(waiting, sealed) }
    }

    #[test]
    fn it_changes_once_for_what_it_let_in() {
        let (window, aim) = (Window::new(5_000), Aim { calm_ms: 300, crowded_ms: 300 });
        window.durable(&durable(0, FIRST, 1_000), Timestamp(1_600), aim);
        assert_eq!(window.limit(), FIRST / 2);
        // These came while it was wider.
        window.durable(&durable(0, FIRST, 1_599), Timestamp(2_300), aim);
        assert_eq!(window.limit(), FIRST / 2);
        window.durable(&durable(0, FIRST, 1_600), Timestamp(2_000), aim);
        assert_eq!(window.limit(), FIRST / 2 * 3 / 4);
        window.turned_away();
        window.durable(&durable(0, 1, 2_000), Timestamp(2_150), aim);
        assert_eq!(window.limit(), FIRST / 2 * 3 / 4 * 5 / 4);
        assert_eq!([window.batch(true), window.batch(false)], [window.limit() / 6, window.limit() / 3]);
    }

    #[test]
    fn a_long_wait_narrows_it_if_much_of_it_was_used() {
        let (window, aim) = (Arc::new(Window::new(5_000)), Aim { calm_ms: 300, crowded_ms: 300 });
        let mut now = 1_000;
        let mut waits = |waiting, sealed| {
            now += 1_000;
            window.durable(&durable(waiting, sealed, now - 900), Timestamp(now), aim);
            window.limit()
        };
        // A disk that stands still, and few who wait for it.
        assert_eq!([waits(0, 1_000), waits(1_000, FIRST / 2 - 1_001)], [FIRST, FIRST]);
        assert_eq!([waits(1_000, FIRST / 2 - 1_000), waits(0, FIRST / 4 - 1)], [FIRST / 2, FIRST / 2]);
        let verifying = window.enter(FIRST / 4 - 1);
        assert_eq!(waits(0, 1), FIRST / 4);
        drop(verifying);
    }

    #[test]
    fn it_aims_at_less_while_others_are_turned_away() {
        let (window, aim) = (Window::new(5_000), Aim { calm_ms: 250, crowded_ms: 125 });
        window.durable(&durable(0, FIRST, 1_000), Timestamp(1_250), aim);
        assert_eq!(window.limit(), FIRST);
        window.turned_away();
        window.durable(&durable(0, 1, 1_250), Timestamp(1_500), aim);
        assert_eq!(window.limit(), FIRST / 2);
        // A short wait lets more in again.
        window.turned_away();
        window.durable(&durable(0, 1, 1_500), Timestamp(1_600), aim);
        assert_eq!(window.limit(), FIRST / 2 * 5 / 4);
    }
}
