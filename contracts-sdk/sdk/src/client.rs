//! Typed calls of other contracts.
//!
//! `#[methods]` and `#[interface]` generate a client with one function per method. Where its calls go is the client's
//! [`Transport`]: [`Remote`] calls from inside a contract, `hanse-sdk-testing` brings one that calls from a test.

use core::marker::PhantomData;

use hanse_abi::{Address, Status};

use crate::data::{self, Data, Encoded};
use crate::error::ContractError;
use crate::host;

/// Where a generated client's calls go, and in which form their results come.
pub trait Transport {
    /// What a call gives.
    type Call<T: Data, E: ContractError>;
    /// What a view that can't fail by itself gives.
    type View<T: Data>;

    /// Calls a method that may change state, or fail with an error of its own.
    fn call<T: Data, E: ContractError>(&self, method: &'static str, args: Encoded) -> Self::Call<T, E>;

    /// Calls a view that returns no `Result`.
    fn view<T: Data>(&self, method: &'static str, args: Encoded) -> Self::View<T>;
}

/// A transport whose calls can be made by anybody, as in tests.
pub trait CalledBy: Transport {
    /// The same, for calls by this caller.
    fn called_by(&self, caller: Address) -> Self;
}

/// Calls from inside a contract.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    address: Address,
    gas: Option<u64>,
}

impl Remote {
    /// Calls the contract at this address.
    pub fn at(address: Address) -> Remote {
        Remote { address, gas: None }
    }

    /// Lets each call use at most this much gas, instead of all that is left.
    pub fn with_gas(self, gas: u64) -> Remote {
        Remote { gas: Some(gas), ..self }
    }

    /// The address of the contract that is called.
    pub fn address(&self) -> Address {
        self.address
    }

    fn send<T: Data, E: ContractError>(&self, method: &str, args: &[u8]) -> Result<T, CallError<E>> {
        let (status, answer) = host::call(&self.address, method, args, self.gas);
        match status {
            Status::Success => data::decode(&answer).ok_or(CallError::BadAnswer),
            Status::Reverted => Err(reverted(&answer)),
            status => Err(CallError::Failed(status)),
        }
    }
}

fn reverted<E: ContractError>(answer: &[u8]) -> CallError<E> {
    let Some((code, fields)) = answer.split_first_chunk::<4>() else { return CallError::BadAnswer };
    let code = u32::from_le_bytes(*code);
    match E::decode(code, fields) {
        Some(error) => CallError::Reverted(error),
        None => CallError::Unknown(code),
    }
}

impl Transport for Remote {
    type Call<T: Data, E: ContractError> = Result<T, CallError<E>>;
    type View<T: Data> = Result<T, CallError>;

    fn call<T: Data, E: ContractError>(&self, method: &'static str, args: Encoded) -> Result<T, CallError<E>> {
        self.send(method, &args)
    }

    fn view<T: Data>(&self, method: &'static str, args: Encoded) -> Result<T, CallError> {
        self.send(method, &args)
    }
}

/// Why a call of another contract failed. What that contract had changed is undone; the caller goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E = crate::error::Never> {
    /// It refused with an error of its own.
    Reverted(E),
    /// It refused with an error that its interface, as known here, does not list.
    Unknown(u32),
    /// It did not come to an end, or there is no such contract or method.
    Failed(Status),
    /// It answered with bytes that are not of the type that its interface, as known here, states.
    BadAnswer,
}

impl<E: ContractError> CallError<E> {
    /// The status of the call. [`Status::InvalidOperation`] for an answer of another type.
    pub fn status(&self) -> Status {
        match self {
            CallError::Reverted(_) | CallError::Unknown(_) => Status::Reverted,
            CallError::Failed(status) => *status,
            CallError::BadAnswer => Status::InvalidOperation,
        }
    }

    /// The code of the callee's error; 0 where it reported none.
    pub fn code(&self) -> u32 {
        match self {
            CallError::Reverted(error) => error.code(),
            CallError::Unknown(code) => *code,
            CallError::Failed(_) | CallError::BadAnswer => 0,
        }
    }
}

/// Encodes a call's arguments. Used by generated clients.
#[derive(Default)]
pub struct ArgumentsWriter {
    bytes: Encoded,
}

impl ArgumentsWriter {
    /// No arguments yet.
    pub fn new() -> ArgumentsWriter {
        ArgumentsWriter::default()
    }

    /// Appends an argument.
    pub fn push<T: Data>(&mut self, value: &T) {
        value.write(&mut self.bytes);
    }

    /// The encoded arguments.
    pub fn finish(self) -> Encoded {
        self.bytes
    }
}

/// The first call of a contract's code, at deployment or after an upgrade: which method, and its arguments.
#[must_use = "this deploys nothing until it is handed to a world"]
pub struct Deployment<C> {
    /// The method; none for a contract with nothing to set up.
    pub method: Option<&'static str>,
    /// Its encoded arguments.
    pub args: Encoded,
    contract: PhantomData<C>,
}

impl<C> Deployment<C> {
    /// Deploys and calls this method. Used by generated clients.
    pub fn new(method: Option<&'static str>, args: Encoded) -> Deployment<C> {
        Deployment { method, args, contract: PhantomData }
    }
}
