//! A block as its DAG is explained: who calls what, for how much, touching which keys.

use hanse_client::{Contract, RpcError};
use hanse_types::{Dag, Height, Receipt, RwSet, SignedTransaction, TxIndex};

use super::super::{Node, errors};
use super::joins::{Join, join};

/// A block with all that explains its DAG.
pub(crate) struct BlockData {
    /// Which.
    pub(crate) height: Height,
    /// Its DAG.
    pub(crate) dag: Dag,
    /// What its transactions did; one for each vertex.
    pub(crate) receipts: Vec<Receipt>,
    /// What they touched; nothing where it was pruned: the figures still stand then, only the keys are not known any more.
    pub(crate) rw_sets: Vec<RwSet>,
    /// What they are.
    pub(crate) transactions: Vec<SignedTransaction>,
}

impl BlockData {
    /// Reads it.
    pub(crate) fn load(node: &Node, height: Height) -> Result<BlockData, RpcError> {
        let ledger = node.group.ledger();
        let missing = || errors::not_found(format!("block {height}"));
        let dag = ledger.dag(height).map_err(errors::ledger)?.ok_or_else(missing)?;
        let receipts = ledger.receipts(height).map_err(errors::ledger)?.ok_or_else(missing)?;
        let transactions = ledger.transactions(height, TxIndex(0), usize::MAX).map_err(errors::ledger)?;
        let transactions = transactions.ok_or_else(missing)?.transactions;
        let rw_sets = ledger.rw_sets(height).ok().flatten().unwrap_or_default();
        Ok(BlockData { height, dag, receipts, rw_sets, transactions })
    }

    /// Gas of all transactions.
    pub(super) fn work(&self) -> u64 {
        self.receipts.iter().map(|receipt| receipt.gas_used.0).fold(0, u64::saturating_add)
    }

    /// Gas of one.
    pub(super) fn gas(&self, vertex: usize) -> u64 {
        self.receipts.get(vertex).map_or(0, |receipt| receipt.gas_used.0)
    }

    /// What one calls.
    pub(super) fn call(&self, vertex: usize) -> String {
        self.transactions.get(vertex).map_or_else(String::new, |signed| {
            let transaction = &signed.transaction;
            format!("{}.{}", Contract(transaction.contract.clone()), transaction.method)
        })
    }

    /// Why one waits for another before it, as far as access sets are left.
    pub(super) fn join(&self, before: usize, after: usize) -> Option<Join<'_>> {
        join(self.rw_sets.get(before)?, self.rw_sets.get(after)?)
    }
}
