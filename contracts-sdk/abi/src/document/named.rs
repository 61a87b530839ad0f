//! Keys of a `NameMap`, as contracts of the chain itself write them: a name as it is, for names have no zero byte. Where
//! something follows the name, a zero byte ends it, and the rest is written as in an `OrderedMap`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::codec::ValueError;
use super::types::Type;
use super::{Abi, ordered};

/// What ends a name that is not the end of the key.
const END: u8 = 0;

/// Takes a key off the front of the bytes; none if they do not start with one.
pub(super) fn decode(ty: &Type, bytes: &mut &[u8]) -> Option<Value> {
    match ty {
        Type::String => {
            let name = core::mem::take(bytes);
            text(name).filter(|_| !name.contains(&END)).map(Value::String)
        }
        Type::Tuple(types) => {
            let [Type::String, more] = types.as_slice() else { return None };
            let end = bytes.iter().position(|byte| *byte == END)?;
            let name = text(&bytes[..end])?;
            *bytes = &bytes[end + 1..];
            Some(json!([name, ordered::decode(more, bytes)?]))
        }
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

impl Abi {
    /// Appends a key's bytes.
    pub(super) fn encode_name_key(
        &self,
        ty: &Type,
        value: &Value,
        place: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueError> {
        let unknown = || ValueError::Unknown { what: format!("how {place}, which is {value}, is written as a {ty}") };
        let (name, more) = match (ty, value) {
            (Type::String, Value::String(name)) => (name, None),
            (Type::Tuple(types), Value::Array(values)) => match (types.as_slice(), values.as_slice()) {
                ([Type::String, ty], [Value::String(name), value]) => (name, Some((ty, value))),
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        if name.as_bytes().contains(&END) {
            return Err(unknown());
        }
        out.extend_from_slice(name.as_bytes());
        let Some((ty, value)) = more else { return Ok(()) };
        out.push(END);
        self.encode_ordered(ty, value, place, out)
    }
}
