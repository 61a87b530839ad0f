//! What a contract keeps, from bytes to JSON: keys by field and element, values by the field's type.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::codec::{ValueError, nothing_left};
use super::types::Type;
use super::{Abi, StorageField, named, ordered};
use crate::keys;

/// A contract's own key, read by its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The field.
    pub field: String,
    /// The element, for a field that has elements.
    pub element: Option<Value>,
}

impl Abi {
    /// What a contract's own key stands for; none if the document does not say.
    pub fn decode_key(&self, key: &[u8]) -> Option<StoredKey> {
        let end = key.iter().position(|byte| *byte == 0)?;
        let field = self.storage_field(core::str::from_utf8(&key[..end]).ok()?)?;
        let rest = &key[end + 1..];
        let element = match self.layout(field).ok()? {
            Layout { element: None, .. } => {
                return rest.is_empty().then(|| StoredKey { field: field.name.clone(), element: None });
            }
            Layout { element: Some(ty), keys, .. } => {
                let mut left = rest;
                let value = match keys {
                    Keys::Borsh => self.decode(&ty, &mut left, "the key", 0).ok()?,
                    Keys::Ordered => ordered::decode(&ty, &mut left)?,
                    Keys::Named => named::decode(&ty, &mut left)?,
                };
                left.is_empty().then_some(value)?
            }
        };
        Some(StoredKey { field: field.name.clone(), element: Some(element) })
    }

    /// The contract's own key of a field, or of one of its elements, given as JSON. Without an element, the key that all keys
    /// of the field begin with.
    ///
    /// # Errors
    /// If there is no such field, it has no elements, or the element is not of its type.
    pub fn encode_key(&self, field: &str, element: Option<&Value>) -> Result<Vec<u8>, ValueError> {
        let schema = self.known_field(field)?;
        let mut key = keys::field_prefix(field);
        let Some(element) = element else { return Ok(key) };
        let Layout { element: Some(ty), keys, .. } = self.layout(schema)? else {
            return Err(ValueError::Unknown { what: format!("elements of {field:?}, which is a {}", schema.ty) });
        };
        let place = format!("an element of {field:?}");
        match keys {
            Keys::Borsh => self.encode_as(&ty, element, &place, 0, &mut key)?,
            Keys::Ordered => self.encode_ordered(&ty, element, &place, &mut key)?,
            Keys::Named => self.encode_name_key(&ty, element, &place, &mut key)?,
        }
        Ok(key)
    }

    /// The type of a field's elements, none if it has no elements.
    ///
    /// # Errors
    /// If there is no such field, or the document does not say how it is stored.
    pub fn element_type(&self, field: &str) -> Result<Option<Type>, ValueError> {
        Ok(self.layout(self.known_field(field)?)?.element)
    }

    /// The value of a key of a field.
    ///
    /// # Errors
    /// If there is no such field, or the bytes are not of its type.
    pub fn decode_stored(&self, field: &str, value: &[u8]) -> Result<Value, ValueError> {
        match self.layout(self.known_field(field)?)?.value {
            // The key is all there is: it is in the set.
            None => nothing_left(value, "the value", "nothing").map(|()| Value::Bool(true)),
            Some(ty) => {
                let mut rest = value;
                let decoded = self.decode(&ty, &mut rest, "the value", 0)?;
                nothing_left(rest, "the value", &ty.to_string())?;
                Ok(decoded)
            }
        }
    }

    fn storage_field(&self, name: &str) -> Option<&StorageField> {
        self.storage.iter().find(|field| field.name == name)
    }

    fn known_field(&self, name: &str) -> Result<&StorageField, ValueError> {
        self.storage_field(name).ok_or_else(|| {
            let known: Vec<&str> = self.storage.iter().map(|field| field.name.as_str()).collect();
            ValueError::Unknown { what: format!("the field {name:?}; there are {}", known.join(", ")) }
        })
    }

    fn layout(&self, field: &StorageField) -> Result<Layout, ValueError> {
        let unknown = || ValueError::Unknown { what: format!("how a field of type {} is stored", field.ty) };
        let Type::Named(kind, types) = Type::parse(&field.ty)? else { return Err(unknown()) };
        let mut types = types.into_iter();
        let (first, second) = (types.next(), types.next());
        let layout = |element, value, keys| Ok(Layout { element, value, keys });
        match (kind.as_str(), first, second) {
            ("Item" | "Counter", Some(value), None) => layout(None, Some(value), Keys::Borsh),
            ("Map", Some(key), Some(value)) => layout(Some(key), Some(value), Keys::Borsh),
            ("Set", Some(key), None) => layout(Some(key), None, Keys::Borsh),
            ("OrderedMap", Some(key), Some(value)) => layout(Some(key), Some(value), Keys::Ordered),
            ("NameMap", Some(key), Some(value)) => layout(Some(key), Some(value), Keys::Named),
            ("Table", Some(row), None) => {
                let key = self.primary_key(&row).ok_or_else(unknown)?;
                layout(Some(Type::parse(key)?), Some(row), Keys::Ordered)
            }
            _ => Err(unknown()),
        }
    }

    /// The type of a row's primary key, none if the document does not say which of its fields that is.
    fn primary_key(&self, row: &Type) -> Option<&str> {
        let Type::Named(name, _) = row else { return None };
        let mut fields = self.named_type(name)?.fields.iter().flatten();
        fields.find(|field| field.key).map(|field| field.ty.as_str())
    }
}

/// How a field is stored.
struct Layout {
    /// The type of its elements' keys, if it has elements.
    element: Option<Type>,
    /// The type of its values, if the keys are not all.
    value: Option<Type>,
    /// How their keys are written.
    keys: Keys,
}

/// How the keys of a field's elements are written.
#[derive(Clone, Copy)]
enum Keys {
    /// As Borsh.
    Borsh,
    /// So that their bytes sort as they do.
    Ordered,
    /// As the chain's own contracts write names.
    Named,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Address;
    use crate::document::{Field, TypeSchema};
    use alloc::borrow::ToOwned;
    use serde_json::json;

    fn abi() -> Abi {
        let field =
            |name: &str, ty: &str| StorageField { name: name.to_owned(), ty: ty.to_owned(), docs: String::new() };
        Abi {
            storage: alloc::vec![
                field("supply", "Item<u128>"),
                field("balances", "Map<(Address, u8), u64>"),
                field("members", "Set<u16>"),
                field("prices", "OrderedMap<(i16, bool), u8>"),
                field("history", "OrderedMap<(String, u64), u8>"),
                field("assets", "Table<Asset>"),
                field("lines", "Table<Line>"),
                field("owners", "NameMap<String, Address>"),
                field("versions", "NameMap<(String, u32), Address>"),
            ],
            types: alloc::vec![row("Asset", true), row("Line", false)],
            ..Abi::default()
        }
    }

    /// A struct of a text and a number, the text of which is marked as the primary key or not.
    fn row(name: &str, key: bool) -> TypeSchema {
        let field = |name: &str, ty: &str, key| Field { name: name.into(), ty: ty.into(), key, ..Field::default() };
        let fields = alloc::vec![field("steps", "u8", false), field("id", "String", key)];
        TypeSchema { name: name.to_owned(), fields: Some(fields), ..TypeSchema::default() }
    }

    #[test]
    fn ordered_keys_are_written_as_they_are_read() {
        let abi = abi();
        for (field, element, bytes) in [
            ("prices", json!([-2, true]), &[0x7f, 0xfe, 1][..]),
            ("history", json!(["a\0b", "258"]), b"a\0\xffb\0\0\0\0\0\0\0\0\x01\x02"),
            ("assets", json!("A-1"), b"A-1\0\0"),
        ] {
            let key = abi.encode_key(field, Some(&element)).unwrap();
            assert_eq!(key, [field.as_bytes(), b"\0", bytes].concat(), "{field}");
            assert_eq!(abi.decode_key(&key), Some(StoredKey { field: field.into(), element: Some(element) }));
        }
        assert!(abi.encode_key("assets", Some(&json!(7))).unwrap_err().to_string().contains("\"assets\""));
        assert_eq!(abi.decode_key(b"assets\0A-1\0"), None);
    }

    #[test]
    fn names_are_written_as_they_are() {
        let abi = abi();
        for (field, element, bytes) in
            [("owners", json!("token"), &b"token"[..]), ("versions", json!(["token", 258]), b"token\0\0\0\x01\x02")]
        {
            let key = abi.encode_key(field, Some(&element)).unwrap();
            assert_eq!(key, [field.as_bytes(), b"\0", bytes].concat(), "{field}");
            assert_eq!(abi.decode_key(&key), Some(StoredKey { field: field.into(), element: Some(element) }));
        }
        for wrong in [&b"owners\0a\0b"[..], b"owners\0\xff", b"versions\0token", b"versions\0token\0\0\0\x01"] {
            assert_eq!(abi.decode_key(wrong), None, "{wrong:?}");
        }
        for (field, wrong) in [("owners", json!("a\0b")), ("owners", json!(7)), ("versions", json!(["a"]))] {
            assert!(abi.encode_key(field, Some(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rows_key_is_the_field_that_is_marked() {
        let abi = abi();
        assert_eq!(abi.element_type("assets").unwrap(), Some(Type::String));
        assert_eq!(abi.element_type("supply").unwrap(), None);
        let value = abi.decode_stored("assets", b"\x05\x03\0\0\0A-1").unwrap();
        assert_eq!(value, json!({ "id": "A-1", "steps": 5 }));
        assert!(abi.element_type("lines").unwrap_err().to_string().contains("Table<Line>"));
    }

    #[test]
    fn keys_are_read_by_field_and_element() {
        let abi = abi();
        let element = json!([Address::native(7), 5]);
        let key = abi.encode_key("balances", Some(&element)).unwrap();
        assert_eq!(abi.decode_key(&key), Some(StoredKey { field: "balances".into(), element: Some(element) }));
        assert_eq!(abi.decode_key(b"supply\0"), Some(StoredKey { field: "supply".into(), element: None }));
        let ordered = [&b"prices\0"[..], &[0x7f, 0xfe, 1]].concat();
        assert_eq!(abi.decode_key(&ordered).unwrap().element, Some(json!([-2, true])));
        for wrong in [&b"supply"[..], b"supply\0x", b"other\0", b"balances\0\x01", b"members\0\x01\x02\x03"] {
            assert_eq!(abi.decode_key(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn values_are_read_by_their_field() {
        let abi = abi();
        assert_eq!(abi.decode_stored("balances", &5u64.to_le_bytes()).unwrap(), json!("5"));
        assert_eq!(abi.decode_stored("members", &[]).unwrap(), json!(true));
        assert!(abi.decode_stored("supply", &[1]).is_err());
        let unknown = abi.decode_stored("supplies", &[1]).unwrap_err().to_string();
        assert!(unknown.contains("supply, balances"), "{unknown}");
        assert!(abi.encode_key("supply", Some(&json!(1))).is_err());
    }
}
