//! From the parts in a module's section, or one JSON text, to a document.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::short::{Named, ShortHint};
use super::{Abi, ErrorSchema, EventSchema, Method, MethodKind, TypeSchema, VariantSchema};
use crate::host::ABI_SECTION;

/// Why bytes hold no ABI document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// They are no WebAssembly module.
    #[error("this is no WebAssembly module: at byte {at}, {what}")]
    Module {
        /// Where.
        at: usize,
        /// What was wrong there.
        what: &'static str,
    },
    /// The document is not as it should be.
    #[error("the ABI document does not read: {reason}; was the contract built with another version of the SDK?")]
    Document {
        /// What the JSON reader says.
        reason: String,
    },
}

/// What one item of a contract's source puts into the section.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Contract(ContractPart),
    Methods(Vec<MethodPart>),
    Event(EventPart),
    Errors(ErrorsPart),
    Type(TypePart),
}

#[derive(Deserialize)]
struct ContractPart {
    name: String,
    version: String,
    #[serde(default)]
    docs: String,
    storage: Vec<Named>,
}

#[derive(Deserialize)]
struct MethodPart {
    name: String,
    #[serde(default)]
    kind: MethodKind,
    #[serde(default)]
    args: Vec<Named>,
    #[serde(default)]
    returns: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    docs: String,
    #[serde(default)]
    hints: Vec<ShortHint>,
}

#[derive(Deserialize)]
struct EventPart {
    name: String,
    #[serde(default)]
    fields: Vec<Named>,
    #[serde(default)]
    docs: String,
}

#[derive(Deserialize)]
struct ErrorsPart {
    name: String,
    variants: Vec<ErrorVariant>,
}

#[derive(Deserialize)]
struct ErrorVariant {
    code: u32,
    #[serde(flatten)]
    variant: Variant,
    message: String,
}

#[derive(Deserialize)]
struct TypePart {
    name: String,
    fields: Option<Vec<Named>>,
    variants: Option<Vec<Variant>>,
    #[serde(default)]
    docs: String,
}

#[derive(Deserialize)]
struct Variant {
    name: String,
    #[serde(default)]
    fields: Vec<Named>,
    #[serde(default)]
    docs: String,
}

/// Either a part or a whole document.
#[derive(Deserialize)]
#[serde(untagged)]
enum PartOrWhole {
    Part(Part),
    Whole(Abi),
}

impl Abi {
    /// Reads a document: the parts of a module's section, or one JSON object. Events, errors and types come out in the
    /// order of their names and codes, whatever order the linker gave the parts.
    ///
    /// # Errors
    /// If the bytes are not JSON, or not a document.
    pub fn parse(bytes: &[u8]) -> Result<Abi, AbiError> {
        let mut abi = Abi::default();
        for part in serde_json::Deserializer::from_slice(bytes).into_iter::<PartOrWhole>() {
            match part.map_err(|error| AbiError::Document { reason: error.to_string() })? {
                PartOrWhole::Whole(whole) => abi = whole,
                PartOrWhole::Part(part) => abi.add(part),
            }
        }
        abi.events.sort_by(|a, b| a.name.cmp(&b.name));
        abi.errors.sort_by_key(|error| error.code);
        abi.types.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(abi)
    }

    /// Reads the document inside a module; none if the module has none.
    ///
    /// # Errors
    /// If the bytes are no module, or its section holds no document.
    pub fn from_wasm(module: &[u8]) -> Result<Option<Abi>, AbiError> {
        let section = section(module)?;
        if section.is_empty() { Ok(None) } else { Abi::parse(&section).map(Some) }
    }

    fn add(&mut self, part: Part) {
        match part {
            Part::Contract(contract) => {
                self.name = contract.name;
                self.version = contract.version;
                self.docs = contract.docs;
                self.storage = all(contract.storage);
            }
            Part::Methods(methods) => self.methods.extend(methods.into_iter().map(Method::from)),
            Part::Event(EventPart { name, fields, docs }) => {
                self.events.push(EventSchema { name, fields: all(fields), docs });
            }
            Part::Type(ty) => self.types.push(ty.into()),
            Part::Errors(errors) => {
                let ErrorsPart { name: of, variants } = errors;
                self.errors.extend(variants.into_iter().map(|variant| variant.schema(of.clone())));
            }
        }
    }
}

fn all<T: From<Named>>(named: Vec<Named>) -> Vec<T> {
    named.into_iter().map(T::from).collect()
}

impl ErrorVariant {
    fn schema(self, of: String) -> ErrorSchema {
        let Variant { name, fields, docs } = self.variant;
        ErrorSchema { code: self.code, name, of, message: self.message, fields: all(fields), docs }
    }
}

impl From<MethodPart> for Method {
    fn from(part: MethodPart) -> Method {
        let MethodPart { name, kind, args, returns, error, docs, hints } = part;
        let hints = hints.into_iter().map(|hint| hint.0).collect();
        Method { name, kind, args: all(args), returns, error, docs, hints }
    }
}

impl From<TypePart> for TypeSchema {
    fn from(part: TypePart) -> TypeSchema {
        let variant = |Variant { name, fields, docs }| VariantSchema { name, fields: all(fields), docs };
        let variants = part.variants.map(|variants| variants.into_iter().map(variant).collect());
        TypeSchema { name: part.name, fields: part.fields.map(all), variants, docs: part.docs }
    }
}

/// The content of all custom sections of the ABI's name, joined.
fn section(module: &[u8]) -> Result<Vec<u8>, AbiError> {
    let mut reader = Reader { bytes: module, at: 0 };
    if reader.take(8)? != b"\0asm\x01\0\0\0" {
        return Err(AbiError::Module { at: 0, what: "its first bytes are others" });
    }
    let mut found = Vec::new();
    while reader.at < module.len() {
        let id = reader.take(1)?[0];
        let length = reader.number()?;
        let mut section = Reader { bytes: reader.take(length)?, at: 0 };
        if id != 0 {
            continue;
        }
        let name_length = section.number()?;
        if section.take(name_length)? == ABI_SECTION.as_bytes() {
            found.extend_from_slice(&section.bytes[section.at..]);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], AbiError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(AbiError::Module { at: self.at, what: "it ends too early" })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// An unsigned LEB128 number of 32 bits.
    fn number(&mut self) -> Result<usize, AbiError> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number as usize);
            }
        }
        Err(AbiError::Module { at: self.at, what: "a number is too long" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PARTS: &str = r#"{"event":{"name":"B","fields":[]}}{"contract":{"name":"Till","version":"1.0.0","storage":[]}}
        {"errors":{"name":"Error","variants":[{"code":1,"name":"No","message":"no {why}","fields":["why: u8"]}]}}
        {"event":{"name":"A","fields":["topic x: u8"]}}
        {"methods":[{"name":"take","args":["amount: u64"],
            "hints":[["add taken","amount","@caller"],["read other","?"]]}]}"#;

    fn module(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        for (name, content) in sections {
            bytes.push(0);
            let length = 1 + name.len() + content.len();
            bytes.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
            bytes.push(name.len() as u8);
            bytes.extend(name.as_bytes());
            bytes.extend(*content);
        }
        bytes
    }

    #[test]
    fn parts_make_a_document_in_one_order() {
        let abi = Abi::parse(PARTS.as_bytes()).unwrap();
        assert_eq!(abi.name, "Till");
        assert_eq!(abi.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert!(abi.events[0].fields[0].topic);
        assert_eq!(abi.errors[0].of, "Error");
        assert_eq!(abi.methods[0].to_string(), "take(amount: u64)");
        assert_eq!(abi.methods[0].hints.len(), 2);
        assert_eq!(abi.methods[0].hints[1].key, None);
    }

    #[test]
    fn a_document_reads_as_it_was_written() {
        let abi = Abi::parse(PARTS.as_bytes()).unwrap();
        let text = serde_json::to_vec(&abi).unwrap();
        assert_eq!(Abi::parse(&text).unwrap(), abi);
        assert_eq!(serde_json::from_slice::<Abi>(&text).unwrap(), abi);
    }

    #[test]
    fn a_module_gives_its_document() {
        let halves = PARTS.split_at(PARTS.find('}').unwrap());
        let sections = [("name", &b"x"[..]), (ABI_SECTION, halves.0.as_bytes()), (ABI_SECTION, halves.1.as_bytes())];
        let abi = Abi::from_wasm(&module(&sections)).unwrap().unwrap();
        assert_eq!(abi, Abi::parse(PARTS.as_bytes()).unwrap());
        assert_eq!(Abi::from_wasm(&module(&[])), Ok(None));
    }

    #[test]
    fn what_is_no_module_or_no_document_is_refused() {
        assert!(matches!(Abi::from_wasm(b"#!/bin/sh"), Err(AbiError::Module { at: 0, .. })));
        assert!(matches!(Abi::from_wasm(b"\0asm"), Err(AbiError::Module { .. })));
        let mut cut = module(&[(ABI_SECTION, b"{}")]);
        cut.pop();
        assert!(matches!(Abi::from_wasm(&cut), Err(AbiError::Module { .. })));
        let bad_argument = "{\"methods\":[{\"name\":\"take\",\"args\":[\"amount\"]}]}";
        let bad_hint = "{\"methods\":[{\"name\":\"take\",\"hints\":[[\"eat taken\"]]}]}";
        for wrong in ["{\"methods\":", "{\"novelty\":{}}", "[]", bad_argument, bad_hint] {
            let section = module(&[(ABI_SECTION, wrong.as_bytes())]);
            assert!(matches!(Abi::from_wasm(&section), Err(AbiError::Document { .. })), "{wrong}");
        }
    }
}
