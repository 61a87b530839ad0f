//! Chunks in files.
//!
//! ```text
//! NAME/manifest    what it is, canonical bytes
//! NAME/0, 1, …     the chunks
//! ```
//!
//! A file is made under another name and gets its own when all of it is on the disk. So what has its name is whole, or is
//! damaged, which its digest shows.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hanse_types::Canonical;
use hanse_types::portable::{Manifest, chunk_digest};
use thiserror::Error;

const MANIFEST: &str = "manifest";
const PARTIAL: &str = "partial";

/// A folder with a portable snapshot, or with as much of one as has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// Why files of a portable snapshot can't be read or written.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The system refused.
    #[error("{path}: {error}; free or mend the disk, or restore the folder's permissions")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// It is not what was written.
    #[error("{path} is damaged: {reason}; delete it, it is made or fetched again")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Folder {
    /// The folder at a path, which need not be there.
    pub fn at(path: PathBuf) -> Folder {
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn make(&self) -> Result<(), FolderError> {
        fs::create_dir_all(&self.0).map_err(at(&self.0))?;
        self.0.parent().map_or(Ok(()), sync)
    }

    /// What is to be in it; none if there is no manifest.
    ///
    /// # Errors
    /// If it can't be read or does not decode.
    pub fn manifest(&self) -> Result<Option<Manifest>, FolderError> {
        let path = self.0.join(MANIFEST);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let damaged = |error: hanse_types::DecodeError| FolderError::Damaged { path, reason: error.to_string() };
        Manifest::decode(&bytes).map(Some).map_err(damaged)
    }

    /// Writes what is to be in it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn put_manifest(&self, manifest: &Manifest) -> Result<(), FolderError> {
        self.put(MANIFEST, &manifest.encode())
    }

    /// A chunk's bytes; none if it is not here.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn chunk(&self, index: u32) -> Result<Option<Vec<u8>>, FolderError> {
        read(&self.0.join(index.to_string()))
    }

    /// Writes a chunk. It is durable when this returns.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn put_chunk(&self, index: u32, bytes: &[u8]) -> Result<(), FolderError> {
        self.put(&index.to_string(), bytes)
    }

    /// The chunks that are here and what the manifest says they are; others are deleted.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn good(&self, manifest: &Manifest) -> Result<Vec<u32>, FolderError> {
        let mut good = Vec::new();
        for (index, digest) in (0..).zip(&manifest.chunks) {
            match self.chunk(index)? {
                Some(bytes) if chunk_digest(&bytes) == *digest => good.push(index),
                Some(_) => {
                    let path = self.0.join(index.to_string());
                    fs::remove_file(&path).map_err(at(&path))?;
                }
                None => {}
            }
        }
        Ok(good)
    }

    /// Gives it another place, with all that is in it; durable when it returns.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn rename(self, to: PathBuf) -> Result<Folder, FolderError> {
        fs::rename(&self.0, &to).map_err(at(&to))?;
        to.parent().map_or(Ok(()), sync)?;
        Ok(Folder(to))
    }

    /// Deletes it, if it is there.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn remove(&self) -> Result<(), FolderError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&self.0)(error)),
            _ => Ok(()),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let (partial, path) = (self.0.join(format!("{name}.{PARTIAL}")), self.0.join(name));
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(at(&path))?;
        sync(&self.0)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Makes a folder's entries durable.
fn sync(folder: &Path) -> Result<(), FolderError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    let path = path.to_owned();
    move |error| FolderError::File { path: path.clone(), error }
}
