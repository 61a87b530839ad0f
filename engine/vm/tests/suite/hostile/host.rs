//! Host functions with what no contract should give them: pointers that leave the memory, lengths above what may be,
//! events that do not decode, numbers that do not fit.

use hanse_types::Status;

use super::running::{OUTSIDE, code, ends, good, traps};
use super::{Case, text};
use crate::world::running;

pub(super) fn cases() -> Vec<Case> {
    [pointers(), lengths(), events(), scans(), adds()].into_iter().flatten().collect()
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
