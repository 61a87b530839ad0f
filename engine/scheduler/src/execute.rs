//! What the scheduler asks of whoever can run a transaction.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hanse_state::{AccessSet, BlockState, Confinement, Halt, Recorder, StateAccess, StateError};
use hanse_types::{Address, Execution};
use thiserror::Error;

/// Runs single transactions.
///
/// # Contract
/// The answer is a function of the transaction and of what the state answered, and of nothing else: no clock, no
/// counter, no cache that changes results. An execution that is not successful has rolled its effects back itself. A
/// [`Halt`] from the state ends the execution at once and is passed on.
pub trait Execute: Sync {
    /// What it runs.
    type Transaction: Sync;

    /// Runs one transaction. The state is moved in and comes back, so that an engine that needs ownership can have it.
    fn execute(
        &self,
        transaction: &Self::Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>);

    /// Which method of which contract it calls, if that is known beforehand; used only to guess access sets.
    fn call_site<'a>(&self, transaction: &'a Self::Transaction) -> Option<CallSite<'a>>;
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

/// A transaction that was run, not yet applied.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) execution: Execution,
    pub(crate) set: AccessSet,
}

/// How a confined transaction ended.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them ran, and a box for each would cost more than the room"
)]
pub(crate) enum Confined {
    Ran(Ran),
    Strayed,
}

/// Runs transactions of one block one after another, with reused buffers. One for each task.
pub(crate) struct Worker<'a, E: Execute> {
    executor: &'a E,
    batch: &'a [E::Transaction],
    state: &'a Arc<BlockState>,
    recorder: Option<Box<Recorder>>,
}

impl<'a, E: Execute> Worker<'a, E> {
    pub(crate) fn new(executor: &'a E, batch: &'a [E::Transaction], state: &'a Arc<BlockState>) -> Self {
        Worker { executor, batch, state, recorder: None }
    }

    /// Runs a transaction of the batch without confinement.
    pub(crate) fn run(&mut self, index: usize) -> Result<Ran, RunError> {
        match self.run_confined(index, None)? {
            Confined::Ran(ran) => Ok(ran),
            Confined::Strayed => Err(RunError::Panicked { index, message: "it strayed without being confined".into() }),
        }
    }

    /// Runs a transaction of the batch; its first access outside the confinement ends it.
    pub(crate) fn run_confined(
        &mut self,
        index: usize,
        confinement: Option<Confinement>,
    ) -> Result<Confined, RunError> {
        let mut recorder = self.recorder.take().unwrap_or_else(|| Box::new(Recorder::new(self.state.clone())));
        recorder.confine(confinement);
        let transaction = &self.batch[index];
        let (result, state) = catch_unwind(AssertUnwindSafe(|| self.executor.execute(transaction, recorder)))
            .map_err(|panic| RunError::Panicked { index, message: panic_message(&*panic) })?;
        let any: Box<dyn Any> = state;
        let mut recorder = any.downcast::<Recorder>().map_err(|_| RunError::Panicked {
            index,
            message: "the executor gave back another state than it was given".into(),
        })?;
        let ran = match result {
            Ok(execution) => recorder.take().map(|set| Ran { execution, set }),
            Err(halt) => {
                recorder.discard();
                Err(halt)
            }
        };
        self.recorder = Some(recorder);
        match ran {
            Ok(ran) => Ok(Confined::Ran(ran)),
            Err(Halt::Stray) => Ok(Confined::Strayed),
            Err(halt) => Err(RunError::of(index, halt)),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
