//! Run one transaction: WebAssembly or native, behind the same host interface; holds the system contracts.
//!
//! A [`Vm`] takes a transaction, the block it runs in and a door to the state ([`hanse_state::StateAccess`]), and gives
//! what the transaction did. It promises that the answer follows from these and nothing else: the same on every node, at
//! every time, under every load. A call can't see what another call left in memory, can't name another contract's keys,
//! and can't run longer than its gas.
//!
//! It knows nothing of blocks' making, of threads or of disks (but for its cache of compiled code), and nothing of the
//! scheduler.
//!
//! Without the feature `wasm` native contracts run and no others: for simulators, never for a node.
//!
//! Start reading at [`vm`], then [`runner`] for transactions, `session.rs` for calls inside calls, `host.rs` for what a contract can do, [`native`] and
//! [`system`] for contracts in Rust, and `wasm.rs` for all others; [`trace`] looks inside a transaction.

// Half of the host interface has no caller then.
#![cfg_attr(not(feature = "wasm"), allow(dead_code))]

pub mod context;
mod contract;
pub mod failure;
mod host;
mod machine;
pub mod native;
pub mod runner;
mod sample;
mod session;
pub mod system;
pub mod trace;
pub mod vm;
mod wasm;

pub use context::BlockContext;
pub use failure::{Failure, Stop};
pub use runner::Runner;
pub use sample::{SAMPLE, Watch};
pub use session::Entry;
pub use trace::Trace;
pub use vm::{Query, Vm, VmConfig, contract_address};
pub use wasm::{EngineError, InvalidModule, Rules, abi_of};
