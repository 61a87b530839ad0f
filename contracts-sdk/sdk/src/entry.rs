//! What stands between the host and a method: arguments in, result or error out.
//!
//! Called by what `#[contract]` and `#[methods]` generate; there is no reason to call it by hand.

use hanse_abi::host::INVALID_ARGUMENTS_CODE;

use crate::client::Transport;
use crate::data::{self, Data, Encoded};
use crate::error::ContractError;
use crate::host;

/// A contract: a struct of storage fields, none of which holds anything until it is asked.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a contract",
    note = "write `#[contract]` above the struct whose methods these are"
)]
pub trait Contract: Sized {
    /// The contract's name in the ABI.
    const NAME: &'static str;
    /// The crate that it is written in, by its name in Rust.
    const CRATE: &'static str;

    /// The struct with each field at its place in storage. Reads nothing.
    fn open() -> Self;
}

/// When a method may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Once, at deployment.
    Init,
    /// In a transaction, or by another contract.
    Call,
    /// As [`Kind::Call`], and also outside of transactions: it changes nothing.
    View,
    /// Once, after an upgrade.
    Migrate,
}

/// A method's entry: takes the arguments from the host and hands it the result.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// When it may be called.
    pub kind: Kind,
    /// Runs it.
    pub run: fn(),
}

/// The entry points of a contract, for hosts that call it natively.
pub trait Entries: Contract {
    /// The generated client.
    type Client<T: Transport>;

    /// The entry of the method with this name.
    fn entry(method: &str) -> Option<Entry>;

    /// A client of this contract over a transport.
    fn client<T: Transport>(transport: T) -> Self::Client<T>;
}

/// The call's arguments, decoded one after another. Bytes that do not decode end the call.
pub struct Arguments {
    bytes: Encoded,
    at: usize,
    taken: u8,
}

impl Arguments {
    /// Takes the arguments from the host.
    pub fn read() -> Arguments {
        Arguments { bytes: host::input(), at: 0, taken: 0 }
    }

    /// The next argument.
    pub fn take<T: Data>(&mut self) -> T {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(value) = T::read(&mut rest) else { self.refuse() };
        self.at = self.bytes.len() - rest.len();
        self.taken += 1;
        value
    }

    /// Ends the call if bytes are left over.
    pub fn end(self) {
        if self.at != self.bytes.len() {
            self.refuse();
        }
    }

    fn refuse(&self) -> ! {
        host::revert(INVALID_ARGUMENTS_CODE, &[self.taken])
    }
}

/// Hands a result to the host.
pub fn finish<T: Data>(result: &T) {
    let bytes = data::encode(result);
    if !bytes.is_empty() {
        host::output(&bytes);
    }
}

/// Hands a result to the host, or ends the call with the error.
pub fn finish_result<T: Data, E: ContractError>(result: Result<T, E>) {
    match result {
        Ok(value) => finish(&value),
        Err(error) => {
            let mut fields = Encoded::new();
            error.write_fields(&mut fields);
            host::revert(error.code(), &fields)
        }
    }
}
