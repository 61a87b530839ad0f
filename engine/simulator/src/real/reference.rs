//! The ledger of nobody: what the chain should be, by running each decided block again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hanse_consensus::CompactBlock;
use hanse_group::BlockExecutor;
use hanse_group::execution::{Base, Checked, ExecutedBlock, Executor};
use hanse_ledger::{Ledger, NewBlock};
use hanse_replica::Shown;
use hanse_scheduler::run_serial;
use hanse_types::{Certificate, Hash, Header, Height, TxId, Verified};
use hanse_vm::{BlockContext, Vm};

use super::{base, on_threads_of, recent};

/// See the module.
pub(super) struct Reference {
    ledger: Ledger,
    vm: Vm,
    executor: Executor,
    genesis_block: Hash,
    /// Transactions in the chain.
    done: BTreeSet<TxId>,
}

impl Reference {
    pub(super) fn new(ledger: Ledger, vm: Vm) -> Reference {
        let executor = Executor::new(vm.clone(), ledger.genesis().clone());
        Reference { genesis_block: ledger.tip().hash, ledger, vm, executor, done: BTreeSet::new() }
    }

    pub(super) fn genesis_block(&self) -> Hash {
        self.genesis_block
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Runs the block of the next height and appends it.
    pub(super) fn follow(
        &mut self,
        block: &CompactBlock,
        certificate: &Certificate,
        known: &BTreeMap<Hash, Verified>,
    ) -> Result<(), String> {
        let found: Option<Arc<[Verified]>> = block.transactions().iter().map(|leaf| known.get(leaf).cloned()).collect();
        let transactions = found.ok_or("it holds what no client has sent")?;
        self.check_new(block.header(), &transactions)?;
        let (base, recent) = (base(&self.ledger), recent(&self.ledger));
        let shown = Shown { block: block.clone(), transactions };
        let executor = &mut self.executor;
        let checked = on_threads_of(0, || executor.check(&shown, &base, recent.clone()));
        let made = match checked.map_err(|error| error.to_string())? {
            Checked::Good(made) => made,
            Checked::Bad(reason) => return Err(reason),
        };
        self.check_serial(&made, &base, recent)?;
        let (header, content, next_validators) = (&made.header, &made.content, made.amendments.validators.as_deref());
        let new = NewBlock { header, content, certificate, noted: None, next_validators };
        self.ledger.append(&new).map_err(|error| error.to_string())
    }

    /// Whether no transaction is in the chain already, or comes too late.
    fn check_new(&mut self, header: &Header, transactions: &[Verified]) -> Result<(), String> {
        for transaction in transactions {
            if !self.done.insert(transaction.id()) {
                return Err(format!("transaction {} is in the chain twice", transaction.id()));
            }
            if transaction.transaction().expiration <= header.timestamp {
                return Err(format!("transaction {} had expired", transaction.id()));
            }
        }
        Ok(())
    }

    /// Whether a plain loop over the transactions gives the same.
    fn check_serial(&self, made: &ExecutedBlock, base: &Base, recent_hashes: Vec<Hash>) -> Result<(), String> {
        let params = hanse_vm::system::params::load(&*base.state).map_err(|error| error.to_string())?;
        let Header { height, timestamp, .. } = made.header;
        let context = BlockContext { height, crypto: made.header.crypto, timestamp, recent_hashes, params };
        let transactions = made.content.transactions();
        let executor = BlockExecutor::new(self.vm.clone(), context);
        let order = 0..transactions.len();
        let serial =
            run_serial(&executor, transactions, order, base.state.clone()).map_err(|error| error.to_string())?;
        if serial.changes().map_err(|error| error.to_string())? != **made.content.changes() {
            return Err("one by one its transactions leave another state".into());
        }
        let same = serial.executions.iter().zip(made.content.receipts()).all(|(execution, receipt)| {
            (execution.status, execution.gas_used, execution.error_code)
                == (receipt.status, receipt.gas_used, receipt.error_code)
                && (&execution.output, &execution.message, &execution.events)
                    == (&receipt.output, &receipt.message, &receipt.events)
        });
        if same { Ok(()) } else { Err("one by one its transactions give other receipts".into()) }
    }

    /// Whether a node's ledger is this one as far as it goes, and its state what its headers say.
    pub(super) fn compare(&self, ledger: &Ledger) -> Result<(), String> {
        let tip = ledger.tip();
        let height: Height = tip.header.height;
        let here = self.ledger.header(height).map_err(|error| error.to_string())?;
        if here.as_ref() != Some(&*tip.header) {
            return Err(format!("its block {height} is {}, which nobody decided", tip.hash));
        }
        ledger.verify_state().map_err(|error| error.to_string())
    }
}
