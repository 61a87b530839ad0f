//! `members`: who takes part in the group and how. A change counts from the next block on: those who seal are then its
//! validators, which the block that changes them names and the old ones decide.

use hanse_abi::{Event, Status};
use hanse_state::{StateError, StateView};
use hanse_types::genesis::ConsensusKind;
use hanse_types::members::MembersError;
use hanse_types::{Address, Genesis, Member, Members, Role};

use super::params::check_administrator;
use super::{InitialState, key_of, own_key, put};
use crate::failure::Stop;
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};

/// Its address.
pub const ADDRESS: Address = Address::native(5);

/// The contract.
pub struct MembersContract;

impl NativeContract for MembersContract {
    fn number(&self) -> u16 {
        5
    }

    fn name(&self) -> &'static str {
        "members"
    }

    fn abi(&self) -> &'static str {
        include_str!("members.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "list" | "get")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "list" => list(host, arguments(input)?),
            "get" => get(host, arguments(input)?),
            "add" => add(host, arguments(input)?),
            "remove" => remove(host, arguments(input)?),
            "set_role" => set_role(host, arguments(input)?),
            "replace_key" => replace_key(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

/// The full key of the list: a block that leaves it alone leaves the members as they are.
pub fn list_key() -> Vec<u8> {
    key_of(&ADDRESS, "members", &[])
}

/// The members by a view of the state.
///
/// # Errors
/// If the state can't be read, or has none.
pub fn load(state: &dyn StateView) -> Result<Members, StateError> {
    let damaged = |reason: String| StateError::Damaged { place: "the group's members".into(), reason };
    let value = state.get(&list_key())?.ok_or_else(|| damaged("they are missing".into()))?;
    decode(&value).map_err(damaged)
}

fn decode(value: &[u8]) -> Result<Members, String> {
    let list = borsh::from_slice(value).map_err(|error| error.to_string())?;
    Members::from_list(list).map_err(|error| error.to_string())
}

fn current(host: &mut Host) -> Result<Members, Stop> {
    let list: Option<Vec<Member>> = host.load(&own_key("members", &[]))?;
    match list.map(Members::from_list) {
        Some(Ok(members)) => Ok(members),
        _ => refuse(Status::InvalidOperation, "the group has no members"),
    }
}

fn list(host: &mut Host, (): ()) -> Result<Vec<u8>, Stop> {
    Ok(encode(&current(host)?.as_slice()))
}

fn get(host: &mut Host, (name,): (String,)) -> Result<Vec<u8>, Stop> {
    Ok(encode(&current(host)?.named(&name)))
}

fn add(host: &mut Host, (name, key, role): (String, String, Role)) -> Result<Vec<u8>, Stop> {
    let key = parse(&key)?;
    let crypto = host.suite();
    change(host, &name.clone(), |members| members.add(crypto, Member { name, key, role }))
}

fn remove(host: &mut Host, (name,): (String,)) -> Result<Vec<u8>, Stop> {
    change(host, &name, |members| members.remove(&name))
}

fn set_role(host: &mut Host, (name, role): (String, Role)) -> Result<Vec<u8>, Stop> {
    change(host, &name, |members| members.set_role(&name, role))
}

fn replace_key(host: &mut Host, (name, key): (String, String)) -> Result<Vec<u8>, Stop> {
    let key = parse(&key)?;
    let crypto = host.suite();
    change(host, &name, |members| members.replace_key(crypto, &name, key))
}

fn parse(key: &str) -> Result<hanse_types::crypto::PublicKey, Stop> {
    match key.parse() {
        Ok(key) => Ok(key),
        Err(error) => refuse(Status::InvalidArguments, format!("{error}, not as {key:?}")),
    }
}

/// Changes the members, if the caller is an administrator; tells of the one whom it is about.
fn change(
    host: &mut Host,
    name: &str,
    change: impl FnOnce(Members) -> Result<Members, MembersError>,
) -> Result<Vec<u8>, Stop> {
    let caller = host.context()?.caller;
    check_administrator(host, &caller)?;
    let before = current(host)?;
    let after = match change(before.clone()) {
        Ok(after) => after,
        Err(error) => return refuse(Status::InvalidArguments, error.to_string()),
    };
    let consensus: Option<ConsensusKind> = host.load(&own_key("consensus", &[]))?;
    if consensus == Some(ConsensusKind::Solo) && before.validators() != after.validators() {
        let fixed = "the validator of a group that decides alone can't be changed; found it with bft or raft consensus";
        return refuse(Status::InvalidOperation, fixed);
    }
    host.store(&own_key("members", &[]), &after.as_slice())?;
    let member = after.named(name);
    host.emit(Event { name: "MemberChanged".into(), topics: vec![encode(&name)], data: encode(&member) })?;
    Ok(Vec::new())
}

pub(super) fn at_genesis(genesis: &Genesis, state: &mut InitialState) {
    let founders: Vec<Member> = genesis.validators.iter().map(Member::founder).collect();
    put(state, list_key(), &founders);
    put(state, key_of(&ADDRESS, "consensus", &[]), &genesis.consensus);
}
