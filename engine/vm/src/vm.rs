//! The virtual machine: one transaction in, what it did out.

use std::path::PathBuf;
use std::sync::Arc;

use hanse_state::{Halt, StateAccess};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Execution, Hash, Params, Transaction};

use crate::context::BlockContext;
use crate::machine::Machine;
use crate::runner::Runner;
use crate::sample::Watch;
use crate::trace::Trace;
use crate::wasm::{EngineError, InvalidModule, Rules};

/// How a machine is set up. Nothing here changes a result.
#[derive(Clone, Debug)]
pub struct VmConfig {
    /// Threads that will execute at the same time.
    pub threads: usize,
    /// Folder for compiled modules; none keeps them in memory only.
    pub artifacts: Option<PathBuf>,
}

impl Default for VmConfig {
    fn default() -> Self {
        VmConfig { threads: std::thread::available_parallelism().map_or(2, usize::from), artifacts: None }
    }
}

/// Runs transactions. Cheap to clone; made once for execution and once for queries, which share nothing.
#[derive(Clone)]
pub struct Vm {
    machine: Arc<Machine>,
}

/// What [`Vm::query`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What the call gave.
    pub execution: Execution,
    /// Lines that contracts wrote to the debug log.
    pub debug: Vec<String>,
}

impl Vm {
    /// A machine.
    ///
    /// # Errors
    /// If the engine can't reserve its memory on this host.
    pub fn new(config: &VmConfig) -> Result<Vm, EngineError> {
        Vm::with(config, None)
    }

    /// A machine that tells how long calls take: see [`Watch`]. Queries are not among them.
    ///
    /// # Errors
    /// As [`Vm::new`].
    pub fn watched(config: &VmConfig, watch: Arc<dyn Watch>) -> Result<Vm, EngineError> {
        Vm::with(config, Some(watch))
    }

    fn with(config: &VmConfig, watch: Option<Arc<dyn Watch>>) -> Result<Vm, EngineError> {
        let machine = Machine::new(config.threads, config.artifacts.clone(), watch)?;
        Ok(Vm { machine: Arc::new(machine) })
    }

    /// Runs the transactions of a block, on one thread.
    pub fn runner(&self, block: Arc<BlockContext>) -> Runner {
        Runner::new(self.machine.clone(), block)
    }

    /// Runs one transaction alone; see [`Runner::execute`].
    ///
    /// # Errors
    /// A halt of the state; there is no receipt then.
    pub fn execute(
        &self,
        block: &Arc<BlockContext>,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        self.runner(block.clone()).execute(transaction, state)
    }

    /// Runs a transaction as [`Vm::execute`] does, for its answer only; `read_only` forbids it to change state.
    ///
    /// # Errors
    /// A halt of the state.
    pub fn query(
        &self,
        block: &Arc<BlockContext>,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
        read_only: bool,
    ) -> (Result<Query, Halt>, Box<dyn StateAccess>) {
        self.runner(block.clone()).query(transaction, state, read_only)
    }

    /// Runs a transaction as [`Vm::execute`] does, while a listener hears of its calls.
    ///
    /// # Errors
    /// A halt of the state; there is no receipt then.
    pub fn trace(
        &self,
        block: &Arc<BlockContext>,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
        listener: Box<dyn Trace>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        self.runner(block.clone()).trace(transaction, state, listener)
    }

    /// Checks a contract's code by the rules of a chain with these parameters, without compiling it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, code: &[u8], params: &Params) -> Result<(), InvalidModule> {
        self.machine.check(code, &Rules::of(params))
    }

    /// Compiles code of a group with this suite ahead of its first call, off the execution path. What it is worth shows in time only.
    ///
    /// # Errors
    /// If the code is not valid.
    pub fn prepare(&self, suite: CryptoSuite, code: &[u8], params: &Params) -> Result<(), InvalidModule> {
        self.machine.check(code, &Rules::of(params))?;
        self.machine.module(crate::system::lifecycle::code_hash(suite, code), code).map(drop)
    }
}

/// The address of the contract that `deployer` deploys under `name` in a group with this suite.
pub fn contract_address(suite: CryptoSuite, deployer: &Address, name: &str) -> Address {
    let Hash(digest) = suite.hash_parts(hanse_types::hash::Domain::Contract, &[&deployer.0, name.as_bytes()]);
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}
