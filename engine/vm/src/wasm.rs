//! WebAssembly contracts: what is accepted, how it is compiled, how a call is isolated.
//!
//! Read [`validate`] for the rules, [`effort`] for what compiling costs, [`instrument`] for what is put into code, [`imports`] for the doors, [`engine`] for the
//! settings on which determinism and speed rest, [`ready`] for one call, and [`instance`] for why it is isolated.

mod abi;
#[cfg(not(feature = "wasm"))]
mod absent;
#[cfg(feature = "wasm")]
mod artifacts;
#[cfg(feature = "wasm")]
mod contract;
pub(crate) mod effort;
#[cfg(feature = "wasm")]
mod engine;
#[cfg(feature = "wasm")]
mod imports;
#[cfg(feature = "wasm")]
mod instance;
mod instrument;
mod places;
#[cfg(feature = "wasm")]
mod ready;
mod validate;

#[cfg(not(feature = "wasm"))]
pub use absent::EngineError;
#[cfg(not(feature = "wasm"))]
pub(crate) use absent::{ArtifactCache, AtHand, Engine, Ready, WasmContract, kept_max};
#[cfg(feature = "wasm")]
pub(crate) use artifacts::ArtifactCache;
#[cfg(feature = "wasm")]
pub(crate) use contract::WasmContract;
#[cfg(feature = "wasm")]
pub use engine::EngineError;
#[cfg(feature = "wasm")]
pub(crate) use engine::{Engine, kept_max};
pub(crate) use places::{Place, Places};
#[cfg(feature = "wasm")]
pub(crate) use ready::{AtHand, Ready};
pub use validate::abi_of;
pub(crate) use validate::validate;
pub use validate::{InvalidModule, Rules};
