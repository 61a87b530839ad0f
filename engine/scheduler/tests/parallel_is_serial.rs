//! Random blocks: parallel is serial, on every number of threads, for proposer and replay alike.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Interpreter, Mix, Op, Pools, Program, Rng, check_block, random_block, random_parent};
use hanse_scheduler::predict::{Piece, Template};
use hanse_scheduler::{Hints, propose_in};
use hanse_state::Kind;
use hanse_types::Address;

/// Runs blocks of random programs until so many were checked.
fn check_blocks(blocks: u64, seed: u64, mixes: &[Mix], hints: impl Fn(&mut Rng) -> Hints + Sync) {
    let pools = Pools::new();
    for block in 0..blocks {
        let mut rng = Rng(seed ^ (block << 20));
        // From no contention at all to everyone at the same two keys.
        let keys = [2, 3, 5, 12, 60, 250][rng.below(6) as usize];
        let size = [1, 2, 7, 20, 40, 90][rng.below(6) as usize];
        let sub_batch = [3, 16, 1024][rng.below(3) as usize];
        let mix = mixes[rng.below(mixes.len() as u64) as usize];
        let batch = random_block(&mut rng, keys, mix, size);
        let parent = random_parent(&mut rng, keys);
        let hint_seed = rng.next();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check_block(&pools, &Interpreter { keys }, &batch, &parent, sub_batch, || hints(&mut Rng(hint_seed)))
        }));
        assert!(
            checked.is_ok(),
            "block {block} of seed {seed}: {size} of {mix:?}, {keys} keys, sub-batches of {sub_batch}: {batch:#?}"
        );
    }
    println!("{blocks} blocks checked");
}

#[test]
fn blocks_of_everything() {
    check_blocks(2_500, 1, &[Mix::Everything], |_| Hints::default());
}

#[test]
fn blocks_of_reads_and_writes() {
    check_blocks(1_000, 2, &[Mix::Plain], |_| Hints::default());
}

#[test]
fn blocks_of_bounded_adds() {
    check_blocks(1_500, 3, &[Mix::Adds], |_| Hints::default());
}

#[test]
fn blocks_of_scans() {
    check_blocks(1_000, 4, &[Mix::Scans], |_| Hints::default());
}

/// Declares keys that have nothing to do with what the programs touch, or only sometimes.
fn wrong_hints(rng: &mut Rng) -> Hints {
    let mut hints = Hints::default();
    for method in ["none", "some"] {
        let template = |rng: &mut Rng| Template {
            pieces: vec![Piece::Bytes(common::key(rng.below(12) as u8)), Piece::Args(0..rng.below(2) as usize)],
            kind: [Kind::Read, Kind::Write, Kind::Add][rng.below(3) as usize],
            reads: rng.below(2) == 0,
        };
        let templates = (0..rng.below(4)).map(|_| template(rng)).collect();
        hints.declare(Address([1; 20]), method, templates);
    }
    hints
}

#[test]
fn wrong_hints_change_nothing_but_the_order() {
    check_blocks(1_000, 5, &[Mix::Everything, Mix::Plain, Mix::Adds], wrong_hints);
}

/// Every transaction reads where the one before pointed it, so that confined runs meet keys that the plan did not know.
#[test]
fn strays_run_in_the_tail() {
    let keys = 12;
    let batch: Vec<Program> = (0..40)
        .map(|n| Program { ops: vec![Op::Read(n % 3), Op::ReadFar, Op::WriteFar, Op::Write(n % 3)], args: Vec::new() })
        .collect();
    let parent = random_parent(&mut Rng(9), keys);
    let block = check_block(&Pools::new(), &Interpreter { keys }, &batch, &parent, 1024, Hints::default);
    assert!(block.stats.strays > 0, "the block was made to have strays");
    assert!(block.stats.executions <= 3 * batch.len());
}

#[test]
fn adds_to_one_counter_are_one_execution_each_and_no_edge() {
    let add = Op::Add { key: 1, amount: 5, min: 0, max: u128::MAX };
    let batch = vec![Program { ops: vec![add], args: Vec::new() }; 300];
    let parent = std::sync::Arc::new(hanse_state::MemoryView::default());
    let block = check_block(&Pools::new(), &Interpreter { keys: 2 }, &batch, &parent, 64, Hints::default);
    assert_eq!((block.stats.edges, block.stats.executions), (0, 300));
    let (_, value) = block.changes().iter().next().map(|(key, value)| (key.to_vec(), value.cloned())).unwrap();
    assert_eq!(value.unwrap().as_slice(), 1_500u64.to_le_bytes());
}

fn read_and_write(key: u8) -> Program {
    Program { ops: vec![Op::Read(key), Op::Write(key)], args: Vec::new() }
}

#[test]
fn a_chain_is_run_in_order_after_its_first_sub_batch() {
    let batch: Vec<Program> = (0..640).map(|_| read_and_write(0)).collect();
    let parent = random_parent(&mut Rng(1), 2);
    let interpreter = Interpreter { keys: 2 };
    let mut hints = Hints::default();
    let cold = propose_in(&interpreter, &batch, parent.clone(), &mut hints, 64).unwrap();
    // The first sub-batch is speculated in vain, but for its first transaction.
    assert_eq!(cold.stats.executions, 640 + 63);
    let warm = propose_in(&interpreter, &batch, parent, &mut hints, 64).unwrap();
    assert_eq!((warm.stats.executions, warm.stats.strays), (640, 0));
}

#[test]
fn a_chain_that_ends_is_noticed() {
    let chain = (0..256).map(|_| read_and_write(0));
    let batch: Vec<Program> = chain.chain((0..512).map(|n| read_and_write(1 + (n % 128) as u8))).collect();
    let parent = random_parent(&mut Rng(1), 2);
    let block = check_block(&Pools::new(), &Interpreter { keys: 200 }, &batch, &parent, 128, Hints::default);
    // In vain: the first sub-batch of 64. Of the rest, what is neither chain nor conflict runs once.
    assert_eq!((block.stats.executions, block.stats.strays), (768 + 63, 0));
}

/// Four keys of 16 transactions each in every sub-batch: in conflict, but threads are worth it.
#[test]
fn a_contended_batch_is_guessed_after_its_first_sub_batch() {
    let batch: Vec<Program> =
        (0..640).map(|n| Program { args: vec![n as u8 % 4], ..read_and_write(n as u8 % 4) }).collect();
    let mut prefix = common::key(0);
    prefix.pop();
    let template = Template { pieces: vec![Piece::Bytes(prefix), Piece::Args(0..1)], kind: Kind::Write, reads: true };
    let parent = random_parent(&mut Rng(1), 4);
    let mut hints = Hints::default();
    hints.declare(Address([1; 20]), "some", vec![template]);
    let block = propose_in(&Interpreter { keys: 4 }, &batch, parent, &mut hints, 64).unwrap();
    // The first sub-batch is speculated in vain, but for the first of each key.
    assert_eq!((block.stats.executions, block.stats.strays), (640 + 60, 0));
}
