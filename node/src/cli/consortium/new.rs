//! `hanse chain new`: a folder for each node of a new chain.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
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
use super::bundle::{self, Bundled};
use crate::config::{self, Config, Role};
use crate::groups::{Accept, write_genesis};
use crate::keys::file::{Algorithm, KeyFolder, PasswordSource};
use crate::p2p::address::{External, NodeName, PeerAddress};
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
    /// The hosts of the nodes, one node on each: names or addresses, with commas between; with a port where the others find
    /// it, if that is another than 7430
    #[arg(long, value_delimiter = ',', value_name = "HOST[:PORT],...")]
    hosts: Vec<String>,
    /// How many seeds besides, on this machine: then the nodes know only them, and find each other there
    #[arg(long, default_value_t = 0, conflicts_with = "hosts", value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(0..=i64::from(SEEDS)))]
    seeds: u16,
    /// The hosts of seeds, one seed on each
    #[arg(long, value_delimiter = ',', requires = "hosts", value_name = "HOST[:PORT],...")]
    seed_hosts: Vec<String>,
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

/// Most seeds.
const SEEDS: u16 = 16;

/// Where a node will be.
pub(super) struct Place {
    pub(super) name: String,
    /// Whether it tells where the others are, and nothing else.
    pub(super) is_seed: bool,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<WrittenNode>,
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
        let nodes = places.iter().zip(keys).filter(|(place, _)| !place.is_seed);
        nodes.map(|(place, key)| Validator { name: place.name.clone(), key: *key }).collect()
    };
    let placeholders: Vec<PublicKey> = (0..places.len()).map(placeholder).collect();
    founding.genesis(validators(&placeholders))?;

    make_folder(&args.folder)?;
    let count = places.iter().filter(|place| !place.is_seed).count();
    let organisations = organisations(args, common, count)?;
    let keys: Vec<PublicKey> =
        places.iter().map(|place| make_key(args.plain_keys, common, place)).collect::<Result<_, _>>()?;
    let genesis = founding.genesis(validators(&keys))?;
    write_genesis_of(&args.folder, &genesis)?;
    let addresses: Vec<PeerAddress> = places.iter().zip(&keys).filter_map(peer_address).collect();
    let nodes = bundled(&places, &addresses);
    for (index, node) in nodes.iter().enumerate() {
        let place = node.place;
        let mut config = configuration(args.plain_keys, args.hosts.is_empty(), common, place, node.knows.len())?;
        let known = node.knows.iter().map(|known| (*known).clone()).collect();
        match node.knows_seeds {
            true => config.network.seeds = known,
            false => config.network.peers = known,
        }
        if place.is_seed {
            config.network.role = Role::Seed;
            let all = addresses.iter().filter(|_| organisations.is_empty());
            config.network.allow = all.map(|other| NodeName(other.peer)).collect();
        } else {
            write_genesis_of(&place.folder, &genesis)?;
        }
        certify(place, index, keys[index], &organisations, &mut config)?;
        let path = place.folder.join(config::FILE);
        fs::write(&path, config::template::text(&config)).map_err(|error| failed(&path, &error))?;
    }
    bundle(args, &nodes, &genesis)?;
    let organisation = |index: usize| Some(organisations.get(index % organisations.len().max(1))?.name.clone());
    let node = |(index, ((place, key), address)): (usize, ((&Place, &PublicKey), &PeerAddress))| WrittenNode {
        name: place.name.clone(),
        folder: place.folder.display().to_string(),
        rpc: format!("http://{}", place.requests),
        address: address.to_string(),
        key: *key,
        organisation: organisation(index),
    };
    let all = places.iter().zip(&keys).zip(&addresses).enumerate().map(node);
    let mut nodes: Vec<WrittenNode> = all.collect();
    let seeds = nodes.split_off(count);
    let folder = args.folder.display().to_string();
    let written = Written { folder, chain_id: genesis.chain_id.clone(), genesis_hash: genesis.hash(), nodes, seeds };
    output.result(&written, text_of)?;
    match args.hosts.is_empty() {
        true => output.note(format!("\nrun them with: hanse chain start {}", written.folder)),
        false => output.note("\ncopy each folder to its host; README.md in it says what to do there"),
    }
    Ok(())
}

/// Each node, with the others that it is told of: the seeds if there are any, and else all.
fn bundled<'a>(places: &'a [Place], addresses: &'a [PeerAddress]) -> Vec<Bundled<'a>> {
    let knows_seeds = places.iter().any(|place| place.is_seed);
    let node = |(index, place)| {
        let others = places.iter().zip(addresses).enumerate().filter(|(other, _)| *other != index);
        let told = others.filter(|(_, (other, _))| other.is_seed == knows_seeds);
        Bundled {
            place,
            address: &addresses[index],
            knows: told.map(|(_, (_, address))| address).collect(),
            knows_seeds,
        }
    };
    places.iter().enumerate().map(node).collect()
}

/// Writes how the nodes are run elsewhere: on their hosts, if they have some, and in containers.
fn bundle(args: &NewArgs, nodes: &[Bundled<'_>], genesis: &Genesis) -> Result<(), Failure> {
    let common = bundle::Common { genesis, is_plain: args.plain_keys, is_certified: !args.no_certificates };
    if !args.hosts.is_empty() {
        nodes.iter().try_for_each(|node| bundle::write_for_host(node, &common))?;
    }
    bundle::write_compose(&args.folder, nodes, &common)
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

/// A node's configuration, which knows of no others yet. `is_here` if all are on this machine, so many besides.
pub(super) fn configuration(
    is_plain: bool,
    is_here: bool,
    common: &Common,
    place: &Place,
    others: usize,
) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.rpc.listen = place.requests;
    config.network.listen = place.network;
    if is_here {
        // One person runs them all, and need not ask anybody.
        config.groups.accept = Accept::Members;
        // They share what one node takes for itself.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        config.execution.threads = (cores / (others + 1)).max(1);
    } else {
        config.network.external = External(Some(place.address.clone()));
    }
    if let Some(path) = common.password_file.as_deref().filter(|_| !is_plain && is_here) {
        config.node.key_password_file = std::path::absolute(path).map_err(|error| failed(path, &error))?;
    }
    Ok(config)
}

fn places(args: &NewArgs) -> Result<Vec<Place>, Failure> {
    let count = if args.hosts.is_empty() { usize::from(args.nodes) } else { args.hosts.len() };
    let place = |index: usize, requests, network, address| {
        let is_seed = index >= count;
        let name = if is_seed { format!("seed-{}", index - count + 1) } else { format!("node-{}", index + 1) };
        Place { folder: args.folder.join(&name), name, is_seed, requests, network, address }
    };
    if !args.hosts.is_empty() {
        let hosts = hosts(&[&args.hosts[..], &args.seed_hosts].concat())?.into_iter().enumerate();
        let on_its_own = |(index, (_, address, port)): (usize, (String, Multiaddr, u16))| {
            let requests = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
            place(index, requests, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), address)
        };
        return Ok(hosts.map(on_its_own).collect());
    }
    let ports = ports(args.port, (count + usize::from(args.seeds)) * 2)?;
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let pairs = ports.chunks(2).enumerate();
    Ok(pairs.map(|(index, pair)| place(index, local(pair[0]), local(pair[1]), of_socket(local(pair[1])))).collect())
}

/// The hosts of `--hosts`: their names, where nodes are found there, and at which port they listen.
fn hosts(texts: &[String]) -> Result<Vec<(String, Multiaddr, u16)>, Failure> {
    let most = usize::from(NODES + SEEDS);
    if texts.len() > most {
        return Err(Failure::usage(format!("--hosts: {} hosts are named, the most is {most}", texts.len())));
    }
    let mut found: Vec<(String, Multiaddr, u16)> = Vec::new();
    for text in texts {
        let (host, port) = host_and_port(text).ok_or_else(|| {
            let text = format!("--hosts: {text:?} is neither the name nor the address of a host");
            Failure::usage(text).hint("such as node.example, 10.0.0.7, node.example:30300 or [2001:db8::7]:30300")
        })?;
        let part = host.parse::<IpAddr>().map_or_else(|_| Protocol::Dns(host.as_str().into()), Protocol::from);
        let address = Multiaddr::from(part).with(Protocol::Tcp(port));
        if found.iter().any(|(known, ..)| *known == host) {
            let text = format!("--hosts: {host} is named twice, and a host takes one node");
            return Err(Failure::usage(text).hint("--nodes makes several nodes for one machine"));
        }
        found.push((host, address, port));
    }
    Ok(found)
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((ip.to_string(), DEFAULT_NETWORK_PORT));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() > 0).then(|| (address.ip().to_string(), address.port()));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (text, DEFAULT_NETWORK_PORT),
    };
    is_host_name(host).then(|| (host.to_ascii_lowercase(), port))
}

/// Whether it can be the name of a host: labels of letters, digits and hyphens with dots between.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        letters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // Digits alone would be an address, and a wrong one.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.len() <= 253 && text.split('.').all(is_label) && !is_number
}

/// Where free ports are looked for: below those that systems give to whoever wants any, so that nobody has a node's while it is down.
const FREE_PORTS: Range<u16> = 10_000..30_000;

/// So many ports from the first one on; free ones if that is 0.
pub(super) fn ports(first: u16, count: usize) -> Result<Vec<u16>, Failure> {
    if first > 0 {
        let needed = || Failure::usage(format!("--port {first}: {count} ports are needed from there on"));
        let last = u16::try_from(usize::from(first) + count - 1).map_err(|_| needed())?;
        return Ok((first..=last).collect());
    }
    // From anywhere on, so that two who look at the same time do not find the same.
    let anywhere = getrandom::u32().map_err(|error| Failure::error(error.to_string()))? as usize;
    let mut free = Vec::with_capacity(count);
    for port in FREE_PORTS.cycle().skip(anywhere % FREE_PORTS.len()).take(FREE_PORTS.len()) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => free.push(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(Failure::error(format!("can't listen on port {port}: {error}"))),
        }
        if free.len() == count {
            return Ok(free);
        }
    }
    let (first, last, found) = (FREE_PORTS.start, FREE_PORTS.end - 1, free.len());
    Err(Failure::error(format!("{count} ports are needed, and {found} are free from {first} to {last}")))
}

fn text_of(written: &Written) -> String {
    let head = fields([
        ("folder", written.folder.clone()),
        ("chain", written.chain_id.clone()),
        ("genesis", written.genesis_hash.to_string()),
    ]);
    let organisation = |node: &WrittenNode| node.organisation.clone().unwrap_or_default();
    let row = |node: &WrittenNode| [node.name.clone(), organisation(node), node.rpc.clone(), node.address.clone()];
    let rows = written.nodes.iter().chain(&written.seeds).map(row);
    format!("{head}\n{}", table(["node", "organisation", "requests", "other nodes"], rows))
}
