//! What the random blocks were made of, so that a test can't pass by having met nothing.

use hanse_scheduler::BlockRun;
use hanse_types::Status;

use super::tamper::Refused;

/// Counts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub blocks: usize,
    pub transactions: usize,
    /// Transactions by the codes of their statuses.
    pub statuses: [usize; Status::ALL.len()],
    /// Transactions that left their bounds and ran once more.
    pub strays: usize,
    pub edges: usize,
    pub blocks_without_edges: usize,
    pub events: usize,
    pub absent_reads: usize,
    pub ranges: usize,
    pub adds: usize,
    pub refused: Refused,
}

impl Tally {
    /// Takes note of a block that was checked.
    pub fn note(&mut self, run: &BlockRun) {
        self.blocks += 1;
        self.transactions += run.executions.len();
        self.strays += run.stats.strays;
        self.edges += run.dag.edge_count();
        self.blocks_without_edges += usize::from(run.executions.len() > 1 && run.dag.edge_count() == 0);
        for execution in &run.executions {
            self.statuses[usize::from(execution.status.code())] += 1;
            self.events += execution.events.len();
        }
        for set in run.rw_sets() {
            self.absent_reads += set.reads.iter().filter(|read| !read.present).count();
            self.ranges += set.ranges.len();
            self.adds += set.adds.len();
        }
    }

    /// Fails if one of these was not met.
    pub fn assert_met(&self, statuses: &[Status]) {
        for status in statuses {
            assert!(self.statuses[usize::from(status.code())] > 0, "no transaction ended in {status:?}: {self:?}");
        }
        let met = [self.edges, self.events, self.absent_reads, self.refused.missing, self.refused.extra];
        assert!(met.iter().all(|count| *count > 0), "something is missing: {self:?}");
    }
}
