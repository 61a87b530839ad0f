//! When a database is closed: after its last user is gone, which may be a query that still runs on some thread.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Says that a database is closed when it is dropped. Whoever has the database keeps it *after* it, so that it is dropped
/// after it.
#[cfg(any(feature = "rocksdb", test))]
#[derive(Debug, Default)]
pub(crate) struct Closing(Closed);

/// Knows when a database is closed. Does not keep it open.
#[derive(Clone, Debug, Default)]
pub struct Closed(Arc<(Mutex<bool>, Condvar)>);

#[cfg(any(feature = "rocksdb", test))]
impl Closing {
    /// For those who want to know.
    pub(crate) fn closed(&self) -> Closed {
        self.0.clone()
    }
}

#[cfg(any(feature = "rocksdb", test))]
impl Drop for Closing {
    fn drop(&mut self) {
        let (is_closed, changed) = &*self.0.0;
        *is_closed.lock() = true;
        changed.notify_all();
    }
}

impl Closed {
    /// Of a store that nothing has to be closed of.
    pub fn already() -> Closed {
        Closed(Arc::new((Mutex::new(true), Condvar::new())))
    }

    /// Waits until the database is closed, or so long; whether it is closed. It can be opened again then.
    pub fn wait(&self, timeout: Duration) -> bool {
        let (is_closed, changed) = &*self.0;
        let mut is_closed = is_closed.lock();
        changed.wait_while_for(&mut is_closed, |is_closed| !*is_closed, timeout);
        *is_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_when_the_last_user_is_gone() {
        let closing = Arc::new(Closing::default());
        let closed = closing.closed();
        assert!(!closed.wait(Duration::ZERO));
        let user = closing.clone();
        drop(closing);
        assert!(!closed.wait(Duration::ZERO), "somebody uses it");
        let last = std::thread::spawn(move || drop(user));
        assert!(closed.wait(Duration::from_secs(60)));
        last.join().unwrap_or_default();
        assert!(Closed::already().wait(Duration::ZERO));
    }
}
