//! Calls of contracts in a world, and what came of them.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use hanse_abi::{Address, Event, Status};
use hanse_sdk::client::{CalledBy, Transport};
use hanse_sdk::data::{self, Data, Encoded};
use hanse_sdk::entry::Kind;
use hanse_sdk::error::ContractError;
use hanse_sdk::event::ContractEvent;

use crate::access::AccessSet;
use crate::chain::Chain;
use crate::execution::Transaction;
use crate::record::Record;

/// A contract in a world, and who calls it: what generated clients call by way of, in tests.
#[derive(Clone)]
pub struct Contract {
    chain: Rc<Chain>,
    address: Address,
    caller: Address,
}

impl Contract {
    pub(crate) fn new(chain: Rc<Chain>, address: Address, caller: Address) -> Contract {
        Contract { chain, address, caller }
    }

    /// The contract's address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// A call of any method with any bytes as arguments, for testing what typed clients can't do.
    pub fn raw_call<T: Data, E: ContractError>(&self, method: &str, args: &[u8]) -> Call<T, E> {
        let erased =
            ErasedCall { contract: self.clone(), method: method.to_owned(), args: args.to_vec(), kind: Kind::Call };
        Call { erased, types: PhantomData }
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = self.chain.ledger();
        write!(f, "{} by {}", ledger.name(&self.address), ledger.name(&self.caller))
    }
}

impl Transport for Contract {
    type Call<T: Data, E: ContractError> = Call<T, E>;
    type View<T: Data> = T;

    fn call<T: Data, E: ContractError>(&self, method: &'static str, args: Encoded) -> Call<T, E> {
        self.raw_call(method, &args)
    }

    /// The value; a view that fails fails the test.
    #[track_caller]
    fn view<T: Data>(&self, method: &'static str, args: Encoded) -> T {
        let call =
            ErasedCall { contract: self.clone(), method: method.to_owned(), args: args.to_vec(), kind: Kind::View };
        let record = call.run();
        let outcome: Outcome<T, hanse_sdk::error::Never> = Outcome::new(record);
        outcome.value()
    }
}

impl CalledBy for Contract {
    fn called_by(&self, caller: Address) -> Self {
        Contract { caller, ..self.clone() }
    }
}

/// A call that is yet to be made: alone, by one of its functions, or with others, by [`World::block`](crate::World::block).
#[must_use = "this calls nothing until it is run: use expect_ok(), expect_err(…) or run()"]
#[derive(Clone, Debug)]
pub struct Call<T, E> {
    erased: ErasedCall,
    types: PhantomData<(T, E)>,
}

/// A call whose result's type does not matter.
#[must_use = "this calls nothing until it is run"]
#[derive(Clone, Debug)]
pub struct ErasedCall {
    contract: Contract,
    method: String,
    args: Vec<u8>,
    kind: Kind,
}

impl ErasedCall {
    #[track_caller]
    pub(crate) fn run(self) -> Record {
        let Contract { chain, address, caller } = &self.contract;
        let method = Some(&self.method[..]);
        chain.call(Transaction { by: *caller, contract: *address, method, args: &self.args, kind: self.kind })
    }
}

impl<T, E> From<Call<T, E>> for ErasedCall {
    fn from(call: Call<T, E>) -> ErasedCall {
        call.erased
    }
}

impl<T: Data, E: ContractError> Call<T, E> {
    /// The call without its types, so that calls of different methods fit into one block.
    pub fn erased(self) -> ErasedCall {
        self.erased
    }

    /// Makes the call.
    #[track_caller]
    pub fn run(self) -> Outcome<T, E> {
        Outcome::new(self.erased.run())
    }

    /// Makes the call, which must succeed.
    ///
    /// # Panics
    /// If it does not; the message says why.
    #[track_caller]
    pub fn expect_ok(self) -> Outcome<T, E> {
        let outcome = self.run();
        assert!(outcome.is_ok(), "{}", outcome.describe());
        outcome
    }

    /// Makes the call, which must fail with this error.
    ///
    /// # Panics
    /// If it succeeds or fails otherwise.
    #[track_caller]
    pub fn expect_err(self, expected: E) -> Outcome<T, E> {
        let outcome = self.run();
        let found = outcome.error();
        assert!(found.as_ref() == Some(&expected), "expected {expected:?}, but {}", outcome.describe());
        outcome
    }

    /// Makes the call, which must end with this status.
    ///
    /// # Panics
    /// If it ends with another.
    #[track_caller]
    pub fn expect_status(self, expected: Status) -> Outcome<T, E> {
        let outcome = self.run();
        assert!(outcome.status() == expected, "expected {}, but {}", expected.name(), outcome.describe());
        outcome
    }
}

/// What a call did.
#[derive(Clone, Debug)]
pub struct Outcome<T, E> {
    record: Box<Record>,
    types: PhantomData<(T, E)>,
}

impl<T: Data, E: ContractError> Outcome<T, E> {
    pub(crate) fn new(record: Record) -> Outcome<T, E> {
        Outcome { record: Box::new(record), types: PhantomData }
    }

    /// How it ended.
    pub fn status(&self) -> Status {
        self.record.ended.status
    }

    /// Whether it succeeded.
    pub fn is_ok(&self) -> bool {
        self.status().is_success()
    }

    /// What the method returned.
    ///
    /// # Panics
    /// If the call failed.
    #[track_caller]
    pub fn value(&self) -> T {
        assert!(self.is_ok(), "{}", self.describe());
        match data::decode(&self.record.ended.output) {
            Some(value) => value,
            None => panic!("{} returned bytes that are not of its type", self.record.label),
        }
    }

    /// The contract's error, if it refused with one of its type.
    pub fn error(&self) -> Option<E> {
        self.error_as()
    }

    /// The contract's error, if it refused with one of another type, as where the types of an outcome are not known.
    pub fn error_as<X: ContractError>(&self) -> Option<X> {
        let ended = &self.record.ended;
        (ended.status == Status::Reverted).then(|| X::decode(ended.code, &ended.fields)).flatten()
    }

    /// What a panic said, with file and line, or why the host stopped the call; else empty.
    pub fn message(&self) -> &str {
        &self.record.ended.message
    }

    /// The events of one type that it emitted, in order, whichever contract did.
    pub fn events<V: ContractEvent>(&self) -> Vec<V> {
        self.record.events.iter().filter_map(|(_, event)| V::decode(event)).collect()
    }

    /// All events that it emitted, in order, each with its contract.
    pub fn all_events(&self) -> &[(Address, Event)] {
        &self.record.events
    }

    /// Asserts that it emitted this event.
    ///
    /// # Panics
    /// If it did not; the message lists the events of that type.
    #[track_caller]
    pub fn emitted<V: ContractEvent>(self, expected: V) -> Self {
        let found = self.events::<V>();
        assert!(found.contains(&expected), "{} did not emit {expected:?}, but {found:?}", self.record.label);
        self
    }

    /// The keys that it touched.
    pub fn access(&self) -> &AccessSet {
        &self.record.access
    }

    /// Gas for the transaction and for host functions. What instructions cost comes on top on a real machine.
    pub fn gas(&self) -> u64 {
        self.record.gas
    }

    /// The outcome in a sentence.
    pub fn describe(&self) -> String {
        let label = &self.record.label;
        let ended = &self.record.ended;
        match (self.error(), ended.status) {
            (Some(error), _) => format!("{label} refused with {error:?}"),
            (None, Status::Success) => format!("{label} succeeded"),
            (None, Status::Reverted) => format!("{label} refused with an error of another type, code {}", ended.code),
            (None, status) => format!("{label} ended with {}: {}", status.name(), ended.message),
        }
    }
}
