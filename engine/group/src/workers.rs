//! The threads that run blocks and make things durable, for the driver.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::Instant;

use hanse_consensus::Intent;
use hanse_consensus::raft::Record;
use hanse_ledger::{Ledger, NewBlock};
use hanse_replica::{Shown, Work};
use hanse_types::crypto::Signer;
use hanse_types::{Certificate, ChainIdentity, Hash, Outcomes, Verified};

use crate::blame::Tried;
use crate::event::{Event, Events, Made};
use crate::execution::{Base, ExecutedBlock, ExecutionError, Executor};
use crate::guarded::guarded;
use crate::held;
use crate::report::Reports;
use crate::running::{Making, Running};
use crate::votes::Votes;

/// Work that may be handed to a thread before it takes it: a replica has two blocks of its own under way at most, and two
/// of others in each round.
const JOBS: usize = 64;

/// A block to be run.
pub(crate) struct ExecuteJob {
    pub(crate) what: Execute,
    pub(crate) base: Base,
    pub(crate) recent_hashes: Vec<Hash>,
}

/// What is to be done with it.
pub(crate) enum Execute {
    /// It is to be made, and this is to be said of that meanwhile.
    Make(Work, Option<Making>),
    /// It was made by another node.
    Check(Box<Shown>),
    /// The same, and it is decided and came with its outcomes.
    Apply(Box<Shown>, Arc<Outcomes>),
}

/// Something to be made durable.
pub(crate) enum WriteJob {
    /// A statement; with it, what must be durable before.
    Sign {
        intent: Box<Intent>,
        hold: Vec<Verified>,
    },
    /// What a validator must not forget, and the transactions of its blocks.
    Record {
        record: Box<Record>,
        bodies: Vec<Vec<Verified>>,
    },
    Block {
        block: Arc<ExecutedBlock>,
        certificate: Certificate,
    },
}

/// Starts the thread that runs blocks; `shows` if what it makes is shown to others.
pub(crate) fn spawn_executor(
    mut executor: Executor,
    mut running: Running,
    shows: bool,
    pool: Arc<rayon::ThreadPool>,
    events: Events,
) -> std::io::Result<(SyncSender<ExecuteJob>, JoinHandle<()>)> {
    let (sender, jobs): (_, Receiver<ExecuteJob>) = mpsc::sync_channel(JOBS);
    let run = move || {
        for ExecuteJob { what, base, recent_hashes } in jobs {
            let start = Instant::now();
            let event = match what {
                Execute::Make(work, making) => {
                    let (height, tried) = (work.height(), Tried::new(&work.batch, true));
                    let make = || pool.install(|| made(executor.make(work, &base, recent_hashes)?, shows));
                    running.begin(making.as_ref());
                    let result = tried.run(make);
                    running.end();
                    Event::Executed { height, result, took: start.elapsed() }
                }
                Execute::Check(shown) => {
                    let (height, block) = (shown.block.header().height, shown.block.hash());
                    let tried = Tried::new(&shown.transactions, false);
                    let check = || pool.install(|| executor.check(&shown, &base, recent_hashes));
                    Event::Checked { height, block, result: tried.run(check), took: start.elapsed() }
                }
                Execute::Apply(shown, outcomes) => {
                    let (height, block) = (shown.block.header().height, shown.block.hash());
                    // None of its transactions is run, so none can be to blame.
                    let tried = Tried::new(&[], false);
                    let apply = || pool.install(|| executor.apply(&shown, &outcomes, &base));
                    Event::Checked { height, block, result: tried.run(apply), took: start.elapsed() }
                }
            };
            if events.blocking_send(event).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("hanse-execute".into()).spawn(run)?;
    Ok((sender, thread))
}

fn made(block: ExecutedBlock, shows: bool) -> Result<Made, ExecutionError> {
    let shown = shows.then(|| block.show().map(Box::new)).transpose()?;
    Ok(Made { block: Arc::new(block), shown })
}

/// Starts the thread that makes votes and blocks durable.
pub(crate) fn spawn_writer(
    ledger: Ledger,
    mut votes: Votes,
    chain: ChainIdentity,
    signer: Arc<dyn Signer>,
    reports: Reports,
    events: Events,
) -> std::io::Result<(SyncSender<WriteJob>, JoinHandle<()>)> {
    let (sender, jobs): (_, Receiver<WriteJob>) = mpsc::sync_channel(JOBS);
    let run = move || {
        for job in jobs {
            let mut durable = None;
            let event = match job {
                WriteJob::Sign { intent, hold } => {
                    let height = intent.statement.height;
                    let sign = || {
                        if !hold.is_empty() {
                            held::write(&ledger, &hold).map_err(|error| error.to_string())?;
                        }
                        votes.sign(&intent, &chain, &*signer)
                    };
                    let result = guarded(sign);
                    Event::Signed { height, result }
                }
                WriteJob::Record { mut record, bodies } => {
                    let height = record.height();
                    let result = guarded(|| votes.record(&mut record, &bodies));
                    Event::Recorded { height, result }
                }
                WriteJob::Block { block, certificate } => {
                    let (height, hash) = (block.header.height, block.hash);
                    let start = Instant::now();
                    let noted = votes.noted();
                    let result = guarded(|| ledger.append(&new_block(&block, &certificate, noted.as_deref())));
                    durable = result.is_ok().then_some(block);
                    Event::Persisted { height, hash, result, took: start.elapsed() }
                }
            };
            if events.blocking_send(event).is_err() {
                return;
            }
            durable.iter().for_each(|block| reports.committed(block));
        }
    };
    let thread = std::thread::Builder::new().name("hanse-write".into()).spawn(run)?;
    Ok((sender, thread))
}

fn new_block<'a>(block: &'a ExecutedBlock, certificate: &'a Certificate, noted: Option<&'a [u8]>) -> NewBlock<'a> {
    let next_validators = block.amendments.validators.as_deref();
    NewBlock { header: &block.header, content: &block.content, certificate, noted, next_validators }
}
