//! Test contracts natively, without a node, in microseconds a call.
//!
//! ```
//! use hanse_sdk::prelude::*;
//! use hanse_sdk_testing::World;
//!
//! #[contract]
//! pub struct Till {
//!     taken: Counter<u64>,
//! }
//!
//! #[methods]
//! impl Till {
//!     pub fn take(&mut self, amount: u64) {
//!         self.taken.add(amount);
//!     }
//!
//!     pub fn total(&self) -> u64 {
//!         self.taken.get()
//!     }
//! }
//!
//! let world = World::new();
//! let [alice, bob] = world.accounts(["alice", "bob"]);
//! let till = world.deploy(alice, TillClient::deploy());
//! till.by(alice).take(2).expect_ok();
//! till.by(bob).take(3).expect_ok();
//! assert_eq!(till.total(), 5);
//! world.block([till.by(alice).take(1), till.by(bob).take(1)]).assert_parallel();
//! ```
//!
//! A [`World`] holds accounts, contracts and their state, height and time. Calls go through the same bytes as on a chain:
//! arguments are encoded, the generated entry decodes them, what fails is undone. Each call records its events, the keys
//! it touched, and the gas that host functions cost; instructions, which only a real machine counts, are not in it.
//!
//! A world belongs to one thread; tests that run on several threads each have their own. It knows nothing of blocks beyond
//! their height, time and hash, of signatures of transactions, of system contracts, or of who may deploy.
//!
//! `hanse contract test` runs the same tests twice, the second time with the real machine beside each world: every
//! deployment and call is run by the contract's WebAssembly module too, and a test fails where that does something else.
//!
//! Start reading at [`World`], then [`Call`] and [`Outcome`]. Inside, each module uses only those before it: `panics`,
//! `access`, `record`; `ledger`, which holds a world; `frame`, what a contract sees of it; `execution`; `mirror`, the real
//! machine; `chain`, which runs on both; `call`, `block`, `world`.

mod access;
mod block;
mod call;
mod chain;
mod execution;
mod frame;
mod ledger;
mod mirror;
mod panics;
mod record;
mod world;

pub use access::{Access, AccessSet};
pub use block::BlockReport;
pub use call::{Call, Contract, ErasedCall, Outcome};
pub use world::World;
