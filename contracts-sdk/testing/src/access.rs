//! Which keys a call touched, and whether two calls are in each other's way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hanse_abi::{Address, keys};
use hanse_types::RwSet;

/// What a call did with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Observed its value, or that it has none.
    Read,
    /// Changed it without observing it, by an addition.
    Add,
    /// Wrote or removed it.
    Write,
}

/// All that a call touched. Keys are full state keys: the contract's address, a zero byte, the contract's own key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSet {
    /// Keys that were observed.
    pub reads: BTreeSet<Vec<u8>>,
    /// Ranges that were observed, absences included: start, and the first key after.
    pub scans: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// Keys that were written or removed.
    pub writes: BTreeSet<Vec<u8>>,
    /// Keys that were added to.
    pub adds: BTreeSet<Vec<u8>>,
}

/// Two calls that can't run in parallel, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) key: Vec<u8>,
    pub(crate) first: Access,
    pub(crate) second: Access,
}

impl AccessSet {
    /// The set as a node records it.
    pub(crate) fn of(recorded: RwSet) -> AccessSet {
        AccessSet {
            reads: recorded.reads.into_iter().map(|read| read.key).collect(),
            writes: recorded.writes.into_iter().map(|write| write.key).collect(),
            adds: recorded.adds.into_iter().map(|add| add.key).collect(),
            ..AccessSet::with_scans(recorded.ranges.into_iter().map(|range| (range.start, range.end)))
        }
    }

    /// A set with these scanned ranges only. A node reads a long range in steps, whose number does not matter: ranges
    /// that touch each other are one.
    pub(crate) fn with_scans(scans: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> AccessSet {
        let mut joined: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (start, end) in scans.collect::<BTreeSet<_>>() {
            match joined.last_mut() {
                Some((_, before)) if *before >= start => *before = end.max(std::mem::take(before)),
                _ => joined.push((start, end)),
            }
        }
        AccessSet { scans: joined.into_iter().collect(), ..AccessSet::default() }
    }

    /// The first key, in their order, on which the two calls are in each other's way: one observes what the other
    /// changes, or both change it other than by additions.
    pub(crate) fn conflict(&self, other: &AccessSet) -> Option<Conflict> {
        let (mine, theirs) = (self.by_key(), other.by_key());
        for (key, first) in &mine {
            let Some(second) = theirs.get(key) else { continue };
            if let Some((first, second)) = clash(first, second) {
                return Some(Conflict { key: (*key).clone(), first, second });
            }
        }
        self.scanned_change(other, false).or_else(|| other.scanned_change(self, true))
    }

    /// A key in one of these ranges that the other call changes.
    fn scanned_change(&self, other: &AccessSet, swapped: bool) -> Option<Conflict> {
        let changed = other.writes.iter().map(|key| (key, Access::Write));
        let mut changed = changed.chain(other.adds.iter().map(|key| (key, Access::Add)));
        let (key, access) =
            changed.find(|(key, _)| self.scans.iter().any(|(start, end)| start <= key && *key < end))?;
        let (first, second) = if swapped { (access, Access::Read) } else { (Access::Read, access) };
        Some(Conflict { key: key.clone(), first, second })
    }

    fn by_key(&self) -> BTreeMap<&Vec<u8>, BTreeSet<Access>> {
        let mut all: BTreeMap<&Vec<u8>, BTreeSet<Access>> = BTreeMap::new();
        let kinds = [(&self.reads, Access::Read), (&self.adds, Access::Add), (&self.writes, Access::Write)];
        for (keys, access) in kinds {
            keys.iter().for_each(|key| {
                all.entry(key).or_default().insert(access);
            });
        }
        all
    }
}

/// The pair of accesses to one key that clash, if any do.
fn clash(first: &BTreeSet<Access>, second: &BTreeSet<Access>) -> Option<(Access, Access)> {
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (*one, *other)));
    let clashes = |pair: &(Access, Access)| !matches!(pair, (Access::Read, Access::Read) | (Access::Add, Access::Add));
    pairs.into_iter().find(clashes)
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "reads",
            Access::Add => "adds to",
            Access::Write => "writes",
        })
    }
}

/// A key as a person reads it: `token.balances[0x…]`. `name` gives names to addresses.
pub(crate) fn readable(full: &[u8], name: impl Fn(&Address) -> String) -> String {
    let Some((contract, key)) = keys::split_key(full) else { return hex(full) };
    let end = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
    let field = String::from_utf8_lossy(&key[..end]);
    let element = key.get(end + 1..).unwrap_or_default();
    match <[u8; Address::BYTES]>::try_from(element) {
        _ if element.is_empty() => format!("{}.{field}", name(&contract)),
        Ok(address) => format!("{}.{field}[{}]", name(&contract), name(&Address(address))),
        Err(_) => format!("{}.{field}[{}]", name(&contract), hex(element)),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(reads: &[&str], adds: &[&str], writes: &[&str], scans: &[(&str, &str)]) -> AccessSet {
        let keys = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let scans = scans.iter().map(|(start, end)| (start.as_bytes().to_vec(), end.as_bytes().to_vec())).collect();
        AccessSet { reads: keys(reads), adds: keys(adds), writes: keys(writes), scans }
    }

    fn conflicts(a: &AccessSet, b: &AccessSet) -> bool {
        let (forth, back) = (a.conflict(b), b.conflict(a));
        assert_eq!(forth.is_some(), back.is_some(), "a conflict has no direction");
        forth.is_some()
    }

    #[test]
    fn only_reads_and_only_adds_share_a_key() {
        let (read, add, write) = (set(&["k"], &[], &[], &[]), set(&[], &["k"], &[], &[]), set(&[], &[], &["k"], &[]));
        assert!(!conflicts(&read, &read));
        assert!(!conflicts(&add, &add));
        assert!(conflicts(&read, &add));
        assert!(conflicts(&read, &write));
        assert!(conflicts(&add, &write));
        assert!(conflicts(&write, &write));
        assert!(conflicts(&set(&["k"], &["k"], &[], &[]), &add));
        assert!(!conflicts(&write, &set(&["l"], &[], &["m"], &[])));
    }

    #[test]
    fn a_scan_conflicts_with_changes_in_its_range_only() {
        let scan = set(&[], &[], &[], &[("b", "d")]);
        assert!(conflicts(&scan, &set(&[], &[], &["c"], &[])));
        assert!(conflicts(&scan, &set(&[], &["b"], &[], &[])));
        assert!(!conflicts(&scan, &set(&[], &[], &["d"], &[])));
        assert!(!conflicts(&scan, &set(&["c"], &[], &[], &[("a", "z")])));
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let scans = [("d", "f"), ("a", "b"), ("b", "c"), ("e", "e5")];
        let scans = scans.map(|(start, end)| (start.as_bytes().to_vec(), end.as_bytes().to_vec()));
        assert_eq!(AccessSet::with_scans(scans.into_iter()), set(&[], &[], &[], &[("a", "c"), ("d", "f")]));
    }

    #[test]
    fn keys_are_written_with_names() {
        let contract = Address([1; 20]);
        let owner = Address([2; 20]);
        let name = |address: &Address| if *address == contract { "token".to_owned() } else { "alice".to_owned() };
        let full = |key: &[u8]| keys::full_key(&contract, key);
        assert_eq!(readable(&full(b"supply\0"), name), "token.supply");
        assert_eq!(readable(&full(&[b"balances\0", &owner.0[..]].concat()), name), "token.balances[alice]");
        assert_eq!(readable(&full(b"rows\0\x01\x02"), name), "token.rows[0x0102]");
    }
}
