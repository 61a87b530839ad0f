//! Looks inside a committed transaction: runs it again on the state before it, and keeps what it does in the order in which
//! it does it.
//!
//! The state before it is that of the block before under what the transactions before it in its own block did, which their
//! durable access sets say: none of them is run again. Because a block's result is that of a serial run, the transaction
//! must give what its receipt says, to the unit of gas; [`TxTrace::differences`] says where it does not, which would be a
//! fault of this node.
//!
//! A trace is bounded: by [`STEPS_MAX`] and [`BYTES_MAX`] in size, by [`TIME_MAX`] and the transaction's gas in time. It runs
//! beside other questions, on threads and an engine that blocks have no part in.
//!
//! Start reading at [`TxTrace`].

mod prefix;
mod record;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_ledger::{Ledger, LedgerError};
use hanse_state::{Halt, PlainState, StateError};
use hanse_types::{Execution, Gas, Height, Receipt, Transaction, TxId, TxIndex, limits};
use hanse_vm::{BlockContext, Vm, system};
use thiserror::Error;

pub use record::{Did, Step, TracedCall};

use prefix::Prefix;
use record::{Listener, Record, Shared, Watched};

/// Most calls and steps that a trace keeps.
pub const STEPS_MAX: usize = 10_000;
/// Most bytes of keys, values, arguments and events that it keeps.
pub const BYTES_MAX: usize = 1 << 20;
/// Longest that reading the state may take; one that lies far back is read slowly.
pub const TIME_MAX: Duration = Duration::from_secs(10);

/// What a transaction did, step by step.
#[derive(Clone, Debug)]
pub struct TxTrace {
    /// The transaction,
    pub transaction: Transaction,
    /// its block,
    pub height: Height,
    /// and its place there.
    pub index: TxIndex,
    /// What it gave now.
    pub execution: Execution,
    /// What of that is not as its receipt says, by the names of the receipt's fields. Nothing, unless this node is at
    /// fault.
    pub differences: Vec<&'static str>,
    /// Its calls, in the order in which they began; the first is its own. None if it ended before that.
    pub calls: Vec<TracedCall>,
    /// What happened in them, in order.
    pub steps: Vec<Step>,
    /// The call in which the failure that it ended with began.
    pub failed_call: Option<usize>,
    /// Steps that were not kept: there were too many, or they were too long.
    pub left_off: u64,
}

/// Why there is no trace.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// The block, or the state before it, could not be read; or it was pruned.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// It took too long.
    #[error("reading the state before block {height} took longer than {} s; ask a node that is less busy", TIME_MAX.as_secs())]
    TooLong {
        /// The transaction's block.
        height: Height,
    },
    /// The node failed while it ran the transaction, or is stopping.
    #[error("the transaction was not run again; the node is stopping, or failed inside it")]
    Stopped,
}

/// Runs a committed transaction again; none if the chain does not have it.
pub(crate) fn trace(vm: &Vm, ledger: &Ledger, id: TxId) -> Result<Option<TxTrace>, TraceError> {
    let Some(place) = ledger.transaction(&id)? else { return Ok(None) };
    let (height, index) = (place.height, place.index);
    let Some(receipt) = ledger.receipt(height, index)? else { return Ok(None) };
    let (block, before) = before(ledger, height, index)?;

    let deadline = Instant::now() + TIME_MAX;
    let record = Shared::new(Record::new(STEPS_MAX, BYTES_MAX));
    let state = Watched::new(PlainState::new(Arc::new(before), 64), record.clone(), deadline);
    let transaction = place.signed.transaction;
    let (result, _) = vm.trace(&Arc::new(block), &transaction, Box::new(state), Box::new(Listener(record.clone())));
    let execution = result.map_err(|halt| match halt {
        Halt::State(error) => error.into(),
        Halt::Engine { .. } if Instant::now() >= deadline => TraceError::TooLong { height },
        Halt::Engine { .. } | Halt::Stray => TraceError::Stopped,
    })?;
    let differences = differences(&execution, &receipt);
    let Record { calls, steps, failed_call, left_off, .. } = record.take();
    Ok(Some(TxTrace { transaction, height, index, execution, differences, calls, steps, failed_call, left_off }))
}

/// The block as its transactions saw it, and the state before one of them.
fn before(ledger: &Ledger, height: Height, index: TxIndex) -> Result<(BlockContext, Prefix), TraceError> {
    let no_block = || LedgerError::NoBlock { height, tip: ledger.height() };
    let header = ledger.header(height)?.ok_or_else(no_block)?;
    let parent_height = Height(height.0.checked_sub(1).ok_or_else(no_block)?);
    let parent = ledger.state_at(parent_height)?;
    let mut sets = ledger.rw_sets(height)?.ok_or_else(no_block)?;
    sets.truncate(index.as_usize());

    let oldest = height.0.saturating_sub(limits::RECENT_BLOCKS);
    let recent = (oldest..height.0).rev().map(|height| ledger.block_hash(Height(height)));
    let recent_hashes = recent.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let params = system::params::load(&*parent)?;
    let block = BlockContext { height, crypto: header.crypto, timestamp: header.timestamp, recent_hashes, params };
    Ok((block, Prefix::new(parent, sets)))
}

/// Which fields of the receipt say something else.
fn differences(execution: &Execution, receipt: &Receipt) -> Vec<&'static str> {
    let same = [
        ("status", execution.status == receipt.status),
        ("gas_used", execution.gas_used == receipt.gas_used),
        ("output", execution.output == receipt.output),
        ("error_code", execution.error_code == receipt.error_code),
        ("message", execution.message == receipt.message),
        ("failed_in", execution.failed_in == receipt.failed_in),
        ("events", execution.events == receipt.events),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}

impl TxTrace {
    /// Gas that was used outside of all calls: for the transaction itself, and for finding its contract.
    pub fn gas_outside(&self) -> Gas {
        let inside = self.calls.first().map_or(0, |call| call.gas_used.0);
        Gas(self.execution.gas_used.0.saturating_sub(inside))
    }
}
