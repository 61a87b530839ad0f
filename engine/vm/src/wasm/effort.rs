//! What checking and compiling a module takes, as gas.
//!
//! The compiler's time does not follow from a module's length: an empty function of four bytes takes as long as fifty bytes
//! of ordinary code, a loop as long as there are locals that may change in it. So what takes long is counted, each by its
//! worst measured case, and any module that the rules let through is compiled at a few nanoseconds for each unit of gas
//! (`docs/decisions/014-deployment-pays-for-compiling.md` has the figures).
//!
//! All of this is part of the gas schedule.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

/// For each byte: what ordinary code takes, and two passes over it.
const BYTE: u64 = 400;
/// For each function: its prologue, its entries in tables, a run of every pass over it.
const FUNCTION: u64 = 20_000;
/// For each call of a function by its index, with the check of fuel behind it.
const CALL: u64 = 12_000;
/// For each call through the table: it may have to fill the table first, and checks the type.
const CALL_INDIRECT: u64 = 60_000;
/// For each `memory.grow`, which calls the engine.
const GROW: u64 = 25_000;
/// For each floating-point operation: results are made canonical, and some operations call the engine.
const FLOAT: u64 = 3_000;
/// For each local, parameters included.
const LOCAL: u64 = 20;
/// For each place where paths meet, and each local whose value may depend on the path.
const JOIN_PER_LOCAL: u64 = 50;
/// The same for each loop, and each loop around it and itself.
const LOOP_PER_LOCAL: u64 = 400;
/// Instructions for which one place is counted where a check of fuel may be put in.
const STRAIGHT: u64 = 16;

/// Gas for a module's length. Charged before anything looks at it.
pub(crate) fn of_bytes(code: &[u8]) -> u64 {
    BYTE.saturating_mul(code.len() as u64)
}

/// Gas for what a valid module holds. Takes no longer than its length pays for.
pub(crate) fn of_contents(code: &[u8]) -> u64 {
    // A module that was checked parses; for another it does not matter.
    contents(code).unwrap_or(u64::MAX)
}

fn contents(code: &[u8]) -> Result<u64, BinaryReaderError> {
    let (mut params, mut types) = (Vec::new(), Vec::new());
    let (mut gas, mut bodies) = (0u64, 0);
    for payload in Parser::new(0).parse_all(code) {
        match payload? {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    params.push(ty?.params().len() as u64);
                }
            }
            Payload::FunctionSection(section) => types = section.into_iter().collect::<Result<Vec<u32>, _>>()?,
            Payload::CodeSectionEntry(body) => {
                let ty = types.get(bodies).copied().unwrap_or(0);
                let params = params.get(ty as usize).copied().unwrap_or(0);
                gas = gas.saturating_add(function(code, &body, params)?);
                bodies += 1;
            }
            _ => {}
        }
    }
    Ok(gas)
}

fn function(code: &[u8], body: &FunctionBody<'_>, params: u64) -> Result<u64, BinaryReaderError> {
    let mut locals = params;
    for group in body.get_locals_reader()? {
        locals = locals.saturating_add(u64::from(group?.0));
    }
    let mut gas = FUNCTION;
    // Places where the value of every local may depend on the path.
    let (mut joins, mut instructions) = (0, 0);
    // Whether each open block is a loop.
    let mut open = Vec::new();
    let mut depth = 0u64;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let opcode = code[operators.original_position()];
        instructions += 1;
        match operators.read()? {
            Operator::Loop { .. } => {
                depth += 1;
                joins += depth * (LOOP_PER_LOCAL / JOIN_PER_LOCAL);
                open.push(true);
            }
            Operator::Block { .. } | Operator::If { .. } => {
                joins += 1;
                open.push(false);
            }
            Operator::End => depth -= u64::from(open.pop() == Some(true)),
            Operator::Else | Operator::BrIf { .. } | Operator::BrTable { .. } => joins += 1,
            Operator::Call { .. } => {
                gas += CALL;
                joins += 1;
            }
            Operator::CallIndirect { .. } => {
                gas += CALL_INDIRECT;
                joins += 1;
            }
            Operator::MemoryGrow { .. } => gas += GROW,
            _ if is_float_operation(opcode) => gas += FLOAT,
            _ => {}
        }
    }
    joins += instructions / STRAIGHT;
    Ok(gas + locals * (LOCAL + JOIN_PER_LOCAL * joins))
}

/// Arithmetic and conversions; what only moves or compares floating-point numbers is as quick as with integers.
fn is_float_operation(opcode: u8) -> bool {
    matches!(opcode, 0x8b..=0xa6 | 0xa8..=0xab | 0xae..=0xbb)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gas(functions: &str) -> u64 {
        of_contents(&wat::parse_str(format!("(module (memory 1) (table 1 funcref) {functions})")).unwrap())
    }

    #[test]
    fn what_takes_long_is_counted() {
        assert_eq!(gas(""), 0);
        assert_eq!(gas("(func)"), FUNCTION);
        assert_eq!(gas("(func) (func (param i32) (local i64 i64))"), 2 * FUNCTION + 3 * LOCAL);
        assert_eq!(gas("(func $f (call $f))"), FUNCTION + CALL);
        assert_eq!(gas("(func (call_indirect (i32.const 0)))"), FUNCTION + CALL_INDIRECT);
        assert_eq!(gas("(func (drop (memory.grow (i32.const 0))))"), FUNCTION + GROW);
        assert_eq!(gas("(func (drop (f64.add (f64.const 1) (f64.const 2))))"), FUNCTION + FLOAT);
        assert_eq!(gas("(func (drop (i64.extend_i32_u (i32.const 0))))"), FUNCTION);
    }

    #[test]
    fn locals_count_wherever_paths_meet_and_more_in_loops() {
        let of = |inside: &str| gas(&format!("(func (param i32) (local i64) {inside})")) - FUNCTION - 2 * LOCAL;
        assert_eq!(of("(block)"), 2 * JOIN_PER_LOCAL);
        assert_eq!(of("(if (i32.const 0) (then) (else))"), 4 * JOIN_PER_LOCAL);
        assert_eq!(of("(loop)"), 2 * LOOP_PER_LOCAL);
        assert_eq!(of("(loop) (loop)"), 4 * LOOP_PER_LOCAL);
        assert_eq!(of("(loop (loop))"), 6 * LOOP_PER_LOCAL);
        assert_eq!(of(&"nop ".repeat(STRAIGHT as usize)), 2 * JOIN_PER_LOCAL);
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(of_contents(b"nonsense"), u64::MAX);
    }
}
