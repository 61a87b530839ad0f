//! Reading everything again: whether blocks and state are still what the headers say.
//!
//! Opening a ledger checks its newest block. What is here checks the rest, for operators and after a copy was made: it
//! reads the whole database, and changes nothing.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use hanse_state::commitment::{self, MemoryNodes};
use hanse_state::{ChangeSet, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Certificate, Hash, Header, Height, StateCommitment, Value};

use crate::error::LedgerError;
use crate::handover;
use crate::ledger::{Current, Ledger, find_block};
use crate::open;
use crate::query;
use crate::store::{RangeQuery, Table};
use crate::undo;

/// Blocks whose certificates are verified as one batch.
const BLOCKS: u64 = 64;
/// Entries of the state that are read at a time.
const ENTRIES: usize = 16_384;

impl Ledger {
    /// Checks every block that is here: that it follows the one before, that the validators decided it, and that everything of it adds
    /// up to its header, access sets as far as they were not pruned.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify_blocks(&self) -> Result<(), LedgerError> {
        let current = self.current();
        let mut next = self.first().0;
        let (mut before, _) = query::header(current.reader(), Height(next - 1))?;
        while next <= current.height().0 {
            let last = current.height().0.min(next + BLOCKS - 1);
            before = self.verify_run(&current, &before, next..=last)?;
            next = last + 1;
        }
        Ok(())
    }

    /// Checks some blocks after one that was checked; gives the last one's header.
    fn verify_run(
        &self,
        current: &Current,
        before: &Header,
        heights: RangeInclusive<u64>,
    ) -> Result<Header, LedgerError> {
        let mut decided: Vec<(Header, Certificate)> = Vec::new();
        for height in heights.map(Height) {
            let (header, certificate) = query::header(current.reader(), height)?;
            let parent = decided.last().map_or(before, |(header, _)| header).hash();
            if header.height != height || header.parent != parent {
                return Err(LedgerError::mismatch(height, "block before", &parent, &header.parent));
            }
            if find_block(current.reader(), &header.hash())? != Some(height) {
                return Err(LedgerError::damaged("the index of blocks", format!("it does not lead to block {height}")));
            }
            handover::check_epoch(decided.last().map_or(before, |(header, _)| header), &header)?;
            open::check_block(self, current, &header)?;
            decided.push((header, certificate));
        }
        let blocks: Vec<_> = decided.iter().map(|(header, certificate)| (certificate, header)).collect();
        self.check_certificates(current, &blocks)?;
        Ok(decided.pop().map_or_else(|| before.clone(), |(header, _)| header))
    }

    /// Checks the state against the headers.
    ///
    /// With the Merkle commitment, that is all of the state, whose tree is made anew in memory. With the flat one, it is
    /// every change since the oldest block whose history is left; what did not change since then, nobody can check.
    ///
    /// # Errors
    /// If it is not what the headers say.
    pub fn verify_state(&self) -> Result<(), LedgerError> {
        let current = self.current();
        match self.shared.genesis.state_commitment {
            StateCommitment::Merkle => verify_tree(self.shared.genesis.crypto, &current),
            StateCommitment::Flat => verify_changes(self.shared.genesis.crypto, &current),
        }
    }
}

fn verify_tree(suite: CryptoSuite, current: &Current) -> Result<(), LedgerError> {
    let (mut nodes, mut root, mut start) = (MemoryNodes::new(suite), Hash::ZERO, Vec::new());
    // One past every key: a state key starts with the address of its contract.
    let end = [0xff; hanse_types::limits::STATE_KEY_BYTES + 1];
    loop {
        let query = RangeQuery { start: &start, end: &end, limit: ENTRIES, reverse: false };
        let entries = current.reader().range(Table::State, query)?;
        let Some((last, _)) = entries.last() else { break };
        start = [&last[..], &[0]].concat();
        let entries = entries.into_iter().map(|(key, value)| (key.into(), Some(Value::from(value)))).collect();
        let update = commitment::update(StateCommitment::Merkle, &root, &nodes, &ChangeSet::from_unsorted(entries))?;
        nodes.apply(&update);
        root = update.root;
    }
    let header = &current.tip.header;
    if root == header.state_root {
        return Ok(());
    }
    Err(LedgerError::mismatch(header.height, "state", &root, &header.state_root))
}

/// Goes back block by block: what a block replaced says which keys it changed, what is there says to what.
fn verify_changes(suite: CryptoSuite, current: &Current) -> Result<(), LedgerError> {
    let mut now: HashMap<Vec<u8>, Option<Value>> = HashMap::new();
    let mut header = (*current.tip.header).clone();
    while header.height > current.record.history_from
        && let Some(height) = header.height.previous()
    {
        let (before, _) = query::header(current.reader(), height)?;
        let mut changes = Vec::new();
        for replaced in undo::before_all(current.reader(), header.height)? {
            let after = match now.get(&replaced.key) {
                Some(value) => value.clone(),
                None => current.view.get(&replaced.key)?,
            };
            changes.push((replaced.key[..].into(), after));
            now.insert(replaced.key, replaced.value);
        }
        let changes = ChangeSet::from_unsorted(changes);
        let nodes = MemoryNodes::new(suite);
        let root = commitment::update(StateCommitment::Flat, &before.state_root, &nodes, &changes)?.root;
        if root != header.state_root {
            return Err(LedgerError::mismatch(header.height, "state", &root, &header.state_root));
        }
        header = before;
    }
    Ok(())
}
