//! When batches are ready, what is in them, and how much a pool keeps.
#![allow(clippy::unwrap_used)]

mod support;

use hanse_txpool::{Kept, Place, Pool, PoolLimits, Refusal, Retry};
use hanse_types::{Gas, Height, Params, Transaction, Verified};
use support::{World, at, block, ids};

fn params() -> Params {
    Params { block_tx_count_max: 4, block_interval_ms: 100, ref_block_window: 3, ..Params::default() }
}

fn place(height: u64, ms: u64) -> Place {
    Place { height: Height(height), timestamp: at(ms) }
}

fn submit(pool: &mut Pool, world: &World, nonces: std::ops::Range<u64>, ms: u64) -> Vec<Verified> {
    let batch: Vec<_> = nonces.map(|nonce| world.plain(nonce)).collect();
    for transaction in &batch {
        pool.submit(transaction.clone(), at(ms), at(ms)).unwrap();
    }
    batch
}

#[test]
fn a_batch_is_ready_when_full_or_when_the_oldest_has_waited() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    assert_eq!(pool.deadline(), None);
    assert!(!pool.is_due(at(1_000_000)));
    submit(&mut pool, &world, 0..1, 50);
    submit(&mut pool, &world, 1..3, 120);
    assert_eq!(pool.deadline(), Some(at(150)));
    assert!(!pool.is_due(at(149)) && pool.is_due(at(150)));
    submit(&mut pool, &world, 3..4, 130);
    assert!(pool.is_due(at(130)));
    pool.seal(place(1, 130));
    assert_eq!(pool.deadline(), None);
}

#[test]
fn what_is_enough_waits_for_no_more() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    pool.seal_from(2);
    submit(&mut pool, &world, 0..1, 50);
    assert!(!pool.is_due(at(149)) && pool.is_due(at(150)), "the interval counts still");
    submit(&mut pool, &world, 1..3, 60);
    assert!(pool.is_due(at(60)));
    assert_eq!(pool.seal(place(1, 60)).batch.len(), 3, "all that wait go, not only what is enough");
    submit(&mut pool, &world, 4..5, 70);
    assert!(!pool.is_due(at(70)));
    pool.seal_from(0);
    assert!(pool.is_due(at(70)), "a batch has at least one");
}

#[test]
fn a_batch_is_full_by_count_bytes_or_gas() {
    let params = || Params { ref_block_window: 100, ..params() };
    let world = World::new(params());
    let bytes = world.plain(0).byte_count() as u64;
    let by_count = (params(), PoolLimits::default(), 4);
    let by_bytes = (Params { block_bytes_max: 3 * bytes, ..params() }, PoolLimits::default(), 3);
    let by_gas = (params(), PoolLimits { batch_gas: Gas(2_500), ..PoolLimits::default() }, 2);
    for (params, limits, expected) in [by_count, by_bytes, by_gas] {
        let mut pool = Pool::new(limits, params, world.history());
        let all = submit(&mut pool, &world, 0..10, 1);
        assert!(pool.is_due(at(1)));
        for (height, batch) in (1..).zip(all.chunks(expected)) {
            assert_eq!(ids(&pool.seal(place(height, height * 10)).batch), ids(batch));
        }
        assert_eq!(pool.status().waiting, 0);
    }
}

#[test]
fn a_transaction_above_the_nodes_own_gas_bound_gets_a_batch_for_itself() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits { batch_gas: Gas(10), ..PoolLimits::default() });
    let all = submit(&mut pool, &world, 0..3, 1);
    for (height, transaction) in (1..).zip(&all) {
        assert_eq!(ids(&pool.seal(place(height, height * 10)).batch), [transaction.id()]);
    }
}

#[test]
fn those_of_a_failed_block_wait_again_in_their_places() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    let all = submit(&mut pool, &world, 0..10, 1);
    let first = pool.seal(place(1, 10));
    let second = pool.seal(place(2, 20));
    pool.returned(ids(&second.batch));
    pool.returned(ids(&first.batch));
    pool.returned(ids(&first.batch));
    assert_eq!(pool.status().waiting, 10);
    assert!(pool.is_due(at(30)));
    assert_eq!(ids(&pool.seal(place(1, 30)).batch), ids(&all[..4]));
    pool.committed(&block(1, at(30), &all[..4])).unwrap();
    assert_eq!(ids(&pool.into_transactions().collect::<Vec<_>>()), ids(&all[4..]));
}

#[test]
fn what_can_no_longer_be_included_is_dropped_with_the_reason() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    let short = world.verified(world.call(1, 1, 500));
    let long = world.plain(2);
    pool.submit(short.clone(), at(1), at(1)).unwrap();
    pool.submit(long.clone(), at(1), at(1)).unwrap();
    assert!(pool.expire(at(499)).is_empty());
    let dropped = pool.expire(at(500));
    assert_eq!((dropped[0].id(), dropped[0].refusal.code(), dropped.len()), (short.id(), "expired", 1));

    // Blocks go by until its reference, block 0, is too old for block 4.
    (1..=3).for_each(|height| pool.committed(&block(height, at(height * 600), &[])).unwrap());
    let sealed = pool.seal(place(4, 2_500));
    assert!(sealed.batch.is_empty());
    assert_eq!((sealed.dropped[0].id(), sealed.dropped[0].refusal.code()), (long.id(), "reference_too_old"));
    assert_eq!((pool.status().waiting, pool.status().bytes), (0, 0));
}

#[test]
fn where_others_make_blocks_too_the_chain_says_what_has_expired() {
    let world = World::new(params());
    let limits = PoolLimits { count: 4, ..PoolLimits::default() };
    let mut pool = world.pool(limits).of_several();
    let short: Vec<_> = (0..4).map(|n| world.verified(world.call(1, n, 500))).collect();
    for transaction in &short {
        pool.submit(transaction.clone(), at(1), at(1)).unwrap();
    }
    // By this node's clock all are over: none is in a block of its, and all are here.
    assert!(pool.expire(at(600)).is_empty());
    assert_eq!((pool.status().waiting, pool.status().lapsed, pool.status().bytes), (0, 4, 0));
    assert!(pool.deadline().is_none() && pool.seal(place(1, 600)).batch.is_empty());
    assert_eq!(pool.oldest(), 0, "what was kept of them is needed");
    assert!(short.iter().all(|transaction| pool.contains(&transaction.id()) && pool.get(&transaction.id()).is_some()));
    assert_eq!(pool.list(None, 9).0.len(), 4);
    assert_eq!(pool.by_leaf(&short[1].leaf()), Some(&short[1]));

    // They take nobody's place.
    let long = submit(&mut pool, &world, 10..13, 1);
    assert_eq!(ids(&pool.seal(place(1, 700)).batch), ids(&long[..3]));

    // A block of another node is of an earlier time, and holds one of them; the next is of a later time.
    pool.committed(&block(1, at(499), &short[1..2])).unwrap();
    assert!(pool.expire(at(700)).is_empty());
    assert!(!pool.contains(&short[1].id()));
    pool.committed(&block(2, at(500), &long[..1])).unwrap();
    let dropped = pool.expire(at(700));
    assert_eq!(
        dropped.iter().map(|dropped| dropped.id()).collect::<Vec<_>>(),
        ids(&[short[0].clone(), short[2].clone(), short[3].clone()])
    );
    assert!(dropped.iter().all(|dropped| dropped.refusal.code() == "expired"));
    assert_eq!((pool.status().lapsed, pool.oldest()), (0, 5));
    assert_eq!(pool.by_leaf(&short[0].leaf()), None);
}

#[test]
fn what_is_valid_for_too_long_by_a_clock_that_was_set_back_waits_until_it_is_not() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default()).of_several();
    let lifetime = params().tx_lifetime_ms_max;
    let transaction = world.verified(world.call(1, 1, lifetime + 100));
    // Accepted by an earlier life, whose clock was ahead.
    pool.restore(Kept { arrival: 7, transaction: transaction.clone() }, at(10));
    assert!(pool.expire(at(10)).is_empty());
    let sealed = pool.seal(place(1, 10));
    assert!(sealed.batch.is_empty() && sealed.dropped.is_empty());
    assert_eq!((pool.status().waiting, pool.status().lapsed), (0, 1));
    assert!(pool.expire(at(99)).is_empty());
    assert_eq!(pool.status().lapsed, 1);
    assert!(pool.expire(at(100)).is_empty());
    assert_eq!((pool.status().waiting, pool.status().bytes), (1, transaction.byte_count()));
    assert_eq!(ids(&pool.seal(place(1, 100)).batch), [transaction.id()]);
}

#[test]
fn where_no_block_settles_what_has_lapsed_no_more_is_kept_than_the_pool_holds() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits { count: 2, ..PoolLimits::default() }).of_several();
    let mut given_up = Vec::new();
    for n in 0..6 {
        let transaction = world.verified(world.call(1, n, 500 + n));
        pool.submit(transaction, at(n), at(n)).unwrap();
        given_up.extend(pool.expire(at(600)));
    }
    // Those that expire first; a block may yet hold them, so they are not reported as expired.
    let codes: Vec<_> = given_up.iter().map(|dropped| (dropped.arrival, dropped.refusal.code())).collect();
    assert_eq!(codes, [(0, "pool_full"), (1, "pool_full"), (2, "pool_full"), (3, "pool_full")]);
    assert_eq!(pool.status().lapsed, 2);
}

#[test]
fn what_a_block_ahead_cannot_include_is_left_for_the_one_before_it() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default()).of_several();
    let early = world.plain(1);
    pool.submit(early.clone(), at(1), at(1)).unwrap();
    (1..=2).for_each(|height| pool.committed(&block(height, at(height * 100), &[])).unwrap());
    // Its reference, block 0, is too old for block 4, and not for block 3, which is not decided.
    let sealed = pool.seal(place(4, 400));
    assert!(sealed.batch.is_empty() && sealed.dropped.is_empty());
    assert_eq!(ids(&pool.seal(place(3, 300)).batch), [early.id()]);
    pool.returned([early.id()]);
    pool.committed(&block(3, at(300), &[])).unwrap();
    assert_eq!(pool.seal(place(4, 400)).dropped[0].refusal.code(), "reference_too_old");
}

#[test]
fn stricter_parameters_hold_for_what_already_waits() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    let all = submit(&mut pool, &world, 0..3, 1);
    pool.set_params(Params { tx_gas_max: Gas(999), ..params() });
    let sealed = pool.seal(place(1, 10));
    assert!(sealed.batch.is_empty());
    let too_high = Refusal::GasLimitTooHigh { found: Gas(1_000), limit: Gas(999) };
    assert!(sealed.dropped.iter().all(|dropped| dropped.refusal == too_high));
    assert_eq!(sealed.dropped.iter().map(|dropped| dropped.id()).collect::<Vec<_>>(), ids(&all));
}

#[test]
fn what_comes_faster_than_blocks_take_it_is_refused_soon() {
    let world = World::new(params());
    let limits = PoolLimits { wait_ms: 2 * params().block_interval_ms + 100, wait_count: 2, ..PoolLimits::default() };
    let closes_ms = 1 + limits.wait_ms;
    let mut quick = world.pool(PoolLimits { wait_ms: 1, ..limits });
    assert_eq!(quick.wait_ms(), 2 * params().block_interval_ms);
    quick.deciding_takes(700);
    assert_eq!(
        quick.wait_ms(),
        2 * params().block_interval_ms + 700,
        "where votes take that long, it is nobody's fault"
    );
    let mut pool = world.pool(limits);
    assert_eq!(pool.status().closes_at, None);
    let waiting = submit(&mut pool, &world, 0..5, 1);
    assert_eq!(pool.status().closes_at, Some(at(closes_ms)));
    submit(&mut pool, &world, 5..6, closes_ms);
    let slow = pool.submit(world.plain(6), at(closes_ms + 1), at(closes_ms + 1)).unwrap_err();
    assert_eq!((slow.code(), slow.retry()), ("pool_full", Retry::Later));
    assert_eq!(slow, Refusal::PoolSlow { count: 6, waited_ms: closes_ms });

    // A block takes the oldest; the next one has waited for less.
    let sealed = pool.seal(place(1, closes_ms + 1));
    assert_eq!(ids(&sealed.batch), ids(&waiting[..4]));
    assert!(pool.submit(world.plain(6), at(closes_ms + 1), at(closes_ms + 1)).is_err());
    pool.committed(&block(1, at(closes_ms + 1), &sealed.batch)).unwrap();
    pool.seal(place(2, closes_ms + 2));
    assert!(pool.submit(world.plain(6), at(closes_ms + 2), at(closes_ms + 2)).is_ok());
}

#[test]
fn few_may_wait_for_however_long() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits { wait_ms: 1, wait_count: 3, ..PoolLimits::default() });
    submit(&mut pool, &world, 0..1, 1);
    submit(&mut pool, &world, 1..3, 50_000);
    assert_eq!(pool.status().closes_at, Some(at(1 + pool.wait_ms())));
    let slow = pool.submit(world.plain(3), at(50_000), at(50_000)).unwrap_err();
    assert_eq!(slow, Refusal::PoolSlow { count: 3, waited_ms: 49_999 });
    pool.seal(place(1, 50_000));
    assert_eq!(pool.status().closes_at, None);
    submit(&mut pool, &world, 3..4, 50_000);
}

#[test]
fn what_was_done_with_a_transaction_before_it_came_here_counts_as_waiting() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    pool.submit(world.plain(0), at(1), at(50)).unwrap();
    assert_eq!(pool.deadline(), Some(at(1 + params().block_interval_ms)));
    assert_eq!((pool.status().waiting_since, pool.status().sealed_since), (Some(at(1)), None));
    pool.seal(place(1, 60));
    assert_eq!((pool.status().waiting_since, pool.status().sealed_since), (None, Some(at(1))));
    // Nothing comes from the future.
    pool.submit(world.plain(1), at(99), at(60)).unwrap();
    assert_eq!(pool.status().waiting_since, Some(at(60)));
}

#[test]
fn memory_is_bounded_in_all_and_for_each_sender() {
    let world = World::new(params());
    let bytes = world.plain(0).byte_count();
    let limits = PoolLimits { count: 10, sender_count: 4, ..PoolLimits::default() };
    let mut pool = world.pool(limits);
    let submit = |pool: &mut Pool, client, nonce| {
        let call: Transaction = world.call(client, nonce, 60_000);
        pool.submit(world.verified(call), at(1), at(1)).map_err(|refusal| refusal.code())
    };
    for nonce in 0..4 {
        submit(&mut pool, 0, nonce).unwrap();
    }
    assert_eq!(submit(&mut pool, 0, 4), Err("sender_limit"));
    for (client, nonce) in [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)] {
        submit(&mut pool, client, nonce).unwrap();
    }
    assert_eq!(submit(&mut pool, 2, 2), Err("pool_full"));
    // Those in a block under way count, for they may come back.
    let first = pool.seal(place(1, 10));
    assert_eq!(submit(&mut pool, 2, 2), Err("pool_full"));
    assert_eq!(submit(&mut pool, 0, 4), Err("sender_limit"));
    pool.committed(&block(1, at(10), &first.batch)).unwrap();
    assert!(submit(&mut pool, 0, 4).is_ok());
    assert_eq!(pool.status().bytes, 7 * bytes);

    let mut pool =
        world.pool(PoolLimits { bytes: 2 * bytes + 1, sender_bytes: 2 * bytes - 1, ..PoolLimits::default() });
    submit(&mut pool, 0, 0).unwrap();
    assert_eq!(submit(&mut pool, 0, 1), Err("sender_limit"));
    submit(&mut pool, 1, 0).unwrap();
    assert_eq!(submit(&mut pool, 2, 0), Err("pool_full"));
}

#[test]
fn a_suspect_is_sealed_alone_in_its_place_until_it_is_acquitted_or_convicted() {
    let world = World::new(params());
    let mut pool = world.pool(PoolLimits::default());
    let all = submit(&mut pool, &world, 0..6, 0);
    let ids: Vec<_> = all.iter().map(Verified::id).collect();
    assert_eq!(pool.suspect(&ids[2], 1).map(|suspicion| suspicion.arrival), Some(2));
    assert!(pool.suspect(&ids[3], 1).is_some());
    assert_eq!(pool.suspect(&world.plain(99).id(), 1), None);
    let seal = |pool: &mut Pool, height| {
        let batch = pool.seal(place(height, 10_000)).batch;
        batch.iter().map(Verified::id).collect::<Vec<_>>()
    };

    assert_eq!(seal(&mut pool, 1), ids[..2]);
    assert_eq!(seal(&mut pool, 1), ids[2..3]);
    // A block that failed gives it back to its place.
    assert_eq!(pool.places(&all[2..3]), Some(2..=2));
    pool.returned([ids[2]]);
    assert_eq!(seal(&mut pool, 1), ids[2..3]);
    assert_eq!(pool.acquit(&ids[2]), Some(2));
    assert_eq!(pool.acquit(&ids[2]), None);

    assert_eq!(seal(&mut pool, 1), ids[3..4]);
    let dropped = pool.convict(&ids[3], "it broke".into()).unwrap();
    assert_eq!((dropped.id(), dropped.arrival, dropped.refusal.code()), (ids[3], 3, "engine_failed"));
    assert_eq!(pool.convict(&ids[3], "it broke".into()), None);
    assert!(!pool.contains(&ids[3]) && !pool.has_suspects());
    assert_eq!(seal(&mut pool, 1), ids[4..]);

    // One that was named before it came is a suspect from the start.
    let late = world.plain(50);
    pool.suspect_on_arrival(vec![late.id()]);
    pool.submit(late.clone(), at(0), at(0)).unwrap();
    submit(&mut pool, &world, 51..53, 0);
    assert_eq!(seal(&mut pool, 1), [late.id()]);
    assert_eq!(pool.status().waiting, 2);
}

#[test]
fn suspects_share_a_batch_with_so_many_suspects_as_each_may_and_with_nobody_else() {
    let world = World::new(Params { block_tx_count_max: 8, ref_block_window: 100, ..params() });
    let mut pool = world.pool(PoolLimits::default());
    let all = submit(&mut pool, &world, 0..15, 0);
    // Eight that may be three in a batch; within them one that is to be alone; then two that may be many.
    for (index, at_once) in [(2, 3), (3, 3), (4, 3), (5, 3), (6, 1), (7, 3), (8, 3), (9, 3), (10, 9), (11, 9)] {
        assert_eq!(pool.suspect(&all[index].id(), at_once).map(|suspicion| suspicion.arrival), Some(index as u64));
    }
    let mut sealed = 0;
    for (height, count) in [2, 3, 1, 1, 3, 2, 3].into_iter().enumerate() {
        let batch = pool.seal(place(1 + height as u64, 10_000)).batch;
        assert_eq!(batch, all[sealed..sealed + count], "after {sealed}");
        assert_eq!(pool.places(&batch), Some(sealed as u64..=(sealed + count - 1) as u64));
        sealed += count;
    }
    assert_eq!((sealed, pool.status().waiting), (15, 0));
    assert_eq!((pool.places(&[]), pool.places(&[world.plain(99)])), (None, None));

    // It was one of a batch: the others are suspects no more.
    let left: Vec<_> = all[4..6].iter().filter_map(|suspect| pool.suspicion(&suspect.id())).collect();
    assert_eq!(pool.acquit_all_but(&left), [2, 3, 7, 8, 9, 10, 11]);
    let is_suspect = |index: usize| pool.suspicion(&all[index].id()).is_some();
    assert!((0..15).all(|index| is_suspect(index) == matches!(index, 4..=6)), "one that is to be alone stays");

    // Nobody else is given one.
    pool.returned(all.iter().map(Verified::id));
    assert_eq!(pool.oldest_waiting(6), [&all[..4], &all[7..9]].concat());
}
