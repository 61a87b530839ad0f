//! Nodes that are apart: one network for all groups of a node, over libp2p (Noise, yamux, identify, ping, Kademlia) and TCP.
//!
//! A node's key is its name here as it is in its groups. Whoever connects proves its key in the handshake and presents its
//! certificate; who is not admitted is refused before anything else is said. Between two nodes there is one connection with a
//! stream in each direction, and all groups' frames go over it, the urgent first.
//!
//! It promises that a frame of a group goes to members of that group only and is taken from members only, checked for each
//! frame; that nobody else learns whether a group runs here; that a peer which takes frames slowly, or sends what no node
//! sends, slows no other; and that what is lost between two nodes is all that is lost: nobody waits for it, consensus asks
//! again.
//!
//! | part | what |
//! |---|---|
//! | [`switch`] | between groups and peers; the check of each frame |
//! | [`outbox`] | what waits for one peer |
//! | [`budget`] | how much of one peer is taken |
//! | [`pump`], [`frame`] | the streams' two ends, and the bytes on them |
//! | [`lobby`] | what nodes tell each other outside of groups |
//! | [`mod@admission`], [`certified`] | who is let in; how that is found out |
//! | [`trust`], [`lists`] | certificates in files; what operators allow and deny |
//! | [`driver`] | connections: made, let in, cut off |
//! | [`discovery`], [`book`] | where nodes are that no configuration names; where they were before a restart |
//! | [`tcp`] | sockets for libp2p |
//!
//! It knows nothing of what frames say, and who is a member it is told ([`membership`]). Start reading at [`Net::start`].

pub(crate) mod address;
pub(crate) mod admission;
mod book;
mod budget;
mod certified;
mod discovery;
mod driver;
pub(crate) mod figures;
mod frame;
pub(crate) mod identity;
pub(crate) mod lists;
mod lobby;
mod membership;
mod outbox;
pub(crate) mod peers;
mod pump;
mod streams;
mod switch;
pub(crate) mod tcp;
pub(crate) mod trust;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hanse_group::Network;
use hanse_group::network::Module;
use hanse_types::Hash;
use hanse_types::crypto::{SecretKey, Signer};
use libp2p::connection_limits::ConnectionLimits;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Multiaddr, PeerId, Swarm, Transport, connection_limits, identify, noise, ping, swarm};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};

use address::PeerAddress;
use admission::{Admission, ByChain, ByConfiguration, Rules};
use book::AddressBook;
use certified::Certified;
use discovery::Lookups;
use driver::{Behaviour, Driver};
use figures::Figures;
use lists::{Lists, ListsError};
use peers::{PeerStatus, Peers, State};
use streams::Streams;
use switch::Switch;
use tcp::Tcp;
use trust::{TrustError, TrustFiles};

pub(crate) use lobby::{Heard, Lobby};
pub(crate) use membership::of_members;
use membership::{GroupMembers, Membership};

/// What nodes of this network say they speak, in identify.
const SPEAKS: &str = "/hanse/1";
/// Between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer may take: as long as the longest frame takes on a slow line.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections that may be in their handshake at a time.
const HANDSHAKES: u32 = 64;
/// Connections of one peer at a time; both sides may make one at once, and one may not know yet that the last is lost.
const CONNECTIONS_PER_PEER: u32 = 4;
/// How long a connection may take until both sides have proven their keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the first address may take to be known.
const LISTENING: Duration = Duration::from_secs(5);

/// How a node takes part.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where other nodes connect; port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// Where it can be reached from elsewhere, if that is another address.
    pub(crate) external: Option<Multiaddr>,
    /// Where other nodes may be.
    pub(crate) peers: Vec<PeerAddress>,
    /// Where nodes are that tell of others. Without authorities they are let in by their keys.
    pub(crate) seeds: Vec<PeerAddress>,
    /// Whether this node is one of them and nothing else: it takes no frames.
    pub(crate) is_seed: bool,
    /// Nodes that are let in by their keys alone, besides members of groups.
    pub(crate) allow: BTreeSet<PeerId>,
    /// Files with this node's certificate, and with those of the authorities that it trusts.
    pub(crate) trust: TrustFiles,
    /// The file with what operators allow and deny; what they say is forgotten at the end if there is none.
    pub(crate) lists: Option<PathBuf>,
    /// The file with addresses of nodes that were found; they are forgotten at the end if there is none.
    pub(crate) book: Option<PathBuf>,
    /// Id of the group that says who is let in.
    pub(crate) system_group: String,
    /// Bytes of frames that may wait for a peer, for each module of each group.
    pub(crate) queue_bytes: usize,
    /// Bytes a second that are taken of a peer, for each group.
    pub(crate) member_bytes_per_second: u64,
}

/// Why a node has no network.
#[derive(Debug, Error)]
pub(crate) enum NetError {
    /// Its key is of the wrong kind.
    #[error(transparent)]
    Key(#[from] identity::KeyKindError),
    /// A certificate can't be used.
    #[error("{0}; see network.certificate and network.authorities")]
    Trust(Box<TrustError>),
    /// What operators have said can't be read.
    #[error(transparent)]
    Lists(#[from] ListsError),
    /// The port is taken, or may not be used.
    #[error("can't listen for nodes on {address}: {reason}; choose another network.listen, or port 0 for a free one")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The handshake could not be set up.
    #[error("the network's handshake could not be set up: {0}")]
    Handshake(String),
}

/// A node's part in the network, until it is stopped.
#[derive(Debug)]
pub(crate) struct Net {
    peer: PeerId,
    membership: watch::Sender<Membership>,
    admission: Arc<Admission>,
    /// Where operators' lists are kept; held while they change.
    lists: Mutex<Option<PathBuf>>,
    system_group: String,
    switch: Arc<Switch>,
    figures: Arc<Figures>,
    peers: Peers,
    listening: watch::Receiver<BTreeSet<Multiaddr>>,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    following: AbortHandle,
}

impl Net {
    /// Begins to listen. Nobody is a member of anything until that is told, so nobody is let in but whom the settings name.
    ///
    /// # Errors
    /// If the key is none of ed25519, a certificate can't be used, or the address can't be listened on.
    pub(crate) async fn start(settings: Settings, key: &SecretKey) -> Result<Arc<Net>, NetError> {
        let keypair = identity::keypair(key)?;
        let figures = Arc::<Figures>::default();
        let admission = admission(&settings, key, figures.clone())?;
        let mut swarm = new_swarm(&settings, keypair, admission.clone())?;
        let address = settings.listen;
        let listens = swarm.listen_on(tcp::of_socket(address));
        listens.map_err(|error| NetError::Listen { address, reason: error.to_string() })?;
        if let Some(external) = &settings.external {
            swarm.add_external_address(external.clone());
        }
        let (told, membership) = watch::channel(Membership::default());
        let peers = Peers::default();
        let budget = settings.member_bytes_per_second;
        let switch = Switch::new(key.public_key(), membership.clone(), figures.clone(), budget);
        let (known, mut listening) = watch::channel(BTreeSet::new());
        let (notes, noted) = mpsc::unbounded_channel();
        let peer = *swarm.local_peer_id();
        let lists = Mutex::new(settings.lists.clone());
        let system_group = settings.system_group.clone();
        let follow = trust::follow(settings.trust.clone(), key.public_key(), admission.clone());
        let driver = Driver {
            swarm,
            book: AddressBook::open(settings.book.clone()),
            settings,
            membership,
            admission: admission.clone(),
            switch: switch.clone(),
            figures: figures.clone(),
            peers: peers.clone(),
            listening: known,
            lookups: Lookups::new(),
            notes,
            noted,
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(driver.run(stopped));
        // A machine may have no address now and get one later.
        let _ = tokio::time::timeout(LISTENING, listening.wait_for(|known| !known.is_empty())).await;
        Ok(Arc::new(Net {
            peer,
            membership: told,
            admission,
            lists,
            system_group,
            switch,
            figures,
            peers,
            listening,
            running: Mutex::new(Some((stop, task))),
            following: tokio::spawn(follow).abort_handle(),
        }))
    }

    /// Connects the group with this genesis to its other members.
    pub(crate) fn join(&self, group: Hash) -> Network {
        self.switch.join(group)
    }

    /// From now on these are the members of the group with this genesis. Who is in no group any more is cut off.
    pub(crate) fn members_are(&self, group: Hash, members: GroupMembers) {
        self.membership.send_if_modified(|membership| {
            let changes = membership.groups.get(&group) != Some(&members);
            membership.groups.insert(group, members);
            changes
        });
    }

    /// This node is in this group no more. Who is in no other is cut off.
    pub(crate) fn leave(&self, group: &Hash) {
        self.membership.send_if_modified(|membership| membership.groups.remove(group).is_some());
    }

    /// Enters the lobby; whoever was there before hears nothing any more.
    pub(crate) fn lobby(&self) -> Lobby {
        Lobby::enter(&self.switch)
    }

    /// Looks at who is let in, and why.
    pub(crate) fn rules<T>(&self, look: impl FnOnce(&Rules) -> T) -> T {
        self.admission.with(look)
    }

    /// Changes what operators allow and deny. It holds when this returns, and after a restart; who is denied is cut off at
    /// once.
    ///
    /// # Errors
    /// If it can't be kept; nothing has changed then.
    pub(crate) fn change_lists(&self, change: impl FnOnce(&mut Lists)) -> Result<(), ListsError> {
        let path = self.lists.lock();
        let mut lists = self.admission.with(|rules| rules.operator.clone());
        change(&mut lists);
        if let Some(path) = &*path {
            lists.write(path)?;
        }
        self.admission.change(|rules| rules.operator = lists);
        Ok(())
    }

    /// Whether this is the group whose contract `admission` counts here.
    pub(crate) fn is_system_group(&self, group_id: &str) -> bool {
        self.system_group == group_id
    }

    /// From now on the chain says this of who is let in.
    pub(crate) fn chain_says(&self, chain: ByChain) {
        if self.admission.with(|rules| rules.chain != chain) {
            self.admission.change(|rules| rules.chain = chain);
        }
    }

    /// What this node is called.
    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Vec<Multiaddr> {
        self.listening.borrow().iter().cloned().collect()
    }

    /// What is counted.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Nodes that are admitted, and how far the connection to each is; in the order of their names.
    pub(crate) fn peers(&self) -> Vec<PeerStatus> {
        let mut all: Vec<PeerStatus> =
            self.peers.lock().iter().map(|(peer, remote)| self.status(peer, remote)).collect();
        all.sort_by(|one, two| (&one.name, one.peer).cmp(&(&two.name, two.peer)));
        all
    }

    /// How many peers are in each state.
    pub(crate) fn states(&self) -> [(State, usize); State::ALL.len()] {
        let peers = self.peers.lock();
        State::ALL.map(|state| (state, peers.values().filter(|remote| remote.state() == state).count()))
    }

    /// Frames of a module that wait, for all peers.
    pub(crate) fn waiting(&self, module: Module) -> usize {
        let peers = self.peers.lock();
        let outboxes = peers.values().filter_map(|remote| remote.link.as_ref()?.outbox.as_ref());
        outboxes.map(|outbox| outbox.waiting(module)).sum()
    }

    fn status(&self, peer: &PeerId, remote: &peers::Remote) -> PeerStatus {
        let (key, (waiting, dropped)) = (identity::public_key(peer), remote.queue());
        let (link, (address, address_source)) = (remote.link.as_ref(), remote.address());
        PeerStatus {
            name: remote.name.clone(),
            peer: *peer,
            key,
            state: remote.state(),
            address: address.cloned(),
            address_source,
            dialed: link.map(|link| link.dialed),
            connected_for: link.map(|link| link.since.elapsed()),
            round_trip: remote.round_trip,
            received_bytes: remote.traffic.received(),
            sent_bytes: remote.traffic.sent(),
            waiting,
            dropped,
            refused: remote.traffic.refused(),
            groups: key.map(|key| self.switch.common_groups(&key)).unwrap_or_default(),
            agent: remote.agent.clone(),
            certificate: link.and_then(|link| link.certificate.clone()),
            error: remote.error.clone(),
        }
    }

    /// Ends all connections.
    pub(crate) async fn stop(&self) {
        self.following.abort();
        let Some((stop, task)) = self.running.lock().take() else { return };
        // A driver that has failed has stopped too.
        let _ = stop.send(());
        let _ = task.await;
        for remote in self.peers.lock().values_mut() {
            drop(remote.unlink());
        }
    }
}

/// What decides who is let in when the node starts.
fn admission(settings: &Settings, key: &SecretKey, figures: Arc<Figures>) -> Result<Arc<Admission>, NetError> {
    let trusted = settings.trust.read(key.public_key());
    let (certificate, authorities) = trusted.map_err(|error| NetError::Trust(Box::new(error)))?;
    let mut allowed = settings.allow.clone();
    if authorities.is_empty() {
        allowed.extend(settings.seeds.iter().map(|seed| seed.peer));
    }
    let configuration = ByConfiguration { certificate, authorities, allowed };
    let operator = settings.lists.as_deref().map(Lists::read).transpose()?.unwrap_or_default();
    Ok(Admission::new(configuration, operator, figures))
}

fn new_swarm(settings: &Settings, keypair: Keypair, admission: Arc<Admission>) -> Result<Swarm<Behaviour>, NetError> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(HANDSHAKES))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER));
    let agent = format!("hanse/{}", env!("CARGO_PKG_VERSION"));
    // Where a node listens says nothing to others if it is reached by another address.
    let identify = identify::Config::new(SPEAKS.into(), keypair.public())
        .with_agent_version(agent)
        .with_hide_listen_addrs(settings.external.is_some());
    let ping = ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        kademlia: discovery::kademlia(keypair.public().to_peer_id()),
        streams: Toggle::from((!settings.is_seed).then(Streams::default)),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping),
    };
    let noise = noise::Config::new(&keypair).map_err(|error| NetError::Handshake(error.to_string()))?;
    let transport = Tcp::default()
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex_ext(move |peer, point| Certified {
            admission: admission.clone(),
            peer: *peer,
            at: point.get_remote_address().clone(),
        })
        .timeout(HANDSHAKE)
        .boxed();
    let peer = keypair.public().to_peer_id();
    // What is connected stays so, also with a seed, whose connections carry nothing most of the time.
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::MAX);
    Ok(Swarm::new(transport, behaviour, peer, config))
}

#[cfg(test)]
mod matrix;
#[cfg(test)]
mod tests;
