//! Code that can be called, native or WebAssembly alike: whoever calls does not know which it is.

use crate::failure::Stop;
use crate::native::{self, NativeContract};
use crate::session::{Entry, Session};
use crate::wasm::Ready;

/// A contract's code, ready to run.
pub(crate) enum Code {
    Native(&'static dyn NativeContract),
    Wasm(Box<Ready>),
}

impl Code {
    /// Whether the method may not change state.
    pub(crate) fn is_view(&self, method: &str) -> bool {
        match self {
            Code::Native(contract) => contract.is_view(method),
            Code::Wasm(contract) => contract.is_view(method),
        }
    }

    /// Runs a method in the session's present frame.
    pub(crate) fn run(self, session: Box<Session>, method: &str, entry: Entry) -> (Box<Session>, Result<(), Stop>) {
        match self {
            Code::Native(contract) => native::run(contract, session, method),
            Code::Wasm(contract) => contract.run(session, method, entry),
        }
    }
}
