//! How the parts of a group are joined, and what is read back from the disk before it runs.

use std::sync::Arc;

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Tip};
use hanse_consensus::raft::{self, Raft, Record};
use hanse_consensus::{Bft, Solo, SoloError, Standard};
use hanse_ledger::handover::next_epoch;
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::Replica;
use hanse_replica::sync::BlockSync;
use hanse_txpool::{History, Pool};
use hanse_types::crypto::Signer;
use hanse_types::crypto::verified::Verifier;
use hanse_types::genesis::{ConsensusKind, GenesisError};
use hanse_types::validator_set::ValidatorSetError;
use hanse_types::{Canonical, Hash, Header, Height, SignedTransaction, Timestamp};
use hanse_vm::{Vm, VmConfig};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use crate::agreement::Accusations;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::GroupConfig;
use crate::deciding::Deciding;
use crate::driver::{Driver, durable_base};
use crate::drops::{Drops, ENGINE_FAILED};
use crate::engine::Engine;
use crate::exchange::Exchange;
use crate::execution::Executor;
use crate::feed::Feed;
use crate::group::{Group, Inner, Tasks};
use crate::held;
use crate::inbound;
use crate::intake;
use crate::look::Settings;
use crate::network::Network;
use crate::observe::{Calls, Observation, Recent};
use crate::preparation::Preparation;
use crate::queries::Queries;
use crate::queue;
use crate::recovery::{self, Recovered, RecoveryError};
use crate::report;
use crate::running::Running;
use crate::snapshots::SyncMode;
#[cfg(feature = "rocksdb")]
use crate::snapshots::fetch::{self, Fetch};
use crate::snapshots::{FetchSender, Offers};
use crate::suspects;
use crate::sync::{BlockServer, Lies, Teller};
use crate::timeline::Timelines;
use crate::votes::{self, Votes, VotesError};
use crate::window::Window;
use crate::workers::{spawn_executor, spawn_writer};

/// The ledger's folder in a group's.
pub const LEDGER_FOLDER: &str = "ledger";
/// Stack of threads that run contracts: calls inside calls, each with its WebAssembly frames and the host's.
const STACK_BYTES: usize = 16 << 20;
/// Events that may wait for the driver.
const EVENTS: usize = 4_096;

/// Why a group did not start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The genesis is not sound.
    #[error("the genesis is not sound: {0}")]
    Genesis(#[from] GenesisError),
    /// Its validators are no validator set.
    #[error("the genesis is not sound: {0}")]
    Validators(#[from] ValidatorSetError),
    /// This node's key is none of the validators'.
    #[error("this node's key {key} is not that of the group's validator; blocks can't be made here")]
    NotAValidator {
        /// The key.
        key: hanse_types::crypto::PublicKey,
    },
    /// The ledger did not open.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger that was made of a snapshot could not be taken.
    #[cfg(feature = "rocksdb")]
    #[error(transparent)]
    Adopt(#[from] hanse_ledger::portable::AdoptError),
    /// What was accepted before could not be taken over.
    #[error(transparent)]
    Queue(#[from] RecoveryError),
    /// The record of votes can't be used.
    #[error(transparent)]
    Votes(#[from] VotesError),
    /// Consensus did not start.
    #[error(transparent)]
    Consensus(#[from] SoloError),
    /// The WebAssembly engine did not start.
    #[error(transparent)]
    Engine(#[from] hanse_vm::EngineError),
    /// The state could not be read.
    #[error("the state could not be read: {0}")]
    State(#[from] hanse_state::StateError),
    /// Threads could not be started.
    #[error("threads could not be started: {0}")]
    Threads(String),
}

impl Group {
    /// Opens a group: makes its ledger or recovers it, and starts to make blocks. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the genesis is not sound, the ledger is damaged or another chain's, or threads can't be started.
    #[cfg(feature = "rocksdb")]
    pub async fn open(config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Group, OpenError> {
        Group::open_with(None, config, signer).await
    }

    /// Opens a group of several nodes: as [`Group::open`], with the connection to its other members. With a key that is
    /// none of the validators', it follows and votes on nothing.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "rocksdb")]
    pub async fn join(config: GroupConfig, signer: Arc<dyn Signer>, network: Network) -> Result<Group, OpenError> {
        Group::open_with(Some(network), config, signer).await
    }

    #[cfg(feature = "rocksdb")]
    async fn open_with(
        network: Option<Network>,
        config: GroupConfig,
        signer: Arc<dyn Signer>,
    ) -> Result<Group, OpenError> {
        let opened = tokio::task::spawn_blocking(move || Parts::open(config, signer)).await;
        let parts = opened.map_err(|error| OpenError::Threads(error.to_string()))??;
        parts.start(network)
    }

    /// Opens a group as [`Group::open`] does, on a ledger that is open already: on another store than the usual one. Its
    /// directory is for caches, and for what says which block is being made.
    ///
    /// # Errors
    /// As there.
    pub async fn open_on(ledger: Ledger, config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Group, OpenError> {
        Group::start_on(ledger, None, config, signer).await
    }

    /// Opens a group as [`Group::join`] does, on a ledger that is open already: on another store than the usual one. Its
    /// directory is for votes and caches. `is_new` if the ledger was made just now: one that was there before, without votes
    /// beside it, has lost them.
    ///
    /// # Errors
    /// As there.
    pub async fn join_on(
        ledger: Ledger,
        is_new: bool,
        config: GroupConfig,
        signer: Arc<dyn Signer>,
        network: Network,
    ) -> Result<Group, OpenError> {
        Group::start_on(ledger, Some((network, is_new)), config, signer).await
    }

    async fn start_on(
        ledger: Ledger,
        network: Option<(Network, bool)>,
        config: GroupConfig,
        signer: Arc<dyn Signer>,
    ) -> Result<Group, OpenError> {
        let (network, is_new) = network.map_or((None, false), |(network, is_new)| (Some(network), is_new));
        let open = move || Parts::with(ledger, config, signer).map(|parts| Parts { is_new, ..parts });
        let parts =
            tokio::task::spawn_blocking(open).await.map_err(|error| OpenError::Threads(error.to_string()))??;
        parts.start(network)
    }
}

/// Everything of a group before it runs.
struct Parts {
    config: GroupConfig,
    signer: Arc<dyn Signer>,
    ledger: Ledger,
    /// Whether there has never been a ledger here.
    is_new: bool,
    execution: Vm,
    queries: Vm,
}

impl Parts {
    #[cfg(feature = "rocksdb")]
    fn open(config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Parts, OpenError> {
        config.genesis.check()?;
        let initial = hanse_vm::system::genesis_state(&config.genesis);
        let folder = config.directory.join(LEDGER_FOLDER);
        if let Some(height) = hanse_ledger::portable::adopt(&folder, (&config.genesis, &initial), config.ledger)? {
            info!(height = height.0, "the ledger is that of a snapshot from now on");
        }
        // What is asked of the disk before the ledger is made: a ledger without votes beside it has lost them.
        let is_new = !folder.exists() && !votes::exist(&config.directory);
        let ledger = Ledger::open(&folder, &config.genesis, &initial, config.ledger)?;
        Ok(Parts { is_new, ..Parts::with(ledger, config, signer)? })
    }

    fn with(ledger: Ledger, config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Parts, OpenError> {
        let artifacts = Some(config.directory.join("compiled"));
        let calls = Arc::new(Calls(config.observer.clone()));
        let execution = Vm::watched(&VmConfig { threads: config.threads, artifacts: artifacts.clone() }, calls)?;
        let queries = Vm::new(&VmConfig { threads: config.query_threads, artifacts })?;
        Ok(Parts { config, signer, ledger, is_new: false, execution, queries })
    }

    /// The engine that the genesis has chosen, and the record of what this node signs for it.
    fn engine(&self) -> Result<(Engine, Votes, Option<Record>), OpenError> {
        let Parts { config, signer, ledger, is_new, .. } = self;
        let (genesis, identity) = (&config.genesis, config.genesis.identity());
        let validators = ledger.validators();
        let (key, tip) = (signer.public_key(), ledger.tip());
        match genesis.consensus {
            ConsensusKind::Solo => {
                if validators.index_of(&key).is_none() {
                    return Err(OpenError::NotAValidator { key });
                }
                let votes = votes::open_alone(ledger)?;
                let engine = Solo::new(identity, (*validators).clone(), (tip.header.height, tip.hash), votes.last())?;
                Ok((Engine::Solo(Box::new(engine)), Votes::Alone(votes), None))
            }
            ConsensusKind::Bft => {
                let votes = votes::open_among(&config.directory, ledger, &identity, *is_new)?;
                let (set, epoch) = (validators, next_epoch(&tip.header));
                let next = tip.header.height.next();
                let beginning = Beginning {
                    tip: Tip { height: tip.header.height, hash: tip.hash, timestamp: tip.header.timestamp },
                    schedule: Schedule::at(next, epoch, &set, &headers_before(ledger, next)?),
                    set,
                    epoch,
                    votes_from: votes.from(),
                    recovered: votes.recovered().to_vec(),
                };
                let setup = Config { chain: identity, key: Some(key), timing: config.timing, bugs: Bugs::default() };
                let engine = Bft::new(setup, Standard, beginning);
                Ok((Engine::Bft(Box::new(engine)), Votes::Among(Box::new(votes)), None))
            }
            ConsensusKind::Raft => {
                let (votes, record) = votes::open_leading(&config.directory, &identity, *is_new)?;
                if record.is_none() && validators.index_of(&key).is_some() {
                    error!(
                        "this validator's record of what it promised to others is lost, damaged or an old copy: the node \
                         only follows from now on; give its place in the group to a new key"
                    );
                }
                let beginning = raft::Beginning {
                    tip: Tip { height: tip.header.height, hash: tip.hash, timestamp: tip.header.timestamp },
                    recent: ledger.recent_hashes(),
                    set: validators,
                    epoch: next_epoch(&tip.header),
                    record: record.clone(),
                };
                let setup = raft::Config { chain: identity, key: Some(key), timing: config.timing };
                Ok((Engine::Raft(Box::new(Raft::new(setup, Standard, beginning))), votes, record))
            }
        }
    }

    fn start(self, network: Option<Network>) -> Result<Group, OpenError> {
        let (consensus, votes, record) = self.engine()?;
        let Parts { config, signer, ledger, is_new: _, execution, queries } = self;
        let genesis = Arc::new(config.genesis);
        let clock = Clock::new();
        let pool = Arc::new(thread_pool("hanse-cpu", config.threads, Rank::Blocks { bind: config.bind_cores })?);
        let query_pool = thread_pool("hanse-query", config.query_threads, Rank::Beside)?;
        let preparation =
            Preparation::new(execution.clone(), ledger.clone(), thread_pool("hanse-compile", 1, Rank::Beside)?);
        let (events, happened) = mpsc::channel(EVENTS);
        let tip = ledger.tip();

        let identity = genesis.identity();
        let params = hanse_vm::system::params::load(&*ledger.state())?;
        let recent: Vec<Hash> = ledger.recent_hashes().into_iter().map(|(_, hash)| hash).collect();
        let (height, timestamp) = (tip.header.height, tip.header.timestamp);
        let mut history = History::new(params.ref_block_window, height, timestamp, recent.iter().copied());
        history.load_window(ledger.window(history.oldest(), timestamp)?);
        let verifier = Verifier::new(genesis.clone());
        let drops = Arc::new(Drops::load(&ledger, config.drops)?);
        let mut recovered = pool.install(|| recovery::read(&ledger, &drops, &verifier))?;
        let (running, interrupted) = Running::open(&config.directory);
        let convicted = suspects::judge(&ledger, &drops, &mut recovered, interrupted, &params, clock.now())?;
        if convicted > 0 {
            config.observer.dropped(ENGINE_FAILED, convicted);
        }
        let mut waiting = Pool::new(config.pool, params, history);
        restore(&mut waiting, recovered, clock.now());
        let is_among = matches!(genesis.consensus, ConsensusKind::Bft | ConsensusKind::Raft);
        let held = pool.install(|| held::read(&ledger, &verifier))?;
        let mut replica = Replica::new(if is_among { waiting.of_several() } else { waiting }, consensus).holding(held);
        if is_among {
            let (newest, set) = ((tip.header.height, tip.hash), ledger.validators());
            let sync = BlockSync::new(config.sync, newest, set, next_epoch(&tip.header));
            replica = replica.catching_up_by(match config.sync_mode {
                SyncMode::Fast => sync.by_outcomes(),
                SyncMode::Full | SyncMode::Snapshot => sync,
            });
        }
        for (block, body) in record.iter().flat_map(|record| record.blocks().zip(&record.bodies)) {
            let decoded = body.iter().filter_map(|bytes| SignedTransaction::decode(bytes).ok()).collect();
            // What doesn't read is asked for.
            replica.recover(block, pool.install(|| verifier.verify_all(decoded)).into_iter().flatten().collect());
        }

        let threads = |error: std::io::Error| OpenError::Threads(error.to_string());
        let timelines = Arc::new(Timelines::default());
        let executor = Executor::new(execution, genesis.clone()).recording_to(timelines.clone());
        let (execute, executing) =
            spawn_executor(executor, running, is_among, pool.clone(), events.clone()).map_err(threads)?;
        let (reports, reporting) = report::spawn(ledger.genesis().group_id.clone()).map_err(threads)?;
        let (write, writing) =
            spawn_writer(ledger.clone(), votes, identity, signer, reports, events.clone()).map_err(threads)?;
        let (intake, submissions) = mpsc::channel(EVENTS);
        let verifying = intake::spawn(&verifier, &pool, submissions).map_err(threads)?;

        let feed = Arc::new(Feed::new(tip.header));
        let (queue, keeping) =
            queue::spawn(ledger.clone(), drops.clone(), feed.clone(), events.clone()).map_err(threads)?;
        let window = Arc::new(Window::new(config.intake_waiting));
        let (status, status_seen) = watch::channel(replica.pool_status());
        let (stopped, stopped_seen) = watch::channel(None);
        let (agreement, agreement_seen) = watch::channel(None);
        let accusations = Arc::new(Accusations::load(&ledger)?);
        let (members, members_seen) = watch::channel(Arc::new(hanse_vm::system::members::load(&*ledger.state())?));
        let recent_figures = Arc::new(Recent::default());
        let (transport, inbox) = network.map(|network| (network.transport, network.incoming)).unzip();
        let offers = transport.is_some().then(|| Offers::open(&config.directory, ledger.clone(), config.offers));
        let server = transport.clone().zip(offers.clone());
        let server = server.map(|(transport, offers)| BlockServer::new(transport, ledger.clone(), offers));
        let (sync_progress, sync_seen) = watch::channel(None);
        let lies = Arc::new(Lies::default());
        #[cfg(feature = "rocksdb")]
        let fetch = transport.clone().and_then(|transport| {
            if config.sync_mode != SyncMode::Snapshot || ledger.height() > Height(0) {
                fetch::forget(&config.directory);
                return None;
            }
            replica.hold_sync(true);
            Some(fetch::spawn(fetch::Means {
                directory: config.directory.clone(),
                genesis: genesis.clone(),
                options: config.ledger,
                limits: config.fetch,
                transport,
                clock: clock.clone(),
                events: events.clone(),
                lies: lies.clone(),
                tip: feed.tip(),
            }))
        });
        #[cfg(feature = "rocksdb")]
        let (fetching, fetch_progress, fetch) = match fetch {
            Some(Fetch { sender, progress, task, stop }) => (sender, Some(progress), Some((task, stop))),
            None => (FetchSender::default(), None, None),
        };
        #[cfg(not(feature = "rocksdb"))]
        let (fetching, fetch_progress, fetch) = (FetchSender::default(), None, None);
        let exchange = Exchange::new(transport, ledger.clone(), verifier, pool, events.clone());
        let driver = Driver {
            replica,
            exchange,
            clock: clock.clone(),
            chain: Chain::new(durable_base(&ledger), recent.into_iter().rev()),
            deciding: Deciding::default(),
            propose_ms: config.timing.propose_ms,
            ledger: ledger.clone(),
            feed: feed.clone(),
            drops: drops.clone(),
            queue,
            status,
            window: window.clone(),
            stopped,
            agreement,
            accusations: accusations.clone(),
            sync_progress,
            lies: lies.clone(),
            teller: Teller::default(),
            offers: offers.clone(),
            members,
            observation: Observation::new(config.observer.clone(), recent_figures.clone()),
            jobs: execute,
            write,
            timer: None,
            hold: Vec::new(),
            writing: 0,
        };
        let tasks = Tasks {
            driver: tokio::spawn(driver.run(happened)),
            inbound: None,
            fetch,
            threads: [executing, writing, keeping, reporting].into_iter().chain(verifying).collect(),
        };
        let group = Group {
            inner: Arc::new(Inner {
                genesis_hash: genesis.hash(),
                genesis,
                queries: Queries::new(queries, query_pool, ledger.clone(), clock.clone()),
                clock,
                ledger,
                intake: Mutex::new(Some(intake)),
                preparation,
                window,
                events,
                feed,
                drops,
                retrying: tokio::sync::Mutex::default(),
                status: status_seen,
                stopped: stopped_seen,
                agreement: agreement_seen,
                accusations,
                sync_progress: sync_seen,
                lies,
                sync_mode: config.sync_mode,
                fetch: fetch_progress,
                offers,
                members: members_seen,
                observer: config.observer,
                recent_figures,
                timelines,
                settings: Settings {
                    threads: config.threads,
                    bind_cores: config.bind_cores,
                    query_threads: config.query_threads,
                    pool: config.pool,
                    intake_waiting: config.intake_waiting,
                },
                tasks: Mutex::new(Some(tasks)),
            }),
        };
        let ways = inbox.zip(server);
        let inbound = ways.map(|(inbox, server)| tokio::spawn(inbound::run(group.clone(), inbox, server, fetching)));
        if let Some(tasks) = &mut *group.inner.tasks.lock() {
            tasks.inbound = inbound;
        }
        Ok(group)
    }
}

/// Headers of the newest blocks before a height, the oldest first: as many as say whose turn it is.
fn headers_before(ledger: &Ledger, height: Height) -> Result<Vec<Header>, OpenError> {
    let first = Height(height.0.saturating_sub(Schedule::WINDOW).max(1));
    let headers = (first.0..height.0).map(|height| ledger.header(Height(height)));
    Ok(headers.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Puts what an earlier process left where it was.
fn restore(pool: &mut Pool, recovered: Recovered, now: Timestamp) {
    let Recovered { waiting, next_arrival, done_with, suspects } = recovered;
    if !waiting.is_empty() || done_with > 0 {
        info!(waiting = waiting.len(), done_with, "took over the queue of accepted transactions");
    }
    waiting.into_iter().for_each(|kept| pool.restore(kept, now));
    pool.resume(next_arrival);
    suspects.suspect(pool);
}

/// What threads are for.
#[derive(Clone, Copy)]
enum Rank {
    /// Blocks; each on a core of its own if bound.
    Blocks { bind: bool },
    /// What must not slow blocks down: questions, and compiling what somebody wants to deploy.
    Beside,
}

/// By how much the system prefers other threads to those of [`Rank::Beside`] (`nice`): on a machine without an idle core
/// they get about a tenth of what a thread that makes blocks gets, so questions wait for blocks, and not blocks for
/// questions.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

impl Rank {
    /// Sets the thread that calls this up. Where the system refuses, the thread runs where and when it likes.
    fn apply(self, core: Option<&core_affinity::CoreId>) {
        match (self, core) {
            (Rank::Blocks { bind: true }, Some(core)) => drop(core_affinity::set_for_current(*core)),
            (Rank::Blocks { .. }, _) => {}
            // For the calling thread alone; elsewhere it would be for the whole process.
            #[cfg(target_os = "linux")]
            (Rank::Beside, _) => drop(rustix::process::nice(NICE)),
            #[cfg(not(target_os = "linux"))]
            (Rank::Beside, _) => {}
        }
    }
}

fn thread_pool(name: &'static str, threads: usize, rank: Rank) -> Result<rayon::ThreadPool, OpenError> {
    let threads = threads.max(1);
    let cores = core_affinity::get_core_ids().filter(|cores| cores.len() >= threads);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .start_handler(move |index| rank.apply(cores.as_ref().and_then(|cores| cores.get(index))))
        .stack_size(STACK_BYTES)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()
        .map_err(|error| OpenError::Threads(error.to_string()))
}
