//! Times of one workload: the plain loop, the proposer and a replay, on the same blocks, in turns.
//!
//! The machine's pace changes from minute to minute, so nothing is compared across runs, and within a run only with
//! what ran right before and after: each group of modes stands between two plain loops over the same block, and its
//! ratio is to their mean. What the modes give is compared too; a difference ends the run.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cpu_time::ProcessTime;
use hanse_scheduler::{BlockRun, Hints, Serial, canonical, propose, replay, run_serial, verify};
use hanse_types::Transaction;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::executor::Executor;
use crate::random::{Random, Zipf};
use crate::record::{HintState, Mode, Record};
use crate::shape::Shape;
use crate::statistics::median;
use crate::workload::Prepared;
use crate::world::Frozen;

/// Stack of every thread: contracts run on it.
const STACK_BYTES: usize = 16 << 20;

/// A pool of so many threads, each bound to a core: left alone, two of them are often put on one core when they wake up,
/// and blocks of a few milliseconds are over before that is mended.
///
/// # Errors
/// If the threads can't be started.
pub fn pool(threads: usize) -> Result<ThreadPool> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let builder = ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).start_handler(move |thread| {
        if let Some(core) = cores.get(thread) {
            core_affinity::set_for_current(*core);
        }
    });
    builder.build().with_context(|| format!("{threads} threads could not be started"))
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Seconds by the clock.
    pub wall: f64,
    /// Seconds of all threads of this process: what others do on the machine is not in it, waiting neither.
    pub cpu: f64,
}

impl Taken {
    fn mean(self, other: Taken) -> Taken {
        Taken { wall: (self.wall + other.wall) / 2.0, cpu: (self.cpu + other.cpu) / 2.0 }
    }
}

/// Runs something and takes its time.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Taken, T) {
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let result = work();
    (Taken { wall: wall.elapsed().as_secs_f64(), cpu: cpu.elapsed().as_secs_f64() }, result)
}

/// One pool for every number of threads, and one of a single thread for the plain loop.
pub struct Pools {
    serial: ThreadPool,
    parallel: Vec<ThreadPool>,
}

impl Pools {
    /// Starts the threads.
    ///
    /// # Errors
    /// If they can't be started.
    pub fn new(threads: &[usize]) -> Result<Pools> {
        Ok(Pools { serial: pool(1)?, parallel: threads.iter().map(|count| pool(*count)).collect::<Result<_>>()? })
    }
}

/// What one mode took for one block.
struct Sample {
    taken: Taken,
    /// What the plain loop took for the same block, right before and after.
    serial: Taken,
    run: Figures,
}

/// Figures of a block that was run, and what only its making costs.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    executions: usize,
    strays: usize,
    edges: usize,
    dag_bytes: usize,
    work_over_span: f64,
    /// CPU seconds to build the DAG of the final access sets.
    dag_seconds: f64,
}

/// The modes that are timed on each pool, in this order.
const MODES: [(Mode, Option<HintState>); 3] =
    [(Mode::Propose, Some(HintState::Cold)), (Mode::Propose, Some(HintState::Warm)), (Mode::Replay, None)];

/// Measures a workload on every pool.
///
/// # Errors
/// If a block can't be run, or two modes give different results.
pub fn measure(prepared: &Prepared, shape: &Shape, pools: &Pools) -> Result<Vec<Record>> {
    let zipf = Zipf::new(prepared.world.accounts.len(), shape.skew);
    let mut random = Random::new(shape.seed);
    // What a node that has run for a while knows; one for each pool, so that all see the same blocks.
    let mut warm: Vec<Hints> = pools.parallel.iter().map(|_| Hints::default()).collect();
    let mut loops = Vec::new();
    let mut samples: Vec<[Vec<Sample>; 3]> = pools.parallel.iter().map(|_| Default::default()).collect();
    for number in 0..shape.warm_up + shape.blocks {
        let batch = prepared.block(shape.block, &zipf, &mut random);
        let block = Block { world: &prepared.world, batch: &batch };
        let counts = number >= shape.warm_up;
        let mut before = block.serial(&pools.serial)?;
        for (index, pool) in pools.parallel.iter().enumerate() {
            let group = block.group(pool, &mut warm[index], &before.1)?;
            let after = block.serial(&pools.serial)?;
            let serial = before.0.mean(after.0);
            if counts {
                loops.push(serial.wall);
                let modes = group.into_iter().zip(&mut samples[index]);
                modes.for_each(|((taken, run), samples)| samples.push(Sample { taken, serial, run }));
            }
            before = after;
        }
    }
    let mut records = vec![Record::of_loop(prepared, shape, median(loops))];
    for (pool, samples) in pools.parallel.iter().zip(&samples) {
        for ((mode, hints), samples) in MODES.iter().zip(samples) {
            records.push(summary(prepared, shape, pool.current_num_threads(), *mode, *hints, samples));
        }
    }
    Ok(records)
}

fn summary(
    prepared: &Prepared,
    shape: &Shape,
    threads: usize,
    mode: Mode,
    hints: Option<HintState>,
    samples: &[Sample],
) -> Record {
    let of = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    let per_tx = 1.0 / shape.block as f64;
    Record {
        threads,
        mode,
        hints,
        ratio_to_serial: of(&|sample| sample.serial.wall / sample.taken.wall),
        cpu_ratio_to_serial: of(&|sample| sample.serial.cpu / sample.taken.cpu),
        executions_per_tx: of(&|sample| sample.run.executions as f64) * per_tx,
        strays: of(&|sample| sample.run.strays as f64),
        edges_per_tx: of(&|sample| sample.run.edges as f64) * per_tx,
        dag_bytes_per_tx: of(&|sample| sample.run.dag_bytes as f64) * per_tx,
        work_over_span: of(&|sample| sample.run.work_over_span),
        dag_build_share: of(&|sample| sample.run.dag_seconds / sample.serial.cpu),
        ..Record::of_loop(prepared, shape, of(&|sample| sample.taken.wall))
    }
}

/// A batch on a state.
struct Block<'a> {
    world: &'a Frozen,
    batch: &'a [Transaction],
}

impl Block<'_> {
    fn executor(&self) -> &Executor {
        &self.world.executor
    }

    /// The plain loop, and its seconds.
    fn serial(&self, pool: &ThreadPool) -> Result<(Taken, Serial)> {
        let run = || run_serial(self.executor(), self.batch, 0..self.batch.len(), self.world.parent());
        let (taken, serial) = pool.install(|| timed(run));
        Ok((taken, serial?))
    }

    /// Every mode on one pool, its results compared with those of the plain loop.
    fn group(&self, pool: &ThreadPool, warm: &mut Hints, serial: &Serial) -> Result<[(Taken, Figures); 3]> {
        let (cold_taken, cold) = self.propose(pool, &mut Hints::default())?;
        self.compare(&cold, &cold.order, serial).context("the proposer without hints is wrong")?;
        let cold_figures = self.figures(&cold);
        drop(cold);

        let (warm_taken, warm) = self.propose(pool, warm)?;
        self.compare(&warm, &warm.order, serial).context("the proposer is wrong")?;
        let warm_figures = self.figures(&warm);

        let (replay_taken, replayed) = self.replay(pool, &warm)?;
        self.compare(&replayed, &warm.order, serial).context("the replay is wrong")?;
        let replay_figures = self.figures(&replayed);
        Ok([(cold_taken, cold_figures), (warm_taken, warm_figures), (replay_taken, replay_figures)])
    }

    fn propose(&self, pool: &ThreadPool, hints: &mut Hints) -> Result<(Taken, BlockRun)> {
        let run = || propose(self.executor(), self.batch, self.world.parent(), hints);
        let (taken, run) = pool.install(|| timed(run));
        Ok((taken, run?))
    }

    /// What a validator does with the block: runs it along its DAG, and accepts it.
    fn replay(&self, pool: &ThreadPool, proposed: &BlockRun) -> Result<(Taken, BlockRun)> {
        let transactions: Vec<Transaction> = proposed.order.iter().map(|index| self.batch[*index].clone()).collect();
        let run = || {
            let run = replay(self.executor(), &transactions, &proposed.dag, self.world.parent())?;
            verify::verify(&proposed.dag, &run).context("the proposer's DAG is not the canonical one")?;
            Ok(run)
        };
        let (taken, run): (Taken, Result<BlockRun>) = pool.install(|| timed(run));
        Ok((taken, run?))
    }

    /// Fails unless the plain loop in block order gives the same receipts and the same state.
    fn compare(&self, run: &BlockRun, order: &[usize], serial: &Serial) -> Result<()> {
        let own;
        let is_arrival_order = order.iter().enumerate().all(|(place, index)| place == *index);
        let serial = if is_arrival_order {
            serial
        } else {
            own = run_serial(self.executor(), self.batch, order.iter().copied(), self.world.parent())?;
            &own
        };
        let wrong = run.executions.iter().zip(&serial.executions).position(|(left, right)| left != right);
        if let Some(place) = wrong {
            let (found, expected) = (&run.executions[place], &serial.executions[place]);
            anyhow::bail!("transaction {place} of the block gave {found:?}, the plain loop gives {expected:?}");
        }
        ensure!(run.executions.len() == serial.executions.len(), "transactions are missing");
        ensure!(run.changes() == serial.changes()?, "the state after the block is not that of the plain loop");
        Ok(())
    }

    /// Outside of the timed part: the DAG is built once more, to see what that takes.
    fn figures(&self, run: &BlockRun) -> Figures {
        let (dag, _) = timed(|| canonical::grown_from(&run.sets, &run.state));
        Figures {
            executions: run.stats.executions,
            strays: run.stats.strays,
            edges: run.stats.edges,
            dag_bytes: run.dag.encode().len(),
            work_over_span: run.stats.work_over_span(),
            dag_seconds: dag.cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::workload::Workload;

    fn prepared() -> Prepared {
        Prepared::new(Workload::TokenNative, 10, 2).unwrap()
    }

    #[test]
    fn every_mode_on_every_pool_is_measured_after_its_results_were_compared() {
        let shape = Shape { skew: 0.9, block: 50, blocks: 2, warm_up: 1, seed: 1 };
        let records = measure(&prepared(), &shape, &Pools::new(&[1, 2]).unwrap()).unwrap();
        let modes: Vec<_> = records.iter().map(|record| (record.threads, record.mode, record.hints)).collect();
        let (cold, warm) = (Some(HintState::Cold), Some(HintState::Warm));
        let group =
            |threads| [(threads, Mode::Propose, cold), (threads, Mode::Propose, warm), (threads, Mode::Replay, None)];
        assert_eq!(modes[0], (1, Mode::Serial, None));
        assert_eq!(modes[1..], [group(1), group(2)].concat());
        // Fifty transfers among ten accounts: some payer pays twice.
        assert!(records[1..].iter().all(|record| record.edges_per_tx > 0.0 && record.tx_per_s > 0.0));
    }

    #[test]
    fn a_result_that_is_not_the_plain_loops_is_found() {
        let prepared = prepared();
        let zipf = Zipf::new(10, 0.0);
        let batches = [1, 2].map(|seed| prepared.block(50, &zipf, &mut Random::new(seed)));
        let [block, other] = batches.each_ref().map(|batch| Block { world: &prepared.world, batch });
        let pool = pool(1).unwrap();
        let (_, run) = block.propose(&pool, &mut Hints::default()).unwrap();
        assert!(block.compare(&run, &run.order, &block.serial(&pool).unwrap().1).is_ok());
        assert!(block.compare(&run, &run.order, &other.serial(&pool).unwrap().1).is_err());
    }
}
