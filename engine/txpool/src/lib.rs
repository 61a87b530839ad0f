//! Transactions that wait, and when a batch is ready.
//!
//! [`Pool`] admits transactions or says why not ([`Refusal`]), keeps them in the order of their arrival, hands out
//! batches, and gets every transaction of a batch back: as committed, or returned because its block failed. A
//! transaction that was admitted leaves the pool in exactly one of two ways: in a committed block, or dropped with a
//! reason.
//!
//! What makes a transaction includable is in [`admission`], as functions of the transaction, the parameters, the
//! chain's [`History`] and the block's place alone, so that a proposer and those who check its block judge alike.
//!
//! The promise behind it is that no transaction is executed twice: its identity covers all that was signed, it is
//! valid for a bounded time and a bounded number of blocks, and the history remembers the committed identities that are still valid.
//!
//! What it holds can outlive the process: it says what is to be kept elsewhere, under which number, and which numbers are
//! done with ([`Pool::keep`], [`Pool::oldest`]); a new pool takes that in again ([`Pool::restore`]). Transactions go out in
//! the order of those numbers, so what is done with is always a beginning of them.
//!
//! Where others make blocks too, "expired" is said when the chain says so ([`Pool::of_several`]), and what they pass on before
//! the block that it refers to is here is judged when it is ([`Pool::admit_early`]).
//!
//! Transactions by which the node may have failed are given out apart from others ([`suspicion`]).
//!
//! It does no I/O and reads no clock: time comes in as an argument. It does not know signatures (a
//! [`Verified`](hanse_types::Verified) transaction has a good one), blocks under way, consensus or storage.
//!
//! Start reading at [`admission`], then [`Pool`].

pub mod admission;
mod early;
mod history;
mod lapsed;
mod listing;
mod pool;
mod refusal;
mod sealing;
pub mod suspicion;

pub use admission::Place;
pub use history::{CommittedBlock, History, NotNext, REF_BLOCKS_MAX};
pub use listing::Listed;
pub use pool::{Arrival, Kept, Pool, PoolLimits, PoolStatus};
pub use refusal::{BlockRefusal, Refusal, Retry};
pub use sealing::{Dropped, Sealed};
pub use suspicion::Suspicion;
