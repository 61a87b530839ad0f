//! The virtual machine: one transaction in, what it did out.

use std::path::PathBuf;
use std::sync::Arc;

use hanse_abi::gas;
use hanse_state::{Halt, StateAccess};
use hanse_types::{Address, ContractRef, Execution, Gas, Hash, Params, Status, Transaction};

use crate::context::BlockContext;
use crate::failure::{Failure, Stop};
use crate::machine::Machine;
use crate::session::{Call, Entry, Session};
use crate::system::names;
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
        let machine = Machine::new(config.threads, config.artifacts.clone())?;
        Ok(Vm { machine: Arc::new(machine) })
    }

    /// Runs a transaction. The answer follows from the transaction, the block and what the state says, and from nothing
    /// else. The state comes back.
    ///
    /// # Errors
    /// A halt of the state; there is no receipt then.
    pub fn execute(
        &self,
        block: &Arc<BlockContext>,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        let session = self.session(block, transaction, state);
        let (session, result) = run(session, transaction, false);
        finish(*session, result, transaction.gas_limit)
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
        let mut session = self.session(block, transaction, state);
        session.debug = Some(Vec::new());
        let (mut session, result) = run(session, transaction, read_only);
        let debug = session.debug.take().unwrap_or_default();
        let (result, state) = finish(*session, result, transaction.gas_limit);
        (result.map(|execution| Query { execution, debug }), state)
    }

    /// Checks a contract's code by the rules of a chain with these parameters, without compiling it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, code: &[u8], params: &Params) -> Result<(), InvalidModule> {
        self.machine.check(code, &Rules::of(params))
    }

    /// Compiles code ahead of its first call, off the execution path. What it is worth shows in time only.
    ///
    /// # Errors
    /// If the code is not valid.
    pub fn prepare(&self, code: &[u8], params: &Params) -> Result<(), InvalidModule> {
        self.machine.check(code, &Rules::of(params))?;
        self.machine.module(crate::system::lifecycle::code_hash(code), code).map(drop)
    }

    fn session(
        &self,
        block: &Arc<BlockContext>,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
    ) -> Box<Session> {
        Box::new(Session {
            machine: self.machine.clone(),
            block: block.clone(),
            state,
            origin: transaction.sender,
            gas_left: transaction.gas_limit.0,
            frames: Vec::with_capacity(2),
            events: Vec::new(),
            event_bytes: 0,
            failed_in: Address::ZERO,
            debug: None,
            key: Vec::with_capacity(96),
        })
    }
}

fn run(mut session: Box<Session>, transaction: &Transaction, read_only: bool) -> (Box<Session>, Result<Vec<u8>, Stop>) {
    let contract = match begin(&mut session, transaction) {
        Ok(contract) => contract,
        Err(stop) => return (session, Err(stop)),
    };
    session.run(Call {
        contract,
        caller: transaction.sender,
        method: transaction.method.clone(),
        input: transaction.args.clone(),
        read_only,
        entry: Entry::Call,
    })
}

/// Charges for the transaction itself and finds its contract.
fn begin(session: &mut Session, transaction: &Transaction) -> Result<Address, Stop> {
    session.charge(gas::TRANSACTION.of(transaction.args.len() as u64))?;
    match &transaction.contract {
        ContractRef::Address(address) => Ok(*address),
        ContractRef::Name { name, version } => match names::resolve(&mut *session.state, name, *version)? {
            Some(address) => Ok(address),
            None => {
                let message = format!("no contract is named {name:?} (version {version})");
                Err(Failure::new(Status::ContractNotFound, message).into())
            }
        },
    }
}

/// Turns a session's end into what the receipt says.
fn finish(
    session: Session,
    result: Result<Vec<u8>, Stop>,
    gas_limit: Gas,
) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
    let Session { state, gas_left, events, failed_in, .. } = session;
    let gas_used = Gas(gas_limit.0 - gas_left);
    let execution = match result {
        Ok(output) => Execution {
            status: Status::Success,
            gas_used,
            output,
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events,
        },
        Err(Stop::Failed(failure)) => Execution {
            status: failure.status,
            gas_used,
            output: failure.fields,
            error_code: failure.code,
            message: failure.message,
            failed_in,
            events: Vec::new(),
        },
        Err(Stop::Halted(halt)) => return (Err(halt), state),
    };
    (Ok(execution), state)
}

/// The address of the contract that `deployer` deploys under `name`.
pub fn contract_address(deployer: &Address, name: &str) -> Address {
    let Hash(digest) = Hash::of_parts(hanse_types::hash::Domain::Contract, &[&deployer.0, name.as_bytes()]);
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}
