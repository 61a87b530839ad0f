//! Valid modules with bytes changed, cut out and put in: never a panic, and whatever is still accepted ends in a receipt
//! within its gas.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hanse_state::{MemoryView, PlainState};
use hanse_types::Params;
use hanse_types::crypto::CryptoSuite;
use hanse_vm::system::lifecycle::{self, Condition, Record};

use crate::world::{ALICE, World, encode, machine, module, wasm};

/// How many mutants are made. Those that are accepted and compiled are few, or this would take minutes.
const MUTANTS: usize = 24_000;

/// A generator whose every number follows from the seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

fn mutate(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut code = seed.to_vec();
    for _ in 0..=random.below(3) {
        // The header stays mostly: without it there is nothing to see.
        let at = (8 + random.below(code.len().max(9) - 8)).min(code.len().saturating_sub(1));
        match random.below(6) {
            0 => code[at] ^= 1 << random.below(8),
            1 => code[at] = random.next() as u8,
            2 => code[at] = [0, 1, 0x7f, 0x80, 0xff, 0x40, 0x0b][random.below(7)],
            3 => code.insert(at, random.next() as u8),
            4 => drop(code.drain(at..(at + 1 + random.below(8)).min(code.len()))),
            _ => {
                let piece = code[at..(at + random.below(24)).min(code.len())].to_vec();
                let to = random.below(code.len());
                code.splice(to..to, piece);
            }
        }
        if code.len() < 9 {
            return code;
        }
    }
    code
}

fn seeds() -> Vec<Vec<u8>> {
    let loops =
        "(func (export \"hanse.run\") (local i32 i64) (loop $l (local.set 1 (i64.mul (local.get 1) (i64.const 7)))
        (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 50)))))";
    let state = "(data (i32.const 0) \"key value\") (func (export \"hanse.run\")
        (call $set (i32.const 0) (i32.const 3) (i32.const 4) (i32.const 5))
        (drop (call $get (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 5)))
        (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 0)))
        (call $output (i32.const 64) (i32.const 5)))";
    let tables = "(type $t (func (param i32) (result i32))) (table 8 funcref) (elem (i32.const 1) $a $b)
        (func $a (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func $b (param i32) (result i32) (if (result i32) (local.get 0) (then (call $a (local.get 0))) (else (i32.const 3))))
        (global $g (mut i32) (i32.const 5))
        (func (export \"hanse.run\") (global.set $g (call_indirect (type $t) (global.get $g) (i32.const 2))))";
    let abi = "(func (export \"hanse.run\") (export \"hanse.look\"))
        (@custom \"hanse_abi\" \"{\\22methods\\22:[{\\22name\\22:\\22look\\22,\\22kind\\22:\\22view\\22}]}\")";
    [loops, state, tables, abi].map(|inside| wasm(&module(inside))).to_vec()
}

/// A contract that is there without having been deployed, so that a mutant costs one call.
fn with_code(view: &MemoryView, contract: hanse_types::Address, code: &[u8]) -> Arc<MemoryView> {
    let mut view = view.clone();
    let hash = lifecycle::code_hash(CryptoSuite::Standard, code);
    let record = Record { code: hash, version: 1, condition: Condition::Active };
    let own = |field: &str, element: &[u8]| {
        let key = [&hanse_abi::keys::field_prefix(field)[..], element].concat();
        hanse_abi::keys::full_key(&lifecycle::ADDRESS, &key)
    };
    view.put(&own("contracts", &contract.0), Some(encode(&record).into()));
    view.put(&own("code", &hash.0), Some(code.to_vec().into()));
    Arc::new(view)
}

#[test]
fn no_mutant_breaks_the_machine() {
    let (seeds, mut random) = (seeds(), Random(20_261_121));
    let mut world = World::new();
    world.gas_limit = 100_000;
    let (empty, params, mut vm) = (world.view.clone(), Params::default(), machine(1));
    let contract = hanse_types::Address([9; 20]);
    let transaction = world.transaction(ALICE, contract, "run", Vec::new());
    let (mut accepted, mut succeeded) = (0, 0);
    for number in 0..MUTANTS {
        let code = mutate(&mut random, &seeds[number % seeds.len()]);
        let checked = catch_unwind(AssertUnwindSafe(|| vm.check(&code, &params)));
        let Ok(checked) = checked else { panic!("mutant {number} broke the check: {code:02x?}") };
        if checked.is_err() {
            continue;
        }
        accepted += 1;
        // Not all are compiled, for that takes a thousand times as long as the check.
        if accepted % 8 != 0 {
            continue;
        }
        world.view = with_code(&empty, contract, &code);
        let run = catch_unwind(AssertUnwindSafe(|| {
            let state = Box::new(PlainState::new(world.view.clone(), 8));
            vm.execute(&Arc::new(world.block.clone()), &transaction, state).0
        }));
        let Ok(Ok(execution)) = run else { panic!("mutant {number} broke the machine: {code:02x?}") };
        assert!(execution.gas_used.0 <= world.gas_limit, "mutant {number}");
        assert_ne!(execution.message, "trap", "mutant {number} trapped by something unknown: {code:02x?}");
        assert!(!execution.message.contains("does not compile"), "mutant {number}: {code:02x?}");
        succeeded += usize::from(execution.status.is_success());
        if accepted % 800 == 0 {
            // A machine keeps all that it compiled.
            vm = machine(1);
        }
    }
    println!("{accepted} of {MUTANTS} mutants are accepted; of every eighth, {succeeded} succeed");
    assert!(accepted > MUTANTS / 50 && succeeded > 0, "the mutants are too tame or too wild: {accepted}, {succeeded}");
}
