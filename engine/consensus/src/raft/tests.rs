#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;

use hanse_types::crypto::CryptoSuite;
use hanse_types::crypto::Signer;
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Dag, Gas, Header, sign_bytes};

use super::*;
use crate::test_values::{self, Memory, chain, key};
use crate::{Message, Recipient, Request, Standard, VoteLog};

mod mistakes;

const TIP: Tip = Tip { height: Height(0), hash: Hash([7; 32]), timestamp: Timestamp(1_000) };
const LEADER: Peer = Peer(1);

fn validators(count: usize) -> Arc<ValidatorSet> {
    Arc::new(test_values::set(count).agreeing_by(ConsensusKind::Raft))
}

/// One engine; the test plays the others, the disk and whoever runs blocks.
struct Bench {
    engine: Raft<Standard>,
    set: Arc<ValidatorSet>,
    votes: VoteLog<Memory>,
    now: Timestamp,
    outputs: VecDeque<Output>,
}

impl Bench {
    /// Validator 0 of so many, or an observer.
    fn new(count: usize, record: Option<Record>) -> Bench {
        let set = validators(count);
        let config = Config { chain: chain(), key: Some(key(0).public_key()), timing: Timing::default() };
        let beginning = Beginning { tip: TIP, recent: Vec::new(), set: set.clone(), epoch: Epoch(0), record };
        let engine = Raft::new(config, Standard, beginning);
        let votes = VoteLog::open(Memory::default(), None).unwrap();
        let mut bench = Bench { engine, set, votes, now: Timestamp(10_000), outputs: VecDeque::new() };
        bench.tell(Input::Start);
        (1..count as u32).for_each(|peer| bench.tell(Input::PeerUp(Peer(peer))));
        bench.outputs.clear();
        bench
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.step(input, self.now, &mut out);
        self.outputs.extend(out);
    }

    fn hear(&mut self, word: RaftWord, term: u32) {
        let message = RaftMessage { epoch: Epoch(0), from: LEADER.0, to: None, term: Round(term), word };
        self.tell(Input::Message { from: LEADER, message: Message::Raft(message) });
    }

    /// What it said since the test last looked, other than where it is, and the rest of what it wants.
    fn take(&mut self) -> (Vec<RaftWord>, Vec<Output>) {
        let (mut said, mut rest) = (Vec::new(), Vec::new());
        for output in self.outputs.drain(..) {
            match output {
                Output::Send(_, Message::Raft(message)) => said.push(message.word),
                Output::Send(_, Message::Status(_)) | Output::SetTimer { .. } | Output::Foresee(_) => {}
                other => rest.push(other),
            }
        }
        (said, rest)
    }

    fn said(&mut self) -> Vec<RaftWord> {
        let (said, rest) = self.take();
        assert!(rest.is_empty(), "{rest:?}");
        said
    }

    fn record(&mut self) -> Record {
        let (said, rest) = self.take();
        assert!(said.is_empty(), "said before the record was durable: {said:?}");
        match rest.as_slice() {
            [Output::Record(record)] => (**record).clone(),
            other => panic!("no record: {other:?}"),
        }
    }

    fn block(&self, name: u8, round: u32) -> (Certificate, CompactBlock) {
        made(&self.set, &self.engine.tip, LEADER.0, round, name)
    }

    /// The leader of a term puts a block behind its beginning.
    fn append(&mut self, name: u8) -> CompactBlock {
        let (certificate, block) = self.block(name, 1);
        let entries = vec![Entry::Block { certificate, block: block.clone() }];
        self.hear(RaftWord::Append { committed: 1, before: place(1, 1), entries }, 1);
        block
    }

    /// A follower of term 1 that has taken its beginning.
    fn follower() -> Bench {
        let mut bench = Bench::new(3, Some(Record::default()));
        let entries = vec![Entry::Term(Round(1))];
        bench.hear(RaftWord::Append { committed: 0, before: Position::default(), entries }, 1);
        let record = bench.record();
        assert_eq!((record.term, record.voted_for, record.entries.len()), (Round(1), Some(1), 1));
        bench.tell(Input::Recorded);
        assert_eq!(bench.said(), [RaftWord::Appended { last: place(1, 1) }]);
        bench
    }
}

fn place(term: u32, index: u64) -> Position {
    Position { term: Round(term), index }
}

/// A block for the height after a tip, signed by its proposer.
fn made(set: &ValidatorSet, tip: &Tip, proposer: u32, round: u32, name: u8) -> (Certificate, CompactBlock) {
    certified(Header {
        state_root: Hash([name; 32]),
        timestamp: tip.timestamp.plus_ms(1),
        round: Round(round),
        proposer,
        gas_used: Gas(0),
        ..test_values::header(tip.height.next(), tip.hash, set)
    })
}

/// The block of a header, signed by its proposer.
fn certified(header: Header) -> (Certificate, CompactBlock) {
    let Header { height, round, epoch, proposer, .. } = header;
    let block = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    let block_hash = block.hash();
    let bytes = sign_bytes::precommit(&chain(), epoch, height, round, &block_hash);
    let signatures = vec![(proposer, key(proposer as usize).sign(&bytes).unwrap())];
    (Certificate { height, round, epoch, block_hash, signatures }, block)
}

#[test]
fn one_that_is_alone_leads_and_decides_what_it_made() {
    let mut bench = Bench::new(1, Some(Record::default()));
    bench.tell(Input::Recorded);
    // More than it remembers the hashes of.
    for height in 1..=RECENT as u64 + 3 {
        bench.outputs.clear();
        bench.tell(Input::BatchReady);
        let (_, rest) = bench.take();
        let [Output::Propose(slot)] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!((slot.height, slot.round, slot.parent), (Height(height), Round(1), bench.engine.tip.hash));
        let (certificate, block) = made(&bench.set, &bench.engine.tip, 0, 1, height as u8);
        bench.tell(Input::Built(block.clone()));
        let (_, rest) = bench.take();
        let [Output::Sign(intent)] = rest.as_slice() else { panic!("{rest:?}") };
        let signed = bench.votes.sign(intent.precommit().unwrap(), &chain(), &key(0)).unwrap();
        bench.tell(Input::Signed(signed.into()));
        // Nothing is decided before the log is durable.
        assert_eq!(bench.record().blocks().map(CompactBlock::hash).collect::<Vec<_>>(), [block.hash()]);
        bench.tell(Input::Recorded);
        let (_, rest) = bench.take();
        assert_eq!(rest, [Output::Decide(certificate)]);
        bench.tell(Input::Persisted { height: Height(height) });
    }
}

#[test]
fn a_follower_takes_a_block_once_it_was_run_and_answers_once_it_is_durable() {
    let mut bench = Bench::follower();
    let block = bench.append(1);
    let (said, rest) = bench.take();
    assert_eq!((said, rest), (Vec::new(), vec![Output::Check(block.clone())]));
    // The leader says that it is there, and gets no answer that would make it send the block again.
    bench.hear(RaftWord::Append { committed: 1, before: place(1, 2), entries: Vec::new() }, 1);
    assert_eq!(bench.said(), []);

    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Good });
    assert_eq!(bench.record().blocks().count(), 1);
    bench.tell(Input::Recorded);
    assert_eq!(bench.said(), [RaftWord::Appended { last: place(1, 2) }]);

    // It is decided when the leader says that a majority has it.
    bench.hear(RaftWord::Append { committed: 2, before: place(1, 2), entries: Vec::new() }, 1);
    let (_, rest) = bench.take();
    assert!(matches!(rest.as_slice(), [Output::Decide(certificate)] if certificate.block_hash == block.hash()));
    bench.tell(Input::Persisted { height: Height(1) });
    let base = bench.engine.member.as_ref().unwrap().base();
    assert_eq!((base.position, base.height), (place(1, 2), Height(1)));
}

#[test]
fn what_is_durable_is_in_no_record_any_more() {
    let mut bench = Bench::follower();
    let block = bench.append(1);
    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Good });
    bench.tell(Input::Recorded);
    bench.hear(RaftWord::Append { committed: 2, before: place(1, 2), entries: Vec::new() }, 1);
    bench.tell(Input::Persisted { height: Height(1) });
    bench.outputs.clear();
    bench.hear(RaftWord::Elect { last: place(1, 2) }, 2);
    let record = bench.record();
    assert_eq!((record.term, record.voted_for, record.base.height), (Round(2), Some(1), Height(1)));
    assert_eq!(record.entries, []);
    bench.tell(Input::Recorded);
    assert_eq!(bench.said(), [RaftWord::Elected { granted: true }]);
}

#[test]
fn a_block_that_is_not_what_it_claims_is_not_taken() {
    let mut bench = Bench::follower();
    let block = bench.append(1);
    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Bad });
    let (said, _) = bench.take();
    assert_eq!(said, []);
    // If the group has decided it all the same, this node is not like the others.
    let status = |height| {
        Message::Status(crate::Status {
            height: Height(height),
            round: Round(1),
            proposal: false,
            prevotes: crate::Have::default(),
            precommits: crate::Have::default(),
            valid_round: None,
            waits: false,
        })
    };
    bench.tell(Input::Message { from: Peer(2), message: status(2) });
    bench.tell(Input::Timeout(Timer::Repair));
    let (_, rest) = bench.take();
    let request = Output::Send(Recipient::One(Peer(2)), Message::Request(Request::Decided(Height(1))));
    assert_eq!(rest, [request]);
    let (certificate, block) = bench.block(1, 1);
    bench.tell(Input::Message { from: Peer(2), message: Message::Decided { certificate, block: block.clone() } });
    let (_, rest) = bench.take();
    assert_eq!(rest, [Output::Halt(Fault::Diverged { height: Height(1), block: block.hash() })]);
}

#[test]
fn blocks_of_other_chains_heights_and_signers_are_not_even_run() {
    let mut bench = Bench::follower();
    let good = bench.block(1, 1);
    let later = made(&bench.set, &Tip { height: Height(3), ..TIP }, 1, 1, 1);
    let elsewhere = made(&bench.set, &Tip { hash: Hash([8; 32]), ..TIP }, 1, 1, 1);
    let mut forged = good.clone();
    forged.0.signatures[0].1 = made(&bench.set, &TIP, 1, 1, 2).0.signatures[0].1;
    let mut twice = good.clone();
    twice.0.signatures.push((2, twice.0.signatures[0].1));
    let mut other = good.clone();
    other.0.block_hash = Hash([3; 32]);
    let header = |change: fn(&mut Header)| {
        let mut header = good.1.header().clone();
        change(&mut header);
        certified(header)
    };
    let early = header(|header| header.timestamp = TIP.timestamp);
    let epoch = header(|header| header.epoch = Epoch(1));
    let set = header(|header| header.validators = Hash([4; 32]));
    let chain = header(|header| header.chain_id = "other".into());
    for (certificate, block) in [later, elsewhere, forged, twice, other, early, epoch, set, chain] {
        let entries = vec![Entry::Block { certificate, block }];
        bench.hear(RaftWord::Append { committed: 1, before: place(1, 1), entries }, 1);
        let (_, rest) = bench.take();
        assert!(!rest.iter().any(|output| matches!(output, Output::Check(_) | Output::Record(_))), "{rest:?}");
    }
}

#[test]
fn a_vote_is_given_once_in_a_term_and_durable_before_it_is_said() {
    let mut bench = Bench::new(3, Some(Record::default()));
    bench.hear(RaftWord::Elect { last: place(0, 0) }, 3);
    let record = bench.record();
    assert_eq!((record.term, record.voted_for), (Round(3), Some(1)));
    bench.tell(Input::Recorded);
    assert_eq!(bench.said(), [RaftWord::Elected { granted: true }]);
    // In the next life too.
    let mut bench = Bench::new(3, Some(record));
    let word = RaftWord::Elect { last: place(0, 0) };
    let other = RaftMessage { epoch: Epoch(0), from: 2, to: None, term: Round(3), word };
    bench.tell(Input::Message { from: Peer(2), message: Message::Raft(other) });
    assert_eq!(bench.said(), []);
}

#[test]
fn who_has_no_record_says_nothing_and_follows() {
    let mut bench = Bench::new(3, None);
    bench.hear(RaftWord::Elect { last: place(0, 0) }, 3);
    bench.tell(Input::Timeout(Timer::Lead));
    assert_eq!(bench.said(), []);
    assert_eq!((bench.engine.votes(), bench.engine.role()), (false, None));
    bench.hear(RaftWord::Append { committed: 0, before: place(0, 0), entries: Vec::new() }, 4);
    assert_eq!((bench.engine.leader(), bench.engine.position().1), (Some(1), Round(4)));
}

/// A leader's block that names other validators, decided and durable.
fn changes_validators(bench: &mut Bench, next: &Arc<ValidatorSet>) {
    let (_, block) = bench.block(1, 1);
    let header = Header { next_validators: next.hash(CryptoSuite::Standard), ..block.header().clone() };
    let block = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    let bytes = sign_bytes::precommit(&chain(), Epoch(0), Height(1), Round(1), &block.hash());
    let signatures = vec![(1, key(1).sign(&bytes).unwrap())];
    let certificate =
        Certificate { height: Height(1), round: Round(1), epoch: Epoch(0), block_hash: block.hash(), signatures };
    let entries = vec![Entry::Block { certificate, block: block.clone() }];
    bench.hear(RaftWord::Append { committed: 2, before: place(1, 1), entries }, 1);
    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Good });
    bench.tell(Input::Recorded);
    bench.outputs.clear();
}

#[test]
fn new_validators_begin_a_log_of_their_own_on_the_block_that_names_them() {
    let mut bench = Bench::follower();
    // Of three there are four now, whose numbers are others.
    let next = Arc::new(test_values::set_from(1, 4));
    changes_validators(&mut bench, &next);
    bench.tell(Input::Validators { from: Height(2), set: next.clone() });
    bench.tell(Input::Persisted { height: Height(1) });
    // Validator 0 is none of them: it follows.
    assert_eq!((bench.take(), bench.engine.votes()), ((Vec::new(), Vec::new()), false));
    assert_eq!(bench.engine.epoch, Epoch(1));

    let mut bench = Bench::follower();
    let next = Arc::new(test_values::set(4));
    changes_validators(&mut bench, &next);
    bench.tell(Input::Validators { from: Height(2), set: next });
    bench.tell(Input::Persisted { height: Height(1) });
    let record = bench.record();
    let base = Base { position: Position::default(), height: Height(1) };
    assert_eq!(record, Record { epoch: Epoch(1), base, ..Record::default() });
    bench.tell(Input::Recorded);
    // The old leader's words are of no epoch that there is.
    bench.hear(RaftWord::Append { committed: 2, before: place(1, 2), entries: Vec::new() }, 7);
    assert_eq!((bench.said(), bench.engine.position()), (Vec::new(), (Height(2), Round(0))));
    let word = RaftWord::Append { committed: 0, before: place(0, 0), entries: vec![Entry::Term(Round(1))] };
    let message = RaftMessage { epoch: Epoch(1), from: 2, to: None, term: Round(1), word };
    bench.tell(Input::Message { from: Peer(2), message: Message::Raft(message) });
    assert_eq!((bench.record().epoch, bench.engine.leader()), (Epoch(1), Some(2)));
}

#[test]
fn a_record_of_the_old_epoch_that_is_being_written_is_waited_for() {
    for remains in [true, false] {
        let mut bench = Bench::follower();
        let next = Arc::new(if remains { test_values::set(4) } else { test_values::set_from(1, 4) });
        changes_validators(&mut bench, &next);
        bench.hear(RaftWord::Elect { last: place(1, 2) }, 2);
        assert_eq!(bench.record().epoch, Epoch(0));
        bench.tell(Input::Validators { from: Height(2), set: next });
        bench.tell(Input::Persisted { height: Height(1) });
        assert_eq!(bench.said(), []);
        // What was to be said when it was written is of no use any more.
        bench.tell(Input::Recorded);
        if remains {
            assert_eq!(bench.record().epoch, Epoch(1));
            bench.tell(Input::Recorded);
        }
        assert_eq!(bench.said(), []);
        bench.tell(Input::Recorded);
        assert_eq!(bench.take().1, [Output::Halt(Fault::Unexpected { what: "a durable record", height: Height(2) })]);
    }
}

#[test]
fn validators_that_were_not_given_stop_it() {
    let mut bench = Bench::follower();
    let next = Arc::new(test_values::set(4));
    changes_validators(&mut bench, &next);
    bench.tell(Input::Persisted { height: Height(1) });
    let fault = Fault::WrongValidators { height: Height(2), expected: next.hash(CryptoSuite::Standard) };
    assert_eq!(bench.take().1, [Output::Halt(fault)]);
}

#[test]
fn a_record_counts_for_its_epoch_begins_a_later_one_and_forbids_an_earlier() {
    let record = |epoch| Record { epoch: Epoch(epoch), term: Round(4), voted_for: Some(2), ..Record::default() };
    let begun = |of, at| epochs::member_of(Some(0), 3, Some(&record(of)), Epoch(at), Height(9));
    assert_eq!(begun(2, 2).unwrap().term(), Round(4));
    let fresh = begun(1, 2).unwrap();
    assert_eq!((fresh.term(), fresh.base().height), (Round(0), Height(9)));
    assert!(begun(3, 2).is_none());
    assert!(epochs::member_of(None, 3, Some(&record(2)), Epoch(2), Height(9)).is_none());
    assert!(epochs::member_of(Some(0), 3, None, Epoch(2), Height(9)).is_none());
}

#[test]
fn nobody_begins_a_term_before_a_majority_would_have_it() {
    let mut bench = Bench::follower();
    let last = place(1, 1);
    for _ in 0..5 {
        bench.tell(Input::Timeout(Timer::Lead));
        assert_eq!(bench.said(), [RaftWord::Canvass { last }]);
    }
    bench.hear(RaftWord::Canvassed { granted: false }, 1);
    assert_eq!((bench.said(), bench.engine.position().1), (Vec::new(), Round(1)));
    bench.hear(RaftWord::Canvassed { granted: true }, 1);
    let record = bench.record();
    assert_eq!((record.term, record.voted_for), (Round(2), Some(0)));
    bench.tell(Input::Recorded);
    assert_eq!(bench.said(), [RaftWord::Elect { last }]);
    // One answer more, or one that comes late, begins nothing.
    bench.hear(RaftWord::Canvassed { granted: true }, 1);
    assert_eq!((bench.said(), bench.engine.position().1), (Vec::new(), Round(2)));
}

#[test]
fn an_answer_from_a_later_term_is_followed_there() {
    let mut bench = Bench::follower();
    bench.tell(Input::Timeout(Timer::Lead));
    bench.said();
    bench.hear(RaftWord::Canvassed { granted: false }, 6);
    assert_eq!((bench.record().term, bench.engine.position().1), (Round(6), Round(6)));
}

#[test]
fn who_hears_a_leader_would_vote_for_nobody_else() {
    let mut bench = Bench::follower();
    let ask = |bench: &mut Bench, from: u32, term, last| {
        let word = RaftWord::Canvass { last };
        let message = RaftMessage { epoch: Epoch(0), from, to: None, term: Round(term), word };
        bench.tell(Input::Message { from: Peer(from), message: Message::Raft(message) });
        let said = bench.said();
        let [RaftWord::Canvassed { granted }] = said.as_slice() else { panic!("{said:?}") };
        *granted
    };
    // Validator 1 leads and was just heard; only itself may ask to go on.
    assert!(!ask(&mut bench, 2, 1, place(1, 1)));
    assert!(ask(&mut bench, 1, 1, place(1, 1)));
    // It was not heard for a while.
    bench.now = bench.now.plus_ms(Timing::default().propose_ms);
    assert!(ask(&mut bench, 2, 1, place(1, 1)));
    // Who is behind, or of an earlier term, would not be elected.
    assert!(!ask(&mut bench, 2, 1, place(1, 0)) && !ask(&mut bench, 2, 0, place(0, 0)));
    // It is heard again; then the clock stands still, but the own timer runs out.
    bench.hear(RaftWord::Append { committed: 0, before: place(1, 1), entries: Vec::new() }, 1);
    bench.outputs.clear();
    assert!(!ask(&mut bench, 2, 1, place(1, 1)));
    bench.tell(Input::Timeout(Timer::Lead));
    bench.outputs.clear();
    assert!(ask(&mut bench, 2, 1, place(1, 1)));
}

#[test]
fn a_leader_that_hears_nobody_falls_silent_and_goes_on_when_it_is_wanted() {
    let mut bench = Bench::follower();
    bench.tell(Input::Timeout(Timer::Lead));
    bench.hear(RaftWord::Canvassed { granted: true }, 1);
    bench.tell(Input::Recorded);
    bench.hear(RaftWord::Elected { granted: true }, 2);
    bench.tell(Input::Recorded);
    assert_eq!((bench.engine.leader(), bench.engine.position().1), (Some(0), Round(2)));
    bench.outputs.clear();
    let words = |bench: &mut Bench, count| {
        let mut words = Vec::new();
        for _ in 0..count {
            bench.tell(Input::Timeout(Timer::Lead));
            words.extend(bench.said());
        }
        words
    };
    let is_question = |word: &RaftWord| matches!(word, RaftWord::Canvass { .. });
    // It was heard of at its election, so the first count is good; then there is silence.
    let said = words(&mut bench, 20);
    assert!(!said[..15].iter().any(is_question) && said[15..].iter().all(is_question), "{said:?}");
    // Another may ask now.
    let word = RaftWord::Canvass { last: place(2, 2) };
    let message = RaftMessage { epoch: Epoch(0), from: 2, to: None, term: Round(2), word };
    bench.tell(Input::Message { from: Peer(2), message: Message::Raft(message) });
    assert_eq!(bench.said(), [RaftWord::Canvassed { granted: true }]);
    // A majority would have it: it leads on, in its term.
    bench.hear(RaftWord::Canvassed { granted: true }, 2);
    bench.outputs.clear();
    assert!(!words(&mut bench, 7).iter().any(is_question));
    assert_eq!((bench.engine.leader(), bench.engine.position().1), (Some(0), Round(2)));
}

#[test]
fn the_log_goes_on_from_the_ledger_when_entries_are_gone() {
    let mut bench = Bench::new(3, Some(Record::default()));
    bench.hear(RaftWord::Append { committed: 9, before: place(5, 9), entries: Vec::new() }, 5);
    bench.tell(Input::Recorded);
    bench.outputs.clear();
    bench.hear(RaftWord::Skip(Base { position: place(5, 9), height: Height(1) }), 5);
    let (_, rest) = bench.take();
    let request = Output::Send(Recipient::One(LEADER), Message::Request(Request::Decided(Height(1))));
    assert_eq!(rest, [request]);
    let (certificate, block) = bench.block(1, 4);
    bench.tell(Input::Message { from: LEADER, message: Message::Decided { certificate, block: block.clone() } });
    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Good });
    bench.outputs.clear();
    bench.tell(Input::Persisted { height: Height(1) });
    // The next answers rest on it, so it is durable first.
    assert_eq!(bench.record().base, Base { position: place(5, 9), height: Height(1) });
}

/// The leader of term 2 of three, with all settled.
fn leading() -> Bench {
    let mut bench = Bench::follower();
    bench.tell(Input::Timeout(Timer::Lead));
    bench.hear(RaftWord::Canvassed { granted: true }, 1);
    bench.tell(Input::Recorded);
    bench.hear(RaftWord::Elected { granted: true }, 2);
    bench.tell(Input::Recorded);
    bench.hear(RaftWord::Appended { last: place(2, 2) }, 2);
    assert_eq!(bench.engine.leader(), Some(0));
    bench.outputs.clear();
    bench
}

fn asked(bench: &mut Bench) -> Slot {
    bench.tell(Input::BatchReady);
    let (_, rest) = bench.take();
    let [Output::Propose(slot)] = rest.as_slice() else { panic!("{rest:?}") };
    *slot
}

#[test]
fn a_block_whose_maker_leads_no_more_comes_to_nothing() {
    // It hears of a later term before its block is made.
    let mut bench = leading();
    let slot = asked(&mut bench);
    assert_eq!((slot.round, slot.proposer), (Round(2), 0));
    let (_, block) = made(&bench.set, &TIP, 0, 2, 1);
    bench.hear(RaftWord::Elect { last: place(2, 9) }, 3);
    bench.outputs.clear();
    bench.tell(Input::Built(block.clone()));
    assert_eq!(bench.take().1, []);
    // Or before it is signed.
    let mut bench = leading();
    asked(&mut bench);
    bench.tell(Input::Built(block));
    let (_, rest) = bench.take();
    let [Output::Sign(intent)] = rest.as_slice() else { panic!("{rest:?}") };
    let signed = bench.votes.sign(intent.precommit().unwrap(), &chain(), &key(0)).unwrap();
    bench.hear(RaftWord::Elect { last: place(2, 9) }, 3);
    bench.tell(Input::Recorded);
    bench.outputs.clear();
    bench.tell(Input::Signed(signed.clone().into()));
    assert_eq!(bench.take().1, []);
    // The word of another block than the one that waits is none.
    bench.tell(Input::Signed(signed.into()));
    assert_eq!(bench.take().1, []);
}

#[test]
fn what_was_not_asked_for_stops_it_for_good() {
    let block = made(&validators(3), &TIP, 0, 2, 1).1;
    let stopped = |mut bench: Bench, input| {
        bench.outputs.clear();
        bench.tell(input);
        let (_, rest) = bench.take();
        let [Output::Halt(fault)] = rest.as_slice() else { panic!("{rest:?}") };
        let fault = fault.clone();
        bench.tell(Input::Timeout(Timer::Lead));
        assert_eq!(bench.take(), (Vec::new(), Vec::new()));
        fault
    };
    let unexpected = |what| Fault::Unexpected { what, height: Height(1) };
    assert_eq!(stopped(leading(), Input::Built(block.clone())), unexpected("an executed block"));
    assert_eq!(stopped(leading(), Input::Persisted { height: Height(1) }), unexpected("a durable block"));
    assert_eq!(stopped(leading(), Input::Recorded), unexpected("a durable record"));
    let header = Box::new(block.header().clone());
    assert_eq!(stopped(leading(), Input::Executed(header)), unexpected("a block without its body"));
    let mut bench = leading();
    asked(&mut bench);
    let other = made(&bench.set, &TIP, 0, 7, 1).1;
    assert_eq!(stopped(bench, Input::Built(other)), Fault::WrongBlock { found: Height(1), expected: Height(1) });
}

#[test]
fn words_in_its_own_name_of_strangers_and_of_other_groups_are_not_heard() {
    let mut bench = Bench::new(3, Some(Record::default()));
    let word = RaftWord::Elect { last: place(9, 9) };
    for (from, to) in [(0, None), (9, None), (1, Some(9)), (1, Some(2))] {
        let message = RaftMessage { epoch: Epoch(0), from, to, term: Round(9), word: word.clone() };
        bench.tell(Input::Message { from: LEADER, message: Message::Raft(message) });
    }
    bench.tell(Input::Message { from: LEADER, message: Message::Request(Request::Decided(Height(7))) });
    bench.tell(Input::Message { from: Peer(77), message: Message::Request(Request::Decided(Height(0))) });
    assert_eq!((bench.take(), bench.engine.position().1), ((Vec::new(), Vec::new()), Round(0)));
}

#[test]
fn one_whose_ledger_is_behind_its_log_does_not_ask_to_lead() {
    let base = Base { position: place(4, 9), height: Height(5) };
    let mut bench = Bench::new(3, Some(Record { term: Round(4), base, ..Record::default() }));
    bench.tell(Input::Timeout(Timer::Lead));
    assert_eq!((bench.said(), bench.engine.position().1), (Vec::new(), Round(4)));
}

#[test]
fn who_says_a_validators_words_last_gets_the_answers() {
    let mut bench = Bench::new(3, Some(Record::default()));
    let asks = |bench: &mut Bench, through: u32| {
        let word = RaftWord::Canvass { last: place(0, 0) };
        let message = RaftMessage { epoch: Epoch(0), from: 2, to: None, term: Round(0), word };
        bench.tell(Input::Message { from: Peer(through), message: Message::Raft(message) });
        let answered = bench.outputs.drain(..).find_map(|output| match output {
            Output::Send(to, Message::Raft(_)) => Some(to),
            _ => None,
        });
        answered.unwrap()
    };
    assert_eq!(asks(&mut bench, 1), Recipient::One(Peer(1)));
    assert_eq!(asks(&mut bench, 2), Recipient::One(Peer(2)));
    assert_eq!(asks(&mut bench, 1), Recipient::One(Peer(1)));
}

#[test]
fn messages_that_no_raft_says_are_not_read() {
    let sound = |word, term| RaftMessage { epoch: Epoch(0), from: 1, to: None, term: Round(term), word }.is_sound(3);
    let append = |before, entries| RaftWord::Append { committed: 0, before, entries };
    let (certificate, block) = made(&validators(3), &TIP, 1, 1, 1);
    let entry = Entry::Block { certificate, block };
    assert!(sound(append(place(1, 4), vec![entry.clone()]), 1));
    assert!(sound(append(place(0, 4), vec![Entry::Term(Round(1)), entry.clone()]), 1));
    assert!(!sound(append(place(1, 4), vec![entry.clone(), entry.clone()]), 1));
    assert!(!sound(append(place(2, 4), vec![entry]), 2));
    assert!(!sound(append(place(1, 1 << 48), Vec::new()), 1));
    assert!(!sound(RaftWord::Append { committed: 1 << 48, before: place(1, 4), entries: Vec::new() }, 1));
    assert!(!sound(append(place(2, 4), Vec::new()), 1));
    assert!(!sound(append(place(1, 4), vec![Entry::Term(Round(1))]), 1));
    assert!(!sound(append(place(1, 4), vec![Entry::Term(Round(3))]), 2));
    assert!(!sound(append(place(0, 0), (1..=65).map(|term| Entry::Term(Round(term))).collect()), 70));
    assert!(!sound(RaftWord::Appended { last: place(2, 1) }, 1));
    assert!(
        !RaftMessage { epoch: Epoch(0), from: 3, to: None, term: Round(1), word: RaftWord::Elected { granted: true } }
            .is_sound(3)
    );
}

#[test]
fn a_record_is_read_again_and_none_that_was_damaged_or_is_old() {
    let disk = Memory::default();
    let open = |stored: Option<&[u8]>, first, voted| RecordStore::open(disk.clone(), &chain(), stored, first, voted);
    let (mut store, first) = open(None, true, None).unwrap();
    assert_eq!(first, Some(Record::default()));
    let record = Record { epoch: Epoch(3), term: Round(4), voted_for: Some(2), ..Record::default() };
    store.write(&record).unwrap();
    let bytes = disk.guard.borrow().clone().unwrap();
    let read = |bytes: Option<&[u8]>, voted| open(bytes, false, voted).unwrap().1;
    assert_eq!(read(Some(&bytes), Some((Epoch(3), Round(4)))), Some(record.clone()));
    assert_eq!(read(Some(&bytes), Some((Epoch(2), Round(9)))), Some(record));
    assert_eq!(read(Some(&bytes), Some((Epoch(3), Round(5)))), None);
    assert_eq!(read(Some(&bytes), Some((Epoch(4), Round(0)))), None);
    assert_eq!(read(None, None), None);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(read(Some(&damaged), None), None, "byte {at}");
        assert_eq!(read(Some(&bytes[..at]), None), None, "cut at {at}");
    }
    let other = ChainIdentity { genesis: Hash([2; 32]), ..chain() };
    assert_eq!(RecordStore::open(disk.clone(), &other, Some(&bytes), false, None).unwrap().1, None);
    disk.fails_at.set(Some(disk.writes.get()));
    assert!(store.write(&Record::default()).is_err());
    assert!(store.write(&Record::default()).is_err());
}
