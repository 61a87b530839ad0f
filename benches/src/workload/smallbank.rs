//! The six procedures of SmallBank (Alomari et al., 2008), in equal shares.

use anyhow::Result;
use hanse_types::{Address, Transaction};

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// What every customer has in each account at the start. An amalgamation empties accounts, so some calls are refused:
/// that is part of the workload.
const BALANCE: u64 = 1 << 40;

/// The mix.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn mix(world: &mut World) -> Result<Make> {
    let bank = world.deploy(Source::Shipped, "smallbank", &())?;
    let open = |customer| call(World::operator(), bank, "open", &(customer, BALANCE, BALANCE));
    world.run((0..world.accounts.len() as u64).map(open).collect())?;
    Ok(Box::new(move |draw: &mut Draw<'_>| procedure(bank, draw)))
}

fn procedure(bank: Address, draw: &mut Draw<'_>) -> Transaction {
    let (one, two) = draw.two_ranks();
    let (customer, other) = (one as u64, two as u64);
    let amount = 1 + draw.random.below(1_000);
    let caller = draw.account_at(one);
    match draw.random.below(6) {
        0 => call(caller, bank, "balance", &(customer,)),
        1 => call(caller, bank, "deposit_checking", &(customer, amount)),
        2 => call(caller, bank, "transact_savings", &(customer, -(amount as i64))),
        3 => call(caller, bank, "amalgamate", &(customer, other)),
        4 => call(caller, bank, "write_check", &(customer, amount)),
        _ => call(caller, bank, "send_payment", &(customer, other, amount)),
    }
}
