//! Nodes of one process that are connected over real sockets.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use hanse_group::network::{Incoming, Peer, Recipient};

use super::figures::Refused;
use super::*;
use crate::pki::issue::{self, Span};
use crate::pki::{Authority, Certificate};

const GROUP: Hash = Hash([1; 32]);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(byte: u8) -> SecretKey {
    SecretKey::ed25519([byte; 32])
}

fn members(of: &[u8]) -> GroupMembers {
    of.iter().map(|byte| (key(*byte).public_key(), format!("node-{byte}"))).collect()
}

struct Node {
    net: Arc<Net>,
    group: Network,
}

impl Settings {
    /// Of a node that knows nobody, and keeps nothing.
    pub(crate) fn alone(listen: SocketAddr) -> Settings {
        Settings {
            listen,
            external: None,
            peers: Vec::new(),
            seeds: Vec::new(),
            is_seed: false,
            allow: BTreeSet::new(),
            trust: TrustFiles::default(),
            lists: None,
            book: None,
            system_group: String::new(),
            queue_bytes: 1 << 20,
            member_bytes_per_second: u64::MAX,
        }
    }
}

impl Node {
    async fn start(byte: u8, group: &[u8], peers: Vec<PeerAddress>) -> Node {
        Node::start_at(0, byte, group, peers).await
    }

    async fn start_at(port: u16, byte: u8, group: &[u8], peers: Vec<PeerAddress>) -> Node {
        Node::begin(port, byte, group, peers, u64::MAX).await
    }

    /// One that takes so many bytes a second of each member.
    async fn start_with(byte: u8, group: &[u8], peers: Vec<PeerAddress>, member_bytes_per_second: u64) -> Node {
        Node::begin(0, byte, group, peers, member_bytes_per_second).await
    }

    async fn begin(port: u16, byte: u8, group: &[u8], peers: Vec<PeerAddress>, member_bytes_per_second: u64) -> Node {
        let alone = Settings::alone(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let settings = Settings { peers, member_bytes_per_second, ..alone };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let net = loop {
            match Net::start(settings.clone(), &key(byte)).await {
                // Another test was given the port meanwhile.
                Err(NetError::Listen { .. }) if port > 0 && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                started => break started.unwrap(),
            }
        };
        net.members_are(GROUP, members(group));
        Node { group: net.join(GROUP), net }
    }

    fn address(&self) -> PeerAddress {
        PeerAddress { peer: self.net.peer(), address: self.net.listening()[0].clone() }
    }

    async fn next(&mut self) -> Incoming {
        tokio::time::timeout(PATIENCE, self.group.incoming.recv()).await.unwrap().unwrap()
    }

    /// The next frame, whatever else comes before it.
    async fn next_frame(&mut self) -> Vec<u8> {
        loop {
            if let Incoming::Frame { bytes, .. } = self.next().await {
                return bytes.to_vec();
            }
        }
    }

    fn state(&self) -> Vec<State> {
        self.net.peers().iter().map(|peer| peer.state).collect()
    }

    fn send(&self, byte: u8, length: usize) {
        self.group.transport.send(Recipient::All, Module::Consensus, vec![byte; length].into());
    }
}

async fn until(condition: impl Fn() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_connected_once_and_again_after_a_loss() {
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    let mut two = Node::start(2, &[1, 2], vec![one.address()]).await;
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    assert_eq!(two.next().await, Incoming::Up(Peer(0)));
    until(|| one.state() == [State::Ready] && two.state() == [State::Ready]).await;
    // As long as nothing else was ever sent, and longer than any buffer.
    for length in [0, 1, 100_000, 3 << 20] {
        one.send(7, length);
        assert_eq!(two.next_frame().await, vec![7; length]);
        two.send(8, length);
        assert_eq!(one.next_frame().await, vec![8; length]);
    }
    let status = one.net.peers().remove(0);
    assert_eq!((status.name.as_str(), status.groups, status.dialed), ("node-2", vec![GROUP], Some(false)));
    assert!(status.received_bytes > 3 << 20 && status.sent_bytes > 3 << 20);

    let address = one.address();
    one.net.stop().await;
    assert_eq!(two.next().await, Incoming::Down(Peer(0)));
    until(|| two.state() == [State::Connecting]).await;
    let port = address.address.iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let mut again = Node::start_at(port.unwrap(), 1, &[1, 2], Vec::new()).await;
    assert_eq!(two.next().await, Incoming::Up(Peer(0)));
    two.send(9, 10);
    assert_eq!(again.next_frame().await, vec![9; 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_to_each_other_at_once_ends_with_one_connection() {
    let mut one = Node::start(1, &[1, 2, 3], Vec::new()).await;
    // Free ports, which the two that are started together have to know of each other before.
    let ports = [(); 2].map(|()| {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    });
    let address = |byte: u8, port: u16| PeerAddress {
        peer: identity::peer_id(&key(byte).public_key()).unwrap(),
        address: tcp::of_socket(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
    };
    let peers = |other| vec![one.address(), other];
    let (two, three) = tokio::join!(
        Node::start_at(ports[0], 2, &[1, 2, 3], peers(address(3, ports[1]))),
        Node::start_at(ports[1], 3, &[1, 2, 3], peers(address(2, ports[0]))),
    );
    let (mut two, mut three) = (two, three);
    let all_ready = || [&one, &two, &three].iter().all(|node| node.state() == [State::Ready; 2]);
    until(all_ready).await;
    // What goes over the connection that gives way to the other's is lost.
    let sent = async |from: &Node, byte: u8, to: &mut Node| {
        loop {
            from.send(byte, 5);
            let frame = tokio::time::timeout(Duration::from_secs(1), to.next_frame()).await;
            if frame.is_ok_and(|frame| frame == vec![byte; 5]) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, async {
        sent(&two, 2, &mut three).await;
        sent(&two, 2, &mut one).await;
        sent(&three, 3, &mut two).await;
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_who_is_no_member_any_more_is_cut_off() {
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    let stranger = Node::start(9, &[1, 9], vec![one.address()]).await;
    until(|| one.net.figures().refused(Refused::Connection) > 0).await;
    until(|| stranger.net.peers()[0].error.is_some()).await;
    assert!(stranger.state() != [State::Ready] && one.state() == [State::Awaited]);

    let mut two = Node::start(2, &[1, 2], vec![one.address()]).await;
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    assert_eq!(two.next().await, Incoming::Up(Peer(0)));
    one.net.members_are(GROUP, members(&[1]));
    assert_eq!(one.next().await, Incoming::Down(Peer(0)));
    assert_eq!(two.next().await, Incoming::Down(Peer(0)));
    until(|| one.net.peers().is_empty()).await;
    let refused = one.net.figures().refused(Refused::Connection);
    until(|| one.net.figures().refused(Refused::Connection) > refused).await;
    one.net.members_are(GROUP, members(&[1, 2]));
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_another_group_reaches_nobody() {
    const OTHER: Hash = Hash([2; 32]);
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    let two = Node::start(2, &[1, 2], vec![one.address()]).await;
    // The sender believes that both are in it.
    two.net.members_are(OTHER, members(&[1, 2]));
    let other = two.net.join(OTHER);
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    until(|| two.state() == [State::Ready]).await;
    other.transport.send(Recipient::All, Module::Consensus, vec![6; 200_000].into());
    two.send(7, 1);
    assert_eq!(one.next_frame().await, [7]);
    // Groups take turns, so the other frame may come later.
    until(|| one.net.figures().refused(Refused::Group) == 1).await;
}

/// Until when the certificates of these tests hold, if not said otherwise: long after them.
const LATER: u64 = 4_000_000_000;

fn authority() -> Authority {
    issue::authority("Bank", &key(100), Span { from: 1, until: LATER }).unwrap()
}

fn certificate(byte: u8, until: u64) -> Arc<Certificate> {
    let span = Span { from: 1, until };
    Arc::new(issue::node(&authority(), &key(100), &format!("node-{byte}"), key(byte).public_key(), span).unwrap())
}

impl Node {
    /// From now on certificates are needed, and this node presents that one.
    fn certify(&self, certificate: Option<Arc<Certificate>>) {
        self.net.admission.change(|rules| {
            rules.configuration.authorities = vec![authority()];
            rules.configuration.certificate = certificate;
        });
    }

    fn refused(&self, why: Refused) -> u64 {
        self.net.figures().refused(why)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_certificate_of_its_own_is_refused_and_let_in_with_one() {
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    one.certify(Some(certificate(1, LATER)));
    let two = Node::start(2, &[1, 2], vec![one.address()]).await;
    until(|| one.refused(Refused::NoCertificate) > 0).await;
    until(|| two.net.peers()[0].error.as_ref().is_some_and(|error| error.contains("its log says why"))).await;
    two.certify(Some(certificate(3, LATER)));
    until(|| one.refused(Refused::CertificateKey) > 0).await;
    two.certify(Some(certificate(2, 1_000)));
    until(|| one.refused(Refused::CertificateTime) > 0).await;
    assert_eq!((one.state(), one.refused(Refused::Connection)), (vec![State::Awaited], 0));
    two.certify(Some(certificate(2, LATER)));
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    let seen = one.net.peers().remove(0).certificate;
    assert_eq!(seen.as_deref().map(Certificate::until), Some(LATER));
    // It checks the other side as well.
    one.certify(None);
    one.net.change_lists(|lists| lists.deny(two.net.peer())).unwrap();
    assert_eq!(one.next().await, Incoming::Down(Peer(0)));
    one.net.change_lists(|lists| lists.forget(two.net.peer())).unwrap();
    until(|| two.refused(Refused::NoCertificate) > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_ends_the_connection_and_a_new_one_makes_it_again() {
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    one.certify(Some(certificate(1, LATER)));
    let two = Node::start(2, &[1, 2], vec![one.address()]).await;
    // On a slow machine it has expired before they are connected; then one that holds longer is tried.
    for seconds in [3, 12, 48] {
        let refused = one.refused(Refused::CertificateTime);
        two.certify(Some(certificate(2, crate::pki::now() + seconds)));
        until(|| one.state() == [State::Ready] || one.refused(Refused::CertificateTime) > refused).await;
        if one.state() == [State::Ready] {
            break;
        }
    }
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    assert_eq!(one.next().await, Incoming::Down(Peer(0)));
    let refused = one.refused(Refused::CertificateTime);
    until(|| one.refused(Refused::CertificateTime) > refused).await;
    two.certify(Some(certificate(2, LATER)));
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_denied_is_cut_off_and_stays_out() {
    let mut one = Node::start(1, &[1, 2], Vec::new()).await;
    one.certify(Some(certificate(1, LATER)));
    let two = Node::start(2, &[1, 2], vec![one.address()]).await;
    two.certify(Some(certificate(2, LATER)));
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
    one.net.change_lists(|lists| lists.deny(two.net.peer())).unwrap();
    assert_eq!(one.next().await, Incoming::Down(Peer(0)));
    assert_eq!(one.state(), [State::Denied]);
    until(|| one.refused(Refused::Denied) > 0).await;
    // Nor by its authority.
    let bank = identity::peer_id(&key(100).public_key()).unwrap();
    one.net.chain_says(ByChain { denied: [bank].into(), ..ByChain::default() });
    one.net.change_lists(|lists| lists.forget(two.net.peer())).unwrap();
    until(|| one.refused(Refused::AuthorityDenied) > 0).await;
    assert_ne!(one.state(), [State::Ready]);
    one.net.chain_says(ByChain::default());
    assert_eq!(one.next().await, Incoming::Up(Peer(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_node_of_no_group_is_connected_and_hears_of_none() {
    let one = Node::start(1, &[1], Vec::new()).await;
    one.certify(Some(certificate(1, LATER)));
    let two = Node::start(2, &[2], vec![one.address()]).await;
    two.certify(Some(certificate(2, LATER)));
    until(|| one.state() == [State::Ready] && two.state() == [State::Ready]).await;
    let status = one.net.peers().remove(0);
    assert_eq!((status.name.as_str(), status.groups), ("node-2", Vec::new()));
    // Who is not expected is forgotten when it goes.
    two.net.stop().await;
    until(|| one.state().is_empty()).await;
}

/// What a member sends faster than a group takes it is lost to nobody but itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_floods_delays_and_displaces_nobody_else() {
    let mut one = Node::start(1, &[1, 2, 3], Vec::new()).await;
    let flooder = Node::start(2, &[1, 2, 3], vec![one.address()]).await;
    let other = Node::start(3, &[1, 2, 3], vec![one.address()]).await;
    until(|| one.state() == [State::Ready; 2] && other.state().contains(&State::Ready)).await;
    let refused = || one.net.figures().refused(Refused::Flood);
    // The group of `one` takes nothing meanwhile, as if it were busy.
    until(|| {
        (0..1_000).for_each(|_| flooder.send(2, 1_000));
        refused() > 0
    })
    .await;
    // The first has been handed over when the second comes.
    other.send(3, 1_000);
    other.send(4, 1_000);
    let received = |name| one.net.peers().into_iter().find(|peer| peer.name == name).unwrap();
    until(|| received("node-3").received_bytes > 2_000).await;
    assert!(received("node-2").refused > 0 && received("node-3").refused == 0);
    let mut before = 0;
    while one.next_frame().await != vec![3; 1_000] {
        before += 1;
    }
    assert!(before <= 2, "{before} frames of a flood went before another member's");
}

/// A member may send so many bytes a second.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_a_members_part_is_passed_over_and_counted() {
    let mut one = Node::start_with(1, &[1, 2], Vec::new(), 20_000).await;
    let two = Node::start(2, &[1, 2], vec![one.address()]).await;
    until(|| one.state() == [State::Ready] && two.state() == [State::Ready]).await;
    (0..20).for_each(|_| two.send(2, 10_000));
    // Two at once, and two for each second that they take.
    let mut taken = 0;
    let all = async {
        while taken + one.net.peers()[0].refused < 20 {
            if let Ok(frame) = tokio::time::timeout(Duration::from_millis(10), one.next_frame()).await {
                assert_eq!(frame, vec![2; 10_000]);
                taken += 1;
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    let refused = one.net.figures().refused(Refused::Flood);
    assert!((1..20).contains(&refused) && one.net.peers()[0].refused == refused, "{refused} of 20");
}
