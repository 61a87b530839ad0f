//! Why two transactions are in order: the key that both touch.

use std::collections::BTreeMap;

use hanse_types::RwSet;

/// What a transaction does with a key, the strongest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// It only reads it.
    Read,
    /// It adds to it without reading it.
    Add,
    /// It writes it, whether or not it reads it too.
    Write,
}

impl Touch {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Touch::Read => "read",
            Touch::Add => "add",
            Touch::Write => "write",
        }
    }

    /// Whether two transactions that do these are in order.
    pub(crate) fn conflicts(self, other: Touch) -> bool {
        self == Touch::Write || other == Touch::Write || self != other
    }
}

/// The keys of an access set, each with the strongest that is done to it.
pub(crate) fn touches(set: &RwSet) -> BTreeMap<&[u8], Touch> {
    let reads = set.reads.iter().map(|read| (&read.key[..], Touch::Read));
    let adds = set.adds.iter().map(|add| (&add.key[..], Touch::Add));
    let writes = set.writes.iter().map(|write| (&write.key[..], Touch::Write));
    let mut touches = BTreeMap::new();
    for (key, touch) in reads.chain(adds).chain(writes) {
        // A number that is read and added to was changed in the light of what it was.
        let stronger = match touches.get(key) {
            Some(Touch::Read) if touch == Touch::Add => Touch::Write,
            _ => touch,
        };
        touches.insert(key, stronger);
    }
    touches
}

/// What joins two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join<'a> {
    /// The key.
    pub(super) key: &'a [u8],
    before: &'static str,
    after: &'static str,
}

impl Join<'_> {
    /// What the first did and then the other.
    pub(super) fn how(&self) -> String {
        format!("{} then {}", self.before, self.after)
    }
}

/// The first key that sets two transactions in order: none if the order comes from others between them.
pub(super) fn join<'a>(before: &'a RwSet, after: &'a RwSet) -> Option<Join<'a>> {
    let (first, second) = (touches(before), touches(after));
    let shared = || first.iter().filter_map(|(key, one)| Some((*key, *one, *second.get(key)?)));
    let found = shared().find(|(_, one, other)| one.conflicts(*other));
    if let Some((key, one, other)) = found {
        return Some(Join { key, before: one.name(), after: other.name() });
    }
    scanned(after, &first)
        .map(|(key, touch)| Join { key, before: touch.name(), after: "scan" })
        .or_else(|| scanned(before, &second).map(|(key, touch)| Join { key, before: "scan", after: touch.name() }))
        // Adds are in order only where some order of them could leave the number's bounds.
        .or_else(|| {
            let add = shared().find(|(_, one, other)| *one == Touch::Add && *other == Touch::Add)?;
            Some(Join { key: add.0, before: "add near its bounds", after: "add" })
        })
}

/// The first change in a range that the set scanned.
fn scanned<'a>(set: &RwSet, changes: &BTreeMap<&'a [u8], Touch>) -> Option<(&'a [u8], Touch)> {
    let inside = |key: &[u8]| set.ranges.iter().any(|range| (&range.start[..]..&range.end[..]).contains(&key));
    changes.iter().map(|(key, touch)| (*key, *touch)).find(|(key, touch)| *touch != Touch::Read && inside(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_types::{Add, Delta, RangeRead, Read, Version, Write};

    fn set(reads: &[&str], writes: &[&str], adds: &[&str]) -> RwSet {
        let delta = Delta { amount: 1, width: 16, min: 0, max: u128::MAX };
        let key = |key: &&str| key.as_bytes().to_vec();
        RwSet {
            reads: reads.iter().map(|k| Read { key: key(k), version: Version::Parent, present: true }).collect(),
            ranges: Vec::new(),
            writes: writes.iter().map(|k| Write { key: key(k), value: None }).collect(),
            adds: adds.iter().map(|k| Add { key: key(k), delta }).collect(),
        }
    }

    fn how(before: &RwSet, after: &RwSet) -> Option<(String, String)> {
        join(before, after).map(|join| (String::from_utf8(join.key.to_vec()).unwrap(), join.how()))
    }

    #[test]
    fn the_key_and_what_is_done_with_it() {
        let some = |key: &str, how: &str| Some((key.to_owned(), how.to_owned()));
        assert_eq!(how(&set(&["a"], &["b"], &[]), &set(&["a", "b"], &[], &[])), some("b", "write then read"));
        assert_eq!(how(&set(&["a"], &[], &[]), &set(&[], &["a"], &[])), some("a", "read then write"));
        assert_eq!(how(&set(&[], &[], &["a"]), &set(&["a"], &[], &[])), some("a", "add then read"));
        assert_eq!(how(&set(&["a"], &[], &["a"]), &set(&[], &[], &["a"])), some("a", "write then add"));
        assert_eq!(how(&set(&[], &[], &["a"]), &set(&[], &[], &["a"])), some("a", "add near its bounds then add"));
        assert_eq!(how(&set(&["a"], &["b"], &[]), &set(&["a"], &["c"], &[])), None);
    }

    #[test]
    fn a_scan_is_joined_with_what_changes_inside_it() {
        let mut scan = set(&[], &[], &[]);
        scan.ranges.push(RangeRead { start: b"b".to_vec(), end: b"d".to_vec() });
        let write = |key: &str| set(&[], &[key], &[]);
        assert_eq!(how(&write("c"), &scan), Some(("c".into(), "write then scan".into())));
        assert_eq!(how(&scan, &write("b")), Some(("b".into(), "scan then write".into())));
        assert_eq!(how(&write("d"), &scan), None);
    }
}
