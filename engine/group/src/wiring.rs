//! How the parts of a group are joined, and what is read back from the disk before it runs.

use std::sync::Arc;

use hanse_consensus::{Disk, DiskError, Solo, SoloError, VoteLog, VoteLogError};
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::Replica;
use hanse_txpool::{History, Pool};
use hanse_types::crypto::Signer;
use hanse_types::crypto::verified::Verifier;
use hanse_types::genesis::{ConsensusKind, GenesisError};
use hanse_types::validator_set::{ValidatorSet, ValidatorSetError};
use hanse_types::{Hash, Timestamp};
use hanse_vm::{Vm, VmConfig};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tracing::info;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::GroupConfig;
use crate::driver::{Driver, durable_base, spawn_executor, spawn_writer};
use crate::drops::Drops;
use crate::execution::Executor;
use crate::feed::Feed;
use crate::group::{Group, Inner, Tasks};
use crate::intake;
use crate::look::Settings;
use crate::observe::{Calls, Observation, Recent};
use crate::preparation::Preparation;
use crate::queries::Queries;
use crate::queue;
use crate::recovery::{self, Recovered, RecoveryError};
use crate::report;
use crate::timeline::Timelines;
use crate::window::Window;

/// The ledger's folder in a group's.
pub const LEDGER_FOLDER: &str = "ledger";
/// Stack of threads that run contracts: calls inside calls, each with its WebAssembly frames and the host's.
const STACK_BYTES: usize = 16 << 20;
/// Events that may wait for the driver.
const EVENTS: usize = 4_096;
/// The record of the last vote in the ledger's consensus table.
const VOTE: &[u8] = b"vote";

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
    /// What was accepted before could not be taken over.
    #[error(transparent)]
    Queue(#[from] RecoveryError),
    /// The record of the last vote does not read.
    #[error(transparent)]
    Votes(#[from] VoteLogError),
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

/// The ledger as the place for votes.
struct VoteDisk(Ledger);

impl Disk for VoteDisk {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.0.put_consensus(VOTE, record).map_err(|error| DiskError(error.to_string()))
    }
}

impl Group {
    /// Opens a group: makes its ledger or recovers it, and starts to make blocks. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the genesis is not sound, the ledger is damaged or another chain's, or threads can't be started.
    pub async fn open(config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Group, OpenError> {
        let opened = tokio::task::spawn_blocking(move || Parts::open(config, signer)).await;
        let parts = opened.map_err(|error| OpenError::Threads(error.to_string()))??;
        parts.start()
    }

    /// Opens a group as [`Group::open`] does, on a ledger that is open already: on another store than the usual one. Its
    /// directory is for caches only.
    ///
    /// # Errors
    /// As there.
    pub async fn open_on(ledger: Ledger, config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Group, OpenError> {
        let opened = tokio::task::spawn_blocking(move || Parts::with(ledger, config, signer)).await;
        let parts = opened.map_err(|error| OpenError::Threads(error.to_string()))??;
        parts.start()
    }
}

/// Everything of a group before it runs.
struct Parts {
    config: GroupConfig,
    signer: Arc<dyn Signer>,
    ledger: Ledger,
    execution: Vm,
    queries: Vm,
}

impl Parts {
    fn open(config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Parts, OpenError> {
        config.genesis.check()?;
        let initial = hanse_vm::system::genesis_state(&config.genesis);
        let folder = config.directory.join(LEDGER_FOLDER);
        let ledger = Ledger::open(&folder, &config.genesis, &initial, config.ledger)?;
        Parts::with(ledger, config, signer)
    }

    fn with(ledger: Ledger, config: GroupConfig, signer: Arc<dyn Signer>) -> Result<Parts, OpenError> {
        let artifacts = Some(config.directory.join("compiled"));
        let calls = Arc::new(Calls(config.observer.clone()));
        let execution = Vm::watched(&VmConfig { threads: config.threads, artifacts: artifacts.clone() }, calls)?;
        let queries = Vm::new(&VmConfig { threads: config.query_threads, artifacts })?;
        Ok(Parts { config, signer, ledger, execution, queries })
    }

    fn start(self) -> Result<Group, OpenError> {
        let Parts { config, signer, ledger, execution, queries } = self;
        let genesis = Arc::new(config.genesis);
        let clock = Clock::new();
        let pool = Arc::new(thread_pool("hanse-cpu", config.threads, Rank::Blocks { bind: config.bind_cores })?);
        let query_pool = thread_pool("hanse-query", config.query_threads, Rank::Beside)?;
        let preparation =
            Preparation::new(execution.clone(), ledger.clone(), thread_pool("hanse-compile", 1, Rank::Beside)?);
        let (events, inbox) = mpsc::channel(EVENTS);
        let tip = ledger.tip();

        let record = ledger.get_consensus(VOTE)?;
        let votes = VoteLog::open(VoteDisk(ledger.clone()), record.as_deref())?;
        let validators = ValidatorSet::from_genesis(&genesis)?;
        if validators.index_of(&signer.public_key()).is_none() {
            return Err(OpenError::NotAValidator { key: signer.public_key() });
        }
        let identity = genesis.identity();
        let consensus = match genesis.consensus {
            ConsensusKind::Solo => {
                Solo::new(identity.clone(), validators, (tip.header.height, tip.hash), votes.last())?
            }
        };
        let params = hanse_vm::system::params::load(&*ledger.state())?;
        let recent: Vec<Hash> = ledger.recent_hashes().into_iter().map(|(_, hash)| hash).collect();
        let mut history = History::new(tip.header.height, tip.header.timestamp, recent.iter().copied());
        history.load_window(ledger.window(tip.header.timestamp)?);
        let verifier = Verifier::new(genesis.clone());
        let drops = Arc::new(Drops::load(&ledger, config.drops)?);
        let recovered = pool.install(|| recovery::read(&ledger, &drops, &verifier))?;
        let mut waiting = Pool::new(config.pool, params, history);
        restore(&mut waiting, recovered, clock.now());
        let replica = Replica::new(waiting, consensus);

        let threads = |error: std::io::Error| OpenError::Threads(error.to_string());
        let timelines = Arc::new(Timelines::default());
        let executor = Executor::new(execution, genesis.clone()).recording_to(timelines.clone());
        let (execute, executing) = spawn_executor(executor, pool.clone(), events.clone()).map_err(threads)?;
        let (reports, reporting) = report::spawn().map_err(threads)?;
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
        let recent_figures = Arc::new(Recent::default());
        let driver = Driver {
            replica,
            clock: clock.clone(),
            chain: Chain::new(durable_base(&ledger), recent.into_iter().rev()),
            ledger: ledger.clone(),
            feed: feed.clone(),
            drops: drops.clone(),
            queue,
            status,
            window: window.clone(),
            stopped,
            observation: Observation::new(config.observer.clone(), recent_figures.clone()),
            execute,
            write,
            timer: None,
            writing: 0,
        };
        let tasks = Tasks {
            driver: tokio::spawn(driver.run(inbox)),
            threads: [executing, writing, keeping, reporting].into_iter().chain(verifying).collect(),
        };
        Ok(Group {
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
        })
    }
}

/// Puts what an earlier process left where it was.
fn restore(pool: &mut Pool, recovered: Recovered, now: Timestamp) {
    let Recovered { waiting, next_arrival, done_with } = recovered;
    if !waiting.is_empty() || done_with > 0 {
        info!(waiting = waiting.len(), done_with, "took over the queue of accepted transactions");
    }
    waiting.into_iter().for_each(|kept| pool.restore(kept, now));
    pool.resume(next_arrival);
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
