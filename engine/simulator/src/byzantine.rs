//! What faulty validators do.
//!
//! Each runs the real engine, so that it takes part and knows what is going on, and does something to what the engine
//! sends. None can sign for others.

use hanse_consensus::{CompactBlock, Message, Proposal, Quorum, SignedStatement, Statement, VoteKind, Word};
use hanse_types::crypto::{Signature, Signer};
use hanse_types::{Certificate, ChainIdentity, Epoch, Hash, Header, Height, Round, Timestamp, sign_bytes};

use crate::keys::Keys;
use crate::random::Random;

/// A behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Says nothing.
    Silent,
    /// Says one thing to some and another to others.
    Equivocator,
    /// Restarts often, and forgets what it signed.
    Amnesiac,
    /// Changes one field of what it says, and signs that.
    Mutator,
    /// Says again what anybody ever said.
    Replayer,
    /// Runs twice with one key.
    Twin,
    /// Speaks just before nobody waits any more.
    Late,
    /// Makes up quorums, certificates and statuses.
    Forger,
    /// Votes for whatever is proposed, and for every block it knows.
    Yes,
    /// Proposes blocks that are not what running them gives.
    Liar,
}

impl Kind {
    const ALL: [Kind; 10] = [
        Kind::Silent,
        Kind::Equivocator,
        Kind::Amnesiac,
        Kind::Mutator,
        Kind::Replayer,
        Kind::Twin,
        Kind::Late,
        Kind::Forger,
        Kind::Yes,
        Kind::Liar,
    ];

    pub(crate) fn of(random: &mut Random) -> Kind {
        Kind::ALL[random.below(Kind::ALL.len() as u64) as usize]
    }

    /// Whether it has no memory of its votes.
    pub(crate) fn forgets(self) -> bool {
        self == Kind::Amnesiac
    }
}

/// What goes out instead, each with an extra delay in milliseconds.
pub(crate) type Sent = Vec<(u64, Message)>;

/// A faulty node's own part.
#[derive(Debug)]
pub(crate) struct Adversary {
    pub(crate) kind: Kind,
    keys: Keys,
    chain: ChainIdentity,
    random: Random,
    /// What it heard, and will say again.
    heard: Vec<Message>,
    /// Blocks of late, to vote for.
    blocks: Vec<CompactBlock>,
}

/// Messages that an adversary remembers.
const MEMORY: usize = 400;

impl Adversary {
    pub(crate) fn new(kind: Kind, keys: Keys, chain: ChainIdentity, random: Random) -> Adversary {
        Adversary { kind, keys, chain, random, heard: Vec::new(), blocks: Vec::new() }
    }

    /// Listens.
    pub(crate) fn hear(&mut self, message: &Message) {
        if let Message::Proposal(Proposal { block, .. }) | Message::Block(block) = message
            && !self.blocks.contains(block)
        {
            self.blocks.push(block.clone());
        }
        if matches!(self.kind, Kind::Replayer | Kind::Forger) {
            let at = self.random.below(MEMORY as u64) as usize;
            match self.heard.len() < MEMORY {
                true => self.heard.push(message.clone()),
                false => self.heard[at] = message.clone(),
            }
        }
    }

    /// What one receiver gets of a message that the engine sends.
    pub(crate) fn send(&mut self, message: Message) -> Sent {
        match self.kind {
            Kind::Silent => Vec::new(),
            Kind::Amnesiac | Kind::Twin => vec![(0, message)],
            Kind::Late => vec![(self.random.between(200, 400), message)],
            Kind::Equivocator => self.equivocate(message),
            Kind::Mutator => self.mutate(message),
            Kind::Replayer => self.replay(message),
            Kind::Forger => self.forge(message),
            Kind::Yes => self.agree(message),
            Kind::Liar => self.lie(message),
        }
    }

    fn sign(&self, statement: Statement, validator: u32) -> SignedStatement {
        let Statement { epoch, height, round, word } = statement;
        let chain = &self.chain;
        let bytes = match word {
            Word::Propose { block, valid_round } => {
                sign_bytes::proposal(chain, epoch, height, round, valid_round, &block)
            }
            Word::Prevote(block) => sign_bytes::prevote(chain, epoch, height, round, &block.unwrap_or(Hash::ZERO)),
            Word::Precommit(block) => sign_bytes::precommit(chain, epoch, height, round, &block.unwrap_or(Hash::ZERO)),
        };
        let signature = self.keys.sign(&bytes).unwrap_or(Signature([0; 64]));
        SignedStatement { statement, validator, signature }
    }

    fn is_own(&self, signed: &SignedStatement) -> bool {
        let own = self.sign(signed.statement, signed.validator);
        own.signature == signed.signature
    }

    /// A block of the height that it knows, or none.
    fn any_choice(&mut self, height: Height) -> Option<Hash> {
        let blocks: Vec<Hash> =
            self.blocks.iter().filter(|block| block.header().height == height).map(CompactBlock::hash).collect();
        let at = self.random.below(blocks.len() as u64 + 1) as usize;
        blocks.get(at).copied()
    }

    fn equivocate(&mut self, message: Message) -> Sent {
        if self.random.chance(400) {
            return vec![(0, message)];
        }
        match message {
            Message::Vote(signed) if self.is_own(&signed) => {
                let other = self.any_choice(signed.statement.height);
                let word = match signed.statement.word {
                    Word::Prevote(_) => Word::Prevote(other),
                    Word::Precommit(_) => Word::Precommit(other),
                    word => word,
                };
                let second = Message::Vote(self.sign(Statement { word, ..signed.statement }, signed.validator));
                let both = self.random.chance(300);
                let first = both.then_some((0, Message::Vote(signed)));
                first.into_iter().chain([(0, second)]).collect()
            }
            Message::Proposal(proposal) if self.is_own(&proposal.signed) => {
                let later = |header: &mut Header| header.timestamp = Timestamp(header.timestamp.0 + 1);
                let second = self.other_block(&proposal, later).map(Message::Proposal);
                let both = self.random.chance(300);
                let first = both.then_some(Message::Proposal(proposal));
                first.into_iter().chain(second).map(|message| (0, message)).collect()
            }
            message => vec![(0, message)],
        }
    }

    /// A proposal of another block for the same position; it remembers the block.
    fn other_block(&mut self, proposal: &Proposal, change: impl FnOnce(&mut Header)) -> Option<Proposal> {
        let mut header = proposal.block.header().clone();
        change(&mut header);
        let (dag, transactions) = (proposal.block.dag().clone(), proposal.block.transactions().to_vec());
        let block = CompactBlock::new(header, dag, transactions).ok()?;
        self.blocks.push(block.clone());
        let valid_round = match proposal.signed.statement.word {
            Word::Propose { valid_round, .. } => valid_round,
            _ => None,
        };
        let word = Word::Propose { block: block.hash(), valid_round };
        let signed = self.sign(Statement { word, ..proposal.signed.statement }, proposal.signed.validator);
        Some(Proposal { signed, block, polka: proposal.polka.clone() })
    }

    fn nearby(&mut self, number: u64) -> u64 {
        match self.random.below(6) {
            0 => 0,
            1 => u64::from(u32::MAX),
            2 => number.saturating_sub(1),
            3 => number.saturating_add(2),
            4 => u64::MAX,
            _ => number.saturating_add(1),
        }
    }

    fn mutate_statement(&mut self, statement: &mut Statement) {
        match self.random.below(5) {
            0 => statement.round = Round(self.nearby(u64::from(statement.round.0)) as u32),
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
                let round = Round(self.nearby(u64::from(statement.round.0)) as u32);
                Word::Propose { block, valid_round: Some(round) }
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

    fn mutate(&mut self, message: Message) -> Sent {
        if self.random.chance(500) {
            return vec![(0, message)];
        }
        let changed = match message {
            Message::Vote(signed) => {
                let mut statement = signed.statement;
                self.mutate_statement(&mut statement);
                let validator = if self.random.chance(100) { signed.validator ^ 1 } else { signed.validator };
                Message::Vote(self.sign(statement, validator))
            }
            Message::Proposal(mut proposal) => {
                let mut statement = proposal.signed.statement;
                self.mutate_statement(&mut statement);
                proposal.signed = self.sign(statement, proposal.signed.validator);
                if self.random.chance(300) {
                    proposal.polka = None;
                }
                Message::Proposal(proposal)
            }
            Message::Quorum(quorum) => Message::Quorum(self.mutate_quorum(quorum)),
            Message::Decided { certificate, block } => {
                let Quorum { height, round, epoch, signatures, .. } = self.mutate_quorum(certificate.into());
                let certificate = Certificate { height, round, epoch, block_hash: block.hash(), signatures };
                Message::Decided { certificate, block }
            }
            Message::Status(mut status) => {
                status.height = Height(self.nearby(status.height.0));
                status.round = Round(self.nearby(u64::from(status.round.0)) as u32);
                Message::Status(status)
            }
            message => message,
        };
        vec![(0, changed)]
    }

    fn mutate_quorum(&mut self, mut quorum: Quorum) -> Quorum {
        match self.random.below(6) {
            0 => quorum.round = Round(self.nearby(u64::from(quorum.round.0)) as u32),
            1 => quorum.block = self.any_choice(quorum.height),
            2 => quorum.kind = VoteKind::Precommit,
            3 => quorum.signatures.truncate(1),
            4 => {
                let first = quorum.signatures.first().copied();
                quorum.signatures.extend(first);
            }
            _ => quorum.height = Height(self.nearby(quorum.height.0)),
        }
        quorum
    }

    fn replay(&mut self, message: Message) -> Sent {
        let mut sent = vec![(0, message)];
        for _ in 0..self.random.below(3) {
            let at = self.random.below(self.heard.len() as u64) as usize;
            let again = self.heard.get(at).cloned().map(|old| self.out_of_place(old));
            sent.extend(again.map(|message| (0, message)));
        }
        sent
    }

    /// An old message as it was, or with its signatures under other words.
    fn out_of_place(&mut self, message: Message) -> Message {
        if self.random.chance(500) {
            return message;
        }
        match message {
            Message::Vote(mut signed) => {
                self.mutate_statement(&mut signed.statement);
                Message::Vote(signed)
            }
            Message::Quorum(quorum) => Message::Quorum(self.mutate_quorum(quorum)),
            message => message,
        }
    }

    fn forge(&mut self, message: Message) -> Sent {
        let at = self.random.below(self.heard.len() as u64) as usize;
        let forged = match self.heard.get(at).cloned() {
            Some(Message::Vote(signed)) => {
                let Statement { epoch, height, round, .. } = signed.statement;
                let block = self.any_choice(height);
                let kind = if self.random.chance(500) { VoteKind::Prevote } else { VoteKind::Precommit };
                let signature = self.sign(Statement::vote(kind, epoch, height, round, block), 0).signature;
                let signatures = (0..7).map(|index| (index, signature)).collect();
                Some(Message::Quorum(Quorum { kind, epoch, height, round, block, signatures }))
            }
            Some(Message::Proposal(proposal)) => {
                let signature = proposal.signed.signature;
                let header = proposal.block.header();
                let certificate = Certificate {
                    height: header.height,
                    round: header.round,
                    epoch: header.epoch,
                    block_hash: proposal.block.hash(),
                    signatures: (0..7).map(|index| (index, signature)).collect(),
                };
                Some(Message::Decided { certificate, block: proposal.block })
            }
            Some(Message::Status(mut status)) => {
                status.height = Height(self.nearby(status.height.0));
                Some(Message::Status(status))
            }
            _ => None,
        };
        [Some(message), forged].into_iter().flatten().map(|message| (0, message)).collect()
    }

    /// Votes for every block of the height in every step and round.
    fn agree(&mut self, message: Message) -> Sent {
        let Message::Vote(signed) = &message else { return vec![(0, message)] };
        if !self.is_own(signed) {
            return vec![(0, message)];
        }
        let Statement { epoch, height, round, .. } = signed.statement;
        let validator = signed.validator;
        let mut blocks: Vec<Hash> =
            self.blocks.iter().rev().filter(|block| block.header().height == height).map(CompactBlock::hash).collect();
        blocks.truncate(3);
        let mut sent = Vec::new();
        for block in blocks {
            for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                let vote = self.sign(Statement::vote(kind, epoch, height, round, Some(block)), validator);
                sent.push((0, Message::Vote(vote)));
            }
        }
        if sent.is_empty() { vec![(0, message)] } else { sent }
    }

    /// Changes a field of the blocks that it proposes.
    fn lie(&mut self, message: Message) -> Sent {
        let Message::Proposal(proposal) = &message else { return vec![(0, message)] };
        if !self.is_own(&proposal.signed) || self.random.chance(200) {
            return vec![(0, message)];
        }
        let which = self.random.below(9);
        let number = self.random.next();
        let change = move |header: &mut Header| match which {
            0 => header.state_root = Hash([number as u8; 32]),
            1 => header.parent = Hash([number as u8; 32]),
            2 => header.timestamp = Timestamp(number),
            3 => header.receipt_root = Hash([number as u8; 32]),
            4 => header.proposer ^= 1,
            5 => header.round = Round(header.round.0.wrapping_add(1)),
            6 => header.epoch = Epoch(number),
            7 => header.next_validators = Hash([number as u8; 32]),
            _ => header.height = Height(header.height.0.wrapping_add(1)),
        };
        let lie = self.other_block(proposal, change).map(Message::Proposal);
        lie.into_iter().map(|message| (0, message)).collect()
    }
}
