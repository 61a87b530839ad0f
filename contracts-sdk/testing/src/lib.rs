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
//! their height, time and hash, of signatures of transactions, or of who may deploy.
//!
//! Start reading at [`World`], then [`Call`] and [`Outcome`].

mod access;
mod backend;
mod block;
mod call;
mod panics;
mod state;
mod world;

pub use access::{Access, AccessSet};
pub use block::BlockReport;
pub use call::{Call, Contract, ErasedCall, Outcome};
pub use world::World;
