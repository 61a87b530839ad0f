//! Judges, when a group is opened, which of the transactions that an earlier process left may have brought it down.
//!
//! A failure that the process outlives is marked when it happens, at the transactions that it may have been. One that ends the
//! process leaves no time for that, and blocks are too frequent to announce each on the disk before it is run. So the starts
//! of the process are counted, with one small write each, as long as accepted transactions wait and no block comes: after
//! [`STARTS`] of them, the first batch is suspected. Suspects are run alone, each announced before ([`announce`]); one whose
//! trial did not end [`TRIALS`] times is dropped. Twice, for a process may be killed for other reasons; those who made it can
//! try it again.

use std::collections::BTreeSet;

use hanse_ledger::{DroppedTransaction, Ledger, LedgerError, QueueWrite, Starts, SuspectMark};
use hanse_txpool::{Arrival, Kept, Refusal, Suspicion, admission};
use hanse_types::{Height, Params, Timestamp};
use tracing::warn;

use crate::drops::Drops;
use crate::recovery::Recovered;
use crate::report;

/// Starts without a block after which the first batch is suspected.
const STARTS: u32 = 2;
/// Trials that did not end after which a suspect is dropped.
const TRIALS: u8 = 2;

/// Judges what waits: notes the suspects in it, and takes out who is convicted; how many these are. All of it is durable when
/// this returns.
///
/// # Errors
/// If the ledger can't be read or written.
pub(crate) fn judge(
    ledger: &Ledger,
    drops: &Drops,
    recovered: &mut Recovered,
    params: &Params,
    now: Timestamp,
) -> Result<u64, LedgerError> {
    let marks = ledger.suspects()?;
    let mut write = QueueWrite::default();
    let convicted = take_convicted(recovered, &marks);
    let (height, mut suspects) = (ledger.height(), suspects_among(&recovered.waiting, &marks));
    let open: BTreeSet<Arrival> = suspects.iter().map(|mark| mark.arrival).collect();
    marks.iter().filter(|mark| !open.contains(&mark.arrival)).for_each(|mark| write.unmark(mark.arrival));
    if count_starts(ledger, recovered, &mut write)? > STARTS {
        suspect_first_batch(&recovered.waiting, params, &mut suspects, &mut write);
    }
    let dropped: Vec<_> = convicted.into_iter().map(|kept| record(kept, height, now)).collect();
    drops.pending(dropped.iter().map(|dropped| dropped.id));
    if !dropped.is_empty() {
        drops.record(&mut write, &dropped);
    }
    if !write.is_empty() {
        ledger.write_queue(&write)?;
    }
    drops.recorded(&dropped);
    dropped.iter().for_each(|dropped| report::dropped(&ledger.genesis().group_id, dropped));
    for SuspectMark { id, trials, .. } in &suspects {
        warn!(tx = %id, trials, "a transaction may have brought the node down; it is run alone");
    }
    recovered.suspects = suspects;
    Ok(dropped.len() as u64)
}

/// Announces a trial, and that the one before it ended, if there was one; both are durable when this returns. In one write,
/// for the block of the one before need not be durable yet: if this trial ends the process, it did not end that one's.
///
/// # Errors
/// If the ledger can't be written.
pub(crate) fn announce(ledger: &Ledger, suspicion: Suspicion, ended: Option<Suspicion>) -> Result<(), LedgerError> {
    let mut write = QueueWrite::default();
    ended.iter().for_each(|ended| write.unmark(ended.arrival));
    write.mark(&mark(suspicion));
    ledger.write_queue(&write)
}

/// A suspicion as it is kept.
pub(crate) fn mark(suspicion: Suspicion) -> SuspectMark {
    let Suspicion { id, arrival, trials } = suspicion;
    SuspectMark { arrival, id, trials }
}

fn find<'a>(marks: &'a [SuspectMark], kept: &Kept) -> Option<&'a SuspectMark> {
    let at = marks.binary_search_by_key(&kept.arrival, |mark| mark.arrival).ok()?;
    Some(&marks[at]).filter(|mark| mark.id == kept.transaction.id())
}

fn take_convicted(recovered: &mut Recovered, marks: &[SuspectMark]) -> Vec<Kept> {
    let is_convicted = |kept: &Kept| find(marks, kept).is_some_and(|mark| mark.trials >= TRIALS);
    let waiting = std::mem::take(&mut recovered.waiting);
    let (convicted, waiting) = waiting.into_iter().partition(is_convicted);
    recovered.waiting = waiting;
    convicted
}

fn suspects_among(waiting: &[Kept], marks: &[SuspectMark]) -> Vec<SuspectMark> {
    // Mostly there are none, and it is not worth while to look at what waits.
    let candidates = if marks.is_empty() { &[] } else { waiting };
    candidates.iter().filter_map(|kept| find(marks, kept).copied()).collect()
}

/// Counts this start, if something waits for a block: which it is since the newest block came.
fn count_starts(ledger: &Ledger, recovered: &mut Recovered, write: &mut QueueWrite) -> Result<u32, LedgerError> {
    let (height, noted) = (ledger.height(), ledger.starts()?);
    recovered.counts_starts = !recovered.waiting.is_empty();
    if !recovered.counts_starts {
        noted.iter().for_each(|_| write.forget_starts());
        return Ok(0);
    }
    let before = noted.filter(|noted| noted.height == height).map_or(0, |noted| noted.count);
    let count = before.saturating_add(1);
    write.note_starts(&Starts { height, count });
    Ok(count)
}

/// The first batch of a start is a beginning of what waits, of as many as fit into a block at most.
fn suspect_first_batch(waiting: &[Kept], params: &Params, suspects: &mut Vec<SuspectMark>, write: &mut QueueWrite) {
    let known: BTreeSet<Arrival> = suspects.iter().map(|mark| mark.arrival).collect();
    let first = waiting.iter().take(admission::block_tx_count_max(params));
    for Kept { arrival, transaction } in first.filter(|kept| !known.contains(&kept.arrival)) {
        let mark = SuspectMark { arrival: *arrival, id: transaction.id(), trials: 0 };
        write.mark(&mark);
        suspects.push(mark);
    }
}

fn record(Kept { arrival, transaction }: Kept, height: Height, timestamp: Timestamp) -> DroppedTransaction {
    let refusal = Refusal::EngineFailed { reason: "the process ended while it ran".into() };
    DroppedTransaction {
        id: transaction.id(),
        arrival,
        height,
        timestamp,
        reason: refusal.code().to_owned(),
        message: refusal.to_string(),
        signed: transaction.signed().clone(),
    }
}
