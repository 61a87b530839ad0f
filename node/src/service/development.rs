//! What a node of a chain in development lets its user do: go back to a snapshot.
//!
//! The older ledger is restored and checked beside the one in use; only then does the node stop, exchange the two and start
//! again. So a snapshot that is damaged changes nothing, and after a crash the folder holds one chain or the other.

use std::fs;
use std::path::{Path, PathBuf};

use hanse_group::LEDGER_FOLDER;
use hanse_ledger::snapshot::restore;
use hanse_ledger::{Manifest, SnapshotError};
use hanse_types::Hash;
use tokio::sync::watch;

use crate::groups::ChainFolder;

/// The group's files as they shall be.
const PREPARED_FOLDER: &str = "group-restored";
/// The group's files as they were.
const REPLACED_FOLDER: &str = "group-replaced";

/// See the module.
pub(crate) struct Development {
    folder: ChainFolder,
    /// Whether what was prepared shall take its place.
    reverting: watch::Sender<bool>,
}

impl Development {
    /// Of the chain in this folder.
    pub(crate) fn new(folder: ChainFolder) -> Development {
        Development { folder, reverting: watch::Sender::new(false) }
    }

    /// Restores a snapshot of the chain with this genesis beside the ledger in use.
    ///
    /// # Errors
    /// If it is damaged or another chain's, or the disk fails. Nothing of it is left then.
    pub(crate) fn prepare(&self, snapshot: &Path, genesis: &Hash) -> Result<Manifest, SnapshotError> {
        let prepared = self.folder.0.join(PREPARED_FOLDER);
        let file = |error| SnapshotError::File { path: prepared.clone(), error };
        remove(&prepared).and_then(|()| fs::create_dir_all(&prepared)).map_err(file)?;
        let ledger = prepared.join(LEDGER_FOLDER);
        restore(snapshot, &ledger, hanse_vm::system::genesis_state, Some(genesis)).inspect_err(|_| {
            // The error that is reported is the first one.
            let _ = remove(&prepared);
        })
    }

    /// Asks the node to take what was prepared.
    pub(crate) fn revert(&self) {
        self.reverting.send_replace(true);
    }

    /// Completes when [`Development::revert`] was called.
    pub(crate) fn reverted(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut reverting = self.reverting.subscribe();
        async move {
            if reverting.wait_for(|reverting| *reverting).await.is_err() {
                // Whoever could have asked is gone.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Puts what was prepared in the place of the group's files, which nobody uses.
pub(super) fn exchange(folder: &ChainFolder) -> std::io::Result<()> {
    let (group, prepared, replaced) = places(folder);
    remove(&replaced)?;
    fs::rename(&group, &replaced)?;
    fs::rename(&prepared, &group)?;
    remove(&replaced)
}

/// Takes up a folder in which an exchange was cut off.
pub(crate) fn mend(folder: &ChainFolder) -> std::io::Result<()> {
    let (group, prepared, replaced) = places(folder);
    if !group.exists() && replaced.exists() {
        fs::rename(&replaced, &group)?;
    }
    remove(&prepared)?;
    remove(&replaced)
}

/// The group's files, those that shall be, those that were.
fn places(folder: &ChainFolder) -> (PathBuf, PathBuf, PathBuf) {
    (folder.group(), folder.0.join(PREPARED_FOLDER), folder.0.join(REPLACED_FOLDER))
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A chain's folder with these of its places, each with a file that has its name.
    fn folder(places: &[&str]) -> (tempfile::TempDir, ChainFolder) {
        let dir = tempfile::tempdir().unwrap();
        for place in places {
            fs::create_dir(dir.path().join(place)).unwrap();
            fs::write(dir.path().join(place).join("what"), place).unwrap();
        }
        let folder = ChainFolder(dir.path().to_owned());
        (dir, folder)
    }

    fn group(folder: &ChainFolder) -> String {
        fs::read_to_string(folder.group().join("what")).unwrap()
    }

    #[test]
    fn an_exchange_that_was_cut_off_leaves_one_chain_whole() {
        let (_dir, whole) = folder(&["group", PREPARED_FOLDER]);
        exchange(&whole).unwrap();
        assert_eq!(group(&whole), PREPARED_FOLDER);
        for (left, expected) in [
            (&["group", PREPARED_FOLDER][..], "group"),
            (&["group", REPLACED_FOLDER], "group"),
            (&[PREPARED_FOLDER, REPLACED_FOLDER], REPLACED_FOLDER),
        ] {
            let (dir, cut_off) = folder(left);
            mend(&cut_off).unwrap();
            assert_eq!(group(&cut_off), expected, "{left:?}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{left:?}");
        }
    }
}
