//! What a group tells whoever keeps figures of it: once per block, once per answer to a submission, once in so many calls.
//! Nothing depends on whether anybody listens.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_types::{Height, Status, Timestamp};
use parking_lot::Mutex;

use crate::agreement::{Agreement, Part, Step};
use crate::execution::ExecutedBlock;

/// Hears of what a group does. Called by the threads that do it, so an implementation must neither wait nor fail.
pub trait Observe: Debug + Send + Sync {
    /// A block is durable.
    fn committed(&self, block: &BlockFigures);

    /// So many transactions were not accepted, for this reason by its stable name.
    fn refused(&self, reason: &'static str, count: u64);

    /// So many transactions left the pool without being executed, for this reason by its stable name.
    fn dropped(&self, reason: &'static str, count: u64);

    /// A validator was proven faulty.
    fn accused(&self);

    /// A round of consensus ended without a decision.
    fn round_failed(&self);

    /// A step of a round took so long. Of proposing nobody is told: that includes waiting for transactions.
    fn voted(&self, step: Step, took: Duration);

    /// A transaction ran for so long; one in [`hanse_vm::SAMPLE`] is told of.
    fn called(&self, took: Duration);
}

/// Who hears it from the virtual machine.
#[derive(Debug)]
pub(crate) struct Calls(pub(crate) Arc<dyn Observe>);

impl hanse_vm::Watch for Calls {
    fn called(&self, took: Duration) {
        self.0.called(took);
    }
}

/// Nobody keeps figures.
impl Observe for () {
    fn committed(&self, _block: &BlockFigures) {}

    fn refused(&self, _reason: &'static str, _count: u64) {}

    fn dropped(&self, _reason: &'static str, _count: u64) {}

    fn accused(&self) {}

    fn round_failed(&self) {}

    fn voted(&self, _step: Step, _took: Duration) {}

    fn called(&self, _took: Duration) {}
}

/// What one block was, and what it took on this node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockFigures {
    /// Its height.
    pub height: Height,
    /// Time between its parent's timestamp and its own.
    pub interval: Duration,
    /// Transactions that did what they were to do.
    pub succeeded: u64,
    /// Transactions that failed, and paid.
    pub failed: u64,
    /// Gas of all of them.
    pub gas: u64,
    /// Executions, those for nothing included.
    pub executions: u64,
    /// Transactions that left the access set under which they were scheduled.
    pub strays: u64,
    /// Edges of the DAG.
    pub edges: u64,
    /// Bytes of the DAG.
    pub dag_bytes: u64,
    /// Cost of all transactions over the cost of the DAG's costliest path: the most parallelism that there was.
    pub work_over_span: f64,
    /// Time to run it and to make its header.
    pub execution: Duration,
    /// Time from then until it was durable: waiting for its parent, the vote, the write.
    pub commit: Duration,
    /// Time to write it, the sync included.
    pub write: Duration,
}

/// Blocks of which figures are kept at hand.
const RECENT: usize = 1_024;

/// Figures of the newest blocks that were made since the group was opened, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<BlockFigures>>);

impl Recent {
    fn push(&self, figures: BlockFigures) {
        let mut recent = self.0.lock();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(figures);
    }

    /// Of the blocks from this height on.
    pub(crate) fn since(&self, height: Height) -> Vec<BlockFigures> {
        self.0.lock().iter().filter(|figures| figures.height >= height).copied().collect()
    }
}

/// Remembers what a block under way took until it is durable.
#[derive(Debug)]
pub(crate) struct Observation {
    observer: Arc<dyn Observe>,
    recent: Arc<Recent>,
    /// Blocks that were executed and are not durable: height, time of execution, when that ended.
    under_way: VecDeque<(Height, Duration, Instant)>,
    /// Since when consensus is where it is.
    step_since: Instant,
}

impl Observation {
    pub(crate) fn new(observer: Arc<dyn Observe>, recent: Arc<Recent>) -> Observation {
        Observation { observer, recent, under_way: VecDeque::new(), step_since: Instant::now() }
    }

    /// Who keeps the figures.
    pub(crate) fn observer(&self) -> Arc<dyn Observe> {
        self.observer.clone()
    }

    /// A block was executed, in this time.
    pub(crate) fn executed(&mut self, height: Height, took: Duration) {
        self.under_way.push_back((height, took, Instant::now()));
    }

    /// A block is durable; `parent` is the timestamp of the one before, `write` what writing took.
    pub(crate) fn committed(&mut self, block: &ExecutedBlock, parent: Timestamp, write: Duration) {
        let height = block.header.height;
        let known = self.under_way.iter().position(|(other, ..)| *other == height);
        let Some((_, execution, ended)) = known.and_then(|at| self.under_way.drain(..=at).next_back()) else { return };
        let receipts = block.content.receipts();
        let succeeded = receipts.iter().filter(|receipt| receipt.status == Status::Success).count() as u64;
        let figures = BlockFigures {
            height,
            interval: Duration::from_millis(block.header.timestamp.0.saturating_sub(parent.0)),
            succeeded,
            failed: receipts.len() as u64 - succeeded,
            gas: block.header.gas_used.0,
            executions: block.stats.executions as u64,
            strays: block.stats.strays as u64,
            edges: block.stats.edges as u64,
            dag_bytes: block.content.dag().encode().len() as u64,
            work_over_span: block.stats.work_over_span(),
            execution,
            commit: ended.elapsed(),
            write,
        };
        self.recent.push(figures);
        self.observer.committed(&figures);
    }

    /// Consensus has come from one place to another.
    pub(crate) fn moved(&mut self, before: Option<Agreement>, now: Option<Agreement>) {
        let place = |agreement: Agreement| (agreement.height, agreement.round, agreement.part);
        let (Some(before), Some(now)) = (before, now) else { return };
        if place(before) == place(now) {
            return;
        }
        if let Part::Step(step @ (Step::Prevote | Step::Precommit)) = before.part {
            self.observer.voted(step, self.step_since.elapsed());
        }
        if before.height == now.height && before.round < now.round {
            self.observer.round_failed();
        }
        self.step_since = Instant::now();
    }

    /// Transactions left the pool unexecuted, for these reasons.
    pub(crate) fn dropped(&self, reasons: impl Iterator<Item = &'static str>) {
        for (reason, count) in tally(reasons) {
            self.observer.dropped(reason, count);
        }
    }
}

/// How often each reason occurs. There are few of them.
pub(crate) fn tally(reasons: impl Iterator<Item = &'static str>) -> Vec<(&'static str, u64)> {
    let mut counts: Vec<(&'static str, u64)> = Vec::new();
    for reason in reasons {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanse_types::Round;

    #[test]
    fn reasons_are_counted_in_the_order_in_which_they_came() {
        assert_eq!(tally(["b", "a", "b"].into_iter()), [("b", 2), ("a", 1)]);
        assert!(tally(std::iter::empty()).is_empty());
    }

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<&'static str>>);

    impl Observe for Heard {
        fn committed(&self, _block: &BlockFigures) {}
        fn refused(&self, _reason: &'static str, _count: u64) {}
        fn dropped(&self, _reason: &'static str, _count: u64) {}
        fn accused(&self) {}
        fn round_failed(&self) {
            self.0.lock().push("failed");
        }
        fn voted(&self, step: Step, _took: Duration) {
            self.0.lock().push(if step == Step::Prevote { "prevote" } else { "precommit" });
        }
        fn called(&self, _took: Duration) {}
    }

    #[test]
    fn steps_that_ended_and_rounds_that_failed_are_told_once() {
        let heard = Arc::new(Heard::default());
        let mut observation = Observation::new(heard.clone(), Arc::default());
        let at = |height, round, step| {
            let (height, round, part) = (Height(height), Round(round), Part::Step(step));
            Some(Agreement { height, round, part, leader: None, votes: true, peers: 3 })
        };
        let way = [
            None,
            at(1, 0, Step::Propose),
            at(1, 0, Step::Prevote),
            at(1, 0, Step::Prevote),
            at(1, 0, Step::Precommit),
            at(1, 1, Step::Propose),
            at(1, 1, Step::Prevote),
            at(1, 1, Step::Precommit),
            at(2, 0, Step::Propose),
        ];
        way.array_windows().for_each(|[before, now]| observation.moved(*before, *now));
        assert_eq!(*heard.0.lock(), ["prevote", "precommit", "failed", "prevote", "precommit"]);
    }
}
