//! Old words in other places, and words that nobody said.

use hanse_consensus::{CompactBlock, Evidence, Message, Quorum, Request, SignedStatement, Statement, VoteKind, Word};
use hanse_types::crypto::Signature;
use hanse_types::{Certificate, Epoch, Hash, Header, Height, Round};

use crate::byzantine::{Adversary, Sent, at_once, bytes};

/// Signatures in a forged quorum.
const FORGED: u32 = 7;
/// Messages of a flood, to one receiver.
const FLOOD: u32 = 40;

impl Adversary {
    pub(super) fn replay(&mut self, message: Message) -> Sent {
        let mut sent = vec![(0, message)];
        for _ in 0..self.random.below(3) {
            let again = self.heard().map(|old| self.out_of_place(old));
            sent.extend(again.map(|message| (0, message)));
        }
        sent
    }

    /// An old message as it was, or with its signatures under other words.
    fn out_of_place(&mut self, message: Message) -> Message {
        if self.random.chance(300) {
            return message;
        }
        match message {
            Message::Vote(signed) if self.random.chance(400) => Message::Vote(self.as_elsewhere(signed)),
            Message::Vote(mut signed) => {
                self.mutate_statement(&mut signed.statement);
                Message::Vote(signed)
            }
            Message::Quorum(quorum) if self.random.chance(400) => Message::Quorum(self.old_votes(quorum)),
            Message::Quorum(quorum) => Message::Quorum(self.mutate_quorum(quorum)),
            message => message,
        }
    }

    /// What this validator may well have signed in another group, for a block of this one.
    fn as_elsewhere(&mut self, signed: SignedStatement) -> SignedStatement {
        let mut statement = signed.statement;
        statement.word = match (statement.word, self.any_choice(statement.height)) {
            (Word::Prevote(_), choice) => Word::Prevote(choice),
            (Word::Precommit(_), choice) => Word::Precommit(choice),
            (word, _) => word,
        };
        let bytes = bytes(&self.elsewhere, &statement);
        let signature = self.keys.others_elsewhere(signed.validator, &bytes).unwrap_or(Signature([0; 64]));
        SignedStatement { statement, signature, ..signed }
    }

    /// The signatures of an old quorum under another block, round or epoch.
    fn old_votes(&mut self, mut quorum: Quorum) -> Quorum {
        match self.random.below(3) {
            0 => quorum.block = self.any_choice(quorum.height),
            1 => quorum.round = self.nearby_round(quorum.round),
            _ => quorum.epoch = Epoch(self.nearby(quorum.epoch.0)),
        }
        quorum
    }

    pub(super) fn forge(&mut self, message: Message) -> Sent {
        let forged = match self.heard() {
            Some(Message::Vote(signed)) if self.random.chance(400) => self.forge_evidence(signed),
            Some(Message::Vote(signed)) => Some(self.forge_quorum(&signed.statement)),
            Some(Message::Proposal(proposal)) => Some(forge_decided(proposal.block, proposal.signed.signature)),
            Some(Message::Status(mut status)) => {
                status.height = Height(self.nearby(status.height.0));
                Some(Message::Status(status))
            }
            _ => None,
        };
        at_once([Some(message), forged].into_iter().flatten())
    }

    fn forge_quorum(&mut self, statement: &Statement) -> Message {
        let Statement { epoch, height, round, .. } = *statement;
        let block = self.any_choice(height);
        let kind = if self.random.chance(500) { VoteKind::Prevote } else { VoteKind::Precommit };
        let signature = self.sign(Statement::vote(kind, epoch, height, round, block), 0).signature;
        let signatures = (0..FORGED).map(|index| (index, signature)).collect();
        Message::Quorum(Quorum { kind, epoch, height, round, block, signatures })
    }

    /// Evidence that shows nothing: of other words than were signed, of two rounds, of the same words twice.
    fn forge_evidence(&mut self, first: SignedStatement) -> Option<Message> {
        let same_height = |message: &Message| match message {
            Message::Vote(vote) => {
                let same = vote.validator == first.validator && vote.statement.height == first.statement.height;
                (same && vote.statement.position() != first.statement.position()).then_some(*vote)
            }
            _ => None,
        };
        let second = match self.random.below(3) {
            0 => {
                let mut second = first;
                self.mutate_statement(&mut second.statement);
                second
            }
            1 => first,
            _ => self.heard.iter().rev().find_map(same_height)?,
        };
        Some(Message::Evidence(Evidence { first, second }))
    }

    /// Far more than is asked for: votes for rounds and heights to come, blocks for one round.
    pub(super) fn flood(&mut self, message: Message) -> Sent {
        if self.random.chance(900) {
            return vec![(0, message)];
        }
        let mut sent = vec![(0, message.clone())];
        match &message {
            Message::Vote(signed) if self.is_own(signed) => {
                let Statement { epoch, height, round, .. } = signed.statement;
                let to_come = if self.random.chance(500) { height } else { height.next() };
                let vote = |ahead| Statement::vote(VoteKind::Prevote, epoch, to_come, Round(round.0 + ahead), None);
                let votes = (0..FLOOD).map(|ahead| Message::Vote(self.sign(vote(ahead), signed.validator)));
                sent.extend(at_once(votes.collect::<Vec<_>>()));
            }
            Message::Proposal(proposal) if self.is_own(&proposal.signed) => {
                let later = |ms| move |header: &mut Header| header.timestamp = header.timestamp.plus_ms(ms);
                let others = (1..u64::from(FLOOD)).filter_map(|ms| self.other_block(proposal, later(ms)));
                sent.extend(at_once(others.map(Message::Proposal).collect::<Vec<_>>()));
            }
            _ => {}
        }
        sent
    }

    /// Wrong answers: another block with a certificate, another height, transactions that are others', tips that are not.
    pub(super) fn mislead(&mut self, message: Message) -> Sent {
        if self.random.chance(200) {
            return vec![(0, message)];
        }
        match message {
            Message::Decided { certificate, block } => vec![(0, self.mislead_decided(certificate, block))],
            Message::Block(block) => {
                let other = self.heard_block().unwrap_or(block);
                vec![(0, Message::Block(other))]
            }
            Message::Transactions { block, mut transactions } => {
                for (place, bytes) in &mut transactions {
                    match self.random.below(3) {
                        0 => *place = place.wrapping_add(1),
                        1 => bytes.iter_mut().for_each(|byte| *byte ^= 1),
                        _ => bytes.truncate(3),
                    }
                }
                vec![(0, Message::Transactions { block, transactions })]
            }
            Message::Status(mut status) => {
                // Raised, lowered, or as far away as there is.
                let real = Message::Status(status.clone());
                status.height = Height(self.nearby(status.height.0));
                let asks = Message::Request(Request::Decided(Height(self.nearby(status.height.0))));
                at_once([Message::Status(status), real, asks])
            }
            message => vec![(0, message)],
        }
    }

    fn mislead_decided(&mut self, mut certificate: Certificate, block: CompactBlock) -> Message {
        let other = self.heard_block().filter(|other| *other != block);
        match (self.random.below(3), other) {
            (0, Some(block)) => Message::Decided { certificate, block },
            (1, Some(block)) => {
                certificate.block_hash = block.hash();
                Message::Decided { certificate, block }
            }
            _ => {
                certificate.height = Height(self.nearby(certificate.height.0));
                Message::Decided { certificate, block }
            }
        }
    }

    fn heard_block(&mut self) -> Option<CompactBlock> {
        let at = self.random.below(self.blocks.len() as u64) as usize;
        self.blocks.get(at).cloned()
    }
}

fn forge_decided(block: CompactBlock, signature: Signature) -> Message {
    let header = block.header();
    let block_hash: Hash = block.hash();
    let signatures = (0..FORGED).map(|index| (index, signature)).collect();
    let certificate =
        Certificate { height: header.height, round: header.round, epoch: header.epoch, block_hash, signatures };
    Message::Decided { certificate, block }
}
