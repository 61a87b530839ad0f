//! What makes a transaction includable in a block.
//!
//! A transaction may be in the block of a height and time if
//! - its format version is known, it asks for no more gas than allowed, and it fits into a block;
//! - it expires after the block's time, and not later than the longest lifetime after it;
//! - its reference block is one of the recent blocks before it, and of this chain;
//! - no block before it holds the same transaction.
//!
//! All of it is judged by the block's height and time, never by a clock, so everyone comes to the same answer. The
//! lifetime is counted from the including block's time, not from the reference block's: in a quiet group the newest
//! block may be days old, and transactions must still refer to it. What is remembered against duplicates stays
//! bounded: whoever is committed is valid for one lifetime more at most, and for as many blocks as a reference can lie back.

use std::collections::HashSet;

use hanse_types::{Height, Params, Timestamp, Transaction, TxId, Verified, limits};

use crate::history::History;
use crate::refusal::{BlockRefusal, Refusal};

/// Height and time of the block that a transaction is to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block's height.
    pub height: Height,
    /// The block's time.
    pub timestamp: Timestamp,
}

impl Place {
    /// The earliest place that a block can have after the newest one of the history, if it is made now or later.
    pub fn next(history: &History, now: Timestamp) -> Place {
        let timestamp = now.max(history.timestamp().plus_ms(1));
        Place { height: history.height().next(), timestamp }
    }
}

/// Most canonical bytes of a block's transactions.
pub fn block_bytes_max(params: &Params) -> u64 {
    params.block_bytes_max.min(limits::BLOCK_BODY_BYTES as u64)
}

/// Most transactions of a block.
pub fn block_tx_count_max(params: &Params) -> usize {
    (params.block_tx_count_max as usize).min(limits::BLOCK_TRANSACTIONS)
}

/// Checks everything about one transaction, cheapest first.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(transaction: &Verified, params: &Params, history: &History, place: Place) -> Result<(), Refusal> {
    check_place(transaction, params, history, place)?;
    check_not_committed(transaction, history)
}

/// Checks what may change with time while a transaction waits: all but that it is new.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check_place(
    transaction: &Verified,
    params: &Params,
    history: &History,
    place: Place,
) -> Result<(), Refusal> {
    check_size(transaction, params)?;
    check_times(transaction.transaction(), params, place.timestamp)?;
    check_reference(transaction.transaction(), params, history, place.height)
}

/// Checks that no block holds the transaction.
pub(crate) fn check_not_committed(transaction: &Verified, history: &History) -> Result<(), Refusal> {
    let id = transaction.id();
    match history.is_committed(&id, transaction.transaction().expiration) {
        true => Err(Refusal::AlreadyCommitted { id }),
        false => Ok(()),
    }
}

fn check_size(transaction: &Verified, params: &Params) -> Result<(), Refusal> {
    let Transaction { version, gas_limit, .. } = *transaction.transaction();
    if version != Transaction::VERSION {
        return Err(Refusal::UnsupportedVersion { found: version, expected: Transaction::VERSION });
    }
    if gas_limit > params.tx_gas_max {
        return Err(Refusal::GasLimitTooHigh { found: gas_limit, limit: params.tx_gas_max });
    }
    let (found, limit) = (transaction.byte_count() as u64, block_bytes_max(params));
    if found > limit { Err(Refusal::TransactionTooLarge { found, limit }) } else { Ok(()) }
}

fn check_times(transaction: &Transaction, params: &Params, block_time: Timestamp) -> Result<(), Refusal> {
    let expiration = transaction.expiration;
    if expiration <= block_time {
        return Err(Refusal::Expired { expiration, block_time });
    }
    let latest = block_time.plus_ms(params.tx_lifetime_ms_max);
    if expiration > latest { Err(Refusal::ExpiresTooLate { expiration, latest }) } else { Ok(()) }
}

fn check_reference(
    transaction: &Transaction,
    params: &Params,
    history: &History,
    block_height: Height,
) -> Result<(), Refusal> {
    let height = transaction.ref_height;
    let tip = history.height();
    if height >= block_height || height > tip {
        return Err(Refusal::ReferenceUnknown { height, tip });
    }
    let window = params.ref_block_window.min(history.ref_blocks());
    let oldest = Height(block_height.0.saturating_sub(window));
    match history.prefix_of(height) {
        Some(_) if height < oldest => Err(Refusal::ReferenceTooOld { height, oldest }),
        None => Err(Refusal::ReferenceTooOld { height, oldest }),
        Some(prefix) if prefix != transaction.ref_hash => Err(Refusal::ReferenceMismatch { height }),
        Some(_) => Ok(()),
    }
}

/// Checks the transactions of a proposed block, as whoever votes on it must.
///
/// `unwritten` are the transactions of the block before it, if that is decided but not in the history yet.
///
/// # Errors
/// The first rule that the block, or one of its transactions, breaks.
pub fn check_block(
    transactions: &[Verified],
    params: &Params,
    history: &History,
    place: Place,
    unwritten: &HashSet<TxId>,
) -> Result<(), BlockRefusal> {
    check_block_size(transactions, params)?;
    let mut seen = HashSet::with_capacity(transactions.len());
    for (index, transaction) in transactions.iter().enumerate() {
        let id = transaction.id();
        check(transaction, params, history, place).map_err(|refusal| BlockRefusal::Transaction { index, refusal })?;
        if unwritten.contains(&id) || !seen.insert(id) {
            return Err(BlockRefusal::Duplicate { index, id });
        }
    }
    Ok(())
}

fn check_block_size(transactions: &[Verified], params: &Params) -> Result<(), BlockRefusal> {
    if transactions.is_empty() {
        return Err(BlockRefusal::Empty);
    }
    let (found, limit) = (transactions.len(), block_tx_count_max(params));
    if found > limit {
        return Err(BlockRefusal::TooMany { found, limit });
    }
    let found = transactions.iter().map(|transaction| transaction.byte_count() as u64).sum();
    let limit = block_bytes_max(params);
    if found > limit { Err(BlockRefusal::TooLarge { found, limit }) } else { Ok(()) }
}
