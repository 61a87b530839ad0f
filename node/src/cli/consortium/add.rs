//! `hanse chain add-node`: a folder for one more node of a chain whose folders are here.
//!
//! The others need not be told where it is: it connects to them. They let it in by its certificate, or once it is a member of a
//! group of theirs; it takes part in a group when an administrator has made it a member.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use hanse_types::crypto::PublicKey;
use serde::Serialize;

use super::super::Common;
use super::super::ca;
use super::super::exit::Failure;
use super::super::init::{failed, make_folder};
use super::super::output::{Output, fields};
use super::new::{
    AUTHORITIES, CERTIFICATE, GENESIS, Place, configuration, make_key, peer_address, ports, write_genesis_of,
};
use super::{Nodes, name_of};
use crate::config::{self, Config, Loaded};
use crate::groups::read_genesis;
use crate::keys::file::PasswordSource;
use crate::p2p::address::PeerAddress;
use crate::p2p::identity;
use crate::p2p::tcp::of_socket;

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The folder that `hanse chain new` made
    folder: PathBuf,
    /// What the node is called; the next number if not given
    #[arg(long)]
    name: Option<String>,
    /// The organisation that certifies it, by the name of its folder among the authorities
    #[arg(long, default_value = "org-1", value_name = "NAME")]
    organisation: String,
    /// Write the key without a password: whoever reads the file speaks for the node
    #[arg(long)]
    plain_key: bool,
}

/// What was written.
#[derive(Serialize)]
struct Added {
    name: String,
    folder: String,
    rpc: String,
    address: String,
    key: PublicKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
}

/// `hanse chain add-node`.
pub(super) fn run(args: &AddArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let others = Nodes::all(&args.folder).folders()?;
    let nodes = others.iter().filter(|other| !name_of(other).starts_with("seed-")).count();
    let name = args.name.clone().unwrap_or_else(|| format!("node-{}", nodes + 1));
    let folder = args.folder.join(&name);
    if folder.exists() {
        let text = format!("{} is there already; nothing was written", folder.display());
        return Err(Failure::usage(text).hint("name another node with --name"));
    }
    let genesis = read_genesis(&args.folder.join(GENESIS)).map_err(|error| Failure::usage(error.to_string()))?;
    let known = others.iter().map(|other| Loaded::read(&other.join(config::FILE), std::iter::empty()));
    let known: Vec<Loaded> = known.collect::<Result<_, _>>()?;
    let free = ports(0, 2)?;
    let [requests, network] = [free[0], free[1]].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let place = Place { name, folder, is_seed: false, requests, network, address: of_socket(network) };
    let authority = authority(args, common)?;

    let key = make_key(args.plain_key, common, &place)?;
    write_genesis_of(&place.folder, &genesis)?;
    let mut config = configuration(args.plain_key, true, common, &place, others.len())?;
    config.network.peers = addresses(&others, &known)?;
    config.network.seeds = distinct(known.iter().flat_map(|loaded| loaded.config.network.seeds.clone()).collect());
    if let Some(authority) = &authority {
        ca::certify(authority, &place.name, key, &place.folder.join(CERTIFICATE))?;
        trust(&place.folder, &known, &mut config)?;
    }
    let path = place.folder.join(config::FILE);
    fs::write(&path, config::template::text(&config)).map_err(|error| failed(&path, &error))?;

    let added = Added {
        folder: place.folder.display().to_string(),
        rpc: format!("http://{}", place.requests),
        address: peer_address((&place, &key)).map(|address| address.to_string()).unwrap_or_default(),
        key,
        organisation: authority.as_ref().map(|_| args.organisation.clone()),
        name: place.name,
    };
    output.result(&added, text)?;
    if !config.network.seeds.is_empty() && authority.is_none() {
        output.note(format!("\nlet it in at each seed: hanse net allow {}", added.key));
    }
    output.note(format!("\nmake it a member: hanse member add {} {}", added.name, added.key));
    output.note(format!("and run it: hanse chain start {} --node {}", args.folder.display(), added.name));
    Ok(())
}

fn text(added: &Added) -> String {
    let lines = [
        ("node", added.name.clone()),
        ("folder", added.folder.clone()),
        ("requests", added.rpc.clone()),
        ("other nodes", added.address.clone()),
        ("key", added.key.to_string()),
    ];
    fields(lines.into_iter().chain(added.organisation.clone().map(|name| ("organisation", name))))
}

/// The authority that certifies it; none in a chain without certificates.
fn authority(args: &AddArgs, common: &Common) -> Result<Option<ca::Opened>, Failure> {
    let folder = args.folder.join(AUTHORITIES);
    if !folder.is_dir() {
        return Ok(None);
    }
    let source = PasswordSource { file: common.password_file.as_deref() };
    let opened = ca::open(&folder.join(&args.organisation), source);
    opened.map(Some).map_err(|failure| failure.hint(format!("--organisation names a folder in {}", folder.display())))
}

/// It trusts whom the others trust.
fn trust(folder: &Path, known: &[Loaded], config: &mut Config) -> Result<(), Failure> {
    make_folder(&folder.join(AUTHORITIES))?;
    config.network.certificate = CERTIFICATE.into();
    let Some(first) = known.first() else { return Ok(()) };
    for authority in &first.config.network.authorities {
        let from = first.resolve(authority);
        let own = Path::new(AUTHORITIES).join(from.file_name().unwrap_or_default());
        fs::copy(&from, folder.join(&own)).map_err(|error| failed(&from, &error))?;
        config.network.authorities.push(own);
    }
    Ok(())
}

/// Where the others are: what they know of each other, and where the only one listens.
fn addresses(others: &[PathBuf], known: &[Loaded]) -> Result<Vec<PeerAddress>, Failure> {
    let mut all: Vec<PeerAddress> = known.iter().flat_map(|loaded| loaded.config.network.peers.clone()).collect();
    if let ([folder], [only]) = (others, known) {
        let key = fs::read_to_string(only.resolve(&only.config.node.key).with_extension("pub")).ok();
        let peer = key.and_then(|key| identity::peer_id(&key.trim().parse::<PublicKey>().ok()?));
        let peer = peer.ok_or_else(|| Failure::error(format!("the key of {} can't be read", name_of(folder))))?;
        all.push(PeerAddress { peer, address: of_socket(only.config.network.listen) });
    }
    Ok(distinct(all))
}

fn distinct(mut all: Vec<PeerAddress>) -> Vec<PeerAddress> {
    all.sort_by_key(|known| (known.peer, known.address.to_string()));
    all.dedup();
    all
}
