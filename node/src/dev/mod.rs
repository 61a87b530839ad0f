//! `hanse dev`: a chain on this machine, for development.
//!
//! One validator, accounts whose keys everyone knows, no empty blocks. Everything lies in a temporary folder that goes
//! away at the end, or in `--dir`, from which the same chain goes on.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hanse_client::call::now;
use hanse_group::{Group, GroupConfig};
use hanse_types::crypto::Signer;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{Address, Genesis, Params, StateCommitment};
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::keys::dev;
use crate::rpc;

/// What each development account holds at the start.
const FUNDS: u128 = 1_000_000_000_000_000_000;
/// The genesis in the chain's folder.
pub(crate) const GENESIS_FILE: &str = "genesis.json";
/// The group's files in the chain's folder.
pub(crate) const GROUP_FOLDER: &str = "group";
/// Snapshots of the group's ledger in the chain's folder.
const SNAPSHOTS_FOLDER: &str = "snapshots";
/// The port of [`crate::cli::DEFAULT_RPC`].
const DEFAULT_PORT: u16 = 7420;

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Keep the chain in this folder, and go on with the one that is there
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Port on this machine; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Threads that execute; one per core if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Longest time that a transaction waits for its block to fill, in milliseconds; for a new chain
    #[arg(long, default_value_t = 20, value_name = "MS")]
    block_interval: u64,
    /// How headers commit to the state; for a new chain
    #[arg(long, value_enum, default_value_t)]
    commitment: Commitment,
    /// Log as JSON, one object per line. What is logged is said by HANSE_LOG, such as info or hanse_group=debug
    #[arg(long)]
    log_json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Commitment {
    /// A digest: cheapest, proves no single value
    #[default]
    Flat,
    /// A Merkle tree: proves presence and absence of single values
    Merkle,
}

/// Why the chain does not run.
#[derive(Debug, Error)]
pub(crate) enum DevError {
    /// A file or folder can't be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The genesis file is none.
    #[error("{path} is no genesis: {error}; remove the folder to start a new chain")]
    Genesis {
        /// Which.
        path: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The port is taken, or may not be used.
    #[error("can't listen on {address}: {error}; choose another port with --port, or --port 0 for a free one")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The group did not open.
    #[error(transparent)]
    Open(#[from] hanse_group::OpenError),
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// What is printed once the chain takes requests.
#[derive(Serialize)]
struct Started {
    url: String,
    chain_id: String,
    group_id: String,
    genesis_hash: String,
    directory: String,
    height: u64,
    accounts: Vec<Account>,
}

#[derive(Serialize)]
struct Account {
    name: &'static str,
    address: Address,
}

/// Runs the chain until it is told to stop.
pub(crate) async fn run(args: DevArgs, json: bool) -> Result<(), DevError> {
    log(args.log_json);
    // Dropped at the end of this function, after the group has closed its files.
    let temporary = match args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("hanse-dev-").tempdir()?),
    };
    let kept = args.dir.as_deref().or(temporary.as_ref().map(|folder| folder.path()));
    let directory = kept.unwrap_or(Path::new(".")).to_owned();
    let stop = stop_signal()?;
    let listener = listen(args.port).await?;
    let group = open(&args, &directory).await?;
    announce(&group, &listener, &directory, json)?;

    let node = rpc::Node::new(group.clone(), directory.join(SNAPSHOTS_FOLDER));
    let served = rpc::serve(listener, node, stop).await;
    group.stop().await;
    tracing::info!("stopped");
    Ok(served?)
}

async fn open(args: &DevArgs, directory: &Path) -> Result<Group, DevError> {
    let genesis = genesis(args, directory)?;
    let mut config = GroupConfig::new(genesis, directory.join(GROUP_FOLDER));
    if let Some(threads) = args.threads {
        config.threads = threads.into();
    }
    Ok(Group::open(config, Arc::new(dev::validator())).await?)
}

/// The genesis of the folder's chain; a new one if there is none yet.
fn genesis(args: &DevArgs, directory: &Path) -> Result<Genesis, DevError> {
    let path = directory.join(GENESIS_FILE);
    let file = |error| DevError::File { path: path.display().to_string(), error };
    let malformed = |error| DevError::Genesis { path: path.display().to_string(), error };
    fs::create_dir_all(directory).map_err(file)?;
    if path.exists() {
        return serde_json::from_slice(&fs::read(&path).map_err(file)?).map_err(malformed);
    }
    let genesis = new_genesis(args);
    let text = serde_json::to_vec_pretty(&genesis).map_err(malformed)?;
    write_genesis(&path, &text).map_err(file)?;
    Ok(genesis)
}

/// Renamed when complete, so that a crash leaves no half a genesis.
pub(crate) fn write_genesis(path: &Path, text: &[u8]) -> Result<(), std::io::Error> {
    let draft = path.with_extension("json.new");
    fs::write(&draft, text)?;
    fs::rename(&draft, path)
}

fn new_genesis(args: &DevArgs) -> Genesis {
    let addresses: Vec<Address> = dev::NAMES.iter().filter_map(|name| dev::address(name)).collect();
    Genesis {
        chain_id: dev::CHAIN_ID.into(),
        group_id: "main".into(),
        timestamp: now(),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: match args.commitment {
            Commitment::Flat => StateCommitment::Flat,
            Commitment::Merkle => StateCommitment::Merkle,
        },
        validators: vec![Validator { name: "dev".into(), key: dev::validator().public_key() }],
        administrators: addresses.first().copied().into_iter().collect(),
        accounts: addresses.into_iter().map(|address| GenesisAccount { address, balance: FUNDS }).collect(),
        params: Params { block_interval_ms: args.block_interval, ..Params::default() },
    }
}

/// Only this machine: the accounts' keys are public.
async fn listen(port: u16) -> Result<TcpListener, DevError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| DevError::Listen { address, error })
}

fn announce(group: &Group, listener: &TcpListener, directory: &Path, json: bool) -> Result<(), DevError> {
    let genesis = group.genesis();
    let accounts = dev::NAMES.iter().filter_map(|name| dev::address(name).map(|address| Account { name, address }));
    let started = Started {
        url: format!("http://{}", listener.local_addr()?),
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: group.genesis_hash().to_string(),
        directory: directory.display().to_string(),
        height: group.tip().borrow().height.0,
        accounts: accounts.collect(),
    };
    match json {
        true => println!("{}", serde_json::to_string(&started).map_err(std::io::Error::other)?),
        false => print!("{}", text(&started)),
    }
    Ok(())
}

fn text(started: &Started) -> String {
    let mut text = format!(
        "chain {} at {}, height {}, in {}\n\naccounts, for development only: everyone has their keys\n",
        started.chain_id, started.url, started.height, started.directory
    );
    for account in &started.accounts {
        text += &format!("  {:6} {}\n", account.name, account.address);
    }
    text + "\nstop with Ctrl-C\n"
}

/// Completes when the process is asked to end.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    })
}

fn log(json: bool) {
    let filter = EnvFilter::try_from_env("HANSE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match json {
        true => builder.json().init(),
        false => builder.with_target(true).init(),
    }
}
