//! Makes a block in every way in which it can be made, and holds the results against one another.

use std::any::Any;
use std::sync::Arc;

use hanse_group::BlockExecutor;
use hanse_scheduler::{BlockRun, Hints, canonical, propose_in, replay, run_serial, verify};
use hanse_state::{Recorder, StateAccess, effects};
use hanse_types::{Dag, Execution, Verified};
use hanse_vm::{Query, Vm, VmConfig};
use rayon::ThreadPool;

use super::chain::{Block, Chain, Foreknowledge};

/// Threads of the pools.
pub const THREADS: [usize; 5] = [1, 2, 3, 4, 8];

/// Pools and machines, made once for a test.
pub struct Lab {
    pools: Vec<ThreadPool>,
    /// Runs everything that runs on one thread.
    alone: Vm,
    /// Runs everything else.
    shared: Vm,
    /// Answers queries.
    queries: Vm,
}

/// A proposer for each pool.
pub struct Proposers {
    foreknowledge: Foreknowledge,
    hints: Vec<Hints>,
}

impl Proposers {
    pub fn new(foreknowledge: Foreknowledge) -> Proposers {
        Proposers { foreknowledge, hints: THREADS.map(|_| foreknowledge.hints()).into() }
    }
}

impl Lab {
    pub fn new() -> Lab {
        let pool = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let vm = |threads: usize| Vm::new(&VmConfig { threads, artifacts: None }).unwrap();
        Lab { pools: THREADS.map(pool).into(), alone: vm(1), shared: vm(8), queries: vm(1) }
    }

    pub fn pool(&self, n: usize) -> &ThreadPool {
        &self.pools[n % THREADS.len()]
    }

    pub fn vm(&self, pool: usize) -> &Vm {
        if pool.is_multiple_of(THREADS.len()) { &self.alone } else { &self.shared }
    }

    fn executor(&self, pool: usize, block: &Block) -> BlockExecutor {
        BlockExecutor::new(self.vm(pool).clone(), block.context.clone())
    }

    /// Proposes a block on one pool.
    pub fn propose(&self, pool: usize, block: &Block, hints: &mut Hints) -> BlockRun {
        let executor = self.executor(pool, block);
        let propose = || propose_in(&executor, &block.batch, block.parent.clone(), hints, block.sub_batch);
        self.pool(pool).install(propose).unwrap()
    }

    /// Replays a block on one pool. Must not fail, whatever the DAG.
    pub fn replay(&self, pool: usize, block: &Block, ordered: &[Verified], dag: &Dag) -> BlockRun {
        let executor = self.executor(pool, block);
        self.pool(pool).install(|| replay(&executor, ordered, dag, block.parent.clone())).unwrap()
    }

    /// Proposes a block on every number of threads; then holds it against the serial loop, and against its replay on
    /// every number of threads.
    pub fn check(&self, block: &Block, proposers: &mut Proposers) -> BlockRun {
        if proposers.foreknowledge == Foreknowledge::Nothing {
            *proposers = Proposers::new(Foreknowledge::Nothing);
        }
        let mut runs = proposers.hints.iter_mut().enumerate().map(|(pool, hints)| self.propose(pool, block, hints));
        let first = runs.next().unwrap();
        for (run, threads) in runs.zip(&THREADS[1..]) {
            assert_eq!(first.order, run.order, "the order on {threads} threads");
            assert_eq!(first.stats, run.stats, "figures on {threads} threads");
            assert_same(&first, &run, block, &format!("proposed on {threads} threads"));
        }
        self.check_serial(block, &first);
        self.check_replay(block, &first);
        first
    }

    fn check_serial(&self, block: &Block, run: &BlockRun) {
        let mut order = run.order.clone();
        order.sort_unstable();
        assert!(order.into_iter().eq(0..block.batch.len()), "every transaction is in the block once");
        let executor = self.executor(0, block);
        let order = run.order.iter().copied();
        let serial = run_serial(&executor, &block.batch, order, block.parent.clone()).unwrap();
        assert_executions(&run.executions, &serial.executions, block, run, "the serial loop");
        assert_eq!(run.changes(), serial.changes().unwrap(), "the serial loop gives other changes");
        let applied = effects::changes(&*block.parent, &run.rw_sets()).unwrap();
        assert_eq!(run.changes(), applied, "the access sets, applied without running anything, give other changes");
    }

    fn check_replay(&self, block: &Block, run: &BlockRun) {
        let ordered = ordered(block, run);
        let dag = Dag::decode(&run.dag.encode()).unwrap();
        for (pool, threads) in THREADS.iter().enumerate() {
            let replayed = self.replay(pool, block, &ordered, &dag);
            assert_eq!(verify(&dag, &replayed), Ok(()), "replayed on {threads} threads");
            assert_same(run, &replayed, block, &format!("replayed on {threads} threads"));
        }
        let durable = canonical::from_rw_sets(&run.rw_sets(), block.parent.clone()).unwrap();
        assert_eq!(run.dag, durable, "the DAG of the durable access sets");
    }

    /// What a transaction would give on top of a block's parent, asked for as a query: by itself, and for good.
    pub fn query(&self, block: &Block, transaction: &Verified, read_only: bool) -> Query {
        let state = Arc::new(hanse_state::BlockState::new(block.parent.clone(), 16));
        let recorder: Box<dyn StateAccess> = Box::new(Recorder::new(state));
        let context = Arc::new(block.context.clone());
        let (answer, state) = self.queries.query(&context, transaction.transaction(), recorder, read_only);
        let state: Box<dyn Any> = state;
        assert!(state.is::<Recorder>(), "the state comes back");
        answer.unwrap()
    }
}

/// The transactions of a block in its order.
pub fn ordered(block: &Block, run: &BlockRun) -> Vec<Verified> {
    run.order.iter().map(|index| block.batch[*index].clone()).collect()
}

/// Says how to run a chain again if a check of it fails.
pub struct Reproduce<'a> {
    test: &'a str,
    seed: u64,
    chain: String,
    pub height: usize,
}

impl Reproduce<'_> {
    pub fn new<'a>(test: &'a str, seed: u64, chain: &Chain) -> Reproduce<'a> {
        Reproduce { test, seed, chain: chain.describe(), height: 0 }
    }
}

impl Drop for Reproduce<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Reproduce { test, seed, chain, height } = self;
            eprintln!(
                "block {height} of a chain ({chain}) failed; to run that chain alone:\n\
                 HANSE_SEED={seed:#x} cargo test --release --workspace --test random_blocks {test}"
            );
        }
    }
}

/// Everything about two runs of a block that nodes compare.
pub fn assert_same(left: &BlockRun, right: &BlockRun, block: &Block, what: &str) {
    assert_executions(&left.executions, &right.executions, block, left, what);
    let (sets, others) = (left.rw_sets(), right.rw_sets());
    if let Some(place) = sets.iter().zip(&others).position(|(left, right)| left != right) {
        let transaction = block.batch[left.order[place]].transaction();
        panic!("{what}: access sets of {place}: {:?} or {:?} of {transaction:?}", sets[place], others[place]);
    }
    assert_eq!(left.dag, right.dag, "DAG: {what}");
    assert_eq!(left.changes(), right.changes(), "changes: {what}");
}

/// Names the first transaction of which two runs differ.
fn assert_executions(left: &[Execution], right: &[Execution], block: &Block, run: &BlockRun, what: &str) {
    if let Some(place) = left.iter().zip(right).position(|(left, right)| left != right) {
        let transaction = block.batch[run.order[place]].transaction();
        panic!("{what}: transaction {place}: {:?} or {:?} of {transaction:?}", left[place], right[place]);
    }
    assert_eq!(left.len(), right.len(), "number of executions: {what}");
}
