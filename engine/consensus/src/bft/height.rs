//! What a node holds of the height under way.

use std::collections::{BTreeMap, BTreeSet};

use hanse_types::{Hash, Height, Round};

use crate::bft::tally::Tally;
use crate::statement::{SignedStatement, Statement, Step, VoteKind, Word};
use crate::{CompactBlock, Peer, Proposal, Quorum, Slot, Verdict};

/// How far a height is.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Nobody here has anything to decide.
    Waiting,
    /// Rounds are under way.
    Running,
    /// This block is decided and is being written. What comes of the next height waits.
    Committing(CompactBlock),
}

/// A block that could be decided.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) block: CompactBlock,
    /// What running it showed.
    pub(crate) verdict: Option<Verdict>,
    /// Whether it is being run.
    pub(crate) checking: bool,
    /// Who sent it, and so has its transactions.
    pub(crate) source: Option<Peer>,
}

/// A proposal that came. Its block is a candidate, if it fits.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) signed: SignedStatement,
    pub(crate) block: Hash,
    /// The polka that it rests on, verified; there is one for a block that is proposed again.
    pub(crate) polka: Option<Quorum>,
    /// Whether it may be voted for, as far as is seen without running it.
    pub(crate) acceptable: bool,
}

/// A block with its polka.
#[derive(Clone, Debug)]
pub(crate) struct Valid {
    pub(crate) round: Round,
    pub(crate) block: CompactBlock,
    pub(crate) polka: Quorum,
}

/// Proposals and votes of one round.
#[derive(Clone, Debug)]
pub(crate) struct Votes {
    pub(crate) proposals: Vec<Held>,
    pub(crate) prevotes: Tally,
    pub(crate) precommits: Tally,
    /// Whether the timers that a quorum of votes sets have been set.
    pub(crate) prevote_timer: bool,
    pub(crate) precommit_timer: bool,
}

impl Votes {
    pub(crate) fn of(&self, kind: VoteKind) -> &Tally {
        match kind {
            VoteKind::Prevote => &self.prevotes,
            VoteKind::Precommit => &self.precommits,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: VoteKind) -> &mut Tally {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }
}

/// The height under way.
#[derive(Clone, Debug)]
pub(crate) struct AtHeight {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) step: Step,
    pub(crate) stage: Stage,
    /// Round and block.
    pub(crate) locked: Option<(Round, Hash)>,
    pub(crate) valid: Option<Valid>,
    pub(crate) rounds: BTreeMap<Round, Votes>,
    pub(crate) candidates: BTreeMap<Hash, Candidate>,
    /// The latest round in which each validator was seen.
    pub(crate) seen: Vec<Option<Round>>,
    /// A quorum of precommits for a block, which may have to be found and run before it is committed.
    pub(crate) decision: Option<Quorum>,
    /// What this node wants signed, or has, at this height.
    pub(crate) mine: Vec<Statement>,
    /// The block that was asked for and is being made.
    pub(crate) asked: Option<Slot>,
    /// Whether this node has something to decide, as far as it was told.
    pub(crate) waits: bool,
    /// Whether the round is over, and the next one is for when somebody has something to decide.
    pub(crate) rests: bool,
    /// Validators with evidence against them.
    pub(crate) accused: BTreeSet<u32>,
}

impl AtHeight {
    pub(crate) fn new(height: Height, validators: usize) -> AtHeight {
        AtHeight {
            height,
            round: Round(0),
            step: Step::Propose,
            stage: Stage::Waiting,
            locked: None,
            valid: None,
            rounds: BTreeMap::new(),
            candidates: BTreeMap::new(),
            seen: vec![None; validators],
            decision: None,
            mine: Vec::new(),
            asked: None,
            waits: false,
            rests: false,
            accused: BTreeSet::new(),
        }
    }

    pub(crate) fn now(&self) -> Option<&Votes> {
        self.rounds.get(&self.round)
    }

    pub(crate) fn keep(&mut self, block: &CompactBlock, source: Option<Peer>) {
        let candidate = || Candidate { block: block.clone(), verdict: None, checking: false, source };
        let kept = self.candidates.entry(block.hash()).or_insert_with(candidate);
        kept.source = kept.source.or(source);
    }

    pub(crate) fn judge(&mut self, block: Hash, verdict: Verdict) {
        if let Some(candidate) = self.candidates.get_mut(&block) {
            candidate.verdict = candidate.verdict.or(Some(verdict));
        }
    }

    /// Takes a newer polka.
    pub(crate) fn make_valid(&mut self, valid: Valid) {
        if self.valid_round().is_none_or(|round| round < valid.round) {
            self.valid = Some(valid);
        }
    }

    pub(crate) fn valid_round(&self) -> Option<Round> {
        self.valid.as_ref().map(|valid| valid.round)
    }

    /// Notes that a validator was in a round.
    pub(crate) fn see(&mut self, validator: u32, round: Round) {
        if let Some(seen) = self.seen.get_mut(validator as usize) {
            *seen = (*seen).max(Some(round));
        }
    }

    /// Whether this node has said something of a kind in the round under way.
    pub(crate) fn has_said(&self, step: Step) -> bool {
        self.mine.iter().any(|statement| statement.round == self.round && statement.step() == step)
    }

    /// Whether votes of a round are counted one by one: those around the present one, and those already kept.
    pub(crate) fn counts(&self, round: Round) -> bool {
        let (first, last) = (self.round.0.saturating_sub(1), self.round.0.saturating_add(1));
        (first..=last).contains(&round.0) || self.rounds.contains_key(&round)
    }

    /// Drops what no rule needs in the present round.
    pub(crate) fn prune(&mut self) {
        let first = Round(self.round.0.saturating_sub(1));
        let (locked, valid) = (self.locked.map(|(round, _)| round), self.valid_round());
        self.rounds.retain(|round, _| *round >= first || Some(*round) == locked || Some(*round) == valid);
        let needed = self.needed();
        self.candidates.retain(|hash, _| needed.contains(hash));
    }

    /// Blocks that may still be decided here, whether they are here or not.
    fn needed(&self) -> BTreeSet<Hash> {
        let votes = self.rounds.values();
        let proposed = votes.clone().flat_map(|votes| votes.proposals.iter().map(|held| held.block));
        let voted =
            votes.flat_map(|votes| [votes.prevotes.majority(), votes.precommits.majority()]).flatten().flatten();
        let valid = self.valid.iter().map(|valid| valid.block.hash());
        let locked = self.locked.iter().map(|(_, block)| *block);
        let decided = self.decision.iter().filter_map(|decision| decision.block);
        proposed.chain(voted).chain(valid).chain(locked).chain(decided).collect()
    }

    /// The proposal as it came, if its block is here.
    pub(crate) fn proposal(&self, held: &Held) -> Option<Proposal> {
        let block = self.candidates.get(&held.block)?.block.clone();
        Some(Proposal { signed: held.signed, block, polka: held.polka.clone() })
    }
}

/// Block and valid round of a proposal's statement.
pub(crate) fn proposed(statement: &Statement) -> Option<(Hash, Option<Round>)> {
    match statement.word {
        Word::Propose { block, valid_round } => Some((block, valid_round)),
        Word::Prevote(_) | Word::Precommit(_) => None,
    }
}

/// Kind and choice of a vote's statement.
pub(crate) fn voted(statement: &Statement) -> Option<(VoteKind, Option<Hash>)> {
    match statement.word {
        Word::Prevote(choice) => Some((VoteKind::Prevote, choice)),
        Word::Precommit(choice) => Some((VoteKind::Precommit, choice)),
        Word::Propose { .. } => None,
    }
}
