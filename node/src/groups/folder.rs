//! A chain's folder: its genesis, its group's files, its snapshots.

use std::fs;
use std::path::{Path, PathBuf};

use hanse_types::Genesis;
use thiserror::Error;

/// The genesis in the chain's folder.
const GENESIS_FILE: &str = "genesis.json";
/// The group's files in the chain's folder.
const GROUP_FOLDER: &str = "group";
/// Snapshots of the group's ledger in the chain's folder.
const SNAPSHOTS_FOLDER: &str = "snapshots";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct ChainFolder(pub(crate) PathBuf);

/// Why a chain's folder can't be used.
#[derive(Debug, Error)]
pub(crate) enum FolderError {
    /// A file or folder can't be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is no genesis.
    #[error("{path} is no genesis: {error}")]
    Genesis {
        /// Which.
        path: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The folder has another chain's data.
    #[error(
        "{path} is the genesis of another chain ({found}) than the configured one ({expected}); name another data \
             folder, or the genesis that fits"
    )]
    OtherChain {
        /// The folder's genesis.
        path: String,
        /// Hash of it.
        found: String,
        /// Hash of the configured one.
        expected: String,
    },
}

impl ChainFolder {
    /// The genesis file.
    pub(crate) fn genesis_path(&self) -> PathBuf {
        self.0.join(GENESIS_FILE)
    }

    /// The group's folder.
    pub(crate) fn group(&self) -> PathBuf {
        self.0.join(GROUP_FOLDER)
    }

    /// The snapshots' folder.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.0.join(SNAPSHOTS_FOLDER)
    }

    /// The genesis of the chain that lies here; none if there is none yet.
    pub(crate) fn genesis(&self) -> Result<Option<Genesis>, FolderError> {
        let path = self.genesis_path();
        if path.exists() { read_genesis(&path).map(Some) } else { Ok(None) }
    }

    /// Makes this the folder of a chain, unless it is already.
    pub(crate) fn adopt(&self, genesis: &Genesis) -> Result<(), FolderError> {
        let path = self.genesis_path();
        let (path_text, file) = (path.display().to_string(), |error| file_error(&path, error));
        fs::create_dir_all(&self.0).map_err(file)?;
        match self.genesis()? {
            None => {
                let text = serde_json::to_vec_pretty(genesis);
                let text = text.map_err(|error| FolderError::Genesis { path: path_text, error })?;
                write_genesis(&path, &text).map_err(file)
            }
            Some(found) if found == *genesis => Ok(()),
            Some(found) => {
                let (found, expected) = (found.hash().to_string(), genesis.hash().to_string());
                Err(FolderError::OtherChain { path: path_text, found, expected })
            }
        }
    }
}

/// The genesis in a file.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, FolderError> {
    let bytes = fs::read(path).map_err(|error| file_error(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| FolderError::Genesis { path: path.display().to_string(), error })
}

/// Renamed when complete, so that a crash leaves no half a genesis.
pub(crate) fn write_genesis(path: &Path, text: &[u8]) -> Result<(), std::io::Error> {
    let draft = path.with_extension("json.new");
    fs::write(&draft, text)?;
    fs::rename(&draft, path)
}

fn file_error(path: &Path, error: std::io::Error) -> FolderError {
    FolderError::File { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dev;

    #[test]
    fn a_folder_belongs_to_one_chain() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ChainFolder(dir.path().join("data"));
        assert!(folder.genesis().unwrap().is_none());
        let genesis = dev::example_genesis();
        folder.adopt(&genesis).unwrap();
        folder.adopt(&genesis).unwrap();
        assert_eq!(folder.genesis().unwrap(), Some(genesis.clone()));
        let other = Genesis { chain_id: "other".into(), ..genesis };
        assert!(matches!(folder.adopt(&other), Err(FolderError::OtherChain { .. })));
    }
}
