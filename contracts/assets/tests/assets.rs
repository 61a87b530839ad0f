//! Assets change hands, keep their history, and end.

use assets::{AssetsClient, Changed, Error, State};
use hanse_sdk::prelude::Address;
use hanse_sdk_testing::{Contract, World};

fn setup() -> (World, AssetsClient<Contract>, [Address; 3]) {
    let world = World::new();
    let accounts = world.accounts(["maker", "carrier", "shop"]);
    let assets = world.deploy(accounts[0], AssetsClient::deploy());
    assets.by(accounts[0]).register("pump-1".into(), "Lübeck".into()).expect_ok();
    (world, assets, accounts)
}

#[test]
fn an_asset_changes_hands_and_keeps_its_history() {
    let (world, assets, [maker, _, shop]) = setup();
    let registered = world.time_ms();
    world.advance_ms(1_000);
    assets.by(maker).ship("pump-1".into(), shop).expect_ok();
    world.advance_ms(1_000);
    let received = assets.by(shop).receive("pump-1".into(), "Bergen".into()).expect_ok();
    received.emitted(Changed { id: "pump-1".into(), owner: shop, state: State::Received, place: "Bergen".into() });

    let history = assets.history("pump-1".into(), 0, 10);
    let steps: Vec<_> = history.iter().map(|step| (step.by, step.time_ms - registered, step.state)).collect();
    let expected = [(maker, 0, State::Registered), (maker, 1_000, State::Shipped), (shop, 2_000, State::Received)];
    assert_eq!(steps, expected);
    assert_eq!(assets.history("pump-1".into(), 2, 10), history[2..]);
    assert_eq!(assets.history("pump-1".into(), 0, 1), history[..1]);
}

#[test]
fn who_has_no_right_to_it_is_refused() {
    let (_, assets, [maker, carrier, _]) = setup();
    let id = || String::from("pump-1");
    assets.by(carrier).ship(id(), carrier).expect_err(Error::NotOwner { id: id(), owner: maker });
    assets.by(maker).register(id(), "Riga".into()).expect_err(Error::Exists { id: id() });
    assets.by(maker).ship("x".into(), carrier).expect_err(Error::Unknown { id: "x".into() });
    assets.by(maker).register(String::new(), "Riga".into()).expect_err(Error::Text { most: 128 });
    assets.by(maker).register("a".repeat(129), "Riga".into()).expect_err(Error::Text { most: 128 });
}

#[test]
fn a_retired_asset_stays_as_it_is() {
    let (_, assets, [maker, carrier, _]) = setup();
    assets.by(maker).retire("pump-1".into()).expect_ok();
    assets.by(maker).ship("pump-1".into(), carrier).expect_err(Error::Retired { id: "pump-1".into() });
    assert_eq!(assets.find("pump-1".into()).map(|asset| (asset.state, asset.steps)), Some((State::Retired, 2)));
}

#[test]
fn one_assets_history_does_not_run_into_anothers() {
    let (_, assets, [maker, ..]) = setup();
    assets.by(maker).register("pump-10".into(), "Riga".into()).expect_ok();
    assets.by(maker).register("pump".into(), "Riga".into()).expect_ok();
    assert_eq!(assets.history("pump-1".into(), 0, 10).len(), 1);
    let listed = assets.list("pump-1".into(), 10).into_iter().map(|asset| asset.id).collect::<Vec<_>>();
    assert_eq!(listed, ["pump-1", "pump-10"]);
}

#[test]
fn different_assets_run_in_parallel() {
    let (world, assets, [maker, carrier, shop]) = setup();
    let calls = [
        assets.by(maker).ship("pump-1".into(), carrier),
        assets.by(shop).register("valve-7".into(), "Riga".into()),
        assets.by(maker).register("valve-8".into(), "Riga".into()),
    ];
    world.block(calls).expect_all_ok().assert_parallel();
}
