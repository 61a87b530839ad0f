//! Calls inside calls: what a failed one leaves, what it may use, who is named in the receipt, how deep they go.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Execution, Status, limits};

use crate::world::{World, module};

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// Writes, adds and emits, and then ends as its method says. Also a view that would write.
fn worker() -> String {
    let work = "(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
        (drop (call $add (i32.const 1) (i32.const 1) (i64.const 5) (i64.const 0) (i32.const 8) (i32.const 0) (i32.const 0)))
        (call $event (i32.const 16) (i32.const 13)) (call $output (i32.const 0) (i32.const 2))";
    let method = |name: &str, end: &str| format!("(func (export \"hanse.{name}\") {work} {end})");
    let abi = "{'methods':[{'name':'peek','kind':'view'},{'name':'touch','kind':'view'}]}".replace('\'', "\\22");
    module(&format!(
        "(data (i32.const 0) \"wadone\") (data (i32.const 16) \"\\01\\00\\00\\00W\") {} {} {} {} {}
        (func (export \"hanse.peek\") (drop (call $get (i32.const 0) (i32.const 1) (i32.const 64) (i32.const 8)))
            (call $output (i32.const 64) (i32.const 1)))
        (func (export \"hanse.touch\") (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
        (@custom \"hanse_abi\" \"{abi}\")",
        method("work", ""),
        method("trap", "unreachable"),
        method("refuse", "(call $revert (i32.const 9) (i32.const 0) (i32.const 3))"),
        method("panic", "(call $panic (i32.const 2) (i32.const 4))"),
        method("spin", "(loop (br 0))"),
    ))
}

/// `call` emits an event, calls `method` of the worker with so much gas, and returns the status and then the buffer;
/// `call_and_fail` does so and ends with an error of its own; `view` does it as a view.
fn boss(worker: Address, method: &str, gas: i64) -> String {
    let data = escaped(&[&worker.0[..], method.as_bytes()].concat());
    let call = format!(
        "(local i64) (call $set (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3))
        (local.set 0 (call $call (i32.const 0) (i32.const 20) (i32.const {}) (i32.const 0) (i32.const 0) (i64.const {gas})))
        (i64.store (i32.const 100) (i64.shr_u (local.get 0) (i64.const 32)))
        (call $buffer (i32.const 101) (i32.const 0) (i32.wrap_i64 (local.get 0)))
        (call $output (i32.const 100) (i32.add (i32.const 1) (i32.wrap_i64 (local.get 0))))",
        method.len()
    );
    let abi = "{'methods':[{'name':'view','kind':'view'}]}".replace('\'', "\\22");
    let read_only = call.replace("(call $set (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3))", "");
    module(&format!(
        "(data (i32.const 0) \"{data}\") (func (export \"hanse.call\") {call})
        (func (export \"hanse.call_and_fail\") {call} (call $revert (i32.const 4) (i32.const 0) (i32.const 1)))
        (func (export \"hanse.view\") {read_only})
        (@custom \"hanse_abi\" \"{abi}\")"
    ))
}

struct Pair {
    world: World,
    worker: Address,
    boss: Address,
}

fn pair(method: &str, gas: i64) -> Pair {
    let mut world = World::new();
    world.gas_limit = 20_000_000;
    let worker = world.deploy("worker", &worker());
    let boss = world.deploy("boss", &boss(worker, method, gas));
    Pair { world, worker, boss }
}

fn answer(execution: &Execution) -> (Status, &[u8]) {
    assert_eq!(execution.status, Status::Success, "{}", execution.message);
    (Status::from_code(execution.output[0]).unwrap(), &execution.output[1..])
}

/// Keys of a contract that a transaction changed, without their prefix.
fn changed(pair: &Pair, contract: Address, method: &str) -> Vec<Vec<u8>> {
    let outcome = pair.world.dry(&pair.world.transaction(crate::world::ALICE, pair.boss, method, Vec::new()));
    let prefix = hanse_abi::keys::contract_prefix(&contract);
    outcome.changes.iter().filter_map(|(key, _)| key.strip_prefix(&prefix[..]).map(<[u8]>::to_vec)).collect()
}

#[test]
fn a_call_that_succeeds_counts_with_its_caller() {
    let mut pair = pair("work", -1);
    assert_eq!(changed(&pair, pair.worker, "call"), [b"a", b"w"]);
    let execution = pair.world.call(pair.boss, "call", &[]);
    assert_eq!(answer(&execution), (Status::Success, &b"wa"[..]));
    assert_eq!(execution.events.len(), 1);
    assert_eq!(execution.events[0].contract, pair.worker);
    let failed = pair.world.call(pair.boss, "call_and_fail", &[]);
    assert_eq!((failed.status, failed.error_code, failed.failed_in), (Status::Reverted, 4, pair.boss));
    assert!(changed(&pair, pair.worker, "call_and_fail").is_empty(), "the caller's failure undoes its calls");
}

#[test]
fn a_call_that_fails_leaves_nothing_and_the_caller_goes_on() {
    for (method, status, buffer) in [
        ("trap", Status::Trapped, &b"unreachable code"[..]),
        ("refuse", Status::Reverted, &b"\x09\0\0\0wad"[..]),
        ("panic", Status::Panicked, &b"done"[..]),
        ("touch", Status::InvalidOperation, &b"a view can't write"[..]),
        ("nothing", Status::MethodNotFound, &b"no method \"nothing\""[..]),
    ] {
        let mut pair = pair(method, -1);
        assert!(changed(&pair, pair.worker, "call").is_empty(), "{method}");
        assert_eq!(changed(&pair, pair.boss, "call").len(), 1, "{method}");
        let execution = pair.world.call(pair.boss, "call", &[]);
        assert_eq!(answer(&execution), (status, buffer), "{method}");
        assert!(execution.events.is_empty(), "{method}");
        let own = pair.world.call(pair.boss, "call_and_fail", &[]);
        assert_eq!((own.status, own.error_code), (Status::Reverted, 4), "{method}");
        assert_eq!(own.failed_in, pair.boss, "{method}: the code is to be read by the caller's ABI");
    }
}

#[test]
fn what_a_failed_call_saw_stays_in_the_access_set() {
    let pair = pair("trap", -1);
    let outcome = pair.world.dry(&pair.world.transaction(crate::world::ALICE, pair.boss, "call", Vec::new()));
    let added = hanse_abi::keys::full_key(&pair.worker, b"a");
    assert!(outcome.rw_set.reads.iter().any(|read| read.key == added), "that the add had fitted was seen");
    assert!(outcome.rw_set.adds.is_empty());
}

#[test]
fn a_call_uses_no_more_gas_than_it_is_given() {
    let whole = pair("spin", -1).world.gas_limit;
    let mut all = pair("spin", -1);
    let execution = all.world.call(all.boss, "call", &[]);
    assert_eq!((execution.status, execution.gas_used.0), (Status::OutOfGas, whole));
    assert_eq!(execution.failed_in, all.boss, "nothing was left for the caller");
    let mut bounded = pair("spin", 100_000);
    let execution = bounded.world.call(bounded.boss, "call", &[]);
    assert_eq!(answer(&execution), (Status::OutOfGas, &b""[..]));
    assert!((100_000..120_000).contains(&execution.gas_used.0), "{}", execution.gas_used);
    for too_little in [0, 1, 1_999] {
        let mut pair = pair("work", too_little);
        assert_eq!(answer(&pair.world.call(pair.boss, "call", &[])), (Status::OutOfGas, &b""[..]), "{too_little}");
    }
    let mut enough = pair("work", i64::MAX);
    assert_eq!(answer(&enough.world.call(enough.boss, "call", &[])).0, Status::Success);
}

#[test]
fn below_a_view_nothing_is_changed() {
    for (method, status) in [("peek", Status::Success), ("work", Status::InvalidOperation)] {
        let mut pair = pair(method, -1);
        let execution = pair.world.call(pair.boss, "view", &[]);
        assert_eq!(answer(&execution).0, status, "{method}");
    }
}

#[test]
fn a_view_can_not_change_a_thing_by_any_door() {
    let abi = "{'methods':[{'name':'run','kind':'view'}]}".replace('\'', "\\22");
    for (door, what) in [
        ("(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))", "write"),
        ("(call $remove (i32.const 0) (i32.const 1))", "remove"),
        (
            "(drop (call $add (i32.const 0) (i32.const 1) (i64.const 0) (i64.const 0) (i32.const 8) (i32.const 0)
            (i32.const 0)))",
            "add",
        ),
        ("(call $event (i32.const 0) (i32.const 13))", "emit events"),
    ] {
        let mut world = World::new();
        let data = "(data (i32.const 0) \"\\01\\00\\00\\00W\")";
        let inside = format!("{data} (func (export \"hanse.run\") {door}) (@custom \"hanse_abi\" \"{abi}\")");
        let contract = world.deploy("view", &module(&inside));
        let execution = world.call(contract, "run", &[]);
        assert_eq!(execution.status, Status::InvalidOperation, "{door}");
        assert_eq!(execution.message, format!("a view can't {what}"));
    }
}

#[test]
fn calls_nest_so_deep_and_no_deeper() {
    let mut world = World::new();
    let mut next = Address::ZERO;
    // The last link finds nobody; each one before returns what it was told, one more if that was a success.
    let mut chain = Vec::new();
    for n in 0..=limits::CALL_DEPTH {
        let data = escaped(&[&next.0[..], b"run"].concat());
        let link = format!(
            "(data (i32.const 0) \"{data}\") (func (export \"hanse.run\") (local i64)
                (local.set 0 (call $call (i32.const 0) (i32.const 20) (i32.const 3) (i32.const 0) (i32.const 0)
                    (i64.const -1)))
                (i64.store (i32.const 100) (i64.shr_u (local.get 0) (i64.const 32)))
                (if (i64.eqz (i64.load (i32.const 100)))
                    (then (call $buffer (i32.const 100) (i32.const 0) (i32.const 1))))
                (call $output (i32.const 100) (i32.const 1)))"
        );
        next = world.deploy(&format!("link{n}"), &module(&link));
        chain.push(next);
    }
    let last_word = |execution: Execution| answer(&execution).0;
    let fits = world.call(chain[limits::CALL_DEPTH - 2], "run", &[]);
    assert_eq!(last_word(fits), Status::ContractNotFound, "the depth was not the matter");
    let too_deep = world.call(chain[limits::CALL_DEPTH], "run", &[]);
    assert_eq!(last_word(too_deep), Status::LimitExceeded);
}

#[test]
fn a_circle_of_calls_is_cut() {
    let mut world = World::new();
    let first = hanse_vm::contract_address(CryptoSuite::Standard, &crate::world::ALICE, "first");
    let second = world.deploy("second", &boss(first, "call", -1));
    assert_eq!(world.deploy("first", &boss(second, "call", -1)), first);
    let execution = world.call(first, "call", &[]);
    let (status, inner) = answer(&execution);
    assert_eq!(status, Status::Success);
    assert_eq!(inner[0], Status::Reentrancy.code());
}
