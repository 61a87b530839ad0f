//! Write contracts for Hanse.
//!
//! A contract is a struct of storage fields and an `impl` of methods:
//!
//! ```
//! use hanse_sdk::prelude::*;
//!
//! #[contract]
//! pub struct Till {
//!     taken: Counter<u64>,
//! }
//!
//! #[methods]
//! impl Till {
//!     /// Takes an amount. Any number of callers can do so in parallel.
//!     pub fn take(&mut self, amount: u64) {
//!         self.taken.add(amount);
//!     }
//!
//!     /// What was taken so far.
//!     pub fn total(&self) -> u64 {
//!         self.taken.get()
//!     }
//! }
//! ```
//!
//! The attributes turn each public method into an export of the WebAssembly module, write the ABI document into it, and
//! generate a client (`TillClient`) that tests and other contracts use. Nothing is read from state but what a method
//! touches; a method that returns `Err`, or panics, changes nothing.
//!
//! On WebAssembly the crate is `no_std`, brings allocator and panic handler, and reaches the host by imports. Anywhere
//! else the host is whatever [`host::enter`] installed on this thread, which is how `hanse-sdk-testing` runs contracts
//! natively. It knows nothing of blocks, nodes or gas.
//!
//! Start reading at [`prelude`], then [`storage`]; [`host`] is the border to the machine.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod client;
pub mod context;
pub mod crypto;
pub mod data;
pub mod entry;
pub mod error;
pub mod event;
pub mod host;
#[cfg(target_arch = "wasm32")]
mod runtime;
pub mod storage;

pub use hanse_abi as abi;

/// All that a contract usually needs.
pub mod prelude {
    pub use alloc::string::String;
    pub use alloc::vec;
    pub use alloc::vec::Vec;

    pub use hanse_abi::{Address, Status};
    pub use hanse_sdk_macros::{contract, data, error, event, interface, methods};

    pub use crate::client::{CallError, Remote};
    pub use crate::context::Ctx;
    pub use crate::crypto::{Algorithm, block_hash, sha256, verify};
    pub use crate::ensure;
    pub use crate::error::ContractError;
    pub use crate::event::emit;
    pub use crate::host::debug;
    pub use crate::storage::{Counter, Item, Map, OrderedMap, OutOfBounds, Row, Set, Table};
}

/// Returns the error unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::From::from($error));
        }
    };
}
