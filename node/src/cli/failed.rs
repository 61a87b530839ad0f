//! `hanse tx status` and `hanse tx failed`: what became of transactions, and what to do about those that failed.

use clap::{Args, Subcommand};
use hanse_client::codes::Retry;
use hanse_client::methods::{
    FailedCursor, FailedParams, GetFailed, GetTxStatus, ListFailed, RetryFailed, RetryParams, TxParams,
};
use hanse_client::views::{FailedEnd, FailedTransactionView, FailedView, TxStatusView};
use hanse_client::{Bytes, Call, Client, Contract};
use hanse_types::{Canonical, Gas, Hash, Height, SignedTransaction, Status};
use serde::Serialize;

use super::admin::AdminArgs;
use super::exit::{Exit, Failure};
use super::output::{fields, table};
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum FailedCommand {
    /// List transactions that were dropped, and those whose code failed, the newest first
    List {
        /// Only those that failed for this reason, such as expired or reverted
        #[arg(long)]
        reason: Option<String>,
        /// Most transactions
        #[arg(long, default_value_t = 50, value_name = "COUNT")]
        limit: usize,
        /// Only those before this place: the `next` of a former list
        #[arg(long, value_name = "HEIGHT.RANK", value_parser = cursor)]
        before: Option<FailedCursor>,
    },
    /// Show one of them, with its bytes
    Show {
        /// The transaction's id
        id: Hash,
    },
    /// Try failed transactions again; nothing is done twice by it
    Retry(RetryArgs),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub(crate) struct RetryArgs {
    /// The transactions' ids
    #[arg(value_name = "ID")]
    ids: Vec<Hash>,
    /// All for which it helps, and that were not tried again yet
    #[arg(long)]
    all: bool,
    /// Make and sign the call anew (with --from, who must be the sender) where the same bytes can't be executed any more
    #[arg(long)]
    sign_anew: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// What became of an attempt.
#[derive(Debug, Serialize)]
struct Attempt {
    /// The transaction that had failed.
    tx_id: Hash,
    /// As what it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Hash>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent: Option<String>,
}

/// `hanse tx status`.
pub(crate) async fn status(session: &Session, id: Hash) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        tx_id: Hash,
        #[serde(flatten)]
        status: TxStatusView,
    }
    let status = session.client.call::<GetTxStatus>(TxParams { tx_id: id }).await?;
    session.output.result(&Shown { tx_id: id, status }, |shown| status_text(&shown.status))
}

fn status_text(status: &TxStatusView) -> String {
    match status {
        TxStatusView::Waiting => "waiting for a block\n".into(),
        TxStatusView::Sealed { height } => format!("in block {height}, which is being made\n"),
        TxStatusView::Committed { height, index, status } => {
            format!("committed in block {height}, place {index}: {}\n", status.name())
        }
        TxStatusView::Dropped { reason, message, retry, height, .. } => fields([
            ("dropped", format!("after block {height}: {reason}")),
            ("reason", message.clone()),
            ("what helps", advice(*retry).to_owned()),
        ]),
        TxStatusView::Unknown => {
            "not known to this node: never accepted here, lost with a crash before it was promised to \
                                  outlive one, or dropped long ago\n"
                .into()
        }
    }
}

/// `hanse tx failed`.
pub(crate) async fn run(session: &Session, command: FailedCommand) -> Result<(), Failure> {
    match command {
        FailedCommand::List { reason, limit, before } => list(session, reason, limit, before).await,
        FailedCommand::Show { id } => show(session, id).await,
        FailedCommand::Retry(args) => retry(session, args).await,
    }
}

async fn list(
    session: &Session,
    reason: Option<String>,
    limit: usize,
    before: Option<FailedCursor>,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Listed {
        failed: Vec<FailedView>,
        next: Option<FailedCursor>,
    }
    let wanted = |failed: &FailedView| reason.as_ref().is_none_or(|reason| *reason == failed.reason);
    let (failed, next) = collect(session, before, limit, wanted).await?;
    session.output.result(&Listed { failed, next }, |listed| {
        let rows = listed.failed.iter().map(|failed| {
            [
                failed.height.to_string(),
                failed.tx_id.to_string(),
                format!("{}.{}", failed.contract, failed.method),
                failed.reason.clone(),
                match failed.replaced_by {
                    Some(_) => "replaced".into(),
                    None => advice(failed.retry).to_owned(),
                },
            ]
        });
        let mut text = table(["block", "transaction", "call", "reason", "what helps"], rows);
        if let Some(next) = listed.next {
            text += &format!("more with --before {}.{}\n", next.height, next.rank);
        }
        text
    })
}

/// Failed transactions that are wanted, at most so many, and where the list goes on.
async fn collect(
    session: &Session,
    mut before: Option<FailedCursor>,
    limit: usize,
    wanted: impl Fn(&FailedView) -> bool,
) -> Result<(Vec<FailedView>, Option<FailedCursor>), Failure> {
    let mut found: Vec<FailedView> = Vec::new();
    while found.len() < limit {
        let page = session.client.call::<ListFailed>(FailedParams { before, limit: None }).await?;
        let mut page_wanted = page.failed.into_iter().filter(&wanted);
        found.extend(page_wanted.by_ref().take(limit - found.len()));
        if page_wanted.next().is_some() {
            return Ok((found.clone(), found.last().map(|last| last.cursor)));
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok((found, before))
}

async fn show(session: &Session, id: Hash) -> Result<(), Failure> {
    let found = session.client.call::<GetFailed>(TxParams { tx_id: id }).await?;
    session.output.result(&found, |found| {
        let FailedTransactionView { failed, transaction, encoded } = found;
        let arguments = match &transaction.arguments {
            Some(arguments) => arguments.to_string(),
            None => transaction.args.to_string(),
        };
        let end = match failed.end {
            FailedEnd::Dropped { timestamp } => {
                format!("dropped after block {}, at {timestamp} ms since 1970", failed.height)
            }
            FailedEnd::Executed { index } => format!("in block {}, place {index}: its code failed", failed.height),
        };
        let mut lines = vec![
            ("call", format!("{}.{} {arguments}", failed.contract, failed.method)),
            ("sender", failed.sender.to_string()),
            ("end", end),
            ("reason", format!("{}: {}", failed.reason, failed.message)),
            ("what helps", advice(failed.retry).to_owned()),
        ];
        lines.extend(failed.replaced_by.map(|by| ("replaced by", by.to_string())));
        lines.push(("expires", format!("{} ms since 1970", failed.expiration)));
        lines.push(("bytes", encoded.to_string()));
        fields(lines)
    })
}

async fn retry(session: &Session, args: RetryArgs) -> Result<(), Failure> {
    let operator = session.operator(&args.admin).await?;
    let ids = match args.all {
        true => candidates(session, args.sign_anew).await?,
        false => args.ids,
    };
    if let [id] = ids[..]
        && !args.all
    {
        let sent = retry_one(session, &operator, id, args.sign_anew).await?;
        return session.output.result(&[Attempt { tx_id: id, sent: Some(sent), not_sent: None }], |_| {
            format!("sent as {sent}; `hanse tx status {sent}` tells what becomes of it\n")
        });
    }
    let mut attempts = Vec::with_capacity(ids.len());
    for tx_id in ids {
        let (sent, not_sent) = match retry_one(session, &operator, tx_id, args.sign_anew).await {
            Ok(sent) => (Some(sent), None),
            Err(failure) if failure.exit() == Exit::Unreachable => return Err(failure),
            Err(failure) => (None, Some(failure.message().to_owned())),
        };
        attempts.push(Attempt { tx_id, sent, not_sent });
    }
    session.output.result(&attempts, |attempts| {
        let rows = attempts.iter().map(|attempt| {
            let outcome = match (&attempt.sent, &attempt.not_sent) {
                (Some(sent), _) => format!("sent as {sent}"),
                (None, reason) => format!("not sent: {}", reason.as_deref().unwrap_or_default()),
            };
            [attempt.tx_id.to_string(), outcome]
        });
        table(["transaction", "outcome"], rows)
    })?;
    let missed = attempts.iter().filter(|attempt| attempt.sent.is_none()).count();
    if missed == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, format!("{missed} of {} transactions were not sent", attempts.len())))
}

/// All that another attempt helps, the oldest first: they were sent in that order.
async fn candidates(session: &Session, sign_anew: bool) -> Result<Vec<Hash>, Failure> {
    let caller = session.caller().ok().filter(|_| sign_anew);
    let helps = |failed: &FailedView| match failed.retry {
        _ if failed.replaced_by.is_some() => false,
        Retry::Later => true,
        Retry::NewTransaction => caller == Some(failed.sender),
        Retry::Never | Retry::AskAgain => false,
    };
    let (found, _) = collect(session, None, usize::MAX, helps).await?;
    Ok(found.into_iter().rev().map(|failed| failed.tx_id).collect())
}

/// Tries one again; gives the id under which it was sent.
async fn retry_one(session: &Session, operator: &Client, id: Hash, sign_anew: bool) -> Result<Hash, Failure> {
    let found = session.client.call::<GetFailed>(TxParams { tx_id: id }).await?;
    let transaction = match needs_signature(&found.failed, sign_anew)? {
        false => None,
        true => Some(Bytes(renewed(session, &found)?.encode())),
    };
    let params = RetryParams { tx_id: id, transaction };
    Ok(operator.call::<RetryFailed>(params).await?.tx_id)
}

/// Whether another transaction must be made and signed.
fn needs_signature(failed: &FailedView, sign_anew: bool) -> Result<bool, Failure> {
    let executed = matches!(failed.end, FailedEnd::Executed { .. });
    match failed.retry {
        Retry::Later if !executed => Ok(false),
        _ if sign_anew => Ok(true),
        _ => Err(Failure::new(Exit::Refused, format!("the same bytes can't be executed any more ({})", failed.reason))
            .hint(format!("make and sign the call anew: hanse tx failed retry {} --sign-anew", failed.tx_id))),
    }
}

/// The same call, made and signed now.
fn renewed(session: &Session, found: &FailedTransactionView) -> Result<SignedTransaction, Failure> {
    let old = SignedTransaction::decode(&found.encoded.0)
        .map_err(|error| Failure::error(format!("the node gave bytes that are no transaction: {error}")))?
        .transaction;
    if session.caller()? != old.sender {
        return Err(Failure::usage(format!("the transaction is of {}, and --from is another account", old.sender)));
    }
    let context = session.context();
    // One that ran out of gas gets what the chain allows.
    let out_of_gas = found.failed.reason == Status::OutOfGas.name();
    let gas = if out_of_gas { context.gas_max } else { Gas(old.gas_limit.0.min(context.gas_max.0)) };
    let call = Call::new(Contract(old.contract), old.method, old.args).gas_limit(gas).business_id(old.business_id);
    Ok(call.sign(&context, &session.signer()?).map_err(hanse_client::ClientError::from)?)
}

const fn advice(retry: Retry) -> &'static str {
    match retry {
        Retry::Later => "retry",
        Retry::NewTransaction => "retry --sign-anew",
        Retry::Never => "change the call",
        Retry::AskAgain => "ask for its receipt",
    }
}

fn cursor(text: &str) -> Result<FailedCursor, String> {
    let parse = |(height, rank): (&str, &str)| Some((height.parse().ok()?, rank.parse().ok()?));
    let place = text.split_once('.').and_then(parse);
    let (height, rank) = place.ok_or_else(|| "write it as HEIGHT.RANK, as a former list gave it".to_owned())?;
    Ok(FailedCursor { height: Height(height), rank })
}
