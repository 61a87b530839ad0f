//! The canonical DAG of a block that grows: made beside the block, part by part, instead of after it.

use hanse_state::{AccessSet, BlockState, Kind, Slot};
use hanse_types::dag::DagBuilder;
use hanse_types::{Dag, Value};

use super::groups::Group;
use super::runs::{KeyRuns, Runs};
use super::{Canonical, push_row};

/// The canonical DAG of the transactions so far.
///
/// It takes for granted that nothing is scanned and that all adds commute. Where one of them does not hold
/// ([`Irregular`]), the whole block has to be looked at ([`super::CanonicalBuilder`]).
#[derive(Debug)]
pub(crate) struct Growing {
    runs: Runs,
    /// Groups of at least two adds. One add alone makes the same edges whether it commutes or not: those of a write
    /// between its neighbours.
    groups: Vec<Group>,
    row: Vec<u32>,
    dag: DagBuilder,
}

/// What is taken for granted does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Irregular;

/// A group of one add, by the vertex that it is of; numbers below are places in `groups`.
const ALONE: u32 = 1 << 31;

/// Transactions that were run on top of all before them and know nothing of one another.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its first vertex; beyond all of them if their sets are final, so that none is stale.
    from: u32,
    /// For each vertex, whether something that it read was changed by one before it in the part.
    stale: Vec<bool>,
}

impl Part {
    /// Of transactions whose access sets are final.
    pub(crate) fn of_final() -> Part {
        Part { from: u32::MAX, stale: Vec::new() }
    }

    /// Whether the vertex belongs to it.
    fn holds(&self, vertex: u32) -> bool {
        vertex >= self.from
    }
}

impl Growing {
    /// An empty block, with room for so many transactions.
    pub(crate) fn new(transactions: usize) -> Growing {
        let mut runs = Runs::default();
        runs.start(2 * transactions);
        let dag = DagBuilder::with_capacity(transactions, transactions);
        Growing { runs, groups: Vec::new(), row: Vec::new(), dag }
    }

    /// Number of transactions so far.
    pub(crate) fn len(&self) -> usize {
        self.dag.len()
    }

    /// A part that starts behind the transactions so far.
    pub(crate) fn part(&self) -> Part {
        Part { from: self.len() as u32, stale: Vec::new() }
    }

    /// Takes in the next transactions, up to `to`, which belong to `part`.
    ///
    /// # Errors
    /// If the block is irregular; then this is of no further use.
    pub(crate) fn extend<'s>(
        &mut self,
        to: usize,
        part: &mut Part,
        sets: impl Fn(u32) -> &'s AccessSet,
        state: &BlockState,
    ) -> Result<(), Irregular> {
        (self.len() as u32..to as u32).try_for_each(|vertex| self.enter(vertex, part, &sets, state))
    }

    /// The order of a part that is complete.
    pub(crate) fn plan(&mut self, part: Part) -> Canonical {
        let mut dag = DagBuilder::with_capacity(part.stale.len(), part.stale.len());
        for vertex in part.from as usize..self.len() {
            let before = self.dag.predecessors(vertex).iter().filter_map(|before| before.checked_sub(part.from));
            self.row.extend(before);
            push_row(&mut dag, &mut self.row);
        }
        Canonical { dag: dag.finish(), adds: None, stale: part.stale }
    }

    fn enter<'s>(
        &mut self,
        vertex: u32,
        part: &mut Part,
        sets: &impl Fn(u32) -> &'s AccessSet,
        state: &BlockState,
    ) -> Result<(), Irregular> {
        let set = sets(vertex);
        if !set.ranges.is_empty() {
            return Err(Irregular);
        }
        let mut is_stale = false;
        for touch in &set.touches {
            is_stale |= touch.is_read() && self.runs.is_changed_since(touch.slot, part.from);
            if touch.kind == Kind::Add {
                self.add(vertex, touch.slot, part, sets, state)?;
            }
            self.runs.enter(vertex, touch.slot, touch.kind, &mut self.row);
        }
        part.stale.push(is_stale);
        push_row(&mut self.dag, &mut self.row);
        Ok(())
    }

    /// Puts an add into its group.
    fn add<'s>(
        &mut self,
        vertex: u32,
        slot: Slot,
        part: &Part,
        sets: &impl Fn(u32) -> &'s AccessSet,
        state: &BlockState,
    ) -> Result<(), Irregular> {
        let key = self.runs.key(slot);
        let writer = key.writer();
        // Written in this part: the add was checked against another value than it will find.
        let is_unchecked = writer.is_some_and(|writer| part.holds(writer));
        if key.group == KeyRuns::NO_GROUP && !is_unchecked {
            key.group = ALONE | vertex;
            return Ok(());
        }
        if key.group >= ALONE {
            if writer.is_some_and(|writer| is_unchecked && part.stale[(writer - part.from) as usize]) {
                return Err(Irregular);
            }
            let base: Option<Value> = match writer {
                Some(writer) => sets(writer).written(slot).cloned().flatten(),
                None => state.parent_value(slot).cloned(),
            };
            let first = (key.group != KeyRuns::NO_GROUP).then_some(key.group & !ALONE);
            key.group = self.groups.len() as u32;
            self.groups.push(Group::new(Some(base)));
            if let Some(delta) = first.and_then(|first| sets(first).added(slot)) {
                self.groups[key.group as usize].include(&delta);
            }
        }
        let group = &mut self.groups[key.group as usize];
        let delta = sets(vertex).added(slot).ok_or(Irregular)?;
        group.include(&delta);
        if group.commutes() { Ok(()) } else { Err(Irregular) }
    }

    /// Vertices on the longest path among those from `from` on.
    pub(crate) fn span_from(&self, from: usize) -> u64 {
        let mut ends: Vec<u64> = Vec::with_capacity(self.len() - from);
        for vertex in from..self.len() {
            let before = self.dag.predecessors(vertex).iter().filter_map(|before| (*before as usize).checked_sub(from));
            let longest = before.map(|before| ends[before]).max().unwrap_or(0);
            ends.push(longest + 1);
        }
        ends.into_iter().max().unwrap_or(0)
    }

    /// The DAG.
    pub(crate) fn finish(self) -> Dag {
        self.dag.finish()
    }
}
