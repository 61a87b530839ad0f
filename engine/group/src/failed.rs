//! The transactions that did not do what they were sent for: those that were dropped, and those whose code failed. They
//! can be looked through, and tried again.
//!
//! Trying again never does the same thing twice. The same bytes can be in the chain once only, by their identity. One that
//! is made and signed anew is another transaction, so before it is accepted, the failed one must be unable to come into a
//! block any more, and what replaces it is recorded durably: as long as that may be executed, nothing else replaces it.

use hanse_ledger::{LedgerError, Renewal};
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Height, Receipt, SignedTransaction, Timestamp, Transaction, TxId, TxIndex};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::drops::{self, DropRecord, Known};
use crate::event::Event;
use crate::group::{Durability, Group};
use crate::status::TransactionStatus;
use crate::submit_error::SubmitError;

/// Ranks of dropped transactions come after those of all that can be in a block.
const DROPPED: u64 = 1 << 32;

/// Where in the order of failures one is: by block, then those in it, then those that were dropped after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedPlace {
    /// The block that holds it, or was the newest when it was dropped.
    pub height: Height,
    /// Its place there.
    pub rank: u64,
}

impl FailedPlace {
    /// After all of them.
    pub const END: FailedPlace = FailedPlace { height: Height(u64::MAX), rank: u64::MAX };
}

/// How a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was dropped without being executed.
    Dropped(DropRecord),
    /// It is in a block, and its code failed.
    Executed(Receipt),
}

/// A transaction that did not do what it was sent for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTransaction {
    /// Where in the order of failures it is.
    pub place: FailedPlace,
    /// Which.
    pub id: TxId,
    /// How it failed.
    pub failure: Failure,
    /// The transaction.
    pub signed: SignedTransaction,
    /// What replaced it, if something did.
    pub renewal: Option<Renewal>,
}

/// Why a failed transaction was not tried again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RetryError {
    /// It did not fail, as far as is known here.
    #[error("there is no failed transaction {id} on this node")]
    NotFailed {
        /// The transaction.
        id: TxId,
    },
    /// The same can't be in the chain twice.
    #[error(
        "transaction {id} is in block {height}, where its code failed; only one that is made and signed anew can be tried"
    )]
    Executed {
        /// The transaction.
        id: TxId,
        /// Its block.
        height: Height,
    },
    /// Something replaced it already.
    #[error(
        "transaction {id} was replaced by {by}, which may be in a block or may still get into one; ask what became of that"
    )]
    Renewed {
        /// The transaction.
        id: TxId,
        /// What replaced it.
        by: TxId,
    },
    /// It could still be executed beside what is to replace it.
    #[error(
        "transaction {id} may still get into a block until there is one that is later than {expiration} ms, when it \
         expires; send the same again, or wait"
    )]
    StillValid {
        /// The transaction.
        id: TxId,
        /// When it expires.
        expiration: Timestamp,
    },
    /// What is to replace it does something else.
    #[error("the transaction that is to replace {id} is not the same call of the same sender")]
    OtherCall {
        /// The transaction.
        id: TxId,
    },
    /// It was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Group {
    /// Failed transactions before a place, the newest first; at most so many. Those that were sent again and are in the
    /// chain by now are not among the dropped.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn failed(&self, below: FailedPlace, limit: usize) -> Result<Vec<FailedTransaction>, LedgerError> {
        let mut found = self.executed_failures(below, limit)?;
        found.extend(self.dropped(below, limit)?);
        found.sort_unstable_by_key(|failed| std::cmp::Reverse(failed.place));
        found.truncate(limit);
        Ok(found)
    }

    /// A failed transaction.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn failed_transaction(&self, id: TxId) -> Result<Option<FailedTransaction>, LedgerError> {
        match self.inner.ledger.find_transaction(&id)? {
            Some(place) => self.executed_failure(place),
            None => match (self.inner.drops.get(&id), self.inner.drops.number(&id)) {
                (Some(Known::Dropped(dropped)), Some(number)) => self.with_transaction(number, dropped),
                _ => Ok(None),
            },
        }
    }

    /// Sends a dropped transaction again, as it was, with the promise that it outlives a crash.
    ///
    /// # Errors
    /// If it was not dropped, was replaced, or is refused.
    pub async fn retry(&self, id: TxId) -> Result<TxId, RetryError> {
        let _one_at_a_time = self.inner.retrying.lock().await;
        let failed = self.not_replaced(id).await?;
        match failed.failure {
            Failure::Executed(receipt) => Err(RetryError::Executed { id, height: receipt.height }),
            Failure::Dropped(_) => Ok(self.submit(failed.signed, Durability::Disk).await?),
        }
    }

    /// Sends a transaction in place of one that failed, with the promise that it outlives a crash.
    ///
    /// # Errors
    /// If the failed one may still be executed, was replaced already, or was another call; and if the new one is refused.
    pub async fn renew(&self, id: TxId, by: SignedTransaction) -> Result<TxId, RetryError> {
        let _one_at_a_time = self.inner.retrying.lock().await;
        let failed = self.not_replaced(id).await?;
        if !is_same_call(&failed.signed.transaction, &by.transaction) {
            return Err(RetryError::OtherCall { id });
        }
        let expiration = failed.signed.transaction.expiration;
        if matches!(failed.failure, Failure::Dropped(_)) && !self.has_expired(expiration) {
            return Err(RetryError::StillValid { id, expiration });
        }
        let renewal = Renewal { id: by.id(&self.genesis_hash()), expiration: by.transaction.expiration };
        self.record(id, Some(renewal)).await?;
        match self.submit(by, Durability::Disk).await {
            Ok(id) => Ok(id),
            // Whether it will be executed is not known: nothing else may replace the failed one.
            Err(error @ (SubmitError::OutcomeUnknown | SubmitError::Stopped)) => Err(error.into()),
            Err(refused) => {
                self.record(id, None).await?;
                Err(refused.into())
            }
        }
    }

    fn executed_failures(&self, below: FailedPlace, limit: usize) -> Result<Vec<FailedTransaction>, LedgerError> {
        let index = TxIndex(u32::try_from(below.rank).unwrap_or(u32::MAX));
        let places = self.inner.ledger.failures((below.height, index), limit)?;
        let found = places.into_iter().map(|place| self.executed_failure(place));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn executed_failure(&self, (height, index): (Height, TxIndex)) -> Result<Option<FailedTransaction>, LedgerError> {
        let ledger = &self.inner.ledger;
        let Some(receipt) = ledger.receipt(height, index)?.filter(|receipt| !receipt.status.is_success()) else {
            return Ok(None);
        };
        let id = receipt.tx_id;
        let Some(found) = ledger.transaction(&id)? else { return Ok(None) };
        Ok(Some(FailedTransaction {
            place: FailedPlace { height, rank: index.0.into() },
            id,
            failure: Failure::Executed(receipt),
            signed: found.signed,
            renewal: ledger.renewal(&id)?,
        }))
    }

    fn dropped(&self, below: FailedPlace, limit: usize) -> Result<Vec<FailedTransaction>, LedgerError> {
        let number = below.rank.saturating_sub(DROPPED);
        let mut found = Vec::new();
        for (place, dropped) in self.inner.drops.newest(drops::Place { height: below.height, number }, limit) {
            if self.inner.ledger.find_transaction(&dropped.id)?.is_none() {
                found.extend(self.with_transaction(place.number, dropped)?);
            }
        }
        Ok(found)
    }

    fn with_transaction(&self, number: u64, dropped: DropRecord) -> Result<Option<FailedTransaction>, LedgerError> {
        let ledger = &self.inner.ledger;
        // It may have made room for others meanwhile.
        let stored = ledger.dropped(number, 1)?.pop().filter(|(at, _)| *at == number);
        let Some((_, stored)) = stored else { return Ok(None) };
        Ok(Some(FailedTransaction {
            place: FailedPlace { height: dropped.height, rank: DROPPED + number },
            id: dropped.id,
            renewal: ledger.renewal(&dropped.id)?,
            failure: Failure::Dropped(dropped),
            signed: stored.signed,
        }))
    }

    /// A failed transaction in whose place nothing is or may come to be executed.
    async fn not_replaced(&self, id: TxId) -> Result<FailedTransaction, RetryError> {
        let failed = tokio::task::block_in_place(|| self.failed_transaction(id))?;
        let failed = failed.ok_or(RetryError::NotFailed { id })?;
        if let Some(renewal) = failed.renewal {
            let status = self.status(renewal.id).await?;
            let gone = matches!(status, TransactionStatus::Dropped(_) | TransactionStatus::Unknown);
            if !gone || !self.has_expired(renewal.expiration) {
                return Err(RetryError::Renewed { id, by: renewal.id });
            }
        }
        Ok(failed)
    }

    /// Whether no block can hold a transaction that expires then: each is later than the one before. Where one node makes
    /// all of them, each is also later than now.
    fn has_expired(&self, expiration: Timestamp) -> bool {
        let is_by_clock = self.inner.genesis.consensus == ConsensusKind::Solo && expiration <= self.inner.queries.now();
        is_by_clock || expiration <= self.inner.ledger.tip().header.timestamp
    }

    /// Records what replaces a transaction; it is durable when this returns.
    async fn record(&self, id: TxId, renewal: Option<Renewal>) -> Result<(), SubmitError> {
        let (done, recorded) = oneshot::channel();
        let event = Event::Renew { id, renewal, done };
        self.inner.events.send(event).await.map_err(|_| SubmitError::Stopped)?;
        recorded.await.map_err(|_| SubmitError::Stopped)
    }
}

/// Whether two transactions ask for the same thing in the same name.
fn is_same_call(one: &Transaction, other: &Transaction) -> bool {
    let call = |transaction: &Transaction| {
        let Transaction { sender, contract, method, args, business_id, .. } = transaction;
        (*sender, contract.clone(), method.clone(), args.clone(), business_id.clone())
    };
    call(one) == call(other)
}
