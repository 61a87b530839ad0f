//! Why a transaction was not accepted.

use hanse_txpool::Refusal;
use hanse_types::crypto::verified::VerifyError;
use hanse_vm::InvalidModule;
use thiserror::Error;

/// Why a transaction was not accepted. Nothing of it is kept; whoever sent it may mend it or try again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It is malformed, for another chain, or its signature is wrong.
    #[error(transparent)]
    Invalid(#[from] VerifyError),
    /// The pool does not take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It deploys code that this chain does not allow.
    #[error("the code is refused: {0}")]
    Code(#[from] InvalidModule),
    /// More is waiting to be verified or compiled than the node takes.
    #[error("the node has more transactions to verify, or more code to compile, than it takes; try again shortly")]
    Busy,
    /// It was accepted, but could not be made durable, as was asked for.
    #[error(
        "outcome unknown: the node failed while it made the transaction durable; it may still be executed when the node \
         is started again, ask again by its id"
    )]
    OutcomeUnknown,
    /// The group is stopping or has stopped.
    #[error("the group has stopped")]
    Stopped,
}

impl SubmitError {
    /// Its stable name.
    pub fn code(&self) -> &'static str {
        match self {
            SubmitError::Invalid(_) => "invalid_transaction",
            SubmitError::Refused(refusal) => refusal.code(),
            SubmitError::Code(_) => "invalid_code",
            SubmitError::Busy => "busy",
            SubmitError::OutcomeUnknown => "outcome_unknown",
            SubmitError::Stopped => "group_stopped",
        }
    }
}
