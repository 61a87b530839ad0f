//! Hears what a transaction does while it runs, call by call, for whoever wants to look inside one.
//!
//! A listener changes nothing: what it hears is the same as what happens without it. What contracts read and write goes
//! through the state that a transaction is given ([`hanse_state::StateAccess`]); a listener that shares a record with that
//! state sees both in their order.

use hanse_types::{Address, ReceiptEvent};

use crate::failure::Failure;
use crate::session::Entry;

/// A call that begins.
#[derive(Clone, Copy, Debug)]
pub struct Entered<'a> {
    /// Which contract.
    pub contract: Address,
    /// Who calls it.
    pub caller: Address,
    /// Which method.
    pub method: &'a str,
    /// Its arguments, encoded.
    pub input: &'a [u8],
    /// By which door.
    pub entry: Entry,
    /// Gas that it may use.
    pub gas: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub enum Left<'a> {
    /// It returned this.
    Returned(&'a [u8]),
    /// It failed, and all it did is undone.
    Failed {
        /// How.
        failure: &'a Failure,
        /// The contract in which that began.
        failed_in: Address,
    },
}

/// A listener. Calls are nested: what is heard between a call's beginning and its end happened in it.
pub trait Trace: Send {
    /// A call begins. What is checked before its code runs, and read for that, belongs to it.
    fn entered(&mut self, call: &Entered<'_>);

    /// The newest call that has not ended does, with so much gas left.
    fn left(&mut self, how: &Left<'_>, gas: u64);

    /// The present call emits an event.
    fn emitted(&mut self, event: &ReceiptEvent);
}
