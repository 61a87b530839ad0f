//! Quorums that only some see, and blocks that come again with the wrong one.

use hanse_consensus::{CompactBlock, Message, Proposal, Quorum, SignedStatement, Statement, VoteKind, Word};
use hanse_types::{Hash, Header, Height, Round};

use crate::byzantine::{Adversary, Sent, at_once};

impl Adversary {
    /// Prevotes reach one half of the nodes only, precommits nobody; its proposals are new blocks, different for each
    /// half, or old ones.
    pub(super) fn scheme(&mut self, to: usize, message: Message) -> Sent {
        match message {
            Message::Vote(signed) if self.is_own(&signed) => {
                let half = signed.statement.round.0 as usize + signed.statement.height.0 as usize;
                match signed.statement.word {
                    Word::Precommit(_) => Vec::new(),
                    _ if (to + half).is_multiple_of(2) => vec![(0, self.prevote_what_is_proposed(signed))],
                    _ => Vec::new(),
                }
            }
            Message::Proposal(proposal) if self.is_own(&proposal.signed) => {
                let later = move |header: &mut Header| header.timestamp = header.timestamp.plus_ms(to as u64 % 2);
                let again = self.propose_again(&proposal);
                at_once(again.or_else(|| self.other_block(&proposal, later)).map(Message::Proposal))
            }
            Message::Quorum(_) | Message::Status(_) => Vec::new(),
            message => vec![(0, message)],
        }
    }

    /// A prevote for the round's block, whatever it was locked on.
    fn prevote_what_is_proposed(&self, signed: SignedStatement) -> Message {
        let Statement { height, round, .. } = signed.statement;
        let is_now = |block: &&CompactBlock| (block.header().height, block.header().round) == (height, round);
        let proposed = self.blocks.iter().rev().find(is_now).map(CompactBlock::hash);
        let voted = self.prevotes.keys().rev().find(|(voted, _)| *voted == round).map(|(_, block)| *block);
        match voted.or(proposed) {
            Some(block) => {
                let word = Word::Prevote(Some(block));
                Message::Vote(self.sign(Statement { word, ..signed.statement }, signed.validator))
            }
            None => Message::Vote(signed),
        }
    }

    /// An earlier block of the height, with its polka, another block's, or none.
    pub(super) fn propose_again(&mut self, proposal: &Proposal) -> Option<Proposal> {
        let Statement { height, round, .. } = proposal.signed.statement;
        let (valid_round, polka) = match self.random.below(3) {
            0 => (Round(round.0.checked_sub(1)?), None),
            _ => {
                let polka = self.any_polka(height, round, proposal.signed.validator)?;
                (polka.round, Some(polka))
            }
        };
        let of_polka = polka.as_ref().and_then(|polka| polka.block).filter(|_| self.random.chance(600));
        let block = self.older_block(height, valid_round, of_polka)?;
        let word = Word::Propose { block: block.hash(), valid_round: Some(valid_round) };
        let signed = self.sign(Statement { word, ..proposal.signed.statement }, proposal.signed.validator);
        Some(Proposal { signed, block, polka })
    }

    /// A quorum of prevotes of an earlier round, its own vote among them; the oldest as likely as the newest.
    fn any_polka(&mut self, height: Height, before: Round, me: u32) -> Option<Quorum> {
        if height != self.height {
            return None;
        }
        let needed = self.quorum;
        let is_enough = |votes: usize| votes + 1 >= needed;
        let found = self.prevotes.iter().filter(|((round, _), votes)| *round < before && is_enough(votes.len()));
        let found: Vec<(Round, Hash)> = found.map(|(key, _)| *key).collect();
        let (round, block) = *found.get(self.random.below(found.len() as u64) as usize)?;
        let votes = self.prevotes.get(&(round, block))?;
        let epoch = votes.values().next()?.statement.epoch;
        let quorum =
            Quorum { kind: VoteKind::Prevote, epoch, height, round, block: Some(block), signatures: Vec::new() };
        let own = self.sign(quorum.statement(), me);
        let mut all = votes.clone();
        all.insert(me, own);
        let signatures = all.into_iter().map(|(validator, signed)| (validator, signed.signature)).collect();
        Some(Quorum { signatures, ..quorum })
    }

    /// This block, or any that was proposed in a round up to this one.
    fn older_block(&mut self, height: Height, last: Round, wanted: Option<Hash>) -> Option<CompactBlock> {
        let is_older = |block: &&CompactBlock| block.header().height == height && block.header().round <= last;
        let older: Vec<CompactBlock> = self.blocks.iter().filter(is_older).cloned().collect();
        let is_wanted = older.iter().find(|block| Some(block.hash()) == wanted).cloned();
        let at = self.random.below(older.len() as u64) as usize;
        is_wanted.or_else(|| older.get(at).cloned())
    }
}
