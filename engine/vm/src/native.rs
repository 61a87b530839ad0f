//! Native contracts: written in Rust, part of the node, called and metered like any other.
//!
//! To add one: a file under `system/` with a type that implements [`NativeContract`], and a line in
//! [`crate::system::CONTRACTS`].

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_abi::Event;
use hanse_abi::host::CallContext;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Delta, Params, Status, Value};

use crate::failure::{Failure, Stop};
use crate::host::event_bytes;
use crate::session::{Entry, Session};

/// A contract that is part of the node.
pub trait NativeContract: Send + Sync {
    /// Its number, of which its address is made ([`Address::native`]). Never given twice.
    fn number(&self) -> u16;

    /// Its name in the naming service.
    fn name(&self) -> &'static str;

    /// Its ABI document, JSON.
    fn abi(&self) -> &'static str;

    /// Runs a method: Borsh arguments in, Borsh result out.
    ///
    /// # Errors
    /// A [`Failure`], upon which everything that was done is undone, or a halt of the state, to be passed on.
    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop>;

    /// Whether a method is a view.
    fn is_view(&self, method: &str) -> bool;
}

/// What a native contract can do: the host interface, as methods.
pub struct Host {
    /// Away only while a nested call has it.
    session: Option<Box<Session>>,
}

/// Runs a method of a native contract in the session's present frame.
pub(crate) fn run(
    contract: &dyn NativeContract,
    mut session: Box<Session>,
    method: &str,
) -> (Box<Session>, Result<(), Stop>) {
    let input = std::mem::take(&mut session.frame_mut().input);
    let mut host = Host { session: Some(session) };
    let result = contract.call(&mut host, method, &input);
    let mut session = host.into_session();
    let result = result.and_then(|output| session.output(&output));
    (session, result)
}

impl Host {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("the session comes back from every nested call")
    }

    fn into_session(self) -> Box<Session> {
        self.session.expect("the session comes back from every nested call")
    }

    /// Who calls what, when.
    ///
    /// # Errors
    /// If the gas does not suffice, as with every method here.
    pub fn context(&mut self) -> Result<CallContext, Stop> {
        self.session().context()
    }

    /// What the group hashes by.
    pub fn suite(&mut self) -> CryptoSuite {
        self.session().block.crypto
    }

    /// The chain's parameters, as of the block's start.
    pub fn params(&mut self) -> &Params {
        &self.session().block.params
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If the key is too long.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Stop> {
        self.session().get(key)
    }

    /// The value of a key, decoded.
    ///
    /// # Errors
    /// If the stored bytes are something else.
    pub fn load<T: BorshDeserialize>(&mut self, key: &[u8]) -> Result<Option<T>, Stop> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        let decoded = borsh::from_slice(&value);
        decoded.map(Some).map_err(|_| Failure::new(Status::InvalidOperation, "stored bytes do not decode").into())
    }

    /// The value of another system contract's key, decoded; costs what a read costs.
    pub(crate) fn load_of<T: BorshDeserialize>(&mut self, contract: &Address, key: &[u8]) -> Result<Option<T>, Stop> {
        let value = self.session().get_of(contract, key)?;
        Ok(value.and_then(|value| borsh::from_slice(&value).ok()))
    }

    /// Writes a key.
    ///
    /// # Errors
    /// In a view, or if a limit is passed.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Stop> {
        self.session().set(key, value)
    }

    /// Writes a value's encoding under a key.
    ///
    /// # Errors
    /// As [`Host::set`].
    pub fn store<T: BorshSerialize>(&mut self, key: &[u8], value: &T) -> Result<(), Stop> {
        self.set(key, &encode(value))
    }

    /// [`Host::set`] for contracts' code.
    pub(crate) fn set_long(&mut self, key: &[u8], value: &[u8]) -> Result<(), Stop> {
        self.session().set_long(key, value)
    }

    /// Removes a key.
    ///
    /// # Errors
    /// In a view.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Stop> {
        self.session().remove(key)
    }

    /// Adds to an unsigned 128-bit number without reading it; false if it would leave its range.
    ///
    /// # Errors
    /// In a view, or if the key holds something else.
    pub fn add(&mut self, key: &[u8], amount: i128) -> Result<bool, Stop> {
        self.session().add(key, Delta { amount, width: 16, min: 0, max: u128::MAX })
    }

    /// Emits an event.
    ///
    /// # Errors
    /// In a view, or if a limit is passed.
    pub fn emit(&mut self, event: Event) -> Result<(), Stop> {
        let bytes = event_bytes(&event);
        self.session().pay_for_event(bytes)?;
        self.session().emit(event, bytes)
    }

    /// Uses gas beyond what the operations cost.
    ///
    /// # Errors
    /// If it does not suffice.
    pub fn charge(&mut self, amount: u64) -> Result<(), Stop> {
        self.session().charge(amount)
    }

    /// Calls another contract with all gas that is left.
    ///
    /// # Errors
    /// If it fails.
    pub fn call(&mut self, contract: Address, method: &str, input: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.enter(contract, method, input, Entry::Call)
    }

    pub(crate) fn enter(
        &mut self,
        contract: Address,
        method: &str,
        input: Vec<u8>,
        entry: Entry,
    ) -> Result<Vec<u8>, Stop> {
        let session = self.session.take().expect("the session comes back from every nested call");
        let (session, answer) = session.call(contract, method, input, None, entry);
        self.session = Some(session);
        Ok(answer??)
    }

    pub(crate) fn machine(&mut self) -> std::sync::Arc<crate::machine::Machine> {
        self.session().machine.clone()
    }
}

/// Decodes arguments: a tuple of them, one after another.
///
/// # Errors
/// If the bytes are something else.
pub fn arguments<T: BorshDeserialize>(input: &[u8]) -> Result<T, Stop> {
    let decoded = borsh::from_slice(input);
    decoded.map_err(|_| Failure::new(Status::InvalidArguments, "the arguments do not decode").into())
}

/// The answer to a call of a method that is not there.
pub fn no_such_method<T>(method: &str) -> Result<T, Stop> {
    Err(Failure::new(Status::MethodNotFound, format!("no method {method:?}")).into())
}

/// The encoding of a value that fits into memory.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("a value encodes into memory")
}

/// An error of a native contract: its code and what to say.
pub(crate) fn refuse<T>(status: Status, message: impl Into<String>) -> Result<T, Stop> {
    Err(Failure::new(status, message).into())
}
