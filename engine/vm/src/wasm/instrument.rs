//! What is put into a contract's code before it is compiled.
//!
//! **Fuel checks.** The engine counts every instruction, but looks whether the fuel suffices only where a function is
//! entered and where a loop begins. What lies between runs unpaid once the fuel is gone, and a recursion on its way back
//! passes neither: ten thousand frames, each with a long straight piece of code after its call. So an empty loop is put
//! after every call and into every long straight piece: nothing but a place where the engine looks.
//!
//! **Dirty marks.** An instance is used again once it is as it was when it was new, and what a call has written must be
//! known for that. Every store marks the [`BLOCK_BYTES`] that it wrote to in a global of 64 bits, one for each block,
//! round and round; a reset restores the marked blocks ([`super::instance`]). Nothing else that a contract may do writes
//! to memory. The contract's mutable globals are exported, so that they can be restored too.
//!
//! All of this decides what a call costs. It is part of the gas schedule.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload, ValType};

/// Changes with whatever [`instrument`] does, so that compiled code of another form is not taken from a cache.
pub(super) const VERSION: u32 = 2;
/// Bytes that one mark stands for.
pub(super) const BLOCK_BYTES: usize = 1 << BLOCK_SHIFT;
/// Exports that start so are made here; no contract may have one of its own.
pub(super) const RESERVED_PREFIX: &str = "hanse:";
/// The export of the marks.
pub(super) const DIRTY_EXPORT: &str = "hanse:dirty";

const BLOCK_SHIFT: u8 = 11;
/// Most instructions between two checks.
const STRAIGHT_MAX: u32 = 256;
/// Instructions that a mark adds to a store.
const MARK_INSTRUCTIONS: u32 = 12;
/// `loop`, of no parameters and results, and its `end`.
const CHECK: [u8; 3] = [0x03, 0x40, 0x0b];
const GLOBAL_SECTION: u8 = 6;
const EXPORT_SECTION: u8 = 7;
const CODE_SECTION: u8 = 10;

/// The export of the mutable global of this index.
pub(super) fn global_export(index: u32) -> String {
    format!("{RESERVED_PREFIX}global:{index}")
}

/// Code ready to be compiled.
pub(super) struct Instrumented {
    pub(super) code: Vec<u8>,
    /// Indices of the contract's own mutable globals.
    pub(super) mutable_globals: Vec<u32>,
}

/// A valid module with checks and marks put in, and without its custom sections, which no compiler needs.
pub(super) fn instrument(code: &[u8]) -> Result<Instrumented, BinaryReaderError> {
    let mut writer = Writer { out: Vec::with_capacity(code.len() + code.len() / 2), ..Writer::default() };
    for payload in Parser::new(0).parse_all(code) {
        writer.payload(code, payload?)?;
    }
    Ok(Instrumented { code: writer.out, mutable_globals: writer.mutable_globals })
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    /// Number of parameters, by type.
    types: Vec<u32>,
    /// Type of each function that has a body.
    functions: Vec<u32>,
    globals: u32,
    has_globals: bool,
    mutable_globals: Vec<u32>,
    bodies: Vec<u8>,
    bodies_done: usize,
}

impl Writer {
    fn payload(&mut self, code: &[u8], payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { range, .. } => self.out.extend_from_slice(&code[range]),
            Payload::CustomSection(_) => {}
            Payload::TypeSection(types) => {
                put_section(&mut self.out, 1, &code[types.range()]);
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?.params().len() as u32);
                }
            }
            Payload::FunctionSection(functions) => {
                put_section(&mut self.out, 3, &code[functions.range()]);
                self.functions = functions.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(globals) => {
                let range = globals.range();
                self.globals = globals.count();
                self.has_globals = true;
                for (index, global) in globals.into_iter().enumerate() {
                    if global?.ty.mutable {
                        self.mutable_globals.push(index as u32);
                    }
                }
                self.put_globals(entries(&code[range]));
            }
            Payload::ExportSection(exports) => {
                if !self.has_globals {
                    self.put_globals(&[]);
                }
                let count = exports.count();
                self.put_exports(count, entries(&code[exports.range()]));
            }
            Payload::CodeSectionStart { count, .. } => put_number(&mut self.bodies, count),
            Payload::CodeSectionEntry(body) => self.body(code, &body)?,
            other => {
                if let Some((id, range)) = other.as_section() {
                    put_section(&mut self.out, id, &code[range]);
                }
            }
        }
        Ok(())
    }

    /// The global section with one more: the marks.
    fn put_globals(&mut self, entries: &[u8]) {
        let mut section = Vec::with_capacity(entries.len() + 8);
        put_number(&mut section, self.globals + 1);
        section.extend_from_slice(entries);
        // i64, mutable, i64.const 0, end
        section.extend_from_slice(&[0x7e, 0x01, 0x42, 0x00, 0x0b]);
        put_section(&mut self.out, GLOBAL_SECTION, &section);
    }

    fn put_exports(&mut self, count: u32, entries: &[u8]) {
        let mut section = Vec::with_capacity(entries.len() + 64);
        put_number(&mut section, count + 1 + self.mutable_globals.len() as u32);
        section.extend_from_slice(entries);
        let own = self.mutable_globals.iter().map(|index| (global_export(*index), *index));
        for (name, index) in own.chain([(DIRTY_EXPORT.to_owned(), self.globals)]) {
            put_number(&mut section, name.len() as u32);
            section.extend_from_slice(name.as_bytes());
            section.push(0x03);
            put_number(&mut section, index);
        }
        put_section(&mut self.out, EXPORT_SECTION, &section);
    }

    fn body(&mut self, code: &[u8], body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let ty = self.functions.get(self.bodies_done).copied().unwrap_or(0);
        let params = self.types.get(ty as usize).copied().unwrap_or(0);
        let body = instrumented_body(code, body, params, self.globals)?;
        put_number(&mut self.bodies, body.len() as u32);
        self.bodies.extend_from_slice(&body);
        self.bodies_done += 1;
        if self.bodies_done == self.functions.len() {
            put_section(&mut self.out, CODE_SECTION, &self.bodies);
        }
        Ok(())
    }
}

/// The entries of a section, without their number.
fn entries(section: &[u8]) -> &[u8] {
    let number = section.iter().take_while(|byte| *byte & 0x80 != 0).count() + 1;
    section.get(number..).unwrap_or(&[])
}

fn instrumented_body(
    code: &[u8],
    body: &FunctionBody<'_>,
    params: u32,
    dirty: u32,
) -> Result<Vec<u8>, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    let start_of_code = operators.original_position();
    let mut locals = Locals::new(body, params)?;
    let mut out = Vec::with_capacity(body.range().len() * 2);
    let mut straight = 0;
    while !operators.eof() {
        let start = operators.original_position();
        let operator = operators.read()?;
        let bytes = &code[start..operators.original_position()];
        straight += 1;
        match stored(&operator) {
            Some((ty, offset)) => {
                put_marked_store(&mut out, bytes, locals.address(), locals.value(ty), offset, dirty);
                straight += MARK_INSTRUCTIONS;
            }
            None => out.extend_from_slice(bytes),
        }
        let is_call = matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
        // Behind the function's last `end` nothing may stand.
        if (is_call || straight >= STRAIGHT_MAX) && !operators.eof() {
            out.extend_from_slice(&CHECK);
            straight = 0;
        }
    }
    let mut whole = locals.declarations(&code[body.range().start..start_of_code]);
    whole.extend_from_slice(&out);
    Ok(whole)
}

/// Locals of a function, with those that marks need behind its own.
struct Locals {
    own: u32,
    used: bool,
}

/// Types of the added locals: address, then a value of each type.
const ADDED: [u8; 5] = [0x7f, 0x7f, 0x7e, 0x7d, 0x7c];

impl Locals {
    fn new(body: &FunctionBody<'_>, params: u32) -> Result<Locals, BinaryReaderError> {
        let mut own = params;
        for group in body.get_locals_reader()? {
            own = own.saturating_add(group?.0);
        }
        Ok(Locals { own, used: false })
    }

    fn address(&mut self) -> u32 {
        self.used = true;
        self.own
    }

    fn value(&self, ty: ValType) -> u32 {
        let place = match ty {
            ValType::I64 => 2,
            ValType::F32 => 3,
            ValType::F64 => 4,
            _ => 1,
        };
        self.own + place
    }

    /// The declarations of a body with the added ones behind.
    fn declarations(&self, own: &[u8]) -> Vec<u8> {
        if !self.used {
            return own.to_vec();
        }
        let mut out = Vec::with_capacity(own.len() + 16);
        put_number(&mut out, read_number(own) + ADDED.len() as u32);
        out.extend_from_slice(entries(own));
        for ty in ADDED {
            out.extend_from_slice(&[1, ty]);
        }
        out
    }
}

/// Type and offset of a store.
fn stored(operator: &Operator<'_>) -> Option<(ValType, u32)> {
    let (ty, memarg) = match operator {
        Operator::I32Store { memarg } | Operator::I32Store8 { memarg } | Operator::I32Store16 { memarg } => {
            (ValType::I32, memarg)
        }
        Operator::I64Store { memarg }
        | Operator::I64Store8 { memarg }
        | Operator::I64Store16 { memarg }
        | Operator::I64Store32 { memarg } => (ValType::I64, memarg),
        Operator::F32Store { memarg } => (ValType::F32, memarg),
        Operator::F64Store { memarg } => (ValType::F64, memarg),
        _ => return None,
    };
    Some((ty, memarg.offset as u32))
}

/// A store that marks where it stored, once it has: `dirty |= 1 << (address + offset) / BLOCK_BYTES`. The shift counts
/// modulo 64, and as the store did not trap, the sum does not overflow.
fn put_marked_store(out: &mut Vec<u8>, store: &[u8], address: u32, value: u32, offset: u32, dirty: u32) {
    let mut put = |opcode: u8, index: u32| {
        out.push(opcode);
        put_number(out, index);
    };
    put(0x21, value); // local.set
    put(0x22, address); // local.tee
    put(0x20, value); // local.get
    out.extend_from_slice(store);
    let mut put = |opcode: u8, index: u32| {
        out.push(opcode);
        put_number(out, index);
    };
    put(0x23, dirty); // global.get
    out.extend_from_slice(&[0x42, 0x01]); // i64.const 1
    out.push(0x20); // local.get
    put_number(out, address);
    if offset != 0 {
        out.push(0x41); // i32.const
        put_signed(out, offset as i32);
        out.push(0x6a); // i32.add
    }
    // i32.const BLOCK_SHIFT, i32.shr_u, i64.extend_i32_u, i64.shl, i64.or
    out.extend_from_slice(&[0x41, BLOCK_SHIFT, 0x76, 0xad, 0x86, 0x84]);
    out.push(0x24); // global.set
    put_number(out, dirty);
}

fn put_section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    put_number(out, contents.len() as u32);
    out.extend_from_slice(contents);
}

/// LEB128.
fn put_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Signed LEB128.
fn put_signed(out: &mut Vec<u8>, mut number: i32) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        let done = (number == 0 && byte & 0x40 == 0) || (number == -1 && byte & 0x40 != 0);
        out.push(if done { byte } else { byte | 0x80 });
        if done {
            return;
        }
    }
}

/// LEB128 at the start of bytes that were validated.
fn read_number(bytes: &[u8]) -> u32 {
    let digits = bytes.iter().scan(true, |more, byte| {
        let taken = more.then_some(u32::from(byte & 0x7f));
        *more = byte & 0x80 != 0;
        taken
    });
    digits.enumerate().fold(0, |number, (place, digit)| number | digit << (7 * place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn checks(code: &[u8]) -> usize {
        code.windows(CHECK.len()).filter(|window| *window == CHECK).count()
    }

    fn instrumented(wat: &str) -> Vec<u8> {
        let code = instrument(&wat::parse_str(wat).unwrap()).unwrap().code;
        wasmparser::Validator::new().validate_all(&code).unwrap();
        code
    }

    fn assert_checks(wat: &str, expected: usize) {
        assert_eq!(checks(&instrumented(wat)), expected, "{wat}");
    }

    #[test]
    fn there_is_a_check_after_every_call_and_in_long_pieces() {
        assert_checks("(module (func))", 0);
        assert_checks("(module (memory 1) (data (i32.const 0) \"abc\"))", 0);
        assert_checks("(module (func $f (call $f) (call $f)))", 2);
        let straight =
            |count| format!("(module (func) (func (local i32) {}))", "(local.set 0 (i32.const 1))".repeat(count));
        assert_checks(&straight(127), 0);
        assert_checks(&straight(128), 1);
        assert_checks(&straight(1_280), 10);
    }

    #[test]
    fn values_on_the_stack_and_dead_code_do_not_matter() {
        let wat = "(module (table 1 funcref) (func $one (result i32) (i32.const 1))
            (func (result i32) (i32.add (call $one) (call_indirect (result i32) (i32.const 0))) (return) (call $one)))";
        assert_checks(wat, 3);
    }

    #[test]
    fn stores_of_every_type_are_marked_whatever_the_function_is_like() {
        let wat = r#"(module (memory 1) (global (mut i32) (i32.const 5)) (global i64 (i64.const 6))
            (global (mut f64) (f64.const 7))
            (func (export "a") (param i32 i64) (local f32 i32)
              (i32.store offset=4096 (local.get 0) (i32.const 1)) (i64.store (local.get 0) (local.get 1))
              (f32.store (i32.const 8) (local.get 2)) (f64.store (i32.const 8) (f64.const 2))
              (i32.store8 (i32.const 9) (i32.const 1)) (i64.store16 offset=70000 (i32.const 9) (i64.const 1)))
            (func (export "b") (return) (i32.store (unreachable))))"#;
        let done = instrument(&wat::parse_str(wat).unwrap()).unwrap();
        wasmparser::Validator::new().validate_all(&done.code).unwrap();
        assert_eq!(done.mutable_globals, [0, 2]);
        let text = String::from_utf8_lossy(&done.code).into_owned();
        assert!(text.contains(DIRTY_EXPORT) && text.contains(&global_export(2)) && !text.contains(&global_export(1)));
    }

    #[test]
    fn numbers_are_leb128() {
        for number in [0, 127, 128, 300, u32::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(wasmparser::BinaryReader::new(&out, 0).read_var_u32().unwrap(), number);
            assert_eq!(read_number(&out), number);
            let mut out = Vec::new();
            put_signed(&mut out, number as i32);
            assert_eq!(wasmparser::BinaryReader::new(&out, 0).read_var_i32().unwrap(), number as i32);
        }
    }
}
