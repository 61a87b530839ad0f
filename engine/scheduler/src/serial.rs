//! The plain loop over a block's transactions: the oracle of the tests, the baseline of every figure.

use std::any::Any;
use std::sync::Arc;

use hanse_state::{ChangeSet, PlainState, StateView};
use hanse_types::Execution;

use crate::execute::{Execute, RunError};

/// What the loop gave.
pub struct Serial {
    /// What each transaction gave.
    pub executions: Vec<Execution>,
    /// The state after the last transaction.
    pub state: Box<PlainState>,
}

impl Serial {
    /// What was done to the state.
    ///
    /// # Errors
    /// If the state before can't be read.
    pub fn changes(&self) -> Result<ChangeSet, RunError> {
        self.state.changes().map_err(|halt| RunError::of(0, halt))
    }
}

/// Runs transactions one after another, in the order of `order`, on one thread, recording nothing.
///
/// # Errors
/// If the state can't be read, or the executor breaks its contract.
pub fn run_serial<E: Execute>(
    executor: &E,
    batch: &[E::Transaction],
    order: impl ExactSizeIterator<Item = usize>,
    parent: Arc<dyn StateView>,
) -> Result<Serial, RunError> {
    let mut state = Box::new(PlainState::new(parent, 2 * order.len()));
    let mut executions = Vec::with_capacity(order.len());
    let mut runner = executor.runner();
    for index in order {
        let (result, back) = executor.execute(&mut runner, &batch[index], state);
        let any: Box<dyn Any> = back;
        state = any.downcast().map_err(|_| RunError::Panicked {
            index,
            message: "the executor gave back another state than it was given".into(),
        })?;
        executions.push(result.map_err(|halt| RunError::of(index, halt))?);
        state.finish_transaction();
    }
    Ok(Serial { executions, state })
}
