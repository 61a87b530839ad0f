//! Additions to one counter: the hottest key there can be, and nothing to wait for.

use anyhow::Result;
use hanse_types::Transaction;

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{Frozen, World, call};

/// Additions of 1.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn adds(world: &mut World) -> Result<Make> {
    let counter = world.deploy(Source::Shipped, "counter", &())?;
    Ok(Box::new(move |draw: &mut Draw<'_>| call(draw.account(), counter, "add", &(1u64,))))
}

/// A contract that does nothing, and a call of it.
pub struct Empty {
    /// The state that has it.
    pub world: Frozen,
    /// The call.
    pub transaction: Transaction,
}

/// A contract with one empty method and so many pages of memory: what a call costs before it does anything.
///
/// # Errors
/// If it can't be deployed.
pub fn empty(pages: u32) -> Result<Empty> {
    let text = format!(r#"(module (memory (export "memory") {pages}) (func (export "hanse.nothing")))"#);
    let mut world = World::new(1, 1)?;
    let contract = world.deploy_module("empty", &wat::parse_str(text)?, Vec::new())?;
    let transaction = call(World::operator(), contract, "nothing", &());
    Ok(Empty { world: world.freeze(), transaction })
}
