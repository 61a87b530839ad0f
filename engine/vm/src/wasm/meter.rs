//! More fuel checks than the engine makes by itself.
//!
//! The engine counts every instruction, but looks whether the fuel suffices only where a function is entered and where a
//! loop begins. What lies between runs unpaid once the fuel is gone, and a recursion on its way back passes neither: ten
//! thousand frames, each with a long straight piece of code after its call. So code is compiled with an empty loop after
//! every call and in every long straight piece: nothing but a place where the engine looks.
//!
//! This decides what a call costs. It is part of the gas schedule.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

/// Changes with whatever [`metered`] does, so that compiled code of another form is not taken from a cache.
pub(super) const VERSION: u32 = 1;

/// Most instructions between two checks.
const STRAIGHT_MAX: u32 = 256;
/// `loop`, of no parameters and results, and its `end`.
const CHECK: [u8; 3] = [0x03, 0x40, 0x0b];
const CODE_SECTION: u8 = 10;

/// A valid module with checks put in, and without its custom sections, which no compiler needs.
pub(super) fn metered(code: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut out = Vec::with_capacity(code.len() + code.len() / 4);
    let (mut bodies, mut missing) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(code) {
        match payload? {
            Payload::Version { range, .. } => out.extend_from_slice(&code[range]),
            Payload::CustomSection(_) => {}
            Payload::CodeSectionStart { count, .. } => {
                put_number(&mut bodies, count);
                missing = count;
                if count == 0 {
                    put_section(&mut out, CODE_SECTION, &bodies);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let body = metered_body(code, &body)?;
                put_number(&mut bodies, body.len() as u32);
                bodies.extend_from_slice(&body);
                missing -= 1;
                if missing == 0 {
                    put_section(&mut out, CODE_SECTION, &bodies);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    put_section(&mut out, id, &code[range]);
                }
            }
        }
    }
    Ok(out)
}

fn metered_body(code: &[u8], body: &FunctionBody<'_>) -> Result<Vec<u8>, BinaryReaderError> {
    let range = body.range();
    let mut operators = body.get_operators_reader()?;
    let mut out = code[range.start..operators.original_position()].to_vec();
    let mut straight = 0;
    while !operators.eof() {
        let start = operators.original_position();
        let operator = operators.read()?;
        out.extend_from_slice(&code[start..operators.original_position()]);
        straight += 1;
        let is_call = matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
        // Behind the function's last `end` nothing may stand.
        if (is_call || straight >= STRAIGHT_MAX) && !operators.eof() {
            out.extend_from_slice(&CHECK);
            straight = 0;
        }
    }
    Ok(out)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn checks(code: &[u8]) -> usize {
        code.windows(CHECK.len()).filter(|window| *window == CHECK).count()
    }

    fn assert_metered(wat: &str, expected: usize) {
        let code = metered(&wat::parse_str(wat).unwrap()).unwrap();
        wasmparser::Validator::new().validate_all(&code).unwrap();
        assert_eq!(checks(&code), expected, "{wat}");
    }

    #[test]
    fn there_is_a_check_after_every_call_and_in_long_pieces() {
        assert_metered("(module (func))", 0);
        assert_metered("(module (memory 1) (data (i32.const 0) \"abc\"))", 0);
        assert_metered("(module (func $f (call $f) (call $f)))", 2);
        let straight =
            |count| format!("(module (func) (func (local i32) {}))", "(local.set 0 (i32.const 1))".repeat(count));
        assert_metered(&straight(127), 0);
        assert_metered(&straight(128), 1);
        assert_metered(&straight(1_280), 10);
    }

    #[test]
    fn values_on_the_stack_and_dead_code_do_not_matter() {
        let wat = "(module (table 1 funcref) (func $one (result i32) (i32.const 1))
            (func (result i32) (i32.add (call $one) (call_indirect (result i32) (i32.const 0))) (return) (call $one)))";
        assert_metered(wat, 3);
    }

    #[test]
    fn numbers_are_leb128() {
        for number in [0, 127, 128, 300, u32::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(wasmparser::BinaryReader::new(&out, 0).read_var_u32().unwrap(), number);
        }
    }
}
