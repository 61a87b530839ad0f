//! `hanse net`: the network between nodes, as one of them sees it, and who is let in.

use std::path::PathBuf;

use clap::Subcommand;
use hanse_client::methods::{
    AllowNode, AllowParams, DenyNode, ForgetNode, GetAdmission, GetPeers, KeyParams, NoParams,
};
use hanse_client::views::{CertificateView, NamedKey, NodeAdmission, NodePeers, PeerView, TrustedAuthority};

use super::Common;
use super::admin::AdminArgs;
use super::exit::Failure;
use super::output::{Output, fields, table};
use super::session::Session;
use crate::pki::date;
use crate::pki::file::{read_authority, to_pem};

#[derive(Debug, Subcommand)]
pub(crate) enum NetCommand {
    /// The nodes that are admitted, and how far the connection to each is
    Peers,
    /// Who is let in by this node, by which certificates and keys, and who is denied
    List,
    /// Let in a node without a certificate, or all nodes of one more authority; for operators
    Allow {
        /// The node's id or key
        #[arg(required_unless_present = "authority", conflicts_with = "authority")]
        node: Option<String>,
        /// The file with the authority's certificate
        #[arg(long, value_name = "FILE")]
        authority: Option<PathBuf>,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Cut off a node, or all nodes of an authority, and keep them out; for operators
    Deny {
        /// The node's id or key, or the authority's key
        key: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Forget what the operator allowed or denied; for operators
    Forget {
        /// The id or key
        key: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

/// `hanse net`.
pub(crate) async fn run(command: NetCommand, common: &Common) -> Result<(), Failure> {
    let output = Output { json: common.json, quiet: common.quiet };
    let admission = match command {
        NetCommand::Peers => {
            let session = Session::open(common).await?;
            let peers = session.client.call::<GetPeers>(NoParams {}).await?;
            return session.output.result(&peers, text);
        }
        NetCommand::List => Session::open(common).await?.client.call::<GetAdmission>(NoParams {}).await?,
        NetCommand::Allow { node, authority, admin } => {
            let authority =
                authority.map(|path| Ok::<_, Failure>(to_pem(read_authority(&path)?.certificate()))).transpose()?;
            admin.connect(common).await?.call::<AllowNode>(AllowParams { node, authority }).await?
        }
        NetCommand::Deny { key, admin } => admin.connect(common).await?.call::<DenyNode>(KeyParams { key }).await?,
        NetCommand::Forget { key, admin } => admin.connect(common).await?.call::<ForgetNode>(KeyParams { key }).await?,
    };
    output.result(&admission, admission_text)
}

fn admission_text(admission: &NodeAdmission) -> String {
    let by = if admission.by_certificate { "a certificate of a trusted authority" } else { "their keys" };
    let own = admission.certificate.iter().map(|own| ("certificate", in_words(own)));
    let head = fields([("members are let in by", by.to_owned())].into_iter().chain(own));
    let authority = |trusted: &TrustedAuthority| {
        let certificate = &trusted.certificate;
        ["trusted".into(), trusted.by.clone(), in_words(certificate), certificate.key.clone()]
    };
    let key = |what: &'static str| {
        move |named: &NamedKey| {
            let key = named.key.clone().unwrap_or_default();
            [what.to_owned(), named.by.clone(), named.id.clone(), key]
        }
    };
    let rows = admission.authorities.iter().map(authority);
    let rows =
        rows.chain(admission.allowed.iter().map(key("allowed"))).chain(admission.denied.iter().map(key("denied")));
    format!("{head}\n{}", table(["what", "by", "who", "key"], rows))
}

fn in_words(certificate: &CertificateView) -> String {
    let until = date(certificate.until.0 / 1_000);
    let state = certificate.error.as_ref().map_or_else(|| format!("until {until}"), Clone::clone);
    format!("{} of {}, {state}", certificate.name, certificate.organisation)
}

fn text(network: &NodePeers) -> String {
    let Some(id) = &network.id else { return "this node makes its chain alone; it is in no network".into() };
    let own = [("id", id.clone()), ("listens", network.listening.join(", "))];
    let head = [
        "name",
        "state",
        "address",
        "known by",
        "round trip",
        "received",
        "sent",
        "waiting",
        "dropped",
        "refused",
        "id",
    ];
    let rows = network.peers.iter().map(row);
    let errors = network.peers.iter().filter_map(|peer| {
        let error = peer.error.as_ref().filter(|_| peer.connected_ms.is_none())?;
        Some(format!("\n{}: {error}", if peer.name.is_empty() { &peer.id } else { &peer.name }))
    });
    format!("{}\n{}{}", fields(own), table(head, rows), errors.collect::<String>())
}

fn row(peer: &PeerView) -> [String; 11] {
    [
        peer.name.clone(),
        peer.state.clone(),
        peer.address.clone().unwrap_or_default(),
        peer.address_source.clone().unwrap_or_default(),
        peer.round_trip_us.map(|us| format!("{:.1} ms", us as f64 / 1_000.0)).unwrap_or_default(),
        bytes(peer.received_bytes),
        bytes(peer.sent_bytes),
        peer.waiting.to_string(),
        peer.dropped.to_string(),
        peer.refused.to_string(),
        peer.id.clone(),
    ]
}

fn bytes(count: u64) -> String {
    format!("{:.1} MiB", count as f64 / (1 << 20) as f64)
}
