//! Running a block along its DAG: no speculation, no validation on the way, no abort.
//!
//! The DAG is another node's word. Replay runs safely under any well-formed DAG; whether the result may be believed is
//! for [`crate::verify()`] to say.

use std::sync::Arc;

use hanse_state::{AccessSet, BlockState, OnceSlice, Seen, StateView};
use hanse_types::Dag;
use parking_lot::Mutex;

use crate::BlockRun;
use crate::canonical::{CanonicalBuilder, Growing, Part};
use crate::execute::{Execute, Pass, RunError, Workers};
use crate::growth::Growth;
use crate::runner::run_along;
use crate::stats::Stats;

/// After so many transactions somebody looks whether the DAG can be carried on.
const GROW_EVERY: usize = 16;

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
    let executions = OnceSlice::new(transactions.len());
    let sets = OnceSlice::new(transactions.len());
    let growth = Growth::new(&sets, &state, Some((Growing::new(transactions.len()), Part::of_final())));
    let failed: Mutex<Option<(usize, RunError)>> = Mutex::new(None);
    run_along(dag, &workers, |worker, vertex| {
        let mut set = AccessSet::default();
        match worker.run(Pass::Ordered, vertex, &mut set) {
            Ok(execution) => {
                state.apply(&set, Seen::transaction(vertex as u32));
                executions.set(vertex, execution);
            }
            Err(error) => {
                let mut failed = failed.lock();
                // The first in block order, so that it does not depend on timing which of several is told of.
                if failed.as_ref().is_none_or(|(first, _)| vertex < *first) {
                    *failed = Some((vertex, error));
                }
            }
        }
        sets.set(vertex, set);
        if vertex.is_multiple_of(GROW_EVERY) {
            growth.go_on();
        }
    });
    if let Some((_, error)) = failed.into_inner() {
        return Err(error);
    }
    let grown = growth.finish().map(|(growing, _)| growing.finish());
    let all = "the runner runs every vertex of a well-formed DAG";
    let (executions, sets) = (executions.into_vec().expect(all), sets.into_vec().expect(all));
    let dag = grown.unwrap_or_else(|| CanonicalBuilder::default().build(&sets, &state).dag);
    let stats = Stats { executions: executions.len(), ..Stats::of(&dag, &executions) };
    Ok(BlockRun { order: (0..executions.len()).collect(), executions, sets, dag, state, stats })
}
