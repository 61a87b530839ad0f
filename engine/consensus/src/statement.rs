//! What a validator signs, and the forms in which that exists.
//!
//! ```text
//! Intent ──(journal, guard)──▶ Durable<Statement> ──(signer)──▶ Signed ──▶ SignedStatement, to everybody
//! ```
//!
//! A [`Statement`] is a proposal, a prevote or a precommit. An [`Intent`] is one that the engine wants signed, with what
//! it rests on. A [`Signed`] is a node's own, which exists only after it was made durable; a [`SignedStatement`] is
//! anybody's, as it crosses the wire, to be verified.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::{ChainIdentity, Epoch, Hash, Height, Round, sign_bytes};

use crate::block::CompactBlock;
use crate::durable::Durable;
use crate::message::Quorum;
use crate::verify::Verify;
use crate::vote::{Precommit, SignedPrecommit};

/// A step of a round, and the kind of statement that belongs to it. In their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Step {
    /// A block is proposed.
    Propose,
    /// Validators say which block of the round they would take.
    Prevote,
    /// Validators say which block of the round they decide for.
    Precommit,
}

/// Which of the two votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum VoteKind {
    /// The first.
    Prevote,
    /// The second; what commit certificates are made of.
    Precommit,
}

/// What a validator says. At one position (height, round, step) an honest one says one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// Version of the validator set.
    pub epoch: Epoch,
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// What is said there.
    pub word: Word,
}

/// The three things to say. No block means: none in this round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Word {
    /// This block is proposed.
    Propose {
        /// The block.
        block: Hash,
        /// The round in which it had a quorum of prevotes, if it is proposed again.
        valid_round: Option<Round>,
    },
    /// This block would be taken.
    Prevote(Option<Hash>),
    /// This block is decided for.
    Precommit(Option<Hash>),
}

impl Statement {
    /// A vote.
    pub fn vote(kind: VoteKind, epoch: Epoch, height: Height, round: Round, block: Option<Hash>) -> Statement {
        let word = match kind {
            VoteKind::Prevote => Word::Prevote(block),
            VoteKind::Precommit => Word::Precommit(block),
        };
        Statement { epoch, height, round, word }
    }

    /// The step that it belongs to.
    pub fn step(&self) -> Step {
        match self.word {
            Word::Propose { .. } => Step::Propose,
            Word::Prevote(_) => Step::Prevote,
            Word::Precommit(_) => Step::Precommit,
        }
    }

    /// Where it stands among all statements of a validator: for one position there is one statement.
    pub fn position(&self) -> (Height, Round, Step) {
        (self.height, self.round, self.step())
    }

    /// The bytes that its signature covers. Public only by way of [`Durable`]: nothing else may be signed.
    fn bytes(&self, chain: &ChainIdentity) -> Vec<u8> {
        let Statement { epoch, height, round, word } = *self;
        // No block has the hash zero, so it stands for none.
        let block = |block: Option<Hash>| block.unwrap_or(Hash::ZERO);
        match word {
            Word::Propose { block, valid_round } => {
                sign_bytes::proposal(chain, epoch, height, round, valid_round, &block)
            }
            Word::Prevote(voted) => sign_bytes::prevote(chain, epoch, height, round, &block(voted)),
            Word::Precommit(voted) => sign_bytes::precommit(chain, epoch, height, round, &block(voted)),
        }
    }

    /// Whether a signature over it is good.
    pub(crate) fn is_signed(
        &self,
        chain: &ChainIdentity,
        verify: &impl Verify,
        key: &PublicKey,
        signature: &Signature,
    ) -> bool {
        verify.verify(key, &self.bytes(chain), signature)
    }

    /// Whether several validators' signatures over it are all good.
    pub(crate) fn all_signed<'a>(
        &self,
        chain: &ChainIdentity,
        verify: &impl Verify,
        mut signatures: impl Iterator<Item = (&'a PublicKey, &'a Signature)>,
    ) -> bool {
        let bytes = self.bytes(chain);
        signatures.all(|(key, signature)| verify.verify(key, &bytes, signature))
    }
}

/// A statement that the engine wants signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Intent {
    /// The statement.
    pub statement: Statement,
    /// What it rests on.
    pub basis: Basis,
}

/// What a statement rests on: what allows it, and what must be there after a crash if it was signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Basis {
    /// Nothing: a vote for no block, for the one that is locked, or with nothing locked.
    Nothing,
    /// A new block: a proposal's.
    Block(CompactBlock),
    /// A polka: what frees a prevote from the lock.
    Polka(Quorum),
    /// A block and the polka for it: a precommit's, which locks it, and a proposal's for the second time.
    Both(CompactBlock, Quorum),
}

impl Intent {
    /// A statement that rests on nothing.
    pub fn bare(statement: Statement) -> Intent {
        Intent { statement, basis: Basis::Nothing }
    }

    /// The precommit for a block, if it is one.
    pub fn precommit(&self) -> Option<Precommit> {
        let Statement { epoch, height, round, word } = self.statement;
        match word {
            Word::Precommit(Some(block_hash)) => Some(Precommit { epoch, height, round, block_hash }),
            _ => None,
        }
    }
}

impl From<Precommit> for Statement {
    fn from(Precommit { epoch, height, round, block_hash }: Precommit) -> Statement {
        Statement { epoch, height, round, word: Word::Precommit(Some(block_hash)) }
    }
}

impl From<Precommit> for Intent {
    fn from(vote: Precommit) -> Intent {
        Intent::bare(vote.into())
    }
}

impl Durable<Statement> {
    /// What the validator signs.
    pub fn sign_bytes(&self, chain: &ChainIdentity) -> Vec<u8> {
        self.get().bytes(chain)
    }
}

/// A node's own statement, durable and signed: fit to leave the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    statement: Durable<Statement>,
    signature: Signature,
}

impl Signed {
    /// Joins a statement and the signature over its [sign-bytes](Durable::sign_bytes).
    pub fn new(statement: Durable<Statement>, signature: Signature) -> Signed {
        Signed { statement, signature }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        self.statement.get()
    }

    /// The signature.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// As it is sent.
    pub(crate) fn by(&self, validator: u32) -> SignedStatement {
        SignedStatement { statement: *self.statement(), validator, signature: self.signature }
    }
}

impl From<SignedPrecommit> for Signed {
    fn from(signed: SignedPrecommit) -> Signed {
        Signed { signature: signed.signature(), statement: signed.durable().into() }
    }
}

/// Anybody's statement, as it crosses the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedStatement {
    /// What is said.
    pub statement: Statement,
    /// Index of the validator who says it.
    pub validator: u32,
    /// Its signature.
    pub signature: Signature,
}
