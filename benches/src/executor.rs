//! The virtual machine as the scheduler asks for it, for plain transactions: what is measured is running them, not
//! checking their signatures.

use std::sync::Arc;

use hanse_scheduler::{CallSite, Execute};
use hanse_state::{Halt, StateAccess};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{ContractRef, Execution, Hash, Height, Params, Timestamp, Transaction};
use hanse_vm::{BlockContext, Runner, Vm};

/// Runs transactions of one made-up block.
pub struct Executor {
    vm: Vm,
    block: Arc<BlockContext>,
}

impl Executor {
    /// Runs transactions by this machine.
    pub fn new(vm: Vm) -> Executor {
        let block = BlockContext {
            height: Height(1),
            crypto: CryptoSuite::Standard,
            timestamp: Timestamp(1),
            recent_hashes: vec![Hash::ZERO],
            params: Params::default(),
        };
        Executor { vm, block: Arc::new(block) }
    }
}

impl Execute for Executor {
    type Transaction = Transaction;
    type Runner = Runner;

    fn runner(&self) -> Runner {
        self.vm.runner(self.block.clone())
    }

    fn execute(
        &self,
        runner: &mut Runner,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        runner.execute(transaction, state)
    }

    fn call_site<'a>(&self, transaction: &'a Transaction) -> Option<CallSite<'a>> {
        let ContractRef::Address(contract) = transaction.contract else { return None };
        Some(CallSite { contract, method: &transaction.method, caller: transaction.sender, args: &transaction.args })
    }
}
