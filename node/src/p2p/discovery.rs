//! How nodes find each other: Kademlia of libp2p, among nodes that are admitted, for addresses only.
//!
//! A node that is connected says where it can be reached (identify), and those that it is connected to tell on. So it is
//! enough to know one node, such as a seed. Nothing is stored and nothing is announced; who is connected no more is not told of.
//! What is heard is believed as far as dialling: who answers has to prove the key that was meant.
//!
//! A question says no name: it asks for nodes near a place, which at first is any place. Among few nodes that finds all. While
//! a node is still missed the place is nearer to it, by [`STEP_BITS`] of the place at a time and [`MOST_BITS`] at most,
//! which is enough among some ten thousand nodes. So who is asked does not learn whom a node looks for, or with whom it is in a group.
//!
//! It knows nothing of connections; the [driver](super::driver) tells it what happens. Start reading at [`Lookups`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::kad::{self, BucketInserts, KBucketKey, Mode, QueryId};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::address::is_dialable;

/// What nodes speak to find each other: Kademlia, in a network of its own.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/hanse/kad/1");
/// Addresses of one node that are kept, at most.
const ADDRESSES: usize = 8;
/// How long a question and all that follow from it may take.
const QUERY: Duration = Duration::from_secs(20);
/// Between a change and the question that it causes: changes come together.
const SETTLING: Duration = Duration::from_millis(50);
/// Between two questions, at least.
const LEAST: Duration = Duration::from_millis(500);
/// Each question in vain doubles that, so often at most: to 32 s.
const DOUBLINGS: u32 = 6;
/// Between two questions while nobody is missed.
const REFRESH: Duration = Duration::from_secs(60);
/// Bits by which the place that is asked for comes nearer to a node that is missed.
const STEP_BITS: u32 = 4;
/// Bits that it has in common with it at most.
const MOST_BITS: u32 = 12;
/// Bytes from which a place is made.
const PLACE_BYTES: usize = 32;

/// Kademlia that keeps nothing but who is connected.
pub(super) type Kademlia = kad::Behaviour<MemoryStore>;

/// Kademlia of a node that is called so.
pub(super) fn kademlia(peer: PeerId) -> Kademlia {
    let nothing =
        MemoryStoreConfig { max_records: 0, max_value_bytes: 0, max_providers_per_key: 0, max_provided_keys: 0 };
    let mut config = kad::Config::new(PROTOCOL);
    config
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_periodic_bootstrap_interval(None)
        .set_record_ttl(None)
        .set_provider_record_ttl(None)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_query_timeout(QUERY);
    let mut kademlia = Kademlia::with_config(peer, MemoryStore::with_config(peer, nothing), config);
    kademlia.set_mode(Some(Mode::Server));
    kademlia
}

/// Where a node can be reached, by what it says itself and by where it was seen. A node that listens on all addresses of its
/// machine names none; it is where it was seen.
pub(super) fn reachable(told: &[Multiaddr], seen: &Multiaddr) -> Vec<Multiaddr> {
    let seen = ip_of(seen);
    let mut found = Vec::new();
    for address in told.iter().filter(|address| is_dialable(address)) {
        let reachable = match (ip_of(address), seen) {
            (Some(ip), Some(seen)) if ip.is_unspecified() => Some(at(seen, address)),
            (Some(ip), _) if ip.is_unspecified() => None,
            // Another machine's own loopback is not ours.
            (Some(ip), Some(seen)) if ip.is_loopback() && !seen.is_loopback() => None,
            _ => Some(address.clone()),
        };
        found.extend(reachable.filter(|address| !found.contains(address)));
        if found.len() == ADDRESSES {
            break;
        }
    }
    found
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// The same port of another host.
fn at(ip: IpAddr, address: &Multiaddr) -> Multiaddr {
    address.iter().skip(1).fold(Multiaddr::from(ip), |address, part| address.with(part))
}

/// When which question is asked: one at a time.
#[derive(Debug)]
pub(super) struct Lookups {
    running: Option<QueryId>,
    /// When the next one may begin.
    due: Instant,
    /// When the last one began.
    begun: Option<Instant>,
    /// Questions in vain since somebody new was found.
    vain: u32,
    /// How often each node that is missed was asked for.
    missed: BTreeMap<PeerId, u32>,
}

impl Lookups {
    /// Of a node that has asked nothing yet.
    pub(super) fn new() -> Lookups {
        let due = Instant::now() + REFRESH;
        Lookups { running: None, due, begun: None, vain: 0, missed: BTreeMap::new() }
    }

    /// Somebody can be asked who could not be before, or somebody was lost.
    pub(super) fn wake(&mut self) {
        self.vain = 0;
        let soon = Instant::now() + SETTLING;
        let next = self.begun.map_or(soon, |begun| soon.max(begun + LEAST));
        self.due = self.due.min(next);
    }

    /// When there is something to ask; none while a question is under way, which ends by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.running.is_none().then_some(self.due)
    }

    /// The place to ask for, if it is time: near a node that is missed, or anywhere.
    pub(super) fn place(&mut self, missing: &[PeerId]) -> Option<Vec<u8>> {
        let now = Instant::now();
        if self.running.is_some() || self.due > now {
            return None;
        }
        self.missed.retain(|peer, _| missing.contains(peer));
        let least = missing.iter().min_by_key(|peer| self.missed.get(peer).copied().unwrap_or_default());
        let place = match least {
            Some(peer) => {
                let asked = self.missed.entry(*peer).or_default();
                let bits = (*asked * STEP_BITS).min(MOST_BITS);
                *asked = asked.saturating_add(1);
                near(peer, bits)
            }
            None => anywhere(),
        }?;
        self.begun = Some(now);
        self.due = now + if missing.is_empty() { REFRESH } else { LEAST * 2u32.pow(self.vain.min(DOUBLINGS)) };
        self.vain = self.vain.saturating_add(1);
        Some(place)
    }

    /// This question is under way.
    pub(super) fn asked(&mut self, query: QueryId) {
        self.running = Some(query);
    }

    /// A question has ended.
    pub(super) fn ended(&mut self, query: QueryId) {
        self.running.take_if(|running| *running == query);
    }
}

/// A place that has so many bits in common with a node's.
fn near(peer: &PeerId, bits: u32) -> Option<Vec<u8>> {
    let target = KBucketKey::from(*peer);
    loop {
        let place = anywhere()?;
        if bits_in_common(&target, &place) >= bits {
            return Some(place);
        }
    }
}

fn bits_in_common(target: &KBucketKey<PeerId>, place: &[u8]) -> u32 {
    let distance = target.distance(&KBucketKey::from(place.to_vec()));
    distance.ilog2().map_or(u8::MAX.into(), |highest| 255 - highest)
}

/// Any place; none where the system gives no random bytes.
fn anywhere() -> Option<Vec<u8>> {
    let mut place = vec![0; PLACE_BYTES];
    getrandom::fill(&mut place).ok()?;
    Some(place)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_node_is_where_it_says_or_else_where_it_was_seen() {
        let told =
            ["/ip4/0.0.0.0/tcp/7430", "/ip4/127.0.0.1/tcp/7430", "/dns/node.example/tcp/30300", "/ip4/1.2.3.4/udp/1"];
        let told = told.map(address);
        let seen = address("/ip4/10.0.0.7/tcp/51234");
        let expected = ["/ip4/10.0.0.7/tcp/7430", "/dns/node.example/tcp/30300"].map(address);
        assert_eq!(reachable(&told, &seen), expected);
        let here = reachable(&told, &address("/ip4/127.0.0.1/tcp/51234"));
        assert_eq!(here[0], address("/ip4/127.0.0.1/tcp/7430"));
        assert_eq!(here.len(), 2, "said twice, kept once: {here:?}");
        let many: Vec<Multiaddr> = (1..100).map(|port| address(&format!("/ip4/1.2.3.4/tcp/{port}"))).collect();
        assert_eq!(reachable(&many, &seen).len(), ADDRESSES);
    }

    #[test]
    fn who_is_asked_learns_little_of_whom_a_node_looks_for() {
        let peer = PeerId::random();
        let target = KBucketKey::from(peer);
        let mut lookups = Lookups::new();
        let mut shared = Vec::new();
        for _ in 0..5 {
            lookups.due = Instant::now();
            let place = lookups.place(&[peer]).unwrap();
            assert_ne!(place, peer.to_bytes());
            shared.push(bits_in_common(&target, &place));
        }
        assert!(shared.iter().zip([0, 4, 8, 12, 12]).all(|(shared, least)| *shared >= least), "{shared:?}");
        // A bit more than was meant has a chance of one half, each.
        assert!(shared.iter().all(|shared| *shared < 12 + 40), "{shared:?}");
    }

    #[test]
    fn questions_come_one_at_a_time_and_less_and_less_often() {
        let missing = [PeerId::random()];
        let mut lookups = Lookups::new();
        assert!(lookups.place(&missing).is_none(), "nobody can be asked yet");
        lookups.wake();
        lookups.due = Instant::now();
        assert!(lookups.place(&missing).is_some() && lookups.place(&missing).is_none());
        let mut waits = Vec::new();
        for _ in 0..10 {
            lookups.due = Instant::now();
            assert!(lookups.place(&missing).is_some());
            waits.push(lookups.due.duration_since(lookups.begun.unwrap()));
        }
        assert!(waits.is_sorted() && waits[0] == LEAST * 2 && waits[9] == LEAST * 64, "{waits:?}");
        lookups.wake();
        assert!(lookups.due <= lookups.begun.unwrap() + LEAST, "somebody new can be asked");
    }
}
