//! Additions to one counter: the hottest key there can be, and nothing to wait for.

use anyhow::Result;

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// Additions of 1.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn adds(world: &mut World) -> Result<Make> {
    let counter = world.deploy(Source::Shipped, "counter", &())?;
    Ok(Box::new(move |draw: &mut Draw<'_>| call(draw.account(), counter, "add", &(1u64,))))
}
