//! What a client sends, and what becomes of it.

use std::time::Duration;

use hanse_types::{Canonical, Hash, SignedTransaction};
use serde_json::Value;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::bulk::{self, BulkQuery};
use crate::client::{ANSWER_TIMEOUT, Client, ClientError};
use crate::codes::{self, ErrorCode};
use crate::jsonrpc::RpcError;
use crate::methods::{ManySubmitted, SubmitParams, SubmitTx, Submitted, Wait, WaitMany};
use crate::text::Bytes;
use crate::views::ReceiptView;

/// How long a submission waits for its block if nothing else is said.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two attempts, while a node can't be reached.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);
/// Answers that say nothing of what becomes of a transaction.
const NOT_FINAL: [ErrorCode; 3] = [codes::OUTCOME_UNKNOWN, codes::ALREADY_IN_POOL, codes::ALREADY_COMMITTED];

/// What became of a transaction that was submitted. One that was refused, or dropped before it ran, is an error; one that
/// ran and failed is in the chain, and its receipt says so.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "the outcome may not be known"]
pub enum Outcome {
    /// It is in a block, which is final.
    Committed(Box<ReceiptView>),
    /// It may be in a block, now or later, or never.
    Unknown(OutcomeUnknown),
}

/// It is not known what became of a transaction. This is no failure: the transaction may be executed until it expires.
/// Ask again ([`Client::outcome`]); do not make another one for the same purpose before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is not known what became of transaction {tx_id}: ask again by its id, and do not send another one before")]
pub struct OutcomeUnknown {
    /// The transaction.
    pub tx_id: Hash,
}

impl Outcome {
    /// The receipt.
    ///
    /// # Errors
    /// If the outcome is not known.
    pub fn receipt(self) -> Result<ReceiptView, OutcomeUnknown> {
        match self {
            Outcome::Committed(receipt) => Ok(*receipt),
            Outcome::Unknown(unknown) => Err(unknown),
        }
    }
}

impl Client {
    /// Sends a signed transaction and waits for at most so long until it is in a block, through broken connections and
    /// restarts of the node: the same bytes are sent again, which can't be executed twice.
    ///
    /// # Errors
    /// If the node refuses the transaction, or drops it unexecuted: nothing of it stays. Or if there is no node.
    pub async fn submit_and_wait(
        &self,
        transaction: &SignedTransaction,
        patience: Duration,
    ) -> Result<Outcome, ClientError> {
        let deadline = Instant::now() + patience;
        let tx_id = transaction.id(&self.genesis_hash().await?).0;
        // Whether a node may have it: from then on an error says nothing, unless it is about the transaction.
        let mut sent = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.send(transaction, Wait::Committed, left).await {
                Ok(Submitted { receipt: Some(receipt), .. }) => return Ok(Outcome::Committed(Box::new(receipt))),
                Ok(_) => return Err(self.protocol("a committed transaction without a receipt".into())),
                Err(ClientError::Broken { .. }) => sent = true,
                Err(error) if sent && passes(&error) => {}
                Err(ClientError::Refused(error)) if NOT_FINAL.iter().any(|kind| error.is(*kind)) => {
                    return self.outcome(tx_id, deadline.saturating_duration_since(Instant::now())).await;
                }
                Err(error) => return Err(error),
            }
            // Only a node can tell whether it is in a block, once one answers again.
            match self.ask_until(tx_id, deadline).await? {
                Asked::Committed(receipt) => return Ok(Outcome::Committed(receipt)),
                Asked::Absent => {}
                Asked::Unreachable => return Ok(Outcome::Unknown(OutcomeUnknown { tx_id })),
            }
            if Instant::now() >= deadline {
                return Ok(Outcome::Unknown(OutcomeUnknown { tx_id }));
            }
        }
    }

    /// What became of a transaction, for which it waits at most so long, through broken connections and restarts of the
    /// node.
    ///
    /// # Errors
    /// If the node dropped the transaction unexecuted.
    pub async fn outcome(&self, tx_id: Hash, patience: Duration) -> Result<Outcome, ClientError> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receipt(tx_id, left).await {
                Ok(receipt) => return Ok(Outcome::Committed(Box::new(receipt))),
                Err(error) if passes(&error) && Instant::now() < deadline => sleep(ATTEMPT_INTERVAL).await,
                Err(error) if passes(&error) => return Ok(Outcome::Unknown(OutcomeUnknown { tx_id })),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks until a node answers whether it has the transaction in a block.
    async fn ask_until(&self, tx_id: Hash, deadline: Instant) -> Result<Asked, ClientError> {
        loop {
            match self.receipt(tx_id, Duration::ZERO).await {
                Ok(receipt) => return Ok(Asked::Committed(Box::new(receipt))),
                Err(error) if error.is(codes::NOT_FOUND) => return Ok(Asked::Absent),
                Err(error) if !passes(&error) => return Err(error),
                Err(_) if Instant::now() >= deadline => return Ok(Asked::Unreachable),
                Err(_) => sleep(ATTEMPT_INTERVAL).await,
            }
        }
    }

    /// Sends a signed transaction once and waits until it is in a block: [`Client::submit_and_wait`] without what makes
    /// it hold when a connection breaks.
    ///
    /// # Errors
    /// As [`Client::call`]. After [`codes::OUTCOME_UNKNOWN`] and [`ClientError::Broken`] the transaction may still be
    /// executed: ask by [`Client::outcome`].
    pub async fn submit(&self, transaction: &SignedTransaction) -> Result<ReceiptView, ClientError> {
        let submitted = self.send(transaction, Wait::Committed, COMMIT_TIMEOUT).await?;
        submitted.receipt.ok_or_else(|| self.protocol("a committed transaction without a receipt".into()))
    }

    /// Sends a signed transaction and waits as said, for at most so long.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub async fn send(
        &self,
        transaction: &SignedTransaction,
        wait: Wait,
        timeout: Duration,
    ) -> Result<Submitted, ClientError> {
        let timeout_ms = Some(timeout.as_millis() as u64);
        let params = SubmitParams { transaction: Bytes(transaction.encode()), wait, timeout_ms };
        self.call_within::<SubmitTx>(params, timeout.saturating_add(ANSWER_TIMEOUT)).await
    }

    /// Sends many signed transactions in one body and waits for no block.
    ///
    /// # Errors
    /// As [`Client::call`]; a transaction that is refused by itself is in the answer.
    pub async fn submit_bulk(
        &self,
        transactions: &[SignedTransaction],
        wait: WaitMany,
    ) -> Result<ManySubmitted, ClientError> {
        self.submit_encoded(bulk::encode(transactions), wait).await
    }

    /// As [`Client::submit_bulk`], with a body made by [`bulk::encode`].
    ///
    /// # Errors
    /// As [`Client::submit_bulk`].
    pub async fn submit_encoded(&self, body: Vec<u8>, wait: WaitMany) -> Result<ManySubmitted, ClientError> {
        let query = BulkQuery { wait, group: self.group().map(str::to_owned) };
        let request = self.post(&bulk::path(&query)).body(body);
        let sent = request.header("content-type", bulk::CONTENT_TYPE).timeout(ANSWER_TIMEOUT).send().await;
        let answer: Value = self.read(sent).await?;
        if answer.get("code").is_some() {
            let error: RpcError = serde_json::from_value(answer).map_err(|e| self.protocol(e.to_string()))?;
            return Err(error.into());
        }
        serde_json::from_value(answer).map_err(|e| self.protocol(format!("the answer of {}: {e}", bulk::PATH)))
    }
}

/// What a node says of a transaction.
enum Asked {
    Committed(Box<ReceiptView>),
    Absent,
    Unreachable,
}

/// Whether the error says nothing of the transaction.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => true,
        ClientError::Refused(error) => [
            codes::NOT_FOUND,
            codes::OUTCOME_UNKNOWN,
            codes::BUSY,
            codes::CLIENT_LIMIT,
            codes::NOT_READY,
            codes::GROUP_STOPPED,
        ]
        .iter()
        .any(|kind| error.is(*kind)),
        _ => false,
    }
}
