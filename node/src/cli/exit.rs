//! How a command fails: an exit code for scripts, words for people, JSON for programs.

use std::process::ExitCode;

use hanse_client::codes::{self, Retry};
use hanse_client::views::FailureView;
use hanse_client::{ClientError, OutcomeUnknown, RpcError};
use hanse_ledger::SnapshotError;
use serde_json::{Value, json};

use super::output::complain;

/// Exit codes; a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something else went wrong.
    Error = 1,
    /// The command line makes no sense. Clap's own code for it.
    Usage = 2,
    /// The call ran and failed: reverted, panicked, out of gas.
    Failed = 3,
    /// The transaction was refused before it ran.
    Refused = 4,
    /// It is not known what became of the transaction.
    Unknown = 5,
    /// There is no node.
    Unreachable = 6,
    /// There is no such thing.
    NotFound = 7,
    /// The chain has forked: nothing of it can be trusted.
    Forked = 8,
}

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: Option<i32>,
    message: String,
    hint: Option<String>,
    detail: Option<Value>,
}

impl Failure {
    /// A failure with these words.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, code: None, message: message.into(), hint: None, detail: None }
    }

    /// Something went wrong.
    pub(crate) fn error(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Error, message)
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// How far it came.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// With more of what happened.
    pub(crate) fn add(mut self, text: &str) -> Failure {
        self.message = format!("{}\n{text}", self.message);
        self
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// With what programs are told besides.
    pub(crate) fn detail(mut self, detail: &impl serde::Serialize) -> Failure {
        // What does not encode is told in words all the same.
        self.detail = serde_json::to_value(detail).ok();
        self
    }

    /// A call that ran and failed.
    pub(crate) fn of_call(failure: &FailureView) -> Failure {
        let kind = codes::ErrorCode::of(failure.code);
        Failure {
            exit: Exit::Failed,
            code: Some(failure.code),
            message: failure.text.clone(),
            hint: kind.map(|kind| kind.hint.to_owned()),
            detail: None,
        }
    }

    /// Tells standard error, as JSON if the command was asked for JSON, and gives the process its code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if json {
            complain(&self.to_json().to_string());
        } else {
            complain(&format!("error: {}", self.message));
            if let Some(hint) = &self.hint {
                complain(&format!("hint: {hint}"));
            }
        }
        ExitCode::from(self.exit as u8)
    }

    fn to_json(&self) -> Value {
        json!({ "error": {
            "exit": self.exit as u8,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "detail": self.detail,
        }})
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Connect { .. } => Failure::new(Exit::Unreachable, message)
                .hint("start a chain with `hanse dev`, or name a node with --rpc"),
            ClientError::Broken { .. } => Failure::new(Exit::Unknown, message),
            ClientError::Refused(error) => error.into(),
            ClientError::Url { .. } | ClientError::Contract(_) | ClientError::Argument(_) => Failure::usage(message),
            ClientError::Protocol { .. } | ClientError::Make(_) | ClientError::Proof(_) => Failure::error(message),
        }
    }
}

impl From<OutcomeUnknown> for Failure {
    fn from(unknown: OutcomeUnknown) -> Self {
        let mut failure = Failure::new(Exit::Unknown, unknown.to_string());
        failure.code = Some(codes::OUTCOME_UNKNOWN.code);
        failure.hint(format!("ask again with: hanse tx status {}", unknown.tx_id))
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let exit = match error.code {
            code if code == codes::NOT_FOUND.code || code == codes::CONTRACT_NOT_FOUND.code => Exit::NotFound,
            code if code == codes::PRUNED.code => Exit::NotFound,
            code if code == codes::OUTCOME_UNKNOWN.code => Exit::Unknown,
            code if code == codes::FORKED.code => Exit::Forked,
            code if code == codes::BAD_ARGUMENT.code || code == codes::EXISTS.code => Exit::Usage,
            2000..3000 => Exit::Refused,
            3000..4000 => Exit::Failed,
            _ => Exit::Error,
        };
        let data = error.data.as_deref();
        let hint = match data.and_then(|data| data.tx) {
            Some(tx) if data.is_some_and(|data| data.retry == Retry::AskAgain) => {
                Some(format!("ask again with: hanse tx show {tx}"))
            }
            _ => error.hint().map(str::to_owned),
        };
        let detail = data.and_then(|data| data.detail.clone());
        Failure { exit, code: Some(error.code), message: error.message, hint, detail }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let (exit, code) = match &error {
            SnapshotError::Exists { .. } => (Exit::Usage, Some(codes::EXISTS)),
            SnapshotError::NotASnapshot { .. } => (Exit::NotFound, Some(codes::NOT_FOUND)),
            _ => (Exit::Error, None),
        };
        let mut failure = Failure::new(exit, error.to_string());
        failure.code = code.map(|code| code.code);
        failure
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        // Every failure is told with this word.
        Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::error(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_how_far_a_request_came() {
        let exit = |kind| Failure::from(RpcError::new(kind, "x")).exit;
        assert_eq!(exit(codes::NOT_FOUND), Exit::NotFound);
        assert_eq!(exit(codes::PRUNED), Exit::NotFound);
        assert_eq!(exit(codes::EXISTS), Exit::Usage);
        assert_eq!(exit(codes::POOL_FULL), Exit::Refused);
        assert_eq!(exit(codes::REVERTED), Exit::Failed);
        assert_eq!(exit(codes::OUTCOME_UNKNOWN), Exit::Unknown);
        assert_eq!(exit(codes::INTERNAL), Exit::Error);
    }

    #[test]
    fn an_unknown_outcome_says_how_to_ask_again() {
        let tx = hanse_types::Hash([7; 32]);
        let failure = Failure::from(RpcError::new(codes::OUTCOME_UNKNOWN, "x").tx(tx));
        assert_eq!(failure.hint, Some(format!("ask again with: hanse tx show {tx}")));
    }
}
