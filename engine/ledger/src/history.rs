//! Past states, and forgetting them.
//!
//! The state after a block is the newest one under what later blocks replaced (`undo.rs`). Reading a key of it costs
//! a look into every later block until one is found that changed it; so the way back is meant for questions, audits and
//! debugging, not for running blocks. Pruning gives it up, with the access sets, for the space that both take.

use std::collections::BTreeMap;
use std::sync::Arc;

use hanse_state::commitment::{self, PageOverlay};
use hanse_state::{ChangeSet, Entry, Overlay, StateError, StateView};
use hanse_types::{Height, StateCommitment, Value, Write};

use crate::error::LedgerError;
use crate::keys;
use crate::ledger::{Current, Ledger};
use crate::meta::{self, TipRecord};
use crate::proofs::StateProof;
use crate::query;
use crate::store::{Batch, Table};
use crate::undo;
use crate::views::LedgerView;

/// Most keys that may have changed since the block of a state proof: the tree is made anew from them.
pub const PROOF_CHANGES_MAX: usize = 200_000;

impl Ledger {
    /// The state after a block. Does not change while it is held, whatever is pruned meanwhile.
    ///
    /// # Errors
    /// If there is no such block, or its history was pruned.
    pub fn state_at(&self, height: Height) -> Result<Arc<dyn StateView>, LedgerError> {
        let current = self.current();
        check_kept(&current, height)?;
        if height == current.height() {
            return Ok(Arc::new(current.view.clone()));
        }
        Ok(Arc::new(PastState { newest: current.view.clone(), height }))
    }

    /// A key's value after a block, with the proof against that block's header; or the proof that it had none. The tree
    /// of a past block is made of the newest one, by undoing what changed since.
    ///
    /// # Errors
    /// As [`Ledger::state_at`]; and if the group's state commitment is flat, or more than [`PROOF_CHANGES_MAX`] keys
    /// changed since.
    pub fn prove_state_at(&self, key: &[u8], height: Height) -> Result<StateProof, LedgerError> {
        if self.shared.genesis.state_commitment != StateCommitment::Merkle {
            return Err(LedgerError::NoStateProofs);
        }
        let current = self.current();
        check_kept(&current, height)?;
        let (header, certificate) = query::header(current.reader(), height)?;
        let changes = changes_back_to(&current, height)?;
        let value = match changes.get(key) {
            Some(value) => value.cloned(),
            None => current.view.get(key)?,
        };
        let newest = Arc::new(current.view.clone());
        let root = &current.tip.header.state_root;
        let update = commitment::update(StateCommitment::Merkle, root, &*newest, &changes)?;
        if update.root != header.state_root {
            return Err(LedgerError::mismatch(height, "way back to its state", &update.root, &header.state_root));
        }
        let proof = commitment::prove(&PageOverlay::new(&update, newest), key)?;
        Ok(StateProof { header, certificate, value, proof })
    }

    /// Removes access sets and past states of all blocks below a height, the newest block's excepted. Gives the lowest
    /// height that still has its own.
    ///
    /// # Errors
    /// If the store fails; the ledger then accepts no further write.
    pub fn prune_history(&self, below: Height) -> Result<Height, LedgerError> {
        let _writer = self.shared.writer.lock();
        let current = self.current();
        let floor = below.min(current.height());
        if floor <= current.record.history_from {
            return Ok(current.record.history_from);
        }
        let record = TipRecord { history_from: floor, ..current.record.clone() };
        let mut batch = Batch::default();
        let (first, floor_key) = (keys::height(Height(0)), keys::height(floor));
        batch.remove_range(Table::RwSet, &first, &floor_key);
        // What the block at the floor replaced would lead to the state before it.
        batch.remove_range(Table::Undo, &first, &keys::height(floor.next()));
        meta::put_tip(&mut batch, &record);
        self.write(&batch)?;
        let view = LedgerView { reader: self.shared.store.snapshot(), ..current.view.clone() };
        let Current { tip, recent, validators, .. } = (*current).clone();
        *self.shared.current.write() = Arc::new(Current { tip, record, view, recent, validators });
        Ok(floor)
    }
}

fn check_kept(current: &Current, height: Height) -> Result<(), LedgerError> {
    if height > current.height() {
        return Err(LedgerError::NoBlock { height, tip: current.height() });
    }
    query::check_not_pruned(current, height)
}

/// What leads from the newest state to the one after a block.
fn changes_back_to(current: &Current, height: Height) -> Result<ChangeSet, LedgerError> {
    let mut changes: BTreeMap<Vec<u8>, Option<Value>> = BTreeMap::new();
    for later in height.0 + 1..=current.height().0 {
        keep_oldest(&mut changes, undo::before_all(current.reader(), Height(later))?);
        if changes.len() > PROOF_CHANGES_MAX {
            let (tip, limit) = (current.height(), PROOF_CHANGES_MAX);
            return Err(LedgerError::TooManyChanges { height, tip, limit });
        }
    }
    Ok(change_set(changes))
}

/// Of a key that several blocks replaced, the first one's value counts.
fn keep_oldest(changes: &mut BTreeMap<Vec<u8>, Option<Value>>, replaced: Vec<Write>) {
    for Write { key, value } in replaced {
        changes.entry(key).or_insert(value);
    }
}

fn change_set(changes: BTreeMap<Vec<u8>, Option<Value>>) -> ChangeSet {
    ChangeSet::from_unsorted(changes.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// The state after a block that is not the newest.
struct PastState {
    newest: LedgerView,
    height: Height,
}

impl PastState {
    fn later(&self) -> impl Iterator<Item = Height> {
        (self.height.0 + 1..=self.newest.height.0).map(Height)
    }
}

impl StateView for PastState {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StateError> {
        for later in self.later() {
            if let Some(value) = undo::before(&*self.newest.reader, later, key).map_err(failed)? {
                return Ok(value);
            }
        }
        self.newest.get(key)
    }

    fn range(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<Entry>, StateError> {
        let mut changes = BTreeMap::new();
        for later in self.later() {
            let replaced = undo::before_range(&*self.newest.reader, later, start, end).map_err(failed)?;
            keep_oldest(&mut changes, replaced);
        }
        let past = Overlay::new(Arc::new(change_set(changes)), Arc::new(self.newest.clone()));
        past.range(start, end, limit, reverse)
    }
}

fn failed(error: LedgerError) -> StateError {
    match error {
        LedgerError::State(error) => error,
        LedgerError::Damaged { place, reason } => StateError::Damaged { place, reason },
        error => StateError::Store { reason: error.to_string() },
    }
}
