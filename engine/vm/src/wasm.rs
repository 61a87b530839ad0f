//! WebAssembly contracts: what is accepted, how it is compiled, how a call is isolated.
//!
//! Read [`validate`] for the rules, [`effort`] for what compiling costs, [`instrument`] for what is put into code, [`imports`] for the doors, [`engine`] for the
//! settings on which determinism and speed rest, [`ready`] for one call, and [`instance`] for why it is isolated.

mod abi;
mod artifacts;
mod contract;
pub(crate) mod effort;
mod engine;
mod imports;
mod instance;
mod instrument;
mod places;
mod ready;
mod validate;

pub(crate) use artifacts::ArtifactCache;
pub(crate) use contract::WasmContract;
pub use engine::EngineError;
pub(crate) use engine::{Engine, kept_max};
pub(crate) use places::{Place, Places};
pub(crate) use ready::{AtHand, Ready};
pub use validate::abi_of;
pub(crate) use validate::validate;
pub use validate::{InvalidModule, Rules};
