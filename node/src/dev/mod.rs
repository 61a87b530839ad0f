//! `hanse dev`: a chain on this machine, for development.
//!
//! One validator, or several that vote, accounts whose keys everyone knows, no empty blocks. Everything lies in a temporary
//! folder that goes away at the end, or in `--dir`, from which the same chain goes on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures::FutureExt;
use hanse_client::call::now;
use hanse_group::{GroupConfig, Network};
use hanse_types::crypto::Signer;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{Address, Genesis, Params, StateCommitment};
use serde::Serialize;
use thiserror::Error;

use crate::cli::DEFAULT_PORT;
use crate::cli::output::say;
use crate::groups::{Accept, ChainFolder, FolderError, Groups, Housekeeping};
use crate::keys::dev;
use crate::log::{Format, Log, LogError};
use crate::rpc::admin::{SOCKET_FILE, check_socket_path};
use crate::rpc::{self, AdminPlace};
use crate::service::{self, Ended, ServiceError, Serving, Setup};

mod command;
mod companions;
mod faults;

use companions::{CompanionError, Companions};
use faults::FaultsOption;

pub(crate) use command::{DevCommand, run as command};

/// What each development account holds at the start.
const FUNDS: u128 = 1_000_000_000_000_000_000;

/// Blocks that keep their history, if nothing else is said.
const KEEP_HISTORY: u64 = 10_000;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DevCommand>,
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
    /// Validators of the chain, all in this process, which agree by votes if there are several; for a new chain. Such a
    /// chain can't be moved ahead in time or back to a snapshot
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=dev::VALIDATORS as i64))]
    validators: u8,
    /// How they agree; alone if there is one, else by votes. For a new chain
    #[arg(long, value_enum)]
    consensus: Option<Consensus>,
    /// What a new chain hashes by and its clients sign by
    #[arg(long, value_enum, default_value_t)]
    crypto: Crypto,
    /// Let validator N, from 2 on, misbehave by the rules in a file; may be given for several
    #[arg(long, value_name = "N=FILE")]
    faults: Vec<FaultsOption>,
    /// Newest blocks that keep their access sets and past states; what is older is given up, so that a chain that runs on
    /// and on fills no disk with them. 0 keeps all
    #[arg(long, default_value_t = KEEP_HISTORY, value_name = "BLOCKS")]
    keep_history: u64,
    /// Log as JSON, one object per line. What is logged is said by HANSE_LOG, such as info or hanse_group=debug
    #[arg(long)]
    log_json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Commitment {
    /// A digest: cheapest, proves no single value
    #[default]
    Flat,
    /// A Merkle tree: proves presence and absence of single values
    Merkle,
}

impl From<Commitment> for StateCommitment {
    fn from(commitment: Commitment) -> StateCommitment {
        match commitment {
            Commitment::Flat => StateCommitment::Flat,
            Commitment::Merkle => StateCommitment::Merkle,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Crypto {
    /// SHA-256; clients sign by ed25519 or secp256k1
    #[default]
    Standard,
    /// SM3; clients sign by SM2
    Guomi,
}

impl From<Crypto> for CryptoSuite {
    fn from(crypto: Crypto) -> CryptoSuite {
        match crypto {
            Crypto::Standard => CryptoSuite::Standard,
            Crypto::Guomi => CryptoSuite::Guomi,
        }
    }
}

/// How validators agree.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Consensus {
    /// One validator decides alone
    Solo,
    /// By votes; less than a third of the validators may be faulty in any way
    Bft,
    /// By a leader whose log the others copy; less than a half of the validators may be down, and none may lie
    Raft,
}

impl From<Consensus> for ConsensusKind {
    fn from(consensus: Consensus) -> ConsensusKind {
        match consensus {
            Consensus::Solo => ConsensusKind::Solo,
            Consensus::Bft => ConsensusKind::Bft,
            Consensus::Raft => ConsensusKind::Raft,
        }
    }
}

/// Why the chain does not run.
#[derive(Debug, Error)]
pub(crate) enum DevError {
    /// The folder is none of a chain.
    #[error("{0}; name another folder with --dir to start a new chain")]
    Folder(#[from] FolderError),
    /// There is no log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The node did not start, or failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Another validator did not start.
    #[error(transparent)]
    Companion(#[from] CompanionError),
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// What is printed once the chain takes requests.
#[derive(Serialize)]
struct Started {
    url: String,
    admin: Option<String>,
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
    let log = Log::to_stderr(if args.log_json { Format::Json } else { Format::Text })?;
    // Dropped at the end of this function, after the group has closed its files.
    let temporary = match args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("hanse-dev-").tempdir()?),
    };
    let kept = args.dir.as_deref().or(temporary.as_ref().map(|folder| folder.path()));
    let folder = ChainFolder(kept.unwrap_or(Path::new(".")).to_owned());
    service::mend(&folder)?;
    let (admin, _elsewhere) = admin_place(&folder)?;
    let (log, stop) = (Arc::new(log), service::stop_signal()?.boxed().shared());
    // Only this machine: the accounts' keys are public.
    let mut listen = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut is_first = true;
    loop {
        let genesis = genesis(&args, &folder)?;
        let threads = threads(&args, genesis.validators.len());
        let companions = Companions::start(&genesis, &folder.0, threads, &args.faults).await?;
        let group = GroupConfig { threads, ..GroupConfig::new(genesis, folder.group()) };
        let setup = setup(&args, group, companions.network(), &folder, listen, admin.clone(), log.clone());
        let announce = |groups: &Groups, serving: &Serving| match std::mem::take(&mut is_first) {
            true => announce(groups, serving, &folder.0, json),
            false => Ok(()),
        };
        let ended = service::run(setup, stop.clone(), announce).await;
        companions.stop().await;
        match ended? {
            Ended::Stopped => return Ok(()),
            Ended::Reverted(address) => listen = address,
        }
    }
}

/// Where operators' requests are taken: in the chain's folder, or in one of its own where the folder's path is too long for
/// a socket.
fn admin_place(folder: &ChainFolder) -> std::io::Result<(AdminPlace, Option<tempfile::TempDir>)> {
    let usual = std::path::absolute(&folder.0)?.join(SOCKET_FILE);
    if check_socket_path(&usual).is_ok() {
        return Ok((AdminPlace::Socket(usual), None));
    }
    let own = tempfile::Builder::new().prefix("hanse-dev-").tempdir()?;
    Ok((AdminPlace::Socket(own.path().join(SOCKET_FILE)), Some(own)))
}

/// The genesis of the chain in the folder, or of a new one.
fn genesis(args: &DevArgs, folder: &ChainFolder) -> Result<Genesis, DevError> {
    let genesis = match folder.genesis()? {
        Some(genesis) => genesis,
        None => {
            let consensus = args.consensus.map(ConsensusKind::from);
            new_genesis(args.commitment, args.block_interval, args.validators.into(), consensus, args.crypto.into())
        }
    };
    folder.adopt(&genesis)?;
    Ok(genesis)
}

/// How many threads each of the validators has.
fn threads(args: &DevArgs, validators: usize) -> usize {
    let all = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(2, usize::from), usize::from);
    (all / validators.max(1)).max(1)
}

fn setup(
    args: &DevArgs,
    group: GroupConfig,
    network: Option<Network>,
    folder: &ChainFolder,
    listen: SocketAddr,
    admin: AdminPlace,
    log: Arc<Log>,
) -> Setup {
    // The folder may be that of another chain, restored to be looked at: nothing of it is moved. Nor are the other
    // validators' clocks and ledgers.
    let is_development = group.genesis.chain_id == dev::CHAIN_ID && network.is_none();
    Setup {
        group: Some(group),
        network,
        net: None,
        signer: dev::validator(0),
        listen,
        admin: Some(admin),
        capacity: rpc::Capacity::default(),
        serve_metrics: true,
        folder: folder.clone(),
        housekeeping: Housekeeping { keep_history: args.keep_history, ..Housekeeping::default() },
        accept: Accept::Ask,
        is_development,
        log,
    }
}

fn new_genesis(
    commitment: Commitment,
    block_interval_ms: u64,
    validators: usize,
    consensus: Option<ConsensusKind>,
    crypto: CryptoSuite,
) -> Genesis {
    let usual = if validators == 1 { ConsensusKind::Solo } else { ConsensusKind::Bft };
    let name = |index: usize| if index == 0 { "dev".to_owned() } else { format!("dev-{}", index + 1) };
    let validator = |index| Validator { name: name(index), key: dev::validator(index).public_key() };
    let addresses: Vec<Address> = dev::NAMES.iter().filter_map(|name| dev::address(crypto, name)).collect();
    Genesis {
        chain_id: dev::CHAIN_ID.into(),
        group_id: "main".into(),
        timestamp: now(),
        crypto,
        consensus: consensus.unwrap_or(usual),
        state_commitment: commitment.into(),
        validators: (0..validators).map(validator).collect(),
        administrators: addresses.first().copied().into_iter().collect(),
        accounts: addresses.into_iter().map(|address| GenesisAccount { address, balance: FUNDS }).collect(),
        params: Params { block_interval_ms, ..Params::default() },
    }
}

/// A genesis for tests.
#[cfg(test)]
pub(crate) fn example_genesis() -> Genesis {
    new_genesis(Commitment::Flat, 20, 1, None, CryptoSuite::Standard)
}

fn announce(groups: &Groups, serving: &Serving, directory: &Path, json: bool) -> std::io::Result<()> {
    // A chain in development is the group of its node.
    let Some(genesis) = groups.home_genesis() else { return Ok(()) };
    let accounts = dev::NAMES.iter().filter_map(|name| {
        let address = dev::address(genesis.crypto, name)?;
        Some(Account { name, address })
    });
    let started = Started {
        url: format!("http://{}", serving.address),
        admin: serving.admin.as_ref().map(|admin| admin.address.clone()),
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: genesis.hash().to_string(),
        directory: directory.display().to_string(),
        height: groups.running(None).map_or(0, |home| home.height().0),
        accounts: accounts.collect(),
    };
    let line = match json {
        true => serde_json::to_string(&started).map_err(std::io::Error::other)?,
        false => text(&started),
    };
    // Whoever reads the first line of output and no more has a node all the same.
    say(&line).map(drop)
}

fn text(started: &Started) -> String {
    let mut text =
        format!("chain {} at {}, height {}, in {}\n", started.chain_id, started.url, started.height, started.directory);
    if let Some(admin) = &started.admin {
        text += &format!("operators at {admin}\n");
    }
    text += "\naccounts, for development only: everyone has their keys\n";
    for account in &started.accounts {
        text += &format!("  {:6} {}\n", account.name, account.address);
    }
    text + "\n`hanse key export alice` prints a key; stop with Ctrl-C"
}
