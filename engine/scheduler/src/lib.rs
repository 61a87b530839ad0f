//! Run one block: speculate, order, replay, prove.
//!
//! A batch of transactions becomes a block in [`propose()`]; any other node runs that block along its DAG in [`replay()`]
//! and accepts it in [`verify()`] only if it could not have been run otherwise. The result of both is that of a plain
//! loop over the transactions in block order ([`serial`]), on any number of threads.
//!
//! # Terms
//!
//! - The **access set** of a transaction: keys read (absent ones too) and ranges scanned, keys written, keys added to.
//! - Two transactions **conflict** if one writes what the other reads or writes, adds to what the other reads or writes,
//!   or writes or adds to a key inside a range that the other scanned. Two adds of one key do not conflict as long as no
//!   order of the block's adds can take the key out of its bounds.
//! - The **canonical DAG** of a block has an edge, or a path, from the earlier to the later of every conflicting pair.
//!   [`canonical`] defines exactly which edges; it is a pure function of the block's access sets and the values before.
//!
//! # The claim
//!
//! Let a node replay a block along `block.dag` and record the access sets `R`. If the canonical DAG of `R` is
//! `block.dag`, then `R`, every receipt and the state are what a serial run in block order gives.
//!
//! *Proof*, by induction over the block order, and inside a transaction `t` over its reads. Let `w` be the last writer,
//! in block order, of the key that `t` reads now. By induction `w`'s writes in `R` are the serial ones; `t` has read the
//! serial values so far, so it is reading the same key that it reads serially, and `(w, t)` is a conflicting pair of `R`.
//! So the canonical DAG, which is the block's, has a path from `w` to `t`, and `w` had been applied before `t` ran. Any
//! later writer of the key has a path *from* `t`, as they conflict too, and had not started. So `t` read what `w` left. A
//! scan is a read of every key of its range that the block writes, and of the absence of all others.
//!
//! *Adds.* Let `a` be the adds of a key between two writes of it (or before the first). If they commute, every subset of
//! them leaves the key within every bound, so each passes its check whenever it runs, as it does serially; nothing else
//! depends on their order, for a reader has paths to and from all of them. If they do not commute they count as reads and
//! writes, and the argument above holds. Which is the case is decided from `R` and the values before, by every node alike.
//! Could a false DAG make adds that do not commute look as if they did? An add that failed for want of order left a
//! *read*, which demands edges; one that passed for want of order is in the sum that shows that they do not commute,
//! which demands edges. Either way the canonical DAG of `R` is not the block's. ∎
//!
//! So a proposer that leaves an edge out, or adds one to slow others down, is refused by every honest validator, and no
//! honest validator accepts a result that depends on its threads' timing.
//!
//! # What this crate does not know
//!
//! What a transaction is: it asks an [`Execute`]. What a block looks like in full, what is hashed, who agrees. It reads
//! no clock and draws no random numbers. It runs on the rayon pool in which it is called.
//!
//! Start reading at [`canonical`], then [`propose()`].

pub mod canonical;
pub mod execute;
mod growth;
pub mod predict;
pub mod propose;
pub mod replay;
pub mod runner;
pub mod serial;
pub mod stats;
pub mod verify;

pub use execute::{CallSite, Execute, Pass, RunError};
pub use predict::Hints;
pub use propose::{propose, propose_in};
pub use replay::replay;
pub use serial::{Serial, run_serial};
pub use stats::Stats;
pub use verify::{Difference, verify};

use std::sync::Arc;

use hanse_state::{AccessSet, BlockState, ChangeSet};
use hanse_types::{Dag, Execution, RwSet, TxIndex};
use rayon::prelude::*;

/// A block that was run: what each transaction gave, in block order, and the canonical DAG of what they touched.
pub struct BlockRun {
    /// For each transaction of the block, its place in the batch that was given.
    pub order: Vec<usize>,
    /// What each transaction gave.
    pub executions: Vec<Execution>,
    /// What each transaction touched; positions of [`hanse_state::Seen`] are places in the block.
    pub sets: Vec<AccessSet>,
    /// The canonical DAG.
    pub dag: Dag,
    /// The block's state after the last transaction.
    pub state: Arc<BlockState>,
    /// What it took.
    pub stats: Stats,
}

impl BlockRun {
    /// What the block does to the state.
    pub fn changes(&self) -> ChangeSet {
        self.state.changes()
    }

    /// The durable access sets, in block order.
    pub fn rw_sets(&self) -> Vec<RwSet> {
        self.sets.par_iter().with_min_len(64).map(|set| self.state.to_rw_set(set, TxIndex)).collect()
    }
}
