//! Which transactions a failure of what runs them may be put down to.

use std::convert::Infallible;

use hanse_replica::Batch;
use hanse_scheduler::RunError;
use hanse_types::{TxId, Verified};

use crate::execution::ExecutionError;
use crate::guarded::guarded;

/// Why a block could not be run, and by which of its transactions that may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunFailure {
    /// For the operator.
    pub(crate) reason: String,
    /// Those that it may be; none if it has nothing to do with them.
    pub(crate) blamed: Vec<TxId>,
    /// Whose batch it was.
    pub(crate) batch: Batch,
}

/// The transactions of a block that is about to be run.
pub(crate) struct Tried {
    ids: Vec<TxId>,
    made_here: bool,
}

impl Tried {
    /// Of a block that is made here, or of one that somebody else made.
    pub(crate) fn new(transactions: &[Verified], made_here: bool) -> Tried {
        Tried { ids: transactions.iter().map(Verified::id).collect(), made_here }
    }

    /// Runs it.
    pub(crate) fn run<T>(self, run: impl FnOnce() -> Result<T, ExecutionError>) -> Result<T, RunFailure> {
        match guarded(|| Ok::<_, Infallible>(run())) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(reason) => Err(self.by_any(reason)),
        }
    }

    /// It could not be run. The scheduler knows which transaction it was by place; a state that can't be read is the
    /// fault of none.
    fn failed(self, error: &ExecutionError) -> RunFailure {
        let reason = error.to_string();
        match error {
            ExecutionError::State(_) | ExecutionError::Run(RunError::State(_)) => RunFailure::by_none(reason),
            ExecutionError::Content(hanse_ledger::ContentError::State(_)) => RunFailure::by_none(reason),
            ExecutionError::Run(RunError::Engine { index, .. } | RunError::Panicked { index, .. }) => {
                let one = self.ids.get(*index).map(|id| vec![*id]);
                let batch = self.batch();
                RunFailure { reason, blamed: one.unwrap_or(self.ids), batch }
            }
            ExecutionError::Content(_) | ExecutionError::Show(_) => self.by_any(reason),
        }
    }

    /// It could not be run, and nobody knows by which.
    fn by_any(self, reason: String) -> RunFailure {
        RunFailure { reason, batch: self.batch(), blamed: self.ids }
    }

    fn batch(&self) -> Batch {
        match self.ids.as_slice() {
            _ if !self.made_here => Batch::Foreign,
            [_] => Batch::Alone,
            _ => Batch::Shared,
        }
    }
}

impl RunFailure {
    /// One that has nothing to do with what the block holds.
    pub(crate) fn by_none(reason: String) -> RunFailure {
        RunFailure { reason, blamed: Vec::new(), batch: Batch::Foreign }
    }
}
