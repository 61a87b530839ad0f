//! What can't be: what a driver tells without having been asked stops an engine, and says what is wrong; what other nodes
//! say that makes no sense changes nothing. Blocks and evidence whose parts don't fit are none.
#![allow(clippy::unwrap_used)]

mod bench;

use bench::*;
use hanse_consensus::*;
use hanse_types::crypto::CryptoSuite;
use hanse_types::*;

/// Tells an engine something that it did not ask for, and why it stopped. After that it does nothing any more.
fn stopped_by(mut bench: Bench, input: Input) -> Fault {
    bench.outputs.clear();
    bench.tell(input);
    let Some(Output::Halt(fault)) = bench.outputs.pop() else { panic!("it goes on: {:?}", bench.outputs) };
    bench.said();
    bench.sent.clear();
    bench.outputs.clear();
    bench.hear(1, proposal(0, &block(0, 1), None));
    bench.time_out(0, Step::Propose);
    assert!(bench.said().is_empty() && bench.sent.is_empty() && bench.outputs.is_empty());
    fault
}

fn is_unexpected(fault: &Fault, named: &str) -> bool {
    matches!(fault, Fault::Unexpected { what, .. } if *what == named)
}

/// Somebody whose block is decided and being written.
fn committing(next: ValidatorSet) -> Bench {
    let mut bench = Bench::new();
    let header = Header { next_validators: next.hash(CryptoSuite::Standard), ..block(0, 1).header().clone() };
    let b = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    bench.precommits(&[1, 2], 0, Some(b.hash()));
    assert!(bench.decided().is_some());
    bench
}

fn all() -> ValidatorSet {
    (*set(&[0, 1, 2, 3])).clone()
}

#[test]
fn a_block_that_was_not_asked_for_stops_it() {
    let fault = stopped_by(Bench::new(), Input::Built(block(0, 1)));
    assert!(is_unexpected(&fault, "an executed block"), "{fault}");
    // The proposer of round 0 gets one that is of another round.
    let mut proposing = Bench::of(Some(1), Memory::default(), true);
    proposing.tell(Input::BatchReady);
    let is_asked = |output: &Output| matches!(output, Output::Propose(slot) if slot.proposer == 1);
    assert!(proposing.outputs.iter().any(is_asked));
    let fault = stopped_by(proposing, Input::Built(block(1, 1)));
    assert_eq!(fault, Fault::WrongBlock { found: H, expected: H });
}

#[test]
fn a_vote_that_it_did_not_want_stops_it_unless_its_height_is_over() {
    let mut bench = Bench::new();
    let nil = |height| Statement::vote(VoteKind::Prevote, Epoch(0), height, Round(3), None);
    let signed = bench.signer.sign(&Intent::bare(nil(H)), &chain(), &key(ME)).unwrap();
    let fault = stopped_by(bench, Input::Signed(signed));
    assert!(is_unexpected(&fault, "a signed vote"), "{fault}");
    let mut bench = Bench::new();
    let signed = bench.signer.sign(&Intent::bare(nil(Height(9))), &chain(), &key(ME)).unwrap();
    bench.outputs.clear();
    bench.tell(Input::Signed(signed));
    assert!(bench.outputs.is_empty() && bench.sent.is_empty());
}

#[test]
fn a_block_that_becomes_durable_without_a_decision_stops_it() {
    let fault = stopped_by(Bench::new(), Input::Persisted { height: H });
    assert!(is_unexpected(&fault, "a durable block"), "{fault}");
    let fault = stopped_by(committing(all()), Input::Persisted { height: H.next() });
    assert!(is_unexpected(&fault, "a durable block"), "{fault}");
    let fault = stopped_by(Bench::new(), Input::Recorded);
    assert!(is_unexpected(&fault, "a durable record"), "{fault}");
    let fault = stopped_by(Bench::new(), Input::Executed(Box::new(block(0, 1).header().clone())));
    assert!(is_unexpected(&fault, "a block without its body"), "{fault}");
}

#[test]
fn validators_that_did_not_come_or_are_others_stop_it() {
    let next = set(&[0, 1, 2]);
    let expected = Fault::WrongValidators { height: H.next(), expected: next.hash(CryptoSuite::Standard) };
    let persisted = || Input::Persisted { height: H };
    assert_eq!(stopped_by(committing((*next).clone()), persisted()), expected);
    for (from, set) in [(H.next().next(), next.clone()), (H.next(), set(&[1, 2, 3]))] {
        let mut bench = committing((*next).clone());
        bench.tell(Input::Validators { from, set });
        assert_eq!(stopped_by(bench, persisted()), expected);
    }
}

#[test]
fn a_decided_block_that_can_not_be_shows_that_this_node_is_unlike_the_others() {
    let mut bench = Bench::new();
    let header = Header { parent: Hash([99; 32]), ..block(0, 1).header().clone() };
    let b = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    let certificate = certificate(&[1, 2, 3], 0, b.hash());
    bench.outputs.clear();
    bench.hear(1, Message::Decided { certificate, block: b.clone() });
    let fault = Output::Halt(Fault::Diverged { height: H, block: b.hash() });
    assert_eq!(bench.outputs.last(), Some(&fault));
}

#[test]
fn votes_that_come_as_proposals_and_proposals_that_come_as_votes_are_nothing() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.outputs.clear();
    let signed = vote(1, VoteKind::Prevote, 0, Some(b.hash()));
    bench.hear(1, Message::Proposal(Proposal { signed, block: b.clone(), polka: None }));
    let word = Word::Propose { block: b.hash(), valid_round: None };
    let proposed = sign(1, Statement { epoch: Epoch(0), height: H, round: Round(0), word });
    bench.hear(1, Message::Vote(proposed));
    assert!(bench.said().is_empty() && bench.sent.is_empty() && bench.outputs.is_empty());
    // What waits to be withdrawn or fetched is nothing either.
    bench.tell(Input::Withdrawn);
    bench.tell(Input::Missing { block: b.hash(), transactions: vec![0] });
    assert!(bench.sent.is_empty() && bench.outputs.is_empty());
    bench.hear(1, proposal(0, &b, None));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash()))]);
}

#[test]
fn evidence_is_two_different_words_of_one_validator_for_one_position() {
    let (one, other) = (vote(3, VoteKind::Prevote, 0, None), vote(3, VoteKind::Prevote, 0, Some(Hash([8; 32]))));
    let forged = |signed: SignedStatement| SignedStatement { signature: one.signature, ..signed };
    let unsigned = SignedStatement { signature: other.signature, ..one };
    let later = Statement { round: Round(1), ..other.statement };
    let next_epoch = Statement { epoch: Epoch(1), ..other.statement };
    let stranger = SignedStatement { validator: 9, ..other };
    let is_good = |first, second| Evidence { first, second }.is_good(&chain(), &all(), &Standard);
    assert!(is_good(one, other));
    assert!(!is_good(one, one));
    assert!(!is_good(one, vote(2, VoteKind::Prevote, 0, Some(Hash([8; 32])))));
    assert!(!is_good(one, sign(3, later)) && !is_good(one, sign(3, next_epoch)));
    assert!(!is_good(unsigned, other) && !is_good(one, forged(other)));
    assert!(!is_good(SignedStatement { validator: 9, ..one }, stranger));
    // A node that is told so by others looks for itself.
    let mut bench = Bench::new();
    bench.hear(1, Message::Evidence(Evidence { first: one, second: forged(other) }));
    assert!(!bench.outputs.iter().any(|output| matches!(output, Output::Evidence(_))));
    bench.hear(1, Message::Evidence(Evidence { first: one, second: other }));
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::Evidence(_))));
}

#[test]
fn what_was_said_in_rounds_long_over_is_not_said_again() {
    let mut bench = Bench::new();
    bench.tell(Input::BatchReady);
    for round in 0..3 {
        // There is something to decide, and nobody proposes.
        bench.prevotes(&[2], round, None);
        bench.time_out(round, Step::Propose);
        assert_eq!(bench.said(), [Word::Prevote(None)], "round {round}");
        if round < 2 {
            bench.precommits(&[1, 2, 3], round, None);
            assert_eq!(bench.round(), round + 1);
            bench.said();
        }
    }
    let mut bench = bench.restarted();
    let said = bench.said();
    assert_eq!((said.len(), bench.round()), (2, 2), "{said:?}");
}

#[test]
fn a_block_has_the_parts_that_its_header_says() {
    let header = block(0, 1).header().clone();
    let leaf = Hash([3; 32]);
    let one = Dag::from_rows(&[Vec::<u32>::new()]).unwrap();
    let new = |header: Header, dag: Dag, leaves: &[Hash]| CompactBlock::new(header, dag, leaves.to_vec());
    assert!(new(header.clone(), Dag::empty(), &[]).is_ok());
    let stated = Header {
        tx_count: 1,
        tx_root: merkle::root(CryptoSuite::Standard, &[leaf]),
        dag_digest: one.digest(CryptoSuite::Standard),
        ..header.clone()
    };
    assert!(new(stated.clone(), one.clone(), &[leaf]).is_ok());
    let count = |result| matches!(result, Err(CompactBlockError::Count { .. }));
    assert!(count(new(stated.clone(), one.clone(), &[])) && count(new(stated.clone(), Dag::empty(), &[leaf])));
    let other = Header { dag_digest: Hash([1; 32]), ..stated.clone() };
    assert!(new(other, one.clone(), &[leaf]).unwrap_err().to_string().contains("DAG"));
    let other = new(stated, one, &[Hash([4; 32])]);
    assert!(matches!(other, Err(CompactBlockError::TxRoot { .. })), "{other:?}");
}

#[test]
fn who_may_not_sign_any_more_does_not_say_its_old_words_again() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash())), Word::Precommit(Some(b.hash()))]);
    let mut observer = Bench::of(None, bench.files, false);
    assert_eq!((observer.said(), observer.engine.votes()), (vec![], false));
    assert_eq!(observer.engine.lock(), Some((Round(0), b.hash())));
    assert_eq!(observer.engine.position(), (H, Round(0), Step::Precommit));
}

#[test]
fn a_block_that_is_withdrawn_after_its_time_leaves_the_round_as_it_is() {
    let mut bench = Bench::of(Some(1), Memory::default(), true);
    bench.tell(Input::BatchReady);
    bench.time_out(0, Step::Propose);
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    bench.tell(Input::Withdrawn);
    bench.prevotes(&[2, 3], 0, None);
    assert_eq!(bench.said(), [Word::Precommit(None)]);
    assert_eq!(bench.engine.position(), (H, Round(0), Step::Precommit));
}

#[test]
fn a_proposal_that_is_signed_rounds_too_late_is_shown_and_not_kept() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    bench.precommits(&[1, 2, 3], 0, None);
    bench.precommits(&[1, 2, 3], 1, None);
    bench.precommits(&[1, 2], 2, None);
    // Round 3 is this validator's turn, and its key is slow.
    let mut out = Vec::new();
    let message = Message::Vote(vote(3, VoteKind::Precommit, 2, None));
    bench.engine.step(Input::Message { from: Peer(3), message }, bench.now, &mut out);
    let asked = out.into_iter().find_map(|output| match output {
        Output::Sign(intent) => Some(intent),
        _ => None,
    });
    let intent = asked.unwrap();
    assert_eq!(intent.statement.word, Word::Propose { block: b.hash(), valid_round: Some(Round(0)) });
    bench.prevotes(&[2, 3], 6, None);
    assert_eq!(bench.round(), 6);
    bench.sent.clear();
    let rounds = bench.engine.kept().0;
    let signed = bench.signer.sign(&intent, &chain(), &key(ME)).unwrap();
    bench.tell(Input::Signed(signed));
    assert!(matches!(&bench.sent[..], [(Recipient::All, Message::Proposal(shown))] if shown.block == b));
    assert_eq!(bench.engine.kept().0, rounds);
}

#[test]
fn words_of_groups_that_agree_otherwise_are_nothing() {
    let mut bench = Bench::new();
    bench.outputs.clear();
    let word = raft::RaftWord::Elected { granted: true };
    bench.hear(1, Message::Raft(RaftMessage { epoch: Epoch(0), from: 1, to: None, term: Round(1), word }));
    assert!(bench.said().is_empty() && bench.sent.is_empty() && bench.outputs.is_empty());
}
