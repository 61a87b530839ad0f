//! One node's disk: two files that survive crashes as far as they were synced, and power that fails in the middle of a
//! write.

use std::cell::RefCell;
use std::rc::Rc;

use hanse_consensus::{Disk, DiskError, LogFile};

use crate::random::Random;

/// The files of the vote store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) journal: Option<Vec<u8>>,
    pub(crate) guard: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Drive {
    files: Files,
    /// Power fails at the write after so many.
    fuse: Option<u64>,
    random: Random,
    power_losses: u64,
}

/// A handle to a disk.
#[derive(Clone, Debug)]
pub(crate) struct VirtualDisk(Rc<RefCell<Drive>>);

impl VirtualDisk {
    pub(crate) fn new(random: Random) -> VirtualDisk {
        VirtualDisk(Rc::new(RefCell::new(Drive { files: Files::default(), fuse: None, random, power_losses: 0 })))
    }

    pub(crate) fn files(&self) -> Files {
        self.0.borrow().files.clone()
    }

    /// Puts other files in the place of these: an older copy, damaged ones, none.
    pub(crate) fn replace(&self, files: Files) {
        self.0.borrow_mut().files = files;
    }

    /// Lets power fail at the write after so many, or not at all.
    pub(crate) fn set_fuse(&self, fuse: Option<u64>) {
        self.0.borrow_mut().fuse = fuse;
    }

    pub(crate) fn power_losses(&self) -> u64 {
        self.0.borrow().power_losses
    }
}

impl Drive {
    /// Whether power fails at this write.
    fn fails(&mut self) -> bool {
        match self.fuse {
            Some(0) => {
                self.fuse = None;
                self.power_losses += 1;
                true
            }
            Some(left) => {
                self.fuse = Some(left - 1);
                false
            }
            None => false,
        }
    }
}

fn lost() -> DiskError {
    DiskError("the power is gone".into())
}

impl LogFile for VirtualDisk {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let drive = &mut *self.0.borrow_mut();
        let fails = drive.fails();
        let file = drive.files.journal.get_or_insert_default();
        if !fails {
            file.extend(bytes);
            return Ok(());
        }
        // Some of it got there, and the last sector of that may hold anything.
        let part = drive.random.between(0, bytes.len() as u64) as usize;
        let garbled = drive.random.between(0, part as u64) as usize;
        file.extend(&bytes[..garbled]);
        file.extend(bytes[garbled..part].iter().map(|byte| byte ^ drive.random.next() as u8));
        Err(lost())
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let drive = &mut *self.0.borrow_mut();
        let fails = drive.fails();
        if !fails || drive.random.chance(500) {
            drive.files.journal = Some(bytes.to_vec());
        }
        if fails { Err(lost()) } else { Ok(()) }
    }
}

impl Disk for VirtualDisk {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        let drive = &mut *self.0.borrow_mut();
        let fails = drive.fails();
        if !fails || drive.random.chance(500) {
            drive.files.guard = Some(record.to_vec());
        }
        if fails { Err(lost()) } else { Ok(()) }
    }
}
