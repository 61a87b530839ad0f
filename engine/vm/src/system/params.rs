//! `params`: what governance may change while the chain lives, and who may. A change counts from the next block on.

use hanse_abi::{Event, Status};
use hanse_state::{StateError, StateView};
use hanse_types::{Address, Gas, Genesis, Params};

use super::{InitialState, key_of, own_key, put};
use crate::failure::Stop;
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};

/// Its address.
pub const ADDRESS: Address = Address::native(4);

/// Most administrators.
const ADMINISTRATORS_MAX: usize = 64;

/// The contract.
pub struct ParamsContract;

impl NativeContract for ParamsContract {
    fn number(&self) -> u16 {
        4
    }

    fn name(&self) -> &'static str {
        "params"
    }

    fn abi(&self) -> &'static str {
        include_str!("params.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "get" | "administrators")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "get" => get(host, arguments(input)?),
            "set" => set(host, arguments(input)?),
            "administrators" => administrators_of(host, arguments(input)?),
            "add_administrator" => add_administrator(host, arguments(input)?),
            "remove_administrator" => remove_administrator(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

/// The parameters as a block's parent left them; what the block is made and checked by.
///
/// # Errors
/// If the state can't be read, or has no parameters.
pub fn load(state: &dyn StateView) -> Result<Params, StateError> {
    let key = key_of(&ADDRESS, "params", &[]);
    let damaged = |reason: &str| StateError::Damaged { place: "the chain's parameters".into(), reason: reason.into() };
    let value = state.get(&key)?.ok_or_else(|| damaged("they are missing"))?;
    borsh::from_slice(&value).map_err(|error| damaged(&error.to_string()))
}

fn current(host: &mut Host) -> Result<Params, Stop> {
    match host.load(&own_key("params", &[]))? {
        Some(params) => Ok(params),
        None => refuse(Status::InvalidOperation, "the chain has no parameters"),
    }
}

fn get(host: &mut Host, (): ()) -> Result<Vec<u8>, Stop> {
    Ok(encode(&current(host)?))
}

fn set(host: &mut Host, (name, value): (String, u64)) -> Result<Vec<u8>, Stop> {
    let caller = host.context()?.caller;
    check_administrator(host, &caller)?;
    let mut params = current(host)?;
    if let Err(message) = set_by_name(&mut params, &name, value) {
        return refuse(Status::InvalidArguments, message);
    }
    host.store(&own_key("params", &[]), &params)?;
    host.emit(Event { name: "ParameterSet".into(), topics: vec![encode(&name)], data: encode(&value) })?;
    Ok(Vec::new())
}

/// Sets a parameter by its name; booleans are 0 and 1.
///
/// The window of reference blocks never grows: a node knows as many blocks' hashes as the genesis asks for, and more only as
/// long as it runs, so a block that refers to an older one would be good for some validators and bad for others. And which transactions
/// older blocks held is forgotten.
fn set_by_name(params: &mut Params, name: &str, value: u64) -> Result<(), String> {
    let narrow = |value: u64| u32::try_from(value).map_err(|_| format!("{name} can't be {value}"));
    let flag = |value: u64| match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(format!("{name} is 0 or 1, not {value}")),
    };
    match name {
        "block_tx_count_max" => params.block_tx_count_max = narrow(value)?,
        "block_bytes_max" => params.block_bytes_max = value,
        "block_interval_ms" => params.block_interval_ms = value,
        "tx_gas_max" => params.tx_gas_max = Gas(value),
        "tx_lifetime_ms_max" => params.tx_lifetime_ms_max = value,
        "ref_block_window" if value > params.ref_block_window => {
            return Err(format!("{name} is {}, and can only be made shorter", params.ref_block_window));
        }
        "ref_block_window" => params.ref_block_window = value,
        "memory_pages_max" => params.memory_pages_max = narrow(value)?,
        "floats_allowed" => params.floats_allowed = flag(value)?,
        "open_deployment" => params.open_deployment = flag(value)?,
        _ => return Err(format!("there is no parameter {name:?}")),
    }
    params.check().map_err(|error| error.to_string())
}

fn administrators(host: &mut Host) -> Result<Vec<Address>, Stop> {
    // Read by other system contracts too, so by the full key, with the gas of a read.
    host.load_of(&ADDRESS, &own_key("administrators", &[])).map(Option::unwrap_or_default)
}

/// Whether somebody is an administrator, by a view of the state.
pub(super) fn administers(state: &dyn StateView, who: &Address) -> Result<bool, StateError> {
    let list = state.get(&key_of(&ADDRESS, "administrators", &[]))?;
    let list: Option<Vec<Address>> = list.and_then(|list| borsh::from_slice(&list).ok());
    Ok(list.is_some_and(|list| list.contains(who)))
}

/// Refuses whoever is no administrator.
pub(super) fn check_administrator(host: &mut Host, caller: &Address) -> Result<(), Stop> {
    if is_administrator(host, caller)? {
        return Ok(());
    }
    refuse(Status::PermissionDenied, format!("{caller} is no administrator of this chain"))
}

pub(super) fn is_administrator(host: &mut Host, caller: &Address) -> Result<bool, Stop> {
    Ok(administrators(host)?.contains(caller))
}

fn administrators_of(host: &mut Host, (): ()) -> Result<Vec<u8>, Stop> {
    Ok(encode(&administrators(host)?))
}

fn add_administrator(host: &mut Host, (who,): (Address,)) -> Result<Vec<u8>, Stop> {
    change_administrators(host, |list| {
        if list.contains(&who) {
            return Err(format!("{who} is an administrator already"));
        }
        if list.len() >= ADMINISTRATORS_MAX {
            return Err(format!("there are {ADMINISTRATORS_MAX} administrators already"));
        }
        list.push(who);
        Ok(())
    })
}

fn remove_administrator(host: &mut Host, (who,): (Address,)) -> Result<Vec<u8>, Stop> {
    change_administrators(host, |list| {
        if *list == [who] {
            return Err("the last administrator can't be removed".to_owned());
        }
        let before = list.len();
        list.retain(|other| *other != who);
        if list.len() == before { Err(format!("{who} is no administrator")) } else { Ok(()) }
    })
}

fn change_administrators(
    host: &mut Host,
    change: impl FnOnce(&mut Vec<Address>) -> Result<(), String>,
) -> Result<Vec<u8>, Stop> {
    let caller = host.context()?.caller;
    check_administrator(host, &caller)?;
    let mut list = administrators(host)?;
    if let Err(message) = change(&mut list) {
        return refuse(Status::InvalidArguments, message);
    }
    host.store(&own_key("administrators", &[]), &list)?;
    host.emit(Event { name: "AdministratorsChanged".into(), topics: Vec::new(), data: encode(&list) })?;
    Ok(Vec::new())
}

pub(super) fn at_genesis(genesis: &Genesis, state: &mut InitialState) {
    put(state, key_of(&ADDRESS, "params", &[]), &genesis.params);
    put(state, key_of(&ADDRESS, "administrators", &[]), &genesis.administrators);
}
