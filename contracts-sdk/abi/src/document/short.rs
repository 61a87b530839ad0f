//! The short form in which a module's section writes what there is most of: fields, and conflict hints.
//!
//! Every byte of the section is deployed and stored, so it does not repeat the names of JSON fields. A field, an argument
//! or a storage field is one text, `to: Address`, its docs on the lines after the first; a topic of an event begins with
//! the word `topic`, the primary key of a row with the word `key`. A hint is a list: access and storage field, then the parts of the key, as in
//! `["write allowances","@caller","spender"]`; `@caller` is who calls, `=7` a constant, a single `?` a key that the source
//! does not show, and anything else the argument of that name.
//!
//! Start reading at [`Named`] and [`ShortHint`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::{EventField, Field, Hint, HintedAccess, KeyPart, StorageField};

/// A named value with its type and docs.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Named {
    topic: bool,
    key: bool,
    name: String,
    ty: String,
    docs: String,
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(text: String) -> Result<Named, String> {
        let (first, docs) = text.split_once('\n').unwrap_or((&text, ""));
        let Some((name, ty)) = first.split_once(": ") else {
            return Err(alloc::format!("{text:?} is not of the form `name: type`"));
        };
        let (topic, name) = name.strip_prefix("topic ").map_or((false, name), |name| (true, name));
        let (key, name) = name.strip_prefix("key ").map_or((false, name), |name| (true, name));
        Ok(Named { topic, key, name: name.to_string(), ty: ty.to_string(), docs: docs.to_string() })
    }
}

impl From<Named> for Field {
    fn from(Named { key, name, ty, docs, .. }: Named) -> Field {
        Field { name, ty, key, docs }
    }
}

impl From<Named> for EventField {
    fn from(Named { topic, name, ty, docs, .. }: Named) -> EventField {
        EventField { name, ty, topic, docs }
    }
}

impl From<Named> for StorageField {
    fn from(Named { name, ty, docs, .. }: Named) -> StorageField {
        StorageField { name, ty, docs }
    }
}

/// One access to storage that a method's source shows.
#[derive(Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct ShortHint(pub(super) Hint);

impl TryFrom<Vec<String>> for ShortHint {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<ShortHint, String> {
        let wrong = || alloc::format!("{texts:?} is no hint of the form [\"read field\", parts of the key]");
        let (place, parts) = texts.split_first().ok_or_else(wrong)?;
        let (access, field) = place.split_once(' ').ok_or_else(wrong)?;
        let access = match access {
            "read" => HintedAccess::Read,
            "add" => HintedAccess::Add,
            "write" => HintedAccess::Write,
            _ => return Err(wrong()),
        };
        let key = if parts == ["?"] { None } else { Some(parts.iter().map(|part| key_part(part)).collect()) };
        Ok(ShortHint(Hint { field: field.to_string(), key, access }))
    }
}

fn key_part(text: &str) -> KeyPart {
    match text.split_at_checked(1) {
        Some(("@", name)) => KeyPart::Ctx(name.to_string()),
        Some(("=", value)) => KeyPart::Const(value.to_string()),
        _ => KeyPart::Arg(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_have_docs_and_topics_where_they_say_so() {
        let read = |text: &str| EventField::from(Named::try_from(text.to_string()).unwrap());
        let plain = EventField { name: "amount".into(), ty: "u128".into(), topic: false, docs: String::new() };
        assert_eq!(read("amount: u128"), plain);
        let docs = "What: it is.\nMore.".to_string();
        let topic = EventField { name: "keys".into(), ty: "[(u8, u8); 2]".into(), topic: true, docs };
        assert_eq!(read("topic keys: [(u8, u8); 2]\nWhat: it is.\nMore."), topic);
        let key = Field::from(Named::try_from("key id: String".to_string()).unwrap());
        assert_eq!(key, Field { name: "id".into(), ty: "String".into(), key: true, ..Field::default() });
        assert!(Named::try_from("amount".to_string()).is_err());
    }

    #[test]
    fn hints_name_field_access_and_key() {
        let read = |texts: &[&str]| ShortHint::try_from(texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        let hint = read(&["write allowances", "@caller", "to", "=7"]).ok().unwrap().0;
        let parts = [KeyPart::Ctx("caller".into()), KeyPart::Arg("to".into()), KeyPart::Const("7".into())];
        assert_eq!(hint, Hint { field: "allowances".into(), key: Some(parts.into()), access: HintedAccess::Write });
        assert_eq!(read(&["add total"]).ok().unwrap().0.key, Some(Vec::new()));
        assert_eq!(read(&["read rows", "?"]).ok().unwrap().0.key, None);
        assert!([&["read"][..], &["eat rows"], &[]].iter().all(|texts| read(texts).is_err()));
    }
}
