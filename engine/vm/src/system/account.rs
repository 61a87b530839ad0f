//! `account`: the chain's own asset. Payers are read and written, payees only added to, so payments to one popular payee
//! run in parallel.

use hanse_abi::{Event, Status};
use hanse_types::{Address, Genesis};

use super::{InitialState, key_of, own_key, params, put};
use crate::failure::{Failure, Stop};
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};

/// Its address.
pub const ADDRESS: Address = Address::native(1);

/// Error 1: the balance is less than the amount.
pub const INSUFFICIENT_BALANCE: u32 = 1;
/// Error 2: the account exists.
pub const ACCOUNT_EXISTS: u32 = 2;

/// The contract.
pub struct Account;

impl NativeContract for Account {
    fn number(&self) -> u16 {
        1
    }

    fn name(&self) -> &'static str {
        "account"
    }

    fn abi(&self) -> &'static str {
        include_str!("account.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "balance_of" | "label_of" | "supply")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "transfer" => transfer(host, arguments(input)?),
            "balance_of" => balance_of(host, arguments(input)?),
            "create_account" => create_account(host, arguments(input)?),
            "label_of" => label_of(host, arguments(input)?),
            "issue" => issue(host, arguments(input)?),
            "supply" => supply(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

fn balance_key(owner: &Address) -> Vec<u8> {
    own_key("balances", &owner.0)
}

fn transfer(host: &mut Host, (to, amount): (Address, u128)) -> Result<Vec<u8>, Stop> {
    let from = host.context()?.caller;
    let key = balance_key(&from);
    let have: u128 = host.load(&key)?.unwrap_or(0);
    let Some(left) = have.checked_sub(amount) else {
        return Err(Failure::reverted(INSUFFICIENT_BALANCE, encode(&(have, amount))).into());
    };
    host.store(&key, &left)?;
    credit(host, &to, amount)?;
    emit(host, "Transfer", [&from, &to], amount)
}

fn credit(host: &mut Host, to: &Address, amount: u128) -> Result<(), Stop> {
    let Ok(amount) = i128::try_from(amount) else {
        return refuse(Status::OutOfBounds, "the amount is above 2^127");
    };
    if !host.add(&balance_key(to), amount)? {
        return refuse(Status::OutOfBounds, "the payee's balance would leave its range");
    }
    Ok(())
}

fn emit(host: &mut Host, name: &str, topics: [&Address; 2], amount: u128) -> Result<Vec<u8>, Stop> {
    let topics = topics.iter().map(|address| address.0.to_vec()).collect();
    host.emit(Event { name: name.to_owned(), topics, data: encode(&amount) })?;
    Ok(Vec::new())
}

fn balance_of(host: &mut Host, (owner,): (Address,)) -> Result<Vec<u8>, Stop> {
    let balance: u128 = host.load(&balance_key(&owner))?.unwrap_or(0);
    Ok(encode(&balance))
}

fn create_account(host: &mut Host, (account, label): (Address, String)) -> Result<Vec<u8>, Stop> {
    let key = own_key("labels", &account.0);
    if host.get(&key)?.is_some() {
        return Err(Failure::reverted(ACCOUNT_EXISTS, encode(&account)).into());
    }
    host.store(&key, &label)?;
    host.emit(Event { name: "AccountCreated".into(), topics: vec![account.0.to_vec()], data: encode(&label) })?;
    Ok(Vec::new())
}

fn label_of(host: &mut Host, (account,): (Address,)) -> Result<Vec<u8>, Stop> {
    let label: Option<String> = host.load(&own_key("labels", &account.0))?;
    Ok(encode(&label))
}

fn issue(host: &mut Host, (to, amount): (Address, u128)) -> Result<Vec<u8>, Stop> {
    let caller = host.context()?.caller;
    params::check_administrator(host, &caller)?;
    let signed = i128::try_from(amount).unwrap_or(i128::MAX);
    if !host.add(&own_key("supply", &[]), signed)? {
        return refuse(Status::OutOfBounds, "the supply would leave its range");
    }
    credit(host, &to, amount)?;
    emit(host, "Issued", [&caller, &to], amount)
}

fn supply(host: &mut Host, (): ()) -> Result<Vec<u8>, Stop> {
    let supply: u128 = host.load(&own_key("supply", &[]))?.unwrap_or(0);
    Ok(encode(&supply))
}

pub(super) fn at_genesis(genesis: &Genesis, state: &mut InitialState) {
    let mut supply = 0u128;
    for account in &genesis.accounts {
        put(state, key_of(&ADDRESS, "balances", &account.address.0), &account.balance);
        supply = supply.saturating_add(account.balance);
    }
    put(state, key_of(&ADDRESS, "supply", &[]), &supply);
}
