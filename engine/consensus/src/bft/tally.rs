//! The votes of one kind in one round.

use hanse_types::Hash;
use hanse_types::crypto::Signature;
use smallvec::SmallVec;

use crate::bugs::{Bug, Bugs};
use crate::message::Have;

/// What was voted for: a block, or none.
pub(crate) type Choice = Option<Hash>;

/// Different votes of one validator that are kept when they come one by one. An honest one has one; the second is
/// evidence, and may be the one that others need for a quorum. Those that come as part of a quorum are kept in any case.
const CHOICES: usize = 2;

/// The votes. Each validator counts once for each choice that it voted for: whoever votes twice is faulty, but others
/// may have seen only the one or the other.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    quorum: usize,
    bugs: Bugs,
    votes: Vec<SmallVec<[(Choice, Signature); 1]>>,
    counts: SmallVec<[(Choice, usize); 2]>,
    /// Validators with a vote.
    voters: usize,
}

/// What became of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It counts.
    New,
    /// It counts, and the validator had voted otherwise before.
    Contradiction(Choice, Signature),
}

impl Tally {
    pub(crate) fn new(validators: usize, quorum: usize, bugs: Bugs) -> Tally {
        Tally { quorum, bugs, votes: vec![SmallVec::new(); validators], counts: SmallVec::new(), voters: 0 }
    }

    /// Whether a vote that comes alone would be new here; asked before its signature is verified.
    pub(crate) fn wants(&self, validator: u32, choice: Choice) -> bool {
        self.votes
            .get(validator as usize)
            .is_some_and(|votes| votes.len() < CHOICES && (!has(votes, choice) || self.bugs.has(Bug::CountTwice)))
    }

    /// Counts a verified vote that is not there yet.
    pub(crate) fn add(&mut self, validator: u32, choice: Choice, signature: Signature) -> Option<Added> {
        let again = self.bugs.has(Bug::CountTwice);
        let votes = self.votes.get_mut(validator as usize).filter(|votes| again || !has(votes, choice))?;
        let before = votes.first().copied();
        votes.push((choice, signature));
        self.voters += usize::from(before.is_none());
        match self.counts.iter_mut().find(|(counted, _)| *counted == choice) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((choice, 1)),
        }
        Some(before.map_or(Added::New, |(choice, signature)| Added::Contradiction(choice, signature)))
    }

    /// The choice of a quorum. There is one at most, as long as less than a third of the validators are faulty.
    pub(crate) fn majority(&self) -> Option<Choice> {
        self.counts.iter().find(|(_, count)| *count >= self.quorum).map(|(choice, _)| *choice)
    }

    /// Whether a quorum has voted, for whatever.
    pub(crate) fn is_full(&self) -> bool {
        self.voters >= self.quorum
    }

    /// Who voted for a choice, by index, with the signatures.
    pub(crate) fn signatures(&self, choice: Choice) -> Vec<(u32, Signature)> {
        let of = |(index, votes): (usize, &SmallVec<[(Choice, Signature); 1]>)| {
            votes.iter().find(|(voted, _)| *voted == choice).map(|(_, signature)| (index as u32, *signature))
        };
        self.votes.iter().enumerate().filter_map(of).collect()
    }

    /// What each validator voted for.
    pub(crate) fn choices(&self) -> impl Iterator<Item = impl Iterator<Item = Choice>> {
        self.votes.iter().map(|votes| votes.iter().map(|(choice, _)| *choice))
    }

    /// All votes of validators that somebody else lacks.
    pub(crate) fn lacking(&self, have: &Have) -> impl Iterator<Item = (u32, Choice, Signature)> {
        let lacking = self.votes.iter().enumerate().filter(|(index, _)| !have.has(*index));
        lacking
            .flat_map(|(index, votes)| votes.iter().map(move |(choice, signature)| (index as u32, *choice, *signature)))
    }

    pub(crate) fn have(&self) -> Have {
        let mut have = Have { quorum: self.majority().is_some(), ..Have::default() };
        let voted = self.votes.iter().enumerate().filter(|(_, votes)| !votes.is_empty());
        voted.for_each(|(index, _)| have.note(index));
        have
    }
}

fn has(votes: &[(Choice, Signature)], choice: Choice) -> bool {
    votes.iter().any(|(voted, _)| *voted == choice)
}

#[cfg(test)]
mod tests;
