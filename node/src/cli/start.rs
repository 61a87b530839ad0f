//! `hanse start`: a node as a service. It says nothing while all is well: what it has to say is in its logs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hanse_group::{DropLimits, GroupConfig, OfferRules};
use hanse_ledger::LedgerOptions;
use hanse_txpool::PoolLimits;
use hanse_types::Genesis;
use hanse_types::crypto::SecretKey;
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::init::make_folder;
use super::output::{Output, say};
use crate::config::keys::Rpc;
use crate::config::{self, Loaded, Role};
use crate::groups::{ChainFolder, Groups, Housekeeping};
use crate::keys::file::{PasswordSource, open_file};
use crate::log::{FileLog, Log};
use crate::p2p::{self, Net};
use crate::rpc::Capacity;
use crate::service::{self, Serving, Setup};

/// What operators allow and deny, in the chain's folder.
const LISTS_FILE: &str = "admission.json";
/// Addresses of nodes that were found, in the chain's folder.
const BOOK_FILE: &str = "addresses.json";

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = config::FILE)]
    pub(crate) config: PathBuf,
}

/// What is printed with --json once the node takes requests.
#[derive(Serialize)]
struct Started {
    url: String,
    admin: Option<String>,
    chain_id: String,
    group_id: String,
    genesis_hash: String,
    height: u64,
}

/// The same of a seed.
#[derive(Serialize)]
struct SeedStarted {
    url: String,
    admin: Option<String>,
    /// What it is called in the network.
    id: Option<String>,
    listening: Vec<String>,
}

/// `hanse start`.
pub(crate) async fn run(args: StartArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let loaded = Loaded::read(&args.config, config::load::environment())?;
    let genesis = checked(&loaded)?;
    let is_seed = genesis.is_none();
    let own = loaded.resolve(&loaded.config.node.key_password_file);
    let own = (!loaded.config.node.key_password_file.as_os_str().is_empty()).then_some(own.as_path());
    let source = PasswordSource { file: common.password_file.as_deref().or(own) };
    let signer = open_file(&loaded.resolve(&loaded.config.node.key), source)?;
    let folder = ChainFolder(loaded.resolve(&loaded.config.node.data));
    match &genesis {
        Some(genesis) => folder.adopt(genesis).map_err(|error| Failure::error(error.to_string()))?,
        None => make_folder(&folder.0)?,
    }
    let log = Arc::new(log(&loaded).map_err(|error| Failure::error(error.to_string()))?);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = %loaded.path.display(), "starting");

    let rpc = &loaded.config.rpc;
    let own_group = genesis.as_ref().map(|genesis| genesis.group_id.as_str()).unwrap_or_default();
    let net = match is_seed || genesis.as_ref().is_some_and(crate::groups::is_among_nodes) {
        true => Some(connect(&loaded, &signer, own_group).await?),
        false => None,
    };
    let setup = Setup {
        network: net.as_ref().and_then(|net| Some(net.join(genesis.as_ref()?.hash()))),
        net: net.clone(),
        group: genesis.map(|genesis| group_config(&loaded, genesis, &folder)),
        signer,
        listen: rpc.listen,
        admin: config::admin::place(&loaded),
        capacity: capacity(rpc),
        serve_metrics: loaded.config.metrics.enabled,
        folder,
        housekeeping: housekeeping(&loaded),
        accept: loaded.config.groups.accept,
        is_development: false,
        log: log.clone(),
    };
    let any_port = rpc.listen.port() == 0;
    let announce = |groups: &Groups, serving: &Serving| match groups.home_genesis() {
        Some(genesis) => announce(groups, genesis, serving, any_port, output),
        None => announce_seed(net.as_deref(), serving, any_port, output),
    };
    let served = service::run(setup, service::stop_signal()?, announce).await;
    if let Err(error) = &served {
        tracing::error!(%error, "the node ends");
    }
    log.close();
    served.map(drop).map_err(|error| Failure::error(error.to_string()))
}

/// Takes part in the network of the group's members.
async fn connect(loaded: &Loaded, key: &SecretKey, own_group: &str) -> Result<Arc<Net>, Failure> {
    let (network, data) = (&loaded.config.network, loaded.resolve(&loaded.config.node.data));
    let settings = p2p::Settings {
        listen: network.listen,
        external: network.external.0.clone(),
        peers: network.peers.clone(),
        seeds: network.seeds.clone(),
        is_seed: network.role == Role::Seed,
        allow: network.allow.iter().map(|node| node.0).collect(),
        trust: config::trust(loaded),
        system_group: if network.system_group.is_empty() { own_group.into() } else { network.system_group.clone() },
        lists: Some(data.join(LISTS_FILE)),
        book: Some(data.join(BOOK_FILE)),
        queue_bytes: network.queue_mib << 20,
        member_bytes_per_second: network.member_mib_per_second << 20,
    };
    Net::start(settings, key).await.map_err(|error| Failure::error(error.to_string()))
}

fn capacity(rpc: &Rpc) -> Capacity {
    Capacity {
        requests: rpc.requests,
        deep_reads: rpc.deep_reads,
        queries: rpc.queries,
        streams: rpc.streams,
        streams_per_client: rpc.streams_per_client,
        client_requests: rpc.client_requests,
        client_transactions: rpc.client_transactions,
        client_limits_local: rpc.client_limits_local,
        reader_patience: Duration::from_secs(rpc.reader_patience_seconds),
        batch_requests: rpc.batch_requests,
        bulk_transactions: rpc.bulk_transactions,
        bulk_bytes: rpc.bulk_mib << 20,
        bulk_memory_bytes: rpc.bulk_memory_mib << 20,
        wait: Duration::from_secs(rpc.wait_seconds),
        page_entries: rpc.page_entries,
        block_transactions: rpc.block_transactions,
        state_keys: rpc.state_keys,
        events: rpc.events,
        event_blocks: rpc.event_blocks,
        dag_vertices: rpc.dag_vertices,
    }
}

/// The genesis, if nothing is wrong; none of a seed.
fn checked(loaded: &Loaded) -> Result<Option<Genesis>, Failure> {
    let report = config::check::check(loaded);
    report.problems.into_result()?;
    match (report.genesis, loaded.config.network.role) {
        (genesis @ Some(_), _) | (genesis, Role::Seed) => Ok(genesis),
        // A genesis that could not be read is a problem, which was told.
        (None, Role::Member) => Err(Failure::error("there is no genesis")),
    }
}

fn group_config(loaded: &Loaded, genesis: Genesis, folder: &ChainFolder) -> GroupConfig {
    let (execution, pool, ledger) = (&loaded.config.execution, &loaded.config.pool, &loaded.config.ledger);
    let usual = GroupConfig::new(genesis, folder.group());
    GroupConfig {
        threads: if execution.threads == 0 { usual.threads } else { execution.threads },
        bind_cores: execution.bind_cores,
        query_threads: execution.query_threads,
        pool: PoolLimits {
            count: pool.transactions,
            bytes: pool.mib << 20,
            sender_count: pool.sender_transactions,
            sender_bytes: pool.sender_mib << 20,
            wait_ms: pool.wait_ms,
            ..usual.pool
        },
        drops: DropLimits {
            count: pool.dropped,
            bytes: pool.dropped_mib << 20,
            age_ms: pool.dropped_days * config::keys::DAY_MS,
        },
        intake_waiting: pool.verifying,
        sync_mode: loaded.config.sync.mode.0,
        offers: OfferRules { every: loaded.config.sync.snapshot_every, keep: loaded.config.sync.snapshots_kept },
        ledger: LedgerOptions {
            block_cache_bytes: ledger.block_cache_mib << 20,
            write_buffer_bytes: ledger.write_buffer_mib << 20,
            value_cache_bytes: ledger.value_cache_mib << 20,
            page_cache_bytes: ledger.page_cache_mib << 20,
            open_files_max: ledger.open_files,
            index_topics: ledger.index_topics,
        },
        ..usual
    }
}

fn housekeeping(loaded: &Loaded) -> Housekeeping {
    let (history, snapshots) = (&loaded.config.history, &loaded.config.snapshots);
    Housekeeping {
        keep_history: history.keep_blocks,
        snapshot_every: snapshots.every_blocks,
        keep_snapshots: snapshots.keep,
    }
}

fn log(loaded: &Loaded) -> Result<Log, crate::log::LogError> {
    let log = &loaded.config.log;
    let folder = loaded.resolve(&log.folder);
    let [system, brief, event, exception] = crate::log::NAMES;
    let file = |name, period, keep| FileLog { name, folder: folder.clone(), period, keep };
    let files = [
        file(system, log.system_period, log.system_files),
        file(brief, log.brief_period, log.brief_files),
        file(event, log.event_period, log.event_files),
        file(exception, log.exception_period, log.exception_files),
    ];
    Log::to_files(log.level.clone(), log.format, files)
}

/// Tells whoever started it that it takes requests: the service manager, a script that asked for JSON, a person at a
/// terminal; and anybody, where nobody else knows the port.
fn announce(
    groups: &Groups,
    genesis: &Genesis,
    serving: &Serving,
    any_port: bool,
    output: Output,
) -> std::io::Result<()> {
    let started = Started {
        url: format!("http://{}", serving.address),
        admin: serving.admin.as_ref().map(|admin| admin.address.clone()),
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: genesis.hash().to_string(),
        height: groups.running(None).map_or(0, |home| home.height().0),
    };
    tell(&started, &started.url, &started.chain_id, any_port, output)
}

/// The same of a seed.
fn announce_seed(net: Option<&Net>, serving: &Serving, any_port: bool, output: Output) -> std::io::Result<()> {
    let started = SeedStarted {
        url: format!("http://{}", serving.address),
        admin: serving.admin.as_ref().map(|admin| admin.address.clone()),
        id: net.map(|net| net.peer().to_string()),
        listening: net.map(|net| net.listening().iter().map(ToString::to_string).collect()).unwrap_or_default(),
    };
    tell(&started, &started.url, "seed", any_port, output)
}

fn tell(started: &impl Serialize, url: &str, name: &str, any_port: bool, output: Output) -> std::io::Result<()> {
    match (output.json, any_port) {
        (true, _) => drop(say(&serde_json::to_string(started).map_err(std::io::Error::other)?)?),
        (false, true) => drop(say(url)?),
        (false, false) => output.note(format!("{name} at {url}; stop with Ctrl-C")),
    }
    // Without a service manager there is nobody to tell.
    sd_notify::notify(&[sd_notify::NotifyState::Ready])
}
