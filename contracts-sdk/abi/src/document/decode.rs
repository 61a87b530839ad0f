//! From Borsh to JSON.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::codec::ValueError;
use super::encode::DEPTH;
use super::types::Type;
use super::{Abi, Field, TypeSchema};
use crate::Address;

impl Abi {
    /// Takes a value off the front of the bytes.
    pub(super) fn decode(&self, ty: &Type, bytes: &mut &[u8], place: &str, depth: usize) -> Result<Value, ValueError> {
        if depth > DEPTH {
            return Err(ValueError::Depth { place: place.to_owned() });
        }
        let wrong = |what: &str| wrong(place, ty, what);
        match ty {
            Type::Integer { signed, bits } => {
                let raw = take(bytes, (bits / 8) as usize).ok_or_else(|| wrong("they end too early"))?;
                Ok(integer(*signed, *bits, raw))
            }
            Type::Bool => match take(bytes, 1) {
                Some([0]) => Ok(Value::Bool(false)),
                Some([1]) => Ok(Value::Bool(true)),
                Some(_) => Err(wrong("the byte is neither 0 nor 1")),
                None => Err(wrong("they end too early")),
            },
            Type::String => {
                let text = counted(bytes).ok_or_else(|| wrong("they end too early"))?;
                let text = core::str::from_utf8(text).map_err(|_| wrong("they are not UTF-8"))?;
                Ok(Value::String(text.to_owned()))
            }
            Type::Address => {
                let raw = take(bytes, Address::BYTES).and_then(|raw| raw.try_into().ok());
                Ok(Value::String(raw.map(Address).ok_or_else(|| wrong("they end too early"))?.to_string()))
            }
            Type::Option(inner) => match take(bytes, 1) {
                Some([0]) => Ok(Value::Null),
                Some([1]) => self.decode(inner, bytes, place, depth + 1),
                Some(_) => Err(wrong("the byte is neither 0 nor 1")),
                None => Err(wrong("they end too early")),
            },
            Type::Vec(_) if ty.is_bytes() => {
                counted(bytes).map(|raw| Value::String(hex(raw))).ok_or_else(|| wrong("they end too early"))
            }
            Type::Array(_, length) if ty.is_bytes() => {
                take(bytes, *length).map(|raw| Value::String(hex(raw))).ok_or_else(|| wrong("they end too early"))
            }
            Type::Vec(element) => {
                let count = count(bytes).ok_or_else(|| wrong("they end too early"))?;
                self.decode_list(element, count, bytes, place, depth)
            }
            Type::Array(element, length) => self.decode_list(element, *length, bytes, place, depth),
            Type::Tuple(types) if types.is_empty() => Ok(Value::Null),
            Type::Tuple(types) => {
                let values = types.iter().enumerate();
                let values = values.map(|(at, ty)| self.decode(ty, bytes, &format!("{place}[{at}]"), depth + 1));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Type::Named(name, _) => {
                let schema = self.described(name, place)?;
                self.decode_named(schema, ty, bytes, place, depth)
            }
        }
    }

    fn decode_list(
        &self,
        element: &Type,
        count: usize,
        bytes: &mut &[u8],
        place: &str,
        depth: usize,
    ) -> Result<Value, ValueError> {
        let mut values = Vec::new();
        for at in 0..count {
            let before = bytes.len();
            values.push(self.decode(element, bytes, &format!("{place}[{at}]"), depth + 1)?);
            // Elements without bytes would let a short text stand for any number of values.
            if bytes.len() == before {
                return Err(wrong(place, element, "an element has no bytes"));
            }
        }
        Ok(Value::Array(values))
    }

    fn decode_named(
        &self,
        schema: &TypeSchema,
        ty: &Type,
        bytes: &mut &[u8],
        place: &str,
        depth: usize,
    ) -> Result<Value, ValueError> {
        let Some(variants) = &schema.variants else {
            return self.decode_object(schema.fields.as_deref().unwrap_or_default(), bytes, place, depth);
        };
        let tag = take(bytes, 1).ok_or_else(|| wrong(place, ty, "they end too early"))?[0];
        let variant = variants.get(usize::from(tag));
        let variant = variant.ok_or_else(|| wrong(place, ty, &format!("there is no variant {tag}")))?;
        if variant.fields.is_empty() {
            return Ok(Value::String(variant.name.clone()));
        }
        let fields = self.decode_object(&variant.fields, bytes, place, depth)?;
        Ok(json!({ variant.name.clone(): fields }))
    }

    fn decode_object(
        &self,
        fields: &[Field],
        bytes: &mut &[u8],
        place: &str,
        depth: usize,
    ) -> Result<Value, ValueError> {
        let mut object = Map::new();
        for field in fields {
            let ty = Type::parse(&field.ty)?;
            let value = self.decode(&ty, bytes, &format!("{place}.{}", field.name), depth + 1)?;
            object.insert(field.name.clone(), value);
        }
        Ok(Value::Object(object))
    }
}

fn wrong(place: &str, ty: &Type, what: &str) -> ValueError {
    ValueError::Bytes { place: place.to_owned(), expected: ty.to_string(), what: what.to_owned() }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

fn count(bytes: &mut &[u8]) -> Option<usize> {
    let raw = take(bytes, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(raw)).ok()
}

fn counted<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = count(bytes)?;
    take(bytes, count)
}

/// A JSON number up to 32 bits, a decimal string beyond.
fn integer(signed: bool, bits: u32, raw: &[u8]) -> Value {
    let negative = signed && raw.last().is_some_and(|byte| *byte >= 0x80);
    let mut wide = if negative { [0xff; 16] } else { [0; 16] };
    wide[..raw.len()].copy_from_slice(raw);
    match (signed, bits) {
        (true, 64 | 128) => Value::String(i128::from_le_bytes(wide).to_string()),
        (true, _) => json!(i128::from_le_bytes(wide) as i64),
        (false, 64 | 128) => Value::String(u128::from_le_bytes(wide).to_string()),
        (false, _) => json!(u128::from_le_bytes(wide) as u64),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
