//! What faulty validators do.
//!
//! Each runs the real engine, so that it takes part and knows what is going on, and does something to what the engine
//! sends. None can sign for others, but for one thing: what others say in another group. There they may have signed
//! anything, so their signatures for that group are to be had for any words.
//!
//! Start reading at [`Kind`]; what each does is in `mutation`, `forgery`, `lies`, `scheme` and `service`.

use std::collections::BTreeMap;

use hanse_consensus::{CompactBlock, Message, Proposal, SignedStatement, Statement, Word};
use hanse_types::crypto::{Signature, Signer};
use hanse_types::{ChainIdentity, Hash, Height, Round, sign_bytes};

use crate::keys::Keys;
use crate::random::Random;

mod forgery;
mod lies;
mod mutation;
mod scheme;
mod service;

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
    /// Says again what anybody ever said, here or in another group, as it was or in another place.
    Replayer,
    /// Runs twice with one key.
    Twin,
    /// Speaks just before nobody waits any more.
    Late,
    /// Makes up quorums, certificates, evidence and statuses.
    Forger,
    /// Votes for whatever is proposed, and for every block it knows.
    Yes,
    /// Proposes blocks that are not what running them gives: wrong headers, roots and DAGs, old transactions.
    Liar,
    /// Says far more than anybody should keep.
    Flooder,
    /// Answers those who have fallen behind with what is not so.
    Misleader,
    /// Lets some see a quorum and others not, and proposes again what some are not locked on.
    Schemer,
}

impl Kind {
    pub(crate) const ALL: [Kind; 13] = [
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
        Kind::Flooder,
        Kind::Misleader,
        Kind::Schemer,
    ];

    pub(crate) fn of(random: &mut Random) -> Kind {
        Kind::ALL[random.below(Kind::ALL.len() as u64) as usize]
    }

    /// Whether it has no memory of its votes.
    pub(crate) fn forgets(self) -> bool {
        self == Kind::Amnesiac
    }

    /// Whether it uses what it heard.
    fn listens(self) -> bool {
        matches!(self, Kind::Replayer | Kind::Forger | Kind::Mutator | Kind::Misleader)
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
    /// Another group of the same validators.
    elsewhere: ChainIdentity,
    random: Random,
    /// What it heard, and will say again.
    heard: Vec<Message>,
    /// Blocks of late, the newest last.
    blocks: Vec<CompactBlock>,
    /// Votes that make a quorum.
    quorum: usize,
    /// Prevotes of the newest height that it heard of, by round and block.
    prevotes: BTreeMap<(Round, Hash), BTreeMap<u32, SignedStatement>>,
    height: Height,
}

/// Messages that an adversary remembers.
const MEMORY: usize = 1_000;
/// Blocks that it remembers.
const LATE: usize = 32;

impl Adversary {
    pub(crate) fn new(kind: Kind, keys: Keys, chain: ChainIdentity, quorum: usize, random: Random) -> Adversary {
        let elsewhere = ChainIdentity { group_id: "another".into(), ..chain.clone() };
        Adversary {
            kind,
            keys,
            chain,
            elsewhere,
            random,
            heard: Vec::new(),
            blocks: Vec::new(),
            quorum,
            prevotes: BTreeMap::new(),
            height: Height(0),
        }
    }

    /// Listens.
    pub(crate) fn hear(&mut self, message: &Message) {
        match message {
            Message::Proposal(Proposal { block, .. }) | Message::Block(block) => self.remember_block(block),
            Message::Vote(signed) => self.note(signed),
            _ => {}
        }
        if self.kind.listens() {
            let at = self.random.below(MEMORY as u64) as usize;
            match self.heard.len() < MEMORY {
                true => self.heard.push(message.clone()),
                false => self.heard[at] = message.clone(),
            }
        }
    }

    /// Keeps prevotes for blocks, to make polkas of.
    fn note(&mut self, signed: &SignedStatement) {
        let Statement { height, round, word, .. } = signed.statement;
        let Word::Prevote(Some(block)) = word else { return };
        if height > self.height {
            (self.height, self.prevotes) = (height, BTreeMap::new());
        }
        if height == self.height {
            self.prevotes.entry((round, block)).or_default().insert(signed.validator, *signed);
        }
    }

    fn remember_block(&mut self, block: &CompactBlock) {
        if !self.blocks.contains(block) {
            if self.blocks.len() >= LATE {
                self.blocks.remove(0);
            }
            self.blocks.push(block.clone());
        }
    }

    /// What one receiver gets of a message that the engine sends.
    pub(crate) fn send(&mut self, to: usize, message: Message) -> Sent {
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
            Kind::Flooder => self.flood(message),
            Kind::Misleader => self.mislead(message),
            Kind::Schemer => self.scheme(to, message),
        }
    }

    fn sign(&self, statement: Statement, validator: u32) -> SignedStatement {
        let signature = self.keys.sign(&bytes(&self.chain, &statement)).unwrap_or(Signature([0; 64]));
        SignedStatement { statement, validator, signature }
    }

    fn is_own(&self, signed: &SignedStatement) -> bool {
        let own = self.sign(signed.statement, signed.validator);
        own.signature == signed.signature
    }

    fn heard(&mut self) -> Option<Message> {
        let at = self.random.below(self.heard.len() as u64) as usize;
        self.heard.get(at).cloned()
    }

    /// A block of the height that it knows, or none.
    fn any_choice(&mut self, height: Height) -> Option<Hash> {
        let of_height = self.blocks.iter().filter(|block| block.header().height == height);
        let blocks: Vec<Hash> = of_height.map(CompactBlock::hash).collect();
        let at = self.random.below(blocks.len() as u64 + 1) as usize;
        blocks.get(at).copied()
    }
}

/// What a signature over a statement covers.
fn bytes(chain: &ChainIdentity, statement: &Statement) -> Vec<u8> {
    let Statement { epoch, height, round, word } = *statement;
    match word {
        Word::Propose { block, valid_round } => sign_bytes::proposal(chain, epoch, height, round, valid_round, &block),
        Word::Prevote(block) => sign_bytes::prevote(chain, epoch, height, round, &block.unwrap_or(Hash::ZERO)),
        Word::Precommit(block) => sign_bytes::precommit(chain, epoch, height, round, &block.unwrap_or(Hash::ZERO)),
    }
}

/// Messages that go out at once.
fn at_once(messages: impl IntoIterator<Item = Message>) -> Sent {
    messages.into_iter().map(|message| (0, message)).collect()
}
