//! `hanse net`: the network between nodes, as one of them sees it.

use clap::Subcommand;
use hanse_client::methods::{GetPeers, NoParams};
use hanse_client::views::{NodePeers, PeerView};

use super::Common;
use super::exit::Failure;
use super::output::{fields, table};
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum NetCommand {
    /// The nodes that are admitted, and how far the connection to each is
    Peers,
}

/// `hanse net`.
pub(crate) async fn run(command: NetCommand, common: &Common) -> Result<(), Failure> {
    let NetCommand::Peers = command;
    let session = Session::open(common).await?;
    let peers = session.client.call::<GetPeers>(NoParams {}).await?;
    session.output.result(&peers, text)
}

fn text(network: &NodePeers) -> String {
    let Some(id) = &network.id else { return "this node makes its chain alone; it is in no network".into() };
    let own = [("id", id.clone()), ("listens", network.listening.join(", "))];
    let head = ["name", "state", "address", "round trip", "received", "sent", "waiting", "dropped", "id"];
    let rows = network.peers.iter().map(row);
    let errors = network.peers.iter().filter_map(|peer| {
        let error = peer.error.as_ref().filter(|_| peer.connected_ms.is_none())?;
        Some(format!("\n{}: {error}", if peer.name.is_empty() { &peer.id } else { &peer.name }))
    });
    format!("{}\n{}{}", fields(own), table(head, rows), errors.collect::<String>())
}

fn row(peer: &PeerView) -> [String; 9] {
    [
        peer.name.clone(),
        peer.state.clone(),
        peer.address.clone().unwrap_or_default(),
        peer.round_trip_us.map(|us| format!("{:.1} ms", us as f64 / 1_000.0)).unwrap_or_default(),
        bytes(peer.received_bytes),
        bytes(peer.sent_bytes),
        peer.waiting.to_string(),
        peer.dropped.to_string(),
        peer.id.clone(),
    ]
}

fn bytes(count: u64) -> String {
    format!("{:.1} MiB", count as f64 / (1 << 20) as f64)
}
