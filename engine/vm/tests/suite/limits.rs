//! Gas and stack: what is paid for, exactly how far a call gets, and that this is the same from everywhere.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Execution, Status, limits};
use hanse_vm::contract_address;

use crate::world::{ALICE, World, module, wasm};

const PROGRAMS: [(&str, &str); 9] = [
    ("nothing", ""),
    ("arithmetic", "(drop (i32.mul (i32.const 3) (i32.add (i32.const 1) (i32.const 2))))"),
    ("a call that ends the method", "(call $empty)"),
    ("code after a call", "(call $empty) (drop (i32.add (i32.const 1) (i32.const 2)))"),
    (
        "a loop",
        "(local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))))",
    ),
    ("the host at the end", "(call $output (i32.const 0) (i32.const 5))"),
    ("code after the host", "(call $output (i32.const 0) (i32.const 5)) (drop (i32.add (i32.const 1) (i32.const 2)))"),
    ("a write", "(call $set (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 50))"),
    ("growing", "(drop (memory.grow (i32.const 2)))"),
];

/// With exactly the gas that it uses a call ends as with more, with one less it does not; the whole truth about a limit.
#[test]
fn enough_is_enough_and_one_less_is_not() {
    for (name, instructions) in PROGRAMS {
        let mut world = World::new();
        let contract =
            world.deploy("program", &module(&format!("(func $empty) (func (export \"hanse.run\") {instructions})")));
        let call = |world: &World, gas_limit| World { gas_limit, ..world.clone() }.call(contract, "run", &[]);
        let plenty = call(&world, 10_000_000);
        assert_eq!(plenty.status, Status::Success, "{name}: {}", plenty.message);
        let used = plenty.gas_used.0;
        assert_eq!(call(&world, used), plenty, "{name}");
        for less in [1, 2, 3, 5, 100, used - 4_000, used - 1, used] {
            let poor = call(&world, used - less);
            assert_eq!(poor.status, Status::OutOfGas, "{name}, {less} less");
            assert_eq!(poor.gas_used.0, used - less, "{name}, {less} less");
        }
    }
}

#[test]
fn all_gas_there_can_be_is_no_special_case() {
    let mut world = World::new();
    let contract = world.deploy("program", &module("(func (export \"hanse.run\"))"));
    let usual = world.call(contract, "run", &[]);
    for gas_limit in [limits::TX_GAS, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX] {
        assert_eq!(World { gas_limit, ..world.clone() }.call(contract, "run", &[]), usual, "{gas_limit}");
    }
}

/// `run` calls `burn` of the contract `burner`, with so much gas, again and again until its own is gone.
fn arsonist(burner: Address, gas: u64) -> String {
    let data: String = burner.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    module(&format!(
        "(data (i32.const 0) \"{data}burn\") (func (export \"hanse.run\")
            (loop (drop (call $call (i32.const 0) (i32.const 20) (i32.const 4) (i32.const 0) (i32.const 0)
                (i64.const {gas}))) (br 0)))"
    ))
}

/// How often the burner in `inside` ran, by the count that it keeps, though it fails or is undone: by its debug lines.
fn burns(name: &str, inside: &str, gas: u64, limit: u64) -> usize {
    let mut world = World::new();
    let burner = world.deploy("burner", &module(inside));
    let arsonist = world.deploy("arsonist", &arsonist(burner, gas));
    world.gas_limit = limit;
    let transaction = world.transaction(ALICE, arsonist, "run", Vec::new());
    let execution = world.run(&transaction);
    assert_eq!((execution.status, execution.gas_used.0), (Status::OutOfGas, limit), "{name}");
    let state = Box::new(hanse_state::PlainState::new(world.view.clone(), 4));
    let vm = crate::world::machine(1);
    let (query, _) = vm.query(&std::sync::Arc::new(world.block.clone()), &transaction, state, false);
    query.unwrap().debug.len()
}

/// Work that was done is paid for, however it ends: nobody gets it again and again for the price of a call.
#[test]
fn work_that_ends_in_a_trap_is_paid_for() {
    let work = |end: &str| {
        format!(
            "(table 1 funcref) (func (export \"hanse.burn\") (local i32) (call $debug (i32.const 0) (i32.const 0))
                (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 10000)))) {end})"
        )
    };
    for end in [
        "",
        "unreachable",
        "(drop (i32.load (i32.const -1)))",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        "(call_indirect (i32.const 0))",
        "(call $panic (i32.const 0) (i32.const 0))",
        "(call $output (i32.const -1) (i32.const 1))",
        "(drop (call $block_hash (i64.const 999) (i32.const -1)))",
        "(loop (br 0))",
    ] {
        // Ten thousand rounds of at least five instructions: fifty thousand gas for each burn.
        let count = burns(end, &work(end), 200_000, 1_000_000);
        assert!((1..=20).contains(&count), "{end}: {count} burns");
    }
}

/// On its way back, a recursion passes no function's entry and no loop. It is paid for all the same.
#[test]
fn code_after_a_recursion_is_paid_for() {
    let straight = "(local.set 1 (i32.mul (local.get 1) (i32.const 3)))".repeat(1_000);
    let inside = |after: &str| {
        format!(
            "(func $f (param i32) (local i32)
                (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))) {after})
            (func (export \"hanse.run\") (call $f (i32.const 1000)))"
        )
    };
    let mut world = World::new();
    let light = world.deploy("light", &module(&inside("")));
    let heavy = world.deploy("heavy", &module(&inside(&straight)));
    let light = world.call(light, "run", &[]);
    let whole = world.call(heavy, "run", &[]);
    assert!(whole.gas_used.0 > light.gas_used.0 + 4_000_000, "{} for four million instructions", whole.gas_used);
    // Enough to get down, and for a few frames of a thousand on the way back.
    world.gas_limit = light.gas_used.0 + 20_000;
    let poor = world.call(heavy, "run", &[]);
    assert_eq!((poor.status, poor.gas_used.0), (Status::OutOfGas, world.gas_limit));
}

/// A contract that dives as deep as its argument says, and one that calls it from inside itself.
fn divers(world: &mut World) -> (Address, Address) {
    let dive = "(func $dive (param i32) (local i64 i64) (local.set 1 (i64.extend_i32_u (local.get 0)))
            (if (local.get 0) (then (call $dive (i32.sub (local.get 0) (i32.const 1))))))
        (func (export \"hanse.dive\") (drop (call $input (i32.const 64) (i32.const 4)))
            (call $dive (i32.load (i32.const 64))))";
    let diver = world.deploy("diver", &module(dive));
    let data: String = diver.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let boat = format!(
        "(data (i32.const 0) \"{data}dive\") (func (export \"hanse.dive\") (drop (call $input (i32.const 64) (i32.const 4)))
            (i64.store (i32.const 72) (call $call (i32.const 0) (i32.const 20) (i32.const 4) (i32.const 64) (i32.const 4)
                (i64.const -1)))
            (call $output (i32.const 76) (i32.const 1)))"
    );
    (diver, world.deploy("boat", &module(&boat)))
}

/// Where the stack ends is part of what nodes agree on: the same on every thread, under every caller.
#[test]
fn the_deepest_recursion_is_the_same_from_everywhere() {
    let mut world = World::new();
    let (diver, boat) = divers(&mut world);
    let vm = crate::world::machine(2);
    let fits = |contract: Address, depth: u32| {
        let transaction = world.transaction(ALICE, contract, "dive", depth.to_le_bytes().to_vec());
        let (execution, _) = world.plain(&vm, &transaction);
        match (execution.status, &execution.output[..]) {
            (Status::Success, [] | [0]) => true,
            (Status::LimitExceeded, _) => false,
            (Status::Success, [5]) => false,
            _ => panic!("{execution:?}"),
        }
    };
    let deepest = |contract: Address| {
        let (mut fitting, mut failing) = (1, 1_000_000);
        while failing - fitting > 1 {
            let middle = (fitting + failing) / 2;
            if fits(contract, middle) { fitting = middle } else { failing = middle }
        }
        fitting
    };
    let expected = deepest(diver);
    assert!(expected > 1_000, "{expected}");
    assert_eq!(deepest(boat), expected, "below another contract");
    for stack in [1usize << 20, 16 << 20] {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(stack);
            let found = thread.spawn_scoped(scope, || deepest(diver)).unwrap().join().unwrap();
            assert_eq!(found, expected, "on a thread with a stack of {stack} bytes");
        });
    }
}

/// A chain of contracts, each of which calls the next from as deep in its stack as it gets: the most native stack that
/// anybody can make a node use. The host must have that much, as a thread whose stack ends takes the node with it.
#[test]
fn the_deepest_stack_that_calls_can_make_is_survived() {
    let mut world = World::new();
    let addresses: Vec<_> =
        (0..limits::CALL_DEPTH).map(|n| contract_address(CryptoSuite::Standard, &ALICE, &format!("link{n}"))).collect();
    for (n, _) in addresses.iter().enumerate() {
        let next = addresses.get(n + 1).unwrap_or(&Address::ZERO);
        let data: String = next.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        // Each frame has 64 locals that live across the call: about half a kilobyte.
        let locals = (0..64).map(|n| format!("(local.set {n} (i64.load (i32.const {})))", n * 8)).collect::<String>();
        let kept = (0..64).map(|n| format!("(i64.store (i32.const {}) (local.get {n}))", n * 8)).collect::<String>();
        let link = format!(
            "(data (i32.const 1000) \"{data}run\") (global $left (mut i32) (i32.const 700))
            (func $down (local {}) {locals}
                (if (i32.eqz (global.get $left))
                    (then (drop (call $call (i32.const 1000) (i32.const 1020) (i32.const 3) (i32.const 0) (i32.const 0)
                        (i64.const -1))))
                    (else (global.set $left (i32.sub (global.get $left) (i32.const 1))) (call $down))) {kept})
            (func (export \"hanse.run\") (call $down))",
            "i64 ".repeat(64)
        );
        assert_eq!(world.try_deploy(&format!("link{n}"), &wasm(&module(&link)), &[]).status, Status::Success);
    }
    let run = |world: &World| -> Execution {
        let transaction = world.transaction(ALICE, addresses[0], "run", Vec::new());
        world.plain(&crate::world::machine(1), &transaction).0
    };
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let execution = std::thread::scope(|scope| thread.spawn_scoped(scope, || run(&world)).unwrap().join().unwrap());
    assert_eq!(execution.status, Status::Success, "{}", execution.message);
}
