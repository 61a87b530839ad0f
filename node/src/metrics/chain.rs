//! What a group tells of its blocks and its pool.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hanse_group::agreement::Step;
use hanse_group::{BlockFigures, Observe};
use hanse_vm::SAMPLE;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::consensus::{ConsensusMetrics, GroupConsensus};
use super::family::{Buckets, GROUP, Labels};

/// The only pass there is where one validator decides: it proposes.
const PROPOSE: &str = "propose";

type Height = Gauge<u64, AtomicU64>;
type Histograms = Family<Labels<1>, Histogram, Buckets>;

/// Figures of all groups.
#[derive(Debug)]
pub(super) struct ChainMetrics {
    height: Family<Labels<1>, Height>,
    transactions: Family<Labels<2>, Counter>,
    interval: Histograms,
    commit: Histograms,
    write: Histograms,
    execution: Family<Labels<2>, Histogram, Buckets>,
    executions: Family<Labels<2>, Counter>,
    strays: Family<Labels<1>, Counter>,
    parallelism: Histograms,
    edges: Family<Labels<1>, Counter>,
    dag_bytes: Family<Labels<1>, Counter>,
    gas: Family<Labels<1>, Counter>,
    calls: Histograms,
    rejected: Family<Labels<2>, Counter>,
    dropped: Family<Labels<2>, Counter>,
    consensus: ConsensusMetrics,
}

impl ChainMetrics {
    pub(super) fn register(registry: &mut Registry) -> ChainMetrics {
        let seconds = || Family::new_with_constructor(Buckets::Seconds);
        let metrics = ChainMetrics {
            height: Family::default(),
            transactions: Family::default(),
            interval: seconds(),
            commit: seconds(),
            write: seconds(),
            execution: Family::new_with_constructor(Buckets::Seconds),
            executions: Family::default(),
            strays: Family::default(),
            parallelism: Family::new_with_constructor(Buckets::Ratio),
            edges: Family::default(),
            dag_bytes: Family::default(),
            gas: Family::default(),
            calls: Family::new_with_constructor(Buckets::Calls),
            rejected: Family::default(),
            dropped: Family::default(),
            consensus: ConsensusMetrics::register(registry),
        };
        metrics.register_blocks(registry);
        metrics.register_execution(registry);
        metrics.register_pool(registry);
        metrics
    }

    fn register_blocks(&self, registry: &mut Registry) {
        registry.register("hanse_block_height", "Height of the newest durable block", self.height.clone());
        let help = "Transactions in durable blocks, by whether they did what they were to do";
        registry.register("hanse_block_transactions", help, self.transactions.clone());
        let help = "Time between the timestamps of two blocks";
        registry.register_with_unit("hanse_block_interval", help, Unit::Seconds, self.interval.clone());
        let help = "Time from the end of a block's execution until it is durable";
        registry.register_with_unit("hanse_commit_duration", help, Unit::Seconds, self.commit.clone());
        let help = "Time to write a block, the sync included";
        registry.register_with_unit("hanse_storage_write_duration", help, Unit::Seconds, self.write.clone());
    }

    fn register_execution(&self, registry: &mut Registry) {
        let help = "Time to run a block and to make its header";
        registry.register_with_unit("hanse_scheduler_duration", help, Unit::Seconds, self.execution.clone());
        let help = "Executions of transactions, those for nothing included";
        registry.register("hanse_scheduler_executions", help, self.executions.clone());
        let help = "Transactions that left the access set under which they were scheduled";
        registry.register("hanse_scheduler_strays", help, self.strays.clone());
        let help = "Cost of a block over the cost of its longest path: the most parallelism that there was";
        registry.register("hanse_scheduler_parallelism_ratio", help, self.parallelism.clone());
        registry.register("hanse_dag_edges", "Edges of blocks' DAGs", self.edges.clone());
        let help = "Bytes of blocks' DAGs";
        registry.register_with_unit("hanse_dag", help, Unit::Bytes, self.dag_bytes.clone());
        registry.register("hanse_vm_gas", "Gas of transactions in durable blocks", self.gas.clone());
        let help = format!("Time that one transaction's code ran, calls inside included; one in {SAMPLE} is measured");
        registry.register_with_unit("hanse_vm_call_duration", help, Unit::Seconds, self.calls.clone());
    }

    fn register_pool(&self, registry: &mut Registry) {
        let help = "Transactions that were not accepted, by the reason";
        registry.register("hanse_pool_rejected", help, self.rejected.clone());
        let help = "Transactions that left the pool without being executed, by the reason";
        registry.register("hanse_pool_dropped", help, self.dropped.clone());
    }

    /// Those of one group, with nothing left to be looked up when a block is done.
    pub(super) fn of_group(&self, group: &str) -> GroupMetrics {
        let own = || [(GROUP, group.to_owned())];
        let with = |name, value: &str| [(GROUP, group.to_owned()), (name, value.to_owned())];
        // A series that begins with its first count has no increase there. Those that matter most begin at 0.
        drop(self.rejected.get_or_create(&with("reason", "pool_full")));
        drop(self.dropped.get_or_create(&with("reason", "expired")));
        GroupMetrics {
            group: group.to_owned(),
            height: self.height.get_or_create_owned(&own()),
            succeeded: self.transactions.get_or_create_owned(&with("outcome", "success")),
            failed: self.transactions.get_or_create_owned(&with("outcome", "failure")),
            interval: self.interval.get_or_create_owned(&own()),
            commit: self.commit.get_or_create_owned(&own()),
            write: self.write.get_or_create_owned(&own()),
            execution: self.execution.get_or_create_owned(&with("pass", PROPOSE)),
            executions: self.executions.get_or_create_owned(&with("pass", PROPOSE)),
            strays: self.strays.get_or_create_owned(&own()),
            parallelism: self.parallelism.get_or_create_owned(&own()),
            edges: self.edges.get_or_create_owned(&own()),
            dag_bytes: self.dag_bytes.get_or_create_owned(&own()),
            gas: self.gas.get_or_create_owned(&own()),
            calls: self.calls.get_or_create_owned(&own()),
            rejected: self.rejected.clone(),
            dropped: self.dropped.clone(),
            consensus: self.consensus.of_group(group),
        }
    }
}

/// Figures of one group.
#[derive(Debug)]
pub(crate) struct GroupMetrics {
    group: String,
    height: Height,
    succeeded: Counter,
    failed: Counter,
    interval: Histogram,
    commit: Histogram,
    write: Histogram,
    execution: Histogram,
    executions: Counter,
    strays: Counter,
    parallelism: Histogram,
    edges: Counter,
    dag_bytes: Counter,
    gas: Counter,
    calls: Histogram,
    rejected: Family<Labels<2>, Counter>,
    dropped: Family<Labels<2>, Counter>,
    consensus: GroupConsensus,
}

impl GroupMetrics {
    /// Tells the height that the chain has at the start.
    pub(crate) fn start_at(&self, height: u64) {
        self.height.set(height);
    }

    fn count(&self, family: &Family<Labels<2>, Counter>, reason: &str, count: u64) {
        family.get_or_create(&[(GROUP, self.group.clone()), ("reason", reason.to_owned())]).inc_by(count);
    }
}

impl Observe for GroupMetrics {
    fn committed(&self, block: &BlockFigures) {
        self.height.set(block.height.0);
        self.succeeded.inc_by(block.succeeded);
        self.failed.inc_by(block.failed);
        self.interval.observe(block.interval.as_secs_f64());
        self.commit.observe(block.commit.as_secs_f64());
        self.write.observe(block.write.as_secs_f64());
        self.execution.observe(block.execution.as_secs_f64());
        self.executions.inc_by(block.executions);
        self.strays.inc_by(block.strays);
        self.parallelism.observe(block.work_over_span);
        self.edges.inc_by(block.edges);
        self.dag_bytes.inc_by(block.dag_bytes);
        self.gas.inc_by(block.gas);
    }

    fn refused(&self, reason: &'static str, count: u64) {
        self.count(&self.rejected, reason, count);
    }

    fn dropped(&self, reason: &'static str, count: u64) {
        self.count(&self.dropped, reason, count);
    }

    fn accused(&self) {
        self.consensus.accused();
    }

    fn round_failed(&self) {
        self.consensus.round_failed();
    }

    fn voted(&self, step: Step, took: Duration) {
        self.consensus.voted(step, took);
    }

    fn called(&self, took: Duration) {
        self.calls.observe(took.as_secs_f64());
    }
}
