//! Random blocks over the real machine: on every number of threads a batch gives the same block, which is what the serial
//! loop gives, what every replay along its DAG gives, and what no other DAG gives.
//!
//! A test makes chains of blocks, each chain from a seed, one block on the state that the one before left. A chain that
//! fails says how to run it alone.
#![allow(clippy::unwrap_used)]

mod random;

use std::sync::Arc;

use hanse_group::execution::{Base, Executor};
use hanse_replica::Work;
use hanse_scheduler::propose::SUB_BATCH;
use hanse_state::MemoryView;
use hanse_state::commitment::{self, MemoryNodes};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Epoch, Hash, Height, Round, Status};
use hanse_vm::system;
use random::chain::{Block, Chain, GENESIS, Style};
use random::lab::{Lab, Proposers, Reproduce, THREADS, assert_same, ordered};
use random::model::Model;
use random::program::{Mix, Rng};
use random::tally::Tally;
use random::tamper::try_wrong_dags;
use random::transactions::Weights;

const EVERYTHING: Weights = Weights { programs: 60, payments: 16, names: 6, governance: 3, lifecycle: 8, nonsense: 4 };
const PROGRAMS: Weights = Weights { programs: 92, payments: 4, names: 1, governance: 0, lifecycle: 2, nonsense: 1 };
const SIZES: [usize; 8] = [1, 4, 8, 12, 16, 24, 40, 64];

const STYLE: Style = Style {
    mixes: &[Mix::Everything, Mix::Everything, Mix::Far],
    weights: EVERYTHING,
    repeated: false,
    gas: None,
    sizes: &SIZES,
    sub_batches: &[3, 8, 16, 1_024],
};

/// Seeds of a test's chains; or the one that the environment asks for.
fn seeds(first: u64, chains: u64) -> Vec<u64> {
    match std::env::var("HANSE_SEED") {
        Ok(text) => {
            let digits = text.trim_start_matches("0x");
            vec![u64::from_str_radix(digits, 16).expect("HANSE_SEED is a hexadecimal number")]
        }
        Err(_) => (0..chains).map(|chain| Rng(first << 32 | chain).next()).collect(),
    }
}

/// Whether all chains were run, not one by its seed.
fn is_complete() -> bool {
    std::env::var_os("HANSE_SEED").is_none()
}

/// Checks chains of so many blocks each, and that the blocks were as many as they should be.
fn check_chains(test: &str, first: u64, chains: u64, blocks: usize, style: Style) -> Tally {
    let lab = Lab::new();
    let mut tally = Tally::default();
    for seed in seeds(first, chains) {
        check_chain(test, seed, blocks, style, &lab, &mut tally);
    }
    println!("{test}: {tally:?}");
    if is_complete() {
        assert_eq!(tally.blocks, chains as usize * blocks, "blocks that were checked");
    }
    tally
}

fn check_chain(test: &str, seed: u64, blocks: usize, style: Style, lab: &Lab, tally: &mut Tally) {
    let mut chain = Chain::new(seed, style);
    let mut reproduce = Reproduce::new(test, seed, &chain);
    let mut proposers = Proposers::new(chain.foreknowledge);
    for height in 1..=blocks {
        reproduce.height = height;
        let block = chain.next_block();
        let run = lab.check(&block, &mut proposers);
        try_wrong_dags(lab, &block, &run, &mut Rng(chain.next_seed()), &mut tally.refused);
        tally.note(&run);
        drop(block);
        chain.advance(Hash([height as u8; 32]), &run.changes());
    }
}

#[test]
fn blocks_of_everything() {
    let tally = check_chains("blocks_of_everything", 1, 300, 8, STYLE);
    if is_complete() {
        tally.assert_met(&[
            Status::Success,
            Status::Reverted,
            Status::Panicked,
            Status::Trapped,
            Status::OutOfGas,
            Status::LimitExceeded,
            Status::ContractNotFound,
            Status::MethodNotFound,
            Status::Frozen,
            Status::Revoked,
            Status::PermissionDenied,
            Status::InvalidArguments,
            Status::OutOfBounds,
            Status::InvalidOperation,
        ]);
        assert!(tally.strays > 0 && tally.ranges > 0 && tally.adds > 0 && tally.blocks_without_edges > 0, "{tally:?}");
    }
}

#[test]
fn blocks_of_adds() {
    let style = Style { mixes: &[Mix::Adds], weights: PROGRAMS, ..STYLE };
    let tally = check_chains("blocks_of_adds", 2, 110, 8, style);
    assert!(tally.adds > 1_000 || !is_complete(), "{tally:?}");
}

#[test]
fn blocks_of_scans() {
    let style = Style { mixes: &[Mix::Scans], weights: PROGRAMS, ..STYLE };
    let tally = check_chains("blocks_of_scans", 3, 110, 8, style);
    assert!(tally.ranges > 1_000 || !is_complete(), "{tally:?}");
}

/// Contracts come, change and go in the middle of blocks that call them, under rules that change as well.
#[test]
fn blocks_of_deployments() {
    let weights = Weights { programs: 40, payments: 6, names: 10, governance: 10, lifecycle: 30, nonsense: 4 };
    let style = Style { weights, sizes: &[4, 8, 16, 24], ..STYLE };
    let tally = check_chains("blocks_of_deployments", 4, 90, 8, style);
    if is_complete() {
        tally.assert_met(&[Status::Frozen, Status::Revoked, Status::ContractNotFound, Status::PermissionDenied]);
    }
}

/// The same few programs again and again: what they touch is learned, and is wrong where keys follow from values.
#[test]
fn blocks_of_guesses() {
    let style = Style { mixes: &[Mix::Far, Mix::Plain, Mix::Everything], weights: PROGRAMS, repeated: true, ..STYLE };
    let tally = check_chains("blocks_of_guesses", 5, 100, 8, style);
    assert!(tally.strays > 100 || !is_complete(), "{tally:?}");
}

#[test]
fn long_blocks() {
    let sizes = &[1_000, 1_500, 2_200];
    let style = Style { sizes, sub_batches: &[SUB_BATCH, 100], ..STYLE };
    let tally = check_chains("long_blocks", 6, 4, 3, style);
    assert!(tally.transactions >= 12_000 || !is_complete(), "{tally:?}");
}

/// What each transaction gives, and what the block leaves, is what a model of programs says that knows nothing of the
/// machine, of the state's journals or of the scheduler.
#[test]
fn blocks_by_the_model() {
    let weights = Weights { programs: 1, payments: 0, names: 0, governance: 0, lifecycle: 0, nonsense: 0 };
    let style = Style { mixes: &[Mix::Modelled], weights, gas: Some(100_000_000), ..STYLE };
    let lab = Lab::new();
    let (mut blocks, mut statuses) = (0, [0; Status::ALL.len()]);
    for seed in seeds(9, 100) {
        let mut chain = Chain::new(seed, style);
        let mut reproduce = Reproduce::new("blocks_by_the_model", seed, &chain);
        let mut hints = chain.foreknowledge.hints();
        for height in 1..=8 {
            reproduce.height = height;
            let block = chain.next_block();
            let run = lab.propose(height, &block, &mut hints);
            let mut after = MemoryView::clone(&block.parent);
            after.apply(&run.changes());
            // The first block has deployments, of which the model knows nothing.
            if height > 1 {
                Model::new(&block.parent).check(&block, &run, &after, &mut statuses);
            }
            drop(block);
            chain.advance(Hash([height as u8; 32]), &run.changes());
            blocks += 1;
        }
    }
    println!("{blocks} blocks by the model; all calls by status: {statuses:?}");
    if is_complete() {
        assert_eq!(blocks, 800);
        for status in [Status::Success, Status::Reverted, Status::Panicked, Status::Reentrancy] {
            assert!(statuses[usize::from(status.code())] > 0, "no call ended in {status:?}");
        }
    }
}

/// Two runs of a chain, one with queries before, beside and after each block, by the same rules as transactions.
#[test]
fn queries_change_nothing() {
    let style = Style { mixes: &[Mix::Everything], ..STYLE };
    let lab = Lab::new();
    let (mut blocks, mut nested) = (0, [0; Status::ALL.len()]);
    for seed in seeds(7, 60) {
        let (mut quiet, mut asked) = (Chain::new(seed, style), Chain::new(seed, style));
        let mut reproduce = Reproduce::new("queries_change_nothing", seed, &quiet);
        let (mut hints, mut other_hints) = (quiet.foreknowledge.hints(), asked.foreknowledge.hints());
        for height in 1..=6 {
            reproduce.height = height;
            let (block, again) = (quiet.next_block(), asked.next_block());
            let run = lab.propose(1, &block, &mut hints);
            let before = ask(&lab, &again);
            let (beside, other) = std::thread::scope(|scope| {
                let asking = scope.spawn(|| ask(&lab, &again));
                let other = lab.propose(1, &again, &mut other_hints);
                (asking.join().unwrap(), other)
            });
            assert_same(&run, &other, &again, "with queries");
            assert!(before == beside && before == ask(&lab, &again), "a query has another answer later");
            let first = &ordered(&block, &run)[0];
            assert_eq!(lab.query(&block, first, false).execution, run.executions[0], "a query and a transaction");
            for line in before.iter().flat_map(|query| &query.debug) {
                // How a call inside a call ended; other lines are longer.
                if let [status] = line.as_bytes() {
                    nested[usize::from(*status)] += 1;
                }
            }
            drop((block, again));
            quiet.advance(Hash([height as u8; 32]), &run.changes());
            asked.advance(Hash([height as u8; 32]), &other.changes());
            blocks += 1;
        }
        assert!(quiet.state.iter().eq(asked.state.iter()), "the state with queries is another one");
    }
    println!("{blocks} blocks with queries; calls inside calls by status: {nested:?}");
    if is_complete() {
        assert_eq!(blocks, 360);
        for status in [Status::Success, Status::Reverted, Status::Trapped, Status::OutOfGas, Status::Reentrancy] {
            assert!(nested[usize::from(status.code())] > 0, "no call inside a call ended in {status:?}");
        }
    }
}

/// Each transaction of a batch as a query, every second one as a view.
fn ask(lab: &Lab, block: &Block) -> Vec<hanse_vm::Query> {
    let ask = |(n, transaction)| lab.query(block, transaction, n % 2 == 1);
    block.batch.iter().enumerate().map(ask).collect()
}

/// The whole block, as the node makes it: header, receipts, roots, with the Merkle commitment.
#[test]
fn headers_are_the_same_on_every_number_of_threads() {
    let lab = Lab::new();
    let mut blocks = 0;
    for seed in seeds(8, 40) {
        let mut chain = Chain::new(seed, STYLE);
        let mut reproduce = Reproduce::new("headers_are_the_same_on_every_number_of_threads", seed, &chain);
        let mut nodes = MemoryNodes::new(CryptoSuite::Standard);
        let changes = system::genesis_state(&GENESIS);
        let update = commitment::update(GENESIS.state_commitment, &Hash::ZERO, &nodes, &changes).unwrap();
        nodes.apply(&update);
        let state = chain.state.clone();
        let mut bases = vec![Base { height: Height(0), root: update.root, state, nodes: Arc::new(nodes) }; 5];
        let machines = 0..THREADS.len();
        let mut executors: Vec<Executor> =
            machines.map(|pool| Executor::new(lab.vm(pool).clone(), GENESIS.clone())).collect();
        let mut parent = random::chain::genesis_hash();
        for height in 1..=8 {
            reproduce.height = height;
            let block = chain.next_block();
            let make = |pool: usize| {
                let (executor, base) = (&mut executors[pool], &bases[pool]);
                let hashes = block.context.recent_hashes.clone();
                lab.pool(pool).install(|| executor.make(work(&block, parent), base, hashes)).unwrap()
            };
            let made: Vec<_> = (0..THREADS.len()).map(make).collect();
            for other in &made[1..] {
                assert_eq!(made[0].header, other.header);
                assert_eq!(made[0].hash, other.hash);
                assert_eq!(made[0].content.transactions(), other.content.transactions());
                assert_eq!(made[0].content.receipts(), other.content.receipts());
                assert_eq!(made[0].content.rw_sets(), other.content.rw_sets());
                assert_eq!(made[0].content.dag(), other.content.dag());
                assert_eq!(made[0].amendments, other.amendments);
                assert_eq!(made[0].content.changes(), other.content.changes());
            }
            for (base, block) in bases.iter_mut().zip(&made) {
                *base = base.after(block);
            }
            parent = made[0].hash;
            drop(block);
            chain.advance(parent, made[0].content.changes());
            blocks += 1;
        }
    }
    println!("{blocks} headers on {THREADS:?} threads");
    assert!(blocks == 320 || !is_complete());
}

fn work(block: &Block, parent: Hash) -> Work {
    let validators = Hash::ZERO;
    let slot = hanse_consensus::Slot {
        height: block.context.height,
        parent,
        epoch: Epoch(0),
        round: Round(0),
        proposer: 0,
        validators,
    };
    Work { slot, timestamp: block.context.timestamp, batch: block.batch.clone() }
}
