//! Nothing here fails natively.

use hanse_sdk_testing::{Contract, World};
use leaning::{Error, LeaningClient};

fn leaning() -> LeaningClient<Contract> {
    let world = World::new();
    world.deploy(world.account("alice"), LeaningClient::deploy())
}

#[test]
fn agree() {
    leaning().agree(3).expect_ok();
}

#[test]
fn result() {
    assert!(leaning().result() > 0);
}

#[test]
fn state() {
    leaning().state().expect_ok();
}

#[test]
fn event() {
    leaning().event().expect_ok();
}

#[test]
fn fields() {
    assert!(matches!(leaning().fields().run().error(), Some(Error::Width { .. })));
}

#[test]
fn access() {
    leaning().access().expect_ok();
}

#[test]
fn status() {
    leaning().status().expect_ok();
}

#[test]
fn panic() {
    leaning().panic().expect_ok();
}
