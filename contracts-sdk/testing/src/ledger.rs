//! What a world holds: state, contracts, names, the clock, and the transaction that runs.
//!
//! State is kept, and accesses are recorded, by the crate with which nodes do it, so that a test sees the access sets that
//! a chain will see.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use hanse_abi::host::CallContext;
use hanse_abi::{Address, Event, Status, keys};
use hanse_sdk::entry::{Entry, Kind};
use hanse_state::{BlockState, Halt, MemoryView, Recorder, Savepoint, Seen, StateAccess, StateView};
use hanse_types::hash::Domain;
use hanse_types::{Hash, TxIndex, Value, limits};

use crate::access::{self, AccessSet};
use crate::panics::refuse;
use crate::record::{Ended, Record};

/// Finds a contract's methods.
pub(crate) type FindEntry = fn(&str) -> Option<Entry>;

/// A contract's code and who may upgrade it.
#[derive(Clone, Copy)]
pub(crate) struct Deployed {
    pub(crate) find: FindEntry,
    pub(crate) owner: Address,
}

/// See the module.
pub(crate) struct Ledger {
    state: RefCell<Arc<MemoryView>>,
    contracts: RefCell<BTreeMap<Address, Deployed>>,
    names: RefCell<BTreeMap<Address, String>>,
    running: RefCell<Option<Running>>,
    pub(crate) height: Cell<u64>,
    pub(crate) time_ms: Cell<u64>,
    pub(crate) gas_limit: Cell<u64>,
}

/// The transaction that runs, and what it did so far.
struct Running {
    block: Arc<BlockState>,
    recorder: Recorder,
    events: Vec<(Address, Event)>,
    event_bytes: usize,
    gas: u64,
    gas_limit: u64,
    /// Contracts that are being called, outermost first.
    stack: Vec<Address>,
}

/// A point to which a call is undone if it fails.
pub(crate) struct Mark {
    state: Savepoint,
    events: usize,
    event_bytes: usize,
}

/// Keys that a transaction usually touches.
const USUAL_KEYS: usize = 16;

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            state: RefCell::default(),
            contracts: RefCell::default(),
            names: RefCell::default(),
            running: RefCell::default(),
            height: Cell::new(1),
            time_ms: Cell::new(1_767_225_600_000),
            gas_limit: Cell::new(u64::MAX),
        }
    }

    /// The name of an account or contract, or its address.
    pub(crate) fn name(&self, address: &Address) -> String {
        self.names.borrow().get(address).cloned().unwrap_or_else(|| address.to_string())
    }

    pub(crate) fn set_name(&self, address: Address, name: String) {
        self.names.borrow_mut().insert(address, name);
    }

    /// A name for one more contract: `Token`, then `Token-2`.
    pub(crate) fn new_name(&self, contract: &str) -> String {
        let names = self.names.borrow();
        let is_free = |name: &String| !names.values().any(|taken| taken == name);
        let numbered = (2..).map(|number: u32| format!("{contract}-{number}"));
        std::iter::once(contract.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }

    /// A state key as a person reads it.
    pub(crate) fn readable(&self, key: &[u8]) -> String {
        access::readable(key, |address| self.name(address))
    }

    pub(crate) fn deployed(&self, contract: &Address) -> Option<Deployed> {
        self.contracts.borrow().get(contract).copied()
    }

    /// Puts code at an address, or takes it away.
    pub(crate) fn set_deployed(&self, contract: Address, deployed: Option<Deployed>) {
        let mut contracts = self.contracts.borrow_mut();
        match deployed {
            Some(deployed) => contracts.insert(contract, deployed),
            None => contracts.remove(&contract),
        };
    }

    /// All of a contract's keys and values, in order.
    pub(crate) fn storage(&self, contract: &Address) -> Vec<(Vec<u8>, Vec<u8>)> {
        let start = keys::contract_prefix(contract);
        let mut end = start;
        end[Address::BYTES] = 1;
        let entries = in_memory(self.state.borrow().range(&start, &end, usize::MAX, false).map_err(Halt::from));
        entries.into_iter().map(|(key, value)| (key[start.len()..].to_vec(), value.to_vec())).collect()
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) {
        let block = Arc::new(BlockState::new(self.state.borrow().clone(), USUAL_KEYS));
        let running = Running {
            recorder: Recorder::new(block.clone()),
            block,
            events: Vec::new(),
            event_bytes: 0,
            gas: 0,
            gas_limit: self.gas_limit.get(),
            stack: Vec::new(),
        };
        self.running.replace(Some(running));
    }

    /// Ends the transaction and keeps what it did.
    pub(crate) fn finish(&self, label: String, ended: Ended) -> Record {
        let running = self.running.take().expect("a transaction that ends has begun");
        let Running { block, mut recorder, events, gas, .. } = running;
        let set = in_memory(recorder.take());
        let access = AccessSet::of(block.to_rw_set(&set, TxIndex));
        block.apply(&set, Seen::transaction(0));
        let changes = block.changes();
        // The state is lent to both.
        drop((recorder, block));
        Arc::make_mut(&mut *self.state.borrow_mut()).apply(&changes);
        let changes = changes.iter().map(|(key, value)| (key.to_vec(), value.cloned())).collect();
        Record { label, ended, events, access, changes, gas }
    }

    fn running<R>(&self, what: impl FnOnce(&mut Running) -> R) -> R {
        let mut running = self.running.borrow_mut();
        what(running.as_mut().expect("contracts run only in a transaction"))
    }

    /// Goes to the state, every access of which is recorded.
    pub(crate) fn state<R>(&self, access: impl FnOnce(&mut Recorder) -> Result<R, Halt>) -> R {
        self.running(|running| in_memory(access(&mut running.recorder)))
    }

    /// Uses gas; ends the contract's code if there is not so much.
    pub(crate) fn charge(&self, gas: u64) {
        let reached = self.running(|running| {
            running.gas = running.gas.saturating_add(gas);
            let reached = running.gas > running.gas_limit;
            running.gas = running.gas.min(running.gas_limit);
            reached.then_some(running.gas_limit)
        });
        if let Some(limit) = reached {
            refuse(Status::OutOfGas, format!("the gas limit of {limit} was reached"));
        }
    }

    /// Runs with at most so much more gas, or with all that is left.
    pub(crate) fn within_gas<R>(&self, gas: Option<u64>, body: impl FnOnce() -> R) -> R {
        let outer = self.running(|running| {
            let outer = running.gas_limit;
            running.gas_limit = gas.map_or(outer, |gas| outer.min(running.gas.saturating_add(gas)));
            outer
        });
        let result = body();
        self.running(|running| running.gas_limit = outer);
        result
    }

    /// Notes an event; why not, if there are too many.
    pub(crate) fn emit(&self, contract: Address, event: Event, encoded_bytes: usize) -> Result<(), String> {
        self.running(|running| {
            within("the number of events", running.events.len() + 1, limits::EVENTS)?;
            running.event_bytes += encoded_bytes;
            within("all events of a transaction", running.event_bytes, limits::EVENT_BYTES)?;
            running.events.push((contract, event));
            Ok(())
        })
    }

    /// Enters a contract, if it may be entered: its method, and the point to which all is undone if that fails.
    pub(crate) fn enter(&self, context: &CallContext, method: &str, kind: Kind) -> Result<(Entry, Mark), Ended> {
        let name = self.name(&context.contract);
        let depth = self.running(|running| running.stack.len());
        if depth >= limits::CALL_DEPTH {
            let message = format!("calls are nested deeper than {}", limits::CALL_DEPTH);
            return Err(Ended::failed(Status::LimitExceeded, message));
        }
        if self.running(|running| running.stack.contains(&context.contract)) {
            return Err(Ended::failed(Status::Reentrancy, format!("{name} is being called already")));
        }
        let Some(deployed) = self.deployed(&context.contract) else {
            return Err(Ended::failed(Status::ContractNotFound, format!("there is no contract at {name}")));
        };
        let entry = find(deployed.find, &name, method, kind)?;
        let mark = self.running(|running| {
            running.stack.push(context.contract);
            Mark { state: running.recorder.savepoint(), events: running.events.len(), event_bytes: running.event_bytes }
        });
        Ok((entry, mark))
    }

    /// Leaves the contract that was entered last, and undoes what it did unless it succeeded.
    pub(crate) fn leave(&self, mark: Mark, succeeded: bool) {
        self.running(|running| {
            running.stack.pop();
            if !succeeded {
                running.recorder.rollback(mark.state);
                running.events.truncate(mark.events);
                running.event_bytes = mark.event_bytes;
            }
        });
    }
}

/// The address of the contract that `deployer` deploys under `name`, as on a chain.
pub(crate) fn contract_address(deployer: &Address, name: &str) -> Address {
    let Hash(digest) = Hash::of_parts(Domain::Contract, &[&deployer.0, name.as_bytes()]);
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}

fn find(find: FindEntry, name: &str, method: &str, kind: Kind) -> Result<Entry, Ended> {
    let failed = |message| Err(Ended::failed(Status::MethodNotFound, message));
    let Some(entry) = find(method) else { return failed(format!("{name} has no method {method}")) };
    let fits = match kind {
        Kind::Call | Kind::View => matches!(entry.kind, Kind::Call | Kind::View),
        kind => kind == entry.kind,
    };
    match fits {
        true => Ok(entry),
        false => failed(format!("{name}.{method} is of kind {:?} and was called as {kind:?}", entry.kind)),
    }
}

/// Says what is longer than a chain allows.
pub(crate) fn within(what: &str, found: usize, limit: usize) -> Result<(), String> {
    if found > limit { Err(format!("{what}: {found} is above the limit of {limit}")) } else { Ok(()) }
}

/// State in memory can be read, and nothing confines a transaction, so there is no halt.
fn in_memory<T>(result: Result<T, Halt>) -> T {
    result.expect("state in memory can be read")
}

/// A value as contracts get it.
pub(crate) fn bytes(value: Option<Value>) -> Option<Vec<u8>> {
    value.map(|value| value.to_vec())
}
