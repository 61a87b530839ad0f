//! Several validators, of whom less than a third may be faulty in any way: Tendermint's rounds, over executed blocks.
//!
//! # The rules
//! They are those of algorithm 1 of *The latest gossip on BFT consensus* (Buchman, Kwon, Milosevic, arXiv 1807.04938),
//! with *n* validators, *f* < *n*/3 of them faulty, a **quorum** being *n − f* of them. At each height there are rounds,
//! each with a proposer ([`schedule`]) and three steps. A validator holds a **lock**, the block that it last precommitted
//! with its round, and a **valid** block, one that it knows to have a quorum of prevotes (a **polka**) in some round.
//!
//! | upon | do | line |
//! |---|---|---|
//! | a round begins, and this is its proposer | propose the valid block with its round, or else a new block | 14–19 |
//! | a new block is proposed | prevote it if it is good and nothing else is locked; else prevote none | 22 |
//! | a block is proposed again, with its polka of round *v* | prevote it if it is good, and the lock is on it or not newer than *v*; else none | 28 |
//! | a polka for a good block in this round, which is not past the prevote | lock it, precommit it | 36 |
//! | a polka for a good block in any round newer than the valid block's | it is the valid block | 42 |
//! | a quorum of prevotes for none | precommit none | 44 |
//! | a quorum of prevotes for this and that, and then time passes | precommit none | 34, 61 |
//! | a quorum of precommits for one block, in any round | it is decided | 49 |
//! | a quorum of precommits for none; or for this and that, and then time passes | the next round | 47, 65 |
//! | *f* + 1 validators are in later rounds | the latest round that one honest of them has reached | 55 |
//! | no proposal, and time passes | prevote none | 57 |
//!
//! Where this differs from the paper: a block is *good* when it was run here and gave what its header says, so its check
//! is an output ([`Output::Check`]) and its verdict an input. A proposal brings the polka that it
//! rests on, so that no receiver needs to have seen it. Rounds begin when there is something to decide, not before. The
//! next round begins at once after a quorum of precommits for none, since nothing can be decided in this one any more.
//! The valid block also follows polkas of earlier rounds than the present one. After a round without a block, the next one
//! waits until this node has something to decide, or a peer says that it has, or there is a block to decide on: what was to
//! be decided may have come to nothing, and rounds would go on for ever.
//!
//! # Why two honest validators never decide differently
//! Two quorums share at least *n* − 2*f* > *f* validators, so an honest one. In one round, then, there is a polka for one
//! block at most, and a commit for one block at most, as an honest validator votes once per position: the
//! [guard](crate::guard) sees to that across crashes. Let *b* be the first block to have a quorum of precommits, in round
//! *r*. At least *n* − 2*f* honest validators precommitted it and so are locked on it since round *r*. For another block
//! *c* to have a polka in a round after *r*, one of them has to prevote *c*; take the first round *s* > *r* in which
//! there is such a polka. That validator's rule asks for a polka for *c* in a round *v* with *r* ≤ *v* < *s*. In round
//! *r* the polka was for *b*; between *r* and *s* there is none, as *s* is the first. So there is none for *c*, no
//! precommit of an honest validator for it, and no commit. The lock is in the journal and the guard before the precommit
//! is sent, so a crash does not open it; a validator who may have lost either signs nothing at that height
//! ([`crate::safe_signer`]).
//!
//! # Why they decide
//! Assume that at some time connections between honest validators begin to deliver within some bound. Then:
//! - *Everybody hears.* Each node regularly says where it is and what it has; others answer with what it lacks: the
//!   round's proposal, votes or whole quorums, the newest polka, the certificate and block of a height that is over. So
//!   what one honest node has, all have after a while, with no message trusted to arrive the first time. Quorums travel
//!   as such, so a faulty validator that told each a different thing hides none.
//! - *They meet.* Whoever is behind follows *f* + 1 others into their round, of whom one is honest: faulty ones alone move
//!   nobody. Timeouts grow with the round, up to a bound that has to be above what a round takes.
//! - *A round succeeds.* Among *n* consecutive rounds of a height everyone proposes once, also the demoted. When an honest
//!   proposer's valid block is the newest polka's among honest validators, which the exchange of polkas makes so, every
//!   honest lock is on that block or older than its polka; all prevote it, precommit it, decide.
//! - *Nobody rests while another waits.* Each node says regularly whether it has something to decide, so all others go on, round
//!   after round, until its turn. A faulty validator that always says so makes others go through rounds, and nothing else.
//! - *Nothing is forgotten that this needs.* The locked block and its polka are in the journal.
//!
//! # What it bounds
//! Votes are kept for the rounds around the present one, those of the lock and the valid block; two of a validator for
//! one position, unless a quorum needs more; of later rounds only how far each validator is. A peer may have a few
//! messages for the next height waiting. Each round, at most two proposals are kept, and only the first is run unless
//! there is a polka for the other.
//!
//! # What it does not do
//! It says nothing of a height before the block below is durable ([`Input::Persisted`]): in `Stage::Committing`, messages
//! of the next height wait. What can be done ahead is told by [`Output::Foresee`]: the next proposer makes its block while
//! the votes on its parent go round. It excludes nobody: [`Evidence`](crate::Evidence) is for governance. It knows nothing
//! of transactions: their names go through it, and requests for those that are missing.
//!
//! Sources, besides the paper: CometBFT's reactor and its ADRs on gossip, evidence and proposer-based timestamps; Castro
//! and Liskov's PBFT for what signatures have to cover; Amoussou-Guenou et al., *Correctness of Tendermint-core
//! blockchains*, for the liveness that needs polkas to travel.
//!
//! Start reading at `rules`, then `messages`, then `repair`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hanse_types::crypto::PublicKey;
use hanse_types::{ChainIdentity, Epoch, Hash, Header, Height, Round, Timestamp, ValidatorSet};

use crate::statement::{Basis, Intent, Signed, Statement, Step, Word};
use crate::verify::Verify;
use crate::{CompactBlock, Consensus, Fault, Input, Message, Output, Peer, Recipient, Timer, Verdict};

pub mod schedule;
pub mod timing;

mod rules;
mod state;

mod messages;
mod repair;

mod height;
mod tally;

pub use crate::bugs::{Bug, Bugs};
pub use schedule::Schedule;
pub use state::Detail;
pub use timing::Timing;

use height::{AtHeight, Stage, Valid};
use repair::{Fetch, PeerState};

/// What an engine is set up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub chain: ChainIdentity,
    /// The key that this node votes with, where a validator set has it; none for an observer.
    pub key: Option<PublicKey>,
    /// How long it waits for what.
    pub timing: Timing,
    /// Mistakes that the simulator puts in.
    pub bugs: Bugs,
}

/// Where an engine begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The newest durable block.
    pub tip: Tip,
    /// Who decides the next.
    pub set: Arc<ValidatorSet>,
    /// Version of that set.
    pub epoch: Epoch,
    /// Their turns at the next height.
    pub schedule: Schedule,
    /// Nothing is signed below this height: [`SafeSigner::from`](crate::SafeSigner::from).
    pub votes_from: Height,
    /// What was about to be signed before: [`SafeSigner::recovered`](crate::SafeSigner::recovered).
    pub recovered: Vec<Intent>,
}

/// The newest durable block, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: Hash,
    /// Its time.
    pub timestamp: Timestamp,
}

/// The engine of one node in one group. A copy goes its own way from there, which only a search may let it do.
#[derive(Clone, Debug)]
pub struct Bft<V> {
    config: Config,
    verify: V,
    tip: Tip,
    set: Arc<ValidatorSet>,
    set_hash: Hash,
    epoch: Epoch,
    schedule: Schedule,
    /// This node's index in the set.
    me: Option<u32>,
    votes_from: Height,
    recovered: Vec<Intent>,
    /// A later set, and the first height that it decides.
    next_set: Option<(Height, Arc<ValidatorSet>)>,
    /// The height under way.
    at: AtHeight,
    peers: BTreeMap<Peer, PeerState>,
    fetches: Vec<Fetch>,
    now: Timestamp,
    halted: bool,
}

impl<V: Verify> Bft<V> {
    /// An engine that goes on from there. Its first input is [`Input::Start`].
    pub fn new(config: Config, verify: V, beginning: Beginning) -> Bft<V> {
        let Beginning { tip, set, epoch, schedule, votes_from, recovered } = beginning;
        let me = config.key.and_then(|key| set.index_of(&key));
        Bft {
            at: AtHeight::new(tip.height.next(), set.len()),
            set_hash: set.hash(config.chain.crypto),
            me,
            config,
            verify,
            tip,
            set,
            epoch,
            schedule,
            votes_from,
            recovered,
            next_set: None,
            peers: BTreeMap::new(),
            fetches: Vec::new(),
            now: Timestamp(0),
            halted: false,
        }
    }

    /// Where it is: height, round, step.
    pub fn position(&self) -> (Height, Round, Step) {
        (self.at.height, self.at.round, self.at.step)
    }

    /// Round and block of the lock, if there is one.
    pub fn lock(&self) -> Option<(Round, Hash)> {
        self.at.locked
    }

    /// Whether it may sign at the height under way.
    pub fn votes(&self) -> bool {
        self.me.is_some() && self.at.height >= self.votes_from
    }

    /// Bounds that hold whatever peers send, counted: rounds with votes, candidate blocks, messages that wait.
    pub fn kept(&self) -> (usize, usize, usize) {
        let waiting = self.peers.values().map(PeerState::waiting).sum();
        (self.at.rounds.len(), self.at.candidates.len(), waiting)
    }

    fn handle(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Fault> {
        match input {
            Input::Start => self.start(out),
            Input::BatchReady => self.batch_ready(out),
            Input::Withdrawn => self.withdrawn(),
            Input::Built(block) => return self.built(block, out),
            Input::Signed(signed) => return self.signed(&signed, out),
            Input::Checked { block, verdict } => self.checked(block, verdict),
            Input::Missing { block, transactions } => self.missing(block, transactions, out),
            Input::Persisted { height } => return self.persisted(height, out),
            Input::Message { from, message } => self.message(from, message, out),
            Input::Timeout(timer) => self.timeout(timer, out),
            Input::PeerUp(peer) => self.peer_up(peer, out),
            Input::PeerDown(peer) => self.peer_down(peer),
            Input::Validators { from, set } => self.next_set = Some((from, set)),
            Input::Recorded => {
                return Err(Fault::Unexpected { what: "a durable record", height: self.at.height });
            }
            Input::Executed(header) => {
                return Err(Fault::Unexpected { what: "a block without its body", height: header.height });
            }
        }
        Ok(())
    }

    fn start(&mut self, out: &mut Vec<Output>) {
        self.set_timer(Timer::Repair, self.config.timing.repair_ms, out);
        self.begin_height(out);
    }

    /// Begins the height after the tip: where a crash has left it, or anew.
    fn begin_height(&mut self, out: &mut Vec<Output>) {
        self.at = AtHeight::new(self.tip.height.next(), self.set.len());
        self.fetches.clear();
        let restored = self.restore();
        if let Some(newest) = restored.last().filter(|_| !self.config.bugs.has(Bug::RestartAtRoundZero)) {
            self.at.stage = Stage::Running;
            self.at.round = newest.statement.round;
            self.at.step = newest.statement.step();
            self.set_step_timer(self.at.step, out);
            self.say_again(restored, out);
        }
        self.replay_waiting(out);
        self.catch_up(out);
    }

    /// Asks for what was signed before a crash to be signed again, as it may have reached nobody, and others may wait for
    /// it: those of this round and of the one before, in which they may still be.
    fn say_again(&self, restored: Vec<Intent>, out: &mut Vec<Output>) {
        let first = Round(self.at.round.0.saturating_sub(1));
        let again = restored.into_iter().filter(|intent| self.votes() && intent.statement.round >= first);
        out.extend(again.filter(|_| !self.config.bugs.has(Bug::SilentRestart)).map(Output::Sign));
    }

    /// Takes over what was about to be signed at this height before a crash, the oldest first.
    fn restore(&mut self) -> Vec<Intent> {
        let height = self.at.height;
        let mut recovered = std::mem::take(&mut self.recovered);
        recovered.retain(|intent| intent.statement.height >= height);
        let (mine, later): (Vec<_>, Vec<_>) =
            recovered.into_iter().partition(|intent| intent.statement.height == height);
        self.recovered = later;
        for Intent { statement, basis } in &mine {
            self.at.mine.push(*statement);
            match basis {
                Basis::Nothing | Basis::Polka(_) => {}
                Basis::Block(block) => self.at.keep(block, None),
                Basis::Both(block, polka) => {
                    self.at.keep(block, None);
                    self.at.make_valid(Valid { round: polka.round, block: block.clone(), polka: polka.clone() });
                }
            }
            if let Word::Precommit(Some(block)) = statement.word
                && !self.config.bugs.has(Bug::ForgetLockAtRestart)
            {
                self.at.locked = Some((statement.round, block));
            }
        }
        mine
    }

    fn batch_ready(&mut self, out: &mut Vec<Output>) {
        // Who may not propose is never asked for a block, so it would wait for ever, and with it everybody. It has passed on what
        // it has to those who may.
        self.at.waits = self.votes();
        match self.at.stage {
            Stage::Waiting => self.begin_round(Round(0), out),
            Stage::Running => self.ask_for_block(out),
            Stage::Committing(_) => {}
        }
    }

    fn withdrawn(&mut self) {
        self.at.waits = false;
        let fresh = self.at.round == Round(0) && self.at.step == Step::Propose && self.at.mine.is_empty();
        // Others who are in this height may need this node's vote to get on, and have said all that they can.
        let alone = self.at.seen.iter().all(Option::is_none) || self.config.bugs.has(Bug::LeaveOthersWaiting);
        if self.at.asked.take().is_some() && fresh && alone && matches!(self.at.stage, Stage::Running) {
            // There is nothing to decide after all.
            self.at.stage = Stage::Waiting;
        }
    }

    /// A block that was made here is proposed, unless its round is over.
    fn built(&mut self, block: CompactBlock, out: &mut Vec<Output>) -> Result<(), Fault> {
        let header = block.header();
        if (header.height, header.round) < (self.at.height, self.at.round) {
            return Ok(());
        }
        let Some(slot) = self.at.asked.take() else {
            return Err(Fault::Unexpected { what: "an executed block", height: header.height });
        };
        if !slot.is_of(header) {
            return Err(Fault::WrongBlock { found: header.height, expected: slot.height });
        }
        if self.at.step != Step::Propose || !matches!(self.at.stage, Stage::Running) {
            return Ok(());
        }
        self.at.keep(&block, None);
        self.at.judge(block.hash(), Verdict::Good);
        let word = Word::Propose { block: block.hash(), valid_round: None };
        self.sign(word, Basis::Block(block), out);
        Ok(())
    }

    /// A statement of this node exists: it counts, and goes out.
    fn signed(&mut self, signed: &Signed, out: &mut Vec<Output>) -> Result<(), Fault> {
        let statement = *signed.statement();
        let Some(me) = self.me.filter(|_| statement.height == self.at.height) else { return Ok(()) };
        if !self.at.mine.contains(&statement) {
            return Err(Fault::Unexpected { what: "a signed vote", height: statement.height });
        }
        let signed = signed.by(me);
        match Message::vote(signed) {
            Some(vote) => {
                self.count(signed, out);
                out.push(Output::Send(Recipient::All, vote));
            }
            None => self.show_proposal(signed, out),
        }
        Ok(())
    }

    fn checked(&mut self, block: Hash, verdict: Verdict) {
        self.at.judge(block, verdict);
    }

    fn persisted(&mut self, height: Height, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Stage::Committing(block) = &self.at.stage else {
            if self.config.bugs.has(Bug::NextBeforeDurable) {
                return Ok(());
            }
            return Err(Fault::Unexpected { what: "a durable block", height });
        };
        let block = block.clone();
        let header = block.header();
        if header.height != height {
            return Err(Fault::Unexpected { what: "a durable block", height });
        }
        self.tip = Tip { height, hash: block.hash(), timestamp: header.timestamp };
        self.take_turns(header);
        if header.next_validators != self.set_hash {
            self.change_validators(header.next_validators)?;
        }
        self.begin_height(out);
        Ok(())
    }

    /// Goes on in the order of proposers.
    fn take_turns(&mut self, header: &Header) {
        let bugs = self.config.bugs;
        let decided = self.at.decision.as_ref().filter(|_| bugs.has(Bug::DemoteByCertificate));
        match decided {
            Some(quorum) => self.schedule.committed(&Header { round: quorum.round, ..header.clone() }),
            None if bugs.has(Bug::NeverDemote) => {}
            None => self.schedule.committed(header),
        }
    }

    /// The set that the block just committed names takes over. Nothing of the old one's turns or votes goes on.
    fn change_validators(&mut self, expected: Hash) -> Result<(), Fault> {
        let height = self.tip.height.next();
        let next = self
            .next_set
            .take()
            .filter(|(from, set)| *from == height && set.hash(self.config.chain.crypto) == expected);
        let (_, set) = next.ok_or(Fault::WrongValidators { height, expected })?;
        let bugs = self.config.bugs;
        if !bugs.has(Bug::KeepEpoch) {
            self.epoch = Epoch(self.epoch.0.saturating_add(1));
        }
        if !bugs.has(Bug::KeepTurns) {
            self.schedule = Schedule::new(&set);
        }
        if !bugs.has(Bug::KeepIndex) {
            self.me = self.config.key.and_then(|key| set.index_of(&key));
        }
        self.set_hash = expected;
        if !bugs.has(Bug::KeepSet) {
            self.set = set;
        }
        Ok(())
    }

    /// Asks for a statement of this node to be made durable and signed, if it votes here.
    fn sign(&mut self, word: Word, basis: Basis, out: &mut Vec<Output>) {
        if !self.votes() {
            return;
        }
        let statement = Statement { epoch: self.epoch, height: self.at.height, round: self.at.round, word };
        self.at.mine.push(statement);
        out.push(Output::Sign(Intent { statement, basis }));
    }

    fn set_timer(&self, timer: Timer, after_ms: u64, out: &mut Vec<Output>) {
        out.push(Output::SetTimer { timer, after_ms });
    }

    fn set_step_timer(&self, step: Step, out: &mut Vec<Output>) {
        let AtHeight { height, round, .. } = self.at;
        let growth = if self.config.bugs.has(Bug::TimeoutsNeverGrow) { Round(0) } else { round };
        let after_ms = self.config.timing.of(step, growth);
        self.set_timer(Timer::Step { height, round, step }, after_ms, out);
    }

    fn halt(&mut self, fault: Fault, out: &mut Vec<Output>) {
        self.halted = true;
        out.push(Output::Halt(fault));
    }
}

impl<V: Verify> Consensus for Bft<V> {
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        if self.halted {
            return;
        }
        self.now = self.now.max(now);
        if let Err(fault) = self.handle(input, out).and_then(|()| self.advance(out)) {
            self.halt(fault, out);
        }
    }
}
