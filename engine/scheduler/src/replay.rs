//! Running a block along its DAG: no speculation, no validation on the way, no abort.
//!
//! The DAG is another node's word. Replay runs safely under any well-formed DAG; whether the result may be believed is
//! for [`crate::verify()`] to say.

use std::sync::{Arc, OnceLock};

use hanse_state::{AccessSet, BlockState, Seen, StateView};
use hanse_types::{Dag, Execution};
use parking_lot::Mutex;
use rayon::prelude::*;

use crate::BlockRun;
use crate::canonical::{CanonicalBuilder, Growing};
use crate::execute::{Execute, RunError, Workers};
use crate::runner::run_along;
use crate::stats::Stats;

/// After so many transactions somebody looks whether the DAG can be carried on.
const GROW_EVERY: usize = 16;

/// What became of a transaction.
struct Ran {
    result: Result<Execution, RunError>,
    set: AccessSet,
}

/// The canonical DAG of what was run so far, made by the threads that run the block, one of them at a time.
struct Growth<'a> {
    results: &'a [OnceLock<Box<Ran>>],
    state: &'a BlockState,
    /// None if the block is irregular.
    growing: Mutex<Option<Growing>>,
}

impl Growth<'_> {
    /// Takes in what is done up to the first transaction that is not, unless somebody is at it already.
    fn go_on(&self) {
        let Some(mut growing) = self.growing.try_lock() else { return };
        let Some(dag) = &mut *growing else { return };
        let done = self.results[dag.len()..].iter().take_while(|result| result.get().is_some()).count();
        let grown = dag.extend(dag.len() + done, |vertex| self.set(vertex), self.state);
        if grown.is_err() {
            *growing = None;
        }
    }

    fn set(&self, vertex: u32) -> &AccessSet {
        &self.results[vertex as usize].get().expect("only what is done is taken in").set
    }

    /// The DAG of the whole block, which is done; none if it is irregular.
    fn finish(self) -> Option<Dag> {
        self.go_on();
        self.growing.into_inner().map(Growing::finish)
    }
}

fn finish(ran: OnceLock<Box<Ran>>) -> (Result<Execution, RunError>, AccessSet) {
    let Ran { result, set } = *ran.into_inner().expect("the runner runs every vertex of a well-formed DAG");
    (result, set)
}

/// Runs the transactions of a block along a DAG. Call it inside the rayon pool on which it shall run.
///
/// The DAG of the answer is the canonical one of what was seen, not the one that was given.
///
/// # Errors
/// If the state can't be read, or the host fails inside a transaction.
///
/// # Panics
/// If the DAG has another number of vertices than there are transactions; the caller has compared them.
pub fn replay<E: Execute>(
    executor: &E,
    transactions: &[E::Transaction],
    dag: &Dag,
    parent: Arc<dyn StateView>,
) -> Result<BlockRun, RunError> {
    assert_eq!(dag.len(), transactions.len(), "the DAG has a vertex for each transaction");
    let state = Arc::new(BlockState::new(parent, 2 * transactions.len()));
    let workers = Workers::new(executor, transactions, state.clone());
    // Every vertex is run once, so its cell is empty until then; in boxes, so that a place costs little before.
    let results: Vec<OnceLock<Box<Ran>>> = transactions.iter().map(|_| OnceLock::new()).collect();
    let growth = Growth { results: &results, state: &state, growing: Mutex::new(Some(Growing::new(dag.len()))) };
    run_along(dag, &workers, |worker, vertex| {
        results[vertex].get_or_init(|| {
            let mut set = AccessSet::default();
            let result = worker.run(vertex, &mut set);
            if result.is_ok() {
                state.apply(&set, Seen::transaction(vertex as u32));
            }
            Box::new(Ran { result, set })
        });
        if vertex.is_multiple_of(GROW_EVERY) {
            growth.go_on();
        }
    });
    let grown = growth.finish();
    let (executions, sets): (Vec<_>, Vec<_>) = results.into_par_iter().with_min_len(256).map(finish).unzip();
    let executions: Vec<Execution> = executions.into_iter().collect::<Result<_, _>>()?;
    let dag = grown.unwrap_or_else(|| CanonicalBuilder::default().build(&sets, &state).dag);
    let stats = Stats { executions: executions.len(), ..Stats::of(&dag, &executions) };
    Ok(BlockRun { order: (0..executions.len()).collect(), executions, sets, dag, state, stats })
}
