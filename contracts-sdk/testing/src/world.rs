//! Accounts, contracts and their state.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use hanse_abi::gas::TRANSACTION;
use hanse_abi::host::{CallContext, INVALID_ARGUMENTS_CODE, OUT_OF_BOUNDS_CODE};
use hanse_abi::{Address, Event, Status, keys};
use hanse_sdk::client::Deployment;
use hanse_sdk::entry::{Entries, Entry, Kind};
use hanse_sdk::error::Never;
use hanse_types::limits;
use sha2::{Digest, Sha256};

use crate::access::{self, AccessSet};
use crate::backend::Frame;
use crate::block::BlockReport;
use crate::call::{Contract, ErasedCall, Outcome};
use crate::panics::{self, End, Refused, unwind};
use crate::state::State;

/// A chain in memory, as far as a contract can see it.
#[derive(Clone)]
pub struct World {
    inner: Rc<Inner>,
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    /// An empty world, at height 1 and an arbitrary fixed time.
    pub fn new() -> World {
        let inner = Inner {
            state: RefCell::default(),
            contracts: RefCell::default(),
            names: RefCell::default(),
            recording: RefCell::default(),
            stack: RefCell::default(),
            height: Cell::new(1),
            time_ms: Cell::new(1_767_225_600_000),
            gas_limit: Cell::new(u64::MAX),
        };
        World { inner: Rc::new(inner) }
    }

    /// The account of this name; the same name is the same account.
    pub fn account(&self, name: &str) -> Address {
        let address = address_of("account", name);
        self.inner.names.borrow_mut().insert(address, name.to_owned());
        address
    }

    /// Several accounts: `let [alice, bob] = world.accounts(["alice", "bob"]);`
    pub fn accounts<const N: usize>(&self, names: [&str; N]) -> [Address; N] {
        names.map(|name| self.account(name))
    }

    /// Deploys a contract and runs its `#[init]` method.
    ///
    /// # Panics
    /// If that method fails; see [`World::try_deploy`].
    #[track_caller]
    pub fn deploy<C: Entries>(&self, by: Address, deployment: Deployment<C>) -> C::Client<Contract> {
        match self.try_deploy(by, deployment) {
            Ok(client) => client,
            Err(outcome) => panic!("{} was not deployed: {}", C::NAME, outcome.describe()),
        }
    }

    /// Deploys a contract and runs its `#[init]` method.
    ///
    /// # Errors
    /// The outcome of that method, if it fails; there is no contract then.
    pub fn try_deploy<C: Entries>(
        &self,
        by: Address,
        deployment: Deployment<C>,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let count = self.inner.contracts.borrow().len();
        let name = match count_of(&self.inner, C::NAME) {
            0 => C::NAME.to_owned(),
            earlier => format!("{}-{}", C::NAME, earlier + 1),
        };
        let address = address_of("contract", &format!("{name}/{count}"));
        self.inner.contracts.borrow_mut().insert(address, C::entry);
        self.inner.names.borrow_mut().insert(address, name);
        self.first_call::<C>(by, address, deployment, Kind::Init).inspect_err(|_| {
            self.inner.contracts.borrow_mut().remove(&address);
        })
    }

    /// Puts other code in the place of a contract, whose state stays, and runs that code's `#[migrate]` method.
    ///
    /// # Errors
    /// The outcome of that method, if it fails; the old code stays then.
    pub fn upgrade<C: Entries>(
        &self,
        by: Address,
        address: Address,
        migration: Deployment<C>,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let before = self.inner.contracts.borrow_mut().insert(address, C::entry);
        self.first_call::<C>(by, address, migration, Kind::Migrate).inspect_err(|_| {
            if let Some(before) = before {
                self.inner.contracts.borrow_mut().insert(address, before);
            }
        })
    }

    fn first_call<C: Entries>(
        &self,
        by: Address,
        address: Address,
        first: Deployment<C>,
        kind: Kind,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let contract = Contract::new(self.inner.clone(), address, by);
        if let Some(method) = first.method {
            let outcome: Outcome<(), Never> = Outcome::new(self.inner.transact(by, address, method, &first.args, kind));
            if !outcome.is_ok() {
                return Err(outcome);
            }
        }
        Ok(C::client(contract))
    }

    /// Runs calls one after another in one block, and reports which of them could not have run in parallel.
    pub fn block<I>(&self, calls: I) -> BlockReport
    where
        I: IntoIterator,
        I::Item: Into<ErasedCall>,
    {
        let records = calls.into_iter().map(|call| call.into().run());
        let report = BlockReport::new(records.collect(), &self.inner);
        self.inner.height.set(self.inner.height.get() + 1);
        report
    }

    /// The height of the block that is being made.
    pub fn height(&self) -> u64 {
        self.inner.height.get()
    }

    /// Sets the height of the block that is being made.
    pub fn set_height(&self, height: u64) {
        self.inner.height.set(height);
    }

    /// The time of the block that is being made, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.inner.time_ms.get()
    }

    /// Sets the time of the block that is being made, in milliseconds since 1970.
    pub fn set_time_ms(&self, time_ms: u64) {
        self.inner.time_ms.set(time_ms);
    }

    /// Lets so many milliseconds pass.
    pub fn advance_ms(&self, by: u64) {
        self.set_time_ms(self.time_ms() + by);
    }

    /// Lets each transaction use at most this much gas. Only what host functions cost counts here.
    pub fn set_gas_limit(&self, gas: u64) {
        self.inner.gas_limit.set(gas);
    }

    /// All of a contract's keys and values, in order, as its methods left them.
    pub fn storage(&self, contract: Address) -> Vec<(Vec<u8>, Vec<u8>)> {
        let start = keys::contract_prefix(&contract);
        let mut end = start;
        end[Address::BYTES] = 1;
        let state = self.inner.state.borrow();
        state.range(&start, &end).map(|(key, value)| (key[start.len()..].to_vec(), value.clone())).collect()
    }
}

fn count_of(inner: &Inner, contract: &str) -> usize {
    let names = inner.names.borrow();
    let of_contract = |name: &&String| name.split_once('-').map_or(name.as_str(), |(first, _)| first) == contract;
    names.values().filter(of_contract).count()
}

fn address_of(kind: &str, name: &str) -> Address {
    let digest = Sha256::digest(format!("{kind}:{name}"));
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}

/// Finds a contract's methods.
pub(crate) type FindEntry = fn(&str) -> Option<Entry>;

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// What it returned.
    pub(crate) output: Vec<u8>,
    /// Code and fields of the contract's own error.
    pub(crate) code: u32,
    pub(crate) fields: Vec<u8>,
    /// What is to be said about a failure that is not the contract's own error.
    pub(crate) message: String,
}

impl Ended {
    fn failed(status: Status, message: String) -> Ended {
        Ended { status, output: Vec::new(), code: 0, fields: Vec::new(), message }
    }
}

/// What one transaction did.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// `Token.transfer by alice`, for messages.
    pub(crate) label: String,
    pub(crate) ended: Ended,
    pub(crate) events: Vec<(Address, Event)>,
    pub(crate) access: AccessSet,
    pub(crate) gas: u64,
}

/// What the running transaction did so far.
#[derive(Default)]
pub(crate) struct Recording {
    access: AccessSet,
    events: Vec<(Address, Event)>,
    gas: u64,
    gas_limit: u64,
}

pub(crate) struct Inner {
    pub(crate) state: RefCell<State>,
    contracts: RefCell<BTreeMap<Address, FindEntry>>,
    names: RefCell<BTreeMap<Address, String>>,
    recording: RefCell<Recording>,
    /// Contracts that are being called, outermost first.
    stack: RefCell<Vec<Address>>,
    height: Cell<u64>,
    time_ms: Cell<u64>,
    gas_limit: Cell<u64>,
}

impl Inner {
    /// The name of an account or contract, or its address.
    pub(crate) fn name(&self, address: &Address) -> String {
        self.names.borrow().get(address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// A state key as a person reads it.
    pub(crate) fn readable(&self, key: &[u8]) -> String {
        access::readable(key, |address| self.name(address))
    }

    pub(crate) fn charge(&self, gas: u64) {
        let mut recording = self.recording.borrow_mut();
        recording.gas = recording.gas.saturating_add(gas);
        let limit = recording.gas_limit;
        if recording.gas > limit {
            recording.gas = limit;
            drop(recording);
            unwind(Refused { status: Status::OutOfGas, why: format!("the gas limit of {limit} was reached") });
        }
    }

    pub(crate) fn record(&self, touch: impl FnOnce(&mut AccessSet)) {
        touch(&mut self.recording.borrow_mut().access);
    }

    pub(crate) fn emit(&self, contract: Address, event: Event) {
        self.recording.borrow_mut().events.push((contract, event));
    }

    /// Runs with at most so much more gas, or with all that is left.
    pub(crate) fn within<R>(&self, gas: Option<u64>, body: impl FnOnce() -> R) -> R {
        let outer = self.recording.borrow().gas_limit;
        if let Some(gas) = gas {
            let mut recording = self.recording.borrow_mut();
            recording.gas_limit = outer.min(recording.gas.saturating_add(gas));
        }
        let result = body();
        self.recording.borrow_mut().gas_limit = outer;
        result
    }

    /// Runs a transaction that calls one method.
    pub(crate) fn transact(
        self: &Rc<Self>,
        caller: Address,
        contract: Address,
        method: &str,
        args: &[u8],
        kind: Kind,
    ) -> Record {
        let label = format!("{}.{method} by {}", self.name(&contract), self.name(&caller));
        let context = CallContext {
            caller,
            origin: caller,
            contract,
            height: self.height.get(),
            time_ms: self.time_ms.get(),
            read_only: kind == Kind::View,
        };
        self.recording.replace(Recording { gas_limit: self.gas_limit.get(), ..Recording::default() });
        let end = panics::catch(|| self.charge(TRANSACTION.of(args.len() as u64)));
        let ended = match end {
            End::Refused(refused) => Ended::failed(refused.status, refused.why),
            _ => self.call_as(context, method, args, kind),
        };
        let Recording { access, events, gas, .. } = self.recording.take();
        self.state.borrow_mut().commit();
        Record { label, ended, events, access, gas }
    }

    /// Calls a method for another contract.
    pub(crate) fn call(self: &Rc<Self>, context: CallContext, method: &str, args: &[u8]) -> Ended {
        self.call_as(context, method, args, Kind::Call)
    }

    /// Calls a method; what it did is undone if it fails.
    fn call_as(self: &Rc<Self>, context: CallContext, method: &str, args: &[u8], kind: Kind) -> Ended {
        let run = match self.find(&context.contract, method, kind) {
            Ok(run) => run,
            Err(ended) => return ended,
        };
        let savepoint = self.state.borrow().savepoint();
        let (changes, events) = {
            let recording = self.recording.borrow();
            (recording.access.changes(), recording.events.len())
        };
        self.stack.borrow_mut().push(context.contract);
        let ended = self.run(context, args, run);
        self.stack.borrow_mut().pop();
        if ended.status != Status::Success {
            self.state.borrow_mut().rollback(savepoint);
            let mut recording = self.recording.borrow_mut();
            recording.access.undo(changes);
            recording.events.truncate(events);
        }
        ended
    }

    fn find(&self, contract: &Address, method: &str, kind: Kind) -> Result<fn(), Ended> {
        let failed = |status, message| Err(Ended::failed(status, message));
        let name = self.name(contract);
        let Some(find) = self.contracts.borrow().get(contract).copied() else {
            return failed(Status::ContractNotFound, format!("there is no contract at {name}"));
        };
        let Some(entry) = find(method) else {
            return failed(Status::MethodNotFound, format!("{name} has no method {method}"));
        };
        let fits = match kind {
            Kind::Call => matches!(entry.kind, Kind::Call | Kind::View),
            kind => kind == entry.kind,
        };
        if !fits {
            let message = format!("{name}.{method} is of kind {:?} and was called as {kind:?}", entry.kind);
            return failed(Status::MethodNotFound, message);
        }
        let stack = self.stack.borrow();
        if stack.contains(contract) {
            return failed(Status::Reentrancy, format!("{name} is being called already"));
        }
        if stack.len() >= limits::CALL_DEPTH {
            return failed(Status::LimitExceeded, format!("calls are nested deeper than {}", limits::CALL_DEPTH));
        }
        Ok(entry.run)
    }

    fn run(self: &Rc<Self>, context: CallContext, args: &[u8], run: fn()) -> Ended {
        let frame =
            Rc::new(Frame { world: self.clone(), context, args: args.to_vec(), output: RefCell::new(Vec::new()) });
        let end = panics::catch(|| hanse_sdk::host::enter(frame.clone(), run));
        match end {
            End::Returned => Ended {
                status: Status::Success,
                output: frame.output.take(),
                code: 0,
                fields: Vec::new(),
                message: String::new(),
            },
            End::Reverted(reverted) => reverted_as(reverted.code, reverted.fields),
            End::Refused(refused) => Ended::failed(refused.status, refused.why),
            End::Panicked(message) => Ended::failed(Status::Panicked, message),
        }
    }
}

/// Some codes are not the contract's own, but the generated entry's.
fn reverted_as(code: u32, fields: Vec<u8>) -> Ended {
    match code {
        INVALID_ARGUMENTS_CODE => {
            let number = fields.first().copied().unwrap_or_default();
            Ended::failed(Status::InvalidArguments, format!("argument {number} does not decode"))
        }
        OUT_OF_BOUNDS_CODE => Ended::failed(Status::OutOfBounds, "an addition left its bounds".to_owned()),
        code => Ended { status: Status::Reverted, output: Vec::new(), code, fields, message: String::new() },
    }
}
