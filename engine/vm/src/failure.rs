//! How a call ends when it does not succeed.

use hanse_state::{Halt, StateError};
use hanse_types::{Status, limits};

/// A call that failed. Everything here goes into the receipt, so it is the same on every node: no text of an engine, no
/// address of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How it failed.
    pub status: Status,
    /// The contract's own code, for [`Status::Reverted`].
    pub code: u32,
    /// The error's fields in Borsh, for [`Status::Reverted`].
    pub fields: Vec<u8>,
    /// What went wrong, for people.
    pub message: String,
}

impl Failure {
    /// A failure that the contract did not choose.
    pub fn new(status: Status, message: impl Into<String>) -> Failure {
        let mut message = message.into();
        truncate(&mut message, limits::MESSAGE_BYTES);
        Failure { status, code: 0, fields: Vec::new(), message }
    }

    /// An error of a contract.
    pub fn reverted(code: u32, fields: Vec<u8>) -> Failure {
        Failure { status: Status::Reverted, code, fields, message: String::new() }
    }

    /// The gas limit was reached.
    pub fn out_of_gas() -> Failure {
        Failure::new(Status::OutOfGas, "")
    }

    /// What a calling contract finds in its buffer: for an error of the contract its code (4 bytes, little-endian) and
    /// fields, otherwise the message.
    pub(crate) fn to_buffer(&self) -> Vec<u8> {
        if self.status == Status::Reverted {
            return [&self.code.to_le_bytes()[..], &self.fields].concat();
        }
        self.message.clone().into_bytes()
    }
}

/// Why a call stops before it returned. In boxes: it is part of nearly every result, and nearly never there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It failed; the caller goes on, or the transaction has a receipt that says so.
    Failed(Box<Failure>),
    /// The whole execution ends without a receipt.
    Halted(Box<Halt>),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(Box::new(failure))
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Stop {
        Stop::Halted(Box::new(halt))
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Stop {
        Halt::from(error).into()
    }
}

/// Cuts a text to so many bytes, at a character's end.
fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        let failure = Failure::new(Status::Panicked, "é".repeat(limits::MESSAGE_BYTES));
        assert_eq!(failure.message.len(), limits::MESSAGE_BYTES);
        let failure = Failure::new(Status::Panicked, format!("x{}", "é".repeat(limits::MESSAGE_BYTES)));
        assert_eq!(failure.message.len(), limits::MESSAGE_BYTES - 1);
    }
}
