//! From conflict hints to the way in which a method makes its keys: the same for all calls, so that a key is put together
//! without decoding anything.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::types::Type;
use super::{Abi, HintedAccess, KeyPart, Method};
use crate::keys;

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// These bytes, in every call.
    Bytes(Vec<u8>),
    /// The caller's address.
    Caller,
    /// These bytes of the encoded arguments.
    Args(Range<usize>),
}

/// How a method makes one of the keys that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    /// The parts of the contract's own key.
    pub parts: Vec<TemplatePart>,
    /// What the method does with it.
    pub access: HintedAccess,
}

impl Abi {
    /// How a method makes all keys that its source shows. None if it shows none, if one of them is not shown whole, or if
    /// where an argument lies depends on the arguments before it.
    pub fn key_templates(&self, method: &str) -> Option<Vec<KeyTemplate>> {
        let method = self.method(method)?;
        let places = self.fixed_places(method);
        let templates: Option<Vec<KeyTemplate>> = method
            .hints
            .iter()
            .map(|hint| {
                let parts = hint.key.as_ref().filter(|_| self.keys_are_borsh(&hint.field))?;
                let mut template = alloc::vec![TemplatePart::Bytes(keys::field_prefix(&hint.field))];
                for (at, part) in parts.iter().enumerate() {
                    template.push(self.template_part(&hint.field, at, part, &places)?);
                }
                Some(KeyTemplate { parts: template, access: hint.access })
            })
            .collect();
        templates.filter(|templates| !templates.is_empty())
    }

    fn template_part(
        &self,
        field: &str,
        at: usize,
        part: &KeyPart,
        places: &[(String, Range<usize>)],
    ) -> Option<TemplatePart> {
        Some(match part {
            KeyPart::Ctx(name) if name == "caller" => TemplatePart::Caller,
            KeyPart::Ctx(_) => return None,
            KeyPart::Arg(name) => TemplatePart::Args(places.iter().find(|(known, _)| known == name)?.1.clone()),
            KeyPart::Const(text) => TemplatePart::Bytes(self.constant_part(field, at, text)?),
        })
    }

    /// Where the arguments lie that are at the same place in every call.
    fn fixed_places(&self, method: &Method) -> Vec<(String, Range<usize>)> {
        let mut places = Vec::new();
        let mut start = 0;
        for arg in &method.args {
            let Some(length) = Type::parse(&arg.ty).ok().and_then(|ty| self.fixed_length(&ty, 0)) else { break };
            places.push((arg.name.clone(), start..start + length));
            start += length;
        }
        places
    }

    /// The length of every encoding of a type, if it is always the same.
    fn fixed_length(&self, ty: &Type, depth: usize) -> Option<usize> {
        const DEPTH: usize = 16;
        if depth > DEPTH {
            return None;
        }
        match ty {
            Type::Integer { bits, .. } => Some(*bits as usize / 8),
            Type::Bool => Some(1),
            Type::Address => Some(crate::Address::BYTES),
            Type::Tuple(types) => types.iter().map(|ty| self.fixed_length(ty, depth + 1)).sum(),
            Type::Array(element, count) => self.fixed_length(element, depth + 1)?.checked_mul(*count),
            Type::String | Type::Vec(_) | Type::Option(_) => None,
            Type::Named(name, _) => {
                let fields = self.named_type(name)?.fields.as_ref()?;
                fields.iter().map(|field| self.fixed_length(&Type::parse(&field.ty).ok()?, depth + 1)).sum()
            }
        }
    }
}
