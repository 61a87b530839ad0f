//! The one clock of a group: a wall clock read once, and a monotonic clock from there on, so that it never goes back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hanse_types::Timestamp;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_time: Timestamp,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { start: Instant::now(), start_time: Timestamp(since.as_millis() as u64) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start_time.plus_ms(self.start.elapsed().as_millis() as u64)
    }

    /// How long it is until a time; nothing if it has come.
    pub(crate) fn until(&self, time: Timestamp) -> Duration {
        // The clock counts whole milliseconds, so wait to the end of the one that is asked for.
        let ms = time.since_ms(self.start_time);
        Duration::from_millis(ms).saturating_sub(self.start.elapsed())
    }
}
