//! Foundings that this node's operators declined. Nobody who tells of them again is heard, until the operators themselves
//! take one in.

use std::path::{Path, PathBuf};

use hanse_types::Hash;

use super::record::{self, RecordError};

/// How many are remembered; then the oldest may be asked for again.
const REMEMBERED: usize = 1_000;

/// See the module. Each is known by the hash of its genesis.
#[derive(Debug)]
pub(super) struct Declined {
    /// Of all groups.
    folder: PathBuf,
    /// The oldest first.
    list: Vec<Hash>,
}

impl Declined {
    /// What was written down beside these groups.
    ///
    /// # Errors
    /// If that does not read.
    pub(super) fn open(folder: PathBuf) -> Result<Declined, RecordError> {
        let list = record::declined(&folder)?;
        Ok(Declined { folder, list })
    }

    /// None are known.
    pub(super) fn none(folder: &Path) -> Declined {
        Declined { folder: folder.into(), list: Vec::new() }
    }

    /// Whether this one was declined.
    pub(super) fn has(&self, genesis: &Hash) -> bool {
        self.list.contains(genesis)
    }

    /// Remembers one; durable when this returns.
    ///
    /// # Errors
    /// If it can't be written.
    pub(super) fn add(&mut self, genesis: Hash) -> Result<(), RecordError> {
        let others = self.list.iter().copied().filter(|known| *known != genesis);
        let mut list: Vec<Hash> = others.chain([genesis]).collect();
        list.drain(..list.len().saturating_sub(REMEMBERED));
        self.replace(list)
    }

    /// Forgets one, if it is there.
    ///
    /// # Errors
    /// If that can't be written.
    pub(super) fn forget(&mut self, genesis: &Hash) -> Result<(), RecordError> {
        match self.has(genesis) {
            true => self.replace(self.list.iter().copied().filter(|known| known != genesis).collect()),
            false => Ok(()),
        }
    }

    fn replace(&mut self, list: Vec<Hash>) -> Result<(), RecordError> {
        record::write_declined(&self.folder, &list)?;
        self.list = list;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hash(number: usize) -> Hash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Hash(bytes)
    }

    #[test]
    fn what_was_declined_is_remembered_and_the_oldest_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let groups = dir.path().join("groups");
        let mut declined = Declined::open(groups.clone()).unwrap();
        for number in 0..=REMEMBERED {
            declined.add(hash(number)).unwrap();
        }
        declined.add(hash(5)).unwrap();
        declined.forget(&hash(7)).unwrap();
        let again = Declined::open(groups.clone()).unwrap();
        assert_eq!(again.list, declined.list);
        assert!(!again.has(&hash(0)) && again.has(&hash(1)) && !again.has(&hash(7)));
        assert_eq!(again.list.last(), Some(&hash(5)));
        std::fs::write(groups.join(".declined.json"), "{").unwrap();
        assert!(Declined::open(groups).unwrap_err().to_string().contains("does not read"));
    }
}
