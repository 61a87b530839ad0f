//! A batch becomes a block: every transaction runs once, or twice where it conflicts.
//!
//! The proposer is free to choose the order, so nothing is ever aborted and retried until it fits. The batch is cut into
//! sub-batches, each run in three passes on top of the one before:
//!
//! 1. **Speculate.** Every transaction is run against the state after the sub-batch before, seeing nothing of its
//!    neighbours: no shared mutable state, no waiting. Where transactions have conflicted much lately, those whose access
//!    set can be guessed, and that will read what a predecessor writes, are spared this run.
//! 2. **Order.** In arrival order the access sets (actual or guessed) make a plan, a DAG. A transaction of which nothing
//!    that it read is changed by a predecessor *keeps* its result.
//! 3. **Run along the plan.** Kept transactions only apply their writes; the others run once, confined to the access set
//!    that the plan was made of. At the first access outside, a transaction is a *stray*: it stops, nothing of it is
//!    applied, its successors go on without it, and it runs at the sub-batch's end, after everything else.
//!
//! Up to the access at which it strays, a transaction has seen only what the plan ordered, so whether it strays is
//! determined too. The result is a function of the batch, the state and the hints: the same on one thread and on many.
//! Each transaction costs at most one speculation, one confined run, and one run in the tail.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use hanse_state::{AccessSet, BlockState, Confinement, Kind, Seen, Slot, StateView, Touch};
use hanse_types::Execution;
use rayon::prelude::*;

use crate::BlockRun;
use crate::canonical::{Canonical, CanonicalBuilder};
use crate::execute::{Confined, Execute, Ran, RunError, Worker};
use crate::predict::{Guess, Hints};
use crate::runner::run_along;
use crate::stats::{self, Stats};

/// Transactions of a sub-batch. Small enough that a contended block learns early, large enough that the pauses between
/// passes do not show. Part of the node's behaviour, not of the protocol.
pub const SUB_BATCH: usize = 1_024;
/// Speculative transactions of one task.
const CHUNK: usize = 32;
/// Below so many transactions to run, threads cost more than they save.
const PARALLEL_MIN: usize = 8;

/// Makes a block of a batch on top of a state. Call it inside the rayon pool on which it shall run.
///
/// # Errors
/// If the state can't be read, or the host fails inside a transaction. Nothing is applied anywhere then.
pub fn propose<E: Execute>(
    executor: &E,
    batch: &[E::Transaction],
    parent: Arc<dyn StateView>,
    hints: &mut Hints,
) -> Result<BlockRun, RunError> {
    propose_in(executor, batch, parent, hints, SUB_BATCH)
}

/// [`propose`] with sub-batches of another size, for tests and for tuning. The size shows in the block's order only
/// where transactions stray.
///
/// # Errors
/// As [`propose`].
///
/// # Panics
/// If the size is 0.
pub fn propose_in<E: Execute>(
    executor: &E,
    batch: &[E::Transaction],
    parent: Arc<dyn StateView>,
    hints: &mut Hints,
    sub_batch: usize,
) -> Result<BlockRun, RunError> {
    let state = Arc::new(BlockState::new(parent, 2 * batch.len()));
    let mut proposer = Proposer {
        executor,
        batch,
        state,
        hints,
        builder: CanonicalBuilder::default(),
        done: Vec::with_capacity(batch.len()),
        positions: Vec::with_capacity(batch.len()),
        executions: 0,
        strays: 0,
    };
    for from in (0..batch.len()).step_by(sub_batch) {
        proposer.sub_batch(from, (from + sub_batch).min(batch.len()))?;
    }
    Ok(proposer.finish())
}

struct Proposer<'a, E: Execute> {
    executor: &'a E,
    batch: &'a [E::Transaction],
    state: Arc<BlockState>,
    hints: &'a mut Hints,
    builder: CanonicalBuilder,
    /// Finished transactions in block order: place in the batch, and what it gave.
    done: Vec<(usize, Ran)>,
    /// For each position that was used as [`Seen`] while running, the place in the block. A stray leaves its first
    /// position unused and gets one behind its sub-batch, so positions grow in block order.
    positions: Vec<u32>,
    executions: usize,
    strays: usize,
}

/// What is known of a transaction before it runs along the plan.
enum Planned {
    /// It was run speculatively.
    Speculated(Execution),
    /// It will conflict, and was spared.
    Spared,
}

/// The state of a transaction of the sub-batch after the second pass.
enum Todo {
    /// Its result holds.
    Keep,
    /// It runs, inside these bounds.
    Run(Confinement),
}

impl<E: Execute> Proposer<'_, E> {
    fn sub_batch(&mut self, from: usize, to: usize) -> Result<(), RunError> {
        let spared = self.choose_spared(from, to)?;
        let (planned, mut sets) = self.speculate(from, to, spared)?;
        let plan = self.builder.plan(&sets, &self.state);
        let todo = decide(&planned, &sets, &plan);
        let reruns = todo.iter().filter(|todo| matches!(todo, Todo::Run(_))).count();
        let first_position = self.positions.len() as u32;
        let reran = self.run_plan(from, &plan, &sets, &todo, first_position, reruns)?;
        let strays = self.collect(from, planned, &mut sets, reran);
        self.run_strays(&strays)?;
        self.note(reruns, to - from, strays.len());
        Ok(())
    }

    /// Pass 1, first half: which transactions are not worth a speculative run, and what they are guessed to touch.
    fn choose_spared(&self, from: usize, to: usize) -> Result<Vec<Option<AccessSet>>, RunError> {
        let mut spared: Vec<Option<AccessSet>> = Vec::new();
        spared.resize_with(to - from, || None);
        if !self.hints.is_contended() {
            return Ok(spared);
        }
        let mut changed: HashSet<Slot, RandomState> = HashSet::default();
        for (transaction, spared) in self.batch[from..to].iter().zip(&mut spared) {
            let Some(site) = self.executor.call_site(transaction) else { continue };
            let Some(guesses) = self.hints.guess(&site, &self.state)? else { continue };
            if guesses.iter().any(|guess| guess.reads && changed.contains(&guess.slot)) {
                *spared = Some(guessed_set(&guesses));
            }
            changed.extend(guesses.iter().filter(|guess| guess.kind != Kind::Read).map(|guess| guess.slot));
        }
        Ok(spared)
    }

    /// Pass 1, second half: runs all others against the present state.
    fn speculate(
        &mut self,
        from: usize,
        to: usize,
        spared: Vec<Option<AccessSet>>,
    ) -> Result<(Vec<Planned>, Vec<AccessSet>), RunError> {
        let (executor, batch, state) = (self.executor, self.batch, &self.state);
        let count = spared.iter().filter(|set| set.is_none()).count();
        self.executions += count;
        let run_chunk = |(chunk, spared): (usize, Vec<Option<AccessSet>>)| {
            let mut worker = Worker::new(executor, batch, state);
            let first = from + chunk * CHUNK;
            let run = |(offset, guessed): (usize, Option<AccessSet>)| match guessed {
                Some(set) => Ok((Planned::Spared, set)),
                None => worker.run(first + offset).map(|ran| (Planned::Speculated(ran.execution), ran.set)),
            };
            spared.into_iter().enumerate().map(run).collect::<Result<Vec<_>, RunError>>()
        };
        let mut spared = spared.into_iter();
        let chunks: Vec<_> = (0..(to - from).div_ceil(CHUNK))
            .map(|chunk| (chunk, spared.by_ref().take(CHUNK).collect::<Vec<_>>()))
            .collect();
        let chunks: Vec<_> = if count < PARALLEL_MIN {
            chunks.into_iter().map(run_chunk).collect::<Result<_, _>>()?
        } else {
            chunks.into_par_iter().map(run_chunk).collect::<Result<_, _>>()?
        };
        Ok(chunks.into_iter().flatten().unzip())
    }

    /// Pass 3: applies what is kept and runs the rest, each after those that it must follow. The answer has a result for
    /// each transaction that was run; a stray has none.
    fn run_plan(
        &mut self,
        from: usize,
        plan: &Canonical,
        sets: &[AccessSet],
        todo: &[Todo],
        first_position: u32,
        reruns: usize,
    ) -> Result<Vec<OnceLock<Result<Confined, RunError>>>, RunError> {
        self.executions += reruns;
        let results: Vec<OnceLock<_>> = todo.iter().map(|_| OnceLock::new()).collect();
        let (executor, batch, state) = (self.executor, self.batch, &self.state);
        let worker = || Worker::new(executor, batch, state);
        let run = |worker: &mut Worker<'_, E>, vertex: usize| {
            let position = Seen::transaction(first_position + vertex as u32);
            let Todo::Run(confinement) = &todo[vertex] else {
                state.apply(&sets[vertex], position);
                return;
            };
            let result = worker.run_confined(from + vertex, Some(confinement.clone()));
            if let Ok(Confined::Ran(ran)) = &result {
                state.apply(&ran.set, position);
            }
            // Every vertex runs once, so the cell is empty.
            let _ = results[vertex].set(result);
        };
        if is_worth_threads(plan, todo, reruns) {
            run_along(&plan.dag, worker, run);
        } else {
            let mut worker = worker();
            (0..todo.len()).for_each(|vertex| run(&mut worker, vertex));
        }
        Ok(results)
    }

    /// Puts the finished transactions behind one another and returns the strays, as places in the batch.
    fn collect(
        &mut self,
        from: usize,
        planned: Vec<Planned>,
        sets: &mut [AccessSet],
        reran: Vec<OnceLock<Result<Confined, RunError>>>,
    ) -> Vec<Result<usize, RunError>> {
        let mut strays = Vec::new();
        for (vertex, (planned, reran)) in planned.into_iter().zip(reran).enumerate() {
            let index = from + vertex;
            self.positions.push(self.done.len() as u32);
            match (planned, reran.into_inner()) {
                (Planned::Speculated(execution), None) => {
                    self.done.push((index, Ran { execution, set: std::mem::take(&mut sets[vertex]) }));
                }
                (_, Some(Ok(Confined::Ran(ran)))) => self.done.push((index, ran)),
                (_, Some(Ok(Confined::Strayed))) => strays.push(Ok(index)),
                (_, Some(Err(error))) => strays.push(Err(error)),
                (Planned::Spared, None) => strays.push(Ok(index)),
            }
        }
        strays
    }

    /// Runs the strays, one after another, behind everything else of the sub-batch.
    fn run_strays(&mut self, strays: &[Result<usize, RunError>]) -> Result<(), RunError> {
        let state = self.state.clone();
        let mut worker = Worker::new(self.executor, self.batch, &state);
        for stray in strays {
            let index = *stray.as_ref().map_err(Clone::clone)?;
            let ran = worker.run(index)?;
            let position = self.positions.len() as u32;
            self.positions.push(self.done.len() as u32);
            state.apply(&ran.set, Seen::transaction(position));
            self.done.push((index, ran));
            self.executions += 1;
            self.strays += 1;
        }
        Ok(())
    }

    /// Learns from the sub-batch that was just finished.
    fn note(&mut self, reruns: usize, transactions: usize, strays: usize) {
        let was_contended = self.hints.is_contended();
        self.hints.note_contention(reruns, transactions);
        // While guesses are right there is nothing to learn from them.
        if !self.hints.is_contended() || (was_contended && strays * 16 < transactions) {
            return;
        }
        for (index, ran) in &self.done[self.done.len() - transactions..] {
            if let Some(site) = self.executor.call_site(&self.batch[*index]) {
                self.hints.learn(&site, &ran.set, &self.state);
            }
        }
    }

    fn finish(mut self) -> BlockRun {
        let (mut order, mut executions) = (Vec::with_capacity(self.done.len()), Vec::with_capacity(self.done.len()));
        let mut sets = Vec::with_capacity(self.done.len());
        for (index, ran) in self.done {
            order.push(index);
            executions.push(ran.execution);
            sets.push(ran.set);
        }
        if self.strays > 0 {
            sets.par_iter_mut().with_min_len(256).for_each(|set| place_in_block(set, &self.positions));
        }
        let dag = self.builder.build(&sets, &self.state).dag;
        let stats = Stats { executions: self.executions, strays: self.strays, ..Stats::of(&dag, &executions) };
        BlockRun { order, executions, sets, dag, state: self.state, stats }
    }
}

/// Pass 2: whose result holds, and within which bounds the others run.
fn decide(planned: &[Planned], sets: &[AccessSet], plan: &Canonical) -> Vec<Todo> {
    let decide = |(vertex, planned): (usize, &Planned)| match planned {
        Planned::Speculated(_) if !plan.is_stale(vertex) => Todo::Keep,
        _ => Todo::Run(Confinement::to_set(&sets[vertex], |add| plan.commutes(vertex, add))),
    };
    planned.iter().enumerate().map(decide).collect()
}

/// Whether running along the plan gains by threads. Judged by the plan alone, so the same on every machine; the result
/// is the same either way.
fn is_worth_threads(plan: &Canonical, todo: &[Todo], reruns: usize) -> bool {
    if todo.len() < PARALLEL_MIN {
        return false;
    }
    // Keeping costs about a sixteenth of running.
    let cost = |vertex: usize| if matches!(todo[vertex], Todo::Run(_)) { 16 } else { 1 };
    let work = 15 * reruns as u64 + todo.len() as u64;
    let span = stats::span(&plan.dag, cost);
    4 * work >= 5 * span
}

/// The access set of a guess. Amounts of guessed adds are not known, so they are planned as writes.
fn guessed_set(guesses: &[Guess]) -> AccessSet {
    let touch = |guess: &Guess| {
        let kind = if guess.kind == Kind::Add { Kind::Write } else { guess.kind };
        let seen = if guess.reads || guess.kind == Kind::Add { Seen::PARENT } else { Seen::NOTHING };
        Touch { slot: guess.slot, kind, seen, present: false }
    };
    AccessSet { touches: guesses.iter().map(touch).collect(), ..AccessSet::default() }
}

/// Replaces positions used while running by places in the block.
fn place_in_block(set: &mut AccessSet, positions: &[u32]) {
    for touch in &mut set.touches {
        if let Some(position) = touch.seen.position() {
            touch.seen = Seen::transaction(positions[position as usize]);
        }
    }
}
