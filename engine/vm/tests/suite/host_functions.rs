//! What the host functions do when they are used as they should be.

use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Execution, Status};
use sha2::Digest;

use crate::world::{ALICE, World, module};

/// Runs these instructions once, with arguments.
fn run(data: &str, instructions: &str, args: &[u8]) -> Execution {
    let mut world = World::new();
    let inside = format!("(data (i32.const 0) \"{data}\") (func (export \"hanse.run\") {instructions})");
    let contract = world.deploy("program", &module(&inside));
    let execution = world.call(contract, "run", args);
    assert_eq!(execution.status, Status::Success, "{}", execution.message);
    execution
}

const PUT_OUT: &str = "(call $output (i32.const 1000) (i32.const 200))";

#[test]
fn the_context_says_who_calls_whom_and_when() {
    let mut world = World::new();
    let inside =
        "(func (export \"hanse.run\") (call $context (i32.const 0)) (call $output (i32.const 0) (i32.const 77)))";
    let contract = world.deploy("program", &module(inside));
    let output = world.call(contract, "run", &[]).output;
    let expected = hanse_abi::host::CallContext {
        caller: ALICE,
        origin: ALICE,
        contract,
        height: 1_000,
        time_ms: 77,
        read_only: false,
    };
    assert_eq!(output, borsh::to_vec(&expected).unwrap());
}

#[test]
fn arguments_come_in_if_there_is_room() {
    let copy = |room: usize| {
        let instructions =
            format!("(i32.store (i32.const 1000) (call $input (i32.const 1004) (i32.const {room}))) {PUT_OUT}");
        run("", &instructions, b"arguments").output
    };
    assert_eq!(copy(9)[..13], *b"\x09\0\0\0arguments");
    assert_eq!(copy(100)[..14], *b"\x09\0\0\0arguments\0");
    assert_eq!(copy(8)[..13], *b"\x09\0\0\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn keys_hold_what_was_put_there() {
    let get = |at: usize, room: usize| {
        format!(
            "(i32.store (i32.const {at}) (call $get (i32.const 0) (i32.const 3) (i32.const {}) (i32.const {room})))",
            at + 4
        )
    };
    let set = "(call $set (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 5))";
    let remove = "(call $remove (i32.const 0) (i32.const 3))";
    let all =
        [get(1000, 9), set.into(), get(1020, 9), get(1040, 4), remove.into(), get(1060, 9), PUT_OUT.into()].concat();
    let output = run("keyvalue", &all, &[]).output;
    assert_eq!(output[..4], (-1i32).to_le_bytes());
    assert_eq!(output[20..29], *b"\x05\0\0\0value");
    assert_eq!(output[40..49], *b"\x05\0\0\0\0\0\0\0\0");
    assert_eq!(output[60..64], (-1i32).to_le_bytes());
}

/// Puts the keys `ka` to `ke`, removes `kc`, and returns the answer of a scan.
fn scan(start: (usize, usize), end: (usize, usize), limit: i32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut world = World::new();
    let put: String = (0..5)
        .map(|n| format!("(call $set (i32.const {}) (i32.const 2) (i32.const {}) (i32.const 1))", n * 2, n * 2 + 1))
        .collect();
    let inside = format!(
        "(data (i32.const 0) \"kakbkckdkel\") (func (export \"hanse.put\") {put})
        (func (export \"hanse.scan\") (local i32) (call $remove (i32.const 4) (i32.const 2))
            (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 3))
            (local.set 0 (call $scan (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {limit})
                (i32.const {flags})))
            (call $buffer (i32.const 1000) (i32.const 0) (local.get 0)) (call $output (i32.const 1000) (local.get 0)))",
        start.0, start.1, end.0, end.1
    );
    let contract = world.deploy("program", &module(&inside));
    assert_eq!(world.call(contract, "put", &[]).status, Status::Success);
    borsh::from_slice(&world.call(contract, "scan", &[]).output).unwrap()
}

#[test]
fn scans_go_both_ways_as_far_as_their_limit() {
    let keys = |entries: Vec<(Vec<u8>, Vec<u8>)>| {
        entries.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>().join(" ")
    };
    let nothing = (0, 0);
    assert_eq!(keys(scan(nothing, nothing, -1, 0)), "k ka kb kd ke");
    assert_eq!(keys(scan((0, 1), nothing, 9, 0)), "k ka kb kd ke", "all that start with k");
    assert_eq!(keys(scan((2, 2), nothing, 9, 0)), "kb", "all that start with kb");
    assert_eq!(keys(scan((2, 2), (8, 2), 9, 0)), "kb kd", "the end is not part of it");
    assert_eq!(keys(scan((2, 2), (10, 1), 2, 0)), "kb kd");
    assert_eq!(keys(scan((0, 1), nothing, 2, 1)), "ke kd");
    assert_eq!(keys(scan((0, 1), (8, 2), 9, 1)), "kd kb ka k");
    assert_eq!(scan((0, 1), nothing, 1, 0), [(b"k".to_vec(), b"kak".to_vec())]);
    assert_eq!(scan((0, 1), nothing, 1, 2), [(b"k".to_vec(), Vec::new())], "keys only");
    assert_eq!(scan((8, 2), nothing, 1, 3), [(b"ke".to_vec(), Vec::new())]);
}

#[test]
fn an_addition_keeps_its_bounds_and_its_width() {
    let bounds: String =
        [5u128.to_le_bytes(), 10u128.to_le_bytes()].concat().iter().map(|byte| format!("\\{byte:02x}")).collect();
    let add = |at: usize, low: i64, width: usize, bounded: bool| {
        let high = if low < 0 { -1 } else { 0 };
        format!(
            "(i32.store8 (i32.const {at}) (call $add (i32.const 100) (i32.const 1) (i64.const {low}) (i64.const {high})
                (i32.const {width}) (i32.const 0) (i32.const {})))",
            if bounded { 32 } else { 0 }
        )
    };
    let get = "(drop (call $get (i32.const 100) (i32.const 1) (i32.const 1010) (i32.const 16)))";
    let run = |additions: &[String]| run(&bounds, &[&additions.concat()[..], get, PUT_OUT].concat(), &[]).output;
    let output = run(&[
        add(1000, 4, 8, true),
        add(1001, 5, 8, true),
        add(1002, 6, 8, true),
        add(1003, 5, 8, true),
        add(1004, -6, 8, true),
        add(1005, -5, 8, true),
    ]);
    assert_eq!(output[..6], [1, 0, 1, 0, 1, 0]);
    assert_eq!(output[10..18], 5u64.to_le_bytes());
    for (width, most) in [(1, u64::from(u8::MAX)), (2, u64::from(u16::MAX)), (4, u64::from(u32::MAX))] {
        let output =
            run(&[add(1000, most as i64, width, false), add(1001, 1, width, false), add(1002, -1, width, false)]);
        assert_eq!(output[..3], [0, 1, 0], "{width} bytes");
        assert_eq!(output[10..10 + width], (most - 1).to_le_bytes()[..width]);
    }
    let output = run(&[add(1000, i64::MAX, 16, false), add(1001, i64::MAX, 16, false)]);
    assert_eq!(output[10..26], (2 * i64::MAX as u128).to_le_bytes());
}

#[test]
fn recent_blocks_have_hashes() {
    let hash = |height: i64| {
        format!("(i32.store8 (i32.const 1000) (call $block_hash (i64.const {height}) (i32.const 1001))) {PUT_OUT}")
    };
    assert_eq!(run("", &hash(999), &[]).output[..33], [1; 33]);
    assert_eq!(run("", &hash(998), &[]).output[..2], [1, 2]);
    assert_eq!(run("", &hash(745), &[]).output[..2], [1, 255]);
    for missing in [1_000, 744, 0, -1] {
        assert_eq!(run("", &hash(missing), &[]).output[..2], [0, 0], "{missing}");
    }
}

#[test]
fn hashes_are_sha256() {
    let output =
        run("abc", &format!("(call $sha256 (i32.const 0) (i32.const 3) (i32.const 1000)) {PUT_OUT}"), &[]).output;
    assert_eq!(output[..32], sha2::Sha256::digest(b"abc")[..]);
}

#[test]
fn signatures_of_both_algorithms_are_checked() {
    let message = b"pay 5 to Bob";
    for (algorithm, key) in [SecretKey::ed25519([7; 32]), SecretKey::secp256k1([7; 32]).unwrap()].iter().enumerate() {
        let public = match key.public_key() {
            hanse_types::crypto::PublicKey::Ed25519(bytes) => bytes.to_vec(),
            hanse_types::crypto::PublicKey::Secp256k1(bytes) | hanse_types::crypto::PublicKey::Sm2(bytes) => {
                bytes.to_vec()
            }
        };
        let signature = key.sign(message).unwrap().0;
        let args = [&signature[..], message, &public].concat();
        let verify = format!(
            "(drop (call $input (i32.const 0) (i32.const 200)))
            (i32.store8 (i32.const 1000) (call $verify (i32.const {algorithm}) (i32.const 76) (i32.const {})
                (i32.const 64) (i32.const 12) (i32.const 0) (i32.const 64))) {PUT_OUT}",
            public.len()
        );
        assert_eq!(run("", &verify, &args).output[0], 1, "algorithm {algorithm}");
        for changed in [0, 63, 64, 75] {
            let mut wrong = args.clone();
            wrong[changed] ^= 1;
            assert_eq!(run("", &verify, &wrong).output[0], 0, "algorithm {algorithm}, byte {changed}");
        }
    }
}
