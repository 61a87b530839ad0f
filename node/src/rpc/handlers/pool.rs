//! What waits, and what failed.

use hanse_client::codes::{ErrorCode, Retry};
use hanse_client::methods::{
    FailedCursor, FailedList, FailedParams, ListPoolParams, NoParams, PoolList, RetryParams, Submitted, TxParams,
};
use hanse_client::views::{FailedEnd, FailedTransactionView, FailedView, PoolView, WaitingView};
use hanse_client::{Bytes, Contract, RpcError};
use hanse_group::{FailedPlace, FailedTransaction, Failure, Listed};
use hanse_types::{Canonical, TxId};

use super::super::abi::Abis;
use super::super::registry::{Entry, reads, waits};
use super::super::{Node, errors, limits, render};
use super::tx;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(GetPool, status),
    waits!(ListPool, list),
    waits!(GetWaiting, get),
    reads!(ListFailed, failed),
    reads!(GetFailed, failure),
    waits!(RetryFailed, retry),
];

/// [`hanse_client::methods::GetPool`].
pub(super) fn status(node: &Node, NoParams {}: &NoParams) -> Result<PoolView, RpcError> {
    let status = node.group.pool_status();
    Ok(PoolView { waiting: status.waiting, sealed: status.sealed, bytes: status.bytes, remembered: status.remembered })
}

/// [`hanse_client::methods::ListPool`].
async fn list(node: &Node, params: ListPoolParams) -> Result<PoolList, RpcError> {
    let (found, more) = node.group.pool_list(params.after.map(TxId), node.server.capacity.page(params.limit)).await;
    tokio::task::block_in_place(|| {
        let mut abis = Abis::new(node);
        let next = found.last().filter(|_| more).map(|last| last.transaction.id().0);
        Ok(PoolList { transactions: found.iter().map(|listed| waiting(&mut abis, listed)).collect(), next })
    })
}

/// [`hanse_client::methods::GetWaiting`].
async fn get(node: &Node, params: TxParams) -> Result<WaitingView, RpcError> {
    let id = TxId(params.tx_id);
    let found = node.group.pool_transaction(id).await;
    let found = found.ok_or_else(|| errors::not_found(format!("transaction {id} in the pool")).tx(id.0))?;
    Ok(tokio::task::block_in_place(|| waiting(&mut Abis::new(node), &found)))
}

fn waiting(abis: &mut Abis<'_>, listed: &Listed) -> WaitingView {
    let transaction = &listed.transaction;
    WaitingView {
        transaction: render::transaction(abis, transaction.signed(), transaction.id()),
        since: listed.since,
        sealed: listed.sealed,
        bytes: transaction.byte_count(),
    }
}

/// [`hanse_client::methods::ListFailed`].
fn failed(node: &Node, params: &FailedParams) -> Result<FailedList, RpcError> {
    let limit = params.limit.unwrap_or(limits::FAILED_MAX).min(limits::FAILED_MAX);
    let before = params.before.map_or(FailedPlace::END, |at| FailedPlace { height: at.height, rank: at.rank });
    let found = node.group.failed(before, limit).map_err(errors::ledger)?;
    let complete = found.len() < limit;
    let mut abis = Abis::new(node);
    let failed: Vec<FailedView> = found.iter().map(|failed| view(&mut abis, failed)).collect();
    let next = failed.last().filter(|_| !complete).map(|last| last.cursor);
    Ok(FailedList { failed, next })
}

/// [`hanse_client::methods::GetFailed`].
fn failure(node: &Node, params: &TxParams) -> Result<FailedTransactionView, RpcError> {
    let id = TxId(params.tx_id);
    let found = node.group.failed_transaction(id).map_err(errors::ledger)?;
    let found = found.ok_or_else(|| errors::not_found(format!("failed transaction {id}")).tx(id.0))?;
    let mut abis = Abis::new(node);
    Ok(FailedTransactionView {
        failed: view(&mut abis, &found),
        transaction: render::transaction(&mut abis, &found.signed, id),
        encoded: Bytes(found.signed.encode()),
    })
}

/// [`hanse_client::methods::RetryFailed`].
async fn retry(node: &Node, params: RetryParams) -> Result<Submitted, RpcError> {
    let id = TxId(params.tx_id);
    let sent = match &params.transaction {
        None => node.group.retry(id).await,
        Some(bytes) => node.group.renew(id, tx::decode(bytes)?).await,
    };
    let sent = sent.map_err(|error| errors::retry(error, id))?;
    Ok(Submitted { tx_id: sent.0, receipt: None })
}

fn view(abis: &mut Abis<'_>, failed: &FailedTransaction) -> FailedView {
    let transaction = &failed.signed.transaction;
    let (end, reason, message, retry) = match &failed.failure {
        Failure::Dropped(dropped) => (
            FailedEnd::Dropped { timestamp: dropped.timestamp },
            dropped.reason.clone(),
            dropped.message.clone(),
            errors::of_reason(&dropped.reason).retry,
        ),
        Failure::Executed(receipt) => {
            let failure = render::receipt(abis, receipt).outcome.failure;
            let message = failure.map(|failure| failure.text).unwrap_or_default();
            let end = FailedEnd::Executed { index: receipt.index };
            (end, receipt.status.name().to_owned(), message, of_executed(ErrorCode::of_status(receipt.status)))
        }
    };
    FailedView {
        tx_id: failed.id.0,
        end,
        height: failed.place.height,
        reason,
        message,
        retry,
        replaced_by: failed.renewal.map(|renewal| renewal.id.0),
        sender: transaction.sender,
        contract: Contract(transaction.contract.clone()),
        method: transaction.method.clone(),
        expiration: transaction.expiration,
        cursor: FailedCursor { height: failed.place.height, rank: failed.place.rank },
    }
}

/// What helps where code ran and failed: the same can't run twice.
fn of_executed(code: Option<ErrorCode>) -> Retry {
    match code.map(|code| code.retry) {
        None | Some(Retry::Never) => Retry::Never,
        Some(_) => Retry::NewTransaction,
    }
}
