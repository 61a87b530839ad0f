//! A world for consensus engines: seeded time, network, disks, adversaries, checkers.
//!
//! One number gives one run. In it, nodes with the real engine ([`hanse_consensus::Bft`]), the real signer, journal and
//! guard live over virtual disks and a virtual network: messages get lost, doubled, late and out of order, links are cut
//! in all shapes, nodes crash, also in the middle of a write, stand still or are slow; disks fill up or fail to sync;
//! clocks differ, jump and stop; records of votes get lost, damaged or put back; less than a third of the validators do
//! what they like, in thirteen ways. After a while of virtual time everything heals, and every honest node has to commit
//! three more blocks within a bounded time; in some runs for one client only, which tells one node and nobody else, and sends
//! nothing more before it has its answer.
//!
//! After every step it is checked that no two honest nodes decide differently, blocks are linked, made by whose turn it
//! was, what running them gives, and their certificates good; that nobody honest signs two statements for one position
//! over all its lives, prevotes against its lock, precommits without a polka, sends what is not on its disk, or falls
//! silent though its disk lost nothing; that no transaction is executed twice, nobody honest is accused, and nothing
//! grows without bounds.
//!
//! In most runs blocks are run and kept by a stand-in, as it is consensus that is tried. In a share of the seeds nodes are
//! whole: the real replica, pool, scheduler, native contracts and ledger run in them (`real`), every decided block is run
//! again in a plain loop, and at the end the ledgers are compared, and what clients were promised is looked for: each
//! transaction that a node had taken to keep is in the chain, or recorded as dropped and in no block, or waits there.
//!
//! A run that fails prints the command that replays it, with all that happens in it ([`command`]); `--minimise N` makes it
//! shorter, and prints the command for what is left ([`minimise`]). `scripts/simulate` runs all stages; `--bench` and
//! `--figures` measure ([`figures`]).
//!
//! Beside the seeds there are searches through small cases, in order and counted: every state of two rounds ([`model`]),
//! every division of a group in which one validator runs twice ([`twins`]), a crash at every effect of a node ([`crash`]).
//!
//! Start reading at `world`, then `scenario`, `oracle`, `byzantine`.

mod byzantine;
mod cluster;
pub mod crash;
mod cut;
mod disk;
mod drive;
mod execution;
pub mod figures;
mod keys;
pub mod minimise;
pub mod model;
mod network;
mod node;
mod oracle;
mod random;
mod real;
mod scenario;
mod small;
mod trace;
pub mod twins;
mod world;

pub use scenario::Plan;
pub use world::{Decision, Summary};

use hanse_consensus::bft::Bugs;
use scenario::Scenario;
use world::World;

/// Runs a seed as a plan has it.
pub fn run(seed: u64, plan: Plan) -> Summary {
    World::new(Scenario::of(seed, plan), Bugs::default(), false).run()
}

/// Runs a seed and prints what happens.
pub fn trace(seed: u64, plan: Plan) -> Summary {
    World::new(Scenario::of(seed, plan), Bugs::default(), true).run()
}

/// Runs a seed with a mistake in every node.
#[cfg(feature = "injected-bugs")]
pub fn run_with(seed: u64, plan: Plan, bug: hanse_consensus::bft::Bug) -> Summary {
    World::new(Scenario::of(seed, plan), Bugs::only(bug), false).run()
}

/// What replays a seed.
pub fn command(seed: u64, plan: Plan) -> String {
    format!("cargo run --release -p hanse-simulator -- --seed {seed} --plan {plan}")
}
