//! The record of what this node has signed, and the only way to a signature.
//!
//! A validator that decides alone keeps its newest vote in the ledger's store. One among several keeps a journal and a
//! guard in files of their own, beside the ledger: they must survive what the ledger does not, and must not be rolled back
//! with it. So does one of a group with consensus `raft`, whose files are its newest vote and its [`Record`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use borsh::BorshDeserialize;
use hanse_consensus::raft::{Record, RecordStore};
use hanse_consensus::{
    Disk, DiskError, Intent, LogFile, SafeSignError, SafeSigner, Signed, Statement, Stored, VoteLog, VoteLogError,
};
use hanse_ledger::{Ledger, LedgerError};
use hanse_types::crypto::Signer;
use hanse_types::{Canonical, ChainIdentity, Verified};
use thiserror::Error;

/// The record of the last vote in the ledger's consensus table.
const VOTE: &[u8] = b"vote";
/// Folder of the journal and the guard.
const FOLDER: &str = "votes";

/// Why the record of votes can't be used.
#[derive(Debug, Error)]
pub enum VotesError {
    /// What the ledger keeps of it can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The record of a validator that decides alone does not read.
    #[error(transparent)]
    Log(#[from] VoteLogError),
    /// Its files can't be read or written.
    #[error(
        "the record of votes in {place} can't be used: {reason}; mend the disk, or restore the folder's permissions"
    )]
    Files {
        /// Where they are.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// It did not open.
    #[error("the record of votes did not open: {0}")]
    Open(#[from] SafeSignError),
}

/// See the module.
pub(crate) enum Votes {
    /// Of a validator that decides alone.
    Alone(VoteLog<VoteDisk>),
    /// Of one among several.
    Among(Box<SafeSigner<Journal, Guard>>),
    /// Of one that leads or follows.
    Leading(VoteLog<Guard>, RecordStore<Guard>),
}

impl Votes {
    /// Makes a statement durable, then has it signed.
    pub(crate) fn sign(
        &mut self,
        intent: &Intent,
        chain: &ChainIdentity,
        signer: &dyn Signer,
    ) -> Result<Signed, String> {
        match self {
            Votes::Among(votes) => votes.sign(intent, chain, signer).map_err(|error| error.to_string()),
            Votes::Alone(votes) => sign_block(votes, intent, chain, signer),
            Votes::Leading(votes, _) => sign_block(votes, intent, chain, signer),
        }
    }

    /// Makes a record durable, with the transactions of its blocks.
    pub(crate) fn record(&mut self, record: &mut Record, bodies: &[Vec<Verified>]) -> Result<(), String> {
        let encode = |body: &Vec<Verified>| body.iter().map(|transaction| transaction.signed().encode()).collect();
        record.bodies = bodies.iter().map(encode).collect();
        match self {
            Votes::Leading(_, records) => records.write(record).map_err(|error| error.to_string()),
            Votes::Alone(_) | Votes::Among(_) => Err("a group that agrees otherwise has no such record".into()),
        }
    }

    /// What the ledger keeps of it with each block.
    pub(crate) fn noted(&self) -> Option<Vec<u8>> {
        match self {
            Votes::Alone(_) | Votes::Leading(..) => None,
            Votes::Among(votes) => {
                votes.newest().map(|newest| borsh::to_vec(&newest).expect("a statement encodes into memory"))
            }
        }
    }
}

/// Signs a block that the validator has made.
fn sign_block<D: Disk>(
    votes: &mut VoteLog<D>,
    intent: &Intent,
    chain: &ChainIdentity,
    signer: &dyn Signer,
) -> Result<Signed, String> {
    let vote = intent.precommit().ok_or("a validator of such a group signs nothing but precommits")?;
    votes.sign(vote, chain, signer).map(Signed::from).map_err(|error| error.to_string())
}

/// Opens the record of a validator that decides alone.
pub(crate) fn open_alone(ledger: &Ledger) -> Result<VoteLog<VoteDisk>, VotesError> {
    let record = ledger.get_consensus(VOTE)?;
    Ok(VoteLog::open(VoteDisk(ledger.clone()), record.as_deref())?)
}

/// Whether there is a record of votes among several.
#[cfg(feature = "rocksdb")]
pub(crate) fn exist(directory: &Path) -> bool {
    directory.join(FOLDER).exists()
}

/// Opens the record of a validator among several. `is_new` if there has never been a ledger here.
pub(crate) fn open_among(
    directory: &Path,
    ledger: &Ledger,
    chain: &ChainIdentity,
    is_new: bool,
) -> Result<SafeSigner<Journal, Guard>, VotesError> {
    let folder = directory.join(FOLDER);
    let files = || -> io::Result<_> {
        fs::create_dir_all(&folder)?;
        sync_folder(directory)?;
        let (journal, guard) = (folder.join("journal"), folder.join("guard"));
        Ok((read(&journal)?, read(&guard)?, Journal { path: journal, file: None }, Guard(guard)))
    };
    let place = || folder.display().to_string();
    let found = files().map_err(|error| VotesError::Files { place: place(), reason: error.to_string() })?;
    let (journal, guard, file, disk) = found;
    let noted = ledger.noted()?.map(|bytes| Statement::try_from_slice(&bytes)).transpose();
    let noted = noted.map_err(|error| VotesError::Files { place: place(), reason: error.to_string() })?;
    let stored = Stored {
        first_start: is_new,
        journal: journal.as_deref(),
        guard: guard.as_deref(),
        tip: ledger.height(),
        noted,
    };
    Ok(SafeSigner::open(file, disk, chain, stored)?)
}

/// Opens what a validator of a group with consensus `raft` must not forget; none if that is lost. `is_new` if there has
/// never been a ledger here.
pub(crate) fn open_leading(
    directory: &Path,
    chain: &ChainIdentity,
    is_new: bool,
) -> Result<(Votes, Option<Record>), VotesError> {
    let folder = directory.join(FOLDER);
    let failed = |reason: String| VotesError::Files { place: folder.display().to_string(), reason };
    let files = || -> io::Result<_> {
        fs::create_dir_all(&folder)?;
        sync_folder(directory)?;
        let (vote, record) = (folder.join("vote"), folder.join("raft"));
        Ok((read(&vote)?, read(&record)?, Guard(vote), Guard(record)))
    };
    let (vote, record, vote_file, record_file) = files().map_err(|error| failed(error.to_string()))?;
    let votes = VoteLog::open(vote_file, vote.as_deref())?;
    let voted = votes.last().map(|vote| (vote.epoch, vote.round));
    let opened = RecordStore::open(record_file, chain, record.as_deref(), is_new, voted);
    let (records, record) = opened.map_err(|error| failed(error.to_string()))?;
    Ok((Votes::Leading(votes, records), record))
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Puts a whole file in the place of another: the old or the new one is there, whatever happens.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let next = path.with_extension("next");
    let mut file = File::create(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    path.parent().map_or(Ok(()), sync_folder)?;
    // The name moved, the file is the same.
    Ok(file)
}

fn disk_error(path: &Path) -> impl Fn(io::Error) -> DiskError + '_ {
    move |error| DiskError(format!("{}: {error}", path.display()))
}

/// The ledger as the place for votes.
pub(crate) struct VoteDisk(Ledger);

impl Disk for VoteDisk {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.0.put_consensus(VOTE, record).map_err(|error| DiskError(error.to_string()))
    }
}

/// The journal's file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
}

impl Journal {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(OpenOptions::new().append(true).open(&self.path)?),
        };
        file.write_all(bytes)?;
        file.sync_data()
    }
}

impl LogFile for Journal {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.append(bytes).map_err(disk_error(&self.path))
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file = Some(replace(&self.path, bytes).map_err(disk_error(&self.path))?);
        Ok(())
    }
}

/// A file that is one small record: the guard's, and those of a group with consensus `raft`.
#[derive(Debug)]
pub(crate) struct Guard(PathBuf);

impl Disk for Guard {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        replace(&self.0, record).map(drop).map_err(disk_error(&self.0))
    }
}
