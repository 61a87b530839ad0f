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

use hanse_state::number;
use hanse_state::{AccessSet, BlockState, Kind, Seen, Slot, Touch};
use hanse_types::dag::DagBuilder;
use hanse_types::{Dag, Delta, RwSet, Value};

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
    /// For each set, where its adds start in `commutes`.
    add_offsets: Vec<u32>,
    commutes: Vec<bool>,
    stale: Vec<bool>,
}

impl Canonical {
    /// Whether an add of a set commutes with its group.
    pub fn commutes(&self, vertex: usize, add: usize) -> bool {
        self.commutes[self.add_offsets[vertex] as usize + add]
    }

    /// Whether something that a set read was written or added to by a set before it.
    pub fn is_stale(&self, vertex: usize) -> bool {
        self.stale[vertex]
    }
}

/// Makes DAGs; its tables are reused.
#[derive(Debug, Default)]
pub struct CanonicalBuilder {
    keys: Vec<KeyRuns>,
    epoch: u32,
    links: Vec<Link>,
    groups: Vec<Group>,
    group_of: Vec<u32>,
    row: Vec<u32>,
}

const NONE: u32 = u32::MAX;
const MANY: u32 = u32::MAX - 1;

/// The runs of one key so far.
#[derive(Clone, Copy, Debug)]
struct KeyRuns {
    /// The list that this belongs to; anything else is left over from an earlier one.
    epoch: u32,
    kind: Kind,
    /// Who wrote or added first, [`NONE`] if nobody did.
    changed_first: u32,
    /// Who wrote last, [`NONE`] if nobody did.
    written_last: u32,
    /// First member of the current run.
    head: u32,
    /// Last member of the current run, in `links`.
    last: u32,
    /// The run before: its only member, [`MANY`], or [`NONE`].
    before: u32,
}

/// Nothing of the present list.
const EMPTY: KeyRuns = KeyRuns {
    epoch: 0,
    kind: Kind::Read,
    changed_first: NONE,
    written_last: NONE,
    head: NONE,
    last: NONE,
    before: NONE,
};

/// A member of a run, and the one before it in `links`.
#[derive(Clone, Copy, Debug)]
struct Link {
    vertex: u32,
    previous: u32,
}

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
        let (add_offsets, commutes) = self.classify_adds(sets, state, bases);
        let ranges = ChangedKeys::of(sets, state);
        self.start(state.slot_count());

        let mut dag = DagBuilder::with_capacity(sets.len(), sets.len());
        let mut stale = vec![false; sets.len()];
        for (vertex, set) in sets.iter().enumerate() {
            let mut add = add_offsets[vertex] as usize;
            for touch in &set.touches {
                let kind = match touch.kind {
                    Kind::Add => {
                        add += 1;
                        if commutes[add - 1] { Kind::Add } else { Kind::Write }
                    }
                    kind => kind,
                };
                let observes = touch.is_read() || (touch.kind == Kind::Add && kind == Kind::Write);
                stale[vertex] |= observes && self.is_changed(touch.slot);
                self.enter(vertex as u32, touch.slot, kind);
            }
            for slot in ranges.inside(set) {
                // What the set touches by itself is entered already, and counts as changed if only by itself.
                if set.touches.iter().any(|touch| touch.slot == slot) {
                    stale[vertex] |= self.is_changed_before(slot, vertex as u32);
                    continue;
                }
                stale[vertex] |= self.is_changed(slot);
                self.enter(vertex as u32, slot, Kind::Read);
            }
            self.finish_row(&mut dag);
        }
        Canonical { dag: dag.finish(), add_offsets, commutes, stale }
    }

    /// Forgets the last list.
    fn start(&mut self, slots: usize) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.keys.clear();
            self.epoch = 1;
        }
        self.keys.resize(self.keys.len().max(slots), EMPTY);
        self.links.clear();
    }

    fn is_changed(&self, slot: Slot) -> bool {
        let key = &self.keys[slot.index()];
        key.epoch == self.epoch && key.changed_first != NONE
    }

    /// Whether a key that this vertex has entered was changed by another one before.
    fn is_changed_before(&self, slot: Slot, vertex: u32) -> bool {
        let key = &self.keys[slot.index()];
        key.epoch == self.epoch && key.changed_first < vertex
    }

    /// Enters a vertex into the runs of a key, and its edges into the row.
    fn enter(&mut self, vertex: u32, slot: Slot, kind: Kind) {
        let key = &mut self.keys[slot.index()];
        let changed_first = if kind == Kind::Read { NONE } else { vertex };
        let written_last = if kind == Kind::Write { vertex } else { NONE };
        if key.epoch != self.epoch {
            let (epoch, last) = (self.epoch, push_link(&mut self.links, vertex, NONE));
            *key = KeyRuns { epoch, kind, changed_first, written_last, head: vertex, last, before: NONE };
            return;
        }
        key.changed_first = key.changed_first.min(changed_first);
        if written_last != NONE {
            key.written_last = written_last;
        }
        if key.kind == kind && kind != Kind::Write {
            match key.before {
                NONE => {}
                MANY => self.row.push(key.head),
                only => self.row.push(only),
            }
            key.last = push_link(&mut self.links, vertex, key.last);
            return;
        }
        let mut at = key.last;
        let mut members = 0;
        while at != NONE {
            let link = self.links[at as usize];
            self.row.push(link.vertex);
            members += 1;
            at = link.previous;
        }
        let before = if members == 1 { key.head } else { MANY };
        let last = push_link(&mut self.links, vertex, NONE);
        *key = KeyRuns { kind, head: vertex, last, before, ..*key };
    }

    fn finish_row(&mut self, dag: &mut DagBuilder) {
        self.row.sort_unstable();
        self.row.dedup();
        dag.push_row(&self.row).expect("a block's sets are within the limits, and members of earlier runs are earlier");
        self.row.clear();
    }

    /// For each set where its adds start, and for each add whether it commutes.
    fn classify_adds(&mut self, sets: &[AccessSet], state: &BlockState, bases: Bases) -> (Vec<u32>, Vec<bool>) {
        let mut offsets = Vec::with_capacity(sets.len());
        let mut count = 0;
        for set in sets {
            offsets.push(count);
            count += set.adds.len() as u32;
        }
        if count == 0 {
            return (offsets, Vec::new());
        }
        self.groups.clear();
        self.group_of.clear();
        self.group_of.resize(state.slot_count(), NONE);
        for (slot, _) in sets.iter().flat_map(|set| &set.adds) {
            if self.group_of[slot.index()] == NONE {
                let base = match bases {
                    Bases::Final => state.parent_value(*slot).cloned(),
                    Bases::Plan => state.read(*slot).0,
                };
                self.open_group(*slot, Some(base));
            }
        }
        let mut group_of_add = Vec::with_capacity(count as usize);
        for set in sets {
            let mut add = 0;
            for touch in &set.touches {
                if touch.kind == Kind::Write && self.group_of[touch.slot.index()] != NONE {
                    let written = set.writes.iter().find(|(slot, _)| *slot == touch.slot);
                    let base = written.filter(|_| bases == Bases::Final).map(|(_, value)| value.clone());
                    self.open_group(touch.slot, base);
                } else if touch.kind == Kind::Add {
                    let group = self.group_of[touch.slot.index()];
                    self.groups[group as usize].include(&set.adds[add].1);
                    group_of_add.push(group);
                    add += 1;
                }
            }
        }
        let commute: Vec<bool> = self.groups.iter().map(Group::commutes).collect();
        (offsets, group_of_add.into_iter().map(|group| commute[group as usize]).collect())
    }

    fn open_group(&mut self, slot: Slot, base: Option<Option<Value>>) {
        self.group_of[slot.index()] = self.groups.len() as u32;
        self.groups.push(Group { base, ..Group::default() });
    }
}

/// The canonical DAG of a block that grows, so that it can be made beside the block instead of after it.
///
/// Takes for granted that nothing is scanned and that all adds commute, which only the whole block shows. Where one of
/// them does not hold, there is no answer, and the block is gone through once more ([`CanonicalBuilder::build`]).
#[derive(Debug)]
pub(crate) struct Growing {
    tables: CanonicalBuilder,
    dag: DagBuilder,
    scans: bool,
}

impl Growing {
    /// An empty block, with room for so many transactions.
    pub(crate) fn new(transactions: usize) -> Growing {
        let mut tables = CanonicalBuilder::default();
        tables.start(0);
        Growing { tables, dag: DagBuilder::with_capacity(transactions, transactions), scans: false }
    }

    /// Number of transactions so far.
    pub(crate) fn len(&self) -> usize {
        self.dag.len()
    }

    /// Takes in what stands behind the transactions so far. `sets` are those of the whole block.
    pub(crate) fn extend(&mut self, sets: &[AccessSet], state: &BlockState) {
        self.tables.make_room(state.slot_count());
        for vertex in self.len()..sets.len() {
            let set = &sets[vertex];
            self.scans |= !set.ranges.is_empty();
            if self.scans {
                return;
            }
            let mut add = 0;
            for touch in &set.touches {
                match touch.kind {
                    Kind::Read => {}
                    Kind::Write => self.tables.end_group(touch.slot, set),
                    Kind::Add => {
                        self.tables.group_of_add(touch.slot, sets, state).include(&set.adds[add].1);
                        add += 1;
                    }
                }
                self.tables.enter(vertex as u32, touch.slot, touch.kind);
            }
            self.tables.finish_row(&mut self.dag);
        }
    }

    /// The DAG, if what was taken for granted holds.
    pub(crate) fn finish(self) -> Option<Dag> {
        (!self.scans && self.tables.groups.iter().all(Group::commutes)).then(|| self.dag.finish())
    }
}

impl CanonicalBuilder {
    /// Room for keys that came to be since the list was started.
    fn make_room(&mut self, slots: usize) {
        self.keys.resize(self.keys.len().max(slots), EMPTY);
        self.group_of.resize(self.group_of.len().max(slots), NONE);
    }

    /// A write ends the group of adds before it, if there is one.
    fn end_group(&mut self, slot: Slot, set: &AccessSet) {
        if self.group_of[slot.index()] != NONE {
            let written = set.writes.iter().find(|(other, _)| *other == slot);
            self.open_group(slot, written.map(|(_, value)| value.clone()));
        }
    }

    /// The group that the next add of a key belongs to.
    fn group_of_add(&mut self, slot: Slot, sets: &[AccessSet], state: &BlockState) -> &mut Group {
        if self.group_of[slot.index()] == NONE {
            let key = &self.keys[slot.index()];
            let writer = if key.epoch == self.epoch { key.written_last } else { NONE };
            let base = match writer {
                NONE => Some(state.parent_value(slot).cloned()),
                writer => {
                    let writes = &sets[writer as usize].writes;
                    writes.iter().find(|(other, _)| *other == slot).map(|(_, value)| value.clone())
                }
            };
            self.open_group(slot, base);
        }
        let group = self.group_of[slot.index()];
        &mut self.groups[group as usize]
    }
}

fn push_link(links: &mut Vec<Link>, vertex: u32, previous: u32) -> u32 {
    links.push(Link { vertex, previous });
    (links.len() - 1) as u32
}

/// The adds of a key between two writes.
#[derive(Debug, Default)]
struct Group {
    /// The value before; none if it is not known.
    base: Option<Option<Value>>,
    /// Of the first add; none before it.
    width: Option<u8>,
    /// Widths differ, or a sum is beyond any integer.
    broken: bool,
    decrease: u128,
    increase: u128,
    min: u128,
    max: u128,
}

impl Group {
    fn include(&mut self, delta: &Delta) {
        match self.width {
            None => {
                self.width = Some(delta.width);
                (self.min, self.max) = (delta.min, delta.max.min(number::width_max(delta.width)));
            }
            Some(width) => {
                self.broken |= width != delta.width;
                self.min = self.min.max(delta.min);
                self.max = self.max.min(delta.max);
            }
        }
        let amount = delta.amount.unsigned_abs();
        let sum = if delta.amount < 0 { &mut self.decrease } else { &mut self.increase };
        match sum.checked_add(amount) {
            Some(more) => *sum = more,
            None => self.broken = true,
        }
    }

    fn commutes(&self) -> bool {
        let (Some(base), Some(width)) = (&self.base, self.width) else { return false };
        let Some(base) = number::decode(base.as_ref(), width) else { return false };
        let low = base.checked_sub(self.decrease);
        let high = base.checked_add(self.increase);
        !self.broken && low.is_some_and(|low| low >= self.min) && high.is_some_and(|high| high <= self.max)
    }
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
        result.adds.push((slot, add.delta));
    }
    for read in set.reads.iter().filter(|read| reads.contains_key(&read.key)) {
        let slot = state.slot(&read.key)?;
        result.touches.push(Touch { slot, kind: Kind::Read, seen: Seen::PARENT, present: read.present });
    }
    Ok(result)
}

#[cfg(test)]
mod tests;
