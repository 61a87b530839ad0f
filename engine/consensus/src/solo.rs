//! One validator that decides alone.
//!
//! A block goes through these stages: asked for, executed, (its parent durable,) signed, decided, durable. The next
//! block is asked for as soon as one is decided, so it is executed while the one before is written; it waits for its
//! parent to be durable before it is signed. There is never more than one block ahead.

use hanse_types::{Certificate, ChainIdentity, Epoch, Hash, Header, Height, Round, Timestamp, ValidatorSet};
use thiserror::Error;

use crate::statement::Signed;
use crate::vote::Precommit;
use crate::{Consensus, Fault, Input, Output, Slot};

/// Why the engine can't start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SoloError {
    /// The group has several validators.
    #[error("consensus `solo` has one validator, the group has {count}; choose another consensus in its genesis")]
    Validators {
        /// How many it has.
        count: usize,
    },
    /// The record of votes and the ledger do not belong together.
    #[error(
        "the newest vote is for block {voted} at height {height}, the ledger's newest block is {tip} at {tip_height}; \
         the ledger was restored from an older copy, or belongs to another node"
    )]
    LedgerBehind {
        /// Height of the vote.
        height: Height,
        /// The block voted for.
        voted: Hash,
        /// Height of the ledger's newest block.
        tip_height: Height,
        /// The ledger's newest block.
        tip: Hash,
    },
}

/// The engine.
#[derive(Debug)]
pub struct Solo {
    chain: ChainIdentity,
    validators: ValidatorSet,
    validators_hash: Hash,
    epoch: Epoch,
    /// The newest block that is decided.
    decided: (Height, Hash),
    /// Whether that block is still being written.
    writing: bool,
    stage: Stage,
    /// The round of the next block.
    round: Round,
    halted: bool,
}

/// How far the block after the newest decided one is.
#[derive(Debug)]
enum Stage {
    /// Not asked for.
    Idle,
    /// Asked for.
    Asked(Slot),
    /// Executed; its parent is not durable yet.
    Executed(Box<Header>),
    /// Its vote is to be signed.
    Signing(Box<Header>),
}

impl Solo {
    /// The engine of a group with one validator, whose ledger's newest block has this height and hash. `last_vote` is
    /// what the [`VoteLog`](crate::VoteLog) holds.
    ///
    /// # Errors
    /// If there are several validators, or the vote shows that the ledger has lost blocks.
    pub fn new(
        chain: ChainIdentity,
        validators: ValidatorSet,
        tip: (Height, Hash),
        last_vote: Option<Precommit>,
    ) -> Result<Solo, SoloError> {
        if validators.len() != 1 {
            return Err(SoloError::Validators { count: validators.len() });
        }
        Ok(Solo {
            validators_hash: validators.hash(chain.crypto),
            chain,
            validators,
            epoch: Epoch(0),
            decided: tip,
            writing: false,
            stage: Stage::Idle,
            round: first_round(tip, last_vote)?,
            halted: false,
        })
    }

    fn ask(&mut self, out: &mut Vec<Output>) {
        if !matches!(self.stage, Stage::Idle) {
            return;
        }
        let slot = Slot {
            height: self.decided.0.next(),
            parent: self.decided.1,
            epoch: self.epoch,
            round: self.round,
            proposer: 0,
            validators: self.validators_hash,
        };
        self.stage = Stage::Asked(slot);
        out.push(Output::Propose(slot));
    }

    fn executed(&mut self, header: Box<Header>, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Stage::Asked(slot) = self.stage else {
            return Err(Fault::Unexpected { what: "an executed block", height: header.height });
        };
        if !slot.is_of(&header) {
            return Err(Fault::WrongBlock { found: header.height, expected: slot.height });
        }
        self.stage = Stage::Executed(header);
        self.vote(out);
        Ok(())
    }

    /// Votes for the executed block, once its parent is durable.
    fn vote(&mut self, out: &mut Vec<Output>) {
        if self.writing {
            return;
        }
        self.stage = match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Executed(header) => {
                out.push(Output::Sign(vote_for(&header).into()));
                Stage::Signing(header)
            }
            other => other,
        };
    }

    fn signed(&mut self, signed: &Signed, out: &mut Vec<Output>) -> Result<(), Fault> {
        let (header, vote) = match &self.stage {
            Stage::Signing(header) if *signed.statement() == vote_for(header).into() => (header, vote_for(header)),
            _ => return Err(Fault::Unexpected { what: "a signed vote", height: signed.statement().height }),
        };
        let Precommit { epoch, height, round, block_hash } = vote;
        let signatures = vec![(0, signed.signature())];
        let certificate = Certificate { height, round, epoch, block_hash, signatures };
        certificate.verify(&self.chain, &self.validators, header).map_err(|error| Fault::BadVote { height, error })?;
        self.decided = (height, block_hash);
        self.writing = true;
        self.stage = Stage::Idle;
        self.round = Round(0);
        out.push(Output::Decide(certificate));
        Ok(())
    }

    fn persisted(&mut self, height: Height, out: &mut Vec<Output>) -> Result<(), Fault> {
        if !self.writing || height != self.decided.0 {
            return Err(Fault::Unexpected { what: "a durable block", height });
        }
        self.writing = false;
        self.vote(out);
        Ok(())
    }

    fn withdrawn(&mut self) {
        if matches!(self.stage, Stage::Asked(_)) {
            self.stage = Stage::Idle;
        }
    }
}

fn vote_for(header: &Header) -> Precommit {
    let Header { epoch, height, round, .. } = *header;
    Precommit { epoch, height, round, block_hash: header.hash() }
}

/// The round of the first block to be made. If a vote for another block at its height was signed before a crash, the
/// block goes into a later round, so that no position has two votes.
fn first_round((tip_height, tip): (Height, Hash), last_vote: Option<Precommit>) -> Result<Round, SoloError> {
    let Some(Precommit { height, round, block_hash: voted, .. }) = last_vote else { return Ok(Round(0)) };
    let next = tip_height.next();
    match height {
        _ if height == next => Ok(Round(round.0.saturating_add(1))),
        _ if height > next || (height == tip_height && voted != tip) => {
            Err(SoloError::LedgerBehind { height, voted, tip_height, tip })
        }
        _ => Ok(Round(0)),
    }
}

impl Consensus for Solo {
    fn step(&mut self, input: Input, _now: Timestamp, out: &mut Vec<Output>) {
        if self.halted {
            return;
        }
        let result = match input {
            Input::BatchReady => {
                self.ask(out);
                Ok(())
            }
            Input::Withdrawn => {
                self.withdrawn();
                Ok(())
            }
            Input::Executed(header) => self.executed(header, out),
            Input::Signed(signed) => self.signed(&signed, out),
            Input::Persisted { height } => self.persisted(height, out),
            Input::Start => Ok(()),
            // The rest is of other validators, and there are none.
            _ => Err(Fault::Unexpected { what: "other validators", height: self.decided.0.next() }),
        };
        if let Err(fault) = result {
            self.halted = true;
            out.push(Output::Halt(fault));
        }
    }
}
