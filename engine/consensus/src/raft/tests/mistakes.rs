//! What should not come, and what comes too late: none of it is taken into the log, said or signed, and what shows that
//! this node is unlike the others stops it.

use super::*;
use crate::raft::member::Member;
use crate::{Have, Status};

/// A peer says that it is at a height.
fn is_at(from: u32, height: u64) -> Input {
    let (prevotes, precommits) = (Have::default(), Have::default());
    let (height, round) = (Height(height), Round(1));
    let status = Status { height, round, proposal: false, prevotes, precommits, valid_round: None, waits: false };
    Input::Message { from: Peer(from), message: Message::Status(status) }
}

/// A peer that is further shows a block from its ledger, which is good.
fn shows_decided(bench: &mut Bench, (certificate, block): (Certificate, CompactBlock)) {
    let (height, hash) = (certificate.height, block.hash());
    bench.tell(is_at(2, height.0 + 1));
    bench.tell(Input::Timeout(Timer::Repair));
    bench.outputs.clear();
    bench.tell(Input::Message { from: Peer(2), message: Message::Decided { certificate: certificate.clone(), block } });
    bench.tell(Input::Checked { block: hash, verdict: Verdict::Good });
    assert!(bench.take().1.contains(&Output::Decide(certificate)));
}

fn nothing() -> (Vec<RaftWord>, Vec<Output>) {
    (Vec::new(), Vec::new())
}

#[test]
fn a_leader_that_hears_of_a_decided_block_does_not_sign_its_own() {
    let mut bench = leading();
    asked(&mut bench);
    let (own, other) = (made(&bench.set, &TIP, 0, 2, 1).1, made(&bench.set, &TIP, 2, 3, 9));
    let hash = other.1.hash();
    shows_decided(&mut bench, other);
    bench.tell(Input::Built(own));
    assert_eq!(bench.take(), nothing());
    bench.tell(Input::Persisted { height: Height(1) });
    assert_eq!(bench.engine.tip.hash, hash);
}

#[test]
fn a_block_that_waits_to_be_run_is_given_up_when_another_is_decided() {
    let mut bench = Bench::follower();
    let waits = bench.append(1);
    let other = made(&bench.set, &TIP, 2, 3, 9);
    shows_decided(&mut bench, other);
    bench.tell(Input::Persisted { height: Height(1) });
    bench.tell(Input::Checked { block: waits.hash(), verdict: Verdict::Good });
    assert_eq!(bench.take(), nothing());
    assert!(bench.engine.held.is_none());
    assert_eq!(bench.engine.kept(), (0, 0, 0), "no block in the log, no verdict, no request");
}

#[test]
fn a_log_that_begins_with_something_else_than_the_leaders_stops_it() {
    let base = Base { position: place(5, 9), height: Height(0) };
    let mut bench = Bench::new(3, Some(Record { term: Round(5), base, ..Record::default() }));
    bench.hear(RaftWord::Append { committed: 9, before: place(4, 9), entries: Vec::new() }, 5);
    assert_eq!(bench.take().1, [Output::Halt(Fault::OtherLog { height: Height(1) })]);
}

#[test]
fn a_block_of_another_chain_in_the_own_record_is_not_run_and_stops_it_when_it_is_decided() {
    let elsewhere = Tip { hash: Hash([8; 32]), ..TIP };
    let (certificate, block) = made(&validators(3), &elsewhere, 1, 1, 1);
    let entries = vec![Entry::Term(Round(1)), Entry::Block { certificate, block: block.clone() }];
    let mut bench = Bench::new(3, Some(Record { term: Round(1), voted_for: Some(1), entries, ..Record::default() }));
    assert_eq!(bench.engine.kept(), (1, 0, 0), "it is in the log, and nobody has run it");
    bench.hear(RaftWord::Append { committed: 2, before: place(1, 2), entries: Vec::new() }, 1);
    let fault = Fault::Diverged { height: Height(1), block: block.hash() };
    assert_eq!(bench.take().1, [Output::Halt(fault)]);
}

#[test]
fn validators_of_another_height_stop_it() {
    let mut bench = Bench::follower();
    let next = Arc::new(test_values::set(4));
    changes_validators(&mut bench, &next);
    bench.tell(Input::Validators { from: Height(3), set: next.clone() });
    bench.tell(Input::Persisted { height: Height(1) });
    let fault = Fault::WrongValidators { height: Height(2), expected: next.hash(CryptoSuite::Standard) };
    assert_eq!(bench.take().1, [Output::Halt(fault)]);
}

#[test]
fn a_record_that_outlasts_two_changes_of_validators_is_waited_for() {
    let mut bench = Bench::follower();
    let (without, with) = (Arc::new(test_values::set_from(1, 4)), Arc::new(test_values::set(3)));
    changes_validators(&mut bench, &without);
    bench.hear(RaftWord::Elect { last: place(1, 2) }, 2);
    assert_eq!(bench.record().epoch, Epoch(0));
    bench.tell(Input::Validators { from: Height(2), set: without.clone() });
    bench.tell(Input::Persisted { height: Height(1) });
    assert!(!bench.engine.votes());
    // The next block makes it a validator again, before its old record is durable.
    let (height, round, epoch, tip) = (Height(2), Round(1), Epoch(1), bench.engine.tip.hash);
    let header = Header {
        round,
        epoch,
        next_validators: with.hash(CryptoSuite::Standard),
        ..test_values::header(height, tip, &without)
    };
    let block = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    let block_hash = block.hash();
    let bytes = sign_bytes::precommit(&chain(), epoch, height, round, &block_hash);
    let signatures = vec![(0, key(1).sign(&bytes).unwrap())];
    shows_decided(&mut bench, (Certificate { height, round, epoch, block_hash, signatures }, block));
    bench.tell(Input::Validators { from: Height(3), set: with });
    bench.tell(Input::Persisted { height });
    assert!(bench.engine.votes());
    assert_eq!(bench.take(), nothing(), "nothing of the new epoch before the old record is durable");
    bench.tell(Input::Recorded);
    assert_eq!(bench.record().epoch, Epoch(2));
}

#[test]
fn transactions_are_asked_for_once_and_only_those_that_are_missing_last() {
    let mut bench = Bench::follower();
    let block = bench.append(1).hash();
    let requested = |bench: &mut Bench| {
        let request = |output| match output {
            Output::Send(_, Message::Request(Request::Transactions { missing, .. })) => Some(missing),
            _ => None,
        };
        bench.outputs.drain(..).filter_map(request).collect::<Vec<_>>()
    };
    requested(&mut bench);
    for (missing, asks) in [(vec![1, 2], 1), (vec![1, 2], 0), (vec![2], 1)] {
        bench.tell(Input::Missing { block, transactions: missing.clone() });
        assert_eq!(requested(&mut bench), vec![missing; asks]);
    }
    bench.tell(Input::Timeout(Timer::Fetch));
    assert_eq!(requested(&mut bench), [vec![2]], "time asks another, for what is missing still");
    let transactions = vec![(2, vec![7])];
    let shown = |block| Message::Transactions { block, transactions: transactions.clone() };
    bench.tell(Input::Message { from: Peer(2), message: shown(Hash([9; 32])) });
    assert_eq!(bench.take(), nothing());
    bench.tell(Input::Message { from: Peer(2), message: shown(block) });
    assert_eq!(bench.take().1, [Output::Supply { block, transactions }]);
    bench.tell(Input::Checked { block, verdict: Verdict::Good });
    bench.outputs.clear();
    bench.tell(Input::Timeout(Timer::Fetch));
    assert_eq!(bench.take(), nothing());
}

#[test]
fn the_block_of_a_second_leader_of_one_term_is_not_taken() {
    let mut bench = leading();
    let (certificate, block) = made(&bench.set, &TIP, 1, 2, 5);
    let entries = vec![Entry::Block { certificate, block }];
    bench.hear(RaftWord::Append { committed: 2, before: place(2, 2), entries }, 2);
    assert_eq!(bench.take(), nothing());
    assert_eq!((bench.engine.leader(), bench.engine.kept()), (Some(0), (0, 0, 0)));
    assert!(bench.engine.held.is_none());
}

#[test]
fn who_does_not_lead_puts_nothing_into_the_log() {
    let (certificate, block) = made(&validators(3), &TIP, 0, 1, 1);
    let mut member = Member::beginning(0, 3, Epoch(0), Height(0));
    member.propose(certificate, block);
    assert_eq!((member.kept(), member.last()), (0, place(0, 0)));
}

#[test]
fn nobody_skips_to_a_term_that_it_has_not_heard_of() {
    let mut bench = Bench::follower();
    let base = |bench: &Bench| bench.engine.member.as_ref().unwrap().base();
    let before = base(&bench);
    bench.hear(RaftWord::Skip(Base { position: place(5, 9), height: Height(0) }), 5);
    assert_eq!((bench.take(), base(&bench)), (nothing(), before));
}

#[test]
fn words_of_other_engines_late_verdicts_and_foreign_timers_change_nothing() {
    let mut bench = Bench::follower();
    let block = bench.block(1, 1).1;
    let request = Message::Request(Request::Block(block.hash()));
    for message in [Message::Block(block.clone()), request] {
        bench.tell(Input::Message { from: LEADER, message });
    }
    bench.tell(Input::Checked { block: block.hash(), verdict: Verdict::Bad });
    bench.tell(Input::Timeout(Timer::Step { height: Height(1), round: Round(0), step: crate::Step::Propose }));
    assert_eq!((bench.take(), bench.engine.kept()), (nothing(), (0, 0, 0)));
    // What was asked for and is withdrawn is asked for again.
    let mut bench = leading();
    let slot = asked(&mut bench);
    bench.tell(Input::Withdrawn);
    assert_eq!(asked(&mut bench), slot);
}
