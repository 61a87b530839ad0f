//! What peers say, each kind with its checks: the cheapest first, signatures last, nothing kept before all hold.

use hanse_types::{ChainIdentity, Epoch, Hash, Height, Round};

use crate::bft::height::{Held, Stage, Votes, proposed, voted};
use crate::bft::tally::{Added, Tally};
use crate::bft::{Bft, Bug, Config};
use crate::statement::{SignedStatement, Statement, VoteKind};
use crate::verify::Verify;
use crate::{CompactBlock, Evidence, Message, Output, Peer, Proposal, Quorum, Recipient, Request, Verdict};

/// Most proposals that are kept of one round: the second is evidence, and may be the one that others take.
const PROPOSALS: usize = 2;

impl<V: Verify> Bft<V> {
    pub(super) fn message(&mut self, from: Peer, message: Message, out: &mut Vec<Output>) {
        if !self.peers.contains_key(&from) {
            return;
        }
        match message.height() {
            Some(height) if height < self.at.height => self.is_behind(from, &message, out),
            Some(height) if height > self.at.height => self.is_ahead(from, height, message, out),
            _ => self.message_now(from, message, out),
        }
    }

    /// A message of the height under way, or of none.
    fn message_now(&mut self, from: Peer, message: Message, out: &mut Vec<Output>) {
        let over = matches!(self.at.stage, Stage::Committing(_));
        match message {
            Message::Status(status) => self.status(from, &status, out),
            Message::Request(request) => self.serve(from, request, out),
            _ if over => {}
            Message::Proposal(proposal) => self.proposal(from, proposal, out),
            Message::Vote(signed) => self.vote(signed, out),
            Message::Quorum(quorum) => self.take_quorum(quorum, out),
            Message::Block(block) => self.block(from, &block),
            Message::Transactions { block, transactions } => self.supply(block, transactions, out),
            Message::Decided { certificate, block } => self.decided(from, certificate.into(), &block, out),
            Message::Evidence(evidence) => self.accuse(evidence, out),
            // Words of a group that agrees otherwise.
            Message::Raft(_) => {}
        }
    }

    fn proposal(&mut self, from: Peer, proposal: Proposal, out: &mut Vec<Output>) {
        let SignedStatement { statement, validator, .. } = proposal.signed;
        let Some((block, valid_round)) = proposed(&statement) else { return };
        let is_turn = validator == self.schedule.proposer(self.at.height, statement.round);
        let wanted = block == proposal.block.hash()
            && (is_turn || self.config.bugs.has(Bug::AnyProposer))
            && valid_round.is_none_or(|round| round < statement.round)
            && self.wants_proposal(&proposal.signed);
        if !wanted || !self.is_signed(&proposal.signed) {
            return;
        }
        self.at.see(validator, statement.round);
        self.wake(out);
        if !self.counts(statement.round) {
            return;
        }
        let polka = match valid_round {
            None => None,
            Some(round) => match self.proposals_polka(round, block, proposal.polka, out) {
                Some(polka) => Some(polka),
                None => return,
            },
        };
        self.hold(from, Proposal { polka, ..proposal }, out);
    }

    /// The polka that a block is proposed again with: one that is known, or the one that came, if it is good. That one
    /// counts here too, if it is of use.
    fn proposals_polka(
        &mut self,
        round: Round,
        block: Hash,
        came: Option<Quorum>,
        out: &mut Vec<Output>,
    ) -> Option<Quorum> {
        let asked = Statement::vote(VoteKind::Prevote, self.epoch, self.at.height, round, Some(block));
        let came = came.filter(|polka| polka.statement() == asked);
        if let Some(polka) = &came {
            self.take_quorum(polka.clone(), out);
        }
        self.polka_for(round, block).or_else(|| came.filter(|polka| self.is_quorum(polka)))
    }

    /// Whether a proposal is new, and its place is free; or shows at least that its proposer is in a later round.
    fn wants_proposal(&self, signed: &SignedStatement) -> bool {
        let SignedStatement { statement, validator, .. } = signed;
        if !self.counts(statement.round) {
            return self.at.seen.get(*validator as usize).is_some_and(|seen| *seen < Some(statement.round));
        }
        let held = self.at.rounds.get(&statement.round).map_or(&[][..], |votes| &votes.proposals);
        let has_room = held.len() < PROPOSALS || self.config.bugs.has(Bug::ProposalsUnbounded);
        has_room && held.iter().all(|held| held.signed.statement != *statement)
    }

    /// Keeps a verified proposal.
    fn hold(&mut self, source: Peer, proposal: Proposal, out: &mut Vec<Output>) {
        let signed = proposal.signed;
        let Some((block, valid_round)) = proposed(&signed.statement) else { return };
        self.check_own(&signed, out);
        let round = signed.statement.round;
        let fits = self.fits(&proposal.block);
        if fits {
            self.at.keep(&proposal.block, Some(source));
        }
        let acceptable = fits && self.is_in_time(&proposal.block, round, valid_round);
        let votes = self.votes_of(round);
        let before = votes.proposals.first().map(|held| held.signed);
        votes.proposals.push(Held { signed, block, polka: proposal.polka, acceptable });
        if let Some(first) = before {
            self.accuse_known(Evidence { first, second: signed }, out);
        }
    }

    /// Whether the block has what consensus determines of it. The same for every node.
    fn fits(&self, block: &CompactBlock) -> bool {
        let header = block.header();
        let Config { chain, bugs, .. } = &self.config;
        header.height == self.at.height
            && header.parent == self.tip.hash
            && (header.timestamp > self.tip.timestamp || bugs.has(Bug::OlderThanParent))
            && (header.epoch == self.epoch || bugs.has(Bug::AnyBlockEpoch))
            && header.validators == self.set_hash
            && (header.crypto, &header.chain_id, &header.group_id) == (chain.crypto, &chain.chain_id, &chain.group_id)
            && (header.proposer == self.schedule.proposer(header.height, header.round)
                || bugs.has(Bug::AnyBlockProposer))
    }

    /// Whether a block may be proposed in this round: a new one says so and is not from the future; an old one was
    /// proposed by the time of its polka, and by that a quorum found it in time.
    fn is_in_time(&self, block: &CompactBlock, round: Round, valid_round: Option<Round>) -> bool {
        let header = block.header();
        match valid_round {
            Some(valid_round) => header.round <= valid_round,
            None => {
                let latest = self.now.plus_ms(self.config.timing.drift(round));
                header.round == round && (header.timestamp <= latest || self.config.bugs.has(Bug::AnyTime))
            }
        }
    }

    /// A proposal of this node, which is now signed, is kept and sent.
    pub(super) fn show_proposal(&mut self, signed: SignedStatement, out: &mut Vec<Output>) {
        let Some((block, valid_round)) = proposed(&signed.statement) else { return };
        let polka = self.at.valid.as_ref().filter(|valid| Some(valid.round) == valid_round);
        let polka = polka.map(|valid| valid.polka.clone());
        let Some(block) = self.at.candidates.get(&block).map(|candidate| candidate.block.clone()) else { return };
        if valid_round.is_some() != polka.is_some() {
            // A newer polka has come since: this proposal is no use to anybody.
            return;
        }
        let proposal = Proposal { signed, block, polka };
        out.push(Output::Send(Recipient::All, Message::Proposal(proposal.clone())));
        self.at.see(signed.validator, signed.statement.round);
        if self.counts(signed.statement.round) && self.wants_proposal(&signed) {
            let Proposal { block, polka, .. } = proposal;
            let held = Held { signed, block: block.hash(), polka, acceptable: true };
            self.votes_of(signed.statement.round).proposals.push(held);
        }
    }

    fn vote(&mut self, signed: SignedStatement, out: &mut Vec<Output>) {
        let SignedStatement { statement, validator, .. } = signed;
        let Some((kind, choice)) = voted(&statement) else { return };
        let kept = self.counts(statement.round);
        let is_new = match self.at.rounds.get(&statement.round) {
            Some(votes) => votes.of(kind).wants(validator, choice),
            None => kept || self.at.seen.get(validator as usize).is_some_and(|seen| *seen < Some(statement.round)),
        };
        if !is_new || !self.is_signed(&signed) {
            return;
        }
        self.wake(out);
        self.count(signed, out);
    }

    /// Counts a verified vote: in its round, or as a sign of where its validator is.
    pub(super) fn count(&mut self, signed: SignedStatement, out: &mut Vec<Output>) {
        let SignedStatement { statement, validator, signature } = signed;
        let Some((kind, choice)) = voted(&statement) else { return };
        self.check_own(&signed, out);
        self.at.see(validator, statement.round);
        if !self.counts(statement.round) {
            return;
        }
        let kind = if self.config.bugs.has(Bug::MixKinds) && choice.is_none() { VoteKind::Precommit } else { kind };
        let added = self.votes_of(statement.round).of_mut(kind).add(validator, choice, signature);
        if let Some(Added::Contradiction(choice, signature)) = added {
            let Statement { epoch, height, round, .. } = statement;
            let statement = Statement::vote(kind, epoch, height, round, choice);
            self.accuse_known(
                Evidence { first: SignedStatement { statement, validator, signature }, second: signed },
                out,
            );
        }
    }

    /// A quorum counts as a whole, whatever else its validators said: so nobody who votes twice can hide one.
    fn take_quorum(&mut self, quorum: Quorum, out: &mut Vec<Output>) {
        let Quorum { kind, epoch, round, block, .. } = quorum;
        let known = self.at.rounds.get(&round).and_then(|votes| votes.of(kind).majority());
        let old = round < self.at.round && !self.counts(round);
        let is_of_use = match (kind, block) {
            (VoteKind::Precommit, Some(_)) => self.at.decision.is_none(),
            (VoteKind::Prevote, Some(_)) => !old || self.at.valid_round().is_none_or(|valid| valid < round),
            (_, None) => !old,
        };
        if epoch != self.epoch || known == Some(block) || !is_of_use || !self.is_quorum(&quorum) {
            return;
        }
        self.wake(out);
        if (kind, block.is_some()) == (VoteKind::Precommit, true) {
            self.at.decision = Some(quorum);
            return;
        }
        // That a quorum was in this round is reason enough to keep its votes.
        self.votes_of(round);
        for (validator, signature) in quorum.signatures {
            let statement = Statement::vote(kind, epoch, self.at.height, round, block);
            self.count(SignedStatement { statement, validator, signature }, out);
        }
    }

    /// A block that was asked for.
    fn block(&mut self, from: Peer, block: &CompactBlock) {
        if self.is_fetching(&Request::Block(block.hash())) {
            self.keep_wanted(from, block);
        }
    }

    /// A block that a quorum stands behind. If it doesn't fit, it is bad, whatever running it would show.
    fn keep_wanted(&mut self, from: Peer, block: &CompactBlock) {
        self.at.keep(block, Some(from));
        if !self.fits(block) {
            self.at.judge(block.hash(), Verdict::Bad);
        }
    }

    /// A height that is over elsewhere: its certificate decides here too.
    fn decided(&mut self, from: Peer, quorum: Quorum, block: &CompactBlock, out: &mut Vec<Output>) {
        let belongs = quorum.block == Some(block.hash());
        if belongs && self.at.decision.is_none() {
            self.take_quorum(quorum, out);
        }
        if self.at.decision.as_ref().is_some_and(|decision| decision.block == Some(block.hash())) {
            self.keep_wanted(from, block);
        }
    }

    fn accuse(&mut self, evidence: Evidence, out: &mut Vec<Output>) {
        let is_new = !self.at.accused.contains(&evidence.validator());
        let here = evidence.first.statement.epoch == self.epoch;
        if is_new && here && self.is_evidence(&evidence) {
            self.accuse_known(evidence, out);
        }
    }

    fn is_evidence(&self, evidence: &Evidence) -> bool {
        let Config { chain, bugs, .. } = &self.config;
        bugs.has(Bug::BelieveEvidence) || evidence.is_good_with(chain, &self.set, &self.verify, *bugs)
    }

    /// Reports and passes on evidence, once for each validator and height.
    fn accuse_known(&mut self, evidence: Evidence, out: &mut Vec<Output>) {
        if self.at.accused.insert(evidence.validator()) {
            out.push(Output::Evidence(evidence));
            out.push(Output::Send(Recipient::All, Message::Evidence(evidence)));
        }
    }

    /// A statement with this node's key that it does not remember: it must not add another.
    fn check_own(&mut self, signed: &SignedStatement, out: &mut Vec<Output>) {
        if self.me != Some(signed.validator) || self.at.mine.contains(&signed.statement) || !self.votes() {
            return;
        }
        self.votes_from = self.at.height.next();
        out.push(Output::KeyUsedElsewhere(*signed));
    }

    /// Whether votes of a round are counted one by one.
    fn counts(&self, round: Round) -> bool {
        self.at.counts(round) || self.config.bugs.has(Bug::RoundsUnbounded)
    }

    /// Others have begun with this height.
    fn wake(&mut self, out: &mut Vec<Output>) {
        if matches!(self.at.stage, Stage::Waiting) {
            self.begin_round(Round(0), out);
        }
    }

    pub(super) fn votes_of(&mut self, round: Round) -> &mut Votes {
        let bugs = self.config.bugs;
        let changed = self.epoch > Epoch(0);
        let small = bugs.has(Bug::SmallQuorum) || (bugs.has(Bug::SmallQuorumAfterChange) && changed);
        let (validators, quorum) = (self.set.len(), self.set.quorum() - usize::from(small));
        self.at.rounds.entry(round).or_insert_with(|| Votes {
            proposals: Vec::new(),
            prevotes: Tally::new(validators, quorum, bugs),
            precommits: Tally::new(validators, quorum, bugs),
            prevote_timer: false,
            precommit_timer: false,
        })
    }

    /// Whether a statement is of this height and epoch, and signed by its validator.
    fn is_signed(&self, signed: &SignedStatement) -> bool {
        let SignedStatement { statement, validator, signature } = signed;
        let Some(validator) = self.set.get(*validator) else { return false };
        let Config { chain, bugs, .. } = &self.config;
        let here = statement.height == self.at.height && (statement.epoch == self.epoch || bugs.has(Bug::AnyEpoch));
        let is_over = |chain: &ChainIdentity, statement: &Statement| {
            statement.is_signed(chain, &self.verify, &validator.key, signature)
        };
        let mistaken = || bugs.mistaken(chain, statement).iter().any(|(chain, other)| is_over(chain, other));
        here && (bugs.has(Bug::SkipSignatures) || is_over(chain, statement) || mistaken())
    }

    fn is_quorum(&self, quorum: &Quorum) -> bool {
        let Config { chain, bugs, .. } = &self.config;
        bugs.has(Bug::SkipQuorumSignatures) || quorum.is_good_with(chain, &self.set, &self.verify, *bugs)
    }

    /// Whether this is a message to keep for the next height.
    pub(super) fn is_for_later(&self, message: &Message, height: Height) -> bool {
        let is_kind = matches!(message, Message::Proposal(_) | Message::Vote(_) | Message::Quorum(_));
        is_kind && height == self.at.height.next()
    }
}
