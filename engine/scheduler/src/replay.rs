//! Running a block along its DAG: no speculation, no validation on the way, no abort.
//!
//! The DAG is another node's word. Replay runs safely under any well-formed DAG; whether the result may be believed is
//! for [`crate::verify()`] to say.

use std::sync::{Arc, OnceLock};

use hanse_state::{BlockState, Seen, StateView};
use hanse_types::Dag;

use crate::BlockRun;
use crate::canonical::CanonicalBuilder;
use crate::execute::{Execute, Ran, RunError, Worker};
use crate::runner::run_along;
use crate::stats::Stats;

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
    // In boxes, so that a place costs little before it is filled.
    let results: Vec<OnceLock<Result<Box<Ran>, RunError>>> = transactions.iter().map(|_| OnceLock::new()).collect();
    run_along(
        dag,
        || Worker::new(executor, transactions, &state),
        |worker, vertex| {
            let result = worker.run(vertex).map(Box::new);
            if let Ok(ran) = &result {
                state.apply(&ran.set, Seen::transaction(vertex as u32));
            }
            // Every vertex runs once, so the cell is empty.
            let _ = results[vertex].set(result);
        },
    );
    let (mut executions, mut sets) = (Vec::with_capacity(results.len()), Vec::with_capacity(results.len()));
    for result in results {
        let ran = result.into_inner().expect("the runner runs every vertex of a well-formed DAG")?;
        let Ran { execution, set } = *ran;
        executions.push(execution);
        sets.push(set);
    }
    let dag = CanonicalBuilder::default().build(&sets, &state).dag;
    let stats = Stats { executions: executions.len(), ..Stats::of(&dag, &executions) };
    Ok(BlockRun { order: (0..executions.len()).collect(), executions, sets, dag, state, stats })
}
