//! What is known of each node that this one may be connected to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_group::network::Module;
use hanse_types::Hash;
use hanse_types::crypto::PublicKey;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::figures::Traffic;
use super::outbox::Outbox;
use crate::pki::Certificate;

/// Two connections that came up within so long of each other were made by both sides at once.
const SIMULTANEOUS: Duration = Duration::from_secs(5);
/// Time until the first attempt to connect again.
const BACKOFF: Duration = Duration::from_millis(250);
/// Each attempt in vain doubles it, so often at most: to 8 s.
const DOUBLINGS: u32 = 5;

/// All of them, shared with whoever looks.
pub(super) type Peers = Arc<Mutex<BTreeMap<PeerId, Remote>>>;

/// Who said that a node is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressSource {
    /// The configuration, of a peer.
    Configured,
    /// The configuration, of a seed.
    Seed,
    /// The node itself, when it was connected before or to others.
    Discovered,
}

impl AddressSource {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AddressSource::Configured => "configured",
            AddressSource::Seed => "seed",
            AddressSource::Discovered => "discovered",
        }
    }
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) address: Multiaddr,
    pub(super) source: AddressSource,
}

/// A node that is admitted.
#[derive(Debug, Default)]
pub(super) struct Remote {
    /// What its first group calls it; empty if it is in none.
    pub(super) name: String,
    /// Where it may be.
    pub(super) addresses: Vec<Known>,
    /// Where it was tried last, in numbers.
    pub(super) tried: Vec<Known>,
    pub(super) link: Option<Link>,
    /// When the next attempt to connect is made; none while one is under way, or where there is nothing to try.
    pub(super) due: Option<Instant>,
    /// Attempts in vain since it was connected last.
    pub(super) failures: u32,
    /// Why the last one was in vain.
    pub(super) error: Option<String>,
    /// It did what no node does, and is kept out until then.
    pub(super) banned_until: Option<Instant>,
    /// Whether this node wants to be connected to it, and not only lets it in.
    pub(super) is_expected: bool,
    /// Whether it is denied.
    pub(super) is_denied: bool,
    pub(super) traffic: Arc<Traffic>,
    pub(super) dropped: u64,
    pub(super) round_trip: Option<Duration>,
    /// What it says it is.
    pub(super) agent: Option<String>,
}

/// The connection to a peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    /// Whether this node made it.
    pub(super) dialed: bool,
    pub(super) address: Multiaddr,
    pub(super) since: Instant,
    /// What it has presented.
    pub(super) certificate: Option<Arc<Certificate>>,
    /// Once frames can be sent.
    pub(super) outbox: Option<Arc<Outbox>>,
    /// Whether frames can come.
    pub(super) receives: bool,
    /// Whether it speaks no frames.
    pub(super) foreign: bool,
    /// Pings without an answer, one after another.
    pub(super) silences: u32,
    pub(super) tasks: Vec<AbortHandle>,
}

/// How far the connection to a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Its address is not known: it is looked for, or has to connect.
    Awaited,
    /// Attempts are made.
    Connecting,
    /// It is connected, and streams are being opened.
    Handshaking,
    /// Frames go both ways.
    Ready,
    /// Frames to it pile up.
    Lagging,
    /// No frames are exchanged with it: a seed, or a client of libp2p that was let in.
    Foreign,
    /// It is kept out for a while.
    Banned,
    /// It is kept out until it is denied no more.
    Denied,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [State; 8] = [
        State::Awaited,
        State::Connecting,
        State::Handshaking,
        State::Ready,
        State::Lagging,
        State::Foreign,
        State::Banned,
        State::Denied,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Awaited => "awaited",
            State::Connecting => "connecting",
            State::Handshaking => "handshaking",
            State::Ready => "ready",
            State::Lagging => "lagging",
            State::Foreign => "foreign",
            State::Banned => "banned",
            State::Denied => "denied",
        }
    }
}

/// What can be seen of a peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerStatus {
    /// What its first group calls it; empty if it is in none.
    pub(crate) name: String,
    pub(crate) peer: PeerId,
    /// None if it is of a kind that no node has.
    pub(crate) key: Option<PublicKey>,
    pub(crate) state: State,
    /// Where it is connected, or was tried first.
    pub(crate) address: Option<Multiaddr>,
    /// Where that address is from; none if the other side made the connection.
    pub(crate) address_source: Option<AddressSource>,
    /// Whether this node made the connection; none if there is none.
    pub(crate) dialed: Option<bool>,
    pub(crate) connected_for: Option<Duration>,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    /// Frames that wait for it.
    pub(crate) waiting: usize,
    /// Frames to it that there was no room for.
    pub(crate) dropped: u64,
    /// Frames from it that were more than its part.
    pub(crate) refused: u64,
    /// Groups that run here and that it is a member of.
    pub(crate) groups: Vec<Hash>,
    pub(crate) agent: Option<String>,
    /// What it has presented.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// Why it is not connected, as far as is known.
    pub(crate) error: Option<String>,
}

impl Remote {
    pub(super) fn state(&self) -> State {
        if self.is_denied {
            return State::Denied;
        }
        if self.banned_until.is_some() {
            return State::Banned;
        }
        match &self.link {
            None if self.addresses.is_empty() => State::Awaited,
            None => State::Connecting,
            Some(link) => link.state(),
        }
    }

    /// Plans the next attempt to connect, if there is where to. `jitter` is below 1: nodes that lost each other together
    /// don't try together.
    pub(super) fn plan(&mut self, jitter: f64) {
        let delay = BACKOFF.mul_f64(0.5 + jitter) * 2u32.pow(self.failures.min(DOUBLINGS));
        self.due =
            (self.link.is_none() && !self.is_denied && !self.addresses.is_empty()).then(|| Instant::now() + delay);
    }

    /// The node says where it can be reached now; that takes the place of what it said before.
    pub(super) fn learn(&mut self, told: &[Multiaddr]) {
        self.addresses.retain(|known| known.source != AddressSource::Discovered);
        for address in told {
            if self.addresses.iter().all(|known| known.address != *address) {
                self.addresses.push(Known { address: address.clone(), source: AddressSource::Discovered });
            }
        }
    }

    /// Where it said that it can be reached, besides what the configuration says.
    pub(super) fn discovered(&self) -> impl Iterator<Item = &Multiaddr> {
        let told = self.addresses.iter().filter(|known| known.source == AddressSource::Discovered);
        told.map(|known| &known.address)
    }

    /// Where it is connected, or was tried first, and who said so.
    pub(super) fn address(&self) -> (Option<&Multiaddr>, Option<AddressSource>) {
        match &self.link {
            Some(link) if link.dialed => {
                let known = self.tried.iter().chain(&self.addresses).find(|known| known.address == link.address);
                // Who was found by a question was connected for it.
                (Some(&link.address), Some(known.map_or(AddressSource::Discovered, |known| known.source)))
            }
            Some(link) => (Some(&link.address), None),
            None => {
                let first = self.addresses.first();
                (first.map(|known| &known.address), first.map(|known| known.source))
            }
        }
    }

    /// Whether this node wants a connection and attempts so far were in vain, or there is nothing to try.
    pub(super) fn is_missed(&self) -> bool {
        let is_kept_out = self.is_denied || self.banned_until.is_some();
        self.is_expected && self.link.is_none() && !is_kept_out && (self.addresses.is_empty() || self.failures > 0)
    }

    /// Ends the connection, as far as this node is concerned.
    pub(super) fn unlink(&mut self) -> Option<Link> {
        let link = self.link.take()?;
        self.dropped += link.outbox.as_ref().map_or(0, |outbox| outbox.dropped());
        self.round_trip = None;
        Some(link)
    }

    /// Frames that wait for it, and those that there was no room for.
    pub(super) fn queue(&self) -> (usize, u64) {
        let outbox = self.link.as_ref().and_then(|link| link.outbox.as_ref());
        let waiting = outbox.map_or(0, |outbox| Module::ALL.map(|module| outbox.waiting(module)).iter().sum());
        (waiting, self.dropped + outbox.map_or(0, |outbox| outbox.dropped()))
    }
}

impl Link {
    pub(super) fn new(
        connection: ConnectionId,
        dialed: bool,
        address: Multiaddr,
        certificate: Option<Arc<Certificate>>,
    ) -> Link {
        Link {
            connection,
            dialed,
            address,
            since: Instant::now(),
            certificate,
            outbox: None,
            receives: false,
            foreign: false,
            silences: 0,
            tasks: Vec::new(),
        }
    }

    fn state(&self) -> State {
        match &self.outbox {
            _ if self.foreign => State::Foreign,
            Some(outbox) if self.receives && outbox.lags() => State::Lagging,
            Some(_) if self.receives => State::Ready,
            _ => State::Handshaking,
        }
    }

    /// Whether another connection with the same peer is kept instead of this one. If both sides connected at once, both
    /// keep the one that the lesser id made; otherwise the other side has lost this one without a word, or it would not
    /// have connected again.
    pub(super) fn yields_to(&self, dialed: bool, me_is_lesser: bool) -> bool {
        self.dialed == dialed || self.since.elapsed() > SIMULTANEOUS || dialed == me_is_lesser
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn of_two_connections_at_once_both_sides_keep_the_same() {
        let link = |dialed| Link::new(ConnectionId::new_unchecked(1), dialed, Multiaddr::empty(), None);
        // Of the lesser id, then of the greater one: what it has, what comes, whether that is kept instead.
        assert!(!link(true).yields_to(false, true) && link(false).yields_to(true, true));
        assert!(link(true).yields_to(false, false) && !link(false).yields_to(true, false));
        // A second one of the same side means that the first is lost.
        assert!(link(true).yields_to(true, false) && link(false).yields_to(false, true));
    }

    #[test]
    fn attempts_come_less_and_less_often() {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let known = Known { address, source: AddressSource::Configured };
        let mut remote = Remote { addresses: vec![known], ..Remote::default() };
        let mut wait = |failures, jitter| {
            remote.failures = failures;
            remote.plan(jitter);
            remote.due.unwrap().duration_since(Instant::now()).as_millis()
        };
        assert!(wait(0, 0.0) <= 125 && wait(0, 0.99) > 300);
        assert!((3_000..=4_000).contains(&wait(5, 0.0)) && wait(1_000, 0.99) <= 12_000);
        let mut nowhere = Remote::default();
        nowhere.plan(0.5);
        assert_eq!((nowhere.due, nowhere.state()), (None, State::Awaited));
    }

    #[test]
    fn what_a_node_says_of_itself_replaces_what_it_said_before() {
        let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}").parse::<Multiaddr>().unwrap();
        let configured = Known { address: address(1), source: AddressSource::Configured };
        let mut remote = Remote { addresses: vec![configured.clone()], is_expected: true, ..Remote::default() };
        assert!(!remote.is_missed(), "it has not been tried");
        remote.learn(&[address(1), address(2)]);
        remote.learn(&[address(3)]);
        let discovered = Known { address: address(3), source: AddressSource::Discovered };
        assert_eq!(remote.addresses, [configured, discovered]);
        assert_eq!(remote.address(), (Some(&address(1)), Some(AddressSource::Configured)));
        let link = |dialed, port| Link::new(ConnectionId::new_unchecked(1), dialed, address(port), None);
        remote.link = Some(link(true, 3));
        assert_eq!(remote.address().1, Some(AddressSource::Discovered));
        remote.link = Some(link(false, 50_000));
        assert_eq!(remote.address().1, None);
        remote.link = None;
        remote.failures = 1;
        assert!(remote.is_missed());
    }
}
