//! The journal: what a validator was about to sign at the height under way, in a file that only grows.
//!
//! Each [`Intent`] is appended, and on disk, before the [guard](crate::guard) lets it be signed. So after a crash the
//! node knows every statement that may be out there with its signature, the block and polka it is locked on, and the
//! block that it proposed. With the first statement of the next height the file is replaced as a whole.
//!
//! The file is a mark of eight bytes, then frames: length, number in the file, checksum, intent.
//! - *A torn tail* is the last append, which a loss of power interrupted. Its statement was never signed, so it is cut off.
//! - *Damage* is a bad frame with a good one behind it: statements may be gone. Nothing is signed at that height then.
//!
//! A damaged last frame looks like a torn one. That is what the guard is compared with: see [`crate::safe_signer`].

use hanse_types::hash::Domain;
use hanse_types::{Canonical, ChainIdentity, Hash, Height};
use thiserror::Error;

use crate::block::BLOCK_BYTES;
use crate::bugs::{Bug, Bugs};
use crate::durable::DiskError;
use crate::statement::Intent;

/// Where the journal is kept.
pub trait LogFile {
    /// Appends. When it returns, the bytes survive a loss of power. If power is lost before, any part of them may be
    /// there, and what was there before still is.
    ///
    /// # Errors
    /// If they may not have been written; the file is not used any more then.
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError>;

    /// Replaces the whole file. When it returns, the new one survives a loss of power; if power is lost before, the old
    /// or the new one is there, never a mixture.
    ///
    /// # Errors
    /// As [`LogFile::append_synced`].
    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError>;
}

/// Why a journal can't be relied on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// It does not begin as one, or its first frame is not of this chain.
    #[error("the journal of votes does not begin as one; it is damaged, or another program's file")]
    NoJournal,
    /// Frames in its middle are damaged.
    #[error("the journal of votes is damaged at byte {at}, with sound entries behind it")]
    Damaged {
        /// Where the first bad frame begins.
        at: usize,
    },
}

const MARK: &[u8; 8] = b"hansejn1";
/// Length, number and checksum.
const FRAME_HEAD: usize = 4 + 4 + 8;

impl Canonical for Intent {
    const NAME: &'static str = "intent to sign";
    const MAX_BYTES: usize = BLOCK_BYTES + hanse_types::limits::CERTIFICATE_BYTES + 256;
}

/// The journal of one validator in one group.
#[derive(Debug)]
pub struct Journal<F> {
    file: F,
    genesis: Hash,
    /// The height of the statements in the file; none while it is empty.
    height: Option<Height>,
    frames: u32,
    broken: bool,
    bugs: Bugs,
}

impl<F: LogFile> Journal<F> {
    /// Makes an empty journal in the place of whatever the file holds.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create(mut file: F, chain: &ChainIdentity) -> Result<Journal<F>, DiskError> {
        file.replace_synced(MARK)?;
        Ok(Journal { file, genesis: chain.genesis, height: None, frames: 0, broken: false, bugs: Bugs::default() })
    }

    /// The journal with these bytes in its file, and what was about to be signed, the oldest first. A torn tail is cut
    /// off.
    ///
    /// # Errors
    /// The file and why the journal can't be relied on, or that cutting failed.
    pub fn open(file: F, bytes: &[u8], chain: &ChainIdentity) -> Result<(Journal<F>, Vec<Intent>), (F, JournalError)> {
        Journal::open_with(file, bytes, chain, Bugs::default())
    }

    pub(crate) fn open_with(
        mut file: F,
        bytes: &[u8],
        chain: &ChainIdentity,
        bugs: Bugs,
    ) -> Result<(Journal<F>, Vec<Intent>), (F, JournalError)> {
        let (intents, end) = match read(bytes, &chain.genesis) {
            Ok(found) => found,
            Err(error) => return Err((file, error)),
        };
        let torn = end < bytes.len();
        if torn && bugs.has(Bug::TornTailIsDamage) {
            return Err((file, JournalError::Damaged { at: end }));
        }
        let broken = torn && !bugs.has(Bug::KeepTornTail) && file.replace_synced(&bytes[..end]).is_err();
        let height = intents.last().map(|intent| intent.statement.height);
        let frames = intents.len() as u32;
        Ok((Journal { file, genesis: chain.genesis, height, frames, broken, bugs }, intents))
    }

    pub(crate) fn with(self, bugs: Bugs) -> Journal<F> {
        Journal { bugs, ..self }
    }

    /// Makes it durable that this is about to be signed.
    ///
    /// # Errors
    /// If it can't be written. After that nothing is known of the file, so every later call fails too.
    pub fn write(&mut self, intent: &Intent) -> Result<(), DiskError> {
        if self.bugs.has(Bug::NoJournal) {
            return Ok(());
        }
        if self.broken {
            return Err(DiskError("an earlier entry was not written".into()));
        }
        let starts = self.height != Some(intent.statement.height);
        let number = if starts { 0 } else { self.frames };
        let frame = frame(&self.genesis, number, &intent.encode());
        let written = match starts {
            true => self.file.replace_synced(&[&MARK[..], &frame].concat()),
            false => self.file.append_synced(&frame),
        };
        self.broken = written.is_err() && !self.bugs.has(Bug::WriteOn);
        if !self.bugs.has(Bug::IgnoreDiskErrors) {
            written?;
        }
        self.height = Some(intent.statement.height);
        self.frames = number + 1;
        Ok(())
    }

    /// Gives the file back, to begin anew.
    pub(crate) fn into_file(self) -> F {
        self.file
    }
}

fn frame(genesis: &Hash, number: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.extend(checksum(genesis, number, payload));
    frame.extend(payload);
    frame
}

/// Covers the chain too, so that another chain's journal is none of this one's.
fn checksum(genesis: &Hash, number: u32, payload: &[u8]) -> [u8; 8] {
    let parts = [&genesis.0[..], &number.to_le_bytes(), payload];
    Hash::of_parts(Domain::JournalFrame, &parts).0.first_chunk().copied().unwrap_or_default()
}

/// All intents, and where the sound part ends.
fn read(bytes: &[u8], genesis: &Hash) -> Result<(Vec<Intent>, usize), JournalError> {
    if !bytes.starts_with(MARK) {
        return Err(JournalError::NoJournal);
    }
    let (mut intents, mut at) = (Vec::new(), MARK.len());
    while let Some((intent, length)) = read_frame(&bytes[at..], genesis, intents.len() as u32) {
        intents.push(intent);
        at += length;
    }
    // A frame behind the bad one shows that the bad one was once good.
    let next = intents.len() as u32 + 1;
    let behind = |offset: usize| any_frame_from(&bytes[offset..], genesis, next);
    if (at + 1..bytes.len()).any(behind) {
        return Err(JournalError::Damaged { at });
    }
    Ok((intents, at))
}

/// The frame with this number at the start of the bytes, and its length.
fn read_frame(bytes: &[u8], genesis: &Hash, number: u32) -> Option<(Intent, usize)> {
    let (found, payload) = open_frame(bytes, genesis)?;
    let intent = Intent::decode(payload).ok().filter(|_| found == number)?;
    Some((intent, FRAME_HEAD + payload.len()))
}

fn any_frame_from(bytes: &[u8], genesis: &Hash, number: u32) -> bool {
    open_frame(bytes, genesis).is_some_and(|(found, _)| found >= number)
}

fn open_frame<'a>(bytes: &'a [u8], genesis: &Hash) -> Option<(u32, &'a [u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (check, rest) = rest.split_first_chunk::<8>()?;
    let payload = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let number = u32::from_le_bytes(*number);
    (checksum(genesis, number, payload) == *check).then_some((number, payload))
}

#[cfg(test)]
mod tests;
