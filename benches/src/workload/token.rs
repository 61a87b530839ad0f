//! Transfers: of the token contract, and of the chain's own asset. Payers are read and written, payees added to.

use anyhow::Result;
use hanse_types::Address;
use hanse_vm::system::account;

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// What every account has of the token at the start; never used up.
const BALANCE: u128 = 1 << 80;

/// Transfers of the token contract.
///
/// # Errors
/// If it can't be built or deployed.
pub fn wasm(world: &mut World) -> Result<Make> {
    let supply = (world.accounts.len() as u128 + 1) * BALANCE;
    let token = world.deploy(Source::Shipped, "token", &(supply,))?;
    let pay = |to: &Address| call(World::operator(), token, "transfer", &(*to, BALANCE));
    world.run(world.accounts.iter().map(pay).collect())?;
    Ok(transfers_of(token))
}

/// Transfers of the chain's own asset, by native code.
pub fn native() -> Make {
    transfers_of(account::ADDRESS)
}

fn transfers_of(contract: Address) -> Make {
    Box::new(move |draw: &mut Draw<'_>| {
        let (from, to) = draw.two_accounts();
        let amount = u128::from(1 + draw.random.below(1_000));
        call(from, contract, "transfer", &(to, amount))
    })
}
