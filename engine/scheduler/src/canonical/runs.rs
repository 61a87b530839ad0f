//! The runs of every key, and the edges that a new access makes.

use hanse_state::{Kind, Slot};

const NONE: u32 = u32::MAX;
const MANY: u32 = u32::MAX - 1;

/// The runs of all keys of a list of access sets, so far.
#[derive(Debug, Default)]
pub(super) struct Runs {
    keys: Vec<KeyRuns>,
    epoch: u32,
    links: Vec<Link>,
}

/// The runs of one key. Half a cache line: in a block without conflicts, looking this up is what the DAG costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRuns {
    /// The list that this belongs to; anything else is left over from an earlier one.
    epoch: u32,
    kind: Kind,
    /// First member of the current run, and the last of the others, in `links`.
    head: u32,
    last: u32,
    /// The run before: its only member, [`MANY`], or [`NONE`].
    before: u32,
    /// The vertex after the last that wrote or added; 0 if nobody did.
    changed_before: u32,
    /// Who wrote last.
    written_by: u32,
    /// For whoever keeps the groups of adds; starts as [`KeyRuns::NO_GROUP`], and again after every write.
    pub(super) group: u32,
}

impl KeyRuns {
    pub(super) const NO_GROUP: u32 = NONE;

    /// Nothing of the present list.
    const EMPTY: KeyRuns = KeyRuns {
        epoch: 0,
        kind: Kind::Read,
        head: NONE,
        last: NONE,
        before: NONE,
        changed_before: 0,
        written_by: NONE,
        group: NONE,
    };

    /// Who wrote the key last, if anybody has.
    pub(super) fn writer(&self) -> Option<u32> {
        (self.written_by != NONE).then_some(self.written_by)
    }
}

/// A member of a run but its first, and the one before it in `links`.
#[derive(Clone, Copy, Debug)]
struct Link {
    vertex: u32,
    previous: u32,
}

impl Runs {
    /// Starts a new list, over about so many slots.
    pub(super) fn start(&mut self, slots: usize) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.keys.clear();
            self.epoch = 1;
        }
        self.links.clear();
        self.keys.resize(self.keys.len().max(slots), KeyRuns::EMPTY);
    }

    /// What the present list has of a key.
    pub(super) fn key(&mut self, slot: Slot) -> &mut KeyRuns {
        entry(&mut self.keys, self.epoch, slot)
    }

    /// Whether this vertex or one behind it wrote or added to a key.
    pub(super) fn is_changed_since(&self, slot: Slot, vertex: u32) -> bool {
        self.keys.get(slot.index()).is_some_and(|key| key.epoch == self.epoch && key.changed_before > vertex)
    }

    /// Enters a vertex into the runs of a key, and its edges into the row.
    pub(super) fn enter(&mut self, vertex: u32, slot: Slot, kind: Kind, row: &mut Vec<u32>) {
        let key = entry(&mut self.keys, self.epoch, slot);
        if kind != Kind::Read {
            key.changed_before = vertex + 1;
        }
        if kind == Kind::Write {
            key.written_by = vertex;
            key.group = KeyRuns::NO_GROUP;
        }
        if key.head == NONE {
            (key.kind, key.head) = (kind, vertex);
        } else if key.kind == kind && kind != Kind::Write {
            match key.before {
                NONE => {}
                MANY => row.push(key.head),
                only => row.push(only),
            }
            self.links.push(Link { vertex, previous: key.last });
            key.last = self.links.len() as u32 - 1;
        } else {
            row.push(key.head);
            let mut at = key.last;
            while at != NONE {
                let link = self.links[at as usize];
                row.push(link.vertex);
                at = link.previous;
            }
            key.before = if key.last == NONE { key.head } else { MANY };
            (key.kind, key.head, key.last) = (kind, vertex, NONE);
        }
    }
}

/// The runs of a key, empty ones if they belong to another list.
fn entry(keys: &mut Vec<KeyRuns>, epoch: u32, slot: Slot) -> &mut KeyRuns {
    if slot.index() >= keys.len() {
        keys.resize(2 * slot.index() + 1, KeyRuns::EMPTY);
    }
    let key = &mut keys[slot.index()];
    if key.epoch != epoch {
        *key = KeyRuns { epoch, ..KeyRuns::EMPTY };
    }
    key
}
