//! How an executed transaction or a nested call ended: one table for receipts, RPC, SDKs and docs.

use borsh::{BorshDeserialize, BorshSerialize};

/// The outcome of an execution. Part of the receipt, and so of consensus: a code never changes its meaning.
///
/// A transaction that is refused *before* it reaches a block has no status: the pool's errors speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Status {
    /// The call returned; its writes, adds and events count.
    Success = 0,
    /// The contract refused with an error of its own: code and fields are in the receipt.
    Reverted = 1,
    /// The contract panicked; message, file and line are in the receipt.
    Panicked = 2,
    /// The contract did what WebAssembly forbids: unreachable, out-of-bounds access, division by zero, … All of these
    /// but `unreachable` use up all gas of the call, for the engine has lost count of it.
    Trapped = 3,
    /// The gas limit was reached.
    OutOfGas = 4,
    /// A limit other than gas was passed: call depth, stack, memory, value or key size, event count, …
    LimitExceeded = 5,
    /// No contract at that address or under that name.
    ContractNotFound = 6,
    /// The contract has no such method.
    MethodNotFound = 7,
    /// The contract is frozen.
    Frozen = 8,
    /// The contract was revoked for good.
    Revoked = 9,
    /// The caller may not do this.
    PermissionDenied = 10,
    /// The arguments do not decode to what the method takes.
    InvalidArguments = 11,
    /// A commutative add would leave its bounds and the contract did not handle it.
    OutOfBounds = 12,
    /// A contract that is already on the call stack was called again without allowing it.
    Reentrancy = 13,
    /// A view tried to change state, or the stored bytes are not what the operation needs.
    InvalidOperation = 14,
}

impl Status {
    /// Every status, in the order of the codes.
    pub const ALL: [Status; 15] = [
        Status::Success,
        Status::Reverted,
        Status::Panicked,
        Status::Trapped,
        Status::OutOfGas,
        Status::LimitExceeded,
        Status::ContractNotFound,
        Status::MethodNotFound,
        Status::Frozen,
        Status::Revoked,
        Status::PermissionDenied,
        Status::InvalidArguments,
        Status::OutOfBounds,
        Status::Reentrancy,
        Status::InvalidOperation,
    ];

    /// The stable number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this number.
    pub fn from_code(code: u8) -> Option<Status> {
        Status::ALL.get(usize::from(code)).copied()
    }

    /// The stable name, as RPC and docs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Reverted => "reverted",
            Status::Panicked => "panicked",
            Status::Trapped => "trapped",
            Status::OutOfGas => "out_of_gas",
            Status::LimitExceeded => "limit_exceeded",
            Status::ContractNotFound => "contract_not_found",
            Status::MethodNotFound => "method_not_found",
            Status::Frozen => "frozen",
            Status::Revoked => "revoked",
            Status::PermissionDenied => "permission_denied",
            Status::InvalidArguments => "invalid_arguments",
            Status::OutOfBounds => "out_of_bounds",
            Status::Reentrancy => "reentrancy",
            Status::InvalidOperation => "invalid_operation",
        }
    }

    /// Whether the execution's writes count.
    pub const fn is_success(self) -> bool {
        matches!(self, Status::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_positions_in_the_table() {
        for (code, status) in Status::ALL.iter().enumerate() {
            assert_eq!(usize::from(status.code()), code);
            assert_eq!(Status::from_code(status.code()), Some(*status));
        }
        assert_eq!(Status::from_code(Status::ALL.len() as u8), None);
    }
}
