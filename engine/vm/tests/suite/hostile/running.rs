//! Modules that are accepted, and do their harm when they are called. Each ends in a receipt, every time the same.

use hanse_types::{Address, Status};
use hanse_vm::contract_address;

use super::{Case, case, text};
use crate::world::{ALICE, IMPORTS, World, module, running};

/// The status and the message that the receipt shows.
fn ends(status: Status, message: &str) -> String {
    format!("{}: {message}", status.name())
}

fn traps(message: &str) -> String {
    ends(Status::Trapped, message)
}

const OUTSIDE: &str = "a pointer given to the host lies outside the memory";

/// A case of one method of these instructions.
fn code(name: &'static str, instructions: &str, expected: String) -> Case {
    text(name, &running("", instructions), &expected)
}

fn good() -> String {
    ends(Status::Success, "")
}

pub(crate) fn cases() -> Vec<Case> {
    [
        traps_of_the_engine(),
        endless(),
        deep(),
        memories(),
        pointers(),
        lengths(),
        calls(),
        events(),
        scans(),
        adds(),
        ends_of_calls(),
        wide(),
    ]
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

/// Every host function with pointers that leave the memory.
fn pointers() -> Vec<Case> {
    let outside = |name, call: &str| code(name, call, traps(OUTSIDE));
    vec![
        outside("output from behind the memory", "(call $output (i32.const 131072) (i32.const 1))"),
        outside("output across the end", "(call $output (i32.const 131071) (i32.const 2))"),
        outside("output of 2³²−1 bytes", "(call $output (i32.const 1) (i32.const -1))"),
        outside("output at the last address", "(call $output (i32.const -1) (i32.const -1))"),
        outside("context behind the memory", "(call $context (i32.const 131072))"),
        outside("context across the end", "(call $context (i32.const 131000))"),
        outside("key from outside", "(drop (call $get (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0)))"),
        outside(
            "value to outside",
            "(call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8))
            (drop (call $get (i32.const 0) (i32.const 4) (i32.const 131070) (i32.const 8)))",
        ),
        outside("value from outside", "(call $set (i32.const 0) (i32.const 4) (i32.const 131070) (i32.const 8))"),
        outside("removed key from outside", "(call $remove (i32.const -8) (i32.const 8))"),
        outside(
            "added key from outside",
            "(drop (call $add (i32.const -8) (i32.const 8) (i64.const 1) (i64.const 0)
            (i32.const 8) (i32.const 0) (i32.const 0)))",
        ),
        outside(
            "bounds from outside",
            "(drop (call $add (i32.const 0) (i32.const 8) (i64.const 1) (i64.const 0)
            (i32.const 8) (i32.const 131050) (i32.const 32)))",
        ),
        outside(
            "scan from outside",
            "(drop (call $scan (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0)
            (i32.const 1) (i32.const 0)))",
        ),
        outside(
            "scan to outside",
            "(drop (call $scan (i32.const 0) (i32.const 1) (i32.const -1) (i32.const 1)
            (i32.const 1) (i32.const 0)))",
        ),
        outside(
            "address from outside",
            "(drop (call $call (i32.const 131060) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i64.const -1)))",
        ),
        outside(
            "method from outside",
            "(drop (call $call (i32.const 0) (i32.const -1) (i32.const -1) (i32.const 0)
            (i32.const 0) (i64.const -1)))",
        ),
        outside(
            "arguments from outside",
            "(drop (call $call (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 131072)
            (i32.const 1) (i64.const -1)))",
        ),
        outside("event from outside", "(call $event (i32.const -1) (i32.const -1))"),
        outside("error from outside", "(call $revert (i32.const 1) (i32.const -1) (i32.const 2))"),
        outside("message from outside", "(call $panic (i32.const -1) (i32.const 1))"),
        outside("block hash to outside", "(drop (call $block_hash (i64.const 999) (i32.const -32)))"),
        outside("hash of outside", "(call $sha256 (i32.const 131072) (i32.const 1) (i32.const 0))"),
        outside("hash to outside", "(call $sha256 (i32.const 0) (i32.const 1) (i32.const 131041))"),
        outside(
            "signature from outside",
            "(drop (call $verify (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 0)
            (i32.const 1) (i32.const 131071) (i32.const 64)))",
        ),
        outside("debug line from outside", "(call $debug (i32.const 131072) (i32.const 1))"),
        code(
            "buffer that is empty",
            "(call $buffer (i32.const 0) (i32.const 0) (i32.const 1))",
            traps("the host's buffer is shorter"),
        ),
        code(
            "buffer at the last address",
            "(call $buffer (i32.const 0) (i32.const -1) (i32.const 1))",
            traps("the host's buffer is shorter"),
        ),
        code("nothing of the empty buffer", "(call $buffer (i32.const 0) (i32.const 0) (i32.const 0))", good()),
        code(
            "arguments to outside, of which there are none",
            "(drop (call $input (i32.const -1) (i32.const -1)))",
            traps(OUTSIDE),
        ),
        code("overlapping hash", "(call $sha256 (i32.const 0) (i32.const 64) (i32.const 16))", good()),
    ]
}

/// Lengths that are within the memory and above what may be.
fn lengths() -> Vec<Case> {
    let large = "(drop (memory.grow (i32.const 100)))";
    let limit = |what: &str, found: usize, most: usize| {
        ends(Status::LimitExceeded, &format!("{what}: {found} is above the limit of {most}"))
    };
    let get =
        |length: usize| format!("(drop (call $get (i32.const 0) (i32.const {length}) (i32.const 0) (i32.const 0)))");
    let set =
        |length: usize| format!("{large} (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const {length}))");
    let output = |length: usize| format!("{large} (call $output (i32.const 0) (i32.const {length}))");
    let call = |length: usize| {
        format!(
            "{large} (drop (call $call (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
        (i32.const {length}) (i64.const -1)))"
        )
    };
    vec![
        code("the longest key", &get(1_024), good()),
        code("a key too long", &get(1_025), limit("a key", 1_025, 1_024)),
        code("an empty key", &get(0), good()),
        code("the longest value", &set(131_072), good()),
        code("a value too long", &set(131_073), limit("a value", 131_073, 131_072)),
        code("the longest output", &output(262_144), good()),
        code("output too long", &output(262_145), limit("the return value", 262_145, 262_144)),
        code("arguments of the longest length", &call(2_162_688), good()),
        code(
            "arguments too long",
            &call(2_162_689),
            ends(Status::LimitExceeded, "arguments of 2162689 bytes are above the limit of 2162688"),
        ),
        code(
            "error too long",
            &format!("{large} (call $revert (i32.const 1) (i32.const 0) (i32.const 262145))"),
            ends(Status::LimitExceeded, "the error's fields are too long"),
        ),
        code(
            "message without end",
            &format!("{large} (call $panic (i32.const 0) (i32.const 5000000))"),
            ends(Status::Panicked, &"\0".repeat(1_024)),
        ),
        text(
            "message that is no text",
            &running("\\ff\\fe\\c3", "(call $panic (i32.const 0) (i32.const 3))"),
            &ends(Status::Panicked, "\u{fffd}\u{fffd}\u{fffd}"),
        ),
        code(
            "end of a scan too long",
            "(drop (call $scan (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1025)
            (i32.const 1) (i32.const 0)))",
            limit("the end of a scan", 1_025, 1_024),
        ),
        code(
            "beginning of a scan too long",
            "(drop (call $scan (i32.const 0) (i32.const 1025) (i32.const 0) (i32.const 0)
            (i32.const 1) (i32.const 0)))",
            limit("a key", 1_025, 1_024),
        ),
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
    let own = escaped(&contract_address(&ALICE, "hostile"));
    let native = |number: u16| escaped(&Address::native(number));
    let garbage = 40;
    vec![
        text("call of nobody", &calling(&"\\77".repeat(20), "run", 0, Status::ContractNotFound), &good()),
        text("call of an account", &calling(&escaped(&ALICE), "run", 0, Status::ContractNotFound), &good()),
        text(
            "call of a system contract that is not there",
            &calling(&native(5), "run", 0, Status::ContractNotFound),
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

/// A module that emits the event in `data` so many times.
fn emitting(data: &str, length: usize, times: usize) -> String {
    running(
        data,
        &format!(
            "(local i32) (drop (memory.grow (i32.const 8))) (loop (call $event (i32.const 0) (i32.const {length}))
                (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const {times}))))"
        ),
    )
}

fn events() -> Vec<Case> {
    let undecoded = ends(Status::InvalidOperation, "the event does not decode");
    let limit = |what: &str, found: usize, most: usize| {
        ends(Status::LimitExceeded, &format!("{what}: {found} is above the limit of {most}"))
    };
    // Name, topics and data, each with its length before it.
    let small = "\\01\\00\\00\\00E\\00\\00\\00\\00\\00\\00\\00\\00";
    let topics = |count: usize| {
        format!("\\01\\00\\00\\00E\\{count:02x}\\00\\00\\00{}\\00\\00\\00\\00", "\\00\\00\\00\\00".repeat(count))
    };
    let data = |bytes: usize| {
        let length: String = (bytes as u32).to_le_bytes().iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("\\01\\00\\00\\00E\\00\\00\\00\\00{length}")
    };
    let name =
        |length: usize| format!("\\{length:02x}\\00\\00\\00{}\\00\\00\\00\\00\\00\\00\\00\\00", "E".repeat(length));
    vec![
        text("an empty event", &emitting("", 0, 1), &undecoded),
        text("an event that is cut off", &emitting(small, 12, 1), &undecoded),
        text("an event with bytes left over", &emitting(small, 14, 1), &undecoded),
        text("an event whose name is no text", &emitting(&small.replace('E', "\\ff"), 13, 1), &undecoded),
        text("an event with a length bomb", &emitting("\\01\\00\\00\\00E\\ff\\ff\\ff\\ff", 100, 1), &undecoded),
        text("an event of 2³²−1 bytes", &emitting("\\ff\\ff\\ff\\ff", 100, 1), &undecoded),
        text("as many events as may be", &emitting(small, 13, 1_024), &good()),
        text("one event too many", &emitting(small, 13, 1_025), &limit("the number of events", 1_025, 1_024)),
        text("as many topics as may be", &emitting(&topics(4), 13 + 16, 1), &good()),
        text("a topic too many", &emitting(&topics(5), 13 + 20, 1), &limit("the number of an event's topics", 5, 4)),
        text("an event's longest name", &emitting(&name(64), 12 + 64, 1), &good()),
        text("an event's name too long", &emitting(&name(65), 12 + 65, 1), &limit("an event's name", 65, 64)),
        text("the longest event", &emitting(&data(262_131), 262_144, 1), &good()),
        text("an event too long", &emitting(&data(262_132), 262_145, 1), &limit("an event", 262_145, 262_144)),
        text(
            "events that are too long together",
            &emitting(&data(87_387), 87_400, 3),
            &limit("all events of a transaction", 262_200, 262_144),
        ),
    ]
}

fn scans() -> Vec<Case> {
    let scan = |limit: &str, flags: &str| {
        format!(
            "(drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {limit})
            (i32.const {flags})))"
        )
    };
    vec![
        code("scan of everything", &scan("-1", "0"), good()),
        code("scan of nothing", &scan("0", "0"), good()),
        code(
            "scan with an unknown flag",
            &scan("1", "4"),
            ends(Status::InvalidOperation, "a scan has an unknown flag"),
        ),
        code("scan with all flags", &scan("1", "-1"), ends(Status::InvalidOperation, "a scan has an unknown flag")),
        text(
            "scan whose end lies before its beginning",
            &running(
                "b\\00\\00\\00a",
                "(if (i32.ne (i32.const 4)
            (call $scan (i32.const 0) (i32.const 1) (i32.const 4) (i32.const 1) (i32.const 9) (i32.const 0)))
            (then (unreachable)))",
            ),
            &good(),
        ),
        text(
            "scan of keys of ones",
            &running(
                &"\\ff".repeat(1_024),
                "(if (i32.ne (i32.const 4)
            (call $scan (i32.const 0) (i32.const 1024) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0)))
            (then (unreachable)))",
            ),
            &good(),
        ),
    ]
}

fn adds() -> Vec<Case> {
    let add = |low: &str, high: &str, width: &str, bounds: usize| {
        format!(
            "(call $add (i32.const 0) (i32.const 1) (i64.const {low}) (i64.const {high}) (i32.const {width})
            (i32.const 100) (i32.const {bounds}))"
        )
    };
    let refused =
        |low, high, width| format!("(if (i32.ne (i32.const 1) {}) (then (unreachable)))", add(low, high, width, 0));
    let width =
        |width: u8| ends(Status::InvalidOperation, &format!("a number has 1, 2, 4, 8 or 16 bytes, not {width}"));
    let bounds = ends(Status::InvalidOperation, "the bounds of an add are two integers of 16 bytes");
    let text_under_key = "(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 3))";
    vec![
        code("add to a number of three bytes", &format!("(drop {})", add("1", "0", "3", 0)), width(3)),
        code("add to a number of no bytes", &format!("(drop {})", add("1", "0", "0", 0)), width(0)),
        code("add to a number of 2³²−8 bytes", &format!("(drop {})", add("1", "0", "-8", 0)), width(255)),
        code("add with half its bounds", &format!("(drop {})", add("1", "0", "8", 16)), bounds.clone()),
        code("add with long bounds", &format!("(drop {})", add("1", "0", "8", 33)), bounds),
        code(
            "add within bounds of nothing",
            &format!("(if (i32.ne (i32.const 1) {}) (then (unreachable)))", add("1", "0", "8", 32)),
            good(),
        ),
        code("add below zero", &refused("-1", "-1", "8"), good()),
        code("add beyond a byte", &refused("256", "0", "1"), good()),
        code("add of the least number", &refused("0", "0x8000000000000000", "16"), good()),
        code(
            "add to a text",
            &format!("{text_under_key} (drop {})", add("1", "0", "8", 0)),
            ends(Status::InvalidOperation, "the key holds something else than a number of 8 bytes"),
        ),
        code(
            "add to a number of another width",
            &format!("(drop {}) (drop {})", add("1", "0", "8", 0), add("1", "0", "4", 0)),
            ends(Status::InvalidOperation, "the key holds something else than a number of 4 bytes"),
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
        let contract = contract_address(&ALICE, "hostile");
        let execution = world.call(contract, "run", &[]);
        assert_eq!(ends(execution.status, &execution.message), expected, "{name}");
        let at = if execution.status.is_success() { Address::ZERO } else { contract };
        assert_eq!(execution.failed_in, at, "{name}");
    }
}
