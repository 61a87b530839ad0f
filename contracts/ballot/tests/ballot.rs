//! Everybody votes once, in time, and in parallel.

use ballot::{BallotClient, Error, Voted};
use hanse_sdk::prelude::Address;
use hanse_sdk_testing::{Contract, World};

fn setup() -> (World, BallotClient<Contract>, [Address; 3]) {
    let world = World::new();
    let accounts = world.accounts(["alice", "bob", "carol"]);
    let options = vec!["yes".to_owned(), "no".to_owned()];
    let closes = world.time_ms() + 1_000;
    let ballot = world.deploy(accounts[0], BallotClient::create("Build the mole?".into(), options, closes));
    (world, ballot, accounts)
}

#[test]
fn votes_are_counted_once_each() {
    let (_, ballot, [alice, bob, carol]) = setup();
    ballot.by(alice).vote(0).expect_ok().emitted(Voted { voter: alice, option: 0 });
    ballot.by(bob).vote(1).expect_ok();
    ballot.by(carol).vote(0).expect_ok();
    ballot.by(alice).vote(1).expect_err(Error::Twice { option: 0 });
    assert_eq!(ballot.counts(), [2, 1]);
    assert_eq!(ballot.vote_of(bob), Some(1));
    assert_eq!(ballot.question().map(|question| question.options.len()), Some(2));
}

#[test]
fn late_votes_and_unknown_options_are_refused() {
    let (world, ballot, [alice, ..]) = setup();
    ballot.by(alice).vote(2).expect_err(Error::NoSuchOption { options: 2 });
    world.advance_ms(1_000);
    ballot.by(alice).vote(0).expect_err(Error::Closed { closes_ms: world.time_ms() });
    assert_eq!(ballot.counts(), [0, 0]);
}

#[test]
fn a_ballot_without_a_choice_is_not_deployed() {
    let world = World::new();
    let options = vec!["yes".to_owned()];
    let refused = world.try_deploy(world.account("alice"), BallotClient::create("?".into(), options, 1));
    assert_eq!(refused.err().and_then(|outcome| outcome.error_as()), Some(Error::TooFew));
}

#[test]
fn votes_for_the_same_option_run_in_parallel() {
    let (world, ballot, voters) = setup();
    world.block(voters.map(|voter| ballot.by(voter).vote(0))).expect_all_ok().assert_parallel();
    assert_eq!(ballot.counts(), [3, 0]);
}
