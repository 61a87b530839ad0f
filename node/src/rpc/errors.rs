//! What went wrong below, as one of the codes of [`hanse_client::codes`].

use hanse_client::bulk::BulkError;
use hanse_client::codes::{self, ErrorCode};
use hanse_client::jsonrpc::RpcError;
use hanse_group::{QueryError, RetryError, SubmitError, WaitError};
use hanse_ledger::LedgerError;
use hanse_types::TxId;
use hanse_types::crypto::VerifyError;

use crate::groups::GroupsError;

/// The node serves as many requests as it may.
pub(super) fn busy() -> RpcError {
    RpcError::new(codes::BUSY, "the node serves as many requests as it may")
}

/// There is no such thing.
pub(super) fn not_found(what: impl std::fmt::Display) -> RpcError {
    RpcError::new(codes::NOT_FOUND, format!("there is no {what}"))
}

/// What was asked of a group, or of the groups.
pub(super) fn groups(error: GroupsError) -> RpcError {
    let kind = match &error {
        GroupsError::Unknown { .. } => {
            return not_found(error).advice("Ask for those that there are: `hanse group list`.");
        }
        GroupsError::NoGroups => return not_found(error),
        GroupsError::NotRunning { .. } | GroupsError::InUse { .. } => codes::GROUP_STOPPED,
        GroupsError::Exists { .. } => codes::EXISTS,
        GroupsError::State { .. } | GroupsError::Home { .. } | GroupsError::Sealer { .. } => codes::GROUP_STATE,
        GroupsError::OtherChain { .. }
        | GroupsError::NotAMember { .. }
        | GroupsError::NoNetwork
        | GroupsError::Founding(_) => codes::BAD_FOUNDING,
        GroupsError::Full(_) => codes::BUSY,
        GroupsError::Open { .. } => codes::GROUP_NOT_OPENED,
        GroupsError::Record(_) | GroupsError::Folder(_) => return internal(&error),
    };
    RpcError::new(kind, error.to_string())
}

/// A bulk body that is no list of transactions.
pub(super) fn bulk(error: BulkError) -> RpcError {
    let kind = match error {
        BulkError::TooMany { .. } => codes::TOO_LARGE,
        BulkError::Malformed { .. } | BulkError::Trailing { .. } => codes::MALFORMED,
    };
    RpcError::new(kind, error.to_string())
}

/// A transaction that was not accepted.
pub(super) fn submit(error: SubmitError) -> RpcError {
    let kind = match &error {
        SubmitError::Invalid(invalid) => verify(invalid),
        SubmitError::Busy => codes::BUSY,
        SubmitError::OutcomeUnknown => codes::OUTCOME_UNKNOWN,
        SubmitError::Code(_) => codes::INVALID_CODE,
        SubmitError::Refused(_) | SubmitError::Stopped => ErrorCode::named(error.code()).unwrap_or(codes::REFUSED),
    };
    RpcError::new(kind, error.to_string())
}

fn verify(error: &VerifyError) -> ErrorCode {
    match error {
        VerifyError::Malformed(_) => codes::MALFORMED,
        VerifyError::WrongChain { .. } | VerifyError::WrongGroup { .. } => codes::WRONG_CHAIN,
        VerifyError::Algorithm { .. } => codes::NOT_PERMITTED,
        VerifyError::WrongSender { .. } | VerifyError::BadSignature => codes::BAD_SIGNATURE,
    }
}

/// A failed transaction that was not tried again.
pub(super) fn retry(error: RetryError, id: TxId) -> RpcError {
    let kind = match &error {
        RetryError::NotFailed { .. } => codes::NOT_FOUND,
        RetryError::Executed { .. } => codes::ALREADY_COMMITTED,
        RetryError::Renewed { by, .. } => {
            let detail = serde_json::json!({ "by": by.0 });
            return RpcError::new(codes::REPLACED, error.to_string()).detail(detail).tx(by.0);
        }
        RetryError::StillValid { .. } => codes::STILL_VALID,
        RetryError::OtherCall { .. } => codes::BAD_ARGUMENT,
        RetryError::Submit(refused) => return submit(refused.clone()).tx(id.0),
        RetryError::Ledger(error) => return ledger(error.clone()),
    };
    RpcError::new(kind, error.to_string()).tx(id.0)
}

/// The code of this name, by which a transaction was dropped.
pub(super) fn of_reason(reason: &str) -> ErrorCode {
    ErrorCode::named(reason).unwrap_or(codes::REFUSED)
}

/// A transaction of which there is no receipt.
pub(super) fn wait(error: WaitError, id: TxId) -> RpcError {
    let kind = match &error {
        WaitError::Submit(refused) => return submit(refused.clone()).tx(id.0),
        WaitError::Dropped { reason } => of_reason(reason),
        WaitError::OutcomeUnknown => codes::OUTCOME_UNKNOWN,
        WaitError::Ledger { .. } => codes::INTERNAL,
    };
    RpcError::new(kind, error.to_string()).tx(id.0)
}

/// A question to the state that has no answer.
pub(super) fn query(error: QueryError) -> RpcError {
    let kind = match &error {
        QueryError::State(_) => codes::INTERNAL,
        QueryError::Stopped => codes::GROUP_STOPPED,
    };
    report(kind, &error)
}

/// A read of the ledger that failed.
pub(super) fn ledger(error: LedgerError) -> RpcError {
    let kind = match &error {
        LedgerError::Pruned { floor } => {
            let detail = serde_json::json!({ "oldest_height": floor });
            return RpcError::new(codes::PRUNED, error.to_string()).detail(detail);
        }
        LedgerError::BeforeFirst { first, .. } => {
            let detail = serde_json::json!({ "oldest_height": first });
            return RpcError::new(codes::PRUNED, error.to_string()).detail(detail);
        }
        LedgerError::NoBlock { .. } => codes::NOT_FOUND,
        LedgerError::NoStateProofs => codes::NO_STATE_PROOFS,
        LedgerError::TooManyChanges { .. } => codes::TOO_FAR_BACK,
        _ => codes::INTERNAL,
    };
    report(kind, &error)
}

/// A fault of the node or of its machine.
pub(super) fn internal(error: &impl std::fmt::Display) -> RpcError {
    report(codes::INTERNAL, error)
}

/// The node's own faults go to its log too.
fn report(kind: ErrorCode, error: &impl std::fmt::Display) -> RpcError {
    if kind == codes::INTERNAL {
        tracing::error!(%error, "a request failed by the node's own fault");
    }
    RpcError::new(kind, error.to_string())
}
