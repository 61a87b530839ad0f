//! WebAssembly contracts: what is accepted, how it is compiled, how a call is isolated.
//!
//! Read [`validate`] for the rules, [`meter`] for what is put into code, [`imports`] for the doors, [`engine`] for the settings on which determinism and speed
//! rest, and [`contract`] for one call.

mod abi;
mod artifacts;
mod contract;
mod engine;
mod imports;
mod meter;
mod validate;

pub(crate) use artifacts::ArtifactCache;
pub(crate) use contract::WasmContract;
pub(crate) use engine::Engine;
pub use engine::EngineError;
pub use validate::abi_of;
pub(crate) use validate::validate;
pub use validate::{InvalidModule, Rules};
