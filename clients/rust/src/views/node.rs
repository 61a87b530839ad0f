//! The node as its operators see it.

use hanse_types::crypto::CryptoSuite;
use std::collections::BTreeMap;

use hanse_types::{Hash, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RequestLimits;

/// What a node logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLevels {
    /// The level of all targets that have none of their own.
    pub level: String,
    /// Targets with a level of their own.
    pub targets: BTreeMap<String, String>,
    /// For each log that is written to files, how many of its lines were lost since the node started.
    pub lost: BTreeMap<String, u64>,
}

/// What a node is, and what it runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeInfo {
    /// Its version.
    pub version: String,
    /// Its key, by which its groups and the network know it.
    pub key: String,
    /// How it was built.
    pub build: BuildView,
    /// What it runs on.
    pub machine: MachineView,
    /// When it began to serve.
    pub started_at: Timestamp,
    /// For how long it has been serving, in milliseconds.
    pub uptime_ms: u64,
    /// What one request may hold.
    pub limits: RequestLimits,
    /// How each of its groups is run.
    pub settings: SettingsView,
    /// Where it takes what only operators may ask; absent if nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminView>,
}

/// Where a node takes what only its operators may ask: on its own machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdminView {
    /// `unix:` and the path of a socket, or an URL.
    pub address: String,
    /// The file with the token that an URL wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
}

/// How a program was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BuildView {
    /// The kind of machine that it is for: `x86_64-linux`.
    pub target: String,
    /// `release` or `debug`.
    pub profile: String,
    /// Version of the transactions that it understands.
    pub transaction_version: u16,
    /// Crypto suites that its groups can have.
    pub crypto_suites: Vec<CryptoSuite>,
}

/// What a node runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineView {
    /// Cores that the process may use.
    pub cores: usize,
    /// Bytes of memory; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The operating system's kind.
    pub system: String,
}

/// How a node runs a group. Nothing of it is agreed on between nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// Threads that execute blocks and verify signatures.
    pub threads: usize,
    /// Whether each of them stays on one core.
    pub bind_cores: bool,
    /// Threads that answer simulations and views.
    pub query_threads: usize,
    /// Most transactions that the pool holds,
    pub pool_transactions: usize,
    /// most bytes of them,
    pub pool_bytes: usize,
    /// and most transactions of one sender.
    pub pool_sender_transactions: usize,
    /// Most submissions that wait for their signatures to be verified.
    pub intake_waiting: usize,
}

/// The network between nodes, as one of them sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodePeers {
    /// This node's id in the network, which follows from its key; absent if it is in none, as a node that makes its chain
    /// alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Addresses at which it listens for other nodes, as multiaddresses.
    pub listening: Vec<String>,
    /// The nodes that are admitted, in the order of their names.
    pub peers: Vec<PeerView>,
}

/// Another node of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeerView {
    /// What its group calls it, or else its certificate; empty if neither does.
    pub name: String,
    /// Its id in the network.
    pub id: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How far the connection is: `awaited` (its address is not known, it is looked for or has to connect), `connecting`,
    /// `handshaking`, `ready`, `lagging` (messages to it pile up), `foreign` (no messages of groups are exchanged with it: a
    /// seed, or a client of libp2p), `banned` (for a while, as it
    /// sent what no node sends), `denied` (until it is denied no more).
    pub state: String,
    /// Where it is connected, or was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where that address is from: `configured` (`network.peers`), `seed` (`network.seeds`), `discovered` (the node itself told
    /// it, here or to others that are connected); absent if the other side made the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_source: Option<String>,
    /// Whether this node made the connection, and not the other one; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialed: Option<bool>,
    /// For how long it has been connected, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_ms: Option<u64>,
    /// Time that a ping took there and back, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Bytes of groups' messages that came from it.
    pub received_bytes: u64,
    /// Bytes of groups' messages that went to it.
    pub sent_bytes: u64,
    /// Messages that wait to be sent to it.
    pub waiting: usize,
    /// Messages to it that there was no room for.
    pub dropped: u64,
    /// Messages from it that were not taken, as it sent more than its part: too many at a time, or too many that wait.
    pub refused: u64,
    /// Groups of this node that it is a member of, by the hash of their genesis.
    pub groups: Vec<Hash>,
    /// The program that it says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The certificate that it presented when it was connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateView>,
    /// Why it is not connected, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A certificate of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateView {
    /// What the node or the authority is called.
    pub name: String,
    /// Whose it is.
    pub organisation: String,
    /// Who made it.
    pub issuer: String,
    /// The key that it certifies.
    pub key: String,
    /// Its number among those of its authority, in hexadecimal.
    pub serial: String,
    /// From when on it holds.
    pub from: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
    /// Why it does not hold now; absent if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Who is let into the network by a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeAdmission {
    /// Whether members of groups need a certificate. If not, they are let in by their keys.
    pub by_certificate: bool,
    /// The node's own certificate, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateView>,
    /// Authorities whose nodes are let in.
    pub authorities: Vec<TrustedAuthority>,
    /// Nodes that are let in by their keys.
    pub allowed: Vec<NamedKey>,
    /// Nodes and authorities that are kept out, whatever else they have.
    pub denied: Vec<NamedKey>,
}

/// An authority whose nodes are let in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrustedAuthority {
    /// Who says so: `configuration`, `operator` or `chain`.
    pub by: String,
    /// Its certificate.
    pub certificate: CertificateView,
}

/// A node or an authority that is allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedKey {
    /// Who says so: `configuration`, `operator` or `chain`.
    pub by: String,
    /// Its id in the network.
    pub id: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
