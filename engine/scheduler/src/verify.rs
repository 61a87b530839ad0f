//! Whether a replayed block's DAG is the canonical one, and where it first is not.

use std::fmt;

use hanse_types::Dag;
use thiserror::Error;

use crate::BlockRun;

/// The first way in which a block's DAG differs from the canonical one of what a replay saw.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Difference {
    /// The DAG has not a vertex for each transaction.
    #[error("the block's DAG has {found} vertices for {expected} transactions")]
    Vertices {
        /// In the block.
        found: usize,
        /// Transactions of the block.
        expected: usize,
    },
    /// Two transactions must be ordered by an edge that the block does not have.
    #[error("the block's DAG lacks the edge from transaction {from} to {to}, which both touch {key}")]
    MissingEdge {
        /// The earlier transaction.
        from: u32,
        /// The later transaction.
        to: u32,
        /// A key that makes the edge.
        key: SharedKey,
    },
    /// The block has an edge that nothing asks for.
    #[error("the block's DAG has an edge from transaction {from} to {to}, which nothing asks for")]
    ExtraEdge {
        /// The earlier transaction.
        from: u32,
        /// The later transaction.
        to: u32,
    },
}

/// A key that two transactions touch, or none where the edge comes of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKey(pub Option<Vec<u8>>);

impl fmt::Display for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("a scanned range"),
            Some(key) => key.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// Accepts a block's DAG if it is the canonical one of what its replay saw.
///
/// # Errors
/// The first difference, in block order.
pub fn verify(block: &Dag, replayed: &BlockRun) -> Result<(), Difference> {
    let canonical = &replayed.dag;
    if block.len() != canonical.len() {
        return Err(Difference::Vertices { found: block.len(), expected: canonical.len() });
    }
    if block == canonical {
        return Ok(());
    }
    for vertex in 0..block.len() {
        let (found, expected) = (block.predecessors(vertex), canonical.predecessors(vertex));
        let to = vertex as u32;
        if let Some(from) = expected.iter().find(|from| !found.contains(from)) {
            return Err(Difference::MissingEdge { from: *from, to, key: shared_key(replayed, *from, to) });
        }
        if let Some(from) = found.iter().find(|from| !expected.contains(from)) {
            return Err(Difference::ExtraEdge { from: *from, to });
        }
    }
    Ok(())
}

fn shared_key(run: &BlockRun, from: u32, to: u32) -> SharedKey {
    let (from, to) = (&run.sets[from as usize], &run.sets[to as usize]);
    let shared = from.touches.iter().find(|touch| to.touches.iter().any(|other| other.slot == touch.slot));
    SharedKey(shared.map(|touch| run.state.key(touch.slot).to_vec()))
}
