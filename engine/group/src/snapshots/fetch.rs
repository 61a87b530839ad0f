//! Getting a snapshot: carries out what [`SnapshotFetch`] wants.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hanse_consensus::Recipient;
use hanse_ledger::LedgerOptions;
use hanse_ledger::portable::{Folder, FolderError, ImportError, make};
use hanse_replica::sync::{Description, FetchLimits, FetchOutput, FetchProgress, FetchStage, SnapshotFetch};
use hanse_types::{Canonical, Genesis, Height, Timestamp};
use hanse_vm::system::{genesis_state, params};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::{error, info};

use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::network::{Frame, Module, Transport};
use crate::snapshots::{FetchSender, Told};
use crate::sync::{Lie, Lies};

/// The folder in the group's.
const FOLDER: &str = "incoming";
/// What may wait for the fetch; more is dropped, and asked for again.
const WAITING: usize = 64;

/// What a fetch works with.
pub(crate) struct Means {
    pub(crate) directory: PathBuf,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) options: LedgerOptions,
    pub(crate) limits: FetchLimits,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    pub(crate) lies: Arc<Lies>,
    /// The newest block.
    pub(crate) tip: watch::Receiver<Arc<hanse_types::Header>>,
}

/// What somebody else does for the fetch.
enum Done {
    Begun(Result<Vec<u32>, FolderError>),
    Kept(u32, Result<(), FolderError>),
    Imported(Result<(), ImportError>),
}

/// A fetch that runs.
pub(crate) struct Fetch {
    pub(crate) sender: FetchSender,
    pub(crate) progress: watch::Receiver<FetchProgress>,
    pub(crate) task: JoinHandle<()>,
    /// Ends it.
    pub(crate) stop: watch::Sender<bool>,
}

/// Deletes what has come of a snapshot that is not needed any more.
pub(crate) fn forget(directory: &Path) {
    if let Err(error) = Folder::at(directory.join(FOLDER)).remove() {
        tracing::warn!(%error, "what has come of a snapshot can't be deleted");
    }
}

/// Starts one.
pub(crate) fn spawn(means: Means) -> Fetch {
    let (sender, told) = mpsc::channel(WAITING);
    let (tell_progress, progress) = watch::channel(FetchProgress::default());
    let (stop, stopped) = watch::channel(false);
    let folder = Folder::at(means.directory.join(FOLDER));
    // What does not read is made anew.
    let preferred = folder.manifest().ok().flatten().map(|manifest| manifest.id());
    let machine = SnapshotFetch::new(means.limits, means.genesis.clone(), preferred);
    let halted = Arc::new(AtomicBool::new(false));
    let holds = true;
    let fetcher = Fetcher { means, folder, machine, work: JoinSet::new(), halted, holds, progress: tell_progress };
    let task = tokio::spawn(fetcher.run(told, stopped));
    Fetch { sender: FetchSender(Some(sender)), progress, task, stop }
}

struct Fetcher {
    means: Means,
    folder: Folder,
    machine: SnapshotFetch,
    work: JoinSet<Done>,
    /// Whether work that takes long is to end.
    halted: Arc<AtomicBool>,
    /// Whether the replica was told to fetch no blocks.
    holds: bool,
    progress: watch::Sender<FetchProgress>,
}

impl Fetcher {
    /// Runs until the ledger is made, the node has a block of its own, or it is stopped; then waits for what is under way.
    async fn run(mut self, mut told: mpsc::Receiver<Told>, mut stopped: watch::Receiver<bool>) {
        let mut tip = self.means.tip.clone();
        loop {
            let timer = self.machine.deadline();
            let outputs = tokio::select! {
                told = told.recv() => match told {
                    Some(told) => self.told(told),
                    None => break,
                },
                Some(done) = self.work.join_next() => match done {
                    Ok(done) => self.done(done),
                    // It panicked, or the runtime ends.
                    Err(_) => break,
                },
                _ = tip.wait_for(|header| header.height > Height(0)), if tip.borrow().height == Height(0) => {
                    self.machine.has_block();
                    Ok(Vec::new())
                }
                () = sleep_until(&self.means.clock, timer) => {
                    let mut out = Vec::new();
                    self.machine.tick(self.means.clock.now(), &mut out);
                    Ok(out)
                }
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            match outputs {
                Ok(outputs) => outputs.into_iter().for_each(|output| self.perform(output)),
                Err(error) => {
                    error!(%error, "a snapshot can't be kept or used; blocks are fetched instead");
                    break;
                }
            }
            self.report().await;
            if matches!(self.machine.progress().stage, FetchStage::Ready | FetchStage::Over) {
                break;
            }
        }
        self.halted.store(true, Ordering::Release);
        while self.work.join_next().await.is_some() {}
        if self.machine.progress().stage != FetchStage::Ready {
            self.hold(false).await;
        }
    }

    fn told(&mut self, told: Told) -> Result<Vec<FetchOutput>, String> {
        let (now, mut out) = (self.means.clock.now(), Vec::new());
        match told {
            Told::Up(peer) => self.machine.peer_up(peer, self.means.transport.key_of(peer), now, &mut out),
            Told::Down(peer) => self.machine.peer_down(peer, now, &mut out),
            Told::Heard(peer, message) => self.machine.heard(peer, message, now, &mut out),
        }
        Ok(out)
    }

    fn done(&mut self, done: Done) -> Result<Vec<FetchOutput>, String> {
        let (now, mut out) = (self.means.clock.now(), Vec::new());
        match done {
            Done::Begun(have) => {
                let have = have.map_err(|error| error.to_string())?;
                self.machine.begun(&have, now, &mut out);
            }
            Done::Kept(index, result) => {
                result.map_err(|error| error.to_string())?;
                self.machine.kept(index, now, &mut out);
            }
            Done::Imported(Ok(())) => self.machine.imported(Ok(()), now, &mut out),
            Done::Imported(Err(ImportError::Lie(reason))) => {
                forget(&self.means.directory);
                self.machine.imported(Err(reason), now, &mut out);
            }
            Done::Imported(Err(error)) => return Err(error.to_string()),
        }
        Ok(out)
    }

    fn perform(&mut self, output: FetchOutput) {
        match output {
            FetchOutput::Send(peer, message) => {
                let frame = Frame::Sync(Box::new(message)).encode();
                self.means.transport.send(Recipient::One(peer), Module::Sync, frame.into());
            }
            FetchOutput::Begin(what) => {
                let (height, chunks) = (what.manifest.height.0, what.manifest.chunks.len());
                info!(height, chunks, "this node has no block: a snapshot is fetched of several members at a time");
                let folder = self.folder.clone();
                self.work.spawn_blocking(move || Done::Begun(begin(&folder, &what)));
            }
            FetchOutput::Keep { index, bytes } => {
                let folder = self.folder.clone();
                self.work.spawn_blocking(move || Done::Kept(index, folder.put_chunk(index, &bytes)));
            }
            FetchOutput::Import(what) => {
                info!(height = what.manifest.height.0, "the snapshot is there: a ledger is made of it");
                let (folder, halted) = (self.folder.clone(), self.halted.clone());
                let (genesis, options) = (self.means.genesis.clone(), self.means.options);
                let ledger = self.means.directory.join(crate::LEDGER_FOLDER);
                self.work.spawn_blocking(move || {
                    Done::Imported(import(&folder, &halted, &ledger, &genesis, &what, options))
                });
            }
            FetchOutput::Lied { peer, reason } => {
                let key = self.means.transport.key_of(peer);
                let timestamp = self.means.clock.now();
                self.means.lies.report(Lie { peer, key, reason: reason.into(), timestamp });
            }
        }
    }

    async fn report(&mut self) {
        let progress = self.machine.progress();
        let was = self.progress.send_replace(progress);
        if progress.stage == FetchStage::Ready && was.stage != FetchStage::Ready {
            let height = progress.height.unwrap_or_default().0;
            info!(height, "the ledger of the snapshot is made; the group is opened anew on it");
        }
        self.hold(self.machine.holds()).await;
    }

    async fn hold(&mut self, holds: bool) {
        if std::mem::replace(&mut self.holds, holds) != holds {
            if !holds {
                info!("no member offers a snapshot that can be used; blocks are fetched instead");
            }
            // A driver that is gone needs nothing.
            let _ = self.means.events.send(Event::HoldSync(holds)).await;
        }
    }
}

/// Makes room for a snapshot; the chunks that are there already.
fn begin(folder: &Folder, what: &Description) -> Result<Vec<u32>, FolderError> {
    let is_same = folder.manifest().ok().flatten().is_some_and(|before| before == what.manifest);
    if !is_same {
        folder.remove()?;
        folder.make()?;
        folder.put_manifest(&what.manifest)?;
    }
    folder.good(&what.manifest)
}

fn import(
    folder: &Folder,
    halted: &AtomicBool,
    ledger: &Path,
    genesis: &Genesis,
    what: &Description,
    options: LedgerOptions,
) -> Result<(), ImportError> {
    let chunk = |index| {
        let stop = || std::io::Error::other("the group stops");
        match halted.load(Ordering::Acquire) {
            true => Err(FolderError::File { path: folder.path().to_owned(), error: stop() }),
            false => folder.chunk(index),
        }
    };
    let lifetime_ms = |state: &dyn hanse_state::StateView| Ok(params::load(state)?.tx_lifetime_ms_max);
    let state = genesis_state(genesis);
    make(ledger, (genesis, &state), (&what.manifest, &what.anchor), chunk, lifetime_ms, options)
}

/// Waits for a time, for ever if there is none.
async fn sleep_until(clock: &Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => tokio::time::sleep_until(Instant::now() + clock.until(time)).await,
        None => std::future::pending().await,
    }
}
