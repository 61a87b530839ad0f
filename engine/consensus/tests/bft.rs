//! The rules of the engine, one by one: a single engine, the test plays everybody else.
#![allow(clippy::unwrap_used)]

mod bench;

use bench::*;
use hanse_consensus::{Status, *};
use hanse_types::crypto::CryptoSuite;
use hanse_types::*;

/// Round 0 with a polka for a block, which locks it.
fn locked() -> (Bench, CompactBlock) {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash())), Word::Precommit(Some(b.hash()))]);
    assert_eq!(bench.engine.lock(), Some((Round(0), b.hash())));
    (bench, b)
}

/// Goes to a round by precommits for nothing.
fn next_round(bench: &mut Bench, round: u32) {
    bench.tell(Input::BatchReady);
    bench.precommits(&[1, 2, 3], round - 1, None);
    assert_eq!(bench.round(), round);
    bench.said();
}

#[test]
fn a_good_block_is_prevoted_precommitted_and_decided() {
    let (mut bench, b) = locked();
    bench.precommits(&[1, 2], 0, Some(b.hash()));
    let certificate = bench.decided().unwrap().clone();
    certificate.verify(&chain(), &set(&[0, 1, 2, 3]), b.header()).unwrap();
    bench.tell(Input::Persisted { height: H });
    assert_eq!(bench.engine.position(), (Height(2), Round(0), Step::Propose));
}

#[test]
fn whose_turn_comes_next_foresees_it_with_its_prevote() {
    let foreseen = |me: u32, b: &CompactBlock| {
        let mut bench = Bench::of(Some(me), Memory::default(), true);
        bench.hear(1, proposal(0, b, None));
        assert_eq!(bench.said().len(), 1);
        bench.outputs.into_iter().filter_map(|output| match output {
            Output::Foresee(slot) => Some(slot),
            _ => None,
        })
    };
    let b = block(0, 1);
    let validators = set(&[0, 1, 2, 3]).hash(CryptoSuite::Standard);
    let (height, round, epoch) = (Height(2), Round(0), Epoch(0));
    let slot = Slot { height, parent: b.hash(), epoch, round, proposer: 2, validators };
    assert_eq!(foreseen(2, &b).collect::<Vec<_>>(), [slot]);
    assert_eq!(foreseen(0, &b).count() + foreseen(3, &b).count(), 0);
    // Who decides after a block that changes the set is known when it is durable.
    let header = Header { next_validators: set(&[0, 1, 2]).hash(CryptoSuite::Standard), ..b.header().clone() };
    let changing = CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap();
    assert_eq!(foreseen(2, &changing).count(), 0);
}

#[test]
fn nothing_is_prevoted_before_the_block_was_run_and_none_if_it_is_bad() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.verdict = None;
    bench.hear(1, proposal(0, &b, None));
    assert_eq!(bench.said(), []);
    assert!(bench.outputs.contains(&Output::Check(b.clone())));
    bench.tell(Input::Checked { block: b.hash(), verdict: Verdict::Bad });
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    // Whatever others think of it.
    bench.prevotes(&[1, 2, 3], 0, Some(b.hash()));
    assert_eq!((bench.said(), bench.engine.lock()), (vec![], None));
}

#[test]
fn proposals_that_break_a_rule_of_consensus_get_a_prevote_for_none() {
    let good = block(0, 1);
    let changes: [fn(&mut Header); 10] = [
        |header| {
            header.crypto = CryptoSuite::Guomi;
            header.dag_digest = Dag::empty().digest(CryptoSuite::Guomi);
        },
        |header| header.parent = Hash([8; 32]),
        |header| header.timestamp = TIP.timestamp,
        |header| header.timestamp = Timestamp(10_000 + 15_001),
        |header| header.validators = Hash([8; 32]),
        |header| header.epoch = Epoch(1),
        |header| header.proposer = 2,
        |header| header.round = Round(1),
        |header| header.height = Height(2),
        |header| header.group_id = "other".into(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut header = good.header().clone();
        change(&mut header);
        let bad = CompactBlock::new(header, good.dag().clone(), Vec::new()).unwrap();
        let mut bench = Bench::new();
        bench.hear(1, proposal(0, &bad, None));
        assert_eq!(bench.said(), [Word::Prevote(None)], "change {at}");
    }
}

#[test]
fn a_locked_validator_prevotes_nothing_else() {
    let (mut bench, b) = locked();
    next_round(&mut bench, 1);
    bench.hear(2, proposal(1, &block(1, 2), None));
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    next_round(&mut bench, 2);
    bench.hear(3, proposal(2, &b, Some(quorum(&[0, 1, 2], VoteKind::Prevote, 0, Some(b.hash())))));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash()))]);
}

#[test]
fn a_later_polka_frees_from_the_lock_and_locks_anew() {
    let (mut bench, _) = locked();
    let c = block(1, 2);
    next_round(&mut bench, 1);
    bench.hear(2, proposal(1, &c, None));
    next_round(&mut bench, 2);
    bench.hear(3, proposal(2, &c, Some(quorum(&[1, 2, 3], VoteKind::Prevote, 1, Some(c.hash())))));
    assert_eq!(bench.said(), [Word::Prevote(Some(c.hash()))]);
    bench.prevotes(&[1, 2], 2, Some(c.hash()));
    assert_eq!(bench.said(), [Word::Precommit(Some(c.hash()))]);
    assert_eq!(bench.engine.lock(), Some((Round(2), c.hash())));
}

#[test]
fn an_earlier_polka_does_not_free_from_the_lock() {
    let (mut bench, a) = (Bench::new(), block(0, 1));
    let c = block(1, 2);
    bench.hear(1, proposal(0, &a, None));
    next_round(&mut bench, 1);
    bench.hear(2, proposal(1, &c, None));
    bench.prevotes(&[1, 2], 1, Some(c.hash()));
    assert_eq!(bench.engine.lock(), Some((Round(1), c.hash())));
    next_round(&mut bench, 2);
    bench.hear(3, proposal(2, &a, Some(quorum(&[1, 2, 3], VoteKind::Prevote, 0, Some(a.hash())))));
    assert_eq!(bench.said(), [Word::Prevote(None)]);
}

#[test]
fn a_polka_that_comes_too_late_to_lock_is_proposed_again() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(1, proposal(0, &b, None));
    bench.time_out(0, Step::Prevote);
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash())), Word::Precommit(None)]);
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    assert_eq!((bench.said(), bench.engine.lock()), (vec![], None));
    // Round 3 is this validator's turn.
    for round in 1..=3 {
        bench.precommits(&[1, 2, 3], round - 1, None);
    }
    let again = Word::Propose { block: b.hash(), valid_round: Some(Round(0)) };
    assert_eq!(bench.said()[0], again);
    let shown = bench.sent.iter().find_map(|(_, message)| match message {
        Message::Proposal(proposal) => Some(proposal.clone()),
        _ => None,
    });
    assert!(shown.unwrap().polka.unwrap().is_good(&chain(), &set(&[0, 1, 2, 3]), &Standard));
}

#[test]
fn a_polka_that_is_none_is_not_believed() {
    let b = block(0, 1);
    let good = quorum(&[1, 2, 3], VoteKind::Prevote, 0, Some(b.hash()));
    let mut stolen = good.clone();
    stolen.signatures[0].1 = stolen.signatures[1].1;
    let mut twice = good.clone();
    twice.signatures[1] = twice.signatures[0];
    let bad = [
        Quorum { signatures: good.signatures[..2].to_vec(), ..good.clone() },
        stolen,
        twice,
        Quorum { kind: VoteKind::Precommit, ..good.clone() },
        quorum(&[1, 2, 3], VoteKind::Precommit, 0, Some(b.hash())),
        quorum(&[1, 2, 3], VoteKind::Prevote, 0, None),
    ];
    for polka in bad {
        let mut bench = Bench::new();
        next_round(&mut bench, 1);
        bench.hear(2, proposal(1, &b, Some(polka.clone())));
        assert_eq!(bench.said(), [], "{polka:?}");
    }
    let mut bench = Bench::new();
    next_round(&mut bench, 1);
    bench.hear(2, proposal(1, &b, Some(good)));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash()))]);
}

#[test]
fn time_outs_lead_through_a_round_without_a_block() {
    let mut bench = Bench::new();
    bench.tell(Input::BatchReady);
    bench.time_out(0, Step::Propose);
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    bench.prevotes(&[1], 0, Some(Hash([9; 32])));
    bench.prevotes(&[2], 0, None);
    let timer = Timer::Step { height: H, round: Round(0), step: Step::Prevote };
    assert!(bench.outputs.contains(&Output::SetTimer { timer, after_ms: 500 }));
    bench.time_out(0, Step::Prevote);
    assert_eq!(bench.said(), [Word::Precommit(None)]);
    bench.precommits(&[1], 0, Some(Hash([9; 32])));
    bench.precommits(&[2], 0, None);
    bench.time_out(0, Step::Precommit);
    assert_eq!(bench.round(), 1);
    // What belongs to the round before does nothing.
    bench.time_out(0, Step::Precommit);
    bench.time_out(0, Step::Propose);
    assert_eq!((bench.round(), bench.said()), (1, vec![]));
}

#[test]
fn who_has_nothing_to_propose_votes_where_others_are_waiting() {
    let me = proposer(0);
    let others: Vec<u32> = (0..4).filter(|other| *other != me).collect();
    let asked = |bench: &Bench| bench.outputs.iter().filter(|output| matches!(output, Output::Propose(_))).count();

    // Nobody else has begun: it waits until there is something to decide.
    let mut bench = Bench::of(Some(me), Memory::default(), true);
    bench.tell(Input::BatchReady);
    bench.tell(Input::Withdrawn);
    bench.time_out(0, Step::Propose);
    assert_eq!((asked(&bench), bench.said()), (1, vec![]));

    // Two of four have something, and have given up on its proposal; the fourth is away.
    let mut bench = Bench::of(Some(me), Memory::default(), true);
    bench.prevotes(&others[..2], 0, None);
    assert_eq!(asked(&bench), 1);
    bench.tell(Input::Withdrawn);
    bench.time_out(0, Step::Propose);
    assert_eq!(bench.said(), [Word::Prevote(None)]);
}

/// A round in which nobody has proposed anything, up to its end.
fn in_vain(bench: &mut Bench, round: u32) {
    bench.prevotes(&[1, 2], round, None);
    bench.time_out(round, Step::Propose);
    bench.precommits(&[1, 2], round, None);
}

#[test]
fn after_a_round_in_vain_the_next_waits_until_somebody_has_something_to_decide() {
    let mut bench = Bench::new();
    in_vain(&mut bench, 0);
    assert_eq!((bench.round(), bench.said()), (0, vec![Word::Prevote(None), Word::Precommit(None)]));
    bench.hear(1, Message::Status(nothing_of(H)));
    assert_eq!(bench.round(), 0, "it has nothing either");
    bench.hear(1, Message::Status(Status { height: Height(H.0 + 1), waits: true, ..nothing_of(H) }));
    assert_eq!(bench.round(), 0, "that is another height");
    bench.hear(1, Message::Status(Status { waits: true, ..nothing_of(H) }));
    assert_eq!(bench.round(), 1);

    // Its own transactions are a reason too, and no more when they have come to nothing.
    bench.hear(1, Message::Status(nothing_of(H)));
    bench.tell(Input::BatchReady);
    in_vain(&mut bench, 1);
    assert_eq!(bench.round(), 2);
    bench.tell(Input::Withdrawn);
    in_vain(&mut bench, 2);
    assert_eq!(bench.round(), 2);
    bench.tell(Input::BatchReady);
    assert_eq!(bench.round(), 3);
}

#[test]
fn who_may_not_propose_keeps_nobody_from_resting() {
    let waits = |me| {
        let mut bench = Bench::of(me, Memory::default(), true);
        bench.tell(Input::BatchReady);
        bench.sent.clear();
        bench.tell(Input::Timeout(Timer::Repair));
        bench.sent.iter().any(|(_, message)| matches!(message, Message::Status(Status { waits: true, .. })))
    };
    assert!(waits(Some(ME)));
    assert!(!waits(None));
}

#[test]
fn a_round_that_ends_by_time_is_followed_by_none_where_nobody_has_anything() {
    let mut bench = Bench::new();
    bench.prevotes(&[1, 2], 0, None);
    bench.time_out(0, Step::Propose);
    bench.precommits(&[1], 0, Some(Hash([7; 32])));
    bench.precommits(&[2], 0, None);
    bench.time_out(0, Step::Precommit);
    assert_eq!(bench.round(), 0);
    bench.tell(Input::BatchReady);
    assert_eq!(bench.round(), 1);
}

#[test]
fn a_quorum_of_prevotes_for_none_is_answered_at_once() {
    let mut bench = Bench::new();
    bench.tell(Input::BatchReady);
    bench.time_out(0, Step::Propose);
    bench.prevotes(&[2, 3], 0, None);
    assert_eq!(bench.said(), [Word::Prevote(None), Word::Precommit(None)]);
}

#[test]
fn one_validator_moves_nobody_to_a_later_round_but_two_of_four_do() {
    let mut bench = Bench::new();
    bench.prevotes(&[1], u32::MAX, None);
    bench.precommits(&[1], 900, None);
    assert_eq!(bench.round(), 0);
    bench.prevotes(&[2], 7, None);
    assert_eq!(bench.round(), 7, "the latest round that an honest one of them has reached");
    bench.prevotes(&[3], 8, None);
    assert_eq!(bench.round(), 8);
}

#[test]
fn precommits_of_an_earlier_round_decide() {
    let (mut bench, b) = locked();
    for round in 1..=6 {
        bench.prevotes(&[2, 3], round, None);
    }
    assert_eq!(bench.round(), 6);
    bench.precommits(&[1, 3], 0, Some(b.hash()));
    assert_eq!(bench.decided().unwrap().round, Round(0));
}

#[test]
fn a_certificate_decides_and_a_block_that_is_missing_is_fetched() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(2, Message::Quorum(quorum(&[1, 2, 3], VoteKind::Precommit, 0, Some(b.hash()))));
    let request = Message::Request(Request::Block(b.hash()));
    assert!(bench.sent.iter().any(|(_, message)| *message == request));
    assert!(bench.decided().is_none());
    bench.hear(3, Message::Block(block(0, 9)));
    bench.hear(3, Message::Block(b));
    assert!(bench.decided().is_some());
}

#[test]
fn what_was_asked_for_is_asked_of_one_peer_after_another() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(2, Message::Quorum(quorum(&[1, 2, 3], VoteKind::Precommit, 0, Some(b.hash()))));
    bench.tell(Input::Timeout(Timer::Fetch));
    bench.tell(Input::Timeout(Timer::Fetch));
    let asked = bench.sent.iter().filter_map(|(to, message)| match (to, message) {
        (Recipient::One(peer), Message::Request(Request::Block(_))) => Some(*peer),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), PEERS);
}

#[test]
fn missing_transactions_are_asked_of_whoever_sent_the_block() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.verdict = None;
    bench.hear(1, proposal(0, &b, None));
    bench.tell(Input::Missing { block: b.hash(), transactions: vec![3, 5] });
    let request = Request::Transactions { block: b.hash(), missing: vec![3, 5] };
    assert_eq!(bench.sent.last(), Some(&(Recipient::One(Peer(1)), Message::Request(request))));
    let transactions = vec![(3, vec![1]), (5, vec![2])];
    bench.hear(1, Message::Transactions { block: Hash([9; 32]), transactions: transactions.clone() });
    bench.hear(2, Message::Transactions { block: b.hash(), transactions: transactions.clone() });
    let supplied: Vec<_> = bench.outputs.iter().filter(|output| matches!(output, Output::Supply { .. })).collect();
    assert_eq!(supplied, [&Output::Supply { block: b.hash(), transactions }]);
}

#[test]
fn a_block_that_the_others_decide_and_that_is_bad_here_stops_the_group() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.verdict = Some(Verdict::Bad);
    bench.hear(1, Message::Decided { certificate: certificate(&[1, 2, 3], 0, b.hash()), block: b.clone() });
    assert!(bench.outputs.contains(&Output::Halt(Fault::Diverged { height: H, block: b.hash() })));
    bench.verdict = Some(Verdict::Good);
    bench.hear(1, proposal(0, &b, None));
    assert_eq!((bench.said(), bench.decided()), (vec![], None));
}

#[test]
fn who_votes_twice_is_reported_once_and_hides_no_quorum() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    bench.hear(1, proposal(0, &b, None));
    bench.said();
    for name in 5..9 {
        bench.prevotes(&[3], 0, Some(Hash([name; 32])));
    }
    let reports = bench.outputs.iter().filter_map(|output| match output {
        Output::Evidence(evidence) => Some(*evidence),
        _ => None,
    });
    let reports: Vec<Evidence> = reports.collect();
    assert_eq!((reports.len(), reports[0].validator()), (1, 3));
    assert!(reports[0].is_good(&chain(), &set(&[0, 1, 2, 3]), &Standard));
    // Its vote for the block is the one that others need.
    bench.prevotes(&[1], 0, Some(b.hash()));
    bench.prevotes(&[3], 0, Some(b.hash()));
    assert_eq!(bench.said(), []);
    bench.hear(1, Message::Quorum(quorum(&[0, 1, 3], VoteKind::Prevote, 0, Some(b.hash()))));
    assert_eq!(bench.said(), [Word::Precommit(Some(b.hash()))]);
}

#[test]
fn of_two_proposals_the_first_is_voted_for_and_both_are_evidence() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    let c = block(0, 2);
    bench.hear(1, proposal(0, &b, None));
    bench.hear(2, proposal(0, &c, None));
    assert_eq!(bench.said(), [Word::Prevote(Some(b.hash()))]);
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::Evidence(_))));
    // If the others take the second, it is here.
    bench.prevotes(&[1, 2, 3], 0, Some(c.hash()));
    assert_eq!(bench.said(), [Word::Precommit(Some(c.hash()))]);
}

#[test]
fn what_is_not_signed_by_whose_turn_it_is_is_not_heard() {
    let b = block(0, 1);
    let statement = Statement {
        epoch: Epoch(0),
        height: H,
        round: Round(0),
        word: Word::Propose { block: b.hash(), valid_round: None },
    };
    let with = |signed| Message::Proposal(Proposal { signed, block: b.clone(), polka: None });
    let mut forged = sign(2, statement);
    forged.validator = 1;
    let other_epoch = sign(1, Statement { epoch: Epoch(1), ..statement });
    let mut other_kind = vote(1, VoteKind::Prevote, 0, None);
    other_kind.statement.word = Word::Precommit(None);
    let unknown = SignedStatement { validator: 4, ..vote(1, VoteKind::Prevote, 0, None) };
    for message in [
        with(sign(2, statement)),
        with(forged),
        with(other_epoch),
        Message::Proposal(Proposal { signed: sign(1, statement), block: block(0, 2), polka: None }),
        Message::Vote(other_kind),
        Message::Vote(unknown),
    ] {
        let mut bench = Bench::new();
        bench.hear(1, message.clone());
        assert_eq!((bench.said(), bench.engine.kept().1), (vec![], 0), "{message:?}");
        assert!(!bench.outputs.iter().any(|output| matches!(output, Output::Check(_))));
    }
}

#[test]
fn a_block_made_here_is_shown_after_it_was_signed_and_runs_once() {
    let mut bench = Bench::new();
    bench.tell(Input::BatchReady);
    for round in 1..=3 {
        bench.precommits(&[1, 2, 3], round - 1, None);
    }
    bench.said();
    let Some(Output::Propose(slot)) = bench.outputs.iter().find(|output| matches!(output, Output::Propose(_))) else {
        panic!("nothing asked for");
    };
    assert_eq!((slot.round, slot.proposer, slot.parent), (Round(3), ME, TIP.hash));
    let b = block(3, 1);
    bench.tell(Input::Built(b.clone()));
    let word = Word::Propose { block: b.hash(), valid_round: None };
    assert_eq!(bench.said(), [word, Word::Prevote(Some(b.hash()))]);
    assert!(matches!(&bench.sent[..], [.., (Recipient::All, Message::Proposal(shown))] if shown.block == b));
    assert!(!bench.outputs.contains(&Output::Check(b)));
}

#[test]
fn an_observer_follows_and_says_nothing() {
    let (mut bench, b) = (Bench::of(None, Memory::default(), true), block(0, 1));
    bench.tell(Input::BatchReady);
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2, 3], 0, Some(b.hash()));
    bench.precommits(&[1, 2, 3], 0, Some(b.hash()));
    assert!(bench.decided().is_some());
    assert_eq!(bench.said(), []);
}

#[test]
fn without_its_records_a_validator_observes_for_two_heights() {
    let (bench, b) = locked();
    let files = bench.files;
    files.0.borrow_mut().guard.clear();
    let mut bench = Bench::of(Some(ME), files, false);
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2, 3], 0, Some(b.hash()));
    bench.precommits(&[1, 2, 3], 0, Some(b.hash()));
    assert!(bench.decided().is_some());
    bench.tell(Input::Persisted { height: H });
    assert_eq!((bench.said(), bench.engine.votes()), (vec![], true), "it may vote at height 2, above tip + 1");
}

#[test]
fn a_restart_keeps_round_step_and_lock() {
    let (mut bench, b) = locked();
    next_round(&mut bench, 1);
    bench.hear(2, proposal(1, &block(1, 2), None));
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    let mut bench = bench.restarted();
    assert_eq!(bench.engine.position(), (H, Round(1), Step::Prevote));
    assert_eq!(bench.engine.lock(), Some((Round(0), b.hash())));
    let again = [Word::Prevote(Some(b.hash())), Word::Precommit(Some(b.hash())), Word::Prevote(None)];
    assert_eq!(bench.said(), again, "once more, as it may have reached nobody");
    next_round(&mut bench, 2);
    bench.hear(3, proposal(2, &block(2, 3), None));
    assert_eq!(bench.said(), [Word::Prevote(None)]);
    bench.precommits(&[1, 2, 3], 2, None);
    assert!(bench.said().contains(&Word::Propose { block: b.hash(), valid_round: Some(Round(0)) }));
}

#[test]
fn own_words_that_it_does_not_remember_silence_a_validator() {
    let mut bench = Bench::new();
    bench.hear(2, Message::Vote(vote(ME, VoteKind::Prevote, 0, Some(Hash([9; 32])))));
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::KeyUsedElsewhere(_))));
    bench.hear(1, proposal(0, &block(0, 1), None));
    assert_eq!((bench.said(), bench.engine.votes()), (vec![], false));
    let (mut bench, b) = locked();
    bench.hear(2, Message::Vote(vote(ME, VoteKind::Prevote, 0, Some(b.hash()))));
    assert!(bench.engine.votes());
}

#[test]
fn a_peer_that_is_behind_is_told_so_and_served_what_was_decided() {
    let (mut bench, b) = locked();
    bench.precommits(&[1, 2], 0, Some(b.hash()));
    bench.tell(Input::Persisted { height: H });
    bench.sent.clear();
    bench.hear(3, Message::Vote(vote(3, VoteKind::Prevote, 0, None)));
    assert!(
        matches!(&bench.sent[..], [(Recipient::One(Peer(3)), Message::Status(status))] if status.height == Height(2))
    );
    bench.hear(3, Message::Request(Request::Decided(H)));
    bench.hear(3, Message::Request(Request::Decided(Height(2))));
    let served: Vec<_> = bench.outputs.iter().filter(|output| matches!(output, Output::ServeDecided { .. })).collect();
    assert_eq!(served, [&Output::ServeDecided { to: Peer(3), height: H }]);
}

#[test]
fn a_peer_that_is_ahead_is_asked_for_what_was_decided() {
    let (mut bench, b) = (Bench::new(), block(0, 1));
    let ahead = Status { height: Height(5), ..nothing_of(H) };
    bench.hear(2, Message::Status(ahead));
    assert_eq!(bench.sent, [(Recipient::One(Peer(2)), Message::Request(Request::Decided(H)))]);
    let forged = Certificate { signatures: Vec::new(), ..certificate(&[1, 2, 3], 0, b.hash()) };
    bench.hear(2, Message::Decided { certificate: forged, block: b.clone() });
    bench.hear(2, Message::Decided { certificate: certificate(&[1, 2, 3], 0, b.hash()), block: block(0, 2) });
    assert!(bench.decided().is_none() || bench.engine.kept().1 <= 1);
    bench.hear(2, Message::Decided { certificate: certificate(&[1, 2, 3], 0, b.hash()), block: b });
    assert!(bench.decided().is_some());
    // The next one is asked for at once, of the other who is ahead.
    bench.hear(3, Message::Status(Status { height: Height(5), ..nothing_of(H) }));
    bench.sent.clear();
    bench.tell(Input::Persisted { height: H });
    assert_eq!(bench.sent, [(Recipient::One(Peer(2)), Message::Request(Request::Decided(Height(2))))]);
}

fn nothing_of(height: Height) -> Status {
    let (prevotes, precommits) = (Have::default(), Have::default());
    Status { height, round: Round(0), proposal: false, prevotes, precommits, valid_round: None, waits: false }
}

#[test]
fn who_lacks_votes_gets_them() {
    let (mut bench, b) = locked();
    let nothing = nothing_of(H);
    bench.sent.clear();
    bench.hear(3, Message::Status(nothing.clone()));
    let polka = |message: &Message| matches!(message, Message::Quorum(Quorum { kind: VoteKind::Prevote, block: Some(of), .. }) if *of == b.hash());
    let sent: Vec<&Message> = bench.sent.iter().map(|(_, message)| message).collect();
    assert!(sent.iter().any(|message| polka(message)));
    assert!(sent.iter().any(|message| matches!(message, Message::Proposal(_))));
    let own = |message: &&&Message| matches!(message, Message::Vote(vote) if vote.validator == ME);
    assert_eq!(sent.iter().filter(own).count(), 1, "its precommit");
    // Not again at once.
    bench.sent.clear();
    bench.hear(3, Message::Status(nothing));
    assert_eq!(bench.sent, []);
}

#[test]
fn a_flood_fills_nothing() {
    let mut bench = Bench::new();
    for round in 0..300 {
        for name in 0..3 {
            bench.prevotes(&[3], round, Some(Hash([name; 32])));
            let statement = Statement::vote(VoteKind::Prevote, Epoch(0), Height(2), Round(round), None);
            bench.hear(3, Message::Vote(sign(3, statement)));
        }
        if proposer(round) == 3 {
            (0..3).for_each(|name| bench.hear(3, proposal(round, &block(round, name), None)));
        }
    }
    assert_eq!(bench.round(), 0);
    let (rounds, blocks, waiting) = bench.engine.kept();
    assert!(rounds <= 2 && blocks <= 2 && waiting <= 8, "{rounds} {blocks} {waiting}");
}

#[test]
fn a_new_set_of_validators_takes_over_with_the_next_height() {
    let next = set(&[1, 2, 3, 4, 5]);
    let b = block(0, 1);
    let header = Header { next_validators: next.hash(CryptoSuite::Standard), ..b.header().clone() };
    let b = CompactBlock::new(header, b.dag().clone(), Vec::new()).unwrap();
    let mut bench = Bench::new();
    bench.hear(1, proposal(0, &b, None));
    bench.prevotes(&[1, 2], 0, Some(b.hash()));
    bench.precommits(&[1, 2], 0, Some(b.hash()));
    assert!(bench.decided().is_some());
    bench.tell(Input::Validators { from: Height(2), set: next.clone() });
    bench.tell(Input::Persisted { height: H });
    assert!(!bench.engine.votes(), "it is no member any more");

    let mut bench = Bench::new();
    bench.hear(1, Message::Decided { certificate: certificate(&[1, 2, 3], 0, b.hash()), block: b });
    bench.tell(Input::Persisted { height: H });
    let fault = Fault::WrongValidators { height: Height(2), expected: next.hash(CryptoSuite::Standard) };
    assert!(bench.outputs.contains(&Output::Halt(fault)));
}

#[test]
fn nothing_of_the_next_height_is_said_before_the_block_is_durable() {
    let (mut bench, b) = locked();
    bench.precommits(&[1, 2], 0, Some(b.hash()));
    bench.said();
    for validator in 1..4 {
        let statement = Statement::vote(VoteKind::Prevote, Epoch(0), Height(2), Round(0), None);
        bench.hear(validator, Message::Vote(sign(validator, statement)));
    }
    bench.tell(Input::BatchReady);
    assert_eq!((bench.said(), bench.engine.position().0), (vec![], H));
    bench.tell(Input::Persisted { height: H });
    assert_eq!(bench.engine.position().0, Height(2));
    bench.tell(Input::Timeout(Timer::Step { height: Height(2), round: Round(0), step: Step::Propose }));
    assert_eq!(bench.said(), [Word::Prevote(None), Word::Precommit(None)], "what waited was heard");
}
