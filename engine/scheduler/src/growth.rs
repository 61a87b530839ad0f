//! The DAG, made while the block runs: by the threads that run it, one of them at a time, whenever something is finished.
//!
//! Access sets come in whatever order threads finish, and are taken in in block order, so what comes of it does not depend
//! on timing.

use hanse_state::{AccessSet, BlockState, OnceSlice};
use parking_lot::Mutex;

use crate::canonical::{Growing, Part};

/// See the module.
pub(crate) struct Growth<'a> {
    sets: &'a OnceSlice<AccessSet>,
    state: &'a BlockState,
    /// None if the block is irregular.
    growing: Mutex<Option<(Growing, Part)>>,
}

impl<'a> Growth<'a> {
    /// Goes on with a DAG, none if the block is known to be irregular. The transactions that come now belong to `part`.
    pub(crate) fn new(
        sets: &'a OnceSlice<AccessSet>,
        state: &'a BlockState,
        growing: Option<(Growing, Part)>,
    ) -> Growth<'a> {
        Growth { sets, state, growing: Mutex::new(growing) }
    }

    /// Takes in what is finished up to the first transaction that is not, unless somebody is at it already.
    pub(crate) fn go_on(&self) {
        let Some(mut growing) = self.growing.try_lock() else { return };
        let Some((dag, part)) = &mut *growing else { return };
        let finished = (dag.len()..).take_while(|vertex| self.sets.get(*vertex).is_some()).count();
        let set = |vertex: u32| self.sets.get(vertex as usize).expect("only what is finished is taken in");
        let grown = dag.extend(dag.len() + finished, part, set, self.state);
        if grown.is_err() {
            *growing = None;
        }
    }

    /// The DAG of all that is finished; none if the block is irregular.
    pub(crate) fn finish(self) -> Option<(Growing, Part)> {
        self.go_on();
        self.growing.into_inner()
    }
}
