//! Taking a ledger that was made of a snapshot in the place of one that has no blocks.
//!
//! ```text
//! NAME.making      a ledger that is being made
//! NAME.made        one that is made, and waits
//! NAME.replaced    the one that was there before, which goes
//! NAME             the ledger
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hanse_state::{ChangeSet, StateError, StateView};
use hanse_types::portable::{Anchor, Manifest};
use hanse_types::{Genesis, Height};
use thiserror::Error;

use super::folder::FolderError;
use super::import::{ImportError, carry_over, import};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::options::LedgerOptions;
use crate::store::RocksStore;

/// How long a database may take to close.
const CLOSING: Duration = Duration::from_secs(60);

/// Why a ledger that was made did not get its place.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// One of both can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system refused.
    #[error("{path}: {error}; free or mend the disk, or restore the folder's permissions")]
    File {
        /// Which folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// As [`import`], into files beside the ledger's folder; [`adopt`] takes them from there.
///
/// # Errors
/// As [`import`]; then there are no such files.
pub fn make(
    folder: &Path,
    genesis: (&Genesis, &ChangeSet),
    snapshot: (&Manifest, &Anchor),
    chunk: impl FnMut(u32) -> Result<Option<Vec<u8>>, FolderError>,
    lifetime_ms: impl FnOnce(&dyn StateView) -> Result<u64, StateError>,
    options: LedgerOptions,
) -> Result<(), ImportError> {
    let (making, made) = (beside(folder, "making"), beside(folder, "made"));
    remove(&making)?;
    remove(&made)?;
    let result = make_at(&making, genesis, snapshot, chunk, lifetime_ms, options);
    match result {
        Ok(()) => Ok(rename(&making, &made)?),
        Err(error) => {
            remove(&making)?;
            Err(error)
        }
    }
}

fn make_at(
    making: &Path,
    genesis: (&Genesis, &ChangeSet),
    snapshot: (&Manifest, &Anchor),
    chunk: impl FnMut(u32) -> Result<Option<Vec<u8>>, FolderError>,
    lifetime_ms: impl FnOnce(&dyn StateView) -> Result<u64, StateError>,
    options: LedgerOptions,
) -> Result<(), ImportError> {
    let store = Arc::new(RocksStore::open(making, &genesis.0.chain_id, &options)?);
    let closed = crate::store::Store::closed(&*store);
    let result = import(store, genesis, snapshot, chunk, lifetime_ms, options).map(drop);
    closed.wait(CLOSING);
    result
}

/// Gives the ledger that was made its place, if there is one and it has more blocks than the one that is there: its height.
/// What only the node knows is carried over. Nobody may use either.
///
/// # Errors
/// If one of both can't be used, or the disk refuses. Calling it again goes on.
pub fn adopt(
    folder: &Path,
    (genesis, genesis_state): (&Genesis, &ChangeSet),
    options: LedgerOptions,
) -> Result<Option<Height>, AdoptError> {
    let (made, replaced) = (beside(folder, "made"), beside(folder, "replaced"));
    let file = |error: FolderError| match error {
        FolderError::File { path, error } => AdoptError::File { path, error },
        FolderError::Damaged { path, reason } => AdoptError::File { path, error: io::Error::other(reason) },
    };
    remove(&beside(folder, "making")).map_err(file)?;
    let mut height = None;
    if made.exists() {
        let new = Ledger::open(&made, genesis, genesis_state, options)?;
        let mut is_newer = true;
        if folder.exists() {
            let old = Ledger::open(folder, genesis, genesis_state, options)?;
            is_newer = old.height() < new.height();
            if is_newer {
                carry_over(&*old.shared.store, &*new.shared.store).map_err(LedgerError::from)?;
            }
            close(old);
        }
        height = is_newer.then(|| new.height());
        close(new);
        match (is_newer, folder.exists()) {
            (false, _) => remove(&made).map_err(file)?,
            (true, there) => {
                if there {
                    remove(&replaced).map_err(file)?;
                    rename(folder, &replaced).map_err(file)?;
                }
                rename(&made, folder).map_err(file)?;
            }
        }
    }
    if folder.exists() {
        remove(&replaced).map_err(file)?;
    }
    Ok(height)
}

fn close(ledger: Ledger) {
    let closed = ledger.closed();
    drop(ledger);
    closed.wait(CLOSING);
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    folder.with_file_name(name)
}

fn remove(path: &Path) -> Result<(), FolderError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Durable when it returns.
fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    fs::rename(from, to).map_err(at(to))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(at(parent))
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    let path = path.to_owned();
    move |error| FolderError::File { path: path.clone(), error }
}
