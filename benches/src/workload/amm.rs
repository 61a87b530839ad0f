//! Swaps in one constant-product pool: every price depends on the swap before.

use anyhow::Result;
use hanse_types::{Address, Transaction};

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// What the pool holds of each currency at the start.
const RESERVE: u64 = 1 << 50;
/// What every trader has of each currency at the start.
const FUNDS: u64 = 1 << 40;

/// Small swaps in both directions.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn swaps(world: &mut World) -> Result<Make> {
    let pool = world.deploy(Source::Shipped, "amm", &())?;
    world.run(both_sides(pool, World::operator(), RESERVE).collect())?;
    world.run(vec![call(World::operator(), pool, "add_liquidity", &(RESERVE, RESERVE))])?;
    world.run(world.accounts.iter().flat_map(|trader| both_sides(pool, *trader, FUNDS)).collect())?;
    Ok(Box::new(move |draw: &mut Draw<'_>| {
        let side = draw.random.below(2) as u8;
        let amount = 1 + draw.random.below(1_000);
        call(draw.account(), pool, "swap", &(side, amount, 0u64))
    }))
}

fn both_sides(pool: Address, trader: Address, amount: u64) -> impl Iterator<Item = Transaction> {
    (0..2u8).map(move |side| call(World::operator(), pool, "credit", &(trader, side, amount)))
}
