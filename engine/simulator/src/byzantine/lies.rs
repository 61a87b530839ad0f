//! Different words for different ears, votes for everything, and blocks that are not what they claim to be.

use hanse_consensus::{CompactBlock, Message, Proposal, Statement, VoteKind, Word};
use hanse_types::{Dag, Epoch, Hash, Header, Height, Round, Timestamp};

use crate::byzantine::{Adversary, Sent, at_once};
use crate::random::Random;

impl Adversary {
    pub(super) fn equivocate(&mut self, message: Message) -> Sent {
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
                at_once(both.then_some(Message::Vote(signed)).into_iter().chain([second]))
            }
            Message::Proposal(proposal) if self.is_own(&proposal.signed) => {
                let later = |header: &mut Header| header.timestamp = header.timestamp.plus_ms(1);
                let second = self.other_block(&proposal, later).map(Message::Proposal);
                let both = self.random.chance(300);
                at_once(both.then_some(Message::Proposal(proposal)).into_iter().chain(second))
            }
            message => vec![(0, message)],
        }
    }

    /// A proposal of another block for the same position; it remembers the block.
    pub(super) fn other_block(&mut self, proposal: &Proposal, change: impl FnOnce(&mut Header)) -> Option<Proposal> {
        let mut header = proposal.block.header().clone();
        change(&mut header);
        self.propose_instead(proposal, header, proposal.block.dag().clone())
    }

    /// The same block with another DAG, and a header that says so.
    fn other_dag(&mut self, proposal: &Proposal, at: usize) -> Option<Proposal> {
        let old = proposal.block.dag();
        let mut rows: Vec<Vec<u32>> = (0..old.len()).map(|vertex| old.predecessors(vertex).to_vec()).collect();
        let at = at % rows.len().max(1);
        // An edge less if there is one, or else one more.
        let row = rows.get_mut(at)?;
        if row.pop().is_none() && at > 0 {
            row.push(0);
        }
        let dag = Dag::from_rows(&rows).ok().filter(|dag| dag != old)?;
        let header =
            Header { dag_digest: dag.digest(proposal.block.header().crypto), ..proposal.block.header().clone() };
        self.propose_instead(proposal, header, dag)
    }

    fn propose_instead(&mut self, proposal: &Proposal, header: Header, dag: Dag) -> Option<Proposal> {
        let block = CompactBlock::new(header, dag, proposal.block.transactions().to_vec()).ok()?;
        self.remember_block(&block);
        let valid_round = match proposal.signed.statement.word {
            Word::Propose { valid_round, .. } => valid_round,
            _ => None,
        };
        let word = Word::Propose { block: block.hash(), valid_round };
        let signed = self.sign(Statement { word, ..proposal.signed.statement }, proposal.signed.validator);
        Some(Proposal { signed, block, polka: proposal.polka.clone() })
    }

    /// Votes for every block of the height in every step and round.
    pub(super) fn agree(&mut self, message: Message) -> Sent {
        let Message::Vote(signed) = &message else { return vec![(0, message)] };
        if !self.is_own(signed) {
            return vec![(0, message)];
        }
        let Statement { epoch, height, round, .. } = signed.statement;
        let validator = signed.validator;
        let of_height = self.blocks.iter().rev().filter(|block| block.header().height == height);
        let blocks: Vec<Hash> = of_height.map(CompactBlock::hash).take(3).collect();
        let mut sent = Vec::new();
        for block in blocks {
            for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                let vote = self.sign(Statement::vote(kind, epoch, height, round, Some(block)), validator);
                sent.push((0, Message::Vote(vote)));
            }
        }
        if sent.is_empty() { vec![(0, message)] } else { sent }
    }

    /// Changes a field of the blocks that it proposes, the same for all.
    pub(super) fn lie(&mut self, message: Message) -> Sent {
        let Message::Proposal(proposal) = &message else { return vec![(0, message)] };
        if !self.is_own(&proposal.signed) {
            return vec![(0, message)];
        }
        // All receivers get the same lie, so that it could be agreed on.
        let mut dice = Random::new(proposal.block.hash().0[0].into(), "lie");
        if dice.chance(200) {
            return vec![(0, message)];
        }
        let (which, number) = (dice.below(11), dice.next());
        let change = move |header: &mut Header| match which {
            0 => header.state_root = Hash([number as u8; 32]),
            1 => header.parent = Hash([number as u8; 32]),
            2 => header.timestamp = Timestamp(number),
            3 => header.receipt_root = Hash([number as u8; 32]),
            4 => header.proposer ^= 1,
            5 => header.round = Round(header.round.0.wrapping_add(1)),
            6 => header.epoch = Epoch(number),
            7 => header.next_validators = Hash([number as u8; 32]),
            8 => header.timestamp = Timestamp(header.timestamp.0.saturating_sub(1_000 + number % 20_000)),
            _ => header.height = Height(header.height.0.wrapping_add(1)),
        };
        let lie = match which {
            9 => self.other_dag(proposal, number as usize),
            _ => self.other_block(proposal, change),
        };
        at_once(lie.map(Message::Proposal))
    }
}
