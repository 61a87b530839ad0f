//! Signing that survives crashes: the journal, the guard and the key, in that order.
//!
//! [`SafeSigner::sign`] is all that an [`Output::Sign`](crate::Output::Sign) asks for: the intent goes to the journal and
//! to disk, then the guard admits it and writes its record, and only then is there something that can be signed. A crash
//! in between leaves an intent in the journal that was never signed; opening finishes it.
//!
//! # What is known after a restart
//! Journal and guard are two files that must agree: the guard's newest statement is the journal's newest, or the one
//! before it. They are **sound** if both read, agree, and are not older than what the ledger noted of them with its newest
//! block. Then the validator votes on where it stopped.
//!
//! Otherwise something was lost, damaged, or put back from an older copy, and the validator may have signed what it does
//! not remember. It then **observes**: it signs nothing below height *max(tip + 1, newest height it remembers) + 1*,
//! where *tip* is its ledger's newest block, and the guard keeps that height. Why that is enough: the engine asks for a
//! statement at height *h* only when block *h − 1* is durable here, so as long as the ledger has kept what it once held,
//! nothing was ever signed above tip + 1.
//!
//! Two cases can't be told from here. If both files are an older copy made since the ledger's newest block, or the
//! *whole* directory is an older copy, ledger included, all of it agrees. The engine notices when peers show it statements
//! with its own key that it does not remember ([`Output::KeyUsedElsewhere`](crate::Output::KeyUsedElsewhere)), but that can
//! be too late, so an operator must not restore a validator that way without a new key. And if more than a third of the
//! validators lose their records at one height, that height waits until operators decide.

use hanse_types::crypto::{SignError, Signer};
use hanse_types::{ChainIdentity, Height};
use thiserror::Error;

use crate::bugs::{Bug, Bugs};
use crate::durable::{Disk, DiskError, Durable};
use crate::guard::{Guard, GuardError};
use crate::journal::{Journal, LogFile};
use crate::statement::{Intent, Signed, Statement};

/// What was found on disk.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Whether this very start has created the ledger, so that there can be no record of votes.
    pub first_start: bool,
    /// The journal's bytes, if there is a file.
    pub journal: Option<&'a [u8]>,
    /// The guard's record, if there is one.
    pub guard: Option<&'a [u8]>,
    /// Height of the ledger's newest block.
    pub tip: Height,
    /// What [`SafeSigner::newest`] was when that block was written: the ledger keeps it with the block.
    pub noted: Option<Statement>,
}

/// Why a statement was not signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SafeSignError {
    /// The guard refused, or could not write.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The journal could not be written.
    #[error(
        "the journal of votes was not written: {0}; nothing is signed until the node has restarted on a sound disk"
    )]
    Journal(DiskError),
    /// The key's owner refused.
    #[error(transparent)]
    Signer(#[from] SignError),
}

/// Journal and guard of one validator in one group.
#[derive(Debug)]
pub struct SafeSigner<F, D> {
    journal: Journal<F>,
    guard: Guard<D>,
    /// What was about to be signed when the node stopped; of one height, the oldest first.
    recovered: Vec<Intent>,
    /// All that was signed at the newest height: it can be signed again.
    signed: Vec<Statement>,
    bugs: Bugs,
}

impl<F: LogFile, D: Disk> SafeSigner<F, D> {
    /// Opens both files, or makes them; see the module for what follows from what is found.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn open(
        file: F,
        disk: D,
        chain: &ChainIdentity,
        stored: Stored<'_>,
    ) -> Result<SafeSigner<F, D>, SafeSignError> {
        SafeSigner::open_with(file, disk, chain, stored, Bugs::default())
    }

    /// [`SafeSigner::open`], with mistakes.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(
        file: F,
        disk: D,
        chain: &ChainIdentity,
        stored: Stored<'_>,
        bugs: Bugs,
    ) -> Result<SafeSigner<F, D>, SafeSignError> {
        if stored.first_start {
            return SafeSigner::create(file, disk, chain, Height(0), bugs);
        }
        let journal = read_journal(file, chain, &stored, bugs);
        let guard = read_guard(disk, &stored, bugs);
        let (in_journal, in_guard) = (journal.newest(), guard.newest());
        match (journal, guard) {
            (Found::Sound((journal, recovered)), Found::Sound(guard))
                if is_sound(&recovered, in_guard, &stored, bugs) && is_open(&recovered, &guard) =>
            {
                SafeSigner { journal, guard, recovered, signed: Vec::new(), bugs }.finish()
            }
            (journal, guard) => {
                let remembered = in_journal.max(in_guard.map(|newest| newest.height)).unwrap_or(Height(0));
                let from = silent_below(stored.tip.next().max(remembered), bugs).max(guard.from());
                SafeSigner::create(journal.into_file(), guard.into_disk(), chain, from, bugs)
            }
        }
    }

    fn create(
        file: F,
        disk: D,
        chain: &ChainIdentity,
        from: Height,
        bugs: Bugs,
    ) -> Result<SafeSigner<F, D>, SafeSignError> {
        // The guard first: once it refuses, an empty journal does no harm.
        let guard = Guard::create(disk, from).map_err(GuardError::from)?.with(bugs);
        let journal = Journal::create(file, chain).map_err(SafeSignError::Journal)?.with(bugs);
        Ok(SafeSigner { journal, guard, recovered: Vec::new(), signed: Vec::new(), bugs })
    }

    /// Lets the guard catch up with a journal that is one statement ahead.
    fn finish(mut self) -> Result<SafeSigner<F, D>, SafeSignError> {
        if let Some(newest) = self.recovered.last() {
            self.guard.admit(newest)?;
        }
        self.signed = self.recovered.iter().map(|intent| intent.statement).collect();
        Ok(self)
    }

    /// The newest statement that may have been signed.
    pub fn newest(&self) -> Option<Statement> {
        self.guard.newest()
    }

    /// Nothing is signed below this height.
    pub fn from(&self) -> Height {
        self.guard.from()
    }

    /// What was about to be signed when the node stopped, for the engine to go on from; of one height, the oldest first.
    pub fn recovered(&self) -> &[Intent] {
        &self.recovered
    }

    /// Makes a statement durable with what it rests on, then has it signed. What was signed at this height before may be
    /// signed again, as it may not have reached anybody: the same words are no contradiction.
    ///
    /// # Errors
    /// If it must not be signed, can't be written, or is not signed.
    pub fn sign(
        &mut self,
        intent: &Intent,
        chain: &ChainIdentity,
        signer: &dyn Signer,
    ) -> Result<Signed, SafeSignError> {
        let durable = match self.signed.contains(&intent.statement) {
            true => Durable::written(intent.statement),
            false => self.admit(intent)?,
        };
        let signature = signer.sign(&durable.sign_bytes(chain))?;
        Ok(Signed::new(durable, signature))
    }

    fn ask(&self, intent: &Intent) -> Result<(), GuardError> {
        if self.bugs.has(Bug::NoGuard) { Ok(()) } else { self.guard.check(intent) }
    }

    fn admit(&mut self, intent: &Intent) -> Result<Durable<Statement>, SafeSignError> {
        if self.bugs.has(Bug::GuardBeforeJournal) {
            self.guard.admit(intent)?;
        }
        self.ask(intent)?;
        self.journal.write(intent).map_err(SafeSignError::Journal)?;
        let durable = match self.bugs.has(Bug::NoGuard) {
            true => Durable::written(intent.statement),
            false => self.guard.admit(intent)?,
        };
        self.signed.retain(|statement| statement.height == intent.statement.height);
        self.signed.push(intent.statement);
        Ok(durable)
    }
}

/// A file that reads, or one to begin anew in.
enum Found<Sound, Place> {
    Sound(Sound),
    Lost(Place),
}

type FoundJournal<F> = Found<(Journal<F>, Vec<Intent>), F>;
type FoundGuard<D> = Found<Guard<D>, D>;

fn read_journal<F: LogFile>(file: F, chain: &ChainIdentity, stored: &Stored<'_>, bugs: Bugs) -> FoundJournal<F> {
    match stored.journal {
        Some(bytes) => {
            Journal::open_with(file, bytes, chain, bugs).map_or_else(|(file, _)| Found::Lost(file), Found::Sound)
        }
        None => Found::Lost(file),
    }
}

fn read_guard<D: Disk>(disk: D, stored: &Stored<'_>, bugs: Bugs) -> FoundGuard<D> {
    match stored.guard {
        Some(bytes) => {
            Guard::open(disk, bytes).map_or_else(|(disk, _)| Found::Lost(disk), |guard| Found::Sound(guard.with(bugs)))
        }
        None => Found::Lost(disk),
    }
}

impl<F: LogFile> FoundJournal<F> {
    fn newest(&self) -> Option<Height> {
        match self {
            Found::Sound((_, recovered)) => recovered.last().map(|intent| intent.statement.height),
            Found::Lost(_) => None,
        }
    }

    fn into_file(self) -> F {
        match self {
            Found::Sound((journal, _)) => journal.into_file(),
            Found::Lost(file) => file,
        }
    }
}

impl<D: Disk> FoundGuard<D> {
    fn newest(&self) -> Option<Statement> {
        match self {
            Found::Sound(guard) => guard.newest(),
            Found::Lost(_) => None,
        }
    }

    /// Nothing is signed below this height, as far as it is known.
    fn from(&self) -> Height {
        match self {
            Found::Sound(guard) => guard.from(),
            Found::Lost(_) => Height(0),
        }
    }

    fn into_disk(self) -> D {
        match self {
            Found::Sound(guard) => guard.into_disk(),
            Found::Lost(disk) => disk,
        }
    }
}

/// Whether what is in the journal may still be signed. A crash between making a new guard and making the journal that goes
/// with it leaves a journal of heights that the guard has closed.
fn is_open<D: Disk>(journal: &[Intent], guard: &Guard<D>) -> bool {
    journal.last().is_none_or(|newest| newest.statement.height >= guard.from())
}

/// Whether journal and guard agree, and are not older than the ledger.
fn is_sound(journal: &[Intent], guard: Option<Statement>, stored: &Stored<'_>, bugs: Bugs) -> bool {
    let agree = match (journal, guard) {
        ([], None) => true,
        // The first statement of a height replaces the journal, so what the guard holds may be of an earlier one.
        ([only], guard) => guard.is_none_or(|newest| newest == only.statement || newest.height < only.statement.height),
        ([.., before, last], Some(newest)) => newest == last.statement || newest == before.statement,
        ([], Some(_)) | ([_, _, ..], None) => false,
    };
    let is_old = guard.map(|newest| newest.position()) < stored.noted.map(|noted| noted.position());
    (agree || bugs.has(Bug::AgreeAnyway)) && (!is_old || bugs.has(Bug::IgnoreNoted))
}

/// The first height at which is signed again after a loss, by the newest one that could have been voted in.
fn silent_below(newest: Height, bugs: Bugs) -> Height {
    match () {
        () if bugs.has(Bug::LostMeansNew) => Height(0),
        () if bugs.has(Bug::ObserveTooShort) => newest,
        () => newest.next(),
    }
}

#[cfg(test)]
mod tests;
