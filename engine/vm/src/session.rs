//! One transaction while it runs: what all its calls share.
//!
//! A session goes from hand to hand: whoever runs code, native or WebAssembly, owns it meanwhile and gives it back. The
//! operations of the host interface are in [`crate::host`].

use std::sync::Arc;

use hanse_state::StateAccess;
use hanse_types::{Address, ReceiptEvent, Status, limits};

use crate::context::BlockContext;
use crate::contract::Code;
use crate::failure::{Failure, Stop};
use crate::machine::Machine;
use crate::system::{self, lifecycle};
use crate::trace::{Entered, Left, Trace};
use crate::wasm::{AtHand, Place, Ready};

/// What a call asks for.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) contract: Address,
    pub(crate) caller: Address,
    pub(crate) method: &'a str,
    pub(crate) input: Vec<u8>,
    /// Whether the call may not change state.
    pub(crate) read_only: bool,
    pub(crate) entry: Entry,
}

/// By which door a contract is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As anyone calls it.
    Call,
    /// Once, when it is deployed.
    Init,
    /// Once, when it is upgraded.
    Migrate,
}

/// A call that is running.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) contract: Address,
    pub(crate) caller: Address,
    pub(crate) read_only: bool,
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// What the last scan or nested call left to be fetched.
    pub(crate) buffer: Vec<u8>,
}

/// See the module.
pub(crate) struct Session {
    pub(crate) machine: Arc<Machine>,
    pub(crate) block: Arc<BlockContext>,
    /// Contracts that the thread has called before.
    pub(crate) at_hand: AtHand,
    pub(crate) state: Box<dyn StateAccess>,
    /// Who signed the transaction.
    pub(crate) origin: Address,
    /// While WebAssembly runs, the engine counts, and this is brought up to date at every call of the host.
    pub(crate) gas_left: u64,
    /// Calls that are running, the transaction's own first.
    pub(crate) frames: Vec<Frame>,
    pub(crate) events: Vec<ReceiptEvent>,
    pub(crate) event_bytes: usize,
    /// What was taken of [`limits::RW_SET_BYTES`]; nothing of it comes back when a call fails.
    pub(crate) touched_bytes: usize,
    /// Where the failure that is on its way out began.
    pub(crate) failed_in: Address,
    /// Lines for the debug log, in queries that ask for it.
    pub(crate) debug: Option<Vec<String>>,
    /// Who wants to hear what happens, if anybody does.
    pub(crate) trace: Option<Box<dyn Trace>>,
    /// Where state keys are put together.
    pub(crate) key: Vec<u8>,
}

impl Session {
    /// The call that runs now.
    pub(crate) fn frame(&self) -> &Frame {
        self.frames.last().expect("code runs only inside a frame")
    }

    /// The call that runs now.
    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("code runs only inside a frame")
    }

    /// Runs a call to its end. If it fails, nothing of it is left but the gas it used and what it observed.
    pub(crate) fn run(mut self: Box<Self>, call: Call<'_>) -> (Box<Self>, Result<Vec<u8>, Stop>) {
        if self.trace.is_none() {
            return self.enter(call);
        }
        self.tell_entered(&call);
        let (mut session, result) = self.enter(call);
        session.tell_left(&result);
        (session, result)
    }

    fn tell_entered(&mut self, call: &Call<'_>) {
        let Call { contract, caller, method, input, entry, .. } = call;
        let (contract, caller, entry) = (*contract, *caller, *entry);
        let entered = Entered { contract, caller, method, input, entry, gas: self.gas_left };
        if let Some(trace) = &mut self.trace {
            trace.entered(&entered);
        }
    }

    /// A halt ends everything, and nobody is told of calls that it cut short.
    fn tell_left(&mut self, result: &Result<Vec<u8>, Stop>) {
        let how = match result {
            Ok(output) => Left::Returned(output),
            Err(Stop::Failed(failure)) => Left::Failed { failure, failed_in: self.failed_in },
            Err(Stop::Halted(_)) => return,
        };
        if let Some(trace) = &mut self.trace {
            trace.left(&how, self.gas_left);
        }
    }

    fn enter(mut self: Box<Self>, call: Call<'_>) -> (Box<Self>, Result<Vec<u8>, Stop>) {
        let code = match self.prepare(&call) {
            Ok(code) => code,
            Err(stop) => return self.fail(call.contract, stop),
        };
        let savepoint = self.state.savepoint();
        let (events, event_bytes) = (self.events.len(), self.event_bytes);
        let Call { contract, caller, method, input, read_only, entry } = call;
        let read_only = read_only || code.is_view(method);
        self.frames.push(Frame { contract, caller, read_only, input, output: Vec::new(), buffer: Vec::new() });
        let (mut session, result) = code.run(self, method, entry);
        let frame = session.frames.pop();
        match result {
            Ok(()) => {
                session.failed_in = Address::ZERO;
                (session, Ok(frame.map(|frame| frame.output).unwrap_or_default()))
            }
            Err(stop) => {
                session.state.rollback(savepoint);
                session.events.truncate(events);
                session.event_bytes = event_bytes;
                session.fail(contract, stop)
            }
        }
    }

    fn fail<T>(mut self: Box<Self>, contract: Address, stop: Stop) -> (Box<Self>, Result<T, Stop>) {
        if self.failed_in == Address::ZERO {
            self.failed_in = contract;
        }
        (self, Err(stop))
    }

    /// Everything that is checked before a contract's code is entered.
    fn prepare(&mut self, call: &Call<'_>) -> Result<Code, Stop> {
        if self.frames.len() >= limits::CALL_DEPTH {
            let message = format!("calls are nested deeper than {}", limits::CALL_DEPTH);
            return Err(Failure::new(Status::LimitExceeded, message).into());
        }
        if self.frames.iter().any(|frame| frame.contract == call.contract) {
            let message = format!("{} is running already and can't be called again meanwhile", call.contract);
            return Err(Failure::new(Status::Reentrancy, message).into());
        }
        self.charge(hanse_abi::gas::CALL.of(call.input.len() as u64))?;
        self.code(&call.contract)
    }

    /// The code of a contract that may be called.
    fn code(&mut self, contract: &Address) -> Result<Code, Stop> {
        if let Some(native) = system::contract(contract) {
            return Ok(Code::Native(native));
        }
        let Some(record) = lifecycle::record(&mut *self.state, contract)? else {
            return Err(Failure::new(Status::ContractNotFound, format!("no contract at {contract}")).into());
        };
        record.check_callable(contract)?;
        let ready = self.at_hand.take(&record.code).or_else(|| self.machine.ready(&record.code));
        if let Some(ready) = ready {
            return Ok(Code::Wasm(ready));
        }
        let Some(code) = lifecycle::code(&mut *self.state, &record.code)? else {
            // Only under a block DAG that lies; whatever is answered, the block will be refused.
            return Err(Failure::new(Status::ContractNotFound, format!("no code of {contract}")).into());
        };
        match self.machine.module(record.code, &code) {
            Ok(module) => Ok(Code::Wasm(Box::new(Ready::new(record.code, module)))),
            // It was accepted when it was deployed, by the same rules.
            Err(error) => Err(Failure::new(Status::InvalidOperation, error.to_string()).into()),
        }
    }

    /// A place for an instance that waits for its next call; others that wait make room for it.
    pub(crate) fn claim_place(&mut self) -> Option<Place> {
        let places = &self.machine.places;
        places.claim().or_else(|| {
            self.machine.forget_waiting();
            self.at_hand.drain().for_each(drop);
            places.claim()
        })
    }
}
