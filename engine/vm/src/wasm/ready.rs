//! A contract at a thread's hand: compiled, with an instance that waits for the next call, and one isolated call of it.
//!
//! A thread that runs a block keeps the contracts that it calls ([`AtHand`]) and shares nothing with the others from one
//! call to the next: no lock is taken and no reference counted. When the block is done they go back to where all threads
//! find them ([`crate::machine`]).

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_state::Halt;
use hanse_types::{Hash, Status};
use wasmtime::Trap;

use super::contract::WasmContract;
use super::instance::{Instance, MemoryLimits};
use crate::failure::{Failure, Stop};
use crate::session::{Entry, Session};

/// Gas for each page by which a contract grows its memory: what clearing it costs.
const GAS_PER_PAGE: u64 = 20_000;

/// Contracts that a thread keeps at hand; when there are more, it lets go of all.
const AT_HAND_MAX: usize = 32;

/// A contract that can be called at once.
pub(crate) struct Ready {
    code: Hash,
    contract: Arc<WasmContract>,
    /// As good as new.
    instance: Option<Box<Instance>>,
}

impl Ready {
    /// A contract of which no instance is there yet.
    pub(crate) fn new(code: Hash, contract: Arc<WasmContract>) -> Ready {
        Ready { code, contract, instance: None }
    }

    /// The hash of its code.
    pub(crate) fn code(&self) -> Hash {
        self.code
    }

    /// Whether an instance waits for the next call.
    pub(crate) fn has_instance(&self) -> bool {
        self.instance.is_some()
    }

    /// Whether the ABI says that a method is a view.
    pub(crate) fn is_view(&self, method: &str) -> bool {
        self.contract.is_view(method)
    }

    /// Runs a method in the session's present frame, in an instance that is as good as new. Comes back to the session's
    /// hand.
    pub(crate) fn run(
        mut self: Box<Self>,
        session: Box<Session>,
        method: &str,
        entry: Entry,
    ) -> (Box<Session>, Result<(), Stop>) {
        let (mut session, result) = self.call(session, method, entry);
        session.at_hand.put(self);
        (session, result)
    }

    fn call(&mut self, session: Box<Session>, method: &str, entry: Entry) -> (Box<Session>, Result<(), Stop>) {
        let Some(method) = self.contract.method(method, entry) else {
            let failure = Failure::new(Status::MethodNotFound, format!("no method {method:?}"));
            return (session, Err(failure.into()));
        };
        let instance = self.instance.take().map_or_else(|| self.contract.instance(), Ok);
        let mut instance = match instance {
            Ok(instance) => instance,
            // A checked module always makes an instance: this node has run out of something.
            Err(error) => return (session, Err(engine_failed(&error))),
        };
        let (gas, pages_max) = (session.gas_left, session.block.params.memory_pages_max);
        let data = instance.store.data_mut();
        data.limits = MemoryLimits { pages_max, pages_grown: 0 };
        data.session = Some(session);
        let result = instance.store.set_fuel(fuel_of(gas));
        let result = result.and_then(|()| instance.call(method.index, &method.export));

        let gas_left = gas_of(instance.store.get_fuel().unwrap_or(0));
        let data = instance.store.data_mut();
        let mut session = data.session.take().expect("the session comes back from every nested call");
        let (stop, grown) = (data.stop.take(), data.limits.pages_grown);
        session.gas_left = gas_left.unwrap_or(0);
        if result.is_ok() {
            self.keep(instance, &mut session);
        }
        let result = match (result, stop) {
            (_, Some(stop)) => Err(stop),
            (Err(error), None) => {
                if !counts_fuel(&error) {
                    session.gas_left = 0;
                }
                Err(to_stop(&error))
            }
            (Ok(()), None) if gas_left.is_none() => Err(Failure::out_of_gas().into()),
            (Ok(()), None) => Ok(()),
        };
        let growth = session.charge(GAS_PER_PAGE * grown);
        (session, result.and(growth))
    }

    /// Keeps an instance whose call has returned, if it can be made as good as new and there is a place for it.
    fn keep(&mut self, mut instance: Box<Instance>, session: &mut Session) {
        if instance.place.is_none() {
            instance.place = session.claim_place();
        }
        let is_as_new = self.contract.image().is_some_and(|image| instance.may_be_kept() && instance.reset(image));
        if is_as_new && instance.place.is_some() {
            self.instance = Some(instance);
        }
    }
}

/// What one thread has at hand.
#[derive(Default)]
pub(crate) struct AtHand {
    /// By the hash of the code; none while it is being called.
    contracts: HashMap<Hash, Option<Box<Ready>>, RandomState>,
}

impl AtHand {
    /// The contract with this code, to be called and put back; none if it is not here.
    pub(crate) fn take(&mut self, code: &Hash) -> Option<Box<Ready>> {
        self.contracts.get_mut(code)?.take()
    }

    /// Keeps a contract for the next call.
    pub(crate) fn put(&mut self, ready: Box<Ready>) {
        if let Some(place) = self.contracts.get_mut(&ready.code) {
            *place = Some(ready);
            return;
        }
        if self.contracts.len() >= AT_HAND_MAX {
            self.contracts.clear();
        }
        self.contracts.insert(ready.code, Some(ready));
    }

    /// Lets go of everything.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Box<Ready>> {
        self.contracts.drain().filter_map(|(_, ready)| ready)
    }
}

/// The fuel that stands for so much gas: one more, so that having used exactly all can be told from having used too much.
pub(super) fn fuel_of(gas: u64) -> u64 {
    gas.saturating_add(1)
}

/// The gas that such fuel stands for; none if more was used than there was.
pub(super) fn gas_of(fuel: u64) -> Option<u64> {
    fuel.checked_sub(1)
}

/// Whether the engine knew what a call had used when this stopped it. Where an instruction traps it does not: what was
/// used since the last call or return inside the contract is lost. Such a trap uses up all gas, or a contract could burn
/// its gas, trap, and give nearly all of it back to a caller that does the same again.
fn counts_fuel(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel | Trap::StackOverflow | Trap::UnreachableCodeReached))
}

/// What a call that the engine stopped comes to. Anything but a trap is a failure of this node, and makes no receipt.
fn to_stop(error: &wasmtime::Error) -> Stop {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(trap).into(),
        None => engine_failed(error),
    }
}

fn engine_failed(error: &wasmtime::Error) -> Stop {
    Halt::Engine { reason: format!("{error:#}") }.into()
}

/// What the receipt says of a trap.
fn trapped(trap: &Trap) -> Failure {
    let trapped = |what: &str| Failure::new(Status::Trapped, what);
    match trap {
        Trap::OutOfFuel => Failure::out_of_gas(),
        Trap::StackOverflow => Failure::new(Status::LimitExceeded, "calls inside the contract are nested too deep"),
        Trap::MemoryOutOfBounds => trapped("access outside the memory"),
        Trap::TableOutOfBounds | Trap::IndirectCallToNull => trapped("call of a function that is not in the table"),
        Trap::BadSignature => trapped("indirect call of a function of another type"),
        Trap::IntegerOverflow => trapped("integer overflow"),
        Trap::IntegerDivisionByZero => trapped("division by zero"),
        Trap::BadConversionToInteger => trapped("conversion of a number out of range"),
        Trap::UnreachableCodeReached => trapped("unreachable code"),
        _ => trapped("trap"),
    }
}
