//! Past states, and forgetting them.
//!
//! Access sets say what every transaction did, so the state after any block follows from the genesis state and the access
//! sets since. That costs reading all of them: it is for audits and debugging, not for queries of every day. Pruning
//! access sets gives that up for the space they take, a third of the chain's or so.

use std::sync::Arc;

use hanse_state::{MemoryView, StateView, number};
use hanse_types::{Height, RwSet};

use crate::error::LedgerError;
use crate::keys;
use crate::ledger::{Current, Ledger};
use crate::meta::{self, TipRecord};
use crate::query;
use crate::store::{Batch, Table};
use crate::views::LedgerView;

impl Ledger {
    /// The state after a block, in memory, made by applying all access sets since the genesis: time and memory grow with
    /// the whole chain up to there. The newest state is [`Ledger::state`].
    ///
    /// # Errors
    /// If there is no such block, access sets were pruned, or the store fails or is damaged.
    pub fn state_at(&self, height: Height) -> Result<MemoryView, LedgerError> {
        let current = self.current();
        if height > current.height() {
            return Err(LedgerError::NoBlock { height, tip: current.height() });
        }
        if current.record.rw_sets_from > Height(0) {
            return Err(LedgerError::Pruned { floor: current.record.rw_sets_from });
        }
        let mut state = MemoryView::default();
        for write in meta::genesis_state(current.reader())? {
            state.put(&write.key, write.value);
        }
        for height in 1..=height.0 {
            for rw_set in query::rw_sets(&current, Height(height))? {
                apply(&mut state, rw_set, Height(height))?;
            }
        }
        Ok(state)
    }

    /// Removes the access sets of all blocks below a height, the newest block's excepted. Gives the lowest height that
    /// still has them.
    ///
    /// # Errors
    /// If the store fails; the ledger then accepts no further write.
    pub fn prune_rw_sets(&self, below: Height) -> Result<Height, LedgerError> {
        let mut writer = self.shared.writer.lock();
        let current = self.current();
        let floor = below.min(current.height());
        if floor <= current.record.rw_sets_from {
            return Ok(current.record.rw_sets_from);
        }
        let record = TipRecord { rw_sets_from: floor, ..current.record.clone() };
        let mut batch = Batch::default();
        batch.remove_range(Table::RwSet, &keys::height(Height(0)), &keys::height(floor));
        meta::put_tip(&mut batch, &record);
        self.write(&mut writer, &batch)?;
        let view = LedgerView { reader: self.shared.store.snapshot(), ..current.view.clone() };
        let (tip, recent) = (current.tip.clone(), current.recent.clone());
        *self.shared.current.write() = Arc::new(Current { tip, record, view, recent });
        Ok(floor)
    }
}

fn apply(state: &mut MemoryView, rw_set: RwSet, height: Height) -> Result<(), LedgerError> {
    for write in rw_set.writes {
        state.put(&write.key, write.value);
    }
    for add in rw_set.adds {
        let value = number::apply(state.get(&add.key)?.as_ref(), &add.delta).map_err(|refused| {
            let place = format!("the access sets of block {height}");
            LedgerError::damaged(place, format!("an addition can't be applied ({refused:?})"))
        })?;
        state.put(&add.key, Some(value));
    }
    Ok(())
}
