//! The pool prices trades so that its product never falls, and gives everybody its part.

use amm::{Error, PoolClient, Reserves, Side, Swapped};
use hanse_sdk::prelude::Address;
use hanse_sdk_testing::{Contract, World};

fn setup() -> (World, PoolClient<Contract>, [Address; 3]) {
    let world = World::new();
    let accounts = world.accounts(["operator", "alice", "bob"]);
    let pool = world.deploy(accounts[0], PoolClient::create());
    for trader in &accounts[1..] {
        pool.credit(*trader, Side::A, 10_000).expect_ok();
        pool.credit(*trader, Side::B, 10_000).expect_ok();
    }
    (world, pool, accounts)
}

#[test]
fn only_the_operator_credits() {
    let (_, pool, [_, alice, _]) = setup();
    pool.by(alice).credit(alice, Side::A, 1).expect_err(Error::NotOperator);
}

#[test]
fn liquidity_gives_shares_in_the_ratio_of_the_pool_and_comes_back() {
    let (_, pool, [_, alice, bob]) = setup();
    assert_eq!(pool.by(alice).add_liquidity(4_000, 1_000).expect_ok().value(), 2_000);
    assert_eq!(pool.by(bob).add_liquidity(1_000, 1_000).expect_ok().value(), 500);
    assert_eq!(pool.funds_of(bob), (9_000, 9_750, 500));
    assert_eq!(pool.reserves(), Reserves { a: 5_000, b: 1_250, shares: 2_500 });
    assert_eq!(pool.by(bob).remove_liquidity(500).expect_ok().value(), (1_000, 250));
    assert_eq!(pool.funds_of(bob), (10_000, 10_000, 0));
    pool.by(bob).remove_liquidity(1).expect_err(Error::TooLittle { have: 0, need: 1 });
}

#[test]
fn trades_move_the_price_and_leave_a_fee() {
    let (_, pool, [_, alice, bob]) = setup();
    pool.by(bob).swap(Side::A, 1, 0).expect_err(Error::NoLiquidity);
    pool.by(alice).add_liquidity(4_000, 1_000).expect_ok();
    let quoted = pool.quote(Side::A, 1_000).expect_ok().value();
    let swapped = pool.by(bob).swap(Side::A, 1_000, quoted).expect_ok();
    assert_eq!(swapped.value(), 199);
    swapped.emitted(Swapped { trader: bob, paid: Side::A, amount: 1_000, got: 199 });
    assert_eq!(pool.funds_of(bob), (9_000, 10_199, 0));
    pool.by(bob).swap(Side::A, 1_000, quoted).expect_err(Error::PriceMoved { got: 133, least: 199 });
    pool.by(bob).swap(Side::A, 9_001, 0).expect_err(Error::TooLittle { have: 9_000, need: 9_001 });
}

#[test]
fn no_sequence_of_trades_takes_from_the_pool() {
    let (_, pool, [_, alice, bob]) = setup();
    pool.by(alice).add_liquidity(5_000, 3_000).expect_ok();
    let product = |reserves: Reserves| u128::from(reserves.a) * u128::from(reserves.b);
    let mut before = product(pool.reserves());
    let mut amount = 7;
    for round in 0..200 {
        amount = amount * 31 % 997 + 1;
        let pay = if round % 2 == 0 { Side::A } else { Side::B };
        pool.by(bob).swap(pay, amount, 0).expect_ok();
        let after = product(pool.reserves());
        assert!(after >= before, "round {round}");
        before = after;
    }
    let (a, b, _) = pool.funds_of(bob);
    let reserves = pool.reserves();
    assert_eq!((a + reserves.a, b + reserves.b), (15_000, 13_000));
}

#[test]
fn trades_of_one_pool_run_one_after_another_beside_credits() {
    let (world, pool, [_, alice, bob]) = setup();
    pool.by(alice).add_liquidity(5_000, 5_000).expect_ok();
    let trades = [pool.by(alice).swap(Side::A, 10, 0), pool.by(bob).swap(Side::B, 10, 0)];
    world.block(trades).expect_all_ok().assert_conflict_on("Pool.reserves");
    let credits = [pool.credit(alice, Side::A, 1), pool.credit(alice, Side::A, 1)];
    world.block(credits).expect_all_ok().assert_parallel();
}
