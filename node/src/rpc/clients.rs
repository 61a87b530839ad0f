//! What one client may ask in a second: requests, and transactions that it submits. A client that asks for more is told when to
//! ask again, and the others do not notice it.
//!
//! A client is an address (of IPv6, the 64 bits that a network has). It may be ahead of its rate by [`BURST`], so that what
//! comes at once is not taken for much. Clients of the node's own machine are free unless an operator says otherwise: a
//! proxy there stands for all that are behind it.
//!
//! Start reading at [`Clients::request`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hanse_client::{RpcError, codes};
use serde_json::json;

use super::limits::Capacity;
use super::listener::Peer;

/// By how much a client may be ahead of its rate.
const BURST: Duration = Duration::from_secs(2);
/// Clients that are known one by one. Where more ask within [`BURST`], the others share one rate.
const KNOWN: usize = 65_536;
/// In whose name those are counted.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// See the module.
pub(super) struct Clients {
    requests: Rate,
    transactions: Rate,
    is_local_free: bool,
}

impl Clients {
    /// With an operator's limits.
    pub(super) fn new(capacity: &Capacity) -> Clients {
        Clients {
            requests: Rate::new(capacity.client_requests),
            transactions: Rate::new(capacity.client_transactions),
            is_local_free: !capacity.client_limits_local,
        }
    }

    /// A client makes a request.
    pub(super) fn request(&self, peer: Peer) -> Result<(), RpcError> {
        self.take(&self.requests, peer, 1, "requests")
    }

    /// A client submits so many transactions.
    pub(super) fn transactions(&self, peer: Peer, count: usize) -> Result<(), RpcError> {
        self.take(&self.transactions, peer, count, "transactions")
    }

    fn take(&self, rate: &Rate, peer: Peer, count: usize, what: &str) -> Result<(), RpcError> {
        if rate.per_second == 0 || count == 0 || (self.is_local_free && peer.0.is_loopback()) {
            return Ok(());
        }
        rate.take(client_of(peer.0), count, Instant::now()).map_err(|wait| {
            let (client, limit, wait_ms) = (peer.0, rate.per_second, wait.as_millis() as u64 + 1);
            let text = format!("{client} sends more than {limit} {what} a second; send again in {wait_ms} ms");
            RpcError::new(codes::CLIENT_LIMIT, text).detail(json!({ "retry_after_ms": wait_ms }))
        })
    }
}

/// Whom an address stands for.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// So many in a second, for each client.
struct Rate {
    per_second: u32,
    debts: Mutex<Debts>,
}

/// When each client has caught up with its rate: what it may be ahead by is counted from there.
struct Debts {
    even_at: HashMap<IpAddr, Instant>,
    /// When those were removed who are even.
    swept: Instant,
}

impl Rate {
    fn new(per_second: u32) -> Rate {
        Rate { per_second, debts: Mutex::new(Debts { even_at: HashMap::new(), swept: Instant::now() }) }
    }

    /// Takes so many in a client's name, or tells how long it must wait for them. What is more than a burst at once is taken
    /// from a client that is even.
    fn take(&self, client: IpAddr, count: usize, now: Instant) -> Result<(), Duration> {
        let cost = Duration::from_secs_f64(count as f64 / f64::from(self.per_second));
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        let even_at = debts.of(client, now);
        let ahead = even_at.saturating_duration_since(now);
        if !ahead.is_zero() && ahead + cost > BURST {
            return Err((ahead + cost).saturating_sub(BURST).min(ahead));
        }
        *even_at = now + ahead + cost;
        Ok(())
    }
}

impl Debts {
    /// When this client is even.
    fn of(&mut self, client: IpAddr, now: Instant) -> &mut Instant {
        let is_full = self.even_at.len() >= KNOWN && !self.even_at.contains_key(&client);
        if is_full && now.saturating_duration_since(self.swept) >= BURST {
            self.even_at.retain(|_, even_at| *even_at > now);
            self.swept = now;
        }
        let has_room = !is_full || self.even_at.len() < KNOWN;
        self.even_at.entry(if has_room { client } else { OTHERS }).or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn a_client_may_be_ahead_and_then_keeps_its_rate() {
        let (rate, now) = (Rate::new(10), Instant::now());
        assert_eq!((0..100).filter(|_| rate.take(A, 1, now).is_ok()).count(), 20, "a burst of two seconds");
        assert_eq!(rate.take(A, 1, now), Err(Duration::from_millis(100)));
        assert!(rate.take(B, 1, now).is_ok(), "others do not notice");
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rate.take(A, 1, later).is_ok()).count(), 10);
        let much_later = now + Duration::from_secs(100);
        assert_eq!(
            (0..100).filter(|_| rate.take(A, 1, much_later).is_ok()).count(),
            20,
            "rest saves no more than a burst"
        );
    }

    #[test]
    fn more_than_a_burst_at_once_is_taken_and_paid_for() {
        let (rate, now) = (Rate::new(10), Instant::now());
        assert!(rate.take(A, 1_000, now).is_ok());
        assert_eq!(rate.take(A, 1, now + Duration::from_secs(90)), Err(Duration::from_millis(8_100)));
        assert_eq!(rate.take(A, 1_000, now + Duration::from_secs(90)), Err(Duration::from_secs(10)));
        assert!(rate.take(A, 1_000, now + Duration::from_secs(100)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_those_who_are_too_many_share() {
        let (rate, now) = (Rate::new(1), Instant::now());
        let client = |n: u32| IpAddr::V4(n.to_be_bytes().into());
        (0..KNOWN as u32).for_each(|n| rate.take(client(n), 2, now).unwrap());
        assert!(rate.take(client(1 << 20), 2, now).is_ok());
        assert!(rate.take(client(1 << 21), 2, now).is_err(), "it shares with the one before");
        let known = |rate: &Rate| rate.debts.lock().unwrap().even_at.len();
        assert_eq!(known(&rate), KNOWN + 1);
        assert!(rate.take(client(1 << 21), 2, now + 2 * BURST).is_ok());
        assert_eq!(known(&rate), 1, "those who are even are forgotten");
    }

    #[test]
    fn a_network_is_one_client() {
        let of = |text: &str| client_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
