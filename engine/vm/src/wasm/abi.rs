//! What the host itself must know of a contract's ABI: how each method may be entered.
//!
//! The section holds JSON objects one after another, some of them with a list of methods, and much else that is of no
//! concern here. What is refused, and how that reads, is part of what nodes agree on: no text of the JSON reader.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::validate::InvalidModule;
use crate::session::Entry;

/// How a method may be entered, by the ABI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// As anyone calls it.
    #[default]
    Call,
    /// As anyone calls it, and it changes nothing.
    View,
    /// Once, when the contract is deployed.
    Init,
    /// Once, when the contract is upgraded.
    Migrate,
}

impl Kind {
    pub(crate) fn fits(self, entry: Entry) -> bool {
        match self {
            Kind::Call | Kind::View => entry == Entry::Call,
            Kind::Init => entry == Entry::Init,
            Kind::Migrate => entry == Entry::Migrate,
        }
    }
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    methods: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    #[serde(default)]
    kind: Kind,
}

/// The kinds of the exported methods: what an ABI section says, and [`Kind::Call`] for those of which it says nothing.
pub(super) fn kinds(exported: Vec<String>, section: &[u8]) -> Result<BTreeMap<String, Kind>, InvalidModule> {
    let mut kinds: BTreeMap<String, Kind> = exported.into_iter().map(|name| (name, Kind::Call)).collect();
    let mut described = BTreeSet::new();
    for part in serde_json::Deserializer::from_slice(section).into_iter::<Part>() {
        let part =
            part.map_err(|_| InvalidModule::Abi("is not JSON objects one after another, as the SDK writes them"))?;
        for Described { name, kind } in part.methods {
            let Some(known) = kinds.get_mut(&name) else {
                return Err(InvalidModule::Abi("describes a method that is not exported"));
            };
            *known = kind;
            if !described.insert(name) {
                return Err(InvalidModule::Abi("describes a method twice"));
            }
        }
    }
    for once in [Kind::Init, Kind::Migrate] {
        if kinds.values().filter(|kind| **kind == once).count() > 1 {
            return Err(InvalidModule::Abi("has more than one method for deployment, or for upgrades"));
        }
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds_of(section: &str) -> Result<Vec<Kind>, InvalidModule> {
        kinds(vec!["a".into(), "b".into()], section.as_bytes()).map(|kinds| kinds.into_values().collect())
    }

    #[test]
    fn parts_stand_one_after_another() {
        assert_eq!(kinds_of(""), Ok(vec![Kind::Call, Kind::Call]));
        let parts = r#"{"contract":{"name":"c"}}{"methods":[{"name":"b","kind":"view","args":[]}]}
            {"methods":[{"name":"a","kind":"init"}]}"#;
        assert_eq!(kinds_of(parts), Ok(vec![Kind::Init, Kind::View]));
    }

    #[test]
    fn what_can_not_be_true_is_refused() {
        for section in [
            "{",
            "{}x",
            r#"{"methods":[{"name":"c"}]}"#,
            r#"{"methods":[{"name":"a"},{"name":"a"}]}"#,
            r#"{"methods":[{"name":"a","kind":"other"}]}"#,
            r#"{"methods":[{"name":"a","kind":"init"},{"name":"b","kind":"init"}]}"#,
        ] {
            assert!(matches!(kinds_of(section), Err(InvalidModule::Abi(_))), "{section}");
        }
    }
}
