//! Transactions that another node passes on before the block they refer to is here.
#![allow(clippy::unwrap_used)]

mod support;

use hanse_txpool::{Pool, PoolLimits, Refusal};
use hanse_types::{Height, Params, Transaction, Verified};
use support::{World, at, block, block_hash, prefix};

fn world() -> World {
    World::new(Params { tx_lifetime_ms_max: 100_000, ..Params::default() })
}

/// Refers to this block, and lives for a minute.
fn referring(world: &World, height: u64, nonce: u64) -> Verified {
    let ref_hash = prefix(&block_hash(Height(height)));
    world.verified(Transaction { ref_height: Height(height), ref_hash, ..world.call(0, nonce, 60_000) })
}

fn commits(pool: &mut Pool, height: u64) {
    pool.committed(&block(height, at(height), &[])).unwrap();
    pool.admit_early(at(height));
}

#[test]
fn it_is_admitted_when_the_block_is_here() {
    let world = world();
    let mut pool = world.pool(PoolLimits::default());
    let transactions: Vec<Verified> = (1..=3).map(|height| referring(&world, height, height)).collect();
    for (transaction, height) in transactions.iter().zip(1..) {
        let refused = pool.relayed(transaction.clone(), at(0), at(0));
        assert_eq!(refused, Err(Refusal::ReferenceUnknown { height: Height(height), tip: Height(0) }));
        assert!(!pool.contains(&transaction.id()));
    }
    commits(&mut pool, 1);
    let here: Vec<bool> = transactions.iter().map(|transaction| pool.contains(&transaction.id())).collect();
    assert_eq!(here, [true, false, false]);
    commits(&mut pool, 2);
    commits(&mut pool, 3);
    assert!(transactions.iter().all(|transaction| pool.contains(&transaction.id())));
    assert_eq!(pool.status().waiting, 3);
    commits(&mut pool, 4);
    assert_eq!(pool.status().waiting, 3);
}

#[test]
fn what_a_client_sends_is_refused_for_good() {
    let world = world();
    let mut pool = world.pool(PoolLimits::default());
    let transaction = referring(&world, 1, 0);
    assert!(pool.submit(transaction.clone(), at(0), at(0)).is_err());
    commits(&mut pool, 1);
    assert!(!pool.contains(&transaction.id()));
}

#[test]
fn what_breaks_another_rule_by_then_is_forgotten() {
    let world = world();
    let mut pool = world.pool(PoolLimits::default());
    let wrong = Transaction { ref_height: Height(1), ref_hash: [7; 8], ..world.call(0, 0, 60_000) };
    let wrong = world.verified(wrong);
    assert!(pool.relayed(wrong.clone(), at(0), at(0)).is_err());
    let committed = referring(&world, 2, 1);
    assert!(pool.relayed(committed.clone(), at(0), at(0)).is_err());
    commits(&mut pool, 1);
    pool.committed(&block(2, at(2), std::slice::from_ref(&committed))).unwrap();
    pool.admit_early(at(2));
    assert!(!pool.contains(&wrong.id()) && !pool.contains(&committed.id()));
    assert_eq!(pool.status().waiting, 0);
}

#[test]
fn few_are_kept_and_none_of_far_off_blocks() {
    let world = world();
    let mut pool = world.pool(PoolLimits::default());
    let far = referring(&world, 5, 0);
    assert!(pool.relayed(far.clone(), at(0), at(0)).is_err());
    let near: Vec<Verified> = (1..=1_100).map(|nonce| referring(&world, 1, nonce)).collect();
    near.iter().for_each(|transaction| assert!(pool.relayed(transaction.clone(), at(0), at(0)).is_err()));
    commits(&mut pool, 1);
    assert_eq!(pool.status().waiting, 1_024);
    assert!(near[..1_024].iter().all(|transaction| pool.contains(&transaction.id())));
    (2..=5).for_each(|height| commits(&mut pool, height));
    assert!(!pool.contains(&far.id()));
    // There is room again.
    let next = referring(&world, 6, 5_000);
    assert!(pool.relayed(next.clone(), at(5), at(5)).is_err());
    commits(&mut pool, 6);
    assert!(pool.contains(&next.id()));
}
