//! A contract that runs whatever program it is given as its arguments, in a few variants.
//!
//! A program is a list of operations of eight bytes: what to do, `a`, `b`, `c`, and `d` (4 bytes, little-endian), some
//! with more behind them. [`super::program`] writes them. Everything that the contract sees goes into its accumulator, and
//! what it does next follows from the accumulator: which keys it touches, whether it fails, what it returns. So a run
//! that saw anything wrong shows it.

/// Operations, by their numbers.
pub mod op {
    pub const GET: u8 = 0;
    pub const SET: u8 = 1;
    pub const REMOVE: u8 = 2;
    pub const ADD: u8 = 3;
    pub const SCAN: u8 = 4;
    pub const SKIP_IF_ODD: u8 = 5;
    pub const REVERT_IF: u8 = 6;
    pub const PANIC_IF: u8 = 7;
    pub const TRAP_IF: u8 = 8;
    pub const EVENT: u8 = 9;
    pub const BURN: u8 = 10;
    pub const CALL: u8 = 11;
    pub const CONTEXT: u8 = 12;
    pub const BLOCK_HASH: u8 = 13;
    pub const OUTPUT: u8 = 14;
    pub const GROW: u8 = 15;
    pub const SPIN_IF: u8 = 16;
    pub const DEBUG: u8 = 17;
    pub const MISUSE_IF: u8 = 18;
    pub const SHA256: u8 = 19;
}

/// Most bytes of a program.
pub const PROGRAM_BYTES: usize = 100_000;

const IMPORTS: &str = r#"
    (import "hanse1" "input" (func $input (param i32 i32) (result i32)))
    (import "hanse1" "output" (func $output (param i32 i32)))
    (import "hanse1" "context" (func $context (param i32)))
    (import "hanse1" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "hanse1" "state_set" (func $set (param i32 i32 i32 i32)))
    (import "hanse1" "state_remove" (func $remove (param i32 i32)))
    (import "hanse1" "state_add" (func $add (param i32 i32 i64 i64 i32 i32 i32) (result i32)))
    (import "hanse1" "state_scan" (func $scan (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "hanse1" "call" (func $call (param i32 i32 i32 i32 i32 i64) (result i64)))
    (import "hanse1" "buffer" (func $buffer (param i32 i32 i32)))
    (import "hanse1" "event" (func $event (param i32 i32)))
    (import "hanse1" "revert" (func $revert (param i32 i32 i32)))
    (import "hanse1" "panic" (func $panic (param i32 i32)))
    (import "hanse1" "block_hash" (func $block_hash (param i64 i32) (result i32)))
    (import "hanse1" "sha256" (func $sha256 (param i32 i32 i32)))
    (import "hanse1" "debug" (func $debug (param i32 i32)))
"#;

/// What lies where: two keys of two bytes at 0 and 8, the accumulator when it has to be in memory at 64, an event at 128,
/// room for values at 256, for the host's buffer at 1,024 and for the program at 8,192.
const HELPERS: &str = r#"
    (data (i32.const 128) "\01\00\00\00E\01\00\00\00\01\00\00\00n\08\00\00\00")
    (global $pc (mut i32) (i32.const 0))
    (global $end (mut i32) (i32.const 0))
    (func $see (param $at i32) (param $length i32) (local $to i32)
        (global.set $acc (i64.xor (global.get $acc) (i64.extend_i32_u (i32.add (local.get $length) (i32.const 1)))))
        (local.set $to (i32.add (local.get $at) (local.get $length)))
        (block $done (loop $bytes
            (br_if $done (i32.ge_u (local.get $at) (local.get $to)))
            (global.set $acc (i64.mul (i64.xor (global.get $acc) (i64.load8_u (local.get $at)))
                (i64.const 0x100000001b3)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $bytes)))
        (global.set $acc (i64.xor (global.get $acc) (i64.shr_u (global.get $acc) (i64.const 29)))))
    (func $see_number (param $number i32)
        (i32.store (i32.const 64) (local.get $number))
        (call $see (i32.const 64) (i32.const 4)))
    (func $store_acc (i64.store (i32.const 64) (global.get $acc)))
    ;; The key of a number: `a`, or, where there is a modulus, what the accumulator leaves over.
    (func $key (param $at i32) (param $a i32) (param $modulus i32)
        (i32.store8 (local.get $at) (i32.const 0x6b))
        (if (local.get $modulus) (then (local.set $a (i32.wrap_i64
            (i64.rem_u (global.get $acc) (i64.extend_i32_u (local.get $modulus)))))))
        (i32.store8 offset=1 (local.get $at) (local.get $a)))
    (func $divisible (param $by i32) (result i32)
        (i64.eqz (i64.rem_u (global.get $acc) (i64.extend_i32_u (local.get $by)))))
    (func $see_buffer (param $length i32)
        (if (i32.gt_u (local.get $length) (i32.const 4096)) (then (local.set $length (i32.const 4096))))
        (call $buffer (i32.const 1024) (i32.const 0) (local.get $length))
        (call $see (i32.const 1024) (local.get $length)))
    (func $burn (param $rounds i32)
        (block $done (loop $round
            (br_if $done (i32.eqz (local.get $rounds)))
            (global.set $acc (i64.add (i64.mul (global.get $acc) (i64.const 6364136223846793005)) (i64.const 1442695)))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (br $round))))
    (func $trap (param $kind i32)
        (if (i32.eq (local.get $kind) (i32.const 1)) (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
        (if (i32.eq (local.get $kind) (i32.const 2)) (then (i32.store (i32.const -4) (i32.const 0))))
        (if (i32.eq (local.get $kind) (i32.const 3)) (then (call $trap (local.get $kind))))
        unreachable)
    (func $misuse (param $kind i32)
        (if (i32.eqz (local.get $kind)) (then (call $remove (i32.const 0) (i32.const 1025))))
        (if (i32.eq (local.get $kind) (i32.const 1)) (then (call $output (i32.const -9) (i32.const 8))))
        (if (i32.eq (local.get $kind) (i32.const 2)) (then (call $event (i32.const 64) (i32.const 3))))
        (if (i32.eq (local.get $kind) (i32.const 3)) (then (drop (call $add (i32.const 0) (i32.const 2) (i64.const 1)
            (i64.const 0) (i32.const 3) (i32.const 0) (i32.const 0)))))
        (if (i32.eq (local.get $kind) (i32.const 4)) (then (drop (call $scan (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i32.const 1) (i32.const 8)))))
        (if (i32.eq (local.get $kind) (i32.const 5)) (then (call $buffer (i32.const 1024) (i32.const 0)
            (i32.const 9000)))))
"#;

/// Every operation: its number and what it does. `$a` to `$d` are its fields; `$pc` stands behind them.
const OPERATIONS: [(u8, &str); 20] = [
    (
        op::GET,
        "(call $key (i32.const 0) (local.get $a) (local.get $b))
        (local.set $n (call $get (i32.const 0) (i32.const 2) (i32.const 256) (i32.const 256)))
        (call $see_number (local.get $n))
        (if (i32.gt_s (local.get $n) (i32.const 0)) (then (call $see (i32.const 256) (local.get $n))))",
    ),
    (
        op::SET,
        "(call $key (i32.const 0) (local.get $a) (local.get $b))
        (i64.store (i32.const 256) (i64.rem_u (global.get $acc) (i64.const 60)))
        (i64.store (i32.const 264) (i64.const 0))
        (call $set (i32.const 0) (i32.const 2) (i32.const 256) (local.get $c))",
    ),
    (op::REMOVE, "(call $key (i32.const 0) (local.get $a) (local.get $b)) (call $remove (i32.const 0) (i32.const 2))"),
    (
        // Bit 5 of `c` says that bounds follow.
        op::ADD,
        "(call $key (i32.const 0) (local.get $a) (local.get $b))
        (local.set $n (i32.and (local.get $c) (i32.const 32)))
        (call $see_number (call $add (i32.const 0) (i32.const 2) (i64.extend_i32_s (local.get $d))
            (i64.shr_s (i64.extend_i32_s (local.get $d)) (i64.const 63)) (i32.and (local.get $c) (i32.const 31))
            (global.get $pc) (local.get $n)))
        (global.set $pc (i32.add (global.get $pc) (local.get $n)))",
    ),
    (
        // Bit 2 of `c` asks for all keys.
        op::SCAN,
        "(call $key (i32.const 0) (local.get $a) (i32.const 0))
        (call $key (i32.const 8) (local.get $b) (i32.const 0))
        (local.set $n (if (result i32) (i32.and (local.get $c) (i32.const 4))
            (then (call $scan (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (local.get $d)
                (i32.and (local.get $c) (i32.const 3))))
            (else (call $scan (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 2) (local.get $d)
                (i32.and (local.get $c) (i32.const 3))))))
        (call $see_buffer (local.get $n))",
    ),
    (
        op::SKIP_IF_ODD,
        "(if (i64.ne (i64.and (global.get $acc) (i64.const 1)) (i64.const 0))
            (then (global.set $pc (i32.add (global.get $pc) (local.get $d)))))",
    ),
    (
        op::REVERT_IF,
        "(call $store_acc) (if (call $divisible (local.get $d))
            (then (call $revert (local.get $c) (i32.const 64) (i32.const 8))))",
    ),
    (
        op::PANIC_IF,
        "(call $store_acc) (if (call $divisible (local.get $d)) (then (call $panic (i32.const 64) (local.get $c))))",
    ),
    (op::TRAP_IF, "(if (call $divisible (local.get $d)) (then (call $trap (local.get $c))))"),
    (
        op::EVENT,
        "(i32.store8 (i32.const 141) (local.get $a)) (i64.store (i32.const 146) (global.get $acc))
        (call $event (i32.const 128) (i32.const 26))",
    ),
    (op::BURN, "(call $burn (i32.wrap_i64 (i64.rem_u (global.get $acc) (i64.extend_i32_u (local.get $d)))))"),
    (
        // Behind it: gas (8 bytes), the contract (20), the method (`a`), the arguments (`d`), of which the byte at `b` is
        // made of the accumulator, where `b` is not 0. How the call ended goes to the debug log too, which only queries
        // have.
        op::CALL,
        "(local.set $n (i32.add (global.get $pc) (i32.add (i32.const 28) (local.get $a))))
        (if (local.get $b) (then (i64.store8 (i32.add (local.get $n) (local.get $b))
            (i64.and (global.get $acc) (i64.extend_i32_u (local.get $c))))))
        (local.set $ret (call $call (i32.add (global.get $pc) (i32.const 8))
            (i32.add (global.get $pc) (i32.const 28)) (local.get $a) (local.get $n) (local.get $d)
            (i64.load (global.get $pc))))
        (call $see_number (i32.wrap_i64 (i64.shr_u (local.get $ret) (i64.const 32))))
        (call $debug (i32.const 64) (i32.const 1))
        (call $see_buffer (i32.wrap_i64 (local.get $ret)))
        (global.set $pc (i32.add (local.get $n) (local.get $d)))",
    ),
    (op::CONTEXT, "(call $context (i32.const 256)) (call $see (i32.const 256) (i32.const 77))"),
    (
        op::BLOCK_HASH,
        "(call $context (i32.const 256))
        (call $see_number (call $block_hash (i64.sub (i64.load (i32.const 316)) (i64.extend_i32_u (local.get $a)))
            (i32.const 352)))
        (call $see (i32.const 352) (i32.const 32))",
    ),
    (op::OUTPUT, "(call $store_acc) (call $output (i32.const 64) (local.get $c))"),
    (op::GROW, "(call $see_number (memory.grow (local.get $a))) (call $see_number (memory.size))"),
    (op::SPIN_IF, "(if (call $divisible (local.get $d)) (then (loop $forever (br $forever))))"),
    (op::DEBUG, "(call $store_acc) (call $debug (i32.const 64) (i32.const 8))"),
    (op::MISUSE_IF, "(if (call $divisible (local.get $d)) (then (call $misuse (local.get $c))))"),
    (
        op::SHA256,
        "(call $store_acc) (call $sha256 (i32.const 64) (i32.const 8) (i32.const 256))
        (call $see (i32.const 256) (i32.const 32))",
    ),
];

/// Methods that anyone may call and that run a program, beside `look`, which is a view, and `init` and `migrate`.
pub const METHODS: [&str; 4] = ["run0", "run1", "run2", "run3"];

/// How variants of the contract differ, besides their code's hash.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Where the accumulator starts.
    pub start: u64,
    /// Pages of memory.
    pages: u32,
    /// Something that some chains don't accept.
    more: &'static str,
}

/// All variants. Whether the last two may be deployed depends on the chain's parameters.
pub const VARIANTS: [Variant; 5] = [
    Variant { start: 7, pages: 3, more: "" },
    Variant { start: 8, pages: 3, more: "" },
    Variant { start: 99, pages: 4, more: "" },
    Variant { start: 100, pages: 3, more: "(func (result f64) (f64.sqrt (f64.const 2)))" },
    Variant { start: 101, pages: 17, more: "" },
];

impl Variant {
    /// The module.
    pub fn code(&self) -> Vec<u8> {
        let Variant { start, pages, more } = self;
        let operations: String = OPERATIONS
            .iter()
            .map(|(number, body)| {
                format!("(if (i32.eq (local.get $op) (i32.const {number})) (then {body} (br $next)))\n")
            })
            .collect();
        let methods: String = METHODS.iter().map(|name| format!("(export \"hanse.{name}\")")).collect();
        let kinds = [("look", "view"), ("init", "init"), ("migrate", "migrate")]
            .map(|(name, kind)| format!("{{\\22name\\22:\\22{name}\\22,\\22kind\\22:\\22{kind}\\22}}"));
        let text = format!(
            "(module {IMPORTS} (memory (export \"memory\") {pages}) (global $acc (mut i64) (i64.const {start}))
            {HELPERS} {more}
            (func (export \"hanse.look\") (export \"hanse.init\") (export \"hanse.migrate\") {methods}
                (local $op i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)
                (local $n i32) (local $ret i64)
                (global.set $pc (i32.const 8192))
                (global.set $end (i32.add (i32.const 8192)
                    (call $input (i32.const 8192) (i32.const {PROGRAM_BYTES}))))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (global.get $pc) (global.get $end)))
                    (local.set $op (i32.load8_u (global.get $pc)))
                    (local.set $a (i32.load8_u offset=1 (global.get $pc)))
                    (local.set $b (i32.load8_u offset=2 (global.get $pc)))
                    (local.set $c (i32.load8_u offset=3 (global.get $pc)))
                    (local.set $d (i32.load offset=4 (global.get $pc)))
                    (global.set $pc (i32.add (global.get $pc) (i32.const 8)))
                    {operations}
                    unreachable))
                (call $store_acc) (call $output (i32.const 64) (i32.const 8)))
            (@custom \"hanse_abi\" \"{{\\22methods\\22:[{}]}}\"))",
            kinds.join(",")
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

/// A contract as small as contracts get: for contracts to deploy.
pub fn tiny() -> Vec<u8> {
    let text = "(module (memory (export \"memory\") 1) (func (export \"hanse.run0\")))";
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
