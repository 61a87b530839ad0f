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
//! determined too. Each transaction costs at most one speculation, one confined run, and one run in the tail.
//!
//! Where the last sub-batch was a chain, each transaction needing what the one before it left, no plan can gain anything,
//! and the next is simply run **in order**: once for each transaction, without guesses, until its DAG shows that threads
//! are worth their while again.
//!
//! The result is a function of the batch, the state and the hints: the same on one thread and on many.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use hanse_state::{AccessSet, BlockState, Confinement, Kind, OnceSlice, Seen, Slot, StateView, Touch};
use hanse_types::Execution;
use rayon::prelude::*;

use crate::BlockRun;
use crate::canonical::{Canonical, CanonicalBuilder, Growing, Part};
use crate::execute::{Confined, Execute, Pass, RunError, Worker, Workers};
use crate::growth::Growth;
use crate::predict::{Guess, Hints};
use crate::runner::{Lend, run_along};
use crate::stats::{self, Stats};

/// Transactions of a sub-batch. Small enough that a contended block learns early, large enough that the pauses between
/// passes do not show. Part of the node's behaviour, not of the protocol.
pub const SUB_BATCH: usize = 1_024;
/// Transactions of the first sub-batch while nothing is known of the workload; each has twice as many as the one before.
const FIRST_SUB_BATCH: usize = 64;
/// Transactions of one task.
const CHUNK: usize = 16;
/// Transactions that are run in order while the DAG of those before is made.
const IN_ORDER_CHUNK: usize = 256;
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
        executions: OnceSlice::new(batch.len()),
        sets: OnceSlice::new(batch.len()),
        positions: Vec::with_capacity(batch.len()),
        runs: 0,
        strays: 0,
    };
    let mut size = if proposer.hints.is_cold() { FIRST_SUB_BATCH.min(sub_batch) } else { sub_batch };
    let mut from = 0;
    while from < batch.len() {
        let to = (from + size).min(batch.len());
        proposer.sub_batch(from, to)?;
        (from, size) = (to, (2 * size).min(sub_batch));
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
    /// Places in the batch of finished transactions, in block order.
    order: Vec<usize>,
    /// What each gave and touched, by its place in the block; those of the sub-batch under way stand behind the others.
    executions: OnceSlice<Execution>,
    sets: OnceSlice<AccessSet>,
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
        if self.hints.is_chained() {
            return self.run_in_order(from, to);
        }
        // A transaction's place in the block, unless one before it strays, is as far from `base` as from `from`.
        let base = self.order.len();
        let spared = self.choose_spared(from, to, base)?;
        let grown = self.speculate(from, to, base, &spared)?;
        let plan = self.plan(base, to - from, grown);
        let (todo, reruns) = self.decide(base, &plan);
        let rerun_count = reruns.len();
        let is_parallel = is_worth_threads(&plan, &todo, rerun_count);
        self.run_plan(from, base, &plan, &todo, &reruns, is_parallel);
        let strays = self.collect(from, base, reruns)?;
        self.place(from, to, base, &strays)?;
        self.note(rerun_count, to - from, strays.len(), is_parallel);
        Ok(())
    }

    /// Runs every transaction of the sub-batch on top of the one before.
    fn run_in_order(&mut self, from: usize, to: usize) -> Result<(), RunError> {
        let base = self.order.len();
        for start in (from..to).step_by(IN_ORDER_CHUNK) {
            let end = (start + IN_ORDER_CHUNK).min(to);
            let growing = self.growing.take();
            let done = self.order.len();
            let (ran, grown) = rayon::join(|| self.run_chunk_in_order(start, end), || self.grow(growing, done));
            ran?;
            self.growing = grown;
            self.positions.extend(done as u32..(done + end - start) as u32);
            self.order.extend(start..end);
        }
        self.runs += to - from;
        let growing = self.growing.take();
        self.growing = self.grow(growing, self.order.len());
        let span = match &self.growing {
            Some(growing) => growing.span_from(base),
            None => {
                let sets = self.sets.slice(base..self.order.len()).expect("finished transactions have access sets");
                stats::span(&self.builder.plan(sets, &self.state).dag, |_| 1)
            }
        };
        self.hints.note_chain(4 * ((to - from) as u64) < 5 * span);
        Ok(())
    }

    fn run_chunk_in_order(&self, from: usize, to: usize) -> Result<(), RunError> {
        let (place, position) = (self.order.len(), self.positions.len());
        self.workers.lend(|worker| {
            for offset in 0..to - from {
                let mut set = AccessSet::default();
                let execution = worker.run(Pass::Alone, from + offset, &mut set)?;
                self.state.apply(&set, Seen::transaction((position + offset) as u32));
                self.sets.set(place + offset, set);
                self.executions.set(place + offset, execution);
            }
            Ok(())
        })
    }

    /// Takes finished transactions into the DAG, up to a place in the block.
    fn grow(&self, growing: Option<Growing>, to: usize) -> Option<Growing> {
        let mut growing = growing?;
        let set = |place: u32| self.sets.get(place as usize).expect("finished transactions have access sets");
        growing.extend(to, &mut Part::of_final(), set, &self.state).ok().map(|()| growing)
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
                self.sets.set(base + offset, guessed_set(&guesses));
            }
            changed.extend(guesses.iter().filter(|guess| guess.kind != Kind::Read).map(|guess| guess.slot));
        }
        Ok(spared)
    }

    /// Pass 1, second half: runs all others against the present state. Unless the block is irregular, its DAG with the
    /// sub-batch as its last part.
    fn speculate(
        &mut self,
        from: usize,
        to: usize,
        base: usize,
        spared: &[bool],
    ) -> Result<Option<(Growing, Part)>, RunError> {
        let is_spared = |offset: usize| spared.get(offset).copied().unwrap_or(false);
        let count = (0..to - from).filter(|offset| !is_spared(*offset)).count();
        self.runs += count;
        let (workers, sets, executions) = (&self.workers, &self.sets, &self.executions);
        // A guess is no access set that the DAG could be made of.
        let growing = self.growing.take().filter(|_| spared.is_empty());
        let growth = Growth::new(sets, &self.state, growing.map(with_part));
        let run_chunk = |chunk: usize| {
            workers.lend(|worker| {
                let offsets = chunk * CHUNK..((chunk + 1) * CHUNK).min(to - from);
                for offset in offsets.filter(|offset| !is_spared(*offset)) {
                    let mut set = AccessSet::default();
                    let execution = worker.speculate(from as u32, from + offset, &mut set)?;
                    sets.set(base + offset, set);
                    executions.set(base + offset, execution);
                }
                growth.go_on();
                Ok::<(), RunError>(())
            })
        };
        let chunks = (to - from).div_ceil(CHUNK);
        if count < PARALLEL_MIN {
            (0..chunks).try_for_each(run_chunk)?;
        } else {
            (0..chunks).into_par_iter().try_for_each(run_chunk)?;
        }
        Ok(growth.finish())
    }

    /// Pass 2, first half: the order of the sub-batch.
    fn plan(&mut self, base: usize, count: usize, grown: Option<(Growing, Part)>) -> Canonical {
        if let Some((mut growing, part)) = grown {
            let plan = growing.plan(part);
            self.growing = Some(growing);
            return plan;
        }
        let sets = self.sets.slice(base..base + count).expect("every transaction was run, or its access set guessed");
        self.builder.plan(sets, &self.state)
    }

    /// Pass 2, second half: whose result holds, and within which bounds the others run.
    fn decide(&self, base: usize, plan: &Canonical) -> (Todo, Vec<Rerun>) {
        let mut reruns = Vec::new();
        let decide = |vertex: usize| {
            if self.executions.get(base + vertex).is_some() && !plan.is_stale(vertex) {
                return KEEP;
            }
            let set = self.sets.get(base + vertex).expect("a plan is made of access sets");
            let bounds = Confinement::to_set(set, |add| plan.commutes(vertex, add));
            reruns.push(Rerun { vertex, bounds, result: OnceLock::new() });
            reruns.len() as u32 - 1
        };
        let todo = (0..plan.dag.len()).map(decide).collect();
        (todo, reruns)
    }

    /// Pass 3: applies what is kept and runs the rest, each after those that it must follow.
    fn run_plan(
        &mut self,
        from: usize,
        base: usize,
        plan: &Canonical,
        todo: &Todo,
        reruns: &[Rerun],
        is_parallel: bool,
    ) {
        self.runs += reruns.len();
        let (workers, state) = (&self.workers, &self.state);
        let sets = self.sets.slice(base..base + todo.len()).expect("a plan is made of access sets");
        let first_position = self.positions.len() as u32;
        let run = |worker: &mut Worker<'_, E>, vertex: usize| {
            let position = Seen::transaction(first_position + vertex as u32);
            if todo[vertex] == KEEP {
                state.apply(&sets[vertex], position);
                return;
            }
            let rerun = &reruns[todo[vertex] as usize];
            let mut set = AccessSet::default();
            let result = worker.run_confined(from + vertex, rerun.bounds.clone(), &mut set);
            if let Ok(Confined::Ran(_)) = &result {
                state.apply(&set, position);
            }
            // Every vertex runs once, so the cell is empty.
            let _ = rerun.result.set((result, set));
        };
        if is_parallel {
            run_along(&plan.dag, workers, run);
        } else {
            workers.lend(|worker| (0..todo.len()).for_each(|vertex| run(worker, vertex)));
        }
    }

    /// Puts the results of reruns in the places of the speculative ones. Returns the strays, as vertices.
    fn collect(&mut self, from: usize, base: usize, reruns: Vec<Rerun>) -> Result<Vec<usize>, RunError> {
        let mut strays = Vec::new();
        for Rerun { vertex, result, .. } in reruns {
            let lost = || RunError::Panicked { index: from + vertex, message: "it was not run".into() };
            let (result, set) = result.into_inner().ok_or_else(lost)?;
            let planned = self.sets.take(base + vertex);
            match result? {
                Confined::Ran(execution) => {
                    if planned.is_none_or(|planned| !set.has_shape_of(&planned)) {
                        self.growing = None;
                    }
                    self.sets.set(base + vertex, set);
                    self.executions.replace(base + vertex, execution);
                }
                Confined::Strayed => {
                    self.executions.take(base + vertex);
                    self.growing = None;
                    strays.push(vertex);
                }
            }
        }
        Ok(strays)
    }

    /// Gives every transaction of the sub-batch its place in the block, strays behind all others, where they run one
    /// after another.
    fn place(&mut self, from: usize, to: usize, base: usize, strays: &[usize]) -> Result<(), RunError> {
        if strays.is_empty() {
            self.positions.extend(base as u32..(base + to - from) as u32);
            self.order.extend(from..to);
            return Ok(());
        }
        for vertex in 0..to - from {
            let place = self.order.len();
            self.positions.push(place as u32);
            let ran = self.executions.take(base + vertex).zip(self.sets.take(base + vertex));
            let Some((execution, set)) = ran else { continue };
            self.executions.set(place, execution);
            self.sets.set(place, set);
            self.order.push(from + vertex);
        }
        for stray in strays {
            let mut set = AccessSet::default();
            let execution = self.workers.lend(|worker| worker.run(Pass::Alone, from + stray, &mut set))?;
            self.state.apply(&set, Seen::transaction(self.positions.len() as u32));
            let place = self.order.len();
            self.positions.push(place as u32);
            self.executions.set(place, execution);
            self.sets.set(place, set);
            self.order.push(from + stray);
            self.runs += 1;
            self.strays += 1;
        }
        Ok(())
    }

    /// Learns from the sub-batch that was just finished.
    fn note(&mut self, reruns: usize, transactions: usize, strays: usize, is_parallel: bool) {
        let was_contended = self.hints.is_contended();
        self.hints.note_contention(reruns, transactions);
        if !self.hints.is_contended() {
            return;
        }
        self.hints.note_chain(!is_parallel && transactions >= PARALLEL_MIN);
        // While guesses are right there is nothing to learn from them.
        if was_contended && strays * 16 < transactions {
            return;
        }
        let first = self.order.len() - transactions;
        let sets = self.sets.slice(first..self.order.len()).expect("finished transactions have access sets");
        for (index, set) in self.order[first..].iter().zip(sets) {
            if let Some(site) = self.executor.call_site(&self.batch[*index]) {
                self.hints.learn(&site, set, &self.state);
            }
        }
    }

    fn finish(self) -> BlockRun {
        let all = "every transaction has its place in the block";
        let (executions, mut sets) = (self.executions.into_vec().expect(all), self.sets.into_vec().expect(all));
        if self.strays > 0 {
            sets.par_iter_mut().with_min_len(256).for_each(|set| place_in_block(set, &self.positions));
        }
        let mut builder = self.builder;
        let dag = match self.growing {
            Some(growing) => growing.finish(),
            None => builder.build(&sets, &self.state).dag,
        };
        let stats = Stats { executions: self.runs, strays: self.strays, ..Stats::of(&dag, &executions) };
        BlockRun { order: self.order, executions, sets, dag, state: self.state, stats }
    }
}

fn with_part(growing: Growing) -> (Growing, Part) {
    let part = growing.part();
    (growing, part)
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
