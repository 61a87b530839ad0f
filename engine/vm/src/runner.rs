//! Runs transactions one after another, on one thread.
//!
//! What a transaction needs beside itself and the state is prepared once and goes from one to the next, so that threads
//! that run a block side by side share nothing that is written.

use std::sync::Arc;

use hanse_abi::gas;
use hanse_state::{Added, Entry as StateEntry, Halt, Savepoint, ScanRequest, StateAccess};
use hanse_types::{Address, ContractRef, Delta, Execution, Gas, Status, Transaction, Value};

use crate::context::BlockContext;
use crate::failure::{Failure, Stop};
use crate::machine::Machine;
use crate::sample::Sample;
use crate::session::{Call, Entry, Session};
use crate::system::names;
use crate::trace::Trace;
use crate::vm::Query;
use crate::wasm::AtHand;

/// Runs transactions of one block. Made by [`crate::Vm::runner`], for one thread.
pub struct Runner {
    /// Away only while a transaction runs.
    session: Option<Box<Session>>,
}

impl Runner {
    pub(crate) fn new(machine: Arc<Machine>, block: Arc<BlockContext>) -> Runner {
        let session = Session {
            machine,
            block,
            at_hand: AtHand::default(),
            state: Box::new(NoState),
            origin: Address::ZERO,
            gas_left: 0,
            frames: Vec::with_capacity(2),
            events: Vec::new(),
            event_bytes: 0,
            touched_bytes: 0,
            failed_in: Address::ZERO,
            debug: None,
            trace: None,
            key: Vec::with_capacity(96),
        };
        Runner { session: Some(Box::new(session)) }
    }

    /// Runs a transaction. The answer follows from the transaction, the block and what the state says, and from nothing
    /// else. The state comes back.
    ///
    /// # Errors
    /// A halt of the state; there is no receipt then.
    pub fn execute(
        &mut self,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        let session = self.begin(transaction, state);
        let sample = Sample::begin(session.machine.watch.as_ref());
        let (session, result) = run(session, transaction, false);
        if let Some(sample) = sample {
            sample.end();
        }
        self.finish(session, result, transaction.gas_limit)
    }

    /// Runs a transaction for its answer only; see [`crate::Vm::query`].
    pub(crate) fn query(
        &mut self,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
        read_only: bool,
    ) -> (Result<Query, Halt>, Box<dyn StateAccess>) {
        let mut session = self.begin(transaction, state);
        session.debug = Some(Vec::new());
        let (mut session, result) = run(session, transaction, read_only);
        let debug = session.debug.take().unwrap_or_default();
        let (result, state) = self.finish(session, result, transaction.gas_limit);
        (result.map(|execution| Query { execution, debug }), state)
    }

    /// Runs a transaction while somebody listens; see [`crate::Vm::trace`].
    pub(crate) fn trace(
        &mut self,
        transaction: &Transaction,
        state: Box<dyn StateAccess>,
        listener: Box<dyn Trace>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        let mut session = self.begin(transaction, state);
        session.trace = Some(listener);
        let (mut session, result) = run(session, transaction, false);
        session.trace = None;
        self.finish(session, result, transaction.gas_limit)
    }

    fn begin(&mut self, transaction: &Transaction, state: Box<dyn StateAccess>) -> Box<Session> {
        let mut session = self.session.take().expect("a runner that has panicked is not used again");
        session.state = state;
        session.origin = transaction.sender;
        session.gas_left = transaction.gas_limit.0;
        session
    }

    /// Turns a session's end into what the receipt says, and makes the session ready for the next transaction.
    fn finish(
        &mut self,
        mut session: Box<Session>,
        result: Result<Vec<u8>, Stop>,
        gas_limit: Gas,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        let gas_used = Gas(gas_limit.0 - session.gas_left);
        let state = std::mem::replace(&mut session.state, Box::new(NoState));
        let events = std::mem::take(&mut session.events);
        let failed_in = std::mem::replace(&mut session.failed_in, Address::ZERO);
        session.event_bytes = 0;
        session.touched_bytes = 0;
        self.session = Some(session);
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
            Err(Stop::Halted(halt)) => return (Err(*halt), state),
        };
        (Ok(execution), state)
    }
}

/// What a session between two transactions has in place of a state. Nobody asks it.
struct NoState;

impl NoState {
    fn halt<T>(&self) -> Result<T, Halt> {
        Err(Halt::Engine { reason: "state was asked for between two transactions".into() })
    }
}

impl StateAccess for NoState {
    fn get(&mut self, _: &[u8]) -> Result<Option<Value>, Halt> {
        self.halt()
    }

    fn get_content(&mut self, _: &[u8]) -> Result<Option<Value>, Halt> {
        self.halt()
    }

    fn set(&mut self, _: &[u8], _: Value) -> Result<(), Halt> {
        self.halt()
    }

    fn remove(&mut self, _: &[u8]) -> Result<(), Halt> {
        self.halt()
    }

    fn add(&mut self, _: &[u8], _: Delta) -> Result<Added, Halt> {
        self.halt()
    }

    fn scan(&mut self, _: ScanRequest<'_>) -> Result<Vec<StateEntry>, Halt> {
        self.halt()
    }

    fn savepoint(&mut self) -> Savepoint {
        Savepoint(0)
    }

    fn rollback(&mut self, _: Savepoint) {}
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(session) = &mut self.session {
            session.machine.take_back(&mut session.at_hand);
        }
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
        method: &transaction.method,
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
