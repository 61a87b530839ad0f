//! The token pays, refuses, and says what it did; and payments run in parallel.

use hanse_sdk::prelude::*;
use hanse_sdk_testing::{Contract, World};
use token::{Approval, Error, TokenClient, Transfer};

fn setup() -> (World, TokenClient<Contract>, [Address; 3]) {
    let world = World::new();
    let accounts = world.accounts(["alice", "bob", "carol"]);
    let token = world.deploy(accounts[0], TokenClient::create(100));
    (world, token, accounts)
}

#[test]
fn the_creator_has_the_supply() {
    let (_, token, [alice, bob, _]) = setup();
    assert_eq!(token.total_supply(), 100);
    assert_eq!(token.balance_of(alice), 100);
    assert_eq!(token.balance_of(bob), 0);
}

#[test]
fn transfers_pay_and_tell() {
    let (_, token, [alice, bob, carol]) = setup();
    let paid = token.by(alice).transfer(bob, 30).expect_ok();
    paid.emitted(Transfer { from: alice, to: bob, amount: 30 });
    token.by(bob).transfer(carol, 30).expect_ok();
    assert_eq!([alice, bob, carol].map(|owner| token.balance_of(owner)), [70, 0, 30]);
}

#[test]
fn a_payer_without_enough_is_refused_and_nothing_changes() {
    let (world, token, [alice, bob, _]) = setup();
    let before = world.storage(token.address());
    let refused = token.by(bob).transfer(alice, 1).expect_err(Error::TooLittle { have: 0, need: 1 });
    assert!(refused.all_events().is_empty());
    token.by(alice).transfer(bob, 101).expect_err(Error::TooLittle { have: 100, need: 101 });
    assert_eq!(world.storage(token.address()), before);
}

#[test]
fn paying_oneself_changes_nothing() {
    let (_, token, [alice, ..]) = setup();
    token.by(alice).transfer(alice, 60).expect_ok();
    assert_eq!(token.balance_of(alice), 100);
}

#[test]
fn a_spender_takes_what_it_was_allowed_and_no_more() {
    let (_, token, [alice, bob, carol]) = setup();
    let allowed = token.by(alice).approve(bob, 50).expect_ok();
    allowed.emitted(Approval { owner: alice, spender: bob, amount: 50 });
    token.by(bob).transfer_from(alice, carol, 20).expect_ok();
    assert_eq!(token.allowance(alice, bob), 30);
    assert_eq!(token.balance_of(carol), 20);
    token.by(bob).transfer_from(alice, carol, 31).expect_err(Error::NotAllowed { have: 30, need: 31 });
    token.by(carol).transfer_from(alice, carol, 1).expect_err(Error::NotAllowed { have: 0, need: 1 });
}

#[test]
fn an_allowance_that_the_owner_can_not_pay_is_not_used_up() {
    let (_, token, [alice, bob, carol]) = setup();
    token.by(alice).approve(bob, 500).expect_ok();
    token.by(bob).transfer_from(alice, carol, 200).expect_err(Error::TooLittle { have: 100, need: 200 });
    assert_eq!(token.allowance(alice, bob), 500);
}

#[test]
fn different_payers_to_one_payee_run_in_parallel() {
    let (world, token, [alice, bob, carol]) = setup();
    token.by(alice).transfer(bob, 50).expect_ok();
    let payments = [token.by(alice).transfer(carol, 1), token.by(bob).transfer(carol, 2)];
    world.block(payments).expect_all_ok().assert_parallel();
    assert_eq!(token.balance_of(carol), 3);
}

#[test]
fn one_payer_pays_one_after_another() {
    let (world, token, [alice, bob, carol]) = setup();
    let payments = [token.by(alice).transfer(bob, 1), token.by(alice).transfer(carol, 2)];
    world.block(payments).expect_all_ok().assert_conflict_on("Token.balances[alice]");
}

#[test]
fn arguments_that_do_not_decode_are_refused() {
    let (_, token, [alice, bob, _]) = setup();
    let mut args = bob.0.to_vec();
    args.extend(1u128.to_le_bytes());
    token.by(alice).raw_call::<(), Error>("transfer", &args).expect_ok();
    for wrong in [&args[..35], &[&args[..], &[0]].concat()] {
        token.by(alice).raw_call::<(), Error>("transfer", wrong).expect_status(Status::InvalidArguments);
    }
    token.by(alice).raw_call::<(), Error>("create", &1u128.to_le_bytes()).expect_status(Status::MethodNotFound);
}
