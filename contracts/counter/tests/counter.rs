//! The counter counts, and its additions run in parallel.

use counter::CounterClient;
use hanse_sdk::prelude::Status;
use hanse_sdk_testing::World;

#[test]
fn additions_count_and_run_in_parallel() {
    let world = World::new();
    let [alice, bob] = world.accounts(["alice", "bob"]);
    let counter = world.deploy(alice, CounterClient::deploy());
    assert_eq!(counter.get(), 0);
    let calls = [counter.by(alice).add(2), counter.by(bob).add(3), counter.by(bob).add(0)];
    world.block(calls).expect_all_ok().assert_parallel();
    assert_eq!(counter.get(), 5);
}

#[test]
fn an_overflow_is_out_of_bounds_and_changes_nothing() {
    let world = World::new();
    let alice = world.account("alice");
    let counter = world.deploy(alice, CounterClient::deploy());
    counter.add(u64::MAX).expect_ok();
    counter.add(1).expect_status(Status::OutOfBounds);
    assert_eq!(counter.get(), u64::MAX);
}
