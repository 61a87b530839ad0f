//! The border to the machine: every host function, in safe Rust.
//!
//! Contracts use the typed parts of the SDK instead. What each function does and costs is in [`hanse_abi::host`].

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use native::*;
#[cfg(target_arch = "wasm32")]
pub use wasm::*;
