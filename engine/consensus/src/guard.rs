//! The guard: the last to look at a statement before it is signed, with a small record of its own.
//!
//! It knows nothing of the engine. It lets positions (height, round, step) only grow, and holds the lock of Tendermint's
//! rules: a precommit for a block comes with that block's polka of the same round, and locks it; from then on a prevote
//! for another block comes with that block's polka of the lock's round or a later one. So a mistake in the engine, or a
//! journal that was lost, doesn't make this validator contradict itself or forget its lock.
//!
//! It looks at what a polka says, not at its signatures: those the engine has verified.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::hash::Domain;
use hanse_types::{Canonical, Hash, Height, Round};
use thiserror::Error;

use crate::bugs::{Bug, Bugs};
use crate::durable::{Disk, DiskError, Durable};
use crate::message::Quorum;
use crate::statement::{Basis, Intent, Statement, Step, VoteKind, Word};

/// Why a statement is not signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GuardError {
    /// The record does not read.
    #[error("the record of the newest vote is damaged or not one")]
    Damaged,
    /// The validator may have voted at this height in a life that it does not remember.
    #[error("nothing is signed below height {from}, because this node can't know what it signed there before")]
    TooEarly {
        /// The first height at which it is.
        from: Height,
    },
    /// It has signed this position or a later one, and not this.
    #[error(
        "the statement for height {height}, round {round}, {step:?} contradicts the one signed for height \
         {signed_height}, round {signed_round}, {signed_step:?}; this is a bug, or another node has this key"
    )]
    Contradiction {
        /// The statement's height.
        height: Height,
        /// The statement's round.
        round: Round,
        /// The statement's step.
        step: Step,
        /// Height of the newest signed one.
        signed_height: Height,
        /// Round of the newest signed one.
        signed_round: Round,
        /// Step of the newest signed one.
        signed_step: Step,
    },
    /// The validator is locked on another block.
    #[error("a prevote for block {block} in round {round} is against the lock on {locked} of round {locked_round}")]
    Locked {
        /// The block.
        block: Hash,
        /// The prevote's round.
        round: Round,
        /// The locked block.
        locked: Hash,
        /// The lock's round.
        locked_round: Round,
    },
    /// A precommit without the polka that it rests on.
    #[error("a precommit for block {block} in round {round} comes without that block and its polka of the round")]
    NoPolka {
        /// The block.
        block: Hash,
        /// The round.
        round: Round,
    },
    /// Writing failed.
    #[error("the vote was not written: {0}; nothing is signed until the node has restarted on a sound disk")]
    Disk(#[from] DiskError),
    /// Writing failed before.
    #[error("an earlier vote was not written; nothing is signed until the node has restarted on a sound disk")]
    Broken,
}

/// What a guard keeps on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Record {
    /// Nothing is signed below.
    from: Height,
    /// The newest statement that may have been signed.
    newest: Option<Statement>,
    /// Round and block of the newest precommit for a block at that height.
    lock: Option<(Round, Hash)>,
}

impl Canonical for Record {
    const NAME: &'static str = "record of the newest vote";
    const MAX_BYTES: usize = 256;
}

/// The guard of one validator in one group.
#[derive(Debug)]
pub struct Guard<D> {
    disk: D,
    record: Record,
    broken: bool,
    bugs: Bugs,
}

impl<D: Disk> Guard<D> {
    /// Makes a guard that has let nothing be signed, and lets nothing be signed below a height.
    ///
    /// # Errors
    /// If its record can't be written.
    pub fn create(mut disk: D, from: Height) -> Result<Guard<D>, DiskError> {
        let record = Record { from, ..Record::default() };
        disk.write_synced(&sealed(&record))?;
        Ok(Guard { disk, record, broken: false, bugs: Bugs::default() })
    }

    /// The guard with this record.
    ///
    /// # Errors
    /// The disk, if the record does not read.
    pub fn open(disk: D, bytes: &[u8]) -> Result<Guard<D>, (D, GuardError)> {
        match unsealed(bytes) {
            Some(record) => Ok(Guard { disk, record, broken: false, bugs: Bugs::default() }),
            None => Err((disk, GuardError::Damaged)),
        }
    }

    pub(crate) fn with(mut self, bugs: Bugs) -> Guard<D> {
        if bugs.has(Bug::ForgetSilence) {
            self.record.from = Height(0);
        }
        Guard { bugs, ..self }
    }

    /// The newest statement that may have been signed.
    pub fn newest(&self) -> Option<Statement> {
        self.record.newest
    }

    /// Nothing is signed below this height.
    pub fn from(&self) -> Height {
        self.record.from
    }

    /// Gives the disk back, to begin anew.
    pub(crate) fn into_disk(self) -> D {
        self.disk
    }

    /// Whether a statement may be signed, without noting it.
    ///
    /// # Errors
    /// If not, why.
    pub fn check(&self, intent: &Intent) -> Result<(), GuardError> {
        let statement = intent.statement;
        if statement.height < self.record.from {
            return Err(GuardError::TooEarly { from: self.record.from });
        }
        if let Some(newest) = self.record.newest.filter(|newest| newest.position() >= statement.position()) {
            return if newest == statement { Ok(()) } else { Err(contradiction(&statement, &newest)) };
        }
        match statement.word {
            Word::Propose { .. } | Word::Prevote(None) | Word::Precommit(None) => Ok(()),
            Word::Prevote(Some(block)) => self.check_prevote(block, intent),
            Word::Precommit(Some(block)) => check_precommit(block, intent),
        }
    }

    /// Makes it durable that a statement is signed. The newest one again costs nothing.
    ///
    /// # Errors
    /// If it must not be signed, or can't be written. After a failed write nothing is known of the disk, so every later
    /// call fails too.
    pub fn admit(&mut self, intent: &Intent) -> Result<Durable<Statement>, GuardError> {
        if self.broken {
            return Err(GuardError::Broken);
        }
        self.check(intent)?;
        let statement = intent.statement;
        if self.record.newest != Some(statement) {
            let record = Record { newest: Some(statement), lock: self.lock_after(&statement), ..self.record };
            self.write(&record)?;
            self.record = record;
        }
        Ok(Durable::written(statement))
    }

    fn write(&mut self, record: &Record) -> Result<(), DiskError> {
        if self.bugs.has(Bug::SignBeforeSync) {
            return Ok(());
        }
        let written = self.disk.write_synced(&sealed(record));
        self.broken = written.is_err() && !self.bugs.has(Bug::WriteOn);
        if self.bugs.has(Bug::IgnoreDiskErrors) { Ok(()) } else { written }
    }

    /// The lock of the statement's height.
    fn lock(&self, height: Height) -> Option<(Round, Hash)> {
        self.record.lock.filter(|_| self.record.newest.is_some_and(|newest| newest.height == height))
    }

    fn lock_after(&self, statement: &Statement) -> Option<(Round, Hash)> {
        match statement.word {
            Word::Precommit(Some(block)) => Some((statement.round, block)),
            _ => self.lock(statement.height),
        }
    }

    fn check_prevote(&self, block: Hash, intent: &Intent) -> Result<(), GuardError> {
        let statement = &intent.statement;
        let Some((locked_round, locked)) = self.lock(statement.height).filter(|(_, locked)| *locked != block) else {
            return Ok(());
        };
        let frees = |polka: &Quorum| {
            is_polka(polka, statement, block) && locked_round <= polka.round && polka.round < statement.round
        };
        match &intent.basis {
            Basis::Polka(polka) | Basis::Both(_, polka) if frees(polka) => Ok(()),
            _ => Err(GuardError::Locked { block, round: statement.round, locked, locked_round }),
        }
    }
}

fn check_precommit(block: Hash, intent: &Intent) -> Result<(), GuardError> {
    let statement = &intent.statement;
    match &intent.basis {
        Basis::Both(body, polka)
            if body.hash() == block && is_polka(polka, statement, block) && polka.round == statement.round =>
        {
            Ok(())
        }
        _ => Err(GuardError::NoPolka { block, round: statement.round }),
    }
}

fn is_polka(quorum: &Quorum, statement: &Statement, block: Hash) -> bool {
    quorum.kind == VoteKind::Prevote
        && (quorum.epoch, quorum.height, quorum.block) == (statement.epoch, statement.height, Some(block))
}

fn contradiction(statement: &Statement, newest: &Statement) -> GuardError {
    let ((height, round, step), (signed_height, signed_round, signed_step)) = (statement.position(), newest.position());
    GuardError::Contradiction { height, round, step, signed_height, signed_round, signed_step }
}

/// Canonical bytes behind their checksum.
fn sealed(record: &Record) -> Vec<u8> {
    let bytes = record.encode();
    let check = Hash::of(Domain::GuardRecord, &bytes);
    [&check.0[..8], &bytes].concat()
}

fn unsealed(bytes: &[u8]) -> Option<Record> {
    let (check, bytes) = bytes.split_at_checked(8)?;
    let record = Record::decode(bytes).ok()?;
    (Hash::of(Domain::GuardRecord, bytes).0[..8] == *check).then_some(record)
}

#[cfg(test)]
mod tests;
