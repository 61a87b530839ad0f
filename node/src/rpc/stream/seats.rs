//! Who has how many streams open: bounded for the node and for each client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hanse_client::{RpcError, codes};

use super::super::listener::Peer;

/// The open streams by client. A client is an address: behind one, several share its seats.
pub(super) struct Seats {
    taken: Mutex<HashMap<Peer, usize>>,
    all: usize,
    each: usize,
}

/// An open stream; dropped when its connection ends.
pub(super) struct Seat {
    seats: Arc<Seats>,
    peer: Peer,
}

impl Seats {
    /// So many for all, so many for each client.
    pub(super) fn new(all: usize, each: usize) -> Seats {
        Seats { taken: Mutex::default(), all, each }
    }

    /// One more for a client.
    pub(super) fn take(self: &Arc<Seats>, peer: Peer) -> Result<Seat, RpcError> {
        let mut taken = self.lock();
        let open: usize = taken.values().sum();
        if open >= self.all {
            return Err(full(format!("the node has {open} streams open and opens no more")));
        }
        let own = taken.entry(peer).or_default();
        if *own >= self.each {
            return Err(full(format!("{} has {own} streams open and gets no more", peer.0)));
        }
        *own += 1;
        drop(taken);
        Ok(Seat { seats: self.clone(), peer })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(words: String) -> RpcError {
    RpcError::new(codes::BUSY, format!("{words}: close one, or follow without a filter and sort here"))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(own) = taken.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::IpAddr;

    fn peer(last: u8) -> Peer {
        Peer(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn seats_are_bounded_for_each_and_for_all_and_come_back() {
        let seats = Arc::new(Seats::new(3, 2));
        let first = seats.take(peer(1)).unwrap();
        let _second = seats.take(peer(1)).unwrap();
        let error = seats.take(peer(1)).err().unwrap();
        assert!(error.is(codes::BUSY) && error.message.starts_with("10.0.0.1 has 2"), "{error}");
        let _third = seats.take(peer(2)).unwrap();
        let error = seats.take(peer(2)).err().unwrap();
        assert!(error.message.starts_with("the node has 3"), "{error}");
        drop(first);
        let again = seats.take(peer(2)).unwrap();
        drop(again);
        assert!(seats.take(peer(1)).is_ok());
        assert_eq!(seats.lock().len(), 2);
    }
}
