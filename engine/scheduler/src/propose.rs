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
use crate::canonical::{Canonical, CanonicalBuilder, Growing};
use crate::execute::{Confined, Execute, RunError, Worker, Workers};
use crate::predict::{Guess, Hints};
use crate::runner::{Lend, run_along};
use crate::stats::{self, Stats};

/// Transactions of a sub-batch. Small enough that a contended block learns early, large enough that the pauses between
/// passes do not show. Part of the node's behaviour, not of the protocol.
pub const SUB_BATCH: usize = 1_024;
/// Speculative transactions of one task.
const CHUNK: usize = 16;
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
        workers: Workers::new(executor, batch, state.clone()),
        state,
        hints,
        builder: CanonicalBuilder::default(),
        growing: Some(Growing::new(batch.len())),
        order: Vec::with_capacity(batch.len()),
        executions: Vec::with_capacity(batch.len()),
        sets: Vec::with_capacity(batch.len()),
        positions: Vec::with_capacity(batch.len()),
        runs: 0,
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
    workers: Workers<'a, E>,
    state: Arc<BlockState>,
    hints: &'a mut Hints,
    builder: CanonicalBuilder,
    /// The canonical DAG so far, which is the plan of the sub-batch under way too; none if the block is irregular.
    growing: Option<Growing>,
    /// Places in the batch of finished transactions, in block order; what they gave; and what they touched, with those
    /// of the sub-batch under way behind.
    order: Vec<usize>,
    executions: Vec<Execution>,
    sets: Vec<AccessSet>,
    /// For each position that was used as [`Seen`] while running, the place in the block. A stray leaves its first
    /// position unused and gets one behind its sub-batch, so positions grow in block order.
    positions: Vec<u32>,
    runs: usize,
    strays: usize,
}

/// A transaction that runs along the plan, inside these bounds.
struct Rerun {
    vertex: usize,
    bounds: Confinement,
    result: OnceLock<(Result<Confined, RunError>, AccessSet)>,
}

/// What is done with each transaction along the plan: its place among the reruns, or [`KEEP`].
type Todo = Vec<u32>;

/// Its result holds; only its writes are applied.
const KEEP: u32 = u32::MAX;

impl<E: Execute> Proposer<'_, E> {
    fn sub_batch(&mut self, from: usize, to: usize) -> Result<(), RunError> {
        let base = self.sets.len();
        self.sets.resize_with(base + to - from, AccessSet::default);
        let spared = self.choose_spared(from, to, base)?;
        let mut executions = self.speculate(from, to, base, &spared)?;
        let plan = self.plan(base, spared.is_empty());
        let (todo, reruns) = decide(&executions, &self.sets[base..], &plan);
        self.run_plan(from, base, &plan, &todo, &reruns);
        let rerun_count = reruns.len();
        let strays = self.collect(from, base, &mut executions, reruns)?;
        self.finish_sub_batch(from, base, executions, &strays)?;
        self.note(rerun_count, to - from, strays.len());
        Ok(())
    }

    /// Pass 1, first half: which transactions are not worth a speculative run. What they are guessed to touch stands in
    /// for their access sets. Empty if all are worth it.
    fn choose_spared(&mut self, from: usize, to: usize, base: usize) -> Result<Vec<bool>, RunError> {
        if !self.hints.is_contended() {
            return Ok(Vec::new());
        }
        let mut spared = vec![false; to - from];
        let mut changed: HashSet<Slot, RandomState> = HashSet::default();
        for (offset, transaction) in self.batch[from..to].iter().enumerate() {
            let Some(site) = self.executor.call_site(transaction) else { continue };
            let Some(guesses) = self.hints.guess(&site, &self.state)? else { continue };
            if guesses.iter().any(|guess| guess.reads && changed.contains(&guess.slot)) {
                spared[offset] = true;
                self.sets[base + offset] = guessed_set(&guesses);
            }
            changed.extend(guesses.iter().filter(|guess| guess.kind != Kind::Read).map(|guess| guess.slot));
        }
        Ok(spared)
    }

    /// Pass 1, second half: runs all others against the present state. The answer has what each gave, none for those
    /// that were spared.
    fn speculate(
        &mut self,
        from: usize,
        to: usize,
        base: usize,
        spared: &[bool],
    ) -> Result<Vec<Option<Execution>>, RunError> {
        let workers = &self.workers;
        let is_spared = |offset: usize| spared.get(offset).copied().unwrap_or(false);
        let count = (0..to - from).filter(|offset| !is_spared(*offset)).count();
        self.runs += count;
        let mut executions: Vec<Option<Execution>> = Vec::new();
        executions.resize_with(to - from, || None);
        let run_chunk = |(chunk, (executions, sets)): (usize, (&mut [Option<Execution>], &mut [AccessSet]))| {
            workers.lend(|worker| {
                for (place, (execution, set)) in executions.iter_mut().zip(sets).enumerate() {
                    let offset = chunk * CHUNK + place;
                    if !is_spared(offset) {
                        *execution = Some(worker.run(from + offset, set)?);
                    }
                }
                Ok::<(), RunError>(())
            })
        };
        let sets = &mut self.sets[base..];
        if count < PARALLEL_MIN {
            executions.chunks_mut(CHUNK).zip(sets.chunks_mut(CHUNK)).enumerate().try_for_each(run_chunk)?;
        } else {
            let executions = executions.par_chunks_mut(CHUNK).zip(sets.par_chunks_mut(CHUNK));
            executions.enumerate().try_for_each(run_chunk)?;
        }
        Ok(executions)
    }

    /// Pass 2, first half: the order of the sub-batch. `is_seen` says that all access sets were seen, none is a guess.
    fn plan(&mut self, base: usize, is_seen: bool) -> Canonical {
        let growing = self.growing.take().filter(|_| is_seen);
        if let Some(mut growing) = growing
            && let Ok(plan) = growing.plan(&self.sets, &self.state)
        {
            self.growing = Some(growing);
            return plan;
        }
        self.builder.plan(&self.sets[base..], &self.state)
    }

    /// Pass 3: applies what is kept and runs the rest, each after those that it must follow.
    fn run_plan(&mut self, from: usize, base: usize, plan: &Canonical, todo: &Todo, reruns: &[Rerun]) {
        self.runs += reruns.len();
        let (workers, state) = (&self.workers, &self.state);
        let (sets, first_position) = (&self.sets[base..], self.positions.len() as u32);
        let run = |worker: &mut Worker<'_, E>, vertex: usize| {
            let position = Seen::transaction(first_position + vertex as u32);
            if todo[vertex] == KEEP {
                state.apply(&sets[vertex], position);
                return;
            }
            let rerun = &reruns[todo[vertex] as usize];
            let mut set = AccessSet::default();
            let result = worker.run_confined(from + vertex, Some(rerun.bounds.clone()), &mut set);
            if let Ok(Confined::Ran(_)) = &result {
                state.apply(&set, position);
            }
            // Every vertex runs once, so the cell is empty.
            let _ = rerun.result.set((result, set));
        };
        if is_worth_threads(plan, todo, reruns.len()) {
            run_along(&plan.dag, workers, run);
        } else {
            workers.lend(|worker| (0..todo.len()).for_each(|vertex| run(worker, vertex)));
        }
    }

    /// Puts the results of reruns in the places of the speculative ones. Returns the strays, as vertices.
    fn collect(
        &mut self,
        from: usize,
        base: usize,
        executions: &mut [Option<Execution>],
        reruns: Vec<Rerun>,
    ) -> Result<Vec<usize>, RunError> {
        let mut strays = Vec::new();
        for Rerun { vertex, result, .. } in reruns {
            let lost = || RunError::Panicked { index: from + vertex, message: "it was not run".into() };
            let (result, set) = result.into_inner().ok_or_else(lost)?;
            match result? {
                Confined::Ran(execution) => {
                    if !set.has_shape_of(&self.sets[base + vertex]) {
                        self.growing = None;
                    }
                    self.sets[base + vertex] = set;
                    executions[vertex] = Some(execution);
                }
                Confined::Strayed => {
                    executions[vertex] = None;
                    strays.push(vertex);
                    self.growing = None;
                }
            }
        }
        Ok(strays)
    }

    /// Gives every transaction of the sub-batch its place in the block, strays behind all others, where they run one
    /// after another.
    fn finish_sub_batch(
        &mut self,
        from: usize,
        base: usize,
        executions: Vec<Option<Execution>>,
        strays: &[usize],
    ) -> Result<(), RunError> {
        for (vertex, execution) in executions.into_iter().enumerate() {
            self.positions.push(self.order.len() as u32);
            let Some(execution) = execution else { continue };
            if self.order.len() != base + vertex {
                self.sets[self.order.len()] = std::mem::take(&mut self.sets[base + vertex]);
            }
            self.order.push(from + vertex);
            self.executions.push(execution);
        }
        self.sets.truncate(self.order.len());

        for stray in strays {
            let mut set = AccessSet::default();
            let execution = self.workers.lend(|worker| worker.run(from + stray, &mut set))?;
            let position = self.positions.len() as u32;
            self.positions.push(self.order.len() as u32);
            self.state.apply(&set, Seen::transaction(position));
            self.order.push(from + stray);
            self.executions.push(execution);
            self.sets.push(set);
            self.runs += 1;
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
        let first = self.order.len() - transactions;
        for (index, set) in self.order[first..].iter().zip(&self.sets[first..]) {
            if let Some(site) = self.executor.call_site(&self.batch[*index]) {
                self.hints.learn(&site, set, &self.state);
            }
        }
    }

    fn finish(mut self) -> BlockRun {
        if self.strays > 0 {
            self.sets.par_iter_mut().with_min_len(256).for_each(|set| place_in_block(set, &self.positions));
        }
        let dag = match self.growing {
            Some(growing) => growing.finish(),
            None => self.builder.build(&self.sets, &self.state).dag,
        };
        let stats = Stats { executions: self.runs, strays: self.strays, ..Stats::of(&dag, &self.executions) };
        BlockRun { order: self.order, executions: self.executions, sets: self.sets, dag, state: self.state, stats }
    }
}

/// Pass 2: whose result holds, and within which bounds the others run.
fn decide(executions: &[Option<Execution>], sets: &[AccessSet], plan: &Canonical) -> (Todo, Vec<Rerun>) {
    let mut reruns = Vec::new();
    let decide = |(vertex, execution): (usize, &Option<Execution>)| {
        if execution.is_some() && !plan.is_stale(vertex) {
            return KEEP;
        }
        let bounds = Confinement::to_set(&sets[vertex], |add| plan.commutes(vertex, add));
        reruns.push(Rerun { vertex, bounds, result: OnceLock::new() });
        reruns.len() as u32 - 1
    };
    let todo = executions.iter().enumerate().map(decide).collect();
    (todo, reruns)
}

/// Whether running along the plan gains by threads. Judged by the plan alone, so the same on every machine; the result
/// is the same either way.
fn is_worth_threads(plan: &Canonical, todo: &Todo, reruns: usize) -> bool {
    if todo.len() < PARALLEL_MIN {
        return false;
    }
    if reruns * 16 < todo.len() {
        return true;
    }
    // Keeping costs about a sixteenth of running.
    let cost = |vertex: usize| if todo[vertex] == KEEP { 1 } else { 16 };
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
