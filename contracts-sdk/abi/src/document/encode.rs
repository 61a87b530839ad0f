//! From JSON to Borsh.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::codec::ValueError;
use super::types::Type;
use super::{Abi, Field, TypeSchema};
use crate::Address;

/// How deep values may be nested.
pub(super) const DEPTH: usize = 64;

impl Abi {
    /// Appends a value's Borsh bytes.
    pub(super) fn encode(&self, ty: &str, value: &Value, place: &str, out: &mut Vec<u8>) -> Result<(), ValueError> {
        self.encode_as(&Type::parse(ty)?, value, place, 0, out)
    }

    /// [`Abi::encode`] of a type that was read before.
    pub(super) fn encode_as(
        &self,
        ty: &Type,
        value: &Value,
        place: &str,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        if depth > DEPTH {
            return Err(ValueError::Depth { place: place.to_owned() });
        }
        let mismatch = |how: &str| mismatch(place, ty, how, value);
        match (ty, value) {
            (Type::Integer { signed, bits }, value) => {
                let bytes = integer(*signed, *bits, value).ok_or_else(|| mismatch(&range(*signed, *bits)))?;
                out.extend_from_slice(&bytes[..(bits / 8) as usize]);
            }
            (Type::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
            (Type::Bool, _) => return Err(mismatch("true or false")),
            (Type::String, Value::String(text)) => append_counted(text.as_bytes(), out),
            (Type::String, _) => return Err(mismatch("a text")),
            (Type::Address, Value::String(text)) => {
                let address: Address = text.parse().map_err(|error| mismatch(&format!("{error}")))?;
                out.extend_from_slice(&address.0);
            }
            (Type::Address, _) => return Err(mismatch("0x and 40 hexadecimal digits")),
            (Type::Option(_), Value::Null) => out.push(0),
            (Type::Option(inner), value) => {
                out.push(1);
                self.encode_as(inner, value, place, depth + 1, out)?;
            }
            (_, Value::String(text)) if ty.is_bytes() => {
                let bytes = hex(text).ok_or_else(|| mismatch("0x and an even number of hexadecimal digits"))?;
                if let Type::Array(_, length) = ty {
                    let right = bytes.len() == *length;
                    right.then_some(()).ok_or_else(|| mismatch(&format!("0x and {} digits", 2 * length)))?;
                    out.extend_from_slice(&bytes);
                } else {
                    append_counted(&bytes, out);
                }
            }
            (Type::Vec(element), Value::Array(values)) => {
                out.extend_from_slice(&(values.len() as u32).to_le_bytes());
                self.encode_list(values.iter().map(|value| (&**element, value)), place, depth, out)?;
            }
            (Type::Array(element, length), Value::Array(values)) if values.len() == *length => {
                self.encode_list(values.iter().map(|value| (&**element, value)), place, depth, out)?;
            }
            (Type::Tuple(types), Value::Null) if types.is_empty() => {}
            (Type::Tuple(types), Value::Array(values)) if values.len() == types.len() => {
                self.encode_list(types.iter().zip(values), place, depth, out)?;
            }
            (Type::Vec(_), _) => return Err(mismatch(if ty.is_bytes() { "0x…, or an array" } else { "an array" })),
            (Type::Array(_, length), _) => return Err(mismatch(&format!("an array of {length}"))),
            (Type::Tuple(types), _) => return Err(mismatch(&format!("an array of {}", types.len()))),
            (Type::Named(name, _), value) => {
                let schema = self.described(name, place)?;
                self.encode_named(schema, ty, value, place, depth, out)?;
            }
        }
        Ok(())
    }

    fn encode_list<'a>(
        &self,
        values: impl Iterator<Item = (&'a Type, &'a Value)>,
        place: &str,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        for (at, (ty, value)) in values.enumerate() {
            self.encode_as(ty, value, &format!("{place}[{at}]"), depth + 1, out)?;
        }
        Ok(())
    }

    fn encode_named(
        &self,
        schema: &TypeSchema,
        ty: &Type,
        value: &Value,
        place: &str,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let Some(variants) = &schema.variants else {
            return self.encode_fields(schema.fields.as_deref().unwrap_or_default(), ty, value, place, depth, out);
        };
        let names = || variants.iter().map(|variant| variant.name.as_str()).collect::<Vec<_>>().join(", ");
        let refuse = || mismatch(place, ty, &format!("one of {}", names()), value);
        let empty = Value::Object(serde_json::Map::new());
        let (name, fields) = match value {
            Value::String(name) => (name, &empty),
            Value::Object(entries) if entries.len() == 1 => entries.iter().next().ok_or_else(refuse)?,
            _ => return Err(refuse()),
        };
        let at = variants.iter().position(|variant| variant.name == *name).ok_or_else(refuse)?;
        out.push(u8::try_from(at).map_err(|_| refuse())?);
        self.encode_fields(&variants[at].fields, ty, fields, &format!("{place}.{name}"), depth, out)
    }

    fn encode_fields(
        &self,
        fields: &[Field],
        ty: &Type,
        value: &Value,
        place: &str,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let names = || fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        let refuse = || mismatch(place, ty, &format!("an object of {}", names()), value);
        let Value::Object(entries) = value else { return Err(refuse()) };
        if entries.keys().any(|name| fields.iter().all(|field| field.name != *name)) {
            return Err(refuse());
        }
        for field in fields {
            let value = entries.get(&field.name).ok_or_else(refuse)?;
            let field_type = Type::parse(&field.ty)?;
            self.encode_as(&field_type, value, &format!("{place}.{}", field.name), depth + 1, out)?;
        }
        Ok(())
    }

    pub(super) fn described(&self, name: &str, place: &str) -> Result<&TypeSchema, ValueError> {
        self.named_type(name).ok_or_else(|| ValueError::UnknownType { place: place.to_owned(), name: name.to_owned() })
    }
}

fn mismatch(place: &str, ty: &Type, how: &str, value: &Value) -> ValueError {
    let mut found = value.to_string();
    if found.chars().count() > 80 {
        found = found.chars().take(77).collect::<String>() + "…";
    }
    ValueError::Mismatch { place: place.to_owned(), expected: format!("{ty} ({how})"), found }
}

fn range(signed: bool, bits: u32) -> String {
    match (signed, bits) {
        (false, 128) => "a whole number from 0, as a decimal string".to_owned(),
        (false, bits) => format!("a whole number from 0 to {}", u128::MAX >> (128 - bits)),
        (true, bits) => {
            let most = i128::MAX >> (128 - bits);
            format!("a whole number from {} to {most}", -most - 1)
        }
    }
}

/// The number's 16 bytes, if it is a whole number that fits.
fn integer(signed: bool, bits: u32, value: &Value) -> Option<[u8; 16]> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    // Rust reads a leading plus too; a document's numbers have one way to be written.
    if text.starts_with('+') {
        return None;
    }
    if signed {
        let number: i128 = text.parse().ok()?;
        let most = i128::MAX >> (128 - bits);
        return (-most - 1..=most).contains(&number).then(|| number.to_le_bytes());
    }
    let number: u128 = text.parse().ok()?;
    (number <= u128::MAX >> (128 - bits)).then(|| number.to_le_bytes())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

fn append_counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}
