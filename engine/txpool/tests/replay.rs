//! Attempts to have one transaction executed twice.
#![allow(clippy::unwrap_used)]

mod support;

use hanse_txpool::{CommittedBlock, History, Kept, Place, Pool, PoolLimits, REF_BLOCKS_MAX, Refusal};
use hanse_types::{Canonical, Height, Params, SignedTransaction, Timestamp, Transaction, TxId, Verified};
use support::{World, at, block, block_hash, ids, prefix};

const EXPIRES_MS: u64 = 5_000;

/// A pool whose block 1 holds the transaction.
fn committed(world: &World) -> (Pool, Verified, CommittedBlock) {
    let mut pool = world.pool(PoolLimits::default());
    let transaction = world.verified(world.call(0, 1, EXPIRES_MS));
    pool.submit(transaction.clone(), at(10), at(10)).unwrap();
    let place = Place { height: Height(1), timestamp: at(100) };
    let block = block(1, place.timestamp, &pool.seal(place).batch);
    pool.committed(&block).unwrap();
    (pool, transaction, block)
}

fn code(pool: &mut Pool, transaction: &Verified, now: Timestamp) -> &'static str {
    pool.submit(transaction.clone(), now, now).unwrap_err().code()
}

#[test]
fn it_is_refused_in_every_stage_of_its_life() {
    let world = World::new(Params::default());
    let mut pool = world.pool(PoolLimits::default());
    let transaction = world.plain(1);
    let id = transaction.id();
    assert_eq!(pool.submit(transaction.clone(), at(1), at(1)), Ok(id));
    assert_eq!(pool.submit(transaction.clone(), at(2), at(2)), Err(Refusal::AlreadyInPool { id }));
    let place = Place { height: Height(1), timestamp: at(300) };
    let sealed = pool.seal(place);
    assert_eq!(ids(&sealed.batch), [id]);
    assert_eq!(pool.submit(transaction.clone(), at(3), at(3)), Err(Refusal::AlreadyInPool { id }));
    pool.returned([id]);
    assert_eq!(pool.submit(transaction.clone(), at(4), at(4)), Err(Refusal::AlreadyInPool { id }));
    assert_eq!(ids(&pool.seal(place).batch), [id]);
    pool.committed(&block(1, place.timestamp, &sealed.batch)).unwrap();
    assert_eq!(pool.submit(transaction, at(5), at(5)), Err(Refusal::AlreadyCommitted { id }));
    assert_eq!((pool.status().waiting, pool.status().sealed, pool.status().bytes), (0, 0, 0));
}

#[test]
fn other_bytes_of_the_same_transaction_are_the_same_transaction() {
    let world = World::new(Params::default());
    let (mut pool, transaction, _) = committed(&world);
    let bytes = transaction.signed().encode();
    let again = world.verify(SignedTransaction::decode(&bytes).unwrap());
    assert_eq!(code(&mut pool, &again, at(200)), "already_committed");
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(SignedTransaction::decode(&longer).is_err());
    let mut shorter = bytes;
    shorter.pop();
    assert!(SignedTransaction::decode(&shorter).is_err());
}

#[test]
fn around_its_expiration() {
    let world = World::new(Params::default());
    for (ms, expected) in [
        (EXPIRES_MS - 1, "already_committed"),
        (EXPIRES_MS, "expired"),
        (EXPIRES_MS + 1, "expired"),
        (EXPIRES_MS + 10_000_000, "expired"),
    ] {
        let (mut pool, transaction, _) = committed(&world);
        assert_eq!(code(&mut pool, &transaction, at(ms)), expected, "{ms}");
    }
}

#[test]
fn when_block_times_pass_its_expiration_and_it_is_forgotten() {
    let world = World::new(Params::default());
    for ms in EXPIRES_MS - 2..EXPIRES_MS + 3 {
        let (mut pool, transaction, _) = committed(&world);
        pool.committed(&block(2, at(ms), &[])).unwrap();
        // A clock that was set back does not help: the next block is later than block 2.
        for now in [0, EXPIRES_MS - 1, EXPIRES_MS] {
            let valid = now.max(ms + 1) < EXPIRES_MS;
            let expected = if valid { "already_committed" } else { "expired" };
            assert_eq!(code(&mut pool, &transaction, at(now)), expected, "block at {ms}, now {now}");
        }
        pool.committed(&block(3, at(ms + 2_000), &[])).unwrap();
        assert_eq!(pool.status().remembered, 0);
        assert_eq!(code(&mut pool, &transaction, at(0)), "expired");
    }
}

#[test]
fn after_a_restart() {
    let world = World::new(Params::default());
    let (_, transaction, block) = committed(&world);
    let restart = |window: bool| {
        let hashes = [Height(0), Height(1)].map(block_hash);
        let mut history = History::new(world.params().ref_block_window, Height(1), at(100), hashes);
        history.load_window(loaded(&block).filter(|_| window));
        Pool::new(PoolLimits::default(), world.params().clone(), history)
    };
    assert_eq!(code(&mut restart(true), &transaction, at(200)), "already_committed");
    assert_eq!(code(&mut restart(true), &transaction, at(EXPIRES_MS)), "expired");
    // The window is what refuses it.
    assert!(restart(false).submit(transaction.clone(), at(200), at(200)).is_ok());
}

#[test]
fn after_a_restart_when_it_was_kept() {
    let world = World::new(Params::default());
    let (_, transaction, block) = committed(&world);
    let other = world.verified(world.call(0, 2, EXPIRES_MS));
    let mut history = History::new(1_000, Height(1), at(100), [Height(0), Height(1)].map(block_hash));
    history.load_window(loaded(&block));
    let mut pool = Pool::new(PoolLimits::default(), world.params().clone(), history);
    for (arrival, transaction) in [(7, &transaction), (8, &other)] {
        pool.restore(Kept { arrival, transaction: transaction.clone() }, at(200));
    }
    assert_eq!(pool.oldest(), 8, "what a block holds is done with");
    assert_eq!(ids(&pool.seal(Place { height: Height(2), timestamp: at(300) }).batch), [other.id()]);
}

#[test]
fn when_another_node_had_it_in_its_block() {
    let world = World::new(Params::default());
    let mut pool = world.pool(PoolLimits::default());
    let batch: Vec<_> = (0..5).map(|nonce| world.plain(nonce)).collect();
    for transaction in &batch {
        pool.submit(transaction.clone(), at(1), at(1)).unwrap();
    }
    // Sealed here, but the block that is committed is another's, with some of them.
    pool.seal(Place { height: Height(1), timestamp: at(300) });
    pool.committed(&block(1, at(200), &batch[1..3])).unwrap();
    pool.returned(ids(&batch));
    let next = pool.seal(Place { height: Height(2), timestamp: at(400) });
    assert_eq!(ids(&next.batch), ids(&[&batch[..1], &batch[3..]].concat()));
}

#[test]
fn a_block_is_committed_once_and_in_order() {
    let world = World::new(Params::default());
    let (mut pool, _, first) = committed(&world);
    assert!(pool.committed(&first).is_err());
    assert!(pool.committed(&block(3, at(900), &[])).is_err());
    assert_eq!(pool.history().height(), Height(1));
}

/// As a restarted node loads them.
fn loaded(block: &CommittedBlock) -> impl Iterator<Item = (Height, TxId, Timestamp)> {
    block.transactions.iter().map(|(id, expiration)| (block.height, *id, *expiration))
}

/// A thousand transactions, each tried again and again: while it waits, in every block from then on, across restarts
/// at any height, until it is long forgotten. Whatever the pool accepts is put into a block.
#[test]
fn a_million_attempts() {
    let remembered = execute_a_thousand(REF_BLOCKS_MAX, |n| (0, 100 + n * 9));
    assert!(remembered > 900, "{remembered}");
}

/// The same, but they are forgotten since they refer to blocks that are too old, long before they expire.
#[test]
fn a_million_attempts_with_references_that_grow_old() {
    for ref_blocks in [1, 2, 8, 9, 40, 250] {
        let remembered = execute_a_thousand(ref_blocks, |n| (n, 590_000 + n)) as u64;
        assert!(remembered <= ref_blocks + ref_blocks.div_ceil(8), "{ref_blocks}: {remembered}");
    }
}

/// Tries to have each of a thousand transactions executed before and after each of a thousand blocks, where a reference can lie this
/// many blocks back. `of` says of each the height of the block that it refers to, and when it expires. The most that was remembered.
fn execute_a_thousand(ref_blocks: u64, of: impl Fn(u64) -> (u64, u64)) -> usize {
    let world = World::new(Params { ref_block_window: ref_blocks, ..Params::default() });
    let call = |n: u64| {
        let (ref_height, expires_ms) = of(n);
        let ref_hash = prefix(&block_hash(Height(ref_height)));
        let ref_height = Height(ref_height);
        world.verified(Transaction { ref_height, ref_hash, ..world.call(n as usize % 8, n, expires_ms) })
    };
    let all: Vec<_> = (0..1_000).map(call).collect();
    let mut pool = world.pool(PoolLimits::default());
    let mut chain = Vec::new();
    let mut times_executed = vec![0; all.len()];
    let mut remembered = 0;
    for height in 1..=1_000 {
        let time = at(height * 10);
        for (n, transaction) in all.iter().enumerate() {
            let accepted = pool.submit(transaction.clone(), at(height * 10 - 5), at(height * 10 - 5)).is_ok();
            times_executed[n] += usize::from(accepted);
        }
        let batch = pool.seal(Place { height: Height(height), timestamp: time }).batch;
        let block = block(height, time, &batch);
        pool.committed(&block).unwrap();
        remembered = remembered.max(pool.status().remembered);
        chain.push(block);
        if height % 37 == 0 {
            let hashes = (0..=height).map(|height| block_hash(Height(height)));
            let mut history = History::new(ref_blocks, Height(height), time, hashes);
            history.load_window(chain.iter().flat_map(loaded).filter(|(_, _, expiration)| *expiration > time));
            pool = Pool::new(PoolLimits::default(), world.params().clone(), history);
        }
    }
    assert_eq!(times_executed, vec![1; all.len()], "{ref_blocks}");
    assert_eq!(chain.iter().map(|block| block.transactions.len()).sum::<usize>(), all.len());
    remembered
}
