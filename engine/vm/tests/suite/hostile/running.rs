//! Modules that are accepted, and do their harm when they are called. Each ends in a receipt, every time the same.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Status};
use hanse_vm::contract_address;

use super::{Case, case, host, text};
use crate::world::{ALICE, IMPORTS, World, module, running};

/// The status and the message that the receipt shows.
pub(super) fn ends(status: Status, message: &str) -> String {
    format!("{}: {message}", status.name())
}

pub(super) fn traps(message: &str) -> String {
    ends(Status::Trapped, message)
}

pub(super) const OUTSIDE: &str = "a pointer given to the host lies outside the memory";

/// A case of one method of these instructions.
pub(super) fn code(name: &'static str, instructions: &str, expected: String) -> Case {
    text(name, &running("", instructions), &expected)
}

pub(super) fn good() -> String {
    ends(Status::Success, "")
}

pub(crate) fn cases() -> Vec<Case> {
    [traps_of_the_engine(), endless(), deep(), memories(), calls(), host::cases(), ends_of_calls(), wide()]
        .into_iter()
        .flatten()
        .collect()
}

fn traps_of_the_engine() -> Vec<Case> {
    let memory = || traps("access outside the memory");
    let table = |inside: &str, instructions: &str| {
        module(&format!("(type $t (func)) {inside} (func (export \"hanse.run\") {instructions})"))
    };
    let missing = traps("call of a function that is not in the table");
    let conversion = "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))";
    vec![
        code("unreachable", "unreachable", traps("unreachable code")),
        code("division by zero", "(drop (i32.div_u (i32.const 1) (i32.const 0)))", traps("division by zero")),
        code("remainder by zero", "(drop (i64.rem_s (i64.const 1) (i64.const 0)))", traps("division by zero")),
        code("quotient that does not fit", conversion, traps("integer overflow")),
        code("load behind the memory", "(drop (i32.load (i32.const 131072)))", memory()),
        code("load across the memory's end", "(drop (i64.load (i32.const 131065)))", memory()),
        code("load at the end of the address space", "(drop (i32.load offset=0xffffffff (i32.const -1)))", memory()),
        code("load behind what could be reserved", "(drop (i32.load (i32.const 0x7fffffff)))", memory()),
        code("store behind the memory", "(i32.store8 (i32.const 131072) (i32.const 1))", memory()),
        code("store below the memory", "(i32.store (i32.const -4) (i32.const 1))", memory()),
        text("call of nothing", &table("(table 2 funcref)", "(call_indirect (type $t) (i32.const 1))"), &missing),
        text("call behind the table", &table("(table 2 funcref)", "(call_indirect (type $t) (i32.const 2))"), &missing),
        text(
            "call at the end of all tables",
            &table("(table 2 funcref)", "(call_indirect (type $t) (i32.const -1))"),
            &missing,
        ),
        text(
            "call of a function of another type",
            &table(
                "(table 1 funcref) (elem (i32.const 0) $f) (func $f (param i32))",
                "(call_indirect (type $t) (i32.const 0))",
            ),
            &traps("indirect call of a function of another type"),
        ),
    ]
}

fn endless() -> Vec<Case> {
    let spent = || ends(Status::OutOfGas, "");
    let jump = "(local i32) (loop $l (block (block (br_table 0 1 2 (local.get 0))) (br $l)) (br $l))";
    vec![
        code("endless loop", "(loop (br 0))", spent()),
        code("endless loop that works", "(local i64) (loop (local.set 0 (i64.mul (local.get 0) (i64.const 3))) (br 0))", spent()),
        code("endless loop of jumps", jump, spent()),
        code("endless loop of loops", "(loop (loop (loop (br 2))))", spent()),
        code("endless growing", "(loop (drop (memory.grow (i32.const 1))) (br 0))", spent()),
        code("endless growing by nothing", "(loop (drop (memory.grow (i32.const 0))) (br 0))", spent()),
        code("endless reading", "(loop (drop (call $get (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0))) (br 0))",
            spent()),
        code("endless hashing", "(loop (call $sha256 (i32.const 0) (i32.const 131072) (i32.const 0)) (br 0))", spent()),
        code("endless checking of signatures", "(loop (drop (call $verify (i32.const 0) (i32.const 0) (i32.const 32)
            (i32.const 0) (i32.const 131072) (i32.const 0) (i32.const 64))) (br 0))", spent()),
        code("endless debugging", "(loop (call $debug (i32.const 0) (i32.const 131072)) (br 0))", spent()),
        code("endless output", "(loop (call $output (i32.const 0) (i32.const 131072)) (br 0))", spent()),
        text("calls that double at each level",
            &module("(func $0) (func $1 (call $0) (call $0)) (func $2 (call $1) (call $1)) (func $3 (call $2) (call $2))
                (func $4 (call $3) (call $3) (call $3) (call $3)) (func $5 (call $4) (call $4) (call $4) (call $4))
                (func $6 (call $5) (call $5) (call $5) (call $5)) (func $7 (call $6) (call $6) (call $6) (call $6))
                (func $8 (call $7) (call $7) (call $7) (call $7)) (func $9 (call $8) (call $8) (call $8) (call $8))
                (func $10 (call $9) (call $9) (call $9) (call $9)) (func $11 (call $10) (call $10) (call $10) (call $10))
                (func $12 (call $11) (call $11) (call $11) (call $11)) (func $13 (call $12) (call $12) (call $12))
                (func (export \"hanse.run\") (loop (call $13) (br 0)))"),
            &spent()),
    ]
}

fn deep() -> Vec<Case> {
    let too_deep = || ends(Status::LimitExceeded, "calls inside the contract are nested too deep");
    let wide = "(local.set 0 (i64.add (local.get 0) (i64.const 1)))";
    let many_locals = format!(
        "(func $f (export \"hanse.run\") (local {}) {} (call $f) {})",
        "i64 ".repeat(1_000),
        (0..1_000).map(|n| format!("(local.set {n} (i64.load (i32.const {n})))")).collect::<String>(),
        (0..1_000).map(|n| format!("(i64.store (i32.const {n}) (local.get {n}))")).collect::<String>(),
    );
    let parameters = format!(
        "(func $f {} (call $f {})) (func (export \"hanse.run\") (call $f {}))",
        "(param i64)".repeat(64),
        (0..64).map(|n| format!("(local.get {n})")).collect::<String>(),
        "(i64.const 1)".repeat(64),
    );
    vec![
        text("recursion", &module("(func $f (export \"hanse.run\") (call $f))"), &too_deep()),
        text(
            "recursion with a local",
            &module(&format!("(func $f (export \"hanse.run\") (local i64) {wide} (call $f))")),
            &too_deep(),
        ),
        text(
            "mutual recursion",
            &module("(func $f (export \"hanse.run\") (call $g)) (func $g (call $h)) (func $h (call $f))"),
            &too_deep(),
        ),
        text(
            "recursion through the table",
            &module(
                "(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
                (func $f (export \"hanse.run\") (call_indirect (type $t) (i32.const 0)))",
            ),
            &too_deep(),
        ),
        text("recursion with a thousand locals", &module(&many_locals), &too_deep()),
        text("recursion with many parameters", &module(&parameters), &too_deep()),
        text(
            "recursion that calls the host",
            &module("(func $f (export \"hanse.run\") (call $debug (i32.const 0) (i32.const 0)) (call $f))"),
            &too_deep(),
        ),
    ]
}

fn memories() -> Vec<Case> {
    // Traps where the answer is another than expected.
    let expect =
        |grow: &str, answer: &str| format!("(if (i32.ne (memory.grow ({grow})) ({answer})) (then (unreachable)))");
    let memory = |memory: &str, instructions: &str| {
        format!("(module {IMPORTS} (memory (export \"memory\") {memory}) (func (export \"hanse.run\") {instructions}))")
    };
    let to_limit = expect("i32.const 254", "i32.const 2") + &expect("i32.const 1", "i32.const -1");
    let own_limit = expect("i32.const 2", "i32.const -1") + &expect("i32.const 1", "i32.const 1");
    let touch = "(local i32) (loop (i32.store (i32.mul (local.get 0) (i32.const 4096)) (i32.const 1))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 4096))))";
    vec![
        code("growing to the limit and beyond", &to_limit, good()),
        code("growing by all at once", &expect("i32.const -1", "i32.const -1"), good()),
        code("growing by one page too many", &expect("i32.const 255", "i32.const -1"), good()),
        text("growing beyond the own limit", &memory("1 2", &own_limit), &good()),
        text("the largest memory, touched everywhere", &memory("256", touch), &good()),
        text(
            "a memory of no pages",
            &memory("0", "(drop (i32.load (i32.const 0)))"),
            &traps("access outside the memory"),
        ),
        text(
            "a memory of no pages, given to the host",
            &memory("0", "(call $output (i32.const 0) (i32.const 1))"),
            &traps(OUTSIDE),
        ),
        text("nothing of a memory of no pages", &memory("0", "(call $output (i32.const 0) (i32.const 0))"), &good()),
    ]
}

/// Calls `method` of the contract at the address in `data`, and traps unless the answer has this status.
fn calling(data: &str, method: &str, args: usize, status: Status) -> String {
    running(
        &format!("{data}{method}"),
        &format!(
            "(if (i64.ne (i64.shr_u (call $call (i32.const 0) (i32.const 20) (i32.const {}) (i32.const 1000)
                (i32.const {args}) (i64.const -1)) (i64.const 32)) (i64.const {})) (then (unreachable)))",
            method.len(),
            status.code()
        ),
    )
}

fn escaped(address: &Address) -> String {
    address.0.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

fn calls() -> Vec<Case> {
    let own = escaped(&contract_address(CryptoSuite::Standard, &ALICE, "hostile"));
    let native = |number: u16| escaped(&Address::native(number));
    let garbage = 40;
    vec![
        text("call of nobody", &calling(&"\\77".repeat(20), "run", 0, Status::ContractNotFound), &good()),
        text("call of an account", &calling(&escaped(&ALICE), "run", 0, Status::ContractNotFound), &good()),
        text(
            "call of a system contract that is not there",
            &calling(&native(99), "run", 0, Status::ContractNotFound),
            &good(),
        ),
        text("call of itself", &calling(&own, "run", 0, Status::Reentrancy), &good()),
        text("call of itself by another method", &calling(&own, "nothing", 0, Status::Reentrancy), &good()),
        text("account with garbage", &calling(&native(1), "transfer", garbage, Status::InvalidArguments), &good()),
        text("account without arguments", &calling(&native(1), "issue", 0, Status::InvalidArguments), &good()),
        text("lifecycle with garbage", &calling(&native(2), "deploy", garbage, Status::InvalidArguments), &good()),
        text("freezing nobody", &calling(&native(2), "freeze", 20, Status::ContractNotFound), &good()),
        text("names with garbage", &calling(&native(3), "register", garbage, Status::InvalidArguments), &good()),
        text(
            "registering as the lifecycle",
            &calling(&native(3), "register_deployed", 44, Status::PermissionDenied),
            &good(),
        ),
        text("parameters with garbage", &calling(&native(4), "set", garbage, Status::InvalidArguments), &good()),
        text(
            "making oneself an administrator",
            &calling(&native(4), "add_administrator", 20, Status::PermissionDenied),
            &good(),
        ),
        text("members with garbage", &calling(&native(5), "add", garbage, Status::InvalidArguments), &good()),
        text("a method that is not there", &calling(&native(1), "steal", 0, Status::MethodNotFound), &good()),
        text("a method without a name", &calling(&native(1), "", 0, Status::MethodNotFound), &good()),
        text(
            "a method that is no text",
            &running(
                "\\ff",
                "(drop (call $call (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i64.const -1)))",
            ),
            &ends(Status::MethodNotFound, "the method's name is no text"),
        ),
        code(
            "a method's name of 2³²−1 bytes",
            "(drop (call $call (i32.const 0) (i32.const 0) (i32.const -1)
            (i32.const 0) (i32.const 0) (i64.const -1)))",
            good(),
        ),
        code(
            "endless calls",
            "(loop (drop (call $call (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i64.const -1))) (br 0))",
            ends(Status::OutOfGas, ""),
        ),
    ]
}

fn ends_of_calls() -> Vec<Case> {
    let revert = |code: &str| format!("(call $revert (i32.const {code}) (i32.const 0) (i32.const 1))");
    vec![
        code("an error of its own", &revert("7"), ends(Status::Reverted, "")),
        code("the last error of its own", &revert("-257"), ends(Status::Reverted, "")),
        code("a reserved error", &revert("-256"),
            ends(Status::InvalidOperation, "the error code 4294967040 is reserved")),
        code("arguments that do not decode", &revert("-1"),
            ends(Status::InvalidArguments, "argument 0 does not decode, or bytes are left over")),
        code("an addition that nobody handled", &revert("-2"),
            ends(Status::OutOfBounds, "an addition would leave its bounds")),
        code("output and then a trap", "(call $output (i32.const 0) (i32.const 9)) unreachable", traps("unreachable code")),
        code("an unknown signature algorithm", "(drop (call $verify (i32.const 2) (i32.const 0) (i32.const 32)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))",
            ends(Status::InvalidOperation, "unknown signature algorithm")),
        code("a signature of wrong lengths", "(if (call $verify (i32.const 0) (i32.const 0) (i32.const 31)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 63)) (then (unreachable)))", good()),
        code("a key of zeros", "(if (call $verify (i32.const 1) (i32.const 0) (i32.const 33)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)) (then (unreachable)))", good()),
        code("hashes of blocks that are not there", "(if (i32.or (call $block_hash (i64.const -1) (i32.const -1))
            (i32.or (call $block_hash (i64.const 1000) (i32.const -1)) (call $block_hash (i64.const 743) (i32.const -1))))
            (then (unreachable)))", good()),
    ]
}

/// Modules at the limits of what is accepted.
fn wide() -> Vec<Case> {
    let functions = format!("{}(func (export \"hanse.run\"))", "(func)".repeat(8_191));
    let targets = format!("(br_table {} (i32.const 4096))", "0 ".repeat(4_096));
    let nested = format!("{} (br 255) {}", "block ".repeat(256), "end ".repeat(256));
    let nested_loops = format!("{} {}", "loop ".repeat(32), "end ".repeat(32));
    let numbers =
        (0..1_000).map(|n| format!("(local.set {n} (i64.add (local.get {n}) (i64.const 1)))")).collect::<String>();
    let joined = format!(
        "(local {}) {} {numbers} {}",
        "i64 ".repeat(1_024),
        "loop ".repeat(32),
        "(br_if 0 (i32.eqz (i32.const 1))) end ".repeat(32)
    );
    let tables =
        (0..40).map(|_| "(block (br_table ".to_owned() + &"0 ".repeat(4_096) + "(local.get 0)))").collect::<String>();
    let segments = "(data (i32.const 0) \"x\")".repeat(1_024);
    vec![
        text("as many functions as may be", &module(&functions), &good()),
        code("as many branch targets as may be", &targets, good()),
        code("blocks as deep as may be", &nested, good()),
        code("loops as deep as may be", &nested_loops, good()),
        code("locals that all loops change", &joined, good()),
        code("many wide branches", &format!("(local i32) {tables}"), good()),
        code(
            "as many locals as may be",
            &format!("(local {}) (local.set 1023 (i64.const 1))", "i64 ".repeat(1_024)),
            good(),
        ),
        code("a function of nearly 256 KiB", &"nop ".repeat((256 << 10) - 100), good()),
        code("a function of many calls", &"(call $debug (i32.const 0) (i32.const 0))".repeat(1_024), good()),
        text("as many segments as may be", &module(&format!("{segments} (func (export \"hanse.run\"))")), &good()),
        text(
            "a table as large as may be, full",
            &module(&format!(
                "(table 4096 funcref)
            (elem (i32.const 0) {}) (func $f (export \"hanse.run\"))",
                "$f ".repeat(4_096)
            )),
            &good(),
        ),
        text(
            "an ABI of deep lists that nobody reads",
            &format!(
                "(module (memory (export \"memory\") 1)
            (func (export \"hanse.run\")) (@custom \"hanse_abi\" \"{{\\22x\\22:{}{}}}\"))",
                "[".repeat(100_000),
                "]".repeat(100_000)
            ),
            &good(),
        ),
        case("empty sections", empty_sections(), &good()),
        text(
            "an export's name of all sorts",
            &module("(func (export \"\\00\\07\\e2\\80\\aex\") (export \"hanse.run\"))"),
            &good(),
        ),
    ]
}

/// A module with every section that may be empty, empty, and all lengths in five bytes.
fn empty_sections() -> Vec<u8> {
    let long = |number: u8| [number | 0x80, 0x80, 0x80, 0x80, 0x00];
    let section = |id: u8, contents: &[u8]| [&[id][..], &long(contents.len() as u8), contents].concat();
    let empty = |id: u8| section(id, &long(0));
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[&long(1)[..], &[0x60, 0, 0]].concat()),
        empty(2),
        section(3, &[&long(1)[..], &[0]].concat()),
        empty(4),
        section(5, &[&long(1)[..], &[0, 1]].concat()),
        empty(6),
        section(7, &[&long(2)[..], &[6], b"memory", &[2, 0, 9], b"hanse.run", &[0, 0]].concat()),
        empty(9),
        section(10, &[&long(1)[..], &long(7), &long(0), &[0x01, 0x0b]].concat()),
        empty(11),
    ]
    .concat()
}

#[test]
fn each_ends_as_it_must_on_every_machine() {
    for Case { name, code, expected } in cases() {
        let mut world = World::new();
        world.gas_limit = crate::world::GAS;
        let deployed = world.try_deploy("hostile", &code, &[]);
        assert_eq!(deployed.status, Status::Success, "{name}: {}", deployed.message);
        world.gas_limit = 20_000_000;
        let contract = contract_address(CryptoSuite::Standard, &ALICE, "hostile");
        let execution = world.call(contract, "run", &[]);
        assert_eq!(ends(execution.status, &execution.message), expected, "{name}");
        let at = if execution.status.is_success() { Address::ZERO } else { contract };
        assert_eq!(execution.failed_in, at, "{name}");
    }
}
