//! What must hold at every step, whatever happens. It sees all nodes at once, and knows who is faulty.
//!
//! The first thing that does not hold ends the run.

use std::collections::{BTreeMap, BTreeSet};

use hanse_consensus::bft::Schedule;
use hanse_consensus::{CompactBlock, Evidence, Quorum, Statement, Step, VoteKind, Word};
use hanse_types::crypto::PublicKey;
use hanse_types::{Certificate, Epoch, Hash, Header, Height, Round, Timestamp};

use crate::execution::{Chain, Tx};
use crate::keys::Keys;
use crate::node::TIMING;
use crate::world::Decision;

/// Positions and what was said there, of one node.
type Said = BTreeMap<(Height, Round, Step), Statement>;

/// Rounds of a height whose turns are counted. Only mistakes get anywhere near.
const ROUNDS: u32 = 1_000;

/// What only the world knows.
pub(crate) struct Known<'a> {
    pub(crate) chain: &'a Chain,
    /// What the fastest honest clock may show.
    pub(crate) latest: Timestamp,
    pub(crate) time: u64,
    /// The keys of faulty validators.
    pub(crate) faulty: &'a [PublicKey],
}

/// The checks, with what they remember.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// The block of each height, as the first honest node decided it.
    decided: BTreeMap<Height, Hash>,
    /// Whose turn it is at the height after these, as their headers say.
    turns: Option<Schedule>,
    /// What each honest node ever signed, over all its lives.
    said: BTreeMap<usize, Said>,
    /// Each validator's prevotes for blocks: those of honest nodes when they are signed, others when they are sent.
    prevotes: BTreeMap<(Height, Round, Hash), BTreeSet<u32>>,
    violation: Option<String>,
    /// How each height was decided.
    pub(crate) decisions: Vec<Decision>,
    /// Evidence that was reported.
    pub(crate) evidence: u64,
}

impl Oracle {
    /// What was broken, if something was.
    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    pub(crate) fn fail(&mut self, text: String) {
        self.violation.get_or_insert(text);
    }

    /// An honest node has signed a statement: it contradicts none of its own, keeps the lock, and rests on a polka where
    /// it has to.
    pub(crate) fn signed(&mut self, node: usize, validator: u32, statement: &Statement, quorum: usize) {
        let said = self.said.entry(node).or_default();
        match said.insert(statement.position(), *statement) {
            Some(before) if before != *statement => {
                return self.fail(format!("node {node} signed {statement:?} after {before:?}"));
            }
            // The same again is no new word, so nothing is asked of it.
            Some(_) => return,
            None => {}
        }
        match statement.word {
            Word::Prevote(Some(block)) => {
                if let Some(lock) = self.broken_lock(node, statement, block, quorum) {
                    self.fail(format!("node {node} signed {statement:?} against its lock {lock:?}"));
                }
            }
            Word::Precommit(Some(block)) if !self.is_polka(statement.height, statement.round, block, quorum) => {
                self.fail(format!("node {node} signed {statement:?} without a polka"));
            }
            _ => {}
        }
        self.sent(validator, statement);
    }

    /// The newest precommit of a node for another block, unless a later polka frees it.
    fn broken_lock(&self, node: usize, prevote: &Statement, block: Hash, quorum: usize) -> Option<Statement> {
        let said = self.said.get(&node)?;
        let first = (prevote.height, Round(0), Step::Propose);
        let mut before = said.range(first..prevote.position()).rev().map(|(_, statement)| *statement);
        let lock = before.find(|statement| matches!(statement.word, Word::Precommit(Some(_))))?;
        let Word::Precommit(Some(locked)) = lock.word else { return None };
        let frees = |round| self.is_polka(prevote.height, Round(round), block, quorum);
        (locked != block && !(lock.round.0..prevote.round.0).any(frees)).then_some(lock)
    }

    fn is_polka(&self, height: Height, round: Round, block: Hash, quorum: usize) -> bool {
        self.prevotes.get(&(height, round, block)).is_some_and(|voters| voters.len() >= quorum)
    }

    /// A validator has signed a statement.
    pub(crate) fn sent(&mut self, validator: u32, statement: &Statement) {
        let Statement { height, round, word, .. } = *statement;
        if let Word::Prevote(Some(block)) = word {
            self.prevotes.entry((height, round, block)).or_default().insert(validator);
        }
    }

    /// An honest node decides: what the others decided, on its own chain, with a certificate that is one. Whether it is the
    /// first that decides this height.
    pub(crate) fn decided(
        &mut self,
        node: usize,
        keys: &Keys,
        parent: (&Header, Hash),
        block: &CompactBlock,
        certificate: &Certificate,
        world: &Known<'_>,
    ) -> bool {
        let (header, hash, chain) = (block.header(), block.hash(), world.chain);
        let (parent, parent_hash) = parent;
        let is_first = !self.decided.contains_key(&header.height);
        match self.decided.get(&header.height) {
            Some(first) if *first != hash => {
                let text = format!("node {node} decided {hash} at height {}, another {first}", header.height);
                self.fail(text);
            }
            Some(_) => {}
            None => {
                self.decided.insert(header.height, hash);
                self.first_decided(parent, header, world);
            }
        }
        if header.parent != parent_hash || header.height != parent.height.next() || header.timestamp <= parent.timestamp
        {
            self.fail(format!("node {node} decided {header:?} on top of {parent:?}"));
        }
        let quorum = Quorum::from(certificate.clone());
        let fits =
            certificate.block_hash == hash && certificate.height == header.height && certificate.epoch == header.epoch;
        let set = chain.set(&parent.next_validators).filter(|_| header.validators == parent.next_validators);
        if !fits || !set.is_some_and(|set| quorum.is_good(&chain.identity, set, keys)) {
            self.fail(format!("node {node} decided height {} by a certificate that is none", header.height));
        }
        is_first
    }

    /// What a block is checked for once: whose turn, which epoch and what time it was.
    fn first_decided(&mut self, parent: &Header, header: &Header, world: &Known<'_>) {
        let chain = world.chain;
        let has_changed = parent.validators != parent.next_validators;
        let epoch = Epoch(parent.epoch.0 + u64::from(has_changed));
        if header.epoch != epoch {
            self.fail(format!("height {} is of epoch {} instead of {epoch}", header.height, header.epoch));
        }
        if header.timestamp > world.latest.plus_ms(TIMING.drift_ms * (u64::from(header.round.0) + 1)) {
            self.fail(format!("height {} has the time {:?}, which is to come", header.height, header.timestamp));
        }
        let Some(set) = chain.set(&parent.next_validators) else { return };
        let mut turns = self.turns.take().filter(|_| !has_changed).unwrap_or_else(|| Schedule::new(set));
        let proposer = turns.proposer(header.height, header.round);
        if header.proposer != proposer {
            self.fail(format!(
                "{} proposed height {} in round {}, in which it was the turn of {proposer}",
                header.proposer, header.height, header.round
            ));
        }
        let is_faulty = |turn: &u32| set.get(*turn).is_some_and(|validator| world.faulty.contains(&validator.key));
        let rounds = (0..=header.round.0.min(ROUNDS)).map(|round| turns.proposer(header.height, Round(round)));
        let faulty_turns = rounds.filter(is_faulty).count() as u32;
        self.decisions.push(Decision { at_ms: world.time, round: header.round.0, faulty_turns });
        turns.committed(header);
        self.turns = Some(turns);
    }

    /// A node has started and votes from this height on: a later one than before only if it lost its record of votes.
    pub(crate) fn started(&mut self, node: usize, before: Height, from: Height, has_lost: bool) {
        if from != before && !has_lost {
            self.fail(format!("node {node} is silent below height {from}, though its disk lost nothing"));
        }
    }

    /// A block is durable: no transaction is in it that was executed before.
    pub(crate) fn executed(&mut self, node: usize, done: &mut BTreeSet<Tx>, transactions: &[Tx]) {
        for tx in transactions {
            if !done.insert(*tx) {
                self.fail(format!("node {node} executed {tx:?} twice"));
            }
        }
    }

    /// An honest node reports evidence.
    pub(crate) fn evidence(&mut self, node: usize, evidence: &Evidence, is_honest: bool) {
        self.evidence += 1;
        if is_honest {
            self.fail(format!("node {node} has evidence against an honest validator: {evidence:?}"));
        }
    }

    /// Bounds on what an honest node keeps.
    pub(crate) fn kept(&mut self, node: usize, (rounds, candidates, waiting): (usize, usize, usize), nodes: usize) {
        if rounds > 12 || candidates > 24 || waiting > 8 * nodes {
            self.fail(format!("node {node} keeps {rounds} rounds, {candidates} blocks, {waiting} messages"));
        }
    }

    /// A validator's word is on its way: it is on disk.
    pub(crate) fn durable(&mut self, node: usize, statement: &Statement, newest: Option<Statement>) {
        if newest.is_none_or(|newest| newest.position() < statement.position()) {
            self.fail(format!("node {node} sends {statement:?}, but its disk knows of {newest:?} only"));
        }
    }
}

/// What a certificate of precommits says, as one statement.
pub(crate) fn kind_name(kind: VoteKind) -> &'static str {
    match kind {
        VoteKind::Prevote => "prevotes",
        VoteKind::Precommit => "precommits",
    }
}
