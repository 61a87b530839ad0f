//! The state on which blocks run, made the way a chain makes it: a genesis, then transactions that deploy and pay.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use borsh::BorshSerialize;
use hanse_scheduler::run_serial;
use hanse_state::{MemoryView, StateView};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount};
use hanse_types::{
    Address, ContractRef, Execution, Gas, Genesis, Height, Params, StateCommitment, Status, Timestamp, Transaction,
};
use hanse_vm::{Vm, VmConfig, contract_address, system};

use crate::contracts::{self, Source};
use crate::executor::Executor;
use crate::random::Random;

/// What every account of the chain's own asset has at the start.
const BALANCE: u128 = 1 << 80;
/// More than any measured transaction uses.
const GAS_LIMIT: Gas = Gas(1_000_000_000);
/// Transactions of one setup block.
const SETUP_BLOCK: usize = 10_000;

/// Accounts, contracts and the state that holds them.
pub struct World {
    /// Runs transactions.
    pub executor: Executor,
    /// The accounts that take part.
    pub accounts: Vec<Address>,
    state: MemoryView,
}

impl World {
    /// A chain whose accounts all have some of its own asset. `threads` may execute at the same time.
    ///
    /// # Errors
    /// If the engine can't be set up.
    pub fn new(accounts: usize, threads: usize) -> Result<World> {
        let vm = Vm::new(&VmConfig { threads, artifacts: None }).context("the engine could not be set up")?;
        let accounts: Vec<Address> = (0..accounts as u64).map(address).collect();
        let mut state = MemoryView::default();
        state.apply(&system::genesis_state(&genesis(&accounts)));
        Ok(World { executor: Executor::new(vm), accounts, state })
    }

    /// Who deploys the contracts and pays the accounts.
    pub fn operator() -> Address {
        address(u64::MAX)
    }

    /// Deploys a contract, with the arguments of its `init` (`()` if it has none).
    ///
    /// # Errors
    /// If it can't be built or is refused.
    pub fn deploy(&mut self, source: Source, name: &str, init: &impl BorshSerialize) -> Result<Address> {
        let code = contracts::module(source, name)?;
        self.deploy_module(name, &code, encode(init))
    }

    /// Deploys a module.
    ///
    /// # Errors
    /// If it is refused.
    pub fn deploy_module(&mut self, name: &str, code: &[u8], init: Vec<u8>) -> Result<Address> {
        let deploy = call(World::operator(), system::lifecycle::ADDRESS, "deploy", &(name, code, init));
        self.run(vec![deploy]).with_context(|| format!("contract {name:?} was not deployed"))?;
        Ok(contract_address(CryptoSuite::Standard, &World::operator(), name))
    }

    /// Runs transactions, all of which must succeed, and keeps what they do.
    ///
    /// # Errors
    /// If one does not succeed.
    pub fn run(&mut self, transactions: Vec<Transaction>) -> Result<()> {
        for block in transactions.chunks(SETUP_BLOCK) {
            // The view is lent to the block and comes back before it is written.
            let parent = Arc::new(std::mem::take(&mut self.state));
            let serial = run_serial(&self.executor, block, 0..block.len(), parent.clone())?;
            let changes = serial.changes()?;
            serial.executions.iter().try_for_each(check_success)?;
            drop(serial);
            self.state = Arc::try_unwrap(parent).ok().context("the setup's state is still held")?;
            self.state.apply(&changes);
        }
        Ok(())
    }

    /// Ends the setup.
    pub fn freeze(self) -> Frozen {
        Frozen { executor: self.executor, accounts: self.accounts, state: Arc::new(self.state) }
    }
}

/// A world that is only read from now on.
pub struct Frozen {
    /// Runs transactions.
    pub executor: Executor,
    /// The accounts that take part.
    pub accounts: Vec<Address>,
    /// The state on which every block runs.
    pub state: Arc<MemoryView>,
}

impl Frozen {
    /// The state as the scheduler takes it.
    pub fn parent(&self) -> Arc<dyn StateView> {
        self.state.clone()
    }
}

/// A transaction that calls a method with these arguments, a tuple or a struct.
pub fn call(sender: Address, contract: Address, method: &str, args: &impl BorshSerialize) -> Transaction {
    Transaction {
        version: Transaction::VERSION,
        chain_id: "bench".into(),
        group_id: "bench".into(),
        sender,
        nonce: 0,
        ref_height: Height(0),
        ref_hash: [0; 8],
        timestamp: Timestamp(0),
        expiration: Timestamp(1),
        gas_limit: GAS_LIMIT,
        business_id: Vec::new(),
        contract: ContractRef::Address(contract),
        method: method.into(),
        args: encode(args),
    }
}

/// Fails unless a transaction succeeded.
///
/// # Errors
/// With what it says of its failure.
pub fn check_success(execution: &Execution) -> Result<()> {
    ensure!(
        execution.status == Status::Success,
        "a transaction failed in {} with {:?}, code {}: {}",
        execution.failed_in,
        execution.status,
        execution.error_code,
        execution.message
    );
    Ok(())
}

fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory does not fail")
}

/// The address of an account. Looks like a hash, as addresses do.
fn address(number: u64) -> Address {
    let mut random = Random::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut address = Address::ZERO;
    address.0.chunks_mut(8).for_each(|part| part.copy_from_slice(&random.bits().to_le_bytes()[..part.len()]));
    address
}

fn genesis(accounts: &[Address]) -> Genesis {
    Genesis {
        chain_id: "bench".into(),
        group_id: "bench".into(),
        timestamp: Timestamp(0),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: Vec::new(),
        administrators: vec![World::operator()],
        accounts: accounts.iter().map(|address| GenesisAccount { address: *address, balance: BALANCE }).collect(),
        params: Params::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_account_has_its_own_address() {
        let addresses: HashSet<_> = (0..100_000).chain([u64::MAX]).map(address).collect();
        assert_eq!(addresses.len(), 100_001);
    }
}
