//! One validator: the order of things, crashes between signing and writing, and a wrong key.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hanse_consensus::{
    Consensus, Disk, DiskError, Fault, Input, Output, Precommit, SignVoteError, Slot, Solo, SoloError, VoteLog,
    VoteLogError,
};
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::genesis::Validator;
use hanse_types::{Certificate, ChainIdentity, Epoch, Gas, Hash, Header, Height, Round, Timestamp, ValidatorSet};

/// A disk that keeps one record, and can be made to fail.
#[derive(Clone, Default)]
struct Record {
    bytes: Rc<RefCell<Option<Vec<u8>>>>,
    writes: Rc<Cell<usize>>,
    fails: Rc<Cell<bool>>,
}

impl Disk for Record {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        if self.fails.get() {
            return Err(DiskError("no space left".into()));
        }
        self.writes.set(self.writes.get() + 1);
        self.bytes.replace(Some(record.to_vec()));
        Ok(())
    }
}

impl Record {
    fn open(&self) -> VoteLog<Record> {
        VoteLog::open(self.clone(), self.bytes.borrow().as_deref()).unwrap()
    }
}

fn key() -> SecretKey {
    SecretKey::ed25519([5; 32])
}

fn chain() -> ChainIdentity {
    ChainIdentity {
        chain_id: "chain".into(),
        group_id: "group".into(),
        genesis: Hash([1; 32]),
        crypto: CryptoSuite::Standard,
    }
}

fn validators(count: u8) -> ValidatorSet {
    let validator = |n| Validator { name: format!("v{n}"), key: SecretKey::ed25519([5 + n; 32]).public_key() };
    ValidatorSet::new((0..count).map(validator).collect()).unwrap()
}

const TIP: (Height, Hash) = (Height(4), Hash([4; 32]));

fn solo(last_vote: Option<Precommit>) -> Solo {
    Solo::new(chain(), validators(1), TIP, last_vote).unwrap()
}

#[test]
fn what_it_was_not_asked_for_stops_it() {
    for input in [Input::Persisted { height: TIP.0 }, Input::Recorded] {
        let mut solo = solo(None);
        assert!(matches!(tell(&mut solo, input.clone()).as_slice(), [Output::Halt(Fault::Unexpected { .. })]));
        assert_eq!(tell(&mut solo, Input::BatchReady), []);
    }
}

fn tell(solo: &mut Solo, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    solo.step(input, Timestamp(0), &mut out);
    out
}

fn ask(solo: &mut Solo) -> Slot {
    match tell(solo, Input::BatchReady).as_slice() {
        [Output::Propose(slot)] => *slot,
        other => panic!("asked for nothing: {other:?}"),
    }
}

fn header(slot: &Slot) -> Box<Header> {
    Box::new(Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height: slot.height,
        parent: slot.parent,
        timestamp: Timestamp(slot.height.0 * 10),
        tx_root: Hash([2; 32]),
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Hash::ZERO,
        state_root: Hash::ZERO,
        validators: slot.validators,
        next_validators: slot.validators,
        epoch: slot.epoch,
        round: slot.round,
        proposer: slot.proposer,
        gas_used: Gas(1),
        tx_count: 1,
        extra: Vec::new(),
    })
}

fn execute(solo: &mut Solo, header: Box<Header>) -> Precommit {
    match tell(solo, Input::Executed(header)).as_slice() {
        [Output::Sign(intent)] => intent.precommit().unwrap(),
        other => panic!("no vote: {other:?}"),
    }
}

fn vote_of_next(solo: &mut Solo) -> Precommit {
    let slot = ask(solo);
    execute(solo, header(&slot))
}

fn decide(solo: &mut Solo, log: &mut VoteLog<Record>, vote: Precommit) -> Certificate {
    let signed = log.sign(vote, &chain(), &key()).unwrap();
    match tell(solo, Input::Signed(signed.into())).as_slice() {
        [Output::Decide(certificate)] => certificate.clone(),
        other => panic!("no certificate: {other:?}"),
    }
}

#[test]
fn a_block_is_proposed_signed_decided_and_followed_by_the_next() {
    let (mut solo, mut log) = (solo(None), Record::default().open());
    let mut parent = TIP.1;
    for height in (5..10).map(Height) {
        let slot = ask(&mut solo);
        assert_eq!((slot.height, slot.parent, slot.round), (height, parent, Round(0)));
        assert_eq!(tell(&mut solo, Input::BatchReady), []);
        let block = header(&slot);
        let vote = execute(&mut solo, block.clone());
        let certificate = decide(&mut solo, &mut log, vote);
        certificate.verify(&chain(), &validators(1), &block).unwrap();
        assert_eq!(tell(&mut solo, Input::Persisted { height }), []);
        parent = block.hash();
    }
}

#[test]
fn the_next_block_is_made_while_one_is_written_but_not_signed_before() {
    let (mut solo, mut log) = (solo(None), Record::default().open());
    let first = header(&ask(&mut solo));
    let vote = execute(&mut solo, first.clone());
    decide(&mut solo, &mut log, vote);
    let slot = ask(&mut solo);
    assert_eq!((slot.height, slot.parent), (Height(6), first.hash()));
    let second = header(&slot);
    assert_eq!(tell(&mut solo, Input::Executed(second.clone())), []);
    assert_eq!(tell(&mut solo, Input::BatchReady), []);
    let vote = Precommit { epoch: Epoch(0), height: Height(6), round: Round(0), block_hash: second.hash() };
    assert_eq!(tell(&mut solo, Input::Persisted { height: Height(5) }), [Output::Sign(vote.into())]);
    decide(&mut solo, &mut log, vote);
}

#[test]
fn a_withdrawn_block_can_be_asked_for_again() {
    let mut solo = solo(None);
    let slot = ask(&mut solo);
    assert_eq!(tell(&mut solo, Input::Withdrawn), []);
    assert_eq!(ask(&mut solo), slot);
}

#[test]
fn after_a_crash_between_signing_and_writing_another_block_gets_another_round() {
    let disk = Record::default();
    let (mut solo, mut log) = (solo(None), disk.open());
    let vote = vote_of_next(&mut solo);
    decide(&mut solo, &mut log, vote);

    let mut log = disk.open();
    assert_eq!(log.last(), Some(vote));
    let mut restarted = self::solo(log.last());
    let slot = ask(&mut restarted);
    assert_eq!((slot.height, slot.round), (Height(5), Round(1)));
    let vote = execute(&mut restarted, header(&slot));
    assert_eq!(decide(&mut restarted, &mut log, vote).round, Round(1));

    // Decided and durable: the next height begins anew.
    let tip = (Height(5), vote.block_hash);
    let mut next = Solo::new(chain(), validators(1), tip, disk.open().last()).unwrap();
    assert_eq!(ask(&mut next).round, Round(0));
}

#[test]
fn a_ledger_that_lost_blocks_is_not_built_upon() {
    let vote = |height, block_hash| Precommit { epoch: Epoch(0), height: Height(height), round: Round(0), block_hash };
    let start = |vote| Solo::new(chain(), validators(1), TIP, Some(vote)).map(drop);
    assert_eq!(start(vote(3, Hash([9; 32]))), Ok(()));
    assert_eq!(start(vote(4, TIP.1)), Ok(()));
    assert_eq!(start(vote(5, Hash([9; 32]))), Ok(()));
    assert!(matches!(start(vote(4, Hash([9; 32]))), Err(SoloError::LedgerBehind { .. })));
    assert!(matches!(start(vote(6, Hash([9; 32]))), Err(SoloError::LedgerBehind { .. })));
    let several = Solo::new(chain(), validators(2), TIP, None).map(drop);
    assert_eq!(several, Err(SoloError::Validators { count: 2 }));
}

#[test]
fn the_log_never_lets_two_votes_be_signed_for_one_position() {
    let disk = Record::default();
    let mut log = disk.open();
    let vote = |height, round, block: u8| Precommit {
        epoch: Epoch(0),
        height: Height(height),
        round: Round(round),
        block_hash: Hash([block; 32]),
    };
    log.write(vote(5, 1, 1)).unwrap();
    log.write(vote(5, 1, 1)).unwrap();
    assert_eq!(disk.writes.get(), 1);
    for contradiction in [vote(5, 1, 2), vote(5, 0, 1), vote(4, 9, 1)] {
        for mut log in [disk.open(), disk.open()] {
            let refused = log.write(contradiction);
            assert!(matches!(refused, Err(VoteLogError::Contradiction { .. })), "{refused:?}");
        }
        assert!(log.write(contradiction).is_err());
    }
    log.write(vote(5, 2, 2)).unwrap();
    log.write(vote(6, 0, 3)).unwrap();
    assert_eq!(disk.open().last(), Some(vote(6, 0, 3)));
    assert!(VoteLog::open(disk.clone(), Some(&[1, 2, 3])).is_err());
}

#[test]
fn nothing_is_signed_after_a_failed_write() {
    let disk = Record::default();
    let mut log = disk.open();
    disk.fails.set(true);
    let vote = Precommit { epoch: Epoch(0), height: Height(5), round: Round(0), block_hash: Hash([1; 32]) };
    let failed = log.sign(vote, &chain(), &key());
    assert!(matches!(failed, Err(SignVoteError::Log(VoteLogError::Disk(_)))), "{failed:?}");
    disk.fails.set(false);
    assert_eq!(log.sign(vote, &chain(), &key()), Err(SignVoteError::Log(VoteLogError::Broken)));
    assert!(disk.open().sign(vote, &chain(), &key()).is_ok());
}

#[test]
fn it_stops_at_what_can_not_be() {
    let mut log = Record::default().open();
    let halted = |outputs: Vec<Output>| match outputs.as_slice() {
        [Output::Halt(fault)] => fault.clone(),
        other => panic!("went on: {other:?}"),
    };

    let mut early = solo(None);
    let fault = halted(tell(&mut early, Input::Persisted { height: Height(5) }));
    assert!(matches!(fault, Fault::Unexpected { height: Height(5), .. }));
    assert_eq!(tell(&mut early, Input::BatchReady), []);

    let mut not_asked = solo(None);
    let slot = ask(&mut solo(None));
    let fault = halted(tell(&mut not_asked, Input::Executed(header(&slot))));
    assert!(matches!(fault, Fault::Unexpected { what: "an executed block", height: Height(5) }));

    let mut other_height = solo(None);
    let vote = vote_of_next(&mut other_height);
    decide(&mut other_height, &mut Record::default().open(), vote);
    let fault = halted(tell(&mut other_height, Input::Persisted { height: Height(6) }));
    assert!(matches!(fault, Fault::Unexpected { what: "a durable block", height: Height(6) }));

    let mut other_block = solo(None);
    let mut block = header(&ask(&mut other_block));
    block.parent = Hash([8; 32]);
    assert!(matches!(halted(tell(&mut other_block, Input::Executed(block))), Fault::WrongBlock { .. }));

    let mut other_key = solo(None);
    let vote = vote_of_next(&mut other_key);
    let signed = log.sign(vote, &chain(), &SecretKey::ed25519([6; 32])).unwrap();
    assert!(matches!(halted(tell(&mut other_key, Input::Signed(signed.into()))), Fault::BadVote { .. }));

    let mut other_vote = solo(None);
    vote_of_next(&mut other_vote);
    let vote = Precommit { epoch: Epoch(0), height: Height(5), round: Round(7), block_hash: Hash([7; 32]) };
    let signed = log.sign(vote, &chain(), &key()).unwrap();
    assert!(matches!(halted(tell(&mut other_vote, Input::Signed(signed.into()))), Fault::Unexpected { .. }));
}
