//! From conflict hints to the keys that a call will probably touch.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::types::Type;
use super::{Abi, HintedAccess, KeyPart, Method};
use crate::{Address, keys};

/// A key that a call will probably touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintedKey {
    /// The contract's own key; for a field whose element is not known, the beginning of its keys.
    pub key: Vec<u8>,
    /// Whether the key is whole.
    pub exact: bool,
    /// What the call will do with it.
    pub access: HintedAccess,
}

impl Abi {
    /// The keys that a call will probably touch, as far as the method's source shows them; a forecast, not a promise.
    /// Keys of ordered fields (`OrderedMap`, `Table`) are given as the beginning of the field's keys.
    pub fn hinted_keys(&self, method: &str, caller: &Address, args: &[u8]) -> Vec<HintedKey> {
        let Some(method) = self.method(method) else { return Vec::new() };
        let Some(args) = self.arguments(method, args) else { return Vec::new() };
        let hints = method.hints.iter().map(|hint| {
            let prefix = keys::field_prefix(&hint.field);
            let parts = hint.key.as_ref().filter(|_| self.keys_are_borsh(&hint.field));
            let element = parts.and_then(|parts| self.element(&hint.field, parts, caller, &args));
            match element {
                Some(element) => HintedKey { key: [prefix, element].concat(), exact: true, access: hint.access },
                None => HintedKey { key: prefix, exact: false, access: hint.access },
            }
        });
        hints.collect()
    }

    /// Each argument's name and bytes.
    fn arguments(&self, method: &Method, bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let mut rest = bytes;
        let mut arguments = Vec::new();
        for arg in &method.args {
            let before = rest;
            self.decode(&Type::parse(&arg.ty).ok()?, &mut rest, "an argument", 0).ok()?;
            let taken = before.len() - rest.len();
            arguments.push((arg.name.clone(), before[..taken].to_vec()));
        }
        rest.is_empty().then_some(arguments)
    }

    fn storage_type(&self, field: &str) -> Option<Type> {
        let field = self.storage.iter().find(|storage| storage.name == field)?;
        Type::parse(&field.ty).ok()
    }

    pub(super) fn keys_are_borsh(&self, field: &str) -> bool {
        let ordered = ["OrderedMap", "NameMap", "Table"];
        matches!(self.storage_type(field), Some(Type::Named(name, _)) if !ordered.contains(&name.as_str()))
    }

    fn element(&self, field: &str, parts: &[KeyPart], caller: &Address, args: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match part {
                KeyPart::Ctx(name) if name == "caller" => bytes.extend_from_slice(&caller.0),
                KeyPart::Ctx(_) => return None,
                KeyPart::Arg(name) => bytes.extend_from_slice(&args.iter().find(|(known, _)| known == name)?.1),
                KeyPart::Const(text) => bytes.extend(self.constant_part(field, at, text)?),
            }
        }
        Some(bytes)
    }

    /// The encoding of a constant part of a field's key.
    pub(super) fn constant_part(&self, field: &str, at: usize, text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode(&self.part_type(field, at)?, &constant(text), "a key", &mut bytes).ok()?;
        Some(bytes)
    }

    /// The type of one part of a field's key.
    fn part_type(&self, field: &str, at: usize) -> Option<String> {
        use alloc::string::ToString;
        let Type::Named(_, parameters) = self.storage_type(field)? else { return None };
        match parameters.first()? {
            Type::Tuple(parts) => parts.get(at).map(Type::to_string),
            whole => (at == 0).then(|| whole.to_string()),
        }
    }
}

fn constant(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        number => Value::String(number.into()),
    }
}
