//! Says what this process is running, to the one after it, if it ends in the middle.
//!
//! A small file has the places in the queue of the transactions whose block is being made here, and nothing between blocks.
//! What the system has taken outlives the process, so it is written without a sync, which costs microseconds for each block. A
//! machine that stops takes it along: a transaction that stops all of it is not found. (While a sync takes its time, the
//! process may be killed as well, and that would be put down to what has not even begun.)
//!
//! It is an aid, and no record: where it can't be written or read, no process is known to have ended in the middle.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use hanse_txpool::{Arrival, Pool};
use hanse_types::Verified;
use tracing::warn;

/// The file's name in the group's folder.
const FILE: &str = "running";
/// Its length: what the batch is of, none if there is none, and two places.
const LENGTH: usize = 1 + 2 * size_of::<Arrival>();

/// A batch whose block is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Making {
    /// Where it is in the queue, from its first to its last.
    pub(crate) places: RangeInclusive<Arrival>,
    pub(crate) of: Of,
}

/// What it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// One suspect, alone.
    Suspect = 1,
    /// Several suspects.
    Suspects,
    /// Transactions of which none is under suspicion.
    Others,
}

impl Making {
    /// What a pool has of a batch; none if that is gone.
    pub(crate) fn new(pool: &Pool, batch: &[Verified]) -> Option<Making> {
        // All of a batch are suspects, or none.
        let of = match batch {
            [first, ..] if pool.suspicion(&first.id()).is_none() => Of::Others,
            [_] => Of::Suspect,
            _ => Of::Suspects,
        };
        Some(Making { places: pool.places(batch)?, of })
    }
}

/// See the module.
pub(crate) struct Running {
    path: PathBuf,
    /// None once it could not be written.
    file: Option<File>,
}

impl Running {
    /// Opens the file in a folder, reads what it says of the process before, and wipes it. What can't be wiped would be said
    /// again, so it is not said.
    pub(crate) fn open(folder: &Path) -> (Running, Option<Making>) {
        let path = folder.join(FILE);
        match open(&path) {
            Ok((file, making)) => (Running { path, file: Some(file) }, making),
            Err(error) => {
                report(&path, &error);
                (Running { path, file: None }, None)
            }
        }
    }

    /// A block is about to be made.
    pub(crate) fn begin(&mut self, making: Option<&Making>) {
        self.note(making);
    }

    /// It is made, or failed, and the process still stands.
    pub(crate) fn end(&mut self) {
        self.note(None);
    }

    fn note(&mut self, making: Option<&Making>) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = write(file, making) {
            report(&self.path, &error);
            self.file = None;
            // What it says still is not so any more. If it can't be removed either, that is said once too often.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<(File, Option<Making>)> {
    let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
    let making = read(&mut file)?;
    write(&mut file, None)?;
    Ok((file, making))
}

/// Writes in one piece, far smaller than what a signal may cut.
fn write(file: &mut File, making: Option<&Making>) -> io::Result<()> {
    file.rewind()?;
    file.write_all(&encode(making))
}

fn report(path: &Path, error: &io::Error) {
    let path = path.display();
    warn!(
        %path, %error,
        "can't note what is being run, so a transaction that ends the process would not be found; mend that and start again"
    );
}

fn encode(making: Option<&Making>) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    if let Some(Making { places, of }) = making {
        bytes[0] = *of as u8;
        bytes[1..9].copy_from_slice(&places.start().to_be_bytes());
        bytes[9..].copy_from_slice(&places.end().to_be_bytes());
    }
    bytes
}

/// What a file says; none if it is new, or damaged.
fn read(file: &mut File) -> io::Result<Option<Making>> {
    let mut bytes = Vec::with_capacity(LENGTH);
    file.take(LENGTH as u64).read_to_end(&mut bytes)?;
    Ok(decode(&bytes))
}

fn decode(bytes: &[u8]) -> Option<Making> {
    let ([of], rest) = bytes.split_first_chunk()?;
    let of = [Of::Suspect, Of::Suspects, Of::Others].into_iter().find(|kind| *kind as u8 == *of)?;
    let (first, rest) = rest.split_first_chunk()?;
    let (last, []) = rest.split_first_chunk()? else { return None };
    let places = Arrival::from_be_bytes(*first)..=Arrival::from_be_bytes(*last);
    (!places.is_empty()).then_some(Making { places, of })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn making(places: RangeInclusive<Arrival>, of: Of) -> Option<Making> {
        Some(Making { places, of })
    }

    #[test]
    fn the_next_process_is_told_where_the_last_one_ended_and_only_it() {
        let folder = tempfile::tempdir().unwrap();
        for of in [Of::Suspect, Of::Suspects, Of::Others] {
            let (mut running, before) = Running::open(folder.path());
            assert_eq!(before, None);
            running.begin(making(7..=1 << 40, Of::Others).as_ref());
            running.end();
            running.begin(making(8..=9, of).as_ref());
            // Left as it is by a kill.
            assert_eq!(Running::open(folder.path()).1, making(8..=9, of));
            running.begin(making(8..=9, of).as_ref());
            running.end();
            assert_eq!(Running::open(folder.path()).1, None);
            running.begin(making(8..=9, of).as_ref());
            running.begin(None);
        }
        assert_eq!(Running::open(folder.path()).1, None);
    }

    #[test]
    fn what_does_not_read_says_nothing_and_what_can_t_be_written_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let backwards = [&[1; 9][..], &[0; 8]].concat();
        for bytes in [&[][..], &[1; 16], &[4; 17], &[0; 17], &backwards] {
            std::fs::write(folder.path().join(FILE), bytes).unwrap();
            assert_eq!(Running::open(folder.path()).1, None);
        }
        std::fs::write(folder.path().join(FILE), [1; 30]).unwrap();
        let one = Arrival::from_be_bytes([1; 8]);
        assert_eq!(Running::open(folder.path()).1, making(one..=one, Of::Suspect));
        let (mut running, before) = Running::open(&folder.path().join("away"));
        assert_eq!(before, None);
        running.begin(making(1..=2, Of::Others).as_ref());
        running.end();
    }
}
