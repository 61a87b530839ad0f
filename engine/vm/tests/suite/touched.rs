//! How much of the state a transaction may touch, and how far a scan reads ahead of its gas.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hanse_state::{Entry, PlainState, StateError, StateView};
use hanse_types::{Address, Canonical, Status, Value, limits};

use crate::world::{ALICE, World, machine, module};

/// A contract whose `run` does this for ever, counting in the first local; `$key` makes a new key of 8 bytes at 0.
fn for_ever(instructions: &str) -> String {
    module(&format!(
        "(func $key (param i32) (i32.store (i32.const 0) (local.get 0)))
        (func (export \"hanse.run\") (local i32) (loop
            (call $key (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) {instructions} (br 0)))"
    ))
}

/// A transaction that touches more and more of the state ends, always alike, and what it touched fits into its access
/// set however much of it was undone.
#[test]
fn what_a_transaction_touches_is_bounded() {
    let key = "(i32.const 0) (i32.const 8)";
    let read = format!("(drop (call $get {key} (i32.const 0) (i32.const 0)))");
    let add =
        format!("(drop (call $add {key} (i64.const 1) (i64.const 0) (i32.const 16) (i32.const 0) (i32.const 0)))");
    let long = format!("(call $set {key} (i32.const 8) (i32.const 131000))");
    let scan =
        "(drop (call $scan (i32.const 8) (i32.const 1) (i32.const 9) (i32.const 1) (i32.const 1) (i32.const 0)))";
    for (name, instructions) in [
        ("reads", read.clone()),
        ("writes", format!("(call $set {key} (i32.const 0) (i32.const 0))")),
        ("long writes", long.clone()),
        ("long writes to one key", long.replace(key, "(i32.const 4) (i32.const 4)")),
        ("removals", format!("(call $remove {key})")),
        ("adds", add.clone()),
        ("adds that are read", format!("{add} {read}")),
        ("adds that are written over", format!("{add} (call $remove {key})")),
        ("scans of nothing", scan.to_owned()),
    ] {
        let mut world = World::new();
        let contract = world.deploy("program", &for_ever(&instructions));
        let outcome = world.dry(&world.transaction(ALICE, contract, "run", Vec::new()));
        assert_eq!(outcome.execution.status, Status::LimitExceeded, "{name}: {}", outcome.execution.message);
        assert!(outcome.execution.message.contains("touches"), "{name}: {}", outcome.execution.message);
        assert!(outcome.rw_set.encode().len() <= limits::RW_SET_BYTES, "{name}");
        assert!(outcome.changes.is_empty(), "{name}");
    }
}

#[test]
fn every_transaction_may_touch_as_much() {
    let mut world = World::new();
    let write = "(call $set (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 131000))".repeat(100);
    let contract = world.deploy("program", &module(&format!("(func (export \"hanse.run\") {write})")));
    let transaction = world.transaction(ALICE, contract, "run", Vec::new());
    let mut runner = machine(1).runner(Arc::new(world.block.clone()));
    for _ in 0..3 {
        let (result, _) = runner.execute(&transaction, Box::new(PlainState::new(world.view.clone(), 16)));
        assert_eq!(result.unwrap().status, Status::Success);
    }
}

/// What a caller catches does not come back to it: it can't touch anything any more.
#[test]
fn a_failed_call_gives_nothing_back() {
    let mut world = World::new();
    let callee =
        world.deploy("callee", &for_ever("(call $set (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 131000))"));
    let data: String = callee.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let caller = |after: &str| {
        module(&format!(
            "(data (i32.const 0) \"{data}run\") (func (export \"hanse.run\")
                (drop (call $call (i32.const 0) (i32.const 20) (i32.const 3) (i32.const 0) (i32.const 0) (i64.const 500000000)))
                {after})"
        ))
    };
    let quiet = world.deploy("quiet", &caller(""));
    assert_eq!(world.call(quiet, "run", &[]).status, Status::Success);
    let greedy = world.deploy("greedy", &caller("(call $remove (i32.const 0) (i32.const 8))"));
    let execution = world.call(greedy, "run", &[]);
    assert_eq!((execution.status, execution.failed_in), (Status::LimitExceeded, greedy), "{}", execution.message);
}

/// A contract whose `run` scans all its keys and returns what `$scan` says and the answer's first 100,000 bytes.
fn scanner(flags: u32) -> String {
    module(&format!(
        "(func (export \"hanse.run\") (local i32)
            (local.set 0 (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const {flags})))
            (if (i32.gt_u (local.get 0) (i32.const 100000)) (then (local.set 0 (i32.const 100000))))
            (call $buffer (i32.const 0) (i32.const 0) (local.get 0)) (call $output (i32.const 0) (local.get 0)))"
    ))
}

fn fill(world: &mut World, contract: Address, count: u16, bytes: usize) {
    let value = Value::new(&vec![7; bytes]);
    let view = Arc::make_mut(&mut world.view);
    for n in 0..count {
        view.put(&hanse_abi::keys::full_key(&contract, &n.to_be_bytes()), Some(value.clone()));
    }
}

#[test]
fn a_scan_gives_the_same_however_many_steps_it_takes() {
    for (flags, reverse) in [(0, false), (1, true)] {
        let mut world = World::new();
        let contract = world.deploy("program", &scanner(flags));
        fill(&mut world, contract, 1_100, 3);
        let mut expected: Vec<_> = (0..1_100u16).map(|n| (n.to_be_bytes().to_vec(), vec![7; 3])).collect();
        if reverse {
            expected.reverse();
        }
        expected.truncate(limits::SCAN_ENTRIES);
        let rich = world.call(contract, "run", &[]);
        assert_eq!(borsh::from_slice::<Vec<(Vec<u8>, Vec<u8>)>>(&rich.output).unwrap(), expected);
        // Hardly any gas, so the most steps.
        world.gas_limit = rich.gas_used.0;
        assert_eq!(world.call(contract, "run", &[]), rich);
        world.gas_limit -= 1;
        assert_eq!(world.call(contract, "run", &[]).status, Status::OutOfGas);
    }
}

/// Counts what is read of it in ranges.
struct Counting {
    view: Arc<dyn StateView>,
    bytes: AtomicUsize,
}

impl StateView for Counting {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        self.view.get(key)
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        let entries = self.view.range(start, end, limit, reverse)?;
        let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(entries)
    }
}

#[test]
fn a_scan_reads_little_that_it_can_not_pay_for() {
    for flags in [0, 2] {
        for gas_limit in [100_000, 3_000_000, 1_000_000_000] {
            let mut world = World::new();
            let contract = world.deploy("program", &scanner(flags));
            fill(&mut world, contract, 1_024, limits::CONTRACT_VALUE_BYTES);
            world.gas_limit = gas_limit;
            let view = Arc::new(Counting { view: world.view.clone(), bytes: AtomicUsize::new(0) });
            let transaction = world.transaction(ALICE, contract, "run", Vec::new());
            let state = Box::new(PlainState::new(view.clone(), 16));
            let (result, _) = machine(1).execute(&Arc::new(world.block.clone()), &transaction, state);
            let expected = if gas_limit > 16 << 20 { Status::LimitExceeded } else { Status::OutOfGas };
            assert_eq!(result.unwrap().status, expected);
            let read = view.bytes.load(Ordering::Relaxed);
            let paid = limits::RW_SET_BYTES.min(gas_limit as usize);
            assert!(
                read <= paid + 33 * (limits::CONTRACT_VALUE_BYTES + limits::STATE_KEY_BYTES),
                "{gas_limit}: {read}"
            );
        }
    }
}
