//! Every rule of admission, at its boundary, in the pool and for a proposed block.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;

use hanse_txpool::admission::{self, Place};
use hanse_txpool::{BlockRefusal, History, PoolLimits, REF_BLOCKS_MAX, Refusal, Retry};
use hanse_types::{Gas, Hash, Height, Params, Transaction, Verified};
use support::{World, at, block, block_hash, ids, prefix};

fn world() -> World {
    World::new(Params { tx_lifetime_ms_max: 10_000, ref_block_window: 4, ..Params::default() })
}

/// A history of so many blocks after the genesis, one a second.
fn history(blocks: u64) -> History {
    let mut history = world().history();
    (1..=blocks).for_each(|height| history.append(&block(height, at(height * 1000), &[])).unwrap());
    history
}

fn place(height: u64, ms: u64) -> Place {
    Place { height: Height(height), timestamp: at(ms) }
}

fn check(world: &World, call: Transaction, history: &History, place: Place) -> Option<&'static str> {
    admission::check(&world.verified(call), world.params(), history, place).err().map(|refusal| refusal.code())
}

#[test]
fn version_gas_and_size_are_bounded() {
    let (world, history) = (world(), history(0));
    let call = world.call(0, 1, 5_000);
    assert_eq!(check(&world, call.clone(), &history, place(1, 1)), None);

    let max = world.params().tx_gas_max;
    let greedy = |gas_limit| Transaction { gas_limit, ..call.clone() };
    assert_eq!(check(&world, greedy(max), &history, place(1, 1)), None);
    assert_eq!(check(&world, greedy(Gas(max.0 + 1)), &history, place(1, 1)), Some("gas_limit_too_high"));

    let transaction = world.verified(call);
    let bytes = transaction.byte_count() as u64;
    let narrow = |block_bytes_max| Params { block_bytes_max, ..world.params().clone() };
    let checked = |limit| admission::check(&transaction, &narrow(limit), &history, place(1, 1));
    assert_eq!(checked(bytes), Ok(()));
    assert_eq!(checked(bytes - 1), Err(Refusal::TransactionTooLarge { found: bytes, limit: bytes - 1 }));
}

#[test]
fn a_transaction_is_includable_before_its_expiration_and_not_too_long_before() {
    let (world, history) = (world(), history(0));
    let call = world.call(0, 1, 50_000);
    let code = |ms| check(&world, call.clone(), &history, place(1, ms));
    assert_eq!(code(39_999), Some("expires_too_late"));
    assert_eq!(code(40_000), None);
    assert_eq!(code(49_999), None);
    assert_eq!(code(50_000), Some("expired"));
    assert_eq!(code(50_001), Some("expired"));
}

#[test]
fn the_reference_is_a_recent_block_of_this_chain() {
    let (world, history) = (world(), history(10));
    let call = |height: u64| {
        let ref_hash = prefix(&block_hash(Height(height)));
        Transaction { ref_height: Height(height), ref_hash, ..world.call(0, 1, 15_000) }
    };
    // Block 11 may refer to blocks 7 to 10.
    let code = |height| check(&world, call(height), &history, place(11, 11_000));
    assert_eq!(code(0), Some("reference_too_old"));
    assert_eq!(code(6), Some("reference_too_old"));
    assert_eq!(code(7), None);
    assert_eq!(code(10), None);
    assert_eq!(code(11), Some("reference_unknown"));
    assert_eq!(code(u64::MAX), Some("reference_unknown"));
    let wrong = Transaction { ref_hash: [1; 8], ..call(9) };
    assert_eq!(check(&world, wrong, &history, place(11, 11_000)), Some("reference_mismatch"));
}

#[test]
fn after_a_restart_references_are_judged_as_before() {
    let count = REF_BLOCKS_MAX + 100;
    let history =
        |hashes: &mut dyn Iterator<Item = Hash>| History::new(REF_BLOCKS_MAX, Height(count), at(count), hashes);
    let mut running = History::new(REF_BLOCKS_MAX, Height(0), at(0), [block_hash(Height(0))]);
    (1..=count).for_each(|height| running.append(&block(height, at(height), &[])).unwrap());
    let restarted = history(&mut (count - REF_BLOCKS_MAX..=count).map(|height| block_hash(Height(height))));
    let all = history(&mut (0..=count).map(|height| block_hash(Height(height))));
    for height in (0..=count + 2).map(Height) {
        assert_eq!(running.prefix_of(height), restarted.prefix_of(height), "{height}");
        assert_eq!(running.prefix_of(height), all.prefix_of(height), "{height}");
    }
    assert_eq!(running.prefix_of(Height(count)), Some(prefix(&block_hash(Height(count)))));
    assert_eq!(running.prefix_of(Height(99)), None);
    assert!(history(&mut std::iter::empty()).prefix_of(Height(count)).is_none());
}

#[test]
fn a_window_that_was_made_shorter_is_judged_alike_by_who_ran_and_who_restarted() {
    let founded = World::new(Params { ref_block_window: 40, ..Params::default() });
    let referring = |height: u64, nonce: u64| {
        let ref_hash = prefix(&block_hash(Height(height)));
        founded.verified(Transaction { ref_height: Height(height), ref_hash, ..founded.call(0, nonce, 300_000) })
    };
    let mut running = founded.history();
    let chain: Vec<_> = (1..=60).map(|height| block(height, at(height * 1000), &[referring(height - 1, 0)])).collect();
    chain.iter().for_each(|block| running.append(block).unwrap());
    let mut restarted = History::new(10, Height(60), at(60_000), (0..=60).map(|height| block_hash(Height(height))));
    let newest = chain.iter().filter(|block| block.height >= restarted.oldest()).collect::<Vec<_>>();
    restarted.load_window(
        newest
            .iter()
            .flat_map(|block| block.transactions.iter().map(|(id, expiration)| (block.height, *id, *expiration))),
    );
    assert!(restarted.remembered() < running.remembered() && running.remembered() < 60);

    let judge = |window: u64, history: &History, transaction: &Verified| {
        let params = Params { ref_block_window: window, ..founded.params().clone() };
        admission::check(transaction, &params, history, place(61, 61_000)).err().map(|refusal| refusal.code())
    };
    for (height, nonce) in (0..60).flat_map(|height| [(height, 0), (height, 1)]) {
        let transaction = referring(height, nonce);
        let code = judge(10, &running, &transaction);
        assert_eq!(judge(10, &restarted, &transaction), code);
        let expected = [Some("already_committed"), None][nonce as usize];
        assert_eq!(code, if height < 51 { Some("reference_too_old") } else { expected }, "{height}, {nonce}");
        // Whatever parameters say, a reference lies no further back than what is remembered.
        let longest = judge(1_000, &running, &transaction);
        assert_eq!(longest, if height < 21 { Some("reference_too_old") } else { expected }, "{height}, {nonce}");
    }
}

#[test]
fn a_proposed_block_is_held_to_the_same_rules() {
    let world = world();
    let mut history = history(0);
    let batch: Vec<Verified> = (0..4).map(|nonce| world.verified(world.call(0, nonce, 5_000))).collect();
    let nothing = HashSet::new();
    let judge = |batch: &[Verified], history: &History, params: &Params| {
        admission::check_block(
            batch,
            params,
            history,
            Place { height: history.height().next(), timestamp: at(2_000) },
            &nothing,
        )
    };
    assert_eq!(judge(&batch, &history, world.params()), Ok(()));
    assert_eq!(judge(&[], &history, world.params()), Err(BlockRefusal::Empty));

    let small = Params { block_tx_count_max: 3, ..world.params().clone() };
    assert_eq!(judge(&batch, &history, &small), Err(BlockRefusal::TooMany { found: 4, limit: 3 }));
    let bytes = batch.iter().map(|tx| tx.byte_count() as u64).sum::<u64>();
    let exact = Params { block_bytes_max: bytes, ..world.params().clone() };
    assert_eq!(judge(&batch, &history, &exact), Ok(()));
    let narrow = Params { block_bytes_max: bytes - 1, ..world.params().clone() };
    assert_eq!(judge(&batch, &history, &narrow), Err(BlockRefusal::TooLarge { found: bytes, limit: bytes - 1 }));

    let twice = [batch[0].clone(), batch[1].clone(), batch[0].clone()];
    let duplicate = BlockRefusal::Duplicate { index: 2, id: batch[0].id() };
    assert_eq!(judge(&twice, &history, world.params()), Err(duplicate));

    let unwritten = HashSet::from([batch[3].id()]);
    let refused = admission::check_block(&batch, world.params(), &history, place(1, 2_000), &unwritten);
    assert_eq!(refused, Err(BlockRefusal::Duplicate { index: 3, id: batch[3].id() }));

    history.append(&block(1, at(1_000), &batch[2..3])).unwrap();
    let committed = Refusal::AlreadyCommitted { id: batch[2].id() };
    let refused = BlockRefusal::Transaction { index: 2, refusal: committed };
    assert_eq!(judge(&batch, &history, world.params()), Err(refused));

    let expired = admission::check_block(&batch[..1], world.params(), &history, place(2, 5_000), &nothing);
    assert!(matches!(expired, Err(BlockRefusal::Transaction { index: 0, refusal: Refusal::Expired { .. } })));
}

#[test]
fn what_a_pool_seals_a_validator_accepts() {
    let world = world();
    let mut pool = world.pool(PoolLimits::default());
    for nonce in 0..100 {
        pool.submit(world.verified(world.call(nonce as usize % 8, nonce, 2_000 + nonce * 10)), at(10), at(10)).unwrap();
    }
    let place = place(1, 2_500);
    let history = world.history();
    let sealed = pool.seal(place);
    assert_eq!((sealed.batch.len(), sealed.dropped.len()), (49, 51));
    let verdict = admission::check_block(&sealed.batch, world.params(), &history, place, &HashSet::new());
    assert_eq!(verdict, Ok(()));
}

#[test]
fn refusals_have_stable_codes_and_say_what_to_do() {
    let refused = Refusal::Expired { expiration: at(5), block_time: at(6) };
    assert_eq!((refused.code(), refused.retry()), ("expired", Retry::Renew));
    assert!(refused.to_string().contains("1000005"), "{refused}");
    let id = ids(&[world().plain(1)])[0];
    assert_eq!(Refusal::AlreadyCommitted { id }.retry(), Retry::AskForReceipt);
    assert_eq!(Refusal::PoolFull { count: 1, bytes: 2 }.retry(), Retry::Later);
    assert_eq!(Refusal::ReferenceMismatch { height: Height(1) }.retry(), Retry::Change);
}
