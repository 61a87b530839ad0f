//! Transfers that read and write both balances: among random accounts, and along a ring.

use anyhow::Result;
use hanse_types::Address;

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// What every account has at the start; never used up.
const BALANCE: u128 = 1 << 80;

/// Payments between accounts by the skew.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn random(world: &mut World) -> Result<Make> {
    let contract = deploy(world)?;
    Ok(Box::new(move |draw: &mut Draw<'_>| {
        let (from, to) = draw.two_accounts();
        pay(contract, from, to, draw)
    }))
}

/// Payments of each account to the next: every one needs what the one before wrote.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn chain(world: &mut World) -> Result<Make> {
    let contract = deploy(world)?;
    Ok(Box::new(move |draw: &mut Draw<'_>| {
        let (from, to) = draw.neighbours();
        pay(contract, from, to, draw)
    }))
}

fn pay(contract: Address, from: Address, to: Address, draw: &mut Draw<'_>) -> hanse_types::Transaction {
    let amount = u128::from(1 + draw.random.below(1_000));
    call(from, contract, "pay", &(to, amount))
}

fn deploy(world: &mut World) -> Result<Address> {
    let contract = world.deploy(Source::Bench, "payments", &())?;
    let open = |account: &Address| call(*account, contract, "open", &(BALANCE,));
    world.run(world.accounts.iter().map(open).collect())?;
    Ok(contract)
}
