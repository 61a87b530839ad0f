//! Several validators who trust each other not to lie, of whom less than a half may be down: Raft, over executed blocks.
//!
//! # How it agrees
//! As in *In Search of an Understandable Consensus Algorithm* (Ongaro, Ousterhout, 2014): validators elect a leader for a
//! **term**; the leader puts blocks into a log that the others copy; what a majority has is committed. The state machine
//! for that is the crate [`noraft`], which does no I/O and has neither clock nor randomness (`member`). What is added
//! here ties it to the chain:
//!
//! | Raft | chain |
//! |---|---|
//! | term | the block's round, in its header and in what its proposer signs |
//! | entry | a block with its proposer's signature; or the beginning of a term |
//! | command that was applied | durable block |
//! | snapshot | the ledger: *the log up to this place is the chain up to that height* ([`Base`]) |
//!
//! - **A leader proposes** when all that is in its log is committed and durable: one block at a time. It has the block
//!   executed, signs it as it would precommit it, and puts both into the log.
//! - **A follower takes a block into its log only once it has run it** and found it to be what it claims, so it also has
//!   its transactions, and they are in its record: what a majority has is there with all that it takes to go on,
//!   whatever crashes. A block that runs otherwise here is not taken. Until the block can be run the leader gets no answer.
//! - **A committed block is decided**: its certificate is the proposer's one signature.
//! - **Who lacks blocks that are gone from the logs** gets them from a ledger ([`Output::ServeDecided`]), like in every
//!   group, and its log goes on from there. Logs keep the newest few; a [`Record`] has no durable block.
//!
//! # What it promises, and to whom
//! Raft's safety: a block that was committed is in the log of every later leader, so two nodes never decide differently,
//! as long as everybody does what this code does and no disk forgets. Both are needed: one validator that lies can fork
//! the group, and the certificate shows a block's maker and no more. What must be durable before something is said
//! (term, vote, log) goes out as [`Output::Record`], and what rests on it is sent after [`Input::Recorded`]. A validator
//! whose record is lost follows and says nothing ([`record`]).
//!
//! One leader makes all blocks while it is there, so who has transactions and doesn't lead sends it the oldest of them
//! again and again ([`Output::Forward`]): it may not have heard of them.
//!
//! It goes on as long as a majority is up and hears one another within the time of an election. Election times
//! are fixed, not random: each validator has its own, and they change places with each term, so in one of *n* terms
//! nobody else is in the way. Before the vote it is asked whether there should be one, so a validator that was cut off
//! disturbs nobody when it comes back (`canvass`).
//!
//! A block may change the validators. Then the new ones begin a log of their own on that block (`epochs`).
//!
//! # What it does not do
//! It has one block in the log at a time, though the next one is made meanwhile ([`Output::Foresee`]).
//!
//! Start reading at `advance`, then `member`, `exchange`, `canvass`, `epochs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hanse_types::crypto::PublicKey;
use hanse_types::{Certificate, ChainIdentity, Epoch, Hash, Height, Round, Timestamp, ValidatorSet};

use crate::bft::{Timing, Tip};
use crate::statement::{Intent, Signed, Statement};
use crate::verify::Verify;
use crate::vote::Precommit;
use crate::{CompactBlock, Consensus, Fault, Input, Output, Peer, Quorum, Slot, Timer, Verdict};

mod canvass;
mod epochs;
mod exchange;
mod member;
pub mod record;
pub mod words;

pub use member::Role;
pub use record::{Record, RecordStore};
pub use words::{Base, Entry, Position, RaftMessage, RaftWord};

use canvass::Presence;
use exchange::{Fetch, PeerState};
use member::{Logged, Member, Wishes};

/// Hashes of the newest durable blocks that are remembered, to know a block of the log for what the ledger has.
const RECENT: usize = 256;

/// What an engine is set up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub chain: ChainIdentity,
    /// The key that this node signs with, if it is a validator's.
    pub key: Option<PublicKey>,
    /// How long it waits for what; an election takes about as long as a proposal may.
    pub timing: Timing,
}

/// Where an engine begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The newest durable block.
    pub tip: Tip,
    /// Heights and hashes of the newest durable blocks, as far as they are at hand.
    pub recent: Vec<(Height, Hash)>,
    /// Who decides.
    pub set: Arc<ValidatorSet>,
    /// Version of that set.
    pub epoch: Epoch,
    /// What this validator must not forget; none if it is lost, and for an observer.
    pub record: Option<Record>,
}

/// The engine of one node in one group.
#[derive(Clone, Debug)]
pub struct Raft<V> {
    config: Config,
    verify: V,
    tip: Tip,
    recent: BTreeMap<Height, Hash>,
    set: Arc<ValidatorSet>,
    set_hash: Hash,
    epoch: Epoch,
    /// The set that a block on its way names, and the first height that it decides.
    next_set: Option<(Height, Arc<ValidatorSet>)>,
    /// What this validator's disk said when it started: it takes part in that epoch by it, and in later ones.
    record: Option<Record>,
    /// None for a node that only follows.
    member: Option<Member>,
    presence: Presence,
    /// Whether a record is being written of an epoch in which this node was a validator, as it is none now.
    is_writing: bool,
    /// The block that is being written.
    committing: Option<CompactBlock>,
    /// What was asked for, until it is built.
    asked: Option<Slot>,
    /// What was built, until it is signed.
    built: Option<CompactBlock>,
    /// Whether a block of this height was made here: if it isn't in the log, it came to nothing.
    left_over: bool,
    /// The latest term of which a leader was heard, and that one.
    heard: Option<(Round, u32)>,
    /// Whether there was something to make a block of since the last [`Timer::Repair`].
    has_batch: bool,
    /// What running blocks of the next height showed; none while they are run.
    verdicts: BTreeMap<Hash, Option<Verdict>>,
    /// The leader's message whose block waits to be run.
    held: Option<Held>,
    /// The next block from a peer's ledger.
    served: Option<(Peer, Certificate, CompactBlock)>,
    /// From where the log goes on once the chain is here.
    ahead: Option<Base>,
    peers: BTreeMap<Peer, PeerState>,
    fetches: Vec<Fetch>,
    /// The height at which the last [`Timer::Repair`] found this node.
    seen_at: Height,
    now: Timestamp,
    halted: bool,
}

/// See [`Raft`].
#[derive(Clone, Debug)]
struct Held {
    from: Peer,
    message: RaftMessage,
    certificate: Certificate,
    block: CompactBlock,
}

impl<V: Verify> Raft<V> {
    /// An engine that goes on from there. Its first input is [`Input::Start`].
    pub fn new(config: Config, verify: V, beginning: Beginning) -> Raft<V> {
        let Beginning { tip, recent, set, epoch, record } = beginning;
        let me = config.key.and_then(|key| set.index_of(&key));
        let member = epochs::member_of(me, set.len(), record.as_ref(), epoch, tip.height);
        Raft {
            set_hash: set.hash(config.chain.crypto),
            config,
            verify,
            tip,
            recent: recent.into_iter().chain([(tip.height, tip.hash)]).collect(),
            set,
            epoch,
            next_set: None,
            record: record.map(|record| Record { bodies: Vec::new(), ..record }),
            member,
            presence: Presence::default(),
            is_writing: false,
            committing: None,
            asked: None,
            built: None,
            left_over: false,
            heard: None,
            has_batch: false,
            verdicts: BTreeMap::new(),
            held: None,
            served: None,
            ahead: None,
            peers: BTreeMap::new(),
            fetches: Vec::new(),
            seen_at: tip.height,
            now: Timestamp(0),
            halted: false,
        }
    }

    /// The height under way, and the term as this node knows it.
    pub fn position(&self) -> (Height, Round) {
        let heard = self.heard.map_or(Round(0), |(term, _)| term);
        (self.height(), self.member.as_ref().map_or(heard, Member::term))
    }

    /// What this node is in the term; none if it only follows blocks.
    pub fn role(&self) -> Option<Role> {
        self.member.as_ref().map(Member::role)
    }

    /// Index of the term's leader, as far as this node knows.
    pub fn leader(&self) -> Option<u32> {
        match &self.member {
            Some(member) if member.is_leader() => Some(member.me()),
            Some(member) => self.heard.filter(|(term, _)| *term == member.term()).map(|(_, leader)| leader),
            None => self.heard.map(|(_, leader)| leader),
        }
    }

    /// Whether it elects, and takes part in deciding: its key is a validator's, and its record is sound.
    pub fn votes(&self) -> bool {
        self.member.is_some()
    }

    /// Bounds that hold whatever others send, counted: blocks in the log, verdicts, requests.
    pub fn kept(&self) -> (usize, usize, usize) {
        (self.member.as_ref().map_or(0, Member::kept), self.verdicts.len(), self.fetches.len())
    }

    /// The height under way.
    fn height(&self) -> Height {
        self.tip.height.next()
    }

    fn handle(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Fault> {
        match input {
            Input::Start => self.start(out),
            Input::BatchReady => self.batch_ready(out),
            Input::Withdrawn => self.asked = None,
            Input::Built(block) => return self.made(block, out),
            Input::Signed(signed) => return self.signed(&signed, out),
            Input::Recorded => return self.recorded(out),
            Input::Checked { block, verdict } => self.checked(block, verdict),
            Input::Missing { block, transactions } => self.missing(block, transactions, out),
            Input::Persisted { height } => return self.persisted(height, out),
            Input::Message { from, message } => return self.message(from, message, out),
            Input::Timeout(timer) => self.timeout(timer, out),
            Input::PeerUp(peer) => self.peer_up(peer, out),
            Input::PeerDown(peer) => self.peer_down(peer),
            Input::Validators { from, set } => self.next_set = Some((from, set)),
            Input::Executed(header) => {
                return Err(Fault::Unexpected { what: "a block without its body", height: header.height });
            }
        }
        Ok(())
    }

    fn start(&mut self, out: &mut Vec<Output>) {
        out.push(Output::SetTimer { timer: Timer::Repair, after_ms: self.config.timing.repair_ms });
        self.lead_alone();
    }

    fn timeout(&mut self, timer: Timer, out: &mut Vec<Output>) {
        match timer {
            Timer::Repair => self.repair(out),
            Timer::Fetch => self.fetch_again(out),
            Timer::Lead => self.lead(out),
            Timer::Step { .. } => {}
        }
    }

    fn batch_ready(&mut self, out: &mut Vec<Output>) {
        self.has_batch = true;
        self.ask(out);
    }

    /// Asks for a block, if this node leads and all before it is over.
    fn ask(&mut self, out: &mut Vec<Output>) {
        let leads = self.member.as_ref().filter(|member| {
            let settled = member.is_settled() && member.beyond(self.tip.height).is_none();
            member.is_leader() && settled && member.base().height == self.tip.height
        });
        let (Some(member), None, None, None) = (leads, &self.asked, &self.built, &self.committing) else { return };
        let slot = Slot {
            height: self.height(),
            parent: self.tip.hash,
            epoch: self.epoch,
            round: member.term(),
            proposer: member.me(),
            validators: self.set_hash,
        };
        self.left_over = false;
        self.asked = Some(slot);
        out.push(Output::Propose(slot));
    }

    /// Whether this node still leads the term of a block that it made for the height under way.
    fn leads(&self, round: Round) -> bool {
        let leads = |member: &Member| member.is_leader() && member.term() == round;
        self.committing.is_none() && self.member.as_ref().is_some_and(leads)
    }

    /// The block that was asked for is signed, unless its term is over.
    fn made(&mut self, block: CompactBlock, out: &mut Vec<Output>) -> Result<(), Fault> {
        let header = block.header();
        let Some(slot) = self.asked.take() else {
            return Err(Fault::Unexpected { what: "an executed block", height: header.height });
        };
        if !slot.is_of(header) {
            return Err(Fault::WrongBlock { found: header.height, expected: slot.height });
        }
        self.verdicts.insert(block.hash(), Some(Verdict::Good));
        self.left_over = true;
        if self.leads(slot.round) {
            out.push(Output::Sign(Intent::bare(vote_for(&block))));
            self.built = Some(block);
        }
        Ok(())
    }

    /// The block of this node is signed: it goes into the log.
    fn signed(&mut self, signed: &Signed, out: &mut Vec<Output>) -> Result<(), Fault> {
        let statement = signed.statement();
        let Some(block) = self.built.take_if(|block| vote_for(block) == *statement) else { return Ok(()) };
        let Statement { epoch, height, round, .. } = *statement;
        if !self.leads(round) {
            return Ok(());
        }
        let signatures = vec![(block.header().proposer, signed.signature())];
        let certificate = Certificate { height, round, epoch, block_hash: block.hash(), signatures };
        certificate
            .verify(&self.config.chain, &self.set, block.header())
            .map_err(|error| Fault::BadVote { height, error })?;
        let Some(member) = &mut self.member else { return Ok(()) };
        // Nothing else is in the log, so the next block is on top of this one, and this node's if it goes on to lead.
        let proposer = block.header().proposer;
        let (height, parent, validators) = (height.next(), block.hash(), self.set_hash);
        out.push(Output::Foresee(Slot { height, parent, epoch, round, proposer, validators }));
        member.propose(certificate, block);
        Ok(())
    }

    fn recorded(&mut self, out: &mut Vec<Output>) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_writing) {
            return Ok(());
        }
        let height = self.height();
        let waited = self.member.as_mut().and_then(Member::recorded);
        let messages = waited.ok_or(Fault::Unexpected { what: "a durable record", height })?;
        messages.into_iter().for_each(|message| self.send(message, out));
        Ok(())
    }

    fn checked(&mut self, block: Hash, verdict: Verdict) {
        if let Some(known) = self.verdicts.get_mut(&block) {
            *known = Some(verdict);
        }
    }

    fn persisted(&mut self, height: Height, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Some(block) = self.committing.take_if(|block| block.header().height == height) else {
            return Err(Fault::Unexpected { what: "a durable block", height });
        };
        let header = block.header();
        self.tip = Tip { height, hash: block.hash(), timestamp: header.timestamp };
        self.recent.insert(height, block.hash());
        while self.recent.len() > RECENT {
            self.recent.pop_first();
        }
        let next = header.next_validators;
        (self.asked, self.built, self.served, self.left_over) = (None, None, None, false);
        self.verdicts.clear();
        self.fetches.clear();
        self.tell_of_progress(out);
        if next == self.set_hash { Ok(()) } else { self.hand_over(next, out) }
    }

    /// What running a block showed; has it run if nobody has.
    fn judged(&mut self, block: &CompactBlock, out: &mut Vec<Output>) -> Option<Verdict> {
        match self.verdicts.get(&block.hash()) {
            Some(verdict) => *verdict,
            None => {
                self.verdicts.insert(block.hash(), None);
                out.push(Output::Check(block.clone()));
                None
            }
        }
    }

    /// Whether a block was found before to be made for the height under way.
    fn is_known(&self, block: &CompactBlock) -> bool {
        self.verdicts.contains_key(&block.hash())
    }

    /// Whether a block is made for the height under way, and signed by its proposer.
    fn fits(&self, certificate: &Certificate, block: &CompactBlock) -> bool {
        let (header, chain) = (block.header(), &self.config.chain);
        let signer = certificate.signatures.first().map(|(signer, _)| *signer);
        let made_for_it = header.height == self.height()
            && header.parent == self.tip.hash
            && header.timestamp > self.tip.timestamp
            && header.epoch == self.epoch
            && header.validators == self.set_hash
            && (header.crypto, &header.chain_id, &header.group_id) == (chain.crypto, &chain.chain_id, &chain.group_id);
        let named = Statement::from(Precommit::of(certificate)) == vote_for(block);
        let alone = certificate.signatures.len() == 1 && signer == Some(header.proposer);
        made_for_it && named && alone && Quorum::from(certificate.clone()).is_good(chain, &self.set, &self.verify)
    }

    /// Does what has become possible, until nothing more is.
    fn advance(&mut self, out: &mut Vec<Output>) -> Result<(), Fault> {
        self.note_durable();
        while self.skip() || self.take_held(out)? || self.decide(out)? {
            self.note_durable();
        }
        self.run_ahead(out);
        if self.left_over {
            // What was made here before is to be given up, so that there can be another batch.
            self.ask(out);
        }
        self.carry_out(out);
        Ok(())
    }

    fn note_durable(&mut self) {
        let Raft { member, recent, .. } = self;
        let is_here = |logged: &Logged| recent.get(&logged.height()) == Some(&logged.block.hash());
        if let Some(member) = member {
            member.durable_to(is_here);
        }
    }

    /// The log goes on from where the ledger is.
    fn skip(&mut self) -> bool {
        let tip = self.tip.height;
        let here = self.ahead.take_if(|base| base.height <= tip);
        here.zip(self.member.as_mut()).is_some_and(|(base, member)| member.skip(base))
    }

    /// Takes the block that waits into the log, once it was run. Whether anything came of it.
    fn take_held(&mut self, out: &mut Vec<Output>) -> Result<bool, Fault> {
        let Some(held) = self.held.take() else { return Ok(false) };
        let follows = |member: &Member| member.term() == held.message.term && !member.is_leader();
        if !self.member.as_ref().is_some_and(follows) {
            return Ok(false);
        }
        let height = held.block.header().height;
        if height <= self.tip.height {
            // What the ledger has at that height is decided; anything else is of a leader whose time is over.
            let is_it = self.recent.get(&height) == Some(&held.block.hash());
            return if is_it { self.hear(held.message).map(|()| true) } else { Ok(false) };
        }
        if height > self.height() || self.committing.is_some() {
            self.held = Some(held);
            return Ok(false);
        }
        if !self.is_known(&held.block) && !self.fits(&held.certificate, &held.block) {
            return Ok(false);
        }
        match self.judged(&held.block, out) {
            None => self.held = Some(held),
            Some(Verdict::Bad) => {}
            Some(Verdict::Good) => return self.hear(held.message).map(|()| true),
        }
        Ok(false)
    }

    fn hear(&mut self, message: RaftMessage) -> Result<(), Fault> {
        let height = self.height();
        let fits = self.member.as_mut().is_none_or(|member| member.hear(message));
        if fits { Ok(()) } else { Err(Fault::OtherLog { height }) }
    }

    /// Commits what is decided, by the log or by a peer's ledger, once it was run. Whether anything came of it.
    fn decide(&mut self, out: &mut Vec<Output>) -> Result<bool, Fault> {
        if self.committing.is_some() {
            return Ok(false);
        }
        let height = self.height();
        let logged = self.member.as_ref().and_then(|member| member.committed(height));
        let by_log = logged.map(|logged| (logged.certificate.clone(), logged.block.clone()));
        let by_ledger = || self.served.as_ref().map(|(_, certificate, block)| (certificate.clone(), block.clone()));
        let Some((certificate, block)) = by_log.or_else(by_ledger) else { return Ok(false) };
        let diverged = Fault::Diverged { height, block: block.hash() };
        if !self.is_known(&block) && !self.fits(&certificate, &block) {
            return Err(diverged);
        }
        match self.judged(&block, out) {
            None => Ok(false),
            Some(Verdict::Bad) => Err(diverged),
            Some(Verdict::Good) => {
                self.committing = Some(block);
                out.push(Output::Decide(certificate));
                Ok(true)
            }
        }
    }

    /// Has the block in the log run that may be decided next, if that wasn't done before it was taken: in the life before
    /// this one. Others may need its transactions to take it.
    fn run_ahead(&mut self, out: &mut Vec<Output>) {
        let logged = self.member.as_ref().and_then(|member| member.logged(self.height()));
        let Some(Logged { certificate, block, .. }) = logged.filter(|_| self.committing.is_none()).cloned() else {
            return;
        };
        if !self.is_known(&block) && self.fits(&certificate, &block) {
            self.judged(&block, out);
        }
    }

    /// Does what the state machine wants: its timer, its record, its messages.
    fn carry_out(&mut self, out: &mut Vec<Output>) {
        let Some(member) = &mut self.member else { return };
        let Wishes { timer, record, messages } = member.wishes();
        if timer {
            self.set_lead_timer(out);
        }
        out.extend(record.map(|record| Output::Record(Box::new(record))));
        messages.into_iter().for_each(|message| self.send(message, out));
    }

    fn halt(&mut self, fault: Fault, out: &mut Vec<Output>) {
        self.halted = true;
        out.push(Output::Halt(fault));
    }
}

/// What the proposer of a block signs.
fn vote_for(block: &CompactBlock) -> Statement {
    let header = block.header();
    let (epoch, height, round) = (header.epoch, header.height, header.round);
    Precommit { epoch, height, round, block_hash: block.hash() }.into()
}

impl<V: Verify> Consensus for Raft<V> {
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

#[cfg(test)]
mod tests;
