//! The task that owns the libp2p swarm: it connects, lets in and cuts off, and starts what moves the frames.
//!
//! There is one connection for each pair of nodes. A connection that breaks is made again, less and less often while that
//! is in vain. Who is admitted says [`admission`](mod@super::admission); a node that is no longer is cut off at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, ListenError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, connection_limits, identify, kad, ping};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::admission::{Admission, Refusal};
use super::book::AddressBook;
use super::discovery::{self, Kademlia, Lookups, reachable};
use super::figures::{Figures, Refused};
use super::membership::Membership;
use super::outbox::Outbox;
use super::peers::{AddressSource, Known, Link, Peers, Remote};
use super::pump::{self, Counters};
use super::streams::{Opened, StreamEvent, Streams};
use super::switch::Switch;
use super::{Settings, address, identity};
use crate::p2p::address::PeerAddress;
use crate::pki::{self, Certificate};

/// How long a peer is kept out that did what no node does.
const BAN: Duration = Duration::from_secs(30);
/// Pings in a row without an answer after which a connection is taken for lost.
const SILENCES: u32 = 2;
/// Most characters of what a peer says it is.
const AGENT_CHARS: usize = 64;
/// Between two looks at who is admitted still, as time passes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What this node does with its connections besides frames.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) kademlia: Kademlia,
    /// None of a node that takes no frames.
    pub(super) streams: Toggle<Streams>,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
}

/// What tasks beside have to tell.
#[derive(Debug)]
pub(super) enum Note {
    /// Numbers for the addresses of a peer that is to be connected.
    Resolved { peer: PeerId, addresses: Vec<Known> },
    /// A stream ended.
    Ended { peer: PeerId, connection: ConnectionId, why: String, is_offence: bool },
}

/// See the module.
pub(super) struct Driver {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) settings: Settings,
    pub(super) membership: watch::Receiver<Membership>,
    pub(super) admission: Arc<Admission>,
    pub(super) switch: Arc<Switch>,
    pub(super) figures: Arc<Figures>,
    pub(super) peers: Peers,
    /// Where this node listens.
    pub(super) listening: watch::Sender<BTreeSet<Multiaddr>>,
    pub(super) lookups: Lookups,
    pub(super) book: AddressBook,
    pub(super) notes: mpsc::UnboundedSender<Note>,
    pub(super) noted: mpsc::UnboundedReceiver<Note>,
}

impl Driver {
    /// Runs until it is told to stop.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut changes = self.admission.changes();
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.admit();
        let mut is_fixed = false;
        loop {
            let due = self.next_due();
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.happened(event),
                Some(note) = self.noted.recv() => self.noted(note),
                changed = self.membership.changed(), if !is_fixed => match changed {
                    Ok(()) => self.admit(),
                    Err(_) => is_fixed = true,
                },
                Ok(()) = changes.changed() => self.admit(),
                _ = looks.tick() => self.look_again(),
                () = timer => self.work_off(),
                _ = &mut stop => break,
            }
        }
        self.book.close().await;
    }

    /// Knows of everybody who is expected, and cuts off who is not admitted any more.
    fn admit(&mut self) {
        let names: BTreeMap<PeerId, String> = {
            let membership = self.membership.borrow_and_update();
            let named = membership.all().into_iter();
            named.filter_map(|(key, name)| Some((identity::peer_id(&key)?, name.to_owned()))).collect()
        };
        self.admission.members_are(names.keys().copied().collect());
        let expected = self.expected(&names);
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        let gone: Vec<PeerId> =
            peers.iter().filter_map(|(peer, remote)| self.is_over(peer, remote, &expected)).collect();
        for peer in gone {
            self.cut(&mut peers, peer, expected.contains(&peer));
        }
        for peer in expected.iter().copied() {
            let remote = peers.entry(peer).or_insert_with(|| self.unknown(&peer));
            let is_denied = matches!(self.judge(&peer, None), Err(Refusal::Denied));
            if is_denied {
                self.book.forget(peer);
            }
            if remote.is_denied != is_denied {
                remote.is_denied = is_denied;
                remote.failures = 0;
                remote.plan(0.0);
            }
        }
        for (peer, remote) in peers.iter_mut() {
            remote.is_expected = expected.contains(peer);
            let certified = || remote.link.as_ref()?.certificate.as_ref().map(|certificate| certificate.name());
            remote.name = names.get(peer).cloned().or_else(certified).unwrap_or_default();
            write_down(&mut self.book, peer, remote);
        }
        drop(peers);
        self.switch.refresh();
        self.lookups.wake();
    }

    /// Nodes that this one wants to be connected to: members, seeds, those that are allowed, and, among nodes with
    /// certificates, all whose address it was given.
    fn expected(&self, names: &BTreeMap<PeerId, String>) -> BTreeSet<PeerId> {
        let mut expected: BTreeSet<PeerId> = names.keys().copied().collect();
        expected.extend(self.settings.seeds.iter().map(|seed| seed.peer));
        self.admission.with(|rules| {
            expected.extend(rules.allowed().map(|(peer, _)| peer));
            if rules.wants_certificates() {
                expected.extend(self.settings.peers.iter().map(|known| known.peer));
            }
        });
        expected.remove(self.swarm.local_peer_id());
        expected
    }

    /// A node that nothing is known of yet but where it may be.
    fn unknown(&self, peer: &PeerId) -> Remote {
        let of = |all: &[PeerAddress], source| -> Vec<Known> {
            let known = all.iter().filter(|known| known.peer == *peer);
            known.map(|known| Known { address: known.address.clone(), source }).collect()
        };
        let (seeds, peers) = (&self.settings.seeds, &self.settings.peers);
        let addresses = [of(seeds, AddressSource::Seed), of(peers, AddressSource::Configured)].concat();
        let mut remote = Remote { addresses, ..Remote::default() };
        let before: Vec<Multiaddr> = self.book.addresses(peer).cloned().collect();
        remote.learn(&before);
        remote.due = (!remote.addresses.is_empty()).then(Instant::now);
        remote
    }

    fn judge(&self, peer: &PeerId, certificate: Option<&Certificate>) -> Result<(), Refusal> {
        self.admission.with(|rules| rules.judge(peer, certificate, pki::now()))
    }

    /// Whether a node is to be cut off, or forgotten; and its id, if it is.
    fn is_over(&self, peer: &PeerId, remote: &Remote, expected: &BTreeSet<PeerId>) -> Option<PeerId> {
        let is_over = match &remote.link {
            Some(link) => self.judge(peer, link.certificate.as_deref()).is_err(),
            None => !expected.contains(peer),
        };
        is_over.then_some(*peer)
    }

    /// Ends all connections with a node.
    fn cut(&mut self, peers: &mut BTreeMap<PeerId, Remote>, peer: PeerId, is_expected: bool) {
        let Some(remote) = peers.get_mut(&peer) else { return };
        let certificate = remote.link.as_ref().and_then(|link| link.certificate.clone());
        let why = self.judge(&peer, certificate.as_deref()).err();
        if self.unlink(&peer, remote).is_some() {
            let why = why.map(|why| why.to_string()).unwrap_or_default();
            tracing::info!(%peer, name = %remote.name, %why, "a node is no longer admitted");
            remote.error = Some(why);
        }
        remote.plan(jitter());
        if !is_expected {
            peers.remove(&peer);
        }
        // It may have connections besides the one that is used; it may have none.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Cuts off whose certificate has expired meanwhile.
    fn look_again(&mut self) {
        let is_over = |(peer, remote): (&PeerId, &Remote)| {
            let certificate = remote.link.as_ref()?.certificate.as_deref()?;
            self.judge(peer, Some(certificate)).err()
        };
        let has_expired = self.peers.lock().iter().find_map(is_over).is_some();
        self.admission.tidy(pki::now());
        if has_expired {
            self.admit();
        }
    }

    /// When there is something to do that nobody tells.
    fn next_due(&self) -> Option<Instant> {
        let peers = self.peers.lock();
        let of_peers = peers.values().filter_map(|remote| remote.banned_until.or(remote.due));
        of_peers.chain(self.lookups.next_due()).min()
    }

    /// Asks others where nodes are, if it is time.
    fn look_up(&mut self) {
        let missing: Vec<PeerId> = {
            let peers = self.peers.lock();
            peers.iter().filter(|(_, remote)| remote.is_missed()).map(|(peer, _)| *peer).collect()
        };
        if let Some(place) = self.lookups.place(&missing) {
            self.lookups.asked(self.swarm.behaviour_mut().kademlia.get_closest_peers(place));
        }
    }

    /// Ends bans, and makes the attempts to connect that are due.
    fn work_off(&mut self) {
        let now = Instant::now();
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        for (peer, remote) in peers.iter_mut() {
            if remote.banned_until.is_some_and(|until| until <= now) {
                remote.banned_until = None;
                self.admission.ban(*peer, false);
                remote.plan(jitter());
            }
            if remote.banned_until.is_none() && remote.due.is_some_and(|due| due <= now) {
                remote.due = None;
                let (peer, known, notes) = (*peer, remote.addresses.clone(), self.notes.clone());
                tokio::spawn(async move {
                    let found = futures::future::join_all(known.iter().map(resolved)).await;
                    // A driver that is gone connects nobody.
                    let _ = notes.send(Note::Resolved { peer, addresses: found.concat() });
                });
            }
        }
        peers.retain(|_, remote| remote.is_expected || remote.link.is_some() || remote.banned_until.is_some());
        drop(peers);
        self.look_up();
    }

    fn noted(&mut self, note: Note) {
        match note {
            Note::Resolved { peer, addresses } => self.dial(peer, addresses),
            Note::Ended { peer, connection, why, is_offence } => {
                self.failed(&peer, connection, why);
                if is_offence {
                    self.figures.refuse(Refused::Malformed);
                    self.ban(peer);
                }
            }
        }
    }

    fn dial(&mut self, peer: PeerId, known: Vec<Known>) {
        if known.is_empty() {
            return self.not_reached(&peer, "the name of its host is not known".into());
        }
        let addresses = known.iter().map(|known| known.address.clone()).collect();
        if let Some(remote) = self.peers.lock().get_mut(&peer) {
            remote.tried = known;
        }
        let options = DialOpts::peer_id(peer)
            .addresses(addresses)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .allocate_new_port()
            .build();
        match self.swarm.dial(options) {
            // It has connected meanwhile.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.not_reached(&peer, words(&error)),
        }
    }

    fn happened(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listens for nodes");
                self.listening.send_if_modified(|known| known.insert(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.listening.send_if_modified(|known| known.remove(&address));
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening for nodes failed"),
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
                tracing::error!(%error, "no more nodes can connect");
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                let why = cause.map_or_else(|| "it was closed".to_owned(), |cause| words(&cause));
                self.closed(&peer_id, connection_id, why);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.not_reached(&peer, words(&error));
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                self.refused(&error, &send_back_addr);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.opened(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.pinged(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.identified(&peer_id, &info);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                id, step, ..
            })) if step.last => self.lookups.ended(id),
            _ => {}
        }
    }

    fn established(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let me_is_lesser = *self.swarm.local_peer_id() < peer;
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        let certificate = self.admission.presented(&peer);
        // The rules may have changed since it was let in.
        if self.judge(&peer, certificate.as_deref()).is_err() {
            self.swarm.close_connection(connection);
            return;
        }
        let remote = peers.entry(peer).or_insert_with(|| self.unknown(&peer));
        if let Some(certificate) = certificate.as_ref().filter(|_| remote.name.is_empty()) {
            remote.name = certificate.name();
        }
        let dialed = endpoint.is_dialer();
        if remote.link.as_ref().is_some_and(|link| !link.yields_to(dialed, me_is_lesser)) {
            self.swarm.close_connection(connection);
            return;
        }
        if let Some(old) = self.unlink(&peer, remote) {
            self.swarm.close_connection(old);
        }
        remote.due = None;
        let mut link = Link::new(connection, dialed, without_peer(endpoint.get_remote_address()), certificate);
        if self.settings.is_seed {
            link.foreign = true;
            remote.failures = 0;
            remote.error = None;
            tracing::info!(%peer, name = %remote.name, address = %link.address, "connected");
        }
        remote.link = Some(link);
    }

    /// A node says what it is, and where it can be reached. As long as it is connected, others who ask are told of it.
    fn identified(&mut self, peer: &PeerId, info: &identify::Info) {
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        let Some(remote) = peers.get_mut(peer) else { return };
        let printable = info.agent_version.chars().filter(|char| !char.is_control());
        remote.agent = Some(printable.take(AGENT_CHARS).collect());
        let Some(link) = remote.link.as_ref().filter(|_| info.protocols.contains(&discovery::PROTOCOL)) else { return };
        let told = reachable(&info.listen_addrs, &link.address);
        remote.learn(&told);
        write_down(&mut self.book, peer, remote);
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        let before = kademlia.remove_peer(peer);
        for address in told {
            kademlia.add_address(peer, address);
        }
        if before.is_none() {
            self.lookups.wake();
        }
    }

    /// Forgets the connection to a peer, and says which one that was.
    fn unlink(&mut self, peer: &PeerId, remote: &mut Remote) -> Option<ConnectionId> {
        let link = remote.unlink()?;
        self.swarm.behaviour_mut().kademlia.remove_peer(peer);
        self.lookups.wake();
        if let Some(key) = identity::public_key(peer) {
            self.switch.disconnect(&key);
        }
        Some(link.connection)
    }

    fn opened(&mut self, StreamEvent { peer, connection, opened }: StreamEvent) {
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        let Some(remote) = peers.get_mut(&peer) else { return };
        let counters = Counters { node: self.figures.clone(), peer: remote.traffic.clone() };
        let Some(link) = remote.link.as_mut().filter(|link| link.connection == connection) else { return };
        let (notes, key) = (self.notes.clone(), identity::public_key(&peer));
        let ended = move |why: String, is_offence| {
            // A driver that is gone needs to know nothing.
            let _ = notes.send(Note::Ended { peer, connection, why, is_offence });
        };
        match (opened, key) {
            (Opened::Outgoing(stream), Some(key)) if link.outbox.is_none() => {
                let outbox = Arc::new(Outbox::new(self.settings.queue_bytes));
                let sending = pump::send(stream, outbox.clone(), counters);
                let task = tokio::spawn(async move {
                    let why = sending.await.err().map_or_else(String::new, |error| error.to_string());
                    ended(why, false);
                });
                link.tasks.push(task.abort_handle());
                link.outbox = Some(outbox.clone());
                remote.failures = 0;
                remote.error = None;
                tracing::info!(%peer, name = %remote.name, address = %link.address, "connected");
                self.switch.connect(key, outbox);
            }
            (Opened::Incoming(stream), Some(key)) if !link.receives => {
                link.receives = true;
                let receiving = pump::receive(stream, key, self.switch.clone(), counters);
                let task = tokio::spawn(async move {
                    let (why, is_offence) = match receiving.await {
                        Ok(()) => ("it sends no more".to_owned(), false),
                        Err(error) => (error.to_string(), error.is_offence()),
                    };
                    ended(why, is_offence);
                });
                link.tasks.push(task.abort_handle());
            }
            (Opened::Foreign, _) | (Opened::Outgoing(_), None) => {
                link.foreign = true;
                remote.failures = 0;
                remote.error = None;
                tracing::info!(%peer, address = %link.address, "connected a node that takes no frames");
            }
            (Opened::Failed(why), _) => {
                drop(peers);
                self.failed(&peer, connection, why);
            }
            // A second stream of the same kind is nobody's.
            (Opened::Outgoing(_) | Opened::Incoming(_), _) => {}
        }
    }

    fn pinged(&mut self, ping::Event { peer, connection, result }: ping::Event) {
        let lost = {
            let mut peers = self.peers.lock();
            let Some(remote) = peers.get_mut(&peer) else { return };
            let Some(link) = remote.link.as_mut().filter(|link| link.connection == connection) else { return };
            match result {
                Ok(time) => {
                    link.silences = 0;
                    remote.round_trip = Some(time);
                }
                Err(ping::Failure::Unsupported) => {}
                Err(_) => link.silences += 1,
            }
            link.silences >= SILENCES
        };
        if lost {
            self.failed(&peer, connection, "it does not answer".into());
        }
    }

    /// Ends a connection that is of no use any more.
    fn failed(&mut self, peer: &PeerId, connection: ConnectionId, why: String) {
        self.swarm.close_connection(connection);
        self.closed(peer, connection, why);
    }

    fn closed(&mut self, peer: &PeerId, connection: ConnectionId, why: String) {
        let peers = self.peers.clone();
        let mut peers = peers.lock();
        let Some(remote) = peers.get_mut(peer) else { return };
        if remote.link.as_ref().is_none_or(|link| link.connection != connection) {
            return;
        }
        let was_used = remote.link.as_ref().is_some_and(|link| link.outbox.is_some() || link.foreign);
        self.unlink(peer, remote);
        if was_used {
            tracing::info!(%peer, name = %remote.name, %why, "disconnected");
        } else {
            remote.failures += 1;
        }
        remote.error = Some(why);
        remote.plan(jitter());
        if !remote.is_expected && remote.banned_until.is_none() {
            peers.remove(peer);
        }
    }

    fn not_reached(&mut self, peer: &PeerId, why: String) {
        let mut peers = self.peers.lock();
        let Some(remote) = peers.get_mut(peer).filter(|remote| remote.link.is_none()) else { return };
        if remote.failures == 0 {
            tracing::info!(%peer, name = %remote.name, %why, "not reached; is tried again and again");
        }
        remote.failures = remote.failures.saturating_add(1);
        remote.error = Some(why);
        remote.plan(jitter());
    }

    fn ban(&mut self, peer: PeerId) {
        tracing::warn!(%peer, seconds = BAN.as_secs(), "a node sent what no node sends, and is kept out for a while");
        let unknown = self.unknown(&peer);
        self.peers.lock().entry(peer).or_insert(unknown).banned_until = Some(Instant::now() + BAN);
        self.admission.ban(peer, true);
        // Its connections may have ended already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// A connection that came to nothing. Who is not admitted was counted where that was found.
    fn refused(&mut self, error: &ListenError, from: &Multiaddr) {
        if matches!(error, ListenError::Denied { .. }) {
            self.figures.refuse(Refused::TooMany);
        }
        tracing::debug!(%from, error = %words(error), "a connection came to nothing");
    }
}

/// Keeps where a node is that this one wants to be connected to, as it says itself now.
fn write_down(book: &mut AddressBook, peer: &PeerId, remote: &Remote) {
    if remote.is_expected && remote.link.is_some() {
        book.learn(*peer, remote.discovered());
    }
}

/// Where a peer is, without who it is.
fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// The same in numbers, as the system resolves the host's name now.
async fn resolved(known: &Known) -> Vec<Known> {
    let found = address::resolve(&known.address).await;
    found.into_iter().map(|address| Known { address, source: known.source }).collect()
}

/// An error with what it comes from, in one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// From 0 on, below 1. Nothing but the time of the next attempt depends on it.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}
