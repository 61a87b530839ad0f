//! Addresses of nodes, as a configuration says them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use hanse_types::crypto::PublicKey;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::identity;
use super::tcp::of_socket;

/// Where a node is, and who must answer there: `/ip4/10.0.0.7/tcp/7430/p2p/12D3KooW…`, or `/dns4/node.example/…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PeerAddress {
    /// Who.
    pub(crate) peer: PeerId,
    /// Where.
    pub(crate) address: Multiaddr,
}

/// Why a text is no address of a node.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    /// It is no multiaddress.
    #[error("{0:?} is no multiaddress such as /ip4/10.0.0.7/tcp/7430")]
    Form(String),
    /// It does not say who is there.
    #[error("{0:?} does not end in /p2p/ and the node's id, which `hanse key show` and `hanse net peers` print")]
    NoPeer(String),
    /// Nodes don't connect that way.
    #[error("{0:?} is no address of TCP: write /ip4/…, /ip6/… or /dns4/… and then /tcp/PORT")]
    Transport(String),
    /// It names no node.
    #[error("{0:?} is neither a node's id such as 12D3KooW… nor a key such as ed25519:…")]
    Node(String),
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<PeerAddress, AddressError> {
        let mut address: Multiaddr = text.parse().map_err(|_| AddressError::Form(text.to_owned()))?;
        let Some(Protocol::P2p(peer)) = address.pop() else { return Err(AddressError::NoPeer(text.to_owned())) };
        check_tcp(&address).ok_or_else(|| AddressError::Transport(text.to_owned()))?;
        Ok(PeerAddress { peer, address })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/p2p/{}", self.address, self.peer)
    }
}

impl TryFrom<String> for PeerAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<PeerAddress, AddressError> {
        text.parse()
    }
}

impl From<PeerAddress> for String {
    fn from(address: PeerAddress) -> String {
        address.to_string()
    }
}

/// Where this node can be reached; empty if it does not say so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct External(pub(crate) Option<Multiaddr>);

impl TryFrom<String> for External {
    type Error = AddressError;

    fn try_from(text: String) -> Result<External, AddressError> {
        if text.is_empty() {
            return Ok(External(None));
        }
        let address: Multiaddr = text.parse().map_err(|_| AddressError::Form(text.clone()))?;
        check_tcp(&address).ok_or(AddressError::Transport(text))?;
        Ok(External(Some(address)))
    }
}

impl From<External> for String {
    fn from(external: External) -> String {
        external.0.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// A node, by its id or by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NodeName(pub(crate) PeerId);

impl FromStr for NodeName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<NodeName, AddressError> {
        let of_key = || text.parse::<PublicKey>().ok().and_then(|key| identity::peer_id(&key));
        let peer = text.parse().ok().or_else(of_key);
        peer.map(NodeName).ok_or_else(|| AddressError::Node(text.to_owned()))
    }
}

impl TryFrom<String> for NodeName {
    type Error = AddressError;

    fn try_from(text: String) -> Result<NodeName, AddressError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(node: NodeName) -> String {
        node.0.to_string()
    }
}

/// Whether nodes connect to such an address.
pub(super) fn is_dialable(address: &Multiaddr) -> bool {
    check_tcp(address).is_some()
}

/// Whether it is a host's address or name, and a port of TCP.
fn check_tcp(address: &Multiaddr) -> Option<()> {
    let mut parts = address.iter();
    let is_host = |part: &Protocol<'_>| {
        matches!(part, Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    };
    parts.next().filter(is_host)?;
    parts.next().filter(|part| matches!(part, Protocol::Tcp(_)))?;
    parts.next().is_none().then_some(())
}

/// The address with numbers in the place of its host's name, as the system resolves it now.
pub(super) async fn resolve(address: &Multiaddr) -> Vec<Multiaddr> {
    let mut parts = address.iter();
    let (host, four, six) = match parts.next() {
        Some(Protocol::Dns(host)) => (host, true, true),
        Some(Protocol::Dns4(host)) => (host, true, false),
        Some(Protocol::Dns6(host)) => (host, false, true),
        _ => return vec![address.clone()],
    };
    let Some(Protocol::Tcp(port)) = parts.next() else { return Vec::new() };
    let found = tokio::net::lookup_host((host.as_ref(), port)).await;
    let fits = |address: &SocketAddr| (address.is_ipv4() && four) || (address.is_ipv6() && six);
    found.into_iter().flatten().filter(fits).map(of_socket).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn peer() -> String {
        identity::peer_id(&"ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse().unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn an_address_says_where_and_who() {
        for host in ["/ip4/10.0.0.7", "/ip6/::1", "/dns4/node.example", "/dns/node.example"] {
            let text = format!("{host}/tcp/7430/p2p/{}", peer());
            assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
        }
        let error = |text: String| text.parse::<PeerAddress>().unwrap_err().to_string();
        assert!(error("10.0.0.7:7430".into()).contains("no multiaddress"));
        assert!(error("/ip4/10.0.0.7/tcp/7430".into()).contains("does not end in /p2p/"));
        assert!(error(format!("/ip4/10.0.0.7/udp/7430/p2p/{}", peer())).contains("no address of TCP"));
        assert!(error(format!("/tcp/7430/p2p/{}", peer())).contains("no address of TCP"));
    }

    #[test]
    fn a_node_is_named_by_its_id_or_its_key() {
        let key = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.parse::<NodeName>().unwrap(), peer().parse().unwrap());
        assert!("node-1".parse::<NodeName>().unwrap_err().to_string().contains("neither a node's id"));
        assert_eq!(External::try_from(String::new()).unwrap(), External(None));
        assert!(External::try_from("/ip4/1.2.3.4/tcp/1".to_owned()).unwrap().0.is_some());
        assert!(External::try_from("1.2.3.4:1".to_owned()).is_err());
    }

    #[tokio::test]
    async fn names_are_resolved_and_numbers_stay() {
        let number: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert_eq!(resolve(&number).await, std::slice::from_ref(&number));
        assert_eq!(resolve(&"/dns4/localhost/tcp/1".parse().unwrap()).await, [number]);
    }
}
