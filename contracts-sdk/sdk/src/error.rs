//! Errors of a contract: a code and fields. Their texts live in the ABI.

use core::fmt::Debug;

use crate::data::Encoded;

/// An error that `#[error]` made.
#[diagnostic::on_unimplemented(
    message = "a method can't fail with `{Self}`",
    label = "this is not an error that the ABI describes",
    note = "write `#[error]` above the enum, and `#[msg(\"…\")]` above each of its variants"
)]
pub trait ContractError: Sized + Debug + PartialEq {
    /// The number that stands for the variant, in receipts and in the ABI.
    fn code(&self) -> u32;

    /// Appends the variant's fields, Borsh-encoded one after another.
    fn write_fields(&self, out: &mut Encoded);

    /// The error with this code and these fields, if it is one of this type.
    fn decode(code: u32, fields: &[u8]) -> Option<Self>;
}

/// The error of methods that return no `Result`: there is no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl ContractError for Never {
    fn code(&self) -> u32 {
        match *self {}
    }

    fn write_fields(&self, _out: &mut Encoded) {
        match *self {}
    }

    fn decode(_code: u32, _fields: &[u8]) -> Option<Self> {
        None
    }
}
