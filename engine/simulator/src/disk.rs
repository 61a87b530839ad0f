//! One node's disk: two files that survive crashes as far as they were synced.
//!
//! What goes wrong: power fails in the middle of a write; the disk is full, so that a part of a write is there or none;
//! a sync fails. After that a disk is not to be believed any more: the system has dropped what it could not write and
//! says of the next writes that they are done, though nothing of them survives. Only a restart ends that.

use std::cell::RefCell;
use std::rc::Rc;

use hanse_consensus::{Disk, DiskError, Guard, LogFile, Statement};

use crate::random::Random;

/// The files of the vote store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) journal: Option<Vec<u8>>,
    pub(crate) guard: Option<Vec<u8>>,
}

impl Files {
    /// The newest statement in the guard's record.
    pub(crate) fn newest(&self) -> Option<Statement> {
        Guard::open(Nowhere, self.guard.as_deref()?).ok()?.newest()
    }
}

/// What a write comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    PowerLost,
    NotSynced,
    /// It seems done.
    Dropped,
    Full,
}

#[derive(Debug)]
struct Drive {
    files: Files,
    /// Power fails at the write after so many.
    fuse: Option<u64>,
    /// The sync of the next write fails.
    sync_fails: bool,
    /// A sync has failed since the start.
    unsound: bool,
    full: bool,
    /// A write has failed since the start, with power on.
    failed: bool,
    random: Random,
    power_losses: u64,
    failures: u64,
    /// The newest statement on disk, until the record is written again.
    newest: Option<Option<Statement>>,
}

/// A handle to a disk.
#[derive(Clone, Debug)]
pub(crate) struct VirtualDisk(Rc<RefCell<Drive>>);

impl VirtualDisk {
    pub(crate) fn new(random: Random) -> VirtualDisk {
        VirtualDisk(Rc::new(RefCell::new(Drive {
            files: Files::default(),
            fuse: None,
            sync_fails: false,
            unsound: false,
            full: false,
            failed: false,
            random,
            power_losses: 0,
            failures: 0,
            newest: None,
        })))
    }

    pub(crate) fn files(&self) -> Files {
        self.0.borrow().files.clone()
    }

    /// The newest statement that the guard's record on disk has.
    pub(crate) fn newest(&self) -> Option<Statement> {
        let drive = &mut *self.0.borrow_mut();
        *drive.newest.get_or_insert_with(|| drive.files.newest())
    }

    /// Puts other files in the place of these: an older copy, damaged ones, none.
    pub(crate) fn replace(&self, files: Files) {
        let drive = &mut *self.0.borrow_mut();
        (drive.files, drive.newest) = (files, None);
    }

    /// The node starts again: what failed before is over, but a full disk stays full.
    pub(crate) fn restart(&self, fuse: Option<u64>) {
        let drive = &mut *self.0.borrow_mut();
        (drive.fuse, drive.sync_fails, drive.unsound, drive.failed) = (fuse, false, false, false);
    }

    /// Nothing goes wrong from now on; what has gone wrong has.
    pub(crate) fn heal(&self) {
        let drive = &mut *self.0.borrow_mut();
        (drive.fuse, drive.sync_fails, drive.full) = (None, false, false);
    }

    /// Lets power fail at the write after so many, or not at all.
    pub(crate) fn set_fuse(&self, fuse: Option<u64>) {
        self.0.borrow_mut().fuse = fuse;
    }

    /// Lets the sync of the next write fail.
    pub(crate) fn fail_sync(&self) {
        self.0.borrow_mut().sync_fails = true;
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.0.borrow_mut().full = full;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.borrow().full
    }

    /// Whether a write has failed since the start, with power on.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.borrow().failed
    }

    pub(crate) fn power_losses(&self) -> u64 {
        self.0.borrow().power_losses
    }

    /// Writes that failed with power on.
    pub(crate) fn failures(&self) -> u64 {
        self.0.borrow().failures
    }
}

impl Drive {
    fn next_write(&mut self) -> Fate {
        let left = self.fuse;
        self.fuse = left.and_then(|left| left.checked_sub(1));
        let fate = match left {
            Some(0) => Fate::PowerLost,
            _ if self.unsound => Fate::Dropped,
            _ if self.full => Fate::Full,
            _ if self.sync_fails => Fate::NotSynced,
            _ => Fate::Done,
        };
        self.power_losses += u64::from(fate == Fate::PowerLost);
        if matches!(fate, Fate::NotSynced | Fate::Full) {
            (self.failed, self.unsound) = (true, self.unsound || fate == Fate::NotSynced);
            self.failures += 1;
        }
        fate
    }

    /// Writes a file as a whole: where that fails, the old one or the new one is there.
    fn replace(&mut self, bytes: &[u8], file: fn(&mut Files) -> &mut Option<Vec<u8>>) -> Result<(), DiskError> {
        let fate = self.next_write();
        let is_new = match fate {
            Fate::Done => true,
            Fate::PowerLost | Fate::NotSynced => self.random.chance(500),
            Fate::Dropped | Fate::Full => false,
        };
        if is_new {
            let file = file(&mut self.files).get_or_insert_default();
            file.clear();
            file.extend_from_slice(bytes);
        }
        told(fate)
    }
}

/// What the writer is told.
fn told(fate: Fate) -> Result<(), DiskError> {
    match fate {
        Fate::Done | Fate::Dropped => Ok(()),
        Fate::PowerLost => Err(DiskError("the power is gone".into())),
        Fate::NotSynced => Err(DiskError("the sync failed".into())),
        Fate::Full => Err(DiskError("no space is left".into())),
    }
}

impl LogFile for VirtualDisk {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let drive = &mut *self.0.borrow_mut();
        let fate = drive.next_write();
        let file = drive.files.journal.get_or_insert_default();
        match fate {
            Fate::Done => file.extend(bytes),
            Fate::Dropped => {}
            Fate::PowerLost | Fate::NotSynced | Fate::Full => {
                // Some of it got there, and the last sector of that may hold anything.
                let part = drive.random.between(0, bytes.len() as u64) as usize;
                let garbled = drive.random.between(0, part as u64) as usize;
                file.extend(&bytes[..garbled]);
                file.extend(bytes[garbled..part].iter().map(|byte| byte ^ drive.random.next() as u8));
            }
        }
        told(fate)
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().replace(bytes, |files| &mut files.journal)
    }
}

impl Disk for VirtualDisk {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        let drive = &mut *self.0.borrow_mut();
        drive.newest = None;
        drive.replace(record, |files| &mut files.guard)
    }
}

/// A disk to read a record with.
struct Nowhere;

impl Disk for Nowhere {
    fn write_synced(&mut self, _: &[u8]) -> Result<(), DiskError> {
        Err(DiskError("this disk is for reading".into()))
    }
}
