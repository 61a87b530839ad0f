//! What the node tells its operators: four logs, by the target of an event.
//!
//! | log | target | what | when more comes than is written |
//! |---|---|---|---|
//! | system | all others | the node: start, stop, blocks, faults | lines are dropped and counted |
//! | brief | `hanse::brief` | one line per committed transaction, and per block | lines are dropped and counted |
//! | event | `hanse::event` | one line per contract event | whoever logs waits: nothing is dropped |
//! | exception | `hanse::exception` | transactions that failed, were dropped or refused, with the reason | the same |
//!
//! Every line has its time in UTC with milliseconds, and an id: of a transaction, of a block, or else the height that the
//! chain had. A service writes files that are rotated, synced as they grow and given up in time; `hanse dev` writes to
//! standard error. Levels are changed while the node runs.
//!
//! It knows nothing of what is logged. Start reading at [`Log`].

mod files;
mod format;
pub(crate) mod levels;
mod lines;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

pub(crate) use files::{FileLog, Lost, Period};
pub(crate) use format::Format;
pub(crate) use levels::{Levels, LevelsError};

use files::Syncs;
use lines::{Lines, Sinks};

/// Names of the logs, in the order of [`Sinks`].
pub(crate) const NAMES: [&str; 4] = ["system", "brief", "event", "exception"];

/// Why there is no log.
#[derive(Debug, Error)]
pub(crate) enum LogError {
    /// A file can't be made.
    #[error("{folder}: can't write {name}.log there: {reason}; log.folder names the folder")]
    File {
        /// In which folder.
        folder: String,
        /// Of which log.
        name: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The process has a log already.
    #[error("the process can't start its log: {0}")]
    Start(String),
    /// The level could not be changed.
    #[error("the level can't be changed: {0}")]
    Change(String),
    /// The variable's text names no levels.
    #[error("{variable}: {error}")]
    Variable {
        /// Which.
        variable: &'static str,
        /// What is wrong.
        error: LevelsError,
    },
}

/// The process's log, and what can be changed of it.
pub(crate) struct Log {
    levels: Mutex<Levels>,
    filter: reload::Handle<Targets, Registry>,
    /// For each log, what was lost of it.
    lost: Vec<(&'static str, Lost)>,
    /// Height of the newest block, for lines that say no id of their own.
    height: Arc<AtomicU64>,
    /// Write what is still queued when they are dropped.
    writers: Mutex<Vec<WorkerGuard>>,
}

impl Log {
    /// Everything to standard error, at the levels of HANSE_LOG.
    pub(crate) fn to_stderr(format: Format) -> Result<Log, LogError> {
        const VARIABLE: &str = "HANSE_LOG";
        let levels = match std::env::var(VARIABLE) {
            Ok(text) => text.parse().map_err(|error| LogError::Variable { variable: VARIABLE, error })?,
            Err(_) => Levels::of(LevelFilter::WARN),
        };
        Log::start(levels, format, Sinks::Stderr, Vec::new(), Vec::new())
    }

    /// Each log to its file.
    pub(crate) fn to_files(levels: Levels, format: Format, files: [FileLog; 4]) -> Result<Log, LogError> {
        let (mut lost, mut writers) = (Vec::new(), Vec::new());
        let syncs = Syncs::start().map_err(|error| LogError::Start(error.to_string()))?;
        let [system, brief, event, exception] = files;
        let mut queued = |file: FileLog| -> Result<_, LogError> {
            let (writer, guard, what_was_lost) = file.queued(&syncs)?;
            lost.push((file.name, what_was_lost));
            writers.push(guard);
            Ok(writer)
        };
        let (system, brief) = (queued(system)?, queued(brief)?);
        let mut direct = |file: FileLog| -> Result<_, LogError> {
            let (writer, what_was_lost) = file.direct(&syncs)?;
            lost.push((file.name, what_was_lost));
            Ok(Mutex::new(Box::new(writer) as Box<dyn std::io::Write + Send>))
        };
        let (event, exception) = (direct(event)?, direct(exception)?);
        Log::start(levels, format, Sinks::Files { system, brief, event, exception }, lost, writers)
    }

    fn start(
        levels: Levels,
        format: Format,
        sinks: Sinks,
        lost: Vec<(&'static str, Lost)>,
        writers: Vec<WorkerGuard>,
    ) -> Result<Log, LogError> {
        let (layer, filter) = reload::Layer::new(levels.targets());
        let height = Arc::new(AtomicU64::new(lines::NO_HEIGHT));
        let lines = Lines::new(sinks, format, height.clone());
        let subscriber = tracing_subscriber::registry().with(layer).with(lines);
        subscriber.try_init().map_err(|error| LogError::Start(error.to_string()))?;
        Ok(Log { levels: Mutex::new(levels), filter, lost, height, writers: Mutex::new(writers) })
    }

    /// What is logged now.
    pub(crate) fn levels(&self) -> Levels {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is logged: of one target, or of all that have no level of their own.
    pub(crate) fn set_level(&self, target: Option<&str>, level: LevelFilter) -> Result<Levels, LogError> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = levels.clone();
        changed.set(target, level);
        self.filter.reload(changed.targets()).map_err(|error| LogError::Change(error.to_string()))?;
        *levels = changed.clone();
        tracing::warn!(levels = %changed, "what is logged was changed");
        Ok(changed)
    }

    /// For each log, how many of its lines were lost.
    pub(crate) fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.lost.iter().map(|(name, lost)| (*name, lost.count()))
    }

    /// Writes what is still queued. What is logged to a queue after this is lost.
    pub(crate) fn close(&self) {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells the height of the newest block.
    pub(crate) fn at_height(&self, height: u64) {
        self.height.store(height, Ordering::Relaxed);
    }
}
