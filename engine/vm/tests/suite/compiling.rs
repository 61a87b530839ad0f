//! Modules that are as slow to compile as the rules let them be: what they take and what their deployment costs.

use hanse_vm::system::lifecycle;

use crate::world::{ALICE, World, encode, machine, module, wasm};

/// So many functions of this kind, among others.
fn functions(count: usize, head: &str, body: &str) -> String {
    let function = format!("(func {head} {body})");
    module(&format!(
        "(table 16 funcref) (type $t (func)) (global $g (mut i64) (i64.const 0)) (func $e) (func $many (param {}))
        {} (func (export \"hanse.run\"))",
        "i64 ".repeat(64),
        function.repeat(count)
    ))
}

/// An expression that is applied to its own result again and again.
fn chain(ty: &str, instruction: &str, count: usize) -> String {
    let body = format!("(local.get 0) {} (local.set 0)", instruction.repeat(count));
    functions(2, &format!("(local {ty})"), &body)
}

/// Loops inside one another.
fn nested(depth: usize, inner: &str) -> String {
    let ends = "(br_if 0 (i64.eqz (local.get 0))))".repeat(depth);
    format!("{}{inner}{ends}", "(loop ".repeat(depth))
}

const SET: &str = "(local.set 0 (i64.mul (local.get 0) (i64.const 3)))";
const IF: &str = "(if (i64.eqz (local.get 0)) (then (local.set 1 (local.get 0))) (else (local.set 0 (local.get 1))))";
const SELECT: &str = "(local.set 0 (select (local.get 0) (i64.const 1) (i64.eqz (local.get 0))))";

/// Named modules, each hostile in a way of its own.
pub(crate) fn shapes() -> Vec<(&'static str, String)> {
    let thousand = format!("(local {})", "i64 ".repeat(1_000));
    let set = |n: usize| format!("(local.set {n} (i64.add (local.get {n}) (local.get {})))", (n * 7 + 1) % 1_000);
    let sets: String = (0..1_000).map(set).collect();
    let if_set = |n: usize| format!("(if (i64.eqz (local.get {n})) (then (local.set {} (local.get {n}))))", n * 2);
    let ifs: String = (0..500).map(if_set).collect();
    let calls = |count| "(call $e)".repeat(count);
    let jump = |targets: &str| format!("(br_table {targets} (local.get 0))");
    let spread: String = (0..4_000).map(|n| format!("{} ", n % 200)).collect();
    let blocks = format!("{} {} {}", "(block ".repeat(200), jump(&spread), ")".repeat(200));
    vec![
        ("empty functions", functions(8_000, "", "")),
        ("functions of one call", functions(4_000, "", &calls(1))),
        ("functions of one store", functions(4_000, "", "(i32.store (i32.const 0) (i32.const 0))")),
        ("functions of 1000 locals", functions(2_000, &thousand, "")),
        ("functions of 64 parameters", functions(2_000, &format!("(param {})", "i64 ".repeat(64)), "")),
        ("multiplications", functions(2, "(local i64)", &SET.repeat(30_000))),
        ("stores", functions(2, "", &"(i32.store (i32.const 0) (i32.const 0))".repeat(30_000))),
        ("loads", chain("i32", "i32.load ", 60_000)),
        ("globals", functions(2, "", &"(global.set $g (i64.add (global.get $g) (i64.const 1)))".repeat(20_000))),
        ("counted bits", chain("i64", "i64.popcnt ", 200_000)),
        ("divisions", chain("i64", "(local.get 0) i64.rem_s ", 60_000)),
        ("selects", functions(2, "(local i64)", &SELECT.repeat(20_000))),
        ("floating-point additions", chain("f64", "(local.get 0) f64.add ", 60_000)),
        ("floating-point rounding", chain("f64", "f64.nearest ", 100_000)),
        ("floating-point conversions", chain("i64", "f64.convert_i64_u i64.trunc_f64_u ", 80_000)),
        ("growing", chain("i32", "(memory.grow) ", 1_000)),
        ("calls", functions(8, "", &calls(1_000))),
        ("calls among 1000 locals", functions(1, &thousand, &[&sets[..], &calls(1_000), &sets].concat())),
        (
            "calls with 64 arguments",
            functions(2, "(local i64)", &format!("(call $many {})", "(local.get 0)".repeat(64)).repeat(1_000)),
        ),
        ("calls through the table", functions(8, "", &"(call_indirect (type $t) (i32.const 0))".repeat(1_000))),
        (
            "calls in 31 loops, 1000 locals",
            functions(1, &thousand, &nested(31, &[&sets[..], &calls(900), &sets].concat())),
        ),
        ("single loops, 1000 locals", functions(1, &thousand, &nested(1, &sets).repeat(25))),
        ("loops in 8, 1000 locals", functions(1, &thousand, &nested(8, &sets).repeat(25))),
        ("loops in 31, 1000 locals", functions(1, &thousand, &nested(31, &sets).repeat(8))),
        ("ifs", functions(2, "(local i64 i64)", &IF.repeat(15_000))),
        ("ifs, 1000 locals", functions(1, &thousand, &ifs.repeat(30))),
        ("blocks", functions(2, "(local i64)", &"(block (br_if 0 (i64.eqz (local.get 0))))".repeat(20_000))),
        ("empty blocks", functions(2, "", &"(block)".repeat(60_000))),
        (
            "jumps to one place",
            functions(4, "(local i32)", &format!("(block {})", jump(&"0 ".repeat(4_000))).repeat(60)),
        ),
        ("jumps to 200 places", functions(4, "(local i32)", &blocks.repeat(40))),
    ]
}

/// CPU time of this process, in nanoseconds.
fn cpu_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system time, in hundredths of a second.
    [11, 12].map(|field| fields[field].parse::<u64>().unwrap() * 10_000_000).iter().sum()
}

/// Prints the table of decision 14. To be run alone, on an idle Linux.
#[test]
#[ignore = "takes minutes, and measures"]
fn deployment_pays_for_compiling() {
    let vm = machine(1);
    let mut world = World::with(|params| params.floats_allowed = true);
    world.gas_limit = 1 << 40;
    for (name, text) in shapes() {
        let code = wasm(&text);
        let args = encode(&("c", &code, Vec::<u8>::new()));
        let transaction = world.transaction(ALICE, lifecycle::ADDRESS, "deploy", args);
        let start = cpu_time();
        let (execution, _) = world.plain(&vm, &transaction);
        let (took, gas) = (cpu_time() - start, execution.gas_used.0);
        assert!(execution.status.is_success(), "{name}: {}", execution.message);
        let each = took as f64 / gas as f64;
        println!("| {name} | {} | {} | {} | {each:.1} |", code.len(), took / 1_000_000, gas / 1_000_000);
        assert!(each < 40.0, "{name}: {each} ns of compiling for each unit of gas");
    }
}
