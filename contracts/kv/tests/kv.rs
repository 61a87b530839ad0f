//! The store keeps, changes, orders and forgets values.

use hanse_sdk_testing::{Contract, World};
use kv::{Error, KvClient};

fn setup() -> (World, KvClient<Contract>) {
    let world = World::new();
    let kv = world.deploy(world.account("operator"), KvClient::deploy());
    for (key, value) in [("user10", b"ten"), ("user1", b"one"), ("user2", b"two")] {
        kv.put(key.into(), value.to_vec()).expect_ok();
    }
    (world, kv)
}

#[test]
fn values_are_kept_changed_and_removed() {
    let (_, kv) = setup();
    assert_eq!(kv.get("user1".into()), Some(b"one".to_vec()));
    kv.read_modify_write("user1".into(), b"An".to_vec()).expect_ok();
    assert_eq!(kv.get("user1".into()), Some(b"Ane".to_vec()));
    kv.remove("user1".into()).expect_ok();
    assert_eq!(kv.get("user1".into()), None);
    let key = String::from("user1");
    kv.read_modify_write(key.clone(), vec![]).expect_err(Error::Absent { key });
}

#[test]
fn scans_are_in_order_and_limited() {
    let (_, kv) = setup();
    let keys = |from: &str, limit| kv.scan(from.into(), limit).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys("", 10), ["user1", "user10", "user2"]);
    assert_eq!(keys("user10", 1), ["user10"]);
    assert_eq!(keys("user11", 10), ["user2"]);
    assert!(keys("z", 10).is_empty());
}

#[test]
fn different_keys_run_in_parallel_and_a_scan_waits_for_its_range() {
    let (world, kv) = setup();
    let calls = [
        kv.put("a".into(), vec![1]).erased(),
        kv.read_modify_write("user2".into(), vec![1]).erased(),
        kv.raw_call::<Option<Vec<u8>>, Error>("get", b"\x05\0\0\0user1").erased(),
    ];
    world.block(calls).expect_all_ok().assert_parallel();

    let scan = || kv.raw_call::<Vec<(String, Vec<u8>)>, Error>("scan", b"\x05\0\0\0user1\x02\0\0\0").erased();
    world.block([scan(), kv.put("user2".into(), vec![]).erased()]).expect_all_ok().assert_parallel();
    world.block([scan(), kv.put("user100".into(), vec![]).erased()]).expect_all_ok().assert_parallel();
    world.block([scan(), kv.put("user11".into(), vec![]).erased()]).expect_all_ok().assert_parallel();
    let report = world.block([scan(), kv.put("user1".into(), vec![]).erased()]);
    report.expect_all_ok().assert_conflict_on("Kv.values");
}
