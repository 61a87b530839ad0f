//! Who calls, and when.

use hanse_abi::Address;
use hanse_abi::host::CallContext;

use crate::host;

/// The call's context: a method that wants it takes `ctx: &Ctx` as its first argument after `self`.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    call: CallContext,
}

impl Ctx {
    /// The context of the call that runs now.
    pub fn current() -> Ctx {
        Ctx { call: host::context() }
    }

    /// Who made this call: an account, or the contract that calls this one.
    pub fn caller(&self) -> Address {
        self.call.caller
    }

    /// Who signed the transaction. For deciding who may do something, [`Ctx::caller`] is nearly always the right one.
    pub fn origin(&self) -> Address {
        self.call.origin
    }

    /// This contract's address.
    pub fn contract(&self) -> Address {
        self.call.contract
    }

    /// Height of the block that is being made.
    pub fn height(&self) -> u64 {
        self.call.height
    }

    /// Time of the block that is being made, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.call.time_ms
    }

    /// Whether this call can't change state.
    pub fn read_only(&self) -> bool {
        self.call.read_only
    }
}
