//! What a node keeps of a group beside its ledger: how it came to be, and whether the node takes part.
//!
//! A file is replaced as a whole, so after a crash it says what it said before, or what it says now.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hanse_types::{Founding, Hash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The founding, in the group's folder.
const FOUNDING_FILE: &str = "founding.json";
/// The standing, in the group's folder.
const STANDING_FILE: &str = "standing.json";

/// What this node has to do with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It was asked to take part, and its operators have not said yet.
    Invited,
    /// It agreed; signatures of others are missing.
    Agreed,
    /// It takes part.
    Active,
    /// Its operators have stopped it; it takes part again when they start it.
    Stopped,
    /// It takes part no more. What it has of the group stays until it is removed.
    Left,
}

impl Standing {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Standing::Invited => "invited",
            Standing::Agreed => "agreed",
            Standing::Active => "active",
            Standing::Stopped => "stopped",
            Standing::Left => "left",
        }
    }
}

/// Why a record can't be read or written.
#[derive(Debug, Error)]
pub(crate) enum RecordError {
    /// The disk, or the rights.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is none of a record.
    #[error("{} does not read: {error}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// The founding in this folder, if there is one.
pub(super) fn founding(folder: &Path) -> Result<Option<Founding>, RecordError> {
    read(&folder.join(FOUNDING_FILE))
}

/// Writes it.
pub(super) fn write_founding(folder: &Path, founding: &Founding) -> Result<(), RecordError> {
    write(&folder.join(FOUNDING_FILE), founding)
}

/// The standing in this folder; of a founding without one, nobody has said anything.
pub(super) fn standing(folder: &Path) -> Result<Standing, RecordError> {
    Ok(read(&folder.join(STANDING_FILE))?.unwrap_or(Standing::Invited))
}

/// Writes it.
pub(super) fn write_standing(folder: &Path, standing: Standing) -> Result<(), RecordError> {
    write(&folder.join(STANDING_FILE), &standing)
}

/// What was declined, in the folder of all groups; no group can be called so.
const DECLINED_FILE: &str = ".declined.json";

/// The foundings that were declined, by the hashes of their genesis.
pub(super) fn declined(groups: &Path) -> Result<Vec<Hash>, RecordError> {
    Ok(read(&groups.join(DECLINED_FILE))?.unwrap_or_default())
}

/// Writes them.
pub(super) fn write_declined(groups: &Path, declined: &[Hash]) -> Result<(), RecordError> {
    write(&groups.join(DECLINED_FILE), &declined)
}

/// What the folder of a group is called whose files are being deleted; no group can be called so.
const REMOVED: &str = ".removed";

/// Deletes a group's folder. After a crash it is there with all that it had, or [`sweep_among`] deletes the rest.
pub(super) fn remove(folder: &Path) -> Result<(), RecordError> {
    let leaving = folder.with_file_name(REMOVED);
    sweep(&leaving)?;
    fs::rename(folder, &leaving).map_err(|error| RecordError::File { path: folder.into(), error })?;
    sweep(&leaving)
}

/// Deletes what a deletion that was cut off has left among these groups' folders.
pub(super) fn sweep_among(groups: &Path) -> Result<(), RecordError> {
    sweep(&groups.join(REMOVED))
}

fn sweep(leaving: &Path) -> Result<(), RecordError> {
    match fs::remove_dir_all(leaving) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RecordError::File { path: leaving.into(), error })
        }
        _ => Ok(()),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecordError::File { path: path.into(), error }),
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            value.map(Some).map_err(|error| RecordError::Malformed { path: path.into(), error })
        }
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let failed = |error| RecordError::File { path: path.into(), error };
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = path.with_extension("json.new");
    let replaced = || {
        fs::create_dir_all(folder)?;
        let mut file = fs::File::create(&draft)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        // The name is durable when its folder is.
        fs::File::open(folder)?.sync_all()
    };
    replaced().map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read_and_rubbish_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("groups/trade");
        assert!(founding(&folder).unwrap().is_none());
        let written = Founding::new(crate::dev::example_genesis()).unwrap();
        write_founding(&folder, &written).unwrap();
        assert_eq!(standing(&folder).unwrap(), Standing::Invited);
        for told in [Standing::Agreed, Standing::Active, Standing::Stopped, Standing::Left, Standing::Invited] {
            write_standing(&folder, told).unwrap();
            assert_eq!(standing(&folder).unwrap(), told);
        }
        assert_eq!(founding(&folder).unwrap(), Some(written));
        fs::write(folder.join(STANDING_FILE), "\"asleep\"").unwrap();
        assert!(standing(&folder).unwrap_err().to_string().contains("standing.json does not read"));
    }

    #[test]
    fn a_deletion_that_was_cut_off_is_ended_and_none_is_half_done() {
        let dir = tempfile::tempdir().unwrap();
        let (trade, loans) = (dir.path().join("trade"), dir.path().join("loans"));
        for folder in [&trade, &loans] {
            write_standing(folder, Standing::Left).unwrap();
        }
        // As a crash after the folder got its other name leaves it.
        fs::rename(&trade, dir.path().join(REMOVED)).unwrap();
        sweep_among(dir.path()).unwrap();
        sweep_among(dir.path()).unwrap();
        assert_eq!(standing(&loans).unwrap(), Standing::Left);
        remove(&loans).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(remove(&loans).is_err());
    }
}
