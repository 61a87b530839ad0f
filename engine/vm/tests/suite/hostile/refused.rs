//! Modules that are refused at deployment, each with the reason that its author reads.

use hanse_types::{Params, Status, limits};
use hanse_vm::Vm;
use hanse_vm::system::lifecycle;

use super::{Case, case, text};
use crate::world::{self, World, wasm};

const METHOD: &str = "(func (export \"hanse.run\"))";
const MEMORY: &str = "(memory (export \"memory\") 1)";
/// How all refusals of broken or too new WebAssembly begin; the byte follows.
const MALFORMED: &str = "not valid WebAssembly 1.0 at byte ";

/// A module that is good but for what is put in.
fn with(inside: &str) -> String {
    format!("(module {MEMORY} {METHOD} {inside})")
}

/// The good module with an import before everything else.
fn importing(import: &str) -> String {
    format!("(module (import {import}) {MEMORY} {METHOD})")
}

fn repeated(count: usize, inside: impl Fn(usize) -> String) -> String {
    (0..count).map(inside).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    [imports(), doors(), memories(), tables(), features(), sizes(), abi_sections(), bytes()].concat_all()
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Case>;
}

impl<const N: usize> ConcatAll for [Vec<Case>; N] {
    fn concat_all(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

fn imports() -> Vec<Case> {
    let unknown = "the module imports {}, which is not part of the host interface hanse1";
    let unknown = |what: &str| unknown.replace("{}", what);
    let wrong = |what: &str| format!("the module imports hanse1.{what} with another type than it has");
    vec![
        text("unknown namespace", &importing("\"env\" \"abort\" (func)"), &unknown("env.abort")),
        text("unknown function", &importing("\"hanse1\" \"exit\" (func)"), &unknown("hanse1.exit")),
        text(
            "wasi",
            &importing("\"wasi_snapshot_preview1\" \"random_get\" (func (param i32 i32) (result i32))"),
            &unknown("wasi_snapshot_preview1.random_get"),
        ),
        text(
            "other version of the interface",
            &importing("\"hanse2\" \"input\" (func (param i32 i32) (result i32))"),
            &unknown("hanse2.input"),
        ),
        text(
            "name without end",
            &importing(&format!("\"{}\" \"{}\" (func)", "m".repeat(30_000), "n".repeat(30_000))),
            &unknown(&format!("{}.{}", "m".repeat(30_000), "n".repeat(30_000))),
        ),
        text("too few parameters", &importing("\"hanse1\" \"input\" (func (param i32) (result i32))"), &wrong("input")),
        text(
            "wrong parameter",
            &importing("\"hanse1\" \"input\" (func (param i32 i64) (result i32))"),
            &wrong("input"),
        ),
        text("wrong result", &importing("\"hanse1\" \"input\" (func (param i32 i32) (result i64))"), &wrong("input")),
        text(
            "result where there is none",
            &importing("\"hanse1\" \"output\" (func (param i32 i32) (result i32))"),
            &wrong("output"),
        ),
        text(
            "imported memory",
            &importing("\"hanse1\" \"input\" (memory 1)"),
            // Two memories, before anything else is looked at.
            MALFORMED,
        ),
        text("imported table", &importing("\"hanse1\" \"input\" (table 1 funcref)"), &wrong("input")),
        text("imported global", &importing("\"hanse1\" \"input\" (global i32)"), &wrong("input")),
        text("imported mutable global", &importing("\"hanse1\" \"input\" (global (mut i64))"), &wrong("input")),
        text(
            "imports without end",
            &format!(
                "(module {} {MEMORY} {METHOD})",
                "(import \"hanse1\" \"debug\" (func (param i32 i32)))".repeat(18)
            ),
            "the module has 18 imports, the limit is 17",
        ),
    ]
}

fn doors() -> Vec<Case> {
    let method = "the module exports a method that is not a function without parameters and results";
    let name = "the module exports a method by a name that no transaction can carry";
    let exported = |name: &str| format!("(module {MEMORY} (func (export \"{name}\")))");
    vec![
        text("start function", &with("(func $s) (start $s)"), "the module has a start function"),
        text(
            "start function that never ends",
            &with("(func $s (loop (br 0))) (start $s)"),
            "the module has a start function",
        ),
        text("no method", &format!("(module {MEMORY})"), "the module exports no method (a function named hanse.…)"),
        text("no module", "(module)", "the module does not export a memory of its own as \"memory\""),
        text(
            "method with a parameter",
            &format!("(module {MEMORY} (func (export \"hanse.run\") (param i32)))"),
            method,
        ),
        text(
            "method with a result",
            &format!("(module {MEMORY} (func (export \"hanse.run\") (result i32) (i32.const 0)))"),
            method,
        ),
        text("method that is a global", &with("(global (export \"hanse.other\") i32 (i32.const 0))"), method),
        text(
            "method that is a memory",
            &format!("(module (memory (export \"memory\") (export \"hanse.m\") 1) {METHOD})"),
            method,
        ),
        text("method that is a table", &with("(table (export \"hanse.t\") 1 funcref)"), method),
        text("method without a name", &exported("hanse."), name),
        text("method with a long name", &exported(&format!("hanse.{}", "m".repeat(65))), name),
        text("method with a blank", &exported("hanse.a b"), name),
        text("method that looks like another", &exported("hanse.tr\\d0\\b0nsfer"), name),
        text("method with a line break", &exported("hanse.a\\nb"), name),
        text(
            "exports without end",
            &with(&repeated(512, |n| format!("(export \"e{n}\" (func 0))"))),
            "the module has 514 exports, the limit is 512",
        ),
    ]
}

fn memories() -> Vec<Case> {
    let none = "the module does not export a memory of its own as \"memory\"";
    let initialised = |end: u64| format!("the module has {end} bytes of initialised memory, the limit is 65536");
    let memory = |memory: &str| format!("(module {memory} {METHOD})");
    vec![
        text("no memory", &memory(""), none),
        text("memory kept private", &memory("(memory 1)"), none),
        text("memory by another name", &memory("(memory (export \"mem\") 1)"), none),
        text(
            "function in the place of the memory",
            &format!("(module (memory 1) (func (export \"memory\")) {METHOD})"),
            none,
        ),
        text("two memories", &memory("(memory (export \"memory\") 1) (memory 1)"), MALFORMED),
        text(
            "more memory than a chain allows",
            &memory("(memory (export \"memory\") 257)"),
            "the module has 257 pages of memory, the limit is 256",
        ),
        text(
            "all memory there is",
            &memory("(memory (export \"memory\") 65536)"),
            "the module has 65536 pages of memory, the limit is 256",
        ),
        text("memory of 64 bits", &memory("(memory (export \"memory\") i64 1)"), MALFORMED),
        text("shared memory", &memory("(memory (export \"memory\") 1 1 shared)"), MALFORMED),
        text("pages of one byte", &memory("(memory (export \"memory\") 1 1 (pagesize 1))"), MALFORMED),
        text("data behind the memory", &with("(data (i32.const 65536) \"a\")"), &initialised(65_537)),
        text("data across the memory's end", &with("(data (i32.const 65534) \"abc\")"), &initialised(65_537)),
        text("data at the end of the address space", &with("(data (i32.const -1) \"a\")"), &initialised(1 << 32)),
        text(
            "data in no memory",
            &format!("(module (memory (export \"memory\") 0) {METHOD} (data (i32.const 0) \"a\"))"),
            "the module has 1 bytes of initialised memory, the limit is 0",
        ),
        text("passive data", &with("(data \"a\")"), MALFORMED),
        text(
            "data at an offset from a global",
            &with("(global i32 (i32.const 0)) (data (global.get 0) \"a\")"),
            MALFORMED,
        ),
        text(
            "data segments without end",
            &with(&"(data (i32.const 0) \"\")".repeat(1_025)),
            "the module has 1025 data segments, the limit is 1024",
        ),
    ]
}

fn tables() -> Vec<Case> {
    vec![
        text("huge table", &with("(table 4097 funcref)"), "the module has 4097 table elements, the limit is 4096"),
        text(
            "all table there is",
            &with("(table 0xffffffff funcref)"),
            "the module has 4294967295 table elements, the limit is 4096",
        ),
        text("two tables", &with("(table 1 funcref) (table 1 funcref)"), MALFORMED),
        text("table of foreign references", &with("(table 1 externref)"), MALFORMED),
        text(
            "elements behind the table",
            &with("(table 1 funcref) (elem (i32.const 1) 0)"),
            "the module has 2 initialised table elements, the limit is 1",
        ),
        text(
            "elements at the end of the address space",
            &with("(table 1 funcref) (elem (i32.const -1) 0)"),
            "the module has 4294967296 initialised table elements, the limit is 1",
        ),
        text(
            "empty segment behind the table",
            &with("(table 1 funcref) (elem (i32.const 2) func)"),
            "the module has 2 initialised table elements, the limit is 1",
        ),
        text("passive elements", &with("(table 1 funcref) (elem func 0)"), MALFORMED),
        text("declared elements", &with("(table 1 funcref) (elem declare func 0)"), MALFORMED),
        text(
            "element segments without end",
            &with(&format!("(table 1 funcref) {}", "(elem (i32.const 0))".repeat(1_025))),
            "the module has 1025 element segments, the limit is 1024",
        ),
    ]
}

fn features() -> Vec<Case> {
    let function = |body: &str| with(&format!("(func {body})"));
    let floats = "the module uses floating point, which this chain does not allow, at byte ";
    vec![
        text("floats", &function("(drop (f64.add (f64.const 1) (f64.const 2)))"), floats),
        text("float parameter", &function("(param f32)"), floats),
        text("float local", &function("(local f64)"), floats),
        text("float global", &with("(global f32 (f32.const 0))"), floats),
        text("float from memory", &function("(drop (i32.reinterpret_f32 (f32.load (i32.const 0))))"), floats),
        text("vectors", &function("(drop (v128.const i32x4 0 0 0 0))"), MALFORMED),
        text(
            "relaxed vectors",
            &function("(param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))"),
            MALFORMED,
        ),
        text("atomic operations", &function("(drop (i32.atomic.load (i32.const 0)))"), MALFORMED),
        text("fences", &function("(atomic.fence)"), MALFORMED),
        text("memory.copy", &function("(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))"), MALFORMED),
        text("memory.fill", &function("(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))"), MALFORMED),
        text("table.set", &with("(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))"), MALFORMED),
        text("references", &function("(drop (ref.func 0))"), MALFORMED),
        text("typed references", &function("(param (ref func))"), MALFORMED),
        text("garbage collection", &with("(type (struct (field i32)))"), MALFORMED),
        text("many results", &function("(result i32 i32) (i32.const 0) (i32.const 0)"), MALFORMED),
        text("blocks with parameters", &function("(i32.const 0) (block (param i32) (drop))"), MALFORMED),
        text("saturating conversions", &function("(drop (i32.trunc_sat_f32_s (f32.const 0)))"), MALFORMED),
        text("exceptions", &with("(tag) (func (throw 0))"), MALFORMED),
        text("tail calls", &function("(return_call 0)"), MALFORMED),
        text("extended constants", &with("(global i32 (i32.add (i32.const 1) (i32.const 2)))"), MALFORMED),
        text(
            "wide arithmetic",
            &function("(param i64) (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0)) (drop) (drop)"),
            MALFORMED,
        ),
        text("component", "(component)", MALFORMED),
    ]
}

fn sizes() -> Vec<Case> {
    let function = |body: &str| with(&format!("(func {body})"));
    let locals = |count: usize| format!("(local {})", "i32 ".repeat(count));
    let targets = |count: usize| format!("(br_table {} (i32.const 0))", "0 ".repeat(count));
    let nested = |depth: usize| format!("{} {}", "block ".repeat(depth), "end ".repeat(depth));
    vec![
        text(
            "functions without end",
            &format!("(module {MEMORY} {METHOD} {})", "(func)".repeat(8_192)),
            "the module has 8193 functions, the limit is 8192",
        ),
        text(
            "types without end",
            &with(&repeated(1_025, |n| format!("(type (func {}))", "(param i32)".repeat(n % 60)))),
            "the module has 1025 types, the limit is 1024",
        ),
        text(
            "globals without end",
            &with(&"(global i32 (i32.const 0))".repeat(257)),
            "the module has 257 globals, the limit is 256",
        ),
        text(
            "parameters without end",
            &function(&"(param i32)".repeat(65)),
            "the module has 65 parameters of a function, the limit is 64",
        ),
        text("ten thousand parameters", &function(&"(param i32)".repeat(10_000)), MALFORMED),
        text(
            "locals without end",
            &function(&locals(1_025)),
            "the module has 1025 locals in one function, the limit is 1024",
        ),
        case("locals that overflow their count", overflowing_locals(), MALFORMED),
        text(
            "branch targets without end",
            &function(&targets(4_098)),
            "the module has 4097 targets of one branch, the limit is 4096",
        ),
        text(
            "blocks inside one another",
            &function(&nested(257)),
            "the module has 257 blocks inside one another, the limit is 256",
        ),
        text(
            "eighty thousand blocks inside one another",
            &function(&nested(80_000)),
            "the module has 257 blocks inside one another, the limit is 256",
        ),
        text(
            "function of more than 256 KiB",
            &function(&"nop ".repeat(256 << 10)),
            "the module has 262146 bytes in one function, the limit is 262144",
        ),
        text(
            "module of more than 2 MiB",
            &with(&format!("(@custom \"x\" \"{}\")", "x".repeat(2 << 20))),
            "the module has 2097212 bytes, the limit is 2097152",
        ),
    ]
}

/// Two declarations of 2³²−1 locals each.
fn overflowing_locals() -> Vec<u8> {
    let body =
        [&[2u8][..], &[0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f], &[0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e], &[0x0b]].concat();
    let mut code = wasm(&format!("(module {MEMORY} {METHOD})"));
    // The last section is the code: id, length, one body of two bytes.
    code.truncate(code.len() - 6);
    code.extend_from_slice(&[10, body.len() as u8 + 2, 1, body.len() as u8]);
    [code, body].concat()
}

fn abi_sections() -> Vec<Case> {
    let section = |bytes: &str| with(&format!("(@custom \"hanse_abi\" \"{}\")", bytes.replace('"', "\\22")));
    let unreadable = "the module's ABI section is not JSON objects one after another, as the SDK writes them";
    let many = repeated(50_000, |n| format!("{{\"name\":\"m{n}\"}},"));
    vec![
        text("ABI that is not JSON", &section("hello"), unreadable),
        text("ABI that is cut off", &section("{\"methods\":[{\"name\":\"run\""), unreadable),
        text(
            "ABI that is not UTF-8",
            &with("(@custom \"hanse_abi\" \"{\\22methods\\22:[{\\22name\\22:\\22\\ff\\fe\\22}]}\")"),
            unreadable,
        ),
        text("ABI of the wrong shape", &section("{\"methods\":{\"run\":1}}"), unreadable),
        text("ABI with an unknown kind", &section("{\"methods\":[{\"name\":\"run\",\"kind\":\"god\"}]}"), unreadable),
        text("ABI of deep lists", &section(&format!("{{\"methods\":{}", "[".repeat(200_000))), unreadable),
        text("ABI with a number in the place of a name", &section("{\"methods\":[{\"name\":1e999999}]}"), unreadable),
        text("ABI that says a thing twice", &section("{\"methods\":[],\"methods\":[]}"), unreadable),
        text(
            "ABI of methods that are not there",
            &section("{\"methods\":[{\"name\":\"go\"}]}"),
            "the module's ABI section describes a method that is not exported",
        ),
        text(
            "ABI of methods without end",
            &section(&format!("{{\"methods\":[{many}{{\"name\":\"run\"}}]}}")),
            "the module's ABI section describes a method that is not exported",
        ),
        text(
            "ABI with a method twice",
            &section("{\"methods\":[{\"name\":\"run\"},{\"name\":\"run\",\"kind\":\"init\"}]}"),
            "the module's ABI section describes a method twice",
        ),
        text(
            "ABI with two ways to begin",
            &format!(
                "(module {MEMORY} (func (export \"hanse.a\") (export \"hanse.b\")) (@custom \"hanse_abi\" \"{}\"))",
                "{'methods':[{'name':'a','kind':'init'},{'name':'b','kind':'init'}]}".replace('\'', "\\22")
            ),
            "the module's ABI section has more than one method for deployment, or for upgrades",
        ),
    ]
}

fn bytes() -> Vec<Case> {
    let good = wasm(&with(""));
    let cut = |length: usize| good[..length].to_vec();
    let changed = |at: usize, to: u8| {
        let mut code = good.clone();
        code[at] = to;
        code
    };
    let overlong_name = [&good[..], &[0, 3, 2, 0xff, 0xfe]].concat();
    vec![
        case("nothing", Vec::new(), MALFORMED),
        case("a header alone", cut(8), "the module does not export a memory of its own as \"memory\""),
        case("half a header", cut(5), MALFORMED),
        case("a module cut in its last byte", cut(good.len() - 1), MALFORMED),
        case("another magic number", changed(0, b'E'), MALFORMED),
        case("another version", changed(4, 2), MALFORMED),
        case("text in the place of a module", b"(module)".to_vec(), MALFORMED),
        case("an executable", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(), MALFORMED),
        case("an unknown section", [&good[..], &[99, 0]].concat(), MALFORMED),
        case("a section name that is not UTF-8", overlong_name, MALFORMED),
        case("a section longer than the module", [&good[..], &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat(), MALFORMED),
        case("sections in the wrong order", [&good[..], &[1, 1, 0]].concat(), MALFORMED),
        case("zeros", vec![0; 1 << 20], MALFORMED),
    ]
}

#[test]
fn each_is_refused_at_deployment_and_says_why() {
    let vm = world::machine(1);
    let wrong: Vec<String> = cases().iter().filter_map(|case| check(&vm, case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(vm: &Vm, Case { name, code, expected }: &Case) -> Result<(), String> {
    let Err(error) = vm.check(code, &Params::default()) else { return Err(format!("{name}: it was accepted")) };
    let said = error.to_string();
    let fits = if expected.ends_with(' ') { said.starts_with(expected) } else { said == *expected };
    if !fits {
        return Err(format!("{name}: {said:.200}, expected {expected:.200}"));
    }
    let execution = World::new().try_deploy("hostile", code, &[]);
    let message: String = format!("the code is refused: {said}").chars().take(limits::MESSAGE_BYTES).collect();
    let place = lifecycle::ADDRESS;
    if (execution.status, &execution.message, execution.failed_in) != (Status::InvalidArguments, &message, place) {
        return Err(format!("{name}: {execution:?}"));
    }
    Ok(())
}

#[test]
fn floats_are_a_choice_of_the_chain() {
    let code = wasm(&with("(func (result f64) (f64.div (f64.const 0) (f64.const 0)))"));
    let vm = world::machine(1);
    assert!(vm.check(&code, &Params::default()).is_err());
    assert_eq!(vm.check(&code, &Params { floats_allowed: true, ..Params::default() }), Ok(()));
}
