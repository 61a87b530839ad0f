//! Access sets to the one DAG that follows from them.
//!
//! # Which edges
//!
//! Take the accesses of one key in block order, each transaction once: as a *write* if it writes the key (read or not),
//! as an *add* if it only adds to it, as a *read* if it only reads it, alone or inside a range. They fall into maximal
//! **runs**: a write is a run of its own, neighbouring reads form one, neighbouring adds form one.
//!
//! - If the run before has one member, every member of a run has an edge from it.
//! - If it has more, the *first* member of the run has an edge from each of them, and every later member has an edge from
//!   that first one.
//!
//! So every member of a run has a path from every member of the run before, hence from all earlier runs: every
//! conflicting pair is ordered. An access gets one edge or joins the run before, whose members are joined once: the edges
//! are at most twice the accesses, where edges from each to each would be quadratic for adders followed by readers.
//!
//! # Which adds commute
//!
//! Between two writes of a key (and before the first) its adds form a *group*. With the value before the group as base,
//! all of the group's decrements, and all of its increments, must leave the key within the bounds of every add of the
//! group, and all must have the key's width. Then every subset of the group does (O'Neil, *The Escrow Transactional
//! Method*, 1986), no order can make one fail, and they are adds. Otherwise all of the group count as writes.

use std::collections::HashMap;
use std::sync::Arc;

use hanse_state::{AccessSet, BlockState, KeyAdd, Kind, Seen, Slot, Touch};
use hanse_types::dag::DagBuilder;
use hanse_types::{Dag, RwSet, Value};

mod groups;
mod growing;
mod runs;

use groups::Group;
use growing::Irregular;
pub(crate) use growing::{Growing, Part};
use runs::Runs;

/// What the base of a group of adds is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bases {
    /// The sets are final: the parent's value, or the value written before the group.
    Final,
    /// The sets are a plan, of which written values may yet change: the present value, and unknown after a write.
    Plan,
}

/// The DAG of a list of access sets, and what was found out on the way.
#[derive(Debug)]
pub struct Canonical {
    /// The DAG, a vertex per set.
    pub dag: Dag,
    /// None if all adds commute.
    adds: Option<Adds>,
    stale: Vec<bool>,
}

/// Which adds commute.
#[derive(Debug)]
struct Adds {
    /// For each set, where its adds start in `commutes`.
    offsets: Vec<u32>,
    commutes: Vec<bool>,
}

impl Canonical {
    /// Whether an add of a set commutes with its group.
    pub fn commutes(&self, vertex: usize, add: usize) -> bool {
        self.adds.as_ref().is_none_or(|adds| adds.commutes[adds.offsets[vertex] as usize + add])
    }

    /// Whether something that a set read was written or added to by a set before it.
    pub fn is_stale(&self, vertex: usize) -> bool {
        self.stale[vertex]
    }
}

/// Makes DAGs; its tables are reused.
#[derive(Debug, Default)]
pub struct CanonicalBuilder {
    runs: Runs,
    groups: Vec<Group>,
    group_of: Vec<u32>,
    row: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl CanonicalBuilder {
    /// The canonical DAG of a block's final access sets.
    pub fn build(&mut self, sets: &[AccessSet], state: &BlockState) -> Canonical {
        self.build_with(sets, state, Bases::Final)
    }

    /// The DAG by which sets that are not final are run: whatever the canonical one would order is ordered.
    pub fn plan(&mut self, sets: &[AccessSet], state: &BlockState) -> Canonical {
        self.build_with(sets, state, Bases::Plan)
    }

    fn build_with(&mut self, sets: &[AccessSet], state: &BlockState, bases: Bases) -> Canonical {
        let adds = self.classify_adds(sets, state, bases);
        let ranges = ChangedKeys::of(sets, state);
        self.runs.start(state.slot_bound());

        let mut dag = DagBuilder::with_capacity(sets.len(), sets.len());
        let mut stale = vec![false; sets.len()];
        for (vertex, set) in sets.iter().enumerate() {
            let inside = ranges.inside(set);
            let mut is_stale = inside.iter().any(|slot| self.runs.is_changed_since(*slot, 0));
            let mut add = adds.offsets[vertex] as usize;
            for touch in &set.touches {
                let kind = match touch.kind {
                    Kind::Add => {
                        add += 1;
                        if adds.commutes[add - 1] { Kind::Add } else { Kind::Write }
                    }
                    kind => kind,
                };
                let observes = touch.is_read() || (touch.kind == Kind::Add && kind == Kind::Write);
                is_stale |= observes && self.runs.is_changed_since(touch.slot, 0);
                self.runs.enter(vertex as u32, touch.slot, kind, &mut self.row);
            }
            // What the set touches by itself is entered already.
            for slot in inside.into_iter().filter(|slot| set.touches.iter().all(|touch| touch.slot != *slot)) {
                self.runs.enter(vertex as u32, slot, Kind::Read, &mut self.row);
            }
            stale[vertex] = is_stale;
            push_row(&mut dag, &mut self.row);
        }
        Canonical { dag: dag.finish(), adds: Some(adds), stale }
    }

    /// For each set where its adds start, and for each add whether it commutes.
    fn classify_adds(&mut self, sets: &[AccessSet], state: &BlockState, bases: Bases) -> Adds {
        let mut offsets = Vec::with_capacity(sets.len());
        let mut count = 0;
        for set in sets {
            offsets.push(count);
            count += set.adds.len() as u32;
        }
        if count == 0 {
            return Adds { offsets, commutes: Vec::new() };
        }
        self.groups.clear();
        self.group_of.clear();
        self.group_of.resize(state.slot_bound(), NONE);
        for slot in sets.iter().flat_map(|set| &set.adds).map(KeyAdd::slot) {
            if self.group_of[slot.index()] == NONE {
                let base = match bases {
                    Bases::Final => state.parent_value(slot).cloned(),
                    Bases::Plan => state.read(slot).0,
                };
                self.open_group(slot, Some(base));
            }
        }
        let mut group_of_add = Vec::with_capacity(count as usize);
        for set in sets {
            let mut add = 0;
            for touch in &set.touches {
                if touch.kind == Kind::Write && self.group_of[touch.slot.index()] != NONE {
                    let base = set.written(touch.slot).filter(|_| bases == Bases::Final).cloned();
                    self.open_group(touch.slot, base);
                } else if touch.kind == Kind::Add {
                    let group = self.group_of[touch.slot.index()];
                    self.groups[group as usize].include(&set.adds[add].delta());
                    group_of_add.push(group);
                    add += 1;
                }
            }
        }
        let commute: Vec<bool> = self.groups.iter().map(Group::commutes).collect();
        Adds { offsets, commutes: group_of_add.into_iter().map(|group| commute[group as usize]).collect() }
    }

    fn open_group(&mut self, slot: Slot, base: Option<Option<Value>>) {
        self.group_of[slot.index()] = self.groups.len() as u32;
        self.groups.push(Group::new(base));
    }
}

/// Ends the row of a vertex.
fn push_row(dag: &mut DagBuilder, row: &mut Vec<u32>) {
    if row.len() > 1 {
        row.sort_unstable();
        row.dedup();
    }
    dag.push_row(row).expect("a block's sets are within the limits, and members of earlier runs are earlier");
    row.clear();
}

/// Keys that a list of sets changes, in their order: what its ranges are held against.
struct ChangedKeys {
    keys: Vec<(Arc<[u8]>, Slot)>,
}

impl ChangedKeys {
    fn of(sets: &[AccessSet], state: &BlockState) -> ChangedKeys {
        if sets.iter().all(|set| set.ranges.is_empty()) {
            return ChangedKeys { keys: Vec::new() };
        }
        let touches = sets.iter().flat_map(|set| &set.touches);
        let mut slots: Vec<Slot> = touches.filter(|touch| touch.kind != Kind::Read).map(|touch| touch.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        let mut keys: Vec<_> = slots.into_iter().map(|slot| (state.key(slot).clone(), slot)).collect();
        keys.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        ChangedKeys { keys }
    }

    /// Changed keys inside the ranges of a set, each once.
    fn inside(&self, set: &AccessSet) -> Vec<Slot> {
        let mut inside = Vec::new();
        for range in &set.ranges {
            let from = self.keys.partition_point(|(key, _)| **key < *range.start);
            let to = self.keys.partition_point(|(key, _)| **key < *range.end);
            inside.extend(self.keys[from..to.max(from)].iter().map(|(_, slot)| *slot));
        }
        inside.sort_unstable();
        inside.dedup();
        inside
    }
}

/// The canonical DAG of a block's final access sets, made in the way in which it grows beside a running block, which is
/// what it costs there.
pub fn grown_from(sets: &[AccessSet], state: &BlockState) -> Dag {
    let mut growing = Growing::new(sets.len());
    match growing.extend(sets.len(), &mut Part::of_final(), |vertex| &sets[vertex as usize], state) {
        Ok(()) => growing.finish(),
        Err(Irregular) => CanonicalBuilder::default().build(sets, state).dag,
    }
}

/// The canonical DAG of durable access sets; `base` gives the state before the block.
///
/// # Errors
/// If the state before the block can't be read.
pub fn from_rw_sets(sets: &[RwSet], base: Arc<dyn hanse_state::StateView>) -> Result<Dag, hanse_state::StateError> {
    let state = BlockState::new(base, sets.len());
    let sets: Vec<AccessSet> = sets.iter().map(|set| to_access_set(set, &state)).collect::<Result<_, _>>()?;
    Ok(CanonicalBuilder::default().build(&sets, &state).dag)
}

fn to_access_set(set: &RwSet, state: &BlockState) -> Result<AccessSet, hanse_state::StateError> {
    let mut result = AccessSet { ranges: set.ranges.clone(), ..AccessSet::default() };
    let mut reads = HashMap::new();
    for read in &set.reads {
        reads.insert(&read.key, read.present);
    }
    for write in &set.writes {
        let slot = state.slot(&write.key)?;
        let read = reads.remove(&write.key);
        let seen = if read.is_some() { Seen::PARENT } else { Seen::NOTHING };
        result.touches.push(Touch { slot, kind: Kind::Write, seen, present: read.unwrap_or(false) });
        result.writes.push((slot, write.value.clone()));
    }
    for add in &set.adds {
        let slot = state.slot(&add.key)?;
        result.touches.push(Touch { slot, kind: Kind::Add, seen: Seen::NOTHING, present: false });
        result.adds.push(KeyAdd::new(slot, &add.delta));
    }
    for read in set.reads.iter().filter(|read| reads.contains_key(&read.key)) {
        let slot = state.slot(&read.key)?;
        result.touches.push(Touch { slot, kind: Kind::Read, seen: Seen::PARENT, present: read.present });
    }
    Ok(result)
}

#[cfg(test)]
mod tests;
