//! `hanse chain new`: a folder for each node of a new chain.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use hanse_types::Genesis;
use hanse_types::crypto::{PublicKey, SecretKey};
use hanse_types::genesis::Validator;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;

use super::super::Common;
use super::super::ca::{self, new_authority};
use super::super::exit::Failure;
use super::super::founding::{FoundingArgs, placeholder};
use super::super::init::{KEY, failed, make_folder};
use super::super::output::{Output, fields, table};
use super::super::{DEFAULT_NETWORK_PORT, DEFAULT_PORT};
use crate::config::{self, Config};
use crate::groups::{Accept, write_genesis};
use crate::keys::file::{Algorithm, KeyFolder, PasswordSource};
use crate::p2p::address::{External, PeerAddress};
use crate::p2p::identity;
use crate::p2p::tcp::of_socket;
use crate::pki::{Authority, file};

/// The genesis in each node's folder, and in the folder of all.
pub(super) const GENESIS: &str = "genesis.json";

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The folder of all nodes, made if it is not there
    folder: PathBuf,
    /// How many nodes, all of them on this machine
    #[arg(long, default_value_t = 4, conflicts_with = "hosts", value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES)))]
    nodes: u16,
    /// The hosts of the nodes, one node on each: names or addresses, with commas between
    #[arg(long, value_delimiter = ',', value_name = "HOST,...")]
    hosts: Vec<String>,
    /// On this machine, the first of the nodes' ports, of which each has two: for requests and for other nodes. 0 takes free
    /// ones
    #[arg(long, default_value_t = DEFAULT_PORT, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    founding: FoundingArgs,
    /// Write the keys without a password: whoever reads the files decides blocks and certifies nodes
    #[arg(long)]
    plain_keys: bool,
    /// How many organisations the nodes belong to, in turn, each with an authority of its own; as many as nodes if not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES)))]
    organisations: Option<u16>,
    /// Make no authorities and no certificates: nodes are let in by their keys, as members of the group
    #[arg(long, conflicts_with = "organisations")]
    no_certificates: bool,
}

/// The folder of the organisations' authorities.
pub(super) const AUTHORITIES: &str = "authorities";
/// A node's certificate in its folder.
pub(super) const CERTIFICATE: &str = "node.crt";
/// Days for which authorities' certificates hold.
const AUTHORITY_DAYS: u64 = 3_650;

/// Most nodes that are made at once.
const NODES: u16 = 128;

/// Where a node will be.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) requests: SocketAddr,
    pub(super) network: SocketAddr,
    /// Where the others find it.
    pub(super) address: Multiaddr,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    folder: String,
    chain_id: String,
    genesis_hash: hanse_types::Hash,
    nodes: Vec<WrittenNode>,
}

#[derive(Serialize)]
struct WrittenNode {
    name: String,
    folder: String,
    rpc: String,
    address: String,
    key: PublicKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
}

/// The organisation that a node belongs to.
struct Organisation {
    name: String,
    /// Its authority, with the key.
    authority: (Authority, SecretKey),
}

/// `hanse chain new`.
pub(super) fn run(args: &NewArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let places = places(args)?;
    if let Some(taken) = places.iter().map(|place| &place.folder).find(|folder| folder.exists()) {
        let text = format!("{} is there already; nothing was written", taken.display());
        return Err(Failure::usage(text).hint("name another folder"));
    }
    // Everything that can be wrong with the command line is found before anything is written.
    let founding = args.founding.read(common)?;
    let validators = |keys: &[PublicKey]| {
        places.iter().zip(keys).map(|(place, key)| Validator { name: place.name.clone(), key: *key }).collect()
    };
    let placeholders: Vec<PublicKey> = (0..places.len()).map(placeholder).collect();
    founding.genesis(validators(&placeholders))?;

    make_folder(&args.folder)?;
    let organisations = organisations(args, common, places.len())?;
    let keys: Vec<PublicKey> =
        places.iter().map(|place| make_key(args.plain_keys, common, place)).collect::<Result<_, _>>()?;
    let genesis = founding.genesis(validators(&keys))?;
    write_genesis_of(&args.folder, &genesis)?;
    let addresses: Vec<PeerAddress> = places.iter().zip(&keys).filter_map(peer_address).collect();
    for (index, place) in places.iter().enumerate() {
        write_genesis_of(&place.folder, &genesis)?;
        let others = addresses.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.map(|(_, address)| address.clone()).collect();
        let mut config = configuration(args.plain_keys, args.hosts.is_empty(), common, place, others)?;
        certify(place, index, keys[index], &organisations, &mut config)?;
        let path = place.folder.join(config::FILE);
        fs::write(&path, config::template::text(&config)).map_err(|error| failed(&path, &error))?;
    }
    let organisation = |index: usize| Some(organisations.get(index % organisations.len().max(1))?.name.clone());
    let node = |(index, ((place, key), address)): (usize, ((&Place, &PublicKey), &PeerAddress))| WrittenNode {
        name: place.name.clone(),
        folder: place.folder.display().to_string(),
        rpc: format!("http://{}", place.requests),
        address: address.to_string(),
        key: *key,
        organisation: organisation(index),
    };
    let nodes = places.iter().zip(&keys).zip(&addresses).enumerate().map(node).collect();
    let folder = args.folder.display().to_string();
    let written = Written { folder, chain_id: genesis.chain_id.clone(), genesis_hash: genesis.hash(), nodes };
    output.result(&written, text_of)?;
    match args.hosts.is_empty() {
        true => output.note(format!("\nrun them with: hanse chain start {}", written.folder)),
        false => output.note("\ncopy each folder to its host, and there: hanse start --config FOLDER/hanse.toml"),
    }
    Ok(())
}

/// The organisations' authorities, each in a folder of its own, which is its organisation's and nobody else's.
fn organisations(args: &NewArgs, common: &Common, nodes: usize) -> Result<Vec<Organisation>, Failure> {
    let count = match args.no_certificates {
        true => 0,
        false => args.organisations.map_or(nodes, usize::from).min(nodes),
    };
    let password = (!args.plain_keys).then_some(PasswordSource { file: common.password_file.as_deref() });
    let folder = args.folder.join(AUTHORITIES);
    if count > 0 {
        make_folder(&folder)?;
    }
    let organisation = |number: usize| {
        let name = format!("org-{number}");
        let authority = new_authority(&folder.join(&name), &name, AUTHORITY_DAYS, password)?;
        Ok(Organisation { name, authority })
    };
    (1..=count).map(organisation).collect()
}

/// Gives a node its certificate, and those of all authorities.
fn certify(
    place: &Place,
    index: usize,
    key: PublicKey,
    organisations: &[Organisation],
    config: &mut Config,
) -> Result<(), Failure> {
    if organisations.is_empty() {
        return Ok(());
    }
    let own = &organisations[index % organisations.len()];
    ca::certify(&own.authority, &place.name, key, &place.folder.join(CERTIFICATE))?;
    make_folder(&place.folder.join(AUTHORITIES))?;
    config.network.certificate = CERTIFICATE.into();
    for organisation in organisations {
        let path = Path::new(AUTHORITIES).join(format!("{}.crt", organisation.name));
        file::write(&place.folder.join(&path), organisation.authority.0.certificate())?;
        config.network.authorities.push(path);
    }
    Ok(())
}

pub(super) fn make_key(is_plain: bool, common: &Common, place: &Place) -> Result<PublicKey, Failure> {
    make_folder(&place.folder)?;
    let (keys, source) =
        (KeyFolder::at(place.folder.clone()), PasswordSource { file: common.password_file.as_deref() });
    Ok(match is_plain {
        true => keys.create_plain(KEY, Algorithm::Ed25519)?,
        false => keys.create(KEY, Algorithm::Ed25519, source)?,
    })
}

pub(super) fn peer_address((place, key): (&Place, &PublicKey)) -> Option<PeerAddress> {
    Some(PeerAddress { peer: identity::peer_id(key)?, address: place.address.clone() })
}

pub(super) fn write_genesis_of(folder: &Path, genesis: &Genesis) -> Result<(), Failure> {
    let path = folder.join(GENESIS);
    let text = serde_json::to_vec_pretty(genesis).map_err(|error| Failure::error(error.to_string()))?;
    write_genesis(&path, &text).map_err(|error| failed(&path, &error))
}

/// A node's configuration, which knows where these others are. `is_here` if all of them are on this machine.
pub(super) fn configuration(
    is_plain: bool,
    is_here: bool,
    common: &Common,
    place: &Place,
    others: Vec<PeerAddress>,
) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.rpc.listen = place.requests;
    config.network.listen = place.network;
    if is_here {
        // One person runs them all, and need not ask anybody.
        config.groups.accept = Accept::Members;
        // They share what one node takes for itself.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        config.execution.threads = (cores / (others.len() + 1)).max(1);
    } else {
        config.network.external = External(Some(place.address.clone()));
    }
    config.network.peers = others;
    if let Some(path) = common.password_file.as_deref().filter(|_| !is_plain && is_here) {
        config.node.key_password_file = std::path::absolute(path).map_err(|error| failed(path, &error))?;
    }
    Ok(config)
}

fn places(args: &NewArgs) -> Result<Vec<Place>, Failure> {
    let place = |index: usize, requests, network, address| {
        let name = format!("node-{}", index + 1);
        Place { folder: args.folder.join(&name), name, requests, network, address }
    };
    if !args.hosts.is_empty() {
        let hosts = args.hosts.iter().enumerate();
        return hosts
            .map(|(index, host)| {
                let requests = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
                let network = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_NETWORK_PORT));
                Ok(place(index, requests, network, host_address(host)?))
            })
            .collect();
    }
    let ports = ports(args.port, usize::from(args.nodes) * 2)?;
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let pairs = ports.chunks(2).enumerate();
    Ok(pairs.map(|(index, pair)| place(index, local(pair[0]), local(pair[1]), of_socket(local(pair[1])))).collect())
}

fn host_address(host: &str) -> Result<Multiaddr, Failure> {
    let part = match host.parse::<IpAddr>() {
        Ok(ip) => Protocol::from(ip),
        Err(_) if !host.is_empty() && !host.contains(['/', ':', ' ']) => Protocol::Dns(host.into()),
        Err(_) => {
            let text = format!("--hosts: {host:?} is neither the name nor the address of a host");
            return Err(Failure::usage(text).hint("write names or addresses only; ports stand in each hanse.toml"));
        }
    };
    Ok(Multiaddr::from(part).with(Protocol::Tcp(DEFAULT_NETWORK_PORT)))
}

/// So many ports from the first one on; free ones if that is 0.
fn ports(first: u16, count: usize) -> Result<Vec<u16>, Failure> {
    if first > 0 {
        let needed = || Failure::usage(format!("--port {first}: {count} ports are needed from there on"));
        let last = u16::try_from(usize::from(first) + count - 1).map_err(|_| needed())?;
        return Ok((first..=last).collect());
    }
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All are held until all are known, so that none is given twice.
    let held: Vec<TcpListener> = (0..count).map(bind).collect::<Result<_, _>>()?;
    Ok(held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<_, std::io::Error>>()?)
}

fn text_of(written: &Written) -> String {
    let head = fields([
        ("folder", written.folder.clone()),
        ("chain", written.chain_id.clone()),
        ("genesis", written.genesis_hash.to_string()),
    ]);
    let organisation = |node: &WrittenNode| node.organisation.clone().unwrap_or_default();
    let row = |node: &WrittenNode| [node.name.clone(), organisation(node), node.rpc.clone(), node.address.clone()];
    format!("{head}\n{}", table(["node", "organisation", "requests", "other nodes"], written.nodes.iter().map(row)))
}
