//! What is kept over restarts: the handovers, the newest headers, and a fork if there was one. A small file, written anew
//! and renamed, so that it is whole after any crash.
//!
//! It is read as a node is: every signature in it is checked again. So who changes it can make a light node forget, but
//! not believe.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hanse_client::proof::Anchor;
use hanse_client::views::{CertifiedHeader, HandoverView};
use hanse_types::Hash;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chain::{Chain, Fork, Refused};

/// Headers that are kept: enough to meet a fork that is shown soon after a restart.
const KEPT: usize = 32;
/// The only form of the file.
const FORM: u32 = 1;

/// Why the file can't be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It can't be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is no file of this program, or is damaged.
    #[error("{path} is not what a light node writes: {reason}; remove it, and the chain is followed from its genesis")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// It is of another chain.
    #[error("{path} is of the chain with genesis {found}, not {expected}; give each chain a file of its own")]
    OtherChain {
        /// Which.
        path: String,
        /// Its genesis.
        found: Hash,
        /// The genesis that was given.
        expected: Hash,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    form: u32,
    genesis: Hash,
    handovers: Vec<HandoverView>,
    headers: Vec<CertifiedHeader>,
    fork: Option<Fork>,
}

/// Where it is kept.
#[derive(Debug)]
pub struct StateFile(PathBuf);

impl StateFile {
    /// A file at this path, which may not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> StateFile {
        StateFile(path.into())
    }

    /// What was kept, checked from the anchor on.
    ///
    /// # Errors
    /// If it can't be read, is another chain's, or does not hold.
    pub fn read(&self, anchor: Anchor) -> Result<(Chain, Option<Fork>), FileError> {
        let mut chain = Chain::new(anchor);
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((chain, None)),
            Err(error) => return Err(self.io(error)),
        };
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| self.damaged(error.to_string()))?;
        if kept.form != FORM {
            return Err(self.damaged(format!("it has form {}, this program knows form {FORM}", kept.form)));
        }
        let expected = chain.anchor().chain().genesis;
        if kept.genesis != expected {
            return Err(FileError::OtherChain { path: self.path(), found: kept.genesis, expected });
        }
        for handover in &kept.handovers {
            chain.follow(handover).map_err(|error| self.damaged(error.to_string()))?;
        }
        for header in &kept.headers {
            chain.accept(header).map_err(|error: Refused| self.damaged(error.to_string()))?;
        }
        if let Some(fork) = &kept.fork {
            fork.check(chain.anchor()).map_err(|error| self.damaged(error.to_string()))?;
        }
        Ok((chain, kept.fork))
    }

    /// Keeps what is known now; durable when this returns.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, chain: &Chain, fork: Option<&Fork>) -> Result<(), FileError> {
        let genesis = chain.anchor().chain().genesis;
        let (handovers, headers) = (chain.anchor().handovers(), chain.newest(KEPT));
        let kept = Kept { form: FORM, genesis, handovers, headers, fork: fork.cloned() };
        let bytes = serde_json::to_vec(&kept).map_err(|error| self.damaged(error.to_string()))?;
        replace(&self.0, &bytes).map_err(|error| self.io(error))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }

    fn io(&self, error: io::Error) -> FileError {
        FileError::Io { path: self.path(), error }
    }

    fn damaged(&self, reason: String) -> FileError {
        FileError::Damaged { path: self.path(), reason }
    }
}

/// Puts a file in the place of another, in one step as far as a crash can see.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
