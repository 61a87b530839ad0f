//! What must hold in every state, said in terms of what the honest have said.

use hanse_consensus::{Statement, VoteKind, Word};
use hanse_types::{Hash, Round};

use crate::model::place::{Place, Setting};
use crate::small::FAULTY;

/// The engines of a state.
pub(crate) struct State<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) places: [&'a Place; 3],
}

impl State<'_> {
    /// What does not hold, now that one engine has gone on from a state in which it had said so many things.
    pub(crate) fn broken(&self, moved: usize, said: usize) -> Option<String> {
        let place = self.places[moved];
        let wrong =
            place.wrong.clone().or_else(|| self.broken_word(place, said)).or_else(|| self.broken_decision(place));
        wrong.map(|wrong| format!("validator {}: {wrong}", place.me)).or_else(|| self.broken_agreement())
    }

    /// Whether a quorum can be put together of what the honest said and the faulty may say.
    fn is_quorum(&self, kind: VoteKind, round: Round, block: Hash) -> bool {
        let bit = self.setting.bit(kind, round.0, Some(block));
        let honest = self.places.iter().filter(|place| place.votes & bit != 0).count();
        honest + FAULTY as usize >= self.setting.group.set.quorum()
    }

    fn broken_word(&self, place: &Place, first: usize) -> Option<String> {
        // Words of rounds that the search leaves out can't be compared with votes that it does not deliver.
        let within = |said: &&Statement| said.round.0 < self.setting.rounds;
        place.said.iter().skip(first).filter(within).find_map(|said| match said.word {
            Word::Prevote(Some(block)) => self.broken_lock(place, said, block),
            Word::Precommit(Some(block)) if !self.is_quorum(VoteKind::Prevote, said.round, block) => {
                Some(format!("{said:?} rests on no polka"))
            }
            _ => None,
        })
    }

    fn broken_lock(&self, place: &Place, prevote: &Statement, block: Hash) -> Option<String> {
        let before = place.said.iter().filter(|said| said.position() < prevote.position());
        let mut locks = before.filter_map(|said| match said.word {
            Word::Precommit(Some(locked)) => Some((said.round, locked)),
            _ => None,
        });
        let (round, locked) = locks.next_back().filter(|(_, locked)| *locked != block)?;
        let freed = (round.0..prevote.round.0).any(|at| self.is_quorum(VoteKind::Prevote, Round(at), block));
        (!freed).then(|| format!("{prevote:?} is against the lock on {locked} of round {round}"))
    }

    fn broken_decision(&self, place: &Place) -> Option<String> {
        let (round, block) = place.decided?;
        let certain = self.is_quorum(VoteKind::Precommit, round, block);
        (!certain).then(|| format!("it decides {block} by a certificate of round {round} that is none"))
    }

    /// Whoever can be shown a certificate decides by it, so no two of different blocks may be possible.
    fn broken_agreement(&self) -> Option<String> {
        let rounds = (0..self.setting.rounds).map(Round);
        let mut certain = rounds.flat_map(|round| {
            let hashes = self.setting.blocks.iter().map(|block| block.hash());
            hashes
                .filter(move |block| self.is_quorum(VoteKind::Precommit, round, *block))
                .map(move |block| (round, block))
        });
        let (round, first) = certain.next()?;
        let (other_round, other) = certain.find(|(_, block)| *block != first)?;
        Some(format!("{first} can be decided in round {round}, and {other} in round {other_round}"))
    }
}
