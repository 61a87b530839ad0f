//! An engine's state as bytes, for a search that has to know a state again.

use std::collections::BTreeSet;

use borsh::BorshSerialize;
use hanse_types::{Hash, Round};

use crate::bft::Bft;
use crate::bft::height::{AtHeight, Candidate, Held, Stage, Votes};
use crate::bft::tally::Tally;
use crate::{Request, Verdict};

/// How closely the votes that an engine holds are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Not at all: what is left is what others notice of an engine sooner or later.
    Nothing,
    /// Every vote.
    Votes,
    /// Who belongs to a quorum is left out, as no rule asks. For searches in which every vote stays deliverable.
    Quorums,
}

impl<V> Bft<V> {
    /// Everything on which it depends what the engine will say and decide at this height, in one form: of two engines of
    /// one group, those with the same bytes answer the same inputs with the same words, rounds and decisions.
    ///
    /// Left out is what only helps others and the operator: evidence, timers that are set, what is known of peers.
    pub fn state(&self, detail: Detail) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        put(&mut bytes, &(self.me, self.votes_from, self.tip.hash, self.epoch, self.halted));
        self.at.put(detail, &mut bytes);
        let fetches: Vec<(u8, Hash)> = self.fetches.iter().map(|fetch| wanted(fetch.what())).collect();
        put(&mut bytes, &fetches);
        bytes
    }
}

fn wanted(request: &Request) -> (u8, Hash) {
    match request {
        Request::Block(hash) => (0, *hash),
        Request::Transactions { block, .. } => (1, *block),
        Request::Decided(_) => (2, Hash::ZERO),
    }
}

fn put(bytes: &mut Vec<u8>, value: &impl BorshSerialize) {
    value.serialize(bytes).expect("bounded values encode into memory");
}

impl AtHeight {
    fn put(&self, detail: Detail, bytes: &mut Vec<u8>) {
        let (stage, committing) = match &self.stage {
            Stage::Waiting => (0u8, None),
            Stage::Running => (1, None),
            Stage::Committing(block) => (2, Some(block.hash())),
        };
        let valid = self.valid.as_ref().map(|valid| (valid.round, valid.block.hash()));
        let decision = self.decision.as_ref().map(|decision| (decision.round, decision.block));
        put(bytes, &(self.height, self.round, self.step, stage, committing, self.locked, valid, decision));
        put(bytes, &(&self.mine, self.asked.is_some()));
        // A validator seen in a round that is not ahead moves nobody.
        let ahead: Vec<Option<Round>> = self.seen.iter().map(|seen| seen.filter(|round| *round > self.round)).collect();
        put(bytes, &ahead);
        let candidates: Vec<_> =
            self.candidates.iter().map(|(hash, candidate)| (*hash, judgement(candidate))).collect();
        put(bytes, &candidates);
        for (round, votes) in self.rounds.iter().filter(|_| detail != Detail::Nothing) {
            put(bytes, round);
            votes.put(detail, bytes);
        }
    }
}

fn judgement(Candidate { verdict, checking, .. }: &Candidate) -> (u8, bool) {
    let verdict = match verdict {
        None => 0,
        Some(Verdict::Good) => 1,
        Some(Verdict::Bad) => 2,
    };
    (verdict, *checking)
}

impl Votes {
    fn put(&self, detail: Detail, bytes: &mut Vec<u8>) {
        let held = |Held { signed, block, polka, acceptable }: &Held| {
            (signed.statement, *block, polka.as_ref().map(|polka| polka.round), *acceptable)
        };
        put(bytes, &self.proposals.iter().map(held).collect::<Vec<_>>());
        [&self.prevotes, &self.precommits].into_iter().for_each(|tally| tally.put(detail, bytes));
    }
}

impl Tally {
    fn put(&self, detail: Detail, bytes: &mut Vec<u8>) {
        let majority = self.majority();
        put(bytes, &majority);
        if majority.is_some() && detail == Detail::Quorums {
            return;
        }
        // The order in which a validator contradicted itself tells only what comes out as evidence first.
        let sets: Vec<BTreeSet<Option<Hash>>> = self.choices().map(Iterator::collect).collect();
        put(bytes, &sets);
    }
}
