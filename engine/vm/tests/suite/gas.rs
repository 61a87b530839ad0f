//! What programs cost, to the last unit. A figure that changes makes nodes disagree: see [`FIX`].

use std::fmt::Write;

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Execution, Role, Status};
use hanse_vm::system::{CONTRACTS, account, admission, lifecycle, members, names, params};

use crate::compiling::shapes;
use crate::world::{ADMIN, ALICE, BOB, World, encode, machine, module, node_key, wasm};

/// What to do when a figure changes.
const FIX: &str = "the gas schedule has changed: nodes of this build disagree with nodes of the last one. If that is
meant, raise hanse_abi::gas::SCHEDULE_VERSION and write the figures anew, with HANSE_WRITE_GAS=1 in the environment of
this test; if not, undo what changed them (an update of wasmtime can)";

/// One line for each: name, gas, status.
struct Figures(String);

impl Figures {
    fn add(&mut self, name: &str, execution: &Execution) {
        writeln!(self.0, "{name}: {} {}", execution.gas_used, execution.status.name()).unwrap();
    }

    fn compare(self, file: &str, pinned: &str) {
        if std::env::var_os("HANSE_WRITE_GAS").is_some() {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/gas");
            std::fs::write(folder.join(file), &self.0).unwrap();
            return;
        }
        for (found, pinned) in self.0.lines().zip(pinned.lines()) {
            assert_eq!(found, pinned, "{FIX}");
        }
        assert_eq!(self.0.lines().count(), pinned.lines().count(), "{FIX}");
    }
}

fn program(figures: &mut Figures, name: &str, inside: &str) {
    let mut world = World::new();
    world.gas_limit = 10_000_000;
    let contract = world.deploy("program", &module(inside));
    figures.add(name, &world.call(contract, "run", &[7; 100]));
}

fn run(figures: &mut Figures, name: &str, instructions: &str) {
    program(
        figures,
        name,
        &format!(
            "(table 1 funcref) (func $nothing) (func $two (call $nothing) (call $nothing))
        (func $down (param i32) (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
        (type $t (func)) (func (export \"hanse.run\") (local i32 i64) {instructions})"
        ),
    );
}

#[test]
fn programs() {
    let mut figures = Figures(String::new());
    let counted = |rounds: usize, body: &str| {
        format!(
            "(loop {body} (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const {rounds}))))"
        )
    };
    for (name, instructions) in [
        ("nothing", String::new()),
        ("one instruction", "(local.set 0 (i32.const 1))".into()),
        ("no operations", "nop nop nop".into()),
        ("arithmetic", "(drop (i64.div_u (i64.mul (i64.const 3) (i64.const 5)) (i64.const 2)))".into()),
        ("long straight code", "(local.set 0 (i32.const 1))".repeat(1_000)),
        ("loop of 10", counted(10, "")),
        ("loop of 1000", counted(1_000, "")),
        ("loop of 1000 multiplications", counted(1_000, "(local.set 1 (i64.mul (local.get 1) (i64.const 3)))")),
        ("loop of 1000 stores", counted(1_000, "(i64.store (i32.mul (local.get 0) (i32.const 8)) (local.get 1))")),
        ("loop of 1000 calls", counted(1_000, "(call $nothing)")),
        ("branch taken", "(if (i32.const 1) (then (local.set 0 (i32.const 1))) (else nop))".into()),
        ("branch not taken", "(if (i32.const 0) (then (local.set 0 (i32.const 1))) (else nop))".into()),
        ("jump out of blocks", "(block (block (br_table 0 1 (i32.const 1))) (local.set 0 (i32.const 1)))".into()),
        ("call", "(call $nothing)".into()),
        ("calls inside calls", "(call $two) (call $two)".into()),
        ("recursion of 100", "(call $down (i32.const 100))".into()),
        ("recursion too deep", "(call $down (i32.const 1000000))".into()),
        ("return", "(return)".into()),
        ("growing by no page", "(drop (memory.grow (i32.const 0)))".into()),
        ("growing by a page", "(drop (memory.grow (i32.const 1)))".into()),
        ("growing by 100 pages", "(drop (memory.grow (i32.const 100)))".into()),
        ("growing too far", "(drop (memory.grow (i32.const 1000)))".into()),
        ("unreachable", format!("{} unreachable", counted(10, ""))),
        ("division by zero", format!("{} (drop (i32.div_u (i32.const 1) (i32.const 0)))", counted(10, ""))),
        ("outside the memory", "(drop (i32.load (i32.const -1)))".into()),
        ("nothing in the table", "(call_indirect (type $t) (i32.const 0))".into()),
        ("endless loop", "(loop (br 0))".into()),
    ] {
        run(&mut figures, name, &instructions);
    }
    figures.compare("programs.txt", include_str!("gas/programs.txt"));
}

#[test]
fn host_functions() {
    let mut figures = Figures(String::new());
    let number = |value: usize| format!("(i32.const {value})");
    let call = |name: &str, args: &[String], result: bool| {
        let call = format!("(call ${name} {})", args.concat());
        if result { format!("(drop {call})") } else { call }
    };
    let n = number;
    for size in [0, 1, 32, 1_000] {
        let all = [
            ("input", call("input", &[n(0), n(size)], true)),
            ("output", call("output", &[n(0), n(size)], false)),
            ("state_get of nothing", call("get", &[n(0), n(size), n(0), n(0)], true)),
            ("state_set, key", call("set", &[n(0), n(size), n(0), n(8)], false)),
            ("state_set, value", call("set", &[n(0), n(8), n(0), n(size)], false)),
            (
                "state_get of a value",
                call("set", &[n(0), n(8), n(0), n(size)], false) + &call("get", &[n(0), n(8), n(0), n(size)], true),
            ),
            ("state_remove", call("remove", &[n(0), n(size)], false)),
            ("state_add", call("add", &[n(0), n(size), "(i64.const 1)(i64.const 0)".into(), n(16), n(0), n(0)], true)),
            ("state_scan of nothing", call("scan", &[n(0), n(size), n(0), n(size), n(9), n(0)], true)),
            (
                "state_scan of an entry",
                call("set", &[n(0), n(8), n(0), n(size)], false)
                    + &call("scan", &[n(0), n(0), n(0), n(0), n(9), n(0)], true),
            ),
            ("revert", call("revert", &[n(1), n(0), n(size)], false)),
            ("panic", call("panic", &[n(0), n(size)], false)),
            ("sha256", call("sha256", &[n(0), n(size), n(0)], false)),
            ("verify", call("verify", &[n(0), n(0), n(32), n(0), n(size), n(0), n(64)], true)),
            ("debug", call("debug", &[n(0), n(size)], false)),
            (
                "call of nobody",
                call("call", &[n(0), n(0), n(size.min(64)), n(0), n(size), "(i64.const -1)".into()], true),
            ),
            ("buffer", call("buffer", &[n(0), n(0), n(size)], false)),
        ];
        for (name, instructions) in all {
            run(&mut figures, &format!("{name}, {size} bytes"), &instructions);
        }
    }
    run(&mut figures, "context", &call("context", &[n(0)], false));
    run(&mut figures, "block_hash", &call("block_hash", &["(i64.const 999)".into(), n(0)], true));
    run(&mut figures, "event that does not decode", &call("event", &[n(0), n(5)], false));
    run(&mut figures, "smallest event", &call("event", &[n(0), n(12)], false));
    run(&mut figures, "wrong pointer", &call("output", &[n(200_000), n(5)], false));
    figures.compare("host_functions.txt", include_str!("gas/host_functions.txt"));
}

/// What it costs to deploy the modules that are slowest to compile.
#[test]
fn deployments() {
    let mut figures = Figures(String::new());
    let mut world = World::with(|params| params.floats_allowed = true);
    world.gas_limit = 1 << 40;
    let vm = machine(1);
    for (name, text) in shapes() {
        // They fail once all is paid, and before anything is compiled: the name is taken.
        let args = encode(&("account", wasm(&text), Vec::<u8>::new()));
        let transaction = world.transaction(ALICE, lifecycle::ADDRESS, "deploy", args);
        figures.add(name, &world.plain(&vm, &transaction).0);
    }
    figures.compare("deployments.txt", include_str!("gas/deployments.txt"));
}

#[test]
fn system_contracts() {
    let mut figures = Figures(String::new());
    let mut world = World::new();
    let code = wasm(&module("(func (export \"hanse.run\"))"));
    let contract = hanse_vm::contract_address(CryptoSuite::Standard, &ALICE, "c");
    let none = Vec::<u8>::new;
    let calls: Vec<(Address, Address, &str, Vec<u8>)> = vec![
        (ALICE, account::ADDRESS, "transfer", encode(&(BOB, 5u128))),
        (BOB, account::ADDRESS, "transfer", encode(&(ALICE, 6u128))),
        (BOB, account::ADDRESS, "balance_of", encode(&ALICE)),
        (BOB, account::ADDRESS, "create_account", encode(&(BOB, "Bob"))),
        (BOB, account::ADDRESS, "create_account", encode(&(BOB, "Bob"))),
        (BOB, account::ADDRESS, "label_of", encode(&BOB)),
        (ADMIN, account::ADDRESS, "issue", encode(&(BOB, 5u128))),
        (ALICE, account::ADDRESS, "issue", encode(&(BOB, 5u128))),
        (BOB, account::ADDRESS, "supply", none()),
        (ALICE, lifecycle::ADDRESS, "deploy", encode(&("c", &code, none()))),
        (ALICE, lifecycle::ADDRESS, "deploy", encode(&("c", &code, none()))),
        (ALICE, lifecycle::ADDRESS, "deploy", encode(&("d", b"nonsense", none()))),
        (ALICE, contract, "run", none()),
        (ALICE, contract, "other", none()),
        (ALICE, lifecycle::ADDRESS, "upgrade", encode(&(contract, &code, none()))),
        (ALICE, lifecycle::ADDRESS, "freeze", encode(&contract)),
        (ALICE, contract, "run", none()),
        (ALICE, lifecycle::ADDRESS, "unfreeze", encode(&contract)),
        (ALICE, lifecycle::ADDRESS, "transfer_ownership", encode(&(contract, BOB))),
        (BOB, lifecycle::ADDRESS, "revoke", encode(&contract)),
        (BOB, lifecycle::ADDRESS, "record", encode(&contract)),
        (BOB, lifecycle::ADDRESS, "info", encode(&contract)),
        (BOB, names::ADDRESS, "register", encode(&("shop", 0u32, BOB))),
        (ALICE, names::ADDRESS, "register", encode(&("shop", 0u32, BOB))),
        (ALICE, names::ADDRESS, "register_deployed", encode(&("shop", BOB, ALICE))),
        (BOB, names::ADDRESS, "resolve", encode(&("shop", 0u32))),
        (BOB, names::ADDRESS, "owner_of", encode(&"shop")),
        (BOB, names::ADDRESS, "transfer", encode(&("shop", ALICE))),
        (ADMIN, params::ADDRESS, "get", none()),
        (ADMIN, params::ADDRESS, "set", encode(&("tx_gas_max", 5u64))),
        (ADMIN, params::ADDRESS, "administrators", none()),
        (ADMIN, params::ADDRESS, "add_administrator", encode(&BOB)),
        (ADMIN, params::ADDRESS, "remove_administrator", encode(&BOB)),
        (ADMIN, params::ADDRESS, "other", none()),
        (ADMIN, members::ADDRESS, "add", encode(&("two", node_key(2).to_string(), Role::Observer))),
        (ADMIN, members::ADDRESS, "set_role", encode(&("two", Role::Sealer))),
        (ADMIN, members::ADDRESS, "replace_key", encode(&("two", node_key(3).to_string()))),
        (ADMIN, members::ADDRESS, "get", encode(&"two")),
        (ADMIN, members::ADDRESS, "list", none()),
        (ADMIN, members::ADDRESS, "remove", encode(&"two")),
        (ADMIN, admission::ADDRESS, "trust", encode(&(node_key(2).to_string(), vec![7u8; 400]))),
        (ADMIN, admission::ADDRESS, "deny", encode(&node_key(3).to_string())),
        (ADMIN, admission::ADDRESS, "rules", none()),
        (ADMIN, admission::ADDRESS, "pardon", encode(&node_key(3).to_string())),
        (ADMIN, admission::ADDRESS, "distrust", encode(&node_key(2).to_string())),
        (ADMIN, BOB, "run", none()),
    ];
    for (sender, contract, method, args) in calls {
        let name = CONTRACTS
            .iter()
            .find(|native| Address::native(native.number()) == contract)
            .map_or("contract", |native| native.name());
        let execution = world.call_as(sender, contract, method, &args);
        figures.add(&format!("{name}.{method}"), &execution);
    }
    for native in CONTRACTS {
        let document = hanse_abi::document::Abi::parse(native.abi().as_bytes()).unwrap();
        for method in document.methods {
            let pinned = figures.0.contains(&format!("{}.{}:", native.name(), method.name));
            assert!(pinned, "what {}.{} costs is not pinned", native.name(), method.name);
        }
    }
    let succeeded = figures.0.lines().filter(|line| line.ends_with(Status::Success.name())).count();
    assert!(succeeded >= 20, "{}", figures.0);
    figures.compare("system_contracts.txt", include_str!("gas/system_contracts.txt"));
}
