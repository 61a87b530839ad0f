//! The rules, each as a function that says whether it fired; the table is on the front page of [`crate::bft`].

use hanse_types::{Certificate, Hash, Round};

use crate::bft::height::{Held, Stage, Valid};
use crate::bft::{Bft, Bug, tally};
use crate::statement::{Basis, Step, VoteKind, Word};
use crate::verify::Verify;
use crate::{Fault, Output, Quorum, Request, Slot, Timer, Verdict};

impl<V: Verify> Bft<V> {
    /// Does all that has become possible. Ends, as every rule that fires moves the step, the round or the stage on, or
    /// takes a newer polka.
    pub(super) fn advance(&mut self, out: &mut Vec<Output>) -> Result<(), Fault> {
        while self.fire(out)? {}
        Ok(())
    }

    fn fire(&mut self, out: &mut Vec<Output>) -> Result<bool, Fault> {
        if matches!(self.at.stage, Stage::Committing(_)) {
            return Ok(false);
        }
        self.notice_decision();
        if self.at.decision.is_some() {
            // Whatever the round does now changes nothing any more.
            return self.decide(out);
        }
        let fired = matches!(self.at.stage, Stage::Running)
            && (self.follow(out) || self.take_valid(out) || self.prevote(out) || self.precommit(out));
        Ok(fired || (matches!(self.at.stage, Stage::Running) && self.end_round(out)))
    }

    /// Line 11.
    pub(super) fn begin_round(&mut self, round: Round, out: &mut Vec<Output>) {
        self.at.stage = Stage::Running;
        self.at.round = round;
        self.at.step = Step::Propose;
        self.at.asked = None;
        self.at.rests = false;
        if self.config.bugs.has(Bug::UnlockAtNewRound) {
            self.at.locked = None;
        }
        if !self.config.bugs.has(Bug::RoundsUnbounded) {
            self.at.prune();
        }
        self.ask_for_block(out);
        if !self.config.bugs.has(Bug::NoProposeTimeout) {
            self.set_step_timer(Step::Propose, out);
        }
    }

    /// Lines 14 to 19: the proposer proposes the valid block, or asks for a new one.
    pub(super) fn ask_for_block(&mut self, out: &mut Vec<Output>) {
        let round = self.at.round;
        let proposer = self.schedule.proposer(self.at.height, round);
        let has_said = self.at.has_said(Step::Propose) && !self.config.bugs.has(Bug::ProposeTwice);
        let is_due = self.at.step == Step::Propose && self.at.asked.is_none() && !has_said;
        if !is_due || !self.votes() || self.me != Some(proposer) || self.at.decision.is_some() {
            return;
        }
        match &self.at.valid {
            Some(valid) if valid.round < round && !self.config.bugs.has(Bug::ForgetValid) => {
                let Valid { round, block, polka } = valid.clone();
                let word = Word::Propose { block: block.hash(), valid_round: Some(round) };
                self.sign(word, Basis::Both(block, polka), out);
            }
            _ => {
                let slot = Slot {
                    height: self.at.height,
                    parent: self.tip.hash,
                    epoch: self.epoch,
                    round,
                    proposer,
                    validators: self.set_hash,
                };
                self.at.asked = Some(slot);
                out.push(Output::Propose(slot));
            }
        }
    }

    /// Line 49, first half: a quorum of precommits for one block, in whichever round.
    fn notice_decision(&mut self) {
        if self.at.decision.is_some() {
            return;
        }
        let own_round = self.config.bugs.has(Bug::IgnoreOldCommits);
        let mut rounds = self.at.rounds.iter().filter(|(round, _)| !own_round || **round == self.at.round);
        let found = rounds.find_map(|(round, votes)| Some((*round, votes.precommits.majority()??)));
        if let Some((round, block)) = found {
            self.at.decision = self.quorum(round, VoteKind::Precommit, Some(block));
        }
        if self.config.bugs.has(Bug::DecideByPrevotes) {
            let polka = self.at.now().and_then(|votes| votes.prevotes.majority()).flatten();
            self.at.decision = polka.and_then(|block| self.quorum(self.at.round, VoteKind::Prevote, Some(block)));
        }
    }

    /// Line 49, second half: commits what is decided, once it is here and was run.
    fn decide(&mut self, out: &mut Vec<Output>) -> Result<bool, Fault> {
        let Some((block_hash, quorum)) = self.at.decision.as_ref().and_then(|quorum| Some((quorum.block?, quorum)))
        else {
            return Ok(false);
        };
        let Quorum { epoch, height, round, signatures, .. } = quorum.clone();
        match self.judged(block_hash, out) {
            None => Ok(false),
            Some(Verdict::Bad) => Err(Fault::Diverged { height, block: block_hash }),
            Some(Verdict::Good) => {
                let Some(candidate) = self.at.candidates.get(&block_hash) else { return Ok(false) };
                self.at.stage = Stage::Committing(candidate.block.clone());
                self.fetches.clear();
                out.push(Output::Decide(Certificate { height, round, epoch, block_hash, signatures }));
                if self.config.bugs.has(Bug::NextBeforeDurable) {
                    self.persisted(height, out)?;
                }
                Ok(true)
            }
        }
    }

    /// Line 55: goes to the latest round that f + 1 validators have reached, so at least one honest one.
    fn follow(&mut self, out: &mut Vec<Output>) -> bool {
        let faulty = self.set.len() - self.set.quorum();
        let needed = if self.config.bugs.has(Bug::SkipRoundForOne) { 0 } else { faulty };
        let mut seen = self.at.seen.clone();
        seen.sort_unstable_by(|one, two| two.cmp(one));
        let reached = seen.get(needed).copied().flatten();
        let Some(round) = reached.filter(|round| *round > self.at.round && !self.config.bugs.has(Bug::NeverSkipRound))
        else {
            return false;
        };
        self.begin_round(round, out);
        true
    }

    /// Line 42, for any round so far.
    fn take_valid(&mut self, out: &mut Vec<Output>) -> bool {
        let newest = self.at.valid_round();
        let newer = |round: &Round| newest.is_none_or(|newest| *round > newest) && *round <= self.at.round;
        let polkas = self.at.rounds.iter().rev().filter(|(round, _)| newer(round));
        let polkas: Vec<_> = polkas.filter_map(|(round, votes)| Some((*round, votes.prevotes.majority()??))).collect();
        for (round, block) in polkas {
            if self.judged(block, out) != Some(Verdict::Good) {
                continue;
            }
            let found = self.at.candidates.get(&block).map(|candidate| candidate.block.clone());
            if let Some((block, polka)) = found.zip(self.quorum(round, VoteKind::Prevote, Some(block))) {
                self.at.make_valid(Valid { round, block, polka });
                return true;
            }
        }
        false
    }

    /// Lines 22 and 28.
    fn prevote(&mut self, out: &mut Vec<Output>) -> bool {
        if self.at.step != Step::Propose {
            return false;
        }
        let first = self.at.now().and_then(|votes| votes.proposals.first());
        let Some(Held { block, polka, acceptable, .. }) = first.cloned() else { return false };
        if !acceptable {
            self.cast_prevote(None, Basis::Nothing, out);
            return true;
        }
        let Some((choice, basis)) = self.choose(block, polka, out) else { return false };
        self.cast_prevote(choice, basis, out);
        choice.into_iter().for_each(|block| self.foresee(block, out));
        true
    }

    /// Tells whose turn comes if this block is decided, if it is this node's. The turn is what the schedule will say then: it
    /// follows from the block's header.
    fn foresee(&self, block: Hash, out: &mut Vec<Output>) {
        let Some(candidate) = self.at.candidates.get(&block) else { return };
        let header = candidate.block.header();
        let height = header.height.next();
        let mut schedule = self.schedule.clone();
        schedule.committed(header);
        let (round, proposer) = (Round(0), schedule.proposer(height, Round(0)));
        // Who decides after a change of the set is not known before the block is durable.
        if self.votes() && self.me == Some(proposer) && header.next_validators == self.set_hash {
            let (epoch, validators) = (self.epoch, self.set_hash);
            out.push(Output::Foresee(Slot { height, parent: block, epoch, round, proposer, validators }));
        }
    }

    /// What to prevote for a proposal, and why; nothing as long as that is not known.
    fn choose(&mut self, block: Hash, polka: Option<Quorum>, out: &mut Vec<Output>) -> Option<(tally::Choice, Basis)> {
        let free = |(locked_round, locked): (Round, Hash)| {
            let any = self.config.bugs.has(Bug::OldPolkaUnlocks);
            locked == block || polka.as_ref().is_some_and(|polka| any || polka.round >= locked_round)
        };
        if !self.at.locked.is_none_or(free) && !self.config.bugs.has(Bug::IgnoreLock) {
            return Some((None, Basis::Nothing));
        }
        match self.judged(block, out)? {
            Verdict::Good => Some((Some(block), polka.map_or(Basis::Nothing, Basis::Polka))),
            Verdict::Bad => Some((None, Basis::Nothing)),
        }
    }

    /// The polka of a round for this block, if it is known.
    pub(super) fn polka_for(&self, round: Round, block: Hash) -> Option<Quorum> {
        if self.config.bugs.has(Bug::BelieveValidRound) {
            let (epoch, height) = (self.epoch, self.at.height);
            let (kind, block, signatures) = (VoteKind::Prevote, Some(block), Vec::new());
            return Some(Quorum { kind, epoch, height, round, block, signatures });
        }
        let valid = self.at.valid.as_ref().filter(|valid| (valid.round, valid.block.hash()) == (round, block));
        if let Some(valid) = valid {
            return Some(valid.polka.clone());
        }
        let votes = self.at.rounds.get(&round)?;
        (votes.prevotes.majority() == Some(Some(block))).then(|| self.quorum(round, VoteKind::Prevote, Some(block)))?
    }

    /// Lines 36 and 44, with line 34 for prevotes that don't agree.
    fn precommit(&mut self, out: &mut Vec<Output>) -> bool {
        if self.at.step != Step::Prevote {
            return false;
        }
        let Some(votes) = self.at.now() else { return false };
        let (majority, full) = (votes.prevotes.majority(), votes.prevotes.is_full());
        if self.config.bugs.has(Bug::PrecommitOldPolka)
            && let Some(Valid { block, polka, .. }) = self.at.valid.clone()
        {
            self.cast_precommit(Some(block.hash()), Basis::Both(block, polka), out);
            return true;
        }
        match majority {
            Some(None) => {
                self.cast_precommit(None, Basis::Nothing, out);
                return true;
            }
            Some(Some(block)) if self.judged(block, out) == Some(Verdict::Good) => {
                return self.lock_and_precommit(block, out);
            }
            _ => {}
        }
        if full && let Some(votes) = self.at.rounds.get_mut(&self.at.round).filter(|votes| !votes.prevote_timer) {
            votes.prevote_timer = true;
            self.set_step_timer(Step::Prevote, out);
        }
        false
    }

    fn lock_and_precommit(&mut self, block: Hash, out: &mut Vec<Output>) -> bool {
        let round = self.at.round;
        let found = self.at.candidates.get(&block).map(|candidate| candidate.block.clone());
        let Some((body, polka)) = found.zip(self.quorum(round, VoteKind::Prevote, Some(block))) else { return false };
        if !self.config.bugs.has(Bug::NeverLock) {
            self.at.locked = Some((round, block));
        }
        self.at.make_valid(Valid { round, block: body.clone(), polka: polka.clone() });
        self.cast_precommit(Some(block), Basis::Both(body, polka), out);
        true
    }

    /// Line 47, and the next round at once where nothing can be decided in this one.
    fn end_round(&mut self, out: &mut Vec<Output>) -> bool {
        if self.at.rests {
            return self.begin_next_round(out);
        }
        let Some(votes) = self.at.rounds.get_mut(&self.at.round) else { return false };
        if votes.precommits.majority() == Some(None) {
            return self.begin_next_round(out);
        }
        if votes.precommits.is_full() && !votes.precommit_timer && !self.config.bugs.has(Bug::NoPrecommitTimeout) {
            votes.precommit_timer = true;
            self.set_step_timer(Step::Precommit, out);
        }
        false
    }

    /// Lines 57 to 67.
    pub(super) fn timeout(&mut self, timer: Timer, out: &mut Vec<Output>) {
        match timer {
            Timer::Step { height, round, step } => {
                let is_now = (height, round) == (self.at.height, self.at.round);
                if is_now && matches!(self.at.stage, Stage::Running) && self.at.decision.is_none() {
                    self.step_timeout(step, out);
                }
            }
            Timer::Repair => self.repair(out),
            Timer::Fetch => self.fetch_again(out),
            Timer::Lead => {}
        }
    }

    fn step_timeout(&mut self, step: Step, out: &mut Vec<Output>) {
        let bugs = self.config.bugs;
        let late = bugs.has(Bug::LateTimeout) || bugs.has(Bug::NoGuard);
        match step {
            Step::Propose if self.at.step == Step::Propose || late => self.cast_prevote(None, Basis::Nothing, out),
            Step::Prevote if self.at.step == Step::Prevote => self.cast_precommit(None, Basis::Nothing, out),
            Step::Precommit => {
                self.begin_next_round(out);
            }
            Step::Propose | Step::Prevote => {}
        }
    }

    /// Goes one round further, unless this is the last that there can be. Rests before, while there is nothing to decide.
    fn begin_next_round(&mut self, out: &mut Vec<Output>) -> bool {
        if self.is_idle() {
            self.at.rests = true;
            return false;
        }
        let next = self.at.round.0.checked_add(1).map(Round);
        next.into_iter().for_each(|round| self.begin_round(round, out));
        next.is_some()
    }

    /// Whether nobody has anything to decide, as far as is known here: what was to be decided came to nothing.
    fn is_idle(&self) -> bool {
        let at = &self.at;
        let is_open = at.waits || at.locked.is_some() || at.valid.is_some() || !at.candidates.is_empty();
        !is_open && !self.peers.values().any(|peer| peer.waits_at(at.height))
    }

    fn cast_prevote(&mut self, choice: tally::Choice, basis: Basis, out: &mut Vec<Output>) {
        self.at.step = Step::Prevote;
        self.sign(Word::Prevote(choice), basis, out);
    }

    fn cast_precommit(&mut self, choice: tally::Choice, basis: Basis, out: &mut Vec<Output>) {
        self.at.step = Step::Precommit;
        self.sign(Word::Precommit(choice), basis, out);
    }

    /// What running a block showed. If that is not known yet, sees to it: fetches the block, or has it run.
    fn judged(&mut self, block: Hash, out: &mut Vec<Output>) -> Option<Verdict> {
        let Some(candidate) = self.at.candidates.get_mut(&block) else {
            self.want(Request::Block(block), None, out);
            return None;
        };
        if self.config.bugs.has(Bug::SkipCheck) {
            return Some(Verdict::Good);
        }
        if candidate.verdict.is_none() && !candidate.checking {
            candidate.checking = true;
            out.push(Output::Check(candidate.block.clone()));
        }
        candidate.verdict
    }

    /// The quorum of a round for a choice, if there is one.
    pub(super) fn quorum(&self, round: Round, kind: VoteKind, choice: tally::Choice) -> Option<Quorum> {
        let signatures = self.at.rounds.get(&round)?.of(kind).signatures(choice);
        let (epoch, height) = (self.epoch, self.at.height);
        Some(Quorum { kind, epoch, height, round, block: choice, signatures })
    }
}
