//! What contract and host both see.
//!
//! A contract (wasm, or native in a test) and the virtual machine that hosts it must agree on a few facts: how an
//! address looks, which functions the host offers and what they cost, how a call ends, how the ABI document reads.
//! Each fact lives here once; the SDK, the virtual machine, the tools and the docs all take it from this crate.
//!
//! It knows nothing of blocks, transactions or storage engines, and is `no_std`, because contracts link it.
//!
//! Start reading at [`host`], the table of host functions.
#![cfg_attr(not(feature = "document"), no_std)]

extern crate alloc;

pub mod address;
#[cfg(feature = "document")]
pub mod document;
pub mod event;
pub mod gas;
pub mod host;
pub mod keys;
pub mod status;

pub use address::Address;
pub use event::Event;
pub use status::Status;
