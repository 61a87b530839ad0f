//! Values as RPC shows them.
//!
//! The chain's own counters (heights, gas, milliseconds) are JSON numbers; they stay below 2⁵³. Numbers of contract
//! data and nonces are decimal strings. Bytes are `0x…`. What a contract's ABI explains is decoded beside the raw
//! bytes; where there is no ABI, or it does not fit, the decoded field is absent. A reader must ignore fields that it
//! does not know.

mod block;
mod chain;
mod contract;
mod dag;
mod event;
mod group;
mod ledger;
mod name;
mod node;
mod pool;
mod state;
mod trace;
mod tx;

pub use block::*;
pub use chain::*;
pub use contract::*;
pub use dag::*;
pub use event::*;
pub use group::*;
pub use ledger::*;
pub use name::*;
pub use node::*;
pub use pool::*;
pub use state::*;
pub use trace::*;
pub use tx::*;
