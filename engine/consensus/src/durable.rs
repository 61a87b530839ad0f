//! Durable before sent, as types: what must not leave the node before it is on disk is useless until the log, and
//! nothing else, has turned it into a [`Durable`].
//!
//! The log also is the node's memory of what it signed. A validator that crashes after signing and has forgotten it
//! could sign another block for the same position; the log refuses that.

use hanse_types::{Canonical, DecodeError, Height, Round};
use thiserror::Error;

use crate::statement::Statement;
use crate::vote::Precommit;

/// Something that is on disk. Only the [`VoteLog`] and the [`Guard`](crate::Guard) make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// What is on disk.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// For the guard, which has just written it, and for the signer, which knows that the guard once did.
    pub(crate) fn written(value: T) -> Durable<T> {
        Durable(value)
    }
}

impl From<Durable<Precommit>> for Durable<Statement> {
    fn from(Durable(vote): Durable<Precommit>) -> Durable<Statement> {
        Durable(vote.into())
    }
}

/// Where the log is kept: one small record, replaced as a whole.
pub trait Disk {
    /// Replaces the record. When it returns, the new record survives a loss of power.
    ///
    /// # Errors
    /// If it may not have been written; the log is not used any more then.
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError>;
}

/// Why a record was not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DiskError(pub String);

/// Why a vote is not durable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VoteLogError {
    /// The stored record can't be read.
    #[error("the record of signed votes is damaged ({0}); restore it, or take this validator's key out of the group")]
    Damaged(#[from] DecodeError),
    /// The validator has voted at this position or a later one, and not for this.
    #[error(
        "the vote for height {height}, round {round} contradicts the one signed for height {signed_height}, round \
         {signed_round}; another node with this key is running, or the ledger is older than the record of votes"
    )]
    Contradiction {
        /// The vote's height.
        height: Height,
        /// The vote's round.
        round: Round,
        /// Height of the newest signed vote.
        signed_height: Height,
        /// Round of the newest signed vote.
        signed_round: Round,
    },
    /// Writing failed.
    #[error("the vote was not written: {0}; nothing is signed until the node has restarted on a sound disk")]
    Disk(DiskError),
    /// Writing failed before.
    #[error("an earlier vote was not written; nothing is signed until the node has restarted on a sound disk")]
    Broken,
}

/// The newest vote that a validator may have signed, on disk.
#[derive(Debug)]
pub struct VoteLog<D> {
    disk: D,
    last: Option<Precommit>,
    broken: bool,
}

impl<D: Disk> VoteLog<D> {
    /// The log on this disk, with the record that is there, if any.
    ///
    /// # Errors
    /// If the record is damaged. To go on without it would risk signing twice.
    pub fn open(disk: D, record: Option<&[u8]>) -> Result<VoteLog<D>, VoteLogError> {
        let last = record.map(Precommit::decode).transpose()?;
        Ok(VoteLog { disk, last, broken: false })
    }

    /// The newest vote written.
    pub fn last(&self) -> Option<Precommit> {
        self.last
    }

    /// Makes a vote durable. The same vote again is no contradiction.
    ///
    /// # Errors
    /// If the vote contradicts the newest one, or can't be written. After a failed write nothing is known of the disk,
    /// so every later call fails too.
    pub fn write(&mut self, vote: Precommit) -> Result<Durable<Precommit>, VoteLogError> {
        if self.broken {
            return Err(VoteLogError::Broken);
        }
        match self.last {
            Some(last) if last == vote => return Ok(Durable(vote)),
            Some(last) if last.position() >= vote.position() => return Err(contradiction(&vote, &last)),
            _ => {}
        }
        if let Err(error) = self.disk.write_synced(&vote.encode()) {
            self.broken = true;
            return Err(VoteLogError::Disk(error));
        }
        self.last = Some(vote);
        Ok(Durable(vote))
    }
}

fn contradiction(vote: &Precommit, last: &Precommit) -> VoteLogError {
    VoteLogError::Contradiction {
        height: vote.height,
        round: vote.round,
        signed_height: last.height,
        signed_round: last.round,
    }
}
