//! The one clock of a group: a wall clock read once, and a monotonic clock from there on, so that it never goes back.
//!
//! A development chain may move it ahead; nothing moves it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hanse_types::Timestamp;

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_time: Timestamp,
    /// Milliseconds by which it was moved ahead.
    ahead: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { start: Instant::now(), start_time: Timestamp(since.as_millis() as u64), ahead: Arc::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start_time.plus_ms(self.ahead_ms()).plus_ms(self.start.elapsed().as_millis() as u64)
    }

    /// How long it is until a time, if the clock is not moved; nothing if it has come.
    pub(crate) fn until(&self, time: Timestamp) -> Duration {
        // The clock counts whole milliseconds, so wait to the end of the one that is asked for.
        let ms = time.since_ms(self.start_time.plus_ms(self.ahead_ms()));
        Duration::from_millis(ms).saturating_sub(self.start.elapsed())
    }

    /// Milliseconds by which it was moved ahead.
    pub(crate) fn ahead_ms(&self) -> u64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Moves it ahead; says by how much it was moved altogether.
    pub(crate) fn advance(&self, ms: u64) -> u64 {
        // Bounded, so that no time that is computed from it overflows.
        let add = |ahead: u64| Some(ahead.saturating_add(ms).min(AHEAD_MAX_MS));
        let before = self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).unwrap_or_else(|same| same);
        before.saturating_add(ms).min(AHEAD_MAX_MS)
    }
}

/// A thousand years.
const AHEAD_MAX_MS: u64 = 1_000 * 366 * 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_copies_are_moved_ahead_and_none_back() {
        let clock = Clock::new();
        let copy = clock.clone();
        let before = clock.now();
        assert_eq!(copy.advance(3_600_000), 3_600_000);
        assert!(clock.now() >= before.plus_ms(3_600_000));
        assert_eq!(clock.until(before.plus_ms(3_600_000)), Duration::ZERO);
        assert!(clock.until(clock.now().plus_ms(60_000)) <= Duration::from_secs(60));
        assert_eq!(clock.advance(u64::MAX), AHEAD_MAX_MS);
        assert!(clock.now() >= before.plus_ms(AHEAD_MAX_MS));
    }
}
