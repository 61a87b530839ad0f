//! Snapshots: a copy of a running ledger in a folder of its own, from which one like it can be restored.
//!
//! ```text
//! NAME/manifest.json    what it is a snapshot of, and every file with its digest; written last
//! NAME/ledger/…         the database at one moment
//! ```
//!
//! A snapshot is made beside its name, in `NAME.partial`. It gets its name when all of it is on the disk, was opened and
//! found to be what its headers say. So whatever has the name is whole; what a crash leaves behind has not got it, and is
//! replaced by the next attempt. Restoring copies the files the same way, checks every digest, opens the copy and checks it
//! before it gets its place.
//!
//! The database's tables are linked, not copied, where the folder is on the same file system; the ledger goes on meanwhile.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hanse_state::ChangeSet;
use hanse_types::{Genesis, Hash, Height};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::meta;
use crate::open;
use crate::options::LedgerOptions;
use crate::store::RocksStore;

/// Version of the layout of a snapshot.
const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "ledger";
/// Bytes that are copied at a time.
const COPY_BYTES: usize = 1 << 20;

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the snapshot's layout.
    pub version: u32,
    /// Version of the ledger's layout.
    pub ledger_format: u32,
    /// Whose ledger it is.
    pub genesis: Genesis,
    /// Its newest block.
    pub height: Height,
    /// That block's hash.
    pub block_hash: Hash,
    /// The state root of that block.
    pub state_root: Hash,
    /// The database's files, in the order of their names.
    pub files: Vec<FileRecord>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name in the database's folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The manifest of a snapshot.
    ///
    /// # Errors
    /// If the folder is no snapshot, or one of another version.
    pub fn read(snapshot: &Path) -> Result<Manifest, SnapshotError> {
        let no_snapshot = |reason: String| SnapshotError::NotASnapshot { path: snapshot.into(), reason };
        let bytes = fs::read(snapshot.join(MANIFEST)).map_err(|error| no_snapshot(format!("{MANIFEST}: {error}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| no_snapshot(format!("{MANIFEST}: {error}")))?;
        if manifest.version != VERSION {
            return Err(no_snapshot(format!("it has version {}, this program knows {VERSION}", manifest.version)));
        }
        if manifest.ledger_format != meta::FORMAT {
            let (found, known) = (manifest.ledger_format, meta::FORMAT);
            return Err(LedgerError::OtherFormat { found, known }.into());
        }
        Ok(manifest)
    }
}

/// Why a snapshot was not made or not restored.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Something is in the way.
    #[error("{path} is there already; nothing is overwritten, choose another")]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// The folder holds no whole snapshot.
    #[error("{path} is no whole snapshot: {reason}")]
    NotASnapshot {
        /// Which folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not what was written.
    #[error("{path} is damaged: {reason}; use another snapshot")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The ledger in it is damaged, or another one than was asked for.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system refused.
    #[error("{path}: {error}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl Ledger {
    /// Writes a snapshot of this ledger as it is now, which goes on meanwhile. Takes about as long as reading the state.
    ///
    /// # Errors
    /// If there is something at that path, the disk refuses, or what was written does not check.
    pub fn snapshot(&self, path: &Path) -> Result<Manifest, SnapshotError> {
        if path.exists() {
            return Err(SnapshotError::Exists { path: path.into() });
        }
        let partial = partial(path)?;
        let database = partial.join(DATABASE);
        self.shared.store.checkpoint(&database).map_err(LedgerError::from)?;
        let tip = {
            let copy = self.open_copy(&database)?;
            copy.verify_state()?;
            copy.tip()
        };
        let manifest = Manifest {
            version: VERSION,
            ledger_format: meta::FORMAT,
            genesis: (**self.genesis()).clone(),
            height: tip.header.height,
            block_hash: tip.hash,
            state_root: tip.header.state_root,
            files: describe(&database)?,
        };
        write_synced(&partial.join(MANIFEST), &serde_json::to_vec_pretty(&manifest).map_err(at(path))?)?;
        sync(&partial)?;
        take_place(&partial, path)?;
        Ok(manifest)
    }

    /// Opens what was just written, for reading only.
    fn open_copy(&self, database: &Path) -> Result<Ledger, LedgerError> {
        let genesis = self.genesis();
        let first = self.header(Height(0))?.ok_or_else(|| LedgerError::damaged("block 0", "it is missing"))?;
        let store = RocksStore::open_read_only(database, &genesis.chain_id, &for_checking())?;
        open::reopen(Arc::new(store), genesis, &first, for_checking())
    }
}

/// Restores the ledger of a snapshot into a folder that is absent or empty. `first_state` gives the state that a genesis
/// starts from. With `expected`, the snapshot must be of the genesis with this hash.
///
/// A validator that is restored does not know what it signed after the snapshot: it must not run beside, or after, another
/// copy of itself that got further.
///
/// # Errors
/// If the snapshot is not whole, damaged or another ledger's, or the folder is not empty; then nothing is in its place.
pub fn restore(
    snapshot: &Path,
    directory: &Path,
    first_state: impl Fn(&Genesis) -> ChangeSet,
    expected: Option<&Hash>,
) -> Result<Manifest, SnapshotError> {
    let manifest = Manifest::read(snapshot)?;
    let found = manifest.genesis.hash();
    if let Some(expected) = expected.filter(|expected| **expected != found) {
        let (found, expected) = (found.to_string(), expected.to_string());
        return Err(LedgerError::OtherChain { what: "genesis", found, expected }.into());
    }
    check_vacant(directory)?;
    let partial = partial(directory)?;
    for file in &manifest.files {
        copy(&snapshot.join(DATABASE).join(&file.name), &partial.join(&file.name), file)?;
    }
    sync(&partial)?;
    check_restored(&partial, &manifest, &first_state(&manifest.genesis))?;
    take_place(&partial, directory)?;
    Ok(manifest)
}

/// Whether the ledger in a folder is the one that the manifest describes, and what its headers say.
fn check_restored(database: &Path, manifest: &Manifest, first_state: &ChangeSet) -> Result<(), SnapshotError> {
    let options = for_checking();
    let store =
        RocksStore::open_read_only(database, &manifest.genesis.chain_id, &options).map_err(LedgerError::from)?;
    let ledger = Ledger::open_store(Arc::new(store), &manifest.genesis, first_state, options)?;
    let tip = ledger.tip();
    if (tip.header.height, tip.hash) != (manifest.height, manifest.block_hash) {
        let reason = format!("it ends at block {}, the manifest says {}", tip.header.height, manifest.height);
        return Err(SnapshotError::Damaged { path: database.into(), reason });
    }
    Ok(ledger.verify_state()?)
}

/// Small caches: everything is read once.
fn for_checking() -> LedgerOptions {
    let (block_cache_bytes, write_buffer_bytes) = (16 << 20, 16 << 20);
    let (value_cache_bytes, page_cache_bytes) = (1 << 20, 16 << 20);
    LedgerOptions {
        block_cache_bytes,
        write_buffer_bytes,
        value_cache_bytes,
        page_cache_bytes,
        ..LedgerOptions::default()
    }
}

/// An empty folder beside a path, in which something is made that shall have the path. What a crash left there goes.
fn partial(path: &Path) -> Result<PathBuf, SnapshotError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    match fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&partial)(error)),
        _ => {}
    }
    fs::create_dir_all(&partial).map_err(at(&partial))?;
    Ok(partial)
}

/// Whether a folder is absent or empty.
///
/// # Errors
/// If there is something in it, or it can't be read.
pub fn check_vacant(directory: &Path) -> Result<(), SnapshotError> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(directory)(error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(SnapshotError::Exists { path: directory.into() }),
        },
    }
}

/// Gives what is complete its place; durable when it returns.
fn take_place(partial: &Path, path: &Path) -> Result<(), SnapshotError> {
    // Replaces an empty folder, never one with something in it.
    fs::rename(partial, path).map_err(at(path))?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync(parent),
        None => sync(Path::new(".")),
    }
}

/// The files of a database, each of which is made durable.
fn describe(database: &Path) -> Result<Vec<FileRecord>, SnapshotError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(database).map_err(at(database))? {
        let entry = entry.map_err(at(database))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What opening it leaves for people, and the lock.
        if name == "LOCK" || name.starts_with("LOG") {
            continue;
        }
        let mut file = File::open(entry.path()).map_err(at(&entry.path()))?;
        file.sync_all().map_err(at(&entry.path()))?;
        let (bytes, sha256) = pass_on(&mut file, &mut io::sink()).map_err(at(&entry.path()))?;
        files.push(FileRecord { name, bytes, sha256 });
    }
    sync(database)?;
    files.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(files)
}

/// Copies a file and makes the copy durable.
fn copy(from: &Path, to: &Path, expected: &FileRecord) -> Result<(), SnapshotError> {
    let damaged = |reason: String| SnapshotError::Damaged { path: from.into(), reason };
    if Path::new(&expected.name).file_name() != Some(expected.name.as_ref()) {
        return Err(damaged("its name leads elsewhere".into()));
    }
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = File::create_new(to).map_err(at(to))?;
    let (bytes, sha256) = pass_on(&mut source, &mut target).map_err(at(from))?;
    if (bytes, sha256) != (expected.bytes, expected.sha256) {
        let FileRecord { bytes: length, sha256: digest, .. } = expected;
        return Err(damaged(format!("it has {bytes} bytes with digest {sha256}, not {length} with {digest}")));
    }
    target.sync_all().map_err(at(to))
}

/// Reads to the end and passes on what is read; gives its length and SHA-256.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, Hash)> {
    let (mut buffer, mut length, mut digest) = (vec![0; COPY_BYTES], 0, Sha256::new());
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok((length, Hash(digest.finalize().into())));
        }
        digest.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        length += count as u64;
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

/// Makes a folder's entries durable.
fn sync(folder: &Path) -> Result<(), SnapshotError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn at<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> SnapshotError {
    let path = path.to_owned();
    move |error| SnapshotError::File { path: path.clone(), error: error.into() }
}
