//! What validators and observers of a group say to one another.
//!
//! Nothing here is trusted. Statements and quorums are verified by their signatures; a [`Status`], a [`Request`] and what
//! answers it are hints that can cost a peer's neighbour some bytes and nothing else.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::crypto::Signature;
use hanse_types::{Canonical, Certificate, ChainIdentity, Epoch, Hash, Height, Round, ValidatorSet, limits};

use crate::block::{BLOCK_BYTES, CompactBlock};
use crate::bugs::{Bug, Bugs};
use crate::evidence::Evidence;
use crate::raft::RaftMessage;
use crate::statement::{SignedStatement, Statement, VoteKind, Word};
use crate::verify::Verify;

/// A node at the other end of a connection, as the transport numbers it; not a validator's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(pub u32);

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// A proposal.
    Proposal(Proposal),
    /// A prevote or a precommit.
    Vote(SignedStatement),
    /// More than two thirds of the validators voted alike.
    Quorum(Quorum),
    /// Where a node is, and what it has there.
    Status(Status),
    /// A node lacks something.
    Request(Request),
    /// Answers [`Request::Block`].
    Block(CompactBlock),
    /// Answers [`Request::Transactions`].
    Transactions {
        /// The block that they are of.
        block: Hash,
        /// Place in the block and canonical bytes, of each.
        transactions: Vec<(u32, Vec<u8>)>,
    },
    /// Answers [`Request::Decided`]: a block that is committed.
    Decided {
        /// Shows that it was decided.
        certificate: Certificate,
        /// The block.
        block: CompactBlock,
    },
    /// A validator contradicted itself.
    Evidence(Evidence),
    /// What validators of a group with consensus `raft` say.
    Raft(RaftMessage),
}

impl Canonical for Message {
    const NAME: &'static str = "consensus message";
    const MAX_BYTES: usize = BLOCK_BYTES + 2 * limits::CERTIFICATE_BYTES;
}

/// A proposal with its block, and with the polka that allows to take it again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The proposer's word.
    pub signed: SignedStatement,
    /// The block.
    pub block: CompactBlock,
    /// For a block that is proposed again: its polka.
    pub polka: Option<Quorum>,
}

/// Votes of more than two thirds of the validators for the same thing. One of prevotes for a block is a *polka*; one of
/// precommits for a block is a commit certificate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Quorum {
    /// Which votes.
    pub kind: VoteKind,
    /// Version of the validator set.
    pub epoch: Epoch,
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The block, or none.
    pub block: Option<Hash>,
    /// Validator index (strictly increasing) and signature.
    pub signatures: Vec<(u32, Signature)>,
}

impl Quorum {
    /// What each of its validators says.
    pub fn statement(&self) -> Statement {
        Statement::vote(self.kind, self.epoch, self.height, self.round, self.block)
    }

    /// Whether it is one: enough validators of the set, each once, every signature good.
    pub fn is_good(&self, chain: &ChainIdentity, set: &ValidatorSet, verify: &impl Verify) -> bool {
        self.is_good_with(chain, set, verify, Bugs::default())
    }

    pub(crate) fn is_good_with(
        &self,
        chain: &ChainIdentity,
        set: &ValidatorSet,
        verify: &impl Verify,
        bugs: Bugs,
    ) -> bool {
        let ordered = self.signatures.is_sorted_by(|(one, _), (two, _)| one < two || bugs.has(Bug::RepeatedSigners));
        let known = self.signatures.last().is_some_and(|(index, _)| (*index as usize) < set.len());
        let keys = self.signatures.iter().filter_map(|(index, signature)| Some((&set.get(*index)?.key, signature)));
        let needed = set.quorum() - usize::from(bugs.has(Bug::ShortQuorums));
        self.signatures.len() >= needed && ordered && known && self.statement().all_signed(chain, verify, keys)
    }
}

impl From<Certificate> for Quorum {
    fn from(certificate: Certificate) -> Quorum {
        let Certificate { height, round, epoch, block_hash, signatures } = certificate;
        Quorum { kind: VoteKind::Precommit, epoch, height, round, block: Some(block_hash), signatures }
    }
}

/// Where a node is, and what it has of that round. Peers answer with what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Status {
    /// The height that it works on.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// Whether it has a proposal of that round.
    pub proposal: bool,
    /// What it has of the round's prevotes.
    pub prevotes: Have,
    /// What it has of the round's precommits.
    pub precommits: Have,
    /// The newest round of which it knows a polka.
    pub valid_round: Option<Round>,
    /// Whether it has something to decide.
    pub waits: bool,
}

/// What a node has of a round's votes of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Have {
    /// Whether a quorum of them agree.
    pub quorum: bool,
    /// A bit for each validator, the first in the lowest bit of the first byte.
    pub from: Vec<u8>,
}

impl Have {
    /// Whether there is a vote of this validator.
    pub fn has(&self, validator: usize) -> bool {
        self.from.get(validator / 8).is_some_and(|byte| byte >> (validator % 8) & 1 == 1)
    }

    /// Notes a vote of this validator.
    pub fn note(&mut self, validator: usize) {
        let byte = validator / 8;
        if self.from.len() <= byte {
            self.from.resize(byte + 1, 0);
        }
        self.from[byte] |= 1 << (validator % 8);
    }
}

/// What a node lacks.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// The block of this height with its certificate.
    Decided(Height),
    /// The block with this hash, of the height under way.
    Block(Hash),
    /// Transactions of a block, under way or committed.
    Transactions {
        /// The block.
        block: Hash,
        /// Their places in it.
        missing: Vec<u32>,
    },
}

impl Message {
    /// The height that it is about, if it says so.
    pub fn height(&self) -> Option<Height> {
        match self {
            Message::Proposal(proposal) => Some(proposal.signed.statement.height),
            Message::Vote(signed) => Some(signed.statement.height),
            Message::Quorum(quorum) => Some(quorum.height),
            Message::Status(status) => Some(status.height),
            Message::Decided { certificate, .. } => Some(certificate.height),
            Message::Evidence(evidence) => Some(evidence.first.statement.height),
            Message::Request(_) | Message::Block(_) | Message::Transactions { .. } | Message::Raft(_) => None,
        }
    }

    /// A signed statement as a message of its own; a proposal is not one, it goes with its block.
    pub(crate) fn vote(signed: SignedStatement) -> Option<Message> {
        match signed.statement.word {
            Word::Prevote(_) | Word::Precommit(_) => Some(Message::Vote(signed)),
            Word::Propose { .. } => None,
        }
    }
}
