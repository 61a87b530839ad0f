//! Keys whose bytes sort as their values do, as `OrderedMap` and `Table` write them: integers big-endian, signed ones with
//! their sign bit turned, texts and byte strings with an end mark, tuples part by part.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Abi;
use super::codec::ValueError;
use super::types::Type;
use crate::Address;

/// Takes a key off the front of the bytes; none if they do not start with one, or keys of the type have no order.
pub(super) fn decode(ty: &Type, bytes: &mut &[u8]) -> Option<Value> {
    match ty {
        Type::Integer { signed, bits } => {
            let raw = take(bytes, *bits as usize / 8)?;
            let raw = raw.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
            Some(integer(*signed, *bits, raw))
        }
        Type::Bool => match take(bytes, 1)? {
            [0] => Some(Value::Bool(false)),
            [1] => Some(Value::Bool(true)),
            _ => None,
        },
        Type::Address => take(bytes, Address::BYTES)?.try_into().ok().map(|raw| json!(Address(raw))),
        Type::String => String::from_utf8(text(bytes)?).ok().map(Value::String),
        Type::Vec(_) if ty.is_bytes() => text(bytes).map(|raw| hex(&raw)),
        Type::Array(_, length) if ty.is_bytes() => take(bytes, *length).map(hex),
        Type::Tuple(types) if !types.is_empty() => {
            types.iter().map(|ty| decode(ty, bytes)).collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        _ => None,
    }
}

impl Abi {
    /// Appends a key's bytes.
    pub(super) fn encode_ordered(
        &self,
        ty: &Type,
        value: &Value,
        place: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let start = out.len();
        // By Borsh first, which refuses what is not of the type.
        self.encode_as(ty, value, place, 0, out)?;
        let borsh = out.split_off(start);
        match (ty, value) {
            (Type::Bool | Type::Address, _) => out.extend(borsh),
            (Type::Integer { signed, .. }, _) => {
                out.extend(borsh.iter().rev());
                out[start] ^= if *signed { 0x80 } else { 0 };
            }
            (Type::Array(..), _) if ty.is_bytes() => out.extend(borsh),
            (Type::String, _) => append_text(&borsh[4..], out),
            (Type::Vec(_), _) if ty.is_bytes() => append_text(&borsh[4..], out),
            (Type::Tuple(types), Value::Array(values)) if !types.is_empty() => {
                for (ty, value) in types.iter().zip(values) {
                    self.encode_ordered(ty, value, place, out)?;
                }
            }
            _ => return Err(ValueError::Unknown { what: format!("how {place}, of type {ty}, is put in order") }),
        }
        Ok(())
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

/// A JSON number up to 32 bits, a decimal string beyond.
fn integer(signed: bool, bits: u32, raw: u128) -> Value {
    let wide = bits > 32;
    if !signed {
        return if wide { json!(raw.to_string()) } else { json!(raw as u64) };
    }
    let unused = 128 - bits;
    let number = (((raw ^ (1 << (bits - 1))) << unused) as i128) >> unused;
    if wide { json!(number.to_string()) } else { json!(number as i64) }
}

/// A byte string to its end mark, two zero bytes; a zero byte inside is followed by 255.
fn text(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        match take(bytes, 1)? {
            [0] => match take(bytes, 1)? {
                [0] => return Some(text),
                [255] => text.push(0),
                _ => return None,
            },
            byte => text.extend_from_slice(byte),
        }
    }
}

fn append_text(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        out.push(*byte);
        if *byte == 0 {
            out.push(255);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn hex(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Value::String(format!("0x{digits}"))
}
