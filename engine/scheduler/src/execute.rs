//! What the scheduler asks of whoever can run a transaction.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use hanse_state::{AccessSet, BlockState, Confinement, Halt, Recorder, StateAccess, StateError};
use hanse_types::{Address, Execution};
use parking_lot::Mutex;
use thiserror::Error;

use crate::runner::Lend;

/// Runs single transactions.
///
/// # Contract
/// The answer is a function of the transaction and of what the state answered, and of nothing else: no clock, no
/// counter, no cache that changes results. An execution that is not successful has rolled its effects back itself. A
/// [`Halt`] from the state ends the execution at once and is passed on.
pub trait Execute: Sync {
    /// What it runs.
    type Transaction: Sync;
    /// What a thread keeps from one transaction of a block to the next, so that threads share nothing meanwhile.
    type Runner: Send;

    /// What a thread that runs the block starts with.
    fn runner(&self) -> Self::Runner;

    /// Runs one transaction. The state is moved in and comes back, so that an engine that needs ownership can have it.
    fn execute(
        &self,
        runner: &mut Self::Runner,
        transaction: &Self::Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>);

    /// Which method of which contract it calls, if that is known beforehand; used only to guess access sets.
    fn call_site<'a>(&self, transaction: &'a Self::Transaction) -> Option<CallSite<'a>>;

    /// Hears that a thread begins to run a transaction; for whoever keeps a diary. Does nothing by default, and then costs
    /// nothing.
    fn began(&self, _runner: &mut Self::Runner) {}

    /// Hears that the run that began last on this thread is over: which transaction of the batch it was, and in which pass.
    fn ended(&self, _runner: &mut Self::Runner, _index: usize, _pass: Pass) {}
}

/// On what occasion a transaction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Against the state before its sub-batch. The result holds unless the transaction is run again.
    Speculation,
    /// After those that it must follow by a DAG.
    Ordered,
    /// The same, and it left the access set under which it was scheduled: nothing of this run is kept.
    Strayed,
    /// After all others before it, alone.
    Alone,
}

/// Who calls what with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite<'a> {
    /// The contract.
    pub contract: Address,
    /// The method.
    pub method: &'a str,
    /// The caller.
    pub caller: Address,
    /// The encoded arguments.
    pub args: &'a [u8],
}

/// Why a block could not be run. Nothing of it is applied anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// What runs contracts failed on this node.
    #[error("running transaction {index} of the batch: {reason}")]
    Engine {
        /// Place in the batch.
        index: usize,
        /// What it said.
        reason: String,
    },
    /// The host, not the contract, failed while it ran a transaction: a bug. No receipt may come of it.
    #[error("running transaction {index} of the batch failed inside the node: {message}")]
    Panicked {
        /// Place in the batch.
        index: usize,
        /// The panic's message.
        message: String,
    },
}

impl RunError {
    /// The end of the block by a halt of one of its transactions.
    pub(crate) fn of(index: usize, halt: Halt) -> RunError {
        match halt {
            Halt::State(error) => error.into(),
            Halt::Engine { reason } => RunError::Engine { index, reason },
            Halt::Stray => RunError::Panicked { index, message: "it strayed without being confined".into() },
        }
    }
}

/// How a confined transaction ended.
#[derive(Debug)]
pub(crate) enum Confined {
    Ran(Execution),
    Strayed,
}

/// Runs transactions of one block one after another, with reused buffers.
pub(crate) struct Worker<'a, E: Execute> {
    executor: &'a E,
    batch: &'a [E::Transaction],
    state: Arc<BlockState>,
    runner: E::Runner,
    /// Away while a transaction runs, and for good if that panicked.
    recorder: Option<Box<Recorder>>,
}

impl<'a, E: Execute> Worker<'a, E> {
    fn new(executor: &'a E, batch: &'a [E::Transaction], state: Arc<BlockState>) -> Self {
        Worker { executor, batch, state, runner: executor.runner(), recorder: None }
    }

    /// Runs a transaction of the batch while the state stands still; `phase` is another number each
    /// time that it does. What it touches goes to `set`.
    pub(crate) fn speculate(&mut self, phase: u32, index: usize, set: &mut AccessSet) -> Result<Execution, RunError> {
        self.ran(Pass::Speculation, index, Some(phase), set)
    }

    /// Runs a transaction of the batch without confinement. What it touches goes to `set`.
    pub(crate) fn run(&mut self, pass: Pass, index: usize, set: &mut AccessSet) -> Result<Execution, RunError> {
        self.ran(pass, index, None, set)
    }

    fn ran(
        &mut self,
        pass: Pass,
        index: usize,
        phase: Option<u32>,
        set: &mut AccessSet,
    ) -> Result<Execution, RunError> {
        match self.run_with(pass, index, phase, None, set)? {
            Confined::Ran(execution) => Ok(execution),
            Confined::Strayed => Err(RunError::of(index, Halt::Stray)),
        }
    }

    /// Runs a transaction of the batch; its first access outside the confinement ends it. What it touches goes to `set`,
    /// which is as it was if it strayed.
    pub(crate) fn run_confined(
        &mut self,
        index: usize,
        confinement: Confinement,
        set: &mut AccessSet,
    ) -> Result<Confined, RunError> {
        self.run_with(Pass::Ordered, index, None, Some(confinement), set)
    }

    fn run_with(
        &mut self,
        pass: Pass,
        index: usize,
        phase: Option<u32>,
        confinement: Option<Confinement>,
        set: &mut AccessSet,
    ) -> Result<Confined, RunError> {
        let mut recorder = self.recorder.take().unwrap_or_else(|| Box::new(Recorder::new(self.state.clone())));
        recorder.freeze(phase);
        recorder.confine(confinement);
        let (executor, runner, transaction) = (self.executor, &mut self.runner, &self.batch[index]);
        executor.began(runner);
        let (result, state) = match catch_unwind(AssertUnwindSafe(|| executor.execute(runner, transaction, recorder))) {
            Ok(ended) => ended,
            Err(panic) => {
                // Others may yet be run on this thread before the block is given up: what they say must be their own.
                self.runner = executor.runner();
                return Err(RunError::Panicked { index, message: panic_message(&*panic) });
            }
        };
        let pass = if matches!(result, Err(Halt::Stray)) { Pass::Strayed } else { pass };
        executor.ended(&mut self.runner, index, pass);
        let any: Box<dyn Any> = state;
        let mut recorder = any.downcast::<Recorder>().map_err(|_| RunError::Panicked {
            index,
            message: "the executor gave back another state than it was given".into(),
        })?;
        let ran = match result {
            Ok(execution) => recorder.take_into(set).map(|()| execution),
            Err(halt) => {
                recorder.discard();
                Err(halt)
            }
        };
        self.recorder = Some(recorder);
        match ran {
            Ok(execution) => Ok(Confined::Ran(execution)),
            Err(Halt::Stray) => Ok(Confined::Strayed),
            Err(halt) => Err(RunError::of(index, halt)),
        }
    }
}

/// The workers of one block: every thread finds its own again.
pub(crate) struct Workers<'a, E: Execute> {
    executor: &'a E,
    batch: &'a [E::Transaction],
    state: Arc<BlockState>,
    /// Those that rest, by the thread that used them last.
    resting: Box<[Resting<'a, E>]>,
}

/// Workers of one thread; more than one only if a task of it began inside another.
type Resting<'a, E> = CachePadded<Mutex<Vec<Worker<'a, E>>>>;

impl<'a, E: Execute> Workers<'a, E> {
    /// For the threads of the present rayon pool.
    pub(crate) fn new(executor: &'a E, batch: &'a [E::Transaction], state: Arc<BlockState>) -> Self {
        let resting = std::iter::repeat_with(CachePadded::default).take(rayon::current_num_threads()).collect();
        Workers { executor, batch, state, resting }
    }
}

impl<'a, E: Execute> Lend for Workers<'a, E> {
    type Worker = Worker<'a, E>;

    fn lend<R>(&self, act: impl FnOnce(&mut Worker<'a, E>) -> R) -> R {
        // Threads of other pools, and those of none, share a place with these: that costs time only.
        let resting = &self.resting[rayon::current_thread_index().unwrap_or(0) % self.resting.len()];
        let worker = resting.lock().pop();
        let mut worker = worker.unwrap_or_else(|| Worker::new(self.executor, self.batch, self.state.clone()));
        let result = act(&mut worker);
        resting.lock().push(worker);
        result
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanse_state::MemoryView;
    use hanse_types::{Gas, Status};

    /// Runs numbers; 3 breaks it, and what it had broken then stays broken.
    struct Fragile;

    impl Execute for Fragile {
        type Transaction = u32;
        /// Whether it is broken.
        type Runner = bool;

        fn runner(&self) -> bool {
            false
        }

        fn execute(
            &self,
            broken: &mut bool,
            number: &u32,
            state: Box<dyn StateAccess>,
        ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
            assert!(!std::mem::replace(broken, true), "broken before");
            assert_ne!(*number, 3, "three");
            *broken = false;
            let execution = Execution {
                status: Status::Success,
                gas_used: Gas(1),
                output: Vec::new(),
                error_code: 0,
                message: String::new(),
                failed_in: Address::ZERO,
                events: Vec::new(),
            };
            (Ok(execution), state)
        }

        fn call_site<'a>(&self, _: &'a u32) -> Option<CallSite<'a>> {
            None
        }
    }

    #[test]
    fn after_a_panic_the_next_transaction_finds_everything_whole() {
        let state = Arc::new(BlockState::new(Arc::new(MemoryView::default()), 0));
        let batch = [1, 3, 5];
        let mut worker = Worker::new(&Fragile, &batch, state);
        let mut run = |index| worker.run(Pass::Alone, index, &mut AccessSet::default());
        assert!(run(0).is_ok());
        assert!(matches!(run(1), Err(RunError::Panicked { index: 1, message }) if message.contains("three")));
        assert!(run(2).is_ok());
    }
}
