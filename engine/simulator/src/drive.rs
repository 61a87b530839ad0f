//! A disk that stops its node at one chosen effect, and leaves of it what a loss of power may leave.
//!
//! An *effect* is anything by which a node changes its disk or the world: a write to journal or guard, a signature, a
//! message to one peer, a block in the ledger. They are counted, so that a run can be made again with a crash at each.

use std::cell::RefCell;
use std::rc::Rc;

use hanse_consensus::{Disk, DiskError, Guard, LogFile, Statement};

/// What a node does that outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// So many bytes are appended to the journal.
    Append(usize),
    /// The journal is replaced.
    Replace,
    /// The guard's record is replaced.
    Guard,
    /// A signature is given.
    Signature,
    /// A message goes to one peer.
    Send,
    /// A block goes to the ledger.
    Commit,
}

/// What there is of the effect at which a node stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing of it.
    Nothing,
    /// The first bytes.
    Part(usize),
    /// As many bytes as it should be, the last of them wrong.
    Garbled,
    /// All of it, but the node did not hear so.
    All,
}

impl Effect {
    /// Everything that may be left of it.
    pub(crate) fn left(self) -> Vec<Left> {
        match self {
            // Nothing, within the length, the number, the checksum, the intent; all but one byte; a bad last sector.
            Effect::Append(length) => {
                let parts = [1, 6, 12, 16, length / 2, length - 1].map(Left::Part);
                [Left::Nothing, Left::Garbled, Left::All].into_iter().chain(parts).collect()
            }
            Effect::Replace | Effect::Guard | Effect::Commit => vec![Left::Nothing, Left::All],
            Effect::Signature | Effect::Send => vec![Left::Nothing],
        }
    }
}

#[derive(Debug, Default)]
struct Platter {
    journal: Option<Vec<u8>>,
    guard: Option<Vec<u8>>,
    /// Every effect so far.
    effects: Vec<Effect>,
    /// Whether they are noted.
    watched: bool,
    /// The number of the effect at which the node stops.
    stop: Option<(usize, Left)>,
    stopped: bool,
}

/// A handle to a node's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drive(Rc<RefCell<Platter>>);

impl Drive {
    /// A disk whose node stops at this effect, if one is given.
    pub(crate) fn stopping(stop: Option<(usize, Left)>) -> Drive {
        Drive(Rc::new(RefCell::new(Platter { stop, ..Platter::default() })))
    }

    pub(crate) fn files(&self) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let platter = self.0.borrow();
        (platter.journal.clone(), platter.guard.clone())
    }

    /// The newest statement in the guard's record.
    pub(crate) fn newest(&self) -> Option<Statement> {
        let guard = self.0.borrow().guard.clone()?;
        Guard::open(Drive::default(), &guard).ok()?.newest()
    }

    /// Counts effects from now on: those before a node has come up are none of a height.
    pub(crate) fn watch(&self) {
        self.0.borrow_mut().watched = true;
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.0.borrow().effects.clone()
    }

    /// Whether the node has stopped at the chosen effect. Told once.
    pub(crate) fn has_stopped(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().stopped)
    }

    /// Counts an effect; what is left of it, if the node stops there.
    pub(crate) fn stops_at(&self, effect: Effect) -> Option<Left> {
        let platter = &mut *self.0.borrow_mut();
        if !platter.watched {
            return None;
        }
        let number = platter.effects.len();
        platter.effects.push(effect);
        let (_, left) = platter.stop.filter(|(at, _)| *at == number)?;
        platter.stopped = true;
        Some(left)
    }
}

fn lost() -> DiskError {
    DiskError("the power is gone".into())
}

impl LogFile for Drive {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let left = self.stops_at(Effect::Append(bytes.len()));
        let journal = &mut self.0.borrow_mut().journal;
        let file = journal.get_or_insert_default();
        match left {
            None | Some(Left::All) => file.extend(bytes),
            Some(Left::Nothing) => {}
            Some(Left::Part(length)) => file.extend(&bytes[..length.min(bytes.len())]),
            Some(Left::Garbled) => {
                file.extend(bytes);
                file.iter_mut().rev().take(8.min(bytes.len())).for_each(|byte| *byte ^= 0x5a);
            }
        }
        if left.is_some() { Err(lost()) } else { Ok(()) }
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let left = self.stops_at(Effect::Replace);
        if left != Some(Left::Nothing) {
            self.0.borrow_mut().journal = Some(bytes.to_vec());
        }
        if left.is_some() { Err(lost()) } else { Ok(()) }
    }
}

impl Disk for Drive {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        let left = self.stops_at(Effect::Guard);
        if left != Some(Left::Nothing) {
            self.0.borrow_mut().guard = Some(record.to_vec());
        }
        if left.is_some() { Err(lost()) } else { Ok(()) }
    }
}
