//! The contract counts, refuses, and runs in parallel. No node is needed: `cargo test`.

use hanse_sdk_testing::World;
use {{crate}}::{Added, Error, TallyClient};

#[test]
fn amounts_are_added_up() {
    let world = World::new();
    let [alice, bob] = world.accounts(["alice", "bob"]);
    let tally = world.deploy(alice, TallyClient::deploy());
    tally.by(alice).add(2).expect_ok().emitted(Added { who: alice, amount: 2 });
    tally.by(bob).add(3).expect_ok();
    tally.by(bob).add(0).expect_err(Error::Nothing);
    assert_eq!(tally.total(), 5);
    assert_eq!(tally.of(bob), 3);
}

#[test]
fn all_callers_run_in_parallel() {
    let world = World::new();
    let [alice, bob] = world.accounts(["alice", "bob"]);
    let tally = world.deploy(alice, TallyClient::deploy());
    world.block([tally.by(alice).add(1), tally.by(bob).add(1)]).expect_all_ok().assert_parallel();
}
