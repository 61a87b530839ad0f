//! Judges, when a group is opened, which of the transactions that an earlier process left may have brought it down.
//!
//! A failure that the process outlives is marked when it happens, at the transactions that it may have been. Of one that ends
//! the process is known which batch it was running ([`running`](crate::running)). But most processes that end so are killed by
//! somebody, and no transaction is to blame. So only what two processes were running when they ended is suspected, and
//! suspicion costs little: suspects run apart from others, so many at once that all of them are few blocks. (A block for each
//! would be more blocks than the references of the last ones may lie back, and they would be lost.) If the process ends in one
//! of these batches, it is divided in the same way, and the others are acquitted, until the suspect is alone: adaptive group
//! testing (R. Dorfman, "The detection of defective members of large populations", 1943). One that was alone when the process
//! ended, [`TRIALS`] times, is dropped; those who made it can try it again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hanse_ledger::{DroppedTransaction, Interrupted, Ledger, LedgerError, QueueWrite, SuspectMark};
use hanse_txpool::{Arrival, Kept, Pool, Refusal, Suspicion};
use hanse_types::{Height, Params, Timestamp, TxId};
use tracing::warn;

use crate::drops::Drops;
use crate::recovery::Recovered;
use crate::report;
use crate::running::{Making, Of};

/// Trials alone that did not end after which a suspect is dropped.
const TRIALS: u8 = 3;
/// Most batches into which suspects are divided.
const PARTS: usize = 32;
/// Ids that a line of the log names at most.
const NAMED: usize = 8;

/// Those of the transactions that wait which may have brought the node down.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    marks: BTreeMap<Arrival, SuspectMark>,
    /// Most of those that were not tried alone yet in a batch.
    at_once: usize,
}

impl Suspects {
    /// Those of them that wait still.
    fn among(waiting: &[Kept], marks: &[SuspectMark]) -> Suspects {
        // Mostly there are none, and it is not worth while to look at what waits.
        let candidates = if marks.is_empty() { &[] } else { waiting };
        let known = candidates.iter().filter_map(|kept| find(marks, kept));
        Suspects { marks: known.map(|mark| (mark.arrival, *mark)).collect(), at_once: 1 }
    }

    /// The process ended while it ran one alone: that has had one more trial.
    fn tried(&mut self, arrival: Arrival) {
        self.marks.entry(arrival).and_modify(|mark| mark.trials = mark.trials.saturating_add(1));
    }

    /// The process ended while it ran several together: it was one of these. That says nothing of those that were alone before.
    fn narrow(&mut self, places: &RangeInclusive<Arrival>) {
        if self.marks.range(places.clone()).next().is_some() {
            self.marks.retain(|arrival, mark| places.contains(arrival) || mark.trials > 0);
        }
    }

    fn add(&mut self, suspects: &[Kept]) {
        for Kept { arrival, transaction } in suspects {
            let mark = SuspectMark { arrival: *arrival, id: transaction.id(), trials: 0 };
            self.marks.entry(*arrival).or_insert(mark);
        }
    }

    /// Takes those that had all their trials out of what waits.
    fn convict(&mut self, waiting: &mut Vec<Kept>) -> Vec<Kept> {
        let convicted: BTreeMap<_, _> = self.marks.extract_if(.., |_, mark| mark.trials >= TRIALS).collect();
        waiting.extract_if(.., |kept| convicted.contains_key(&kept.arrival)).collect()
    }

    /// Divides those that are to be tried into few batches, so that when all validators have made as many blocks, far fewer came
    /// than before a reference is too old.
    fn divide(&mut self, params: &Params, validators: usize) {
        let window = usize::try_from(params.ref_block_window).unwrap_or(usize::MAX);
        let untried = self.marks.values().filter(|mark| mark.trials == 0).count();
        self.at_once = untried.div_ceil(PARTS.min(window / 8 / validators.max(1)).max(2)).max(1);
    }

    /// What makes them durable, in the place of what is.
    fn note(&self, before: &[SuspectMark], write: &mut QueueWrite) {
        let gone = before.iter().filter(|mark| !self.marks.contains_key(&mark.arrival));
        gone.for_each(|mark| write.unmark(mark.arrival));
        let is_new = |mark: &&SuspectMark| at_place(before, mark.arrival) != Some(*mark);
        self.marks.values().filter(is_new).for_each(|mark| write.mark(mark));
    }

    fn report(&self) {
        if !self.marks.is_empty() {
            let (count, at_once, which) =
                (self.marks.len(), self.at_once, names(self.marks.values().map(|mark| &mark.id)));
            warn!(count, at_once, which, "transactions may have brought the node down; they are run apart from others");
        }
    }

    /// Puts them under suspicion.
    pub(crate) fn suspect(self, pool: &mut Pool) {
        for SuspectMark { id, trials, .. } in self.marks.into_values() {
            pool.suspect(&id, if trials == 0 { self.at_once } else { 1 });
        }
    }
}

/// Judges what waits: notes the suspects in it, and takes out who is convicted; how many these are. All of it is durable when
/// this returns. `interrupted` is what the process before was running when it ended, if it was.
///
/// # Errors
/// If the ledger can't be read or written.
pub(crate) fn judge(
    ledger: &Ledger,
    drops: &Drops,
    recovered: &mut Recovered,
    interrupted: Option<Making>,
    params: &Params,
    now: Timestamp,
) -> Result<u64, LedgerError> {
    let (height, marks, mut write) = (ledger.height(), ledger.suspects()?, QueueWrite::default());
    let mut suspects = Suspects::among(&recovered.waiting, &marks);
    match interrupted {
        Some(Making { places, of: Of::Suspect }) => suspects.tried(*places.start()),
        Some(Making { places, of: Of::Suspects }) => suspects.narrow(&places),
        Some(Making { places, of: Of::Others }) => {
            suspects.add(interrupted_twice(ledger, at_places(&recovered.waiting, &places), &mut write)?);
        }
        None => {}
    }
    let convicted = suspects.convict(&mut recovered.waiting);
    suspects.divide(params, ledger.validators().len());
    suspects.note(&marks, &mut write);
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
    suspects.report();
    recovered.suspects = suspects;
    Ok(dropped.len() as u64)
}

fn at_place(marks: &[SuspectMark], arrival: Arrival) -> Option<&SuspectMark> {
    marks.binary_search_by_key(&arrival, |mark| mark.arrival).ok().map(|at| &marks[at])
}

fn find<'a>(marks: &'a [SuspectMark], kept: &Kept) -> Option<&'a SuspectMark> {
    at_place(marks, kept.arrival).filter(|mark| mark.id == kept.transaction.id())
}

fn at_places<'a>(waiting: &'a [Kept], places: &RangeInclusive<Arrival>) -> &'a [Kept] {
    let start = waiting.partition_point(|kept| kept.arrival < *places.start());
    let count = waiting[start..].partition_point(|kept| kept.arrival <= *places.end());
    &waiting[start..start + count]
}

/// What both this batch and that of a process before had, when they ended. If that is nothing, this one is noted for the next:
/// its places from the first to the last that is kept, for others are given anew.
fn interrupted_twice<'a>(
    ledger: &Ledger,
    batch: &'a [Kept],
    write: &mut QueueWrite,
) -> Result<&'a [Kept], LedgerError> {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(&[]) };
    let now = Interrupted { first: first.arrival, last: last.arrival };
    let before = ledger.interrupted()?;
    let twice = before.and_then(|before| in_both(before, now)).map_or(&[][..], |both| at_places(batch, &both));
    if twice.is_empty() {
        write.note_interrupted(&now);
    } else {
        write.forget_interrupted();
    }
    Ok(twice)
}

fn in_both(one: Interrupted, other: Interrupted) -> Option<RangeInclusive<Arrival>> {
    let both = one.first.max(other.first)..=one.last.min(other.last);
    (!both.is_empty()).then_some(both)
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

/// The mark of one that was not tried yet.
pub(crate) fn mark(suspicion: Suspicion) -> SuspectMark {
    let Suspicion { id, arrival } = suspicion;
    SuspectMark { arrival, id, trials: 0 }
}

/// Ids for a line of the log, but not thousands.
pub(crate) fn names<'a>(ids: impl ExactSizeIterator<Item = &'a TxId>) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let named: Vec<_> = ids.take(NAMED).map(TxId::to_string).collect();
    if more > 0 { format!("{} and {more} more", named.join(" ")) } else { named.join(" ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn suspects(arrivals: std::ops::Range<Arrival>) -> Suspects {
        let mark = |arrival| (arrival, SuspectMark { arrival, id: TxId::default(), trials: 0 });
        Suspects { marks: arrivals.map(mark).collect(), at_once: 1 }
    }

    fn params(ref_block_window: u64) -> Params {
        Params { ref_block_window, ..Params::default() }
    }

    proptest! {
        /// Whichever it is, it is alone after few starts, and all the others were run in few blocks.
        #[test]
        fn a_culprit_is_alone_after_few_starts_and_few_blocks(
            count in 1u64..100_000,
            at in any::<prop::sample::Index>(),
            (validators, window) in (1usize..5, 64u64..2_000),
        ) {
            let (culprit, params) = (at.index(count as usize) as u64, params(window));
            let parts = PARTS.min(window as usize / 8 / validators);
            let (mut found, mut starts) = (suspects(0..count), 0);
            loop {
                found.divide(&params, validators);
                let all: Vec<Arrival> = found.marks.keys().copied().collect();
                let batches: Vec<&[Arrival]> = all.chunks(found.at_once).collect();
                prop_assert!(batches.len() <= parts);
                let tried = batches.iter().position(|batch| batch.contains(&culprit)).unwrap();
                found.marks.retain(|arrival, _| *arrival >= batches[tried][0]);
                starts += 1;
                let [first, .., last] = batches[tried] else { break };
                found.narrow(&(*first..=*last));
                prop_assert_eq!(found.marks.keys().copied().collect::<Vec<_>>(), batches[tried]);
            }
            prop_assert!(f64::from(starts) <= (count as f64).log(parts as f64) + 2.0, "{starts} starts");
        }
    }

    #[test]
    fn one_that_was_tried_alone_accuses_no_other_and_acquits_none() {
        let mut found = suspects(0..6);
        found.tried(2);
        found.divide(&params(1_000), 1);
        assert_eq!((found.marks.len(), found.marks[&2].trials, found.at_once), (6, 1, 1));
        // What is not among them any more says nothing.
        found.tried(7);
        found.narrow(&(6..=100));
        assert_eq!((found.marks.len(), found.marks.values().map(|mark| mark.trials).sum::<u8>()), (6, 1));
        // And one of several is no reason to forget who was alone before.
        found.narrow(&(3..=4));
        assert_eq!(found.marks.keys().copied().collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn only_what_changes_is_written() {
        let before: Vec<_> = suspects(0..5).marks.into_values().collect();
        let mut write = QueueWrite::default();
        suspects(0..5).note(&before, &mut write);
        assert!(write.is_empty());
        let mut found = suspects(2..6);
        found.marks.get_mut(&3).unwrap().trials = 1;
        let mut expected = QueueWrite::default();
        expected.unmark(0);
        expected.unmark(1);
        expected.mark(&found.marks[&3]);
        expected.mark(&found.marks[&5]);
        found.note(&before, &mut write);
        assert_eq!(format!("{write:?}"), format!("{expected:?}"));
    }

    #[test]
    fn a_line_of_the_log_names_few() {
        let ids = vec![TxId::default(); 10];
        assert_eq!(names(ids[..1].iter()), ids[0].to_string());
        assert!(names(ids[..8].iter()).ends_with(&ids[0].to_string()));
        assert!(names(ids.iter()).ends_with(" and 2 more"));
    }

    #[test]
    fn what_both_of_two_processes_ran_is_suspected_wherever_the_chain_is_by_then() {
        let both = |before: (u64, u64), now: (u64, u64)| {
            let [before, now] = [before, now].map(|(first, last)| Interrupted { first, last });
            in_both(before, now)
        };
        assert_eq!(both((5, 9), (5, 9)), Some(5..=9));
        assert_eq!(both((5, 9), (7, 12)), Some(7..=9));
        assert_eq!(both((7, 12), (5, 7)), Some(7..=7));
        assert_eq!(both((5, 9), (10, 12)), None);
        assert_eq!(both((10, 12), (0, 9)), None);
    }
}
