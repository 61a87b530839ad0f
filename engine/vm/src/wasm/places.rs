//! How many instances may wait for their next call, of all contracts and threads together: each takes a place in the
//! engine's pool of memories.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places of one engine.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<AtomicUsize>,
}

/// The right of an instance to wait. Taken once and kept from call to call, so that calls share nothing; given back when
/// the instance is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    free: Arc<AtomicUsize>,
}

impl Places {
    /// So many places.
    pub(crate) fn new(count: usize) -> Places {
        Places { free: Arc::new(AtomicUsize::new(count)) }
    }

    /// A place, if one is free.
    pub(crate) fn claim(&self) -> Option<Place> {
        let claimed = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1));
        claimed.ok().map(|_| Place { free: self.free.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_were_said_and_they_come_back() {
        let places = Places::new(2);
        let (first, second) = (places.claim(), places.claim());
        assert!(first.is_some() && second.is_some() && places.claim().is_none());
        drop(first);
        let third = places.claim();
        assert!(third.is_some() && places.claim().is_none());
    }
}
