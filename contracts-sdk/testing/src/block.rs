//! Several calls in one block: could they run in parallel?

use hanse_abi::Status;

use crate::access::Conflict;
use crate::ledger::Ledger;
use crate::record::Record;

/// What the calls of a block did, and which of them are in each other's way.
pub struct BlockReport {
    records: Vec<Record>,
    conflicts: Vec<String>,
}

impl BlockReport {
    pub(crate) fn new(records: Vec<Record>, ledger: &Ledger) -> BlockReport {
        let mut conflicts = Vec::new();
        for (at, second) in records.iter().enumerate() {
            for first in &records[..at] {
                if let Some(conflict) = first.access.conflict(&second.access) {
                    conflicts.push(describe(first, second, &conflict, ledger));
                }
            }
        }
        BlockReport { records, conflicts }
    }

    /// How each call ended.
    pub fn statuses(&self) -> Vec<Status> {
        self.records.iter().map(|record| record.ended.status).collect()
    }

    /// Which pairs of calls can't run in parallel, and over which key, each in a sentence.
    pub fn conflicts(&self) -> &[String] {
        &self.conflicts
    }

    /// Asserts that every call succeeded.
    ///
    /// # Panics
    /// If one did not; the message says which.
    #[track_caller]
    pub fn expect_all_ok(&self) -> &Self {
        for record in &self.records {
            let ended = &record.ended;
            let name = ended.status.name();
            assert!(ended.status.is_success(), "{} ended with {name}: {}", record.label, ended.message);
        }
        self
    }

    /// Asserts that all calls can run in parallel.
    ///
    /// # Panics
    /// If two can't; the message says which, and names the key.
    #[track_caller]
    pub fn assert_parallel(&self) -> &Self {
        assert!(self.conflicts.is_empty(), "these calls can't all run in parallel:\n  {}", self.conflicts.join("\n  "));
        self
    }

    /// Asserts that some calls can't run in parallel because of this key, written as in messages:
    /// `Token.balances[alice]`.
    ///
    /// # Panics
    /// If they can.
    #[track_caller]
    pub fn assert_conflict_on(&self, key: &str) -> &Self {
        let found = self.conflicts.iter().any(|conflict| conflict.contains(key));
        assert!(found, "no two calls are in each other's way over {key}; conflicts: {:?}", self.conflicts);
        self
    }
}

fn describe(first: &Record, second: &Record, conflict: &Conflict, ledger: &Ledger) -> String {
    let key = ledger.readable(&conflict.key);
    format!("{} {} {key}, which {} {}", first.label, conflict.first, second.label, conflict.second)
}
