//! What stops a replica, and what it still does then.
#![allow(clippy::unwrap_used)]

#[path = "../../txpool/tests/support/mod.rs"]
mod support;

use hanse_consensus::{Disk, DiskError, Solo, VoteLog};
use hanse_replica::{Amendments, Batch, Blamed, HaltReason, Input, Output, Replica, Stage, Work};
use hanse_txpool::{Pool, PoolLimits, Refusal};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Gas, Hash, Header, Height, Params, Timestamp, TxId, ValidatorSet};
use support::{World, at, block_hash, ids};

struct Memory;

impl Disk for Memory {
    fn write_synced(&mut self, _: &[u8]) -> Result<(), DiskError> {
        Ok(())
    }
}

/// A replica of which each batch is full with two transactions.
struct Bench {
    world: World,
    replica: Replica<Solo>,
    log: VoteLog<Memory>,
}

impl Bench {
    fn new() -> Bench {
        let world = Bench::world();
        Bench::on(world.pool(PoolLimits::default()))
    }

    fn world() -> World {
        World::new(Params { block_tx_count_max: 2, ..Params::default() })
    }

    fn on(pool: Pool) -> Bench {
        let world = Bench::world();
        let validators = ValidatorSet::from_genesis(&world.genesis).unwrap();
        let tip = (Height(0), block_hash(Height(0)));
        let solo = Solo::new(world.genesis.identity(), validators, tip, None).unwrap();
        let replica = Replica::new(pool, solo);
        Bench { world, replica, log: VoteLog::open(Memory, None).unwrap() }
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.replica.step(input, at(10), &mut out);
        out
    }

    fn submit(&mut self, nonces: std::ops::Range<u64>) -> Vec<Output> {
        let batch = nonces.map(|nonce| self.world.plain(nonce)).collect();
        self.tell(Input::Submitted { transactions: batch, since: at(10), from: None, keep: false })
    }

    /// Submits a full batch.
    fn work(&mut self, nonces: std::ops::Range<u64>) -> Work {
        match self.submit(nonces).pop() {
            Some(Output::Execute(work)) => work,
            other => panic!("nothing to execute: {other:?}"),
        }
    }

    fn execute(&mut self, work: &Work) -> Vec<Output> {
        let header = header(work);
        self.tell(Input::Executed { header, shown: None, amendments: Amendments::default() })
    }

    fn decide(&mut self, work: &Work) {
        let outputs = self.execute(work);
        let [Output::Sign(intent)] = outputs.as_slice() else { panic!("no vote: {outputs:?}") };
        let signed =
            self.log.sign(intent.precommit().unwrap(), &self.world.genesis.identity(), &self.world.validator).unwrap();
        let outputs = self.tell(Input::Signed(signed.into()));
        assert!(matches!(outputs.first(), Some(Output::Persist { .. })), "{outputs:?}");
    }
}

fn header(work: &Work) -> Box<Header> {
    Box::new(Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height: work.height(),
        parent: work.parent(),
        timestamp: work.timestamp,
        tx_root: Hash::ZERO,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Hash::ZERO,
        state_root: Hash::ZERO,
        validators: work.slot.validators,
        next_validators: work.slot.validators,
        epoch: work.slot.epoch,
        round: work.slot.round,
        proposer: work.slot.proposer,
        gas_used: Gas(1),
        tx_count: work.batch.len() as u32,
        extra: Vec::new(),
    })
}

fn halted(outputs: &[Output]) -> &HaltReason {
    match outputs {
        [Output::Halted(reason)] => reason,
        other => panic!("went on: {other:?}"),
    }
}

fn failed(height: u64, stage: Stage) -> Input {
    Input::Failed { height: Height(height), stage, reason: "no space left".into() }
}

#[test]
fn a_failure_stops_it_and_gives_everything_back_in_order() {
    for stage in [Stage::Execution, Stage::Signing, Stage::Writing] {
        let mut bench = Bench::new();
        let work = bench.work(0..3);
        if stage != Stage::Execution {
            bench.decide(&work);
        }
        let outputs = bench.tell(failed(1, stage));
        let reason = halted(&outputs).to_string();
        assert!(reason.contains("block 1") && reason.contains("no space left"), "{reason}");

        let status = bench.replica.pool_status();
        assert_eq!((status.waiting, status.sealed), (3, 0));
        let answers = bench.submit(7..8);
        assert!(matches!(&answers[..], [Output::Admitted(answers)] if answers[..] == [Err(Refusal::GroupStopped)]));
        assert!(bench.tell(Input::Tick).is_empty());
        assert!(bench.tell(failed(1, stage)).is_empty());
        assert!(bench.execute(&work).is_empty());
        let expected: Vec<_> = (0..3).map(|nonce| bench.world.plain(nonce)).collect();
        let left: Vec<_> = bench.replica.into_transactions().collect();
        assert_eq!(ids(&left), ids(&expected));
    }
}

#[test]
fn a_write_under_way_is_still_heard_of_after_a_halt() {
    let mut bench = Bench::new();
    let first = bench.work(0..2);
    bench.decide(&first);
    let second = bench.work(2..4);
    assert_eq!((second.height(), second.parent()), (Height(2), header(&first).hash()));
    halted(&bench.tell(failed(2, Stage::Execution)));
    let status = bench.replica.pool_status();
    assert_eq!((status.waiting, status.sealed), (2, 2));
    assert!(bench.tell(Input::Persisted { height: Height(1) }).is_empty());
    assert!(!bench.replica.is_pending(&first.batch[0].id()));
    assert_eq!(ids(&bench.replica.into_transactions().collect::<Vec<_>>()), ids(&second.batch));
}

#[test]
fn a_block_that_was_not_asked_for_stops_it() {
    let mut bench = Bench::new();
    let work = bench.work(0..2);
    let mut other = header(&work);
    other.tx_count = 1;
    let outputs = bench.tell(Input::Executed { header: other, shown: None, amendments: Amendments::default() });
    assert!(matches!(halted(&outputs), HaltReason::OtherBlock { found: 1, expected: 2, .. }));

    let mut bench = Bench::new();
    let work = bench.work(0..2);
    let mut later = header(&work);
    later.timestamp = Timestamp(work.timestamp.0 + 1);
    let outputs = bench.tell(Input::Executed { header: later, shown: None, amendments: Amendments::default() });
    assert!(matches!(halted(&outputs), HaltReason::OtherBlock { .. }));

    let mut bench = Bench::new();
    let work = bench.work(0..2);
    let mut elsewhere = header(&work);
    elsewhere.parent = Hash([1; 32]);
    let outputs = bench.tell(Input::Executed { header: elsewhere, shown: None, amendments: Amendments::default() });
    assert!(matches!(halted(&outputs), HaltReason::Unexpected { stage: Stage::Execution, .. }));
    assert_eq!(bench.replica.into_transactions().count(), 2);
}

#[test]
fn a_driver_that_reports_what_is_not_under_way_stops_it() {
    let persisted = Input::Persisted { height: Height(1) };
    let mut idle = Bench::new();
    assert!(matches!(halted(&idle.tell(persisted)), HaltReason::Unexpected { stage: Stage::Writing, .. }));

    let mut undecided = Bench::new();
    let work = undecided.work(0..2);
    let persisted = Input::Persisted { height: Height(1) };
    assert!(matches!(halted(&undecided.tell(persisted)), HaltReason::Unexpected { .. }));
    assert!(undecided.replica.is_pending(&work.batch[0].id()));

    let mut twice = Bench::new();
    let work = twice.work(0..2);
    twice.decide(&work);
    assert!(matches!(halted(&twice.execute(&work)), HaltReason::Unexpected { stage: Stage::Execution, .. }));
}

#[test]
fn parameters_changed_by_a_block_hold_for_the_next() {
    let mut bench = Bench::new();
    let work = bench.work(0..2);
    let params = Params { block_tx_count_max: 3, ..bench.world.params().clone() };
    let header = header(&work);
    let amendments = Amendments { params: Some(params.into()), validators: None };
    let outputs = bench.tell(Input::Executed { header, shown: None, amendments });
    let [Output::Sign(intent)] = outputs.as_slice() else { panic!("no vote: {outputs:?}") };
    let signed =
        bench.log.sign(intent.precommit().unwrap(), &bench.world.genesis.identity(), &bench.world.validator).unwrap();
    bench.tell(Input::Signed(signed.into()));
    assert!(matches!(bench.submit(2..4).as_slice(), [Output::Admitted(_), Output::SetTimer(_)]));
    assert_eq!(bench.work(4..5).batch.len(), 3);
}

#[test]
fn a_failure_is_put_down_to_fewer_each_time_until_one_is_alone() {
    let mut bench = Bench::new();
    let all: Vec<_> = (0..6).map(|nonce| bench.world.plain(nonce).id()).collect();
    let blame = |bench: &mut Bench, ids: &[TxId], batch: Batch| {
        let Blamed { kept, suspects, acquitted, convicted } = bench.replica.blame(ids, batch, "it broke");
        let suspects: Vec<_> = suspects.iter().map(|suspicion| suspicion.arrival).collect();
        (kept.len(), suspects, acquitted, convicted.map(|dropped| dropped.arrival))
    };
    // What is not kept can't be marked, so it is kept now.
    bench.submit(0..4);
    assert_eq!(blame(&mut bench, &all[..4], Batch::Shared), (4, vec![0, 1, 2, 3], vec![], None));

    // As the next process has them, two in a batch: it is one of these.
    let mut pool = bench.world.pool(PoolLimits::default());
    for (nonce, id) in (0..6).zip(&all) {
        assert_eq!(pool.submit(bench.world.plain(nonce), at(10), at(10)), Ok(*id));
    }
    all[..4].iter().for_each(|id| assert!(pool.suspect(id, 2).is_some()));
    bench = Bench::on(pool);
    assert_eq!(blame(&mut bench, &all[1..3], Batch::Shared), (2, vec![], vec![0, 3], None));
    // Another node's block may have suspects and others.
    assert_eq!(blame(&mut bench, &all[2..5], Batch::Foreign), (2, vec![3, 4], vec![], None));
    assert_eq!(blame(&mut bench, &all[1..2], Batch::Foreign), (0, vec![], vec![], None));
    // One that nobody suspected may have been alone by chance.
    assert_eq!(blame(&mut bench, &all[5..], Batch::Alone), (1, vec![5], vec![], None));
    assert_eq!(blame(&mut bench, &all[5..], Batch::Alone), (0, vec![], vec![], Some(5)));
    assert_eq!(blame(&mut bench, &[], Batch::Shared), (0, vec![], vec![], None));
    assert!([1, 2, 3, 4].iter().all(|at| bench.replica.pool().suspicion(&all[*at]).is_some()));
}
