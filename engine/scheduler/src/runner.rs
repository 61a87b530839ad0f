//! Runs the vertices of a DAG, each after its predecessors, on the rayon pool.
//!
//! A vertex has a counter of predecessors that are not done; who takes it to zero may run the vertex. A worker that
//! finishes a vertex goes on with one of its successors that became ready (whose keys are in its cache) and offers the
//! others to be stolen. Vertices without predecessors are handed out many at a time, so that cheap transactions do not
//! cost a task each; one without edges costs no atomic operation at all.

use std::sync::atomic::{AtomicU32, Ordering};

use hanse_types::Dag;
use rayon::Scope;

/// Most vertices of one task.
const CHUNK_MAX: usize = 64;

/// Lends each task what its thread works with.
pub trait Lend: Sync {
    /// What a thread works with.
    type Worker;

    /// Does something with a worker that nobody else has meanwhile.
    fn lend<R>(&self, act: impl FnOnce(&mut Self::Worker) -> R) -> R;
}

/// Calls `run` once for every vertex, after it was called for the vertex's predecessors. Must be called inside a rayon
/// pool.
pub fn run_along<L: Lend>(dag: &Dag, workers: &L, run: impl Fn(&mut L::Worker, usize) + Sync) {
    let graph = Graph::new(dag);
    let ready: Vec<u32> =
        (0..dag.len() as u32).filter(|vertex| dag.predecessors(*vertex as usize).is_empty()).collect();
    let chunk = (ready.len() / (4 * rayon::current_num_threads())).clamp(1, CHUNK_MAX);
    let job = Job { graph: &graph, workers, run: &run };
    rayon::scope(|scope| {
        for vertices in ready.chunks(chunk) {
            scope.spawn(move |scope| {
                job.workers.lend(|worker| vertices.iter().for_each(|vertex| job.run_from(scope, worker, *vertex)));
            });
        }
    });
}

/// Successors per vertex, and how many predecessors are not done.
struct Graph {
    offsets: Vec<u32>,
    successors: Vec<u32>,
    waiting: Vec<AtomicU32>,
}

impl Graph {
    fn new(dag: &Dag) -> Graph {
        let mut offsets = vec![0; dag.len() + 1];
        for vertex in 0..dag.len() {
            for predecessor in dag.predecessors(vertex) {
                offsets[*predecessor as usize + 1] += 1;
            }
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut next = offsets.clone();
        let mut successors = vec![0; dag.edge_count()];
        for vertex in 0..dag.len() {
            for predecessor in dag.predecessors(vertex) {
                let at = &mut next[*predecessor as usize];
                successors[*at as usize] = vertex as u32;
                *at += 1;
            }
        }
        let waiting = (0..dag.len()).map(|vertex| AtomicU32::new(dag.predecessors(vertex).len() as u32)).collect();
        Graph { offsets, successors, waiting }
    }

    fn successors(&self, vertex: u32) -> &[u32] {
        &self.successors[self.offsets[vertex as usize] as usize..self.offsets[vertex as usize + 1] as usize]
    }

    /// Notes that one more predecessor is done; whether it was the last.
    fn release(&self, vertex: u32) -> bool {
        // Release: what the predecessor wrote happens before the count; acquire: and is seen by who runs the vertex.
        self.waiting[vertex as usize].fetch_sub(1, Ordering::AcqRel) == 1
    }
}

struct Job<'a, L, R> {
    graph: &'a Graph,
    workers: &'a L,
    run: &'a R,
}

impl<L, R> Clone for Job<'_, L, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, R> Copy for Job<'_, L, R> {}

impl<'a, L: Lend, R: Fn(&mut L::Worker, usize) + Sync> Job<'a, L, R> {
    /// Runs a vertex, then one of those that became ready, and so on.
    fn run_from<'s>(self, scope: &Scope<'s>, worker: &mut L::Worker, first: u32)
    where
        'a: 's,
    {
        let mut next = Some(first);
        while let Some(vertex) = next.take() {
            (self.run)(worker, vertex as usize);
            for successor in self.graph.successors(vertex) {
                if !self.graph.release(*successor) {
                    continue;
                }
                if next.is_none() {
                    next = Some(*successor);
                    continue;
                }
                let successor = *successor;
                scope.spawn(move |scope| self.workers.lend(|worker| self.run_from(scope, worker, successor)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::AtomicBool;

    struct Nothing;

    impl Lend for Nothing {
        type Worker = ();

        fn lend<R>(&self, act: impl FnOnce(&mut ()) -> R) -> R {
            act(&mut ())
        }
    }

    #[test]
    fn every_vertex_runs_once_after_its_predecessors() {
        let rows: Vec<Vec<u32>> = (0..500u32)
            .map(|vertex| {
                let mut row: Vec<u32> =
                    (1..vertex).filter(|other| vertex % other == 0 || vertex - other == 7).collect();
                row.sort_unstable();
                row
            })
            .collect();
        let dag = Dag::from_rows(&rows).unwrap();
        for threads in [1, 2, 8] {
            let done: Vec<AtomicBool> = (0..500).map(|_| AtomicBool::new(false)).collect();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                run_along(&dag, &Nothing, |(), vertex| {
                    assert!(rows[vertex].iter().all(|other| done[*other as usize].load(Ordering::SeqCst)));
                    assert!(!done[vertex].swap(true, Ordering::SeqCst));
                });
            });
            assert!(done.iter().all(|flag| flag.load(Ordering::SeqCst)));
        }
    }
}
