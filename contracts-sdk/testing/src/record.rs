//! What one transaction did.

use hanse_abi::host::{FIRST_RESERVED_CODE, INVALID_ARGUMENTS_CODE, OUT_OF_BOUNDS_CODE};
use hanse_abi::{Address, Event, Status};
use hanse_types::Value;

use crate::access::AccessSet;

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// What it returned.
    pub(crate) output: Vec<u8>,
    /// Code and fields of the contract's own error.
    pub(crate) code: u32,
    pub(crate) fields: Vec<u8>,
    /// What is to be said about a failure that is not the contract's own error.
    pub(crate) message: String,
}

impl Ended {
    pub(crate) fn returned(output: Vec<u8>) -> Ended {
        Ended { status: Status::Success, output, code: 0, fields: Vec::new(), message: String::new() }
    }

    pub(crate) fn failed(status: Status, message: impl Into<String>) -> Ended {
        Ended { status, output: Vec::new(), code: 0, fields: Vec::new(), message: message.into() }
    }

    /// Some codes are not the contract's own, but those that every contract has.
    pub(crate) fn reverted(code: u32, fields: Vec<u8>) -> Ended {
        match code {
            INVALID_ARGUMENTS_CODE => {
                let number = fields.first().copied().unwrap_or_default();
                Ended::failed(Status::InvalidArguments, format!("argument {number} does not decode"))
            }
            OUT_OF_BOUNDS_CODE => Ended::failed(Status::OutOfBounds, "an addition left its bounds"),
            FIRST_RESERVED_CODE.. => {
                Ended::failed(Status::InvalidOperation, format!("the error code {code} is reserved"))
            }
            code => Ended { status: Status::Reverted, output: Vec::new(), code, fields, message: String::new() },
        }
    }
}

/// What one transaction did.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// `Token.transfer by alice`, for messages.
    pub(crate) label: String,
    pub(crate) ended: Ended,
    pub(crate) events: Vec<(Address, Event)>,
    pub(crate) access: AccessSet,
    /// Keys whose value is another now, in order, with that value.
    pub(crate) changes: Vec<(Vec<u8>, Option<Value>)>,
    pub(crate) gas: u64,
}
