//! `names`: the naming service. A name belongs to whoever registered it first; each version of it stands for an address.

use hanse_abi::{Event, Status};
use hanse_state::{Halt, StateAccess, StateError, StateView};
use hanse_types::names::NameKind;
use hanse_types::{Address, ContractRef};

use super::{CONTRACTS, InitialState, key_of, lifecycle, own_key, put, read};
use crate::failure::Stop;
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};

/// Its address.
pub const ADDRESS: Address = Address::native(3);

/// The contract.
pub struct Names;

impl NativeContract for Names {
    fn number(&self) -> u16 {
        3
    }

    fn name(&self) -> &'static str {
        "names"
    }

    fn abi(&self) -> &'static str {
        include_str!("names.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "resolve" | "owner_of")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "register" => register(host, arguments(input)?),
            "register_deployed" => register_deployed(host, arguments(input)?),
            "resolve" => resolve_name(host, arguments(input)?),
            "owner_of" => owner_of(host, arguments(input)?),
            "transfer" => transfer(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

/// The address that a name stands for; version 0 is the newest. A recorded read.
///
/// # Errors
/// A halt of the state.
pub fn resolve(state: &mut dyn StateAccess, name: &str, version: u32) -> Result<Option<Address>, Halt> {
    if version == 0 {
        let latest: Option<(Address, u32)> = read(state, &key_of(&ADDRESS, "latest", name.as_bytes()))?;
        return Ok(latest.map(|(address, _)| address));
    }
    read(state, &key_of(&ADDRESS, "versions", &version_element(name, version)))
}

/// The address of a contract in a view of the state, none if its name is not registered.
///
/// # Errors
/// If the state can't be read.
pub fn find(state: &dyn StateView, contract: &ContractRef) -> Result<Option<Address>, StateError> {
    let (name, version) = match contract {
        ContractRef::Address(address) => return Ok(Some(*address)),
        ContractRef::Name { name, version } => (name, *version),
    };
    let key = match version {
        0 => key_of(&ADDRESS, "latest", name.as_bytes()),
        _ => key_of(&ADDRESS, "versions", &version_element(name, version)),
    };
    // Both kinds of entries start with the address.
    let value = state.get(&key)?;
    Ok(value.and_then(|value| value.first_chunk().map(|bytes| Address(*bytes))))
}

fn version_element(name: &str, version: u32) -> Vec<u8> {
    [name.as_bytes(), &[0], &version.to_be_bytes()].concat()
}

/// A name as the state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub name: String,
    /// Who may register its next version; none for names of the chain itself.
    pub owner: Option<Address>,
    /// Its newest version,
    pub version: u32,
    /// and the contract behind that.
    pub address: Address,
}

/// What is recorded of a name, none if it is not registered.
///
/// # Errors
/// If the state can't be read.
pub fn describe(state: &dyn StateView, name: &str) -> Result<Option<Name>, StateError> {
    let Some(latest) = state.get(&key_of(&ADDRESS, "latest", name.as_bytes()))? else { return Ok(None) };
    recorded(state, name, &latest)
}

/// Names in alphabetical order, at most `limit` after one.
///
/// # Errors
/// If the state can't be read.
pub fn list(state: &dyn StateView, after: &str, limit: usize) -> Result<Vec<Name>, StateError> {
    let first = key_of(&ADDRESS, "latest", &[]);
    let start = if after.is_empty() { first.clone() } else { [&first[..], after.as_bytes(), &[0]].concat() };
    let end = [&first[..first.len() - 1], &[1]].concat();
    let found = state.range(&start, &end, limit, false)?;
    let name = |key: &[u8]| String::from_utf8(key[first.len()..].to_vec()).ok();
    let all = found.iter().filter_map(|(key, latest)| Some((name(key)?, latest)));
    all.filter_map(|(name, latest)| recorded(state, &name, latest).transpose()).collect()
}

/// The versions of a name with their contracts, the newest first, at most `limit`.
///
/// # Errors
/// If the state can't be read.
pub fn versions(state: &dyn StateView, name: &str, limit: usize) -> Result<Vec<(u32, Address)>, StateError> {
    let prefix = key_of(&ADDRESS, "versions", &[name.as_bytes(), &[0]].concat());
    let end = [&prefix[..], &[u8::MAX; 5]].concat();
    let found = state.range(&prefix, &end, limit, true)?;
    let version = |key: &[u8]| key.get(prefix.len()..)?.try_into().ok().map(u32::from_be_bytes);
    let address = |value: &[u8]| value.first_chunk().map(|bytes| Address(*bytes));
    Ok(found.iter().filter_map(|(key, value)| Some((version(key)?, address(value)?))).collect())
}

fn recorded(state: &dyn StateView, name: &str, latest: &[u8]) -> Result<Option<Name>, StateError> {
    let Ok((address, version)) = borsh::from_slice::<(Address, u32)>(latest) else { return Ok(None) };
    let owner = state.get(&key_of(&ADDRESS, "owners", name.as_bytes()))?;
    let owner = owner.and_then(|owner| borsh::from_slice(&owner).ok());
    Ok(Some(Name { name: name.to_owned(), owner, version, address }))
}

/// Whether a name may be registered: what a transaction may call a contract by, starting with a letter, so that it never
/// passes for an address.
pub fn is_name(name: &str) -> bool {
    NameKind::Name.check(name).is_ok() && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Registers a version of a name; 0 takes the next one. Whoever owns the name may; a free one becomes the caller's.
/// Returns the version.
fn register(host: &mut Host, (name, version, address): (String, u32, Address)) -> Result<Vec<u8>, Stop> {
    let by = host.context()?.caller;
    register_for(host, &by, name, version, address)
}

/// Registers the next version of a name for whoever deploys a contract under it. Never for the transaction's signer: a
/// contract that somebody calls must not take the caller's names.
fn register_deployed(host: &mut Host, (name, address, by): (String, Address, Address)) -> Result<Vec<u8>, Stop> {
    if host.context()?.caller != lifecycle::ADDRESS {
        return refuse(Status::PermissionDenied, "only the contract lifecycle registers what was deployed");
    }
    register_for(host, &by, name, 0, address)
}

fn register_for(host: &mut Host, by: &Address, name: String, version: u32, address: Address) -> Result<Vec<u8>, Stop> {
    if !is_name(&name) {
        let message = "a name is a letter, then letters, digits, '-', '_' and '.', at most 64 characters";
        return refuse(Status::InvalidArguments, message);
    }
    let owner_key = own_key("owners", name.as_bytes());
    match host.load::<Address>(&owner_key)? {
        Some(owner) if owner != *by => {
            return refuse(Status::PermissionDenied, format!("the name {name:?} belongs to {owner}"));
        }
        Some(_) => {}
        None => host.store(&owner_key, by)?,
    }
    let latest_key = own_key("latest", name.as_bytes());
    let (_, latest) = host.load::<(Address, u32)>(&latest_key)?.unwrap_or_default();
    let version = if version == 0 { latest.saturating_add(1) } else { version };
    if version <= latest {
        let message = format!("version {version} of {name:?} is not above the newest, {latest}");
        return refuse(Status::InvalidArguments, message);
    }
    host.store(&latest_key, &(address, version))?;
    host.store(&own_key("versions", &version_element(&name, version)), &address)?;
    let data = encode(&(version, address));
    host.emit(Event { name: "NameRegistered".into(), topics: vec![encode(&name)], data })?;
    Ok(encode(&version))
}

fn resolve_name(host: &mut Host, (name, version): (String, u32)) -> Result<Vec<u8>, Stop> {
    let found: Option<Address> = if version == 0 {
        host.load::<(Address, u32)>(&own_key("latest", name.as_bytes()))?.map(|(address, _)| address)
    } else {
        host.load(&own_key("versions", &version_element(&name, version)))?
    };
    Ok(encode(&found))
}

fn owner_of(host: &mut Host, (name,): (String,)) -> Result<Vec<u8>, Stop> {
    let owner: Option<Address> = host.load(&own_key("owners", name.as_bytes()))?;
    Ok(encode(&owner))
}

fn transfer(host: &mut Host, (name, to): (String, Address)) -> Result<Vec<u8>, Stop> {
    let key = own_key("owners", name.as_bytes());
    let caller = host.context()?.caller;
    if host.load::<Address>(&key)? != Some(caller) {
        return refuse(Status::PermissionDenied, format!("the name {name:?} is not the caller's"));
    }
    host.store(&key, &to)?;
    host.emit(Event { name: "NameTransferred".into(), topics: vec![encode(&name)], data: encode(&to) })?;
    Ok(Vec::new())
}

pub(super) fn at_genesis(state: &mut InitialState) {
    for contract in CONTRACTS {
        let (name, address) = (contract.name(), Address::native(contract.number()));
        put(state, key_of(&ADDRESS, "latest", name.as_bytes()), &(address, 1u32));
        put(state, key_of(&ADDRESS, "versions", &version_element(name, 1)), &address);
        put(state, key_of(&ADDRESS, "owners", name.as_bytes()), &ADDRESS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert!(is_name("token") && is_name("t.0-_"));
        assert!(!is_name("") && !is_name("0x12") && !is_name("a b") && !is_name("ä") && !is_name(&"a".repeat(65)));
    }
}
