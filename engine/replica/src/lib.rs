//! One node's mind in one group: pool, consensus and what follows from both, as one state machine.
//!
//! [`Replica::step`] takes an [`Input`] and the time, and answers with [`Output`]s that its driver carries out: execute
//! this batch, check that block, sign this vote, write this block, tell these clients and those peers. Everything slow
//! happens outside, so the mind never waits, and a simulator can be its driver as well as a node.
//!
//! It promises that
//! - every transaction that it accepted ends in exactly one block, or is reported as dropped, with the reason;
//! - no transaction is executed twice;
//! - heights follow one another, block times strictly grow, no block is empty;
//! - a block is decided only when its parent is durable, and at most one block is made ahead of the one being written;
//! - a block that this node has precommitted for can be run again after a crash of all nodes ([`Output::Hold`]);
//! - what a client is promised to outlive the process is given out to be kept before the promise is ([`Output::Keep`]);
//! - after a failure it stops, says why, and gives back what it had accepted.
//!
//! It does no I/O, reads no clock and runs no blocks: batches go out, headers come back, and what else belongs to a
//! block (receipts, access sets, state) is its driver's, by the block's hash.
//!
//! A node that is behind gets the blocks that the others have by [`sync`], and runs them one ahead of the one that is written.
//!
//! Start reading at [`interface`], then [`Replica`], then `blocks`, `ahead` and `catch_up`.

mod ahead;
mod blocks;
mod catch_up;
pub mod interface;
mod replica;
mod suspicion;
pub mod sync;
mod under_way;

pub use blocks::answer;
pub use interface::{Amendments, HaltReason, Input, Output, Shown, Stage, Work};
pub use replica::{Replica, Whereabouts};
pub use suspicion::{Batch, Blamed};
