//! Small changes: one field of what the validator says, signed again.

use hanse_consensus::{Message, Proposal, Quorum, SignedStatement, Statement, VoteKind, Word};
use hanse_types::{Certificate, Epoch, Hash, Height, Round};

use crate::byzantine::{Adversary, Sent};

impl Adversary {
    /// A number at or near the ends of what there is, or next to this one.
    pub(super) fn nearby(&mut self, number: u64) -> u64 {
        match self.random.below(6) {
            0 => 0,
            1 => u64::from(u32::MAX),
            2 => number.saturating_sub(1),
            3 => number.saturating_add(2),
            4 => u64::MAX,
            _ => number.saturating_add(1),
        }
    }

    pub(super) fn nearby_round(&mut self, round: Round) -> Round {
        Round(self.nearby(u64::from(round.0)) as u32)
    }

    pub(super) fn mutate_statement(&mut self, statement: &mut Statement) {
        match self.random.below(5) {
            0 => statement.round = self.nearby_round(statement.round),
            1 => statement.height = Height(self.nearby(statement.height.0)),
            2 => statement.epoch = Epoch(self.nearby(statement.epoch.0)),
            3 => statement.word = self.other_kind(statement),
            _ => statement.word = self.other_word(statement),
        }
    }

    fn other_kind(&mut self, statement: &Statement) -> Word {
        match statement.word {
            Word::Prevote(choice) => Word::Precommit(choice),
            Word::Precommit(choice) => Word::Prevote(choice),
            Word::Propose { block, .. } => {
                Word::Propose { block, valid_round: Some(self.nearby_round(statement.round)) }
            }
        }
    }

    fn other_word(&mut self, statement: &Statement) -> Word {
        let other = self.any_choice(statement.height);
        match statement.word {
            Word::Prevote(_) => Word::Prevote(other),
            Word::Precommit(_) => Word::Precommit(other),
            Word::Propose { valid_round, .. } => Word::Propose { block: other.unwrap_or(Hash::ZERO), valid_round },
        }
    }

    pub(super) fn mutate(&mut self, message: Message) -> Sent {
        if self.random.chance(500) {
            return vec![(0, message)];
        }
        let changed = match message {
            Message::Vote(signed) => {
                let mut statement = signed.statement;
                self.mutate_statement(&mut statement);
                if self.random.chance(200) {
                    // What it says, with a signature over something else.
                    let signature = self.sign(statement, signed.validator).signature;
                    return vec![(0, Message::Vote(SignedStatement { signature, ..signed }))];
                }
                let validator = if self.random.chance(100) { signed.validator ^ 1 } else { signed.validator };
                Message::Vote(self.sign(statement, validator))
            }
            Message::Proposal(proposal) => Message::Proposal(self.mutate_proposal(proposal)),
            Message::Quorum(quorum) => Message::Quorum(self.mutate_quorum(quorum)),
            Message::Decided { certificate, block } => {
                let Quorum { height, round, epoch, signatures, .. } = self.mutate_quorum(certificate.into());
                let certificate = Certificate { height, round, epoch, block_hash: block.hash(), signatures };
                Message::Decided { certificate, block }
            }
            Message::Status(mut status) => {
                status.height = Height(self.nearby(status.height.0));
                status.round = self.nearby_round(status.round);
                Message::Status(status)
            }
            message => message,
        };
        vec![(0, changed)]
    }

    fn mutate_proposal(&mut self, mut proposal: Proposal) -> Proposal {
        if self.random.chance(400) {
            return self.propose_again(&proposal).unwrap_or(proposal);
        }
        let mut statement = proposal.signed.statement;
        self.mutate_statement(&mut statement);
        proposal.signed = self.sign(statement, proposal.signed.validator);
        if self.random.chance(300) {
            proposal.polka = None;
        }
        proposal
    }

    pub(super) fn mutate_quorum(&mut self, mut quorum: Quorum) -> Quorum {
        match self.random.below(8) {
            0 => quorum.round = self.nearby_round(quorum.round),
            1 => quorum.block = self.any_choice(quorum.height),
            2 => quorum.kind = VoteKind::Precommit,
            3 => quorum.signatures.truncate(1),
            4 => {
                let first = quorum.signatures.first().copied();
                quorum.signatures.extend(first);
            }
            5 => {
                let last = quorum.signatures.len().saturating_sub(1);
                quorum.signatures.truncate(last);
            }
            6 => {
                let count = quorum.signatures.len();
                quorum.signatures = quorum.signatures.first().map(|first| vec![*first; count]).unwrap_or_default();
            }
            _ => quorum.height = Height(self.nearby(quorum.height.0)),
        }
        quorum
    }
}
