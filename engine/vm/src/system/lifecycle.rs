//! `lifecycle`: deploys, upgrades, freezes and revokes contracts.
//!
//! What every call of a contract reads is one small record: hash of the code, version, and whether it may be called. The
//! code itself lies under its hash; everything for people lies beside it.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_abi::keys::{self, PREFIX_BYTES};
use hanse_abi::{Event, Status};
use hanse_state::{Halt, StateAccess, StateError, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::Domain;
use hanse_types::{Address, ContractRef, Hash, Params, Transaction, Value};

use super::{key_of, names, own_key, params, read};
use crate::failure::{Failure, Stop};
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};
use crate::session::Entry;
use crate::vm::contract_address;
use crate::wasm::{Rules, effort};

/// Its address.
pub const ADDRESS: Address = Address::native(2);

/// Whether a contract may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Condition {
    /// It may.
    Active,
    /// Not at present.
    Frozen,
    /// Never again.
    Revoked,
}

/// What a call of a contract needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// Hash of the code.
    pub code: Hash,
    /// From 1, one more with each upgrade.
    pub version: u32,
    /// Whether it may be called.
    pub condition: Condition,
}

/// What people want to know of a contract.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Info {
    /// The name that it was deployed under.
    pub name: String,
    /// Who may upgrade it.
    pub owner: Address,
    /// Height at which it was deployed.
    pub deployed_at: u64,
    /// Height at which it was last upgraded.
    pub upgraded_at: u64,
    /// Whether an administrator froze it: then only an administrator can unfreeze it. False unless it is frozen.
    pub frozen_by_administrator: bool,
}

impl Record {
    /// Refuses a contract that may not be called.
    pub(crate) fn check_callable(&self, contract: &Address) -> Result<(), Stop> {
        match self.condition {
            Condition::Active => Ok(()),
            Condition::Frozen => refuse(Status::Frozen, format!("{contract} is frozen")),
            Condition::Revoked => refuse(Status::Revoked, format!("{contract} is revoked")),
        }
    }
}

/// The hash by which code goes in groups with this suite.
pub fn code_hash(suite: CryptoSuite, code: &[u8]) -> Hash {
    suite.hash(Domain::Code, code)
}

const RECORD_FIELD: &[u8; 10] = b"contracts\0";

/// The full state key of a contract's record, which every call of it reads. Made for every call, so without a detour over
/// the heap.
pub fn record_key(contract: &Address) -> [u8; PREFIX_BYTES + 10 + Address::BYTES] {
    let mut key = [0; PREFIX_BYTES + 10 + Address::BYTES];
    key[..PREFIX_BYTES].copy_from_slice(&keys::contract_prefix(&ADDRESS));
    key[PREFIX_BYTES..PREFIX_BYTES + 10].copy_from_slice(RECORD_FIELD);
    key[PREFIX_BYTES + 10..].copy_from_slice(&contract.0);
    key
}

/// The record of a contract, as an observation.
pub(crate) fn record(state: &mut dyn StateAccess, contract: &Address) -> Result<Option<Record>, Halt> {
    read(state, &record_key(contract))
}

/// Code by its hash.
pub(crate) fn code(state: &mut dyn StateAccess, hash: &Hash) -> Result<Option<Value>, Halt> {
    state.get_content(&key_of(&ADDRESS, "code", &hash.0))
}

/// What a view of the state says of a contract: its record and its description.
///
/// # Errors
/// If the state can't be read.
pub fn describe(state: &dyn StateView, contract: &Address) -> Result<Option<(Record, Info)>, StateError> {
    let record = decode(state.get(&record_key(contract))?);
    let info = decode(state.get(&key_of(&ADDRESS, "info", &contract.0))?);
    Ok(record.zip(info))
}

/// Addresses of deployed contracts in their order, at most `limit` after one.
///
/// # Errors
/// If the state can't be read.
pub fn list(state: &dyn StateView, after: &Address, limit: usize) -> Result<Vec<Address>, StateError> {
    let start = [&record_key(after)[..], &[0]].concat();
    let end = [&record_key(&Address([u8::MAX; 20]))[..], &[0]].concat();
    let found = state.range(&start, &end, limit, false)?;
    Ok(found.iter().filter_map(|(key, _)| key.last_chunk().map(|bytes| Address(*bytes))).collect())
}

/// The code of a contract in a view of the state.
///
/// # Errors
/// If the state can't be read.
pub fn code_of(state: &dyn StateView, record: &Record) -> Result<Option<Value>, StateError> {
    state.get(&key_of(&ADDRESS, "code", &record.code.0))
}

/// Whether a transaction deploys or upgrades, as far as it shows.
pub fn changes_code(transaction: &Transaction) -> bool {
    let here = match &transaction.contract {
        ContractRef::Address(address) => *address == ADDRESS,
        ContractRef::Name { name, .. } => name == Lifecycle.name(),
    };
    here && matches!(&transaction.method[..], "deploy" | "upgrade")
}

/// The code that a transaction would have compiled, as far as can be told without running it: it deploys or upgrades, and
/// its sender may do that.
///
/// # Errors
/// If the state can't be read.
pub fn code_to_compile(
    state: &dyn StateView,
    params: &Params,
    transaction: &Transaction,
) -> Result<Option<Vec<u8>>, StateError> {
    if !changes_code(transaction) {
        return Ok(None);
    }
    let sender = &transaction.sender;
    let (allowed, code) = match &transaction.method[..] {
        "deploy" => {
            let Ok((_, code, _)) = borsh::from_slice::<(String, Vec<u8>, Vec<u8>)>(&transaction.args) else {
                return Ok(None);
            };
            (params.open_deployment || params::administers(state, sender)?, code)
        }
        "upgrade" => {
            let Ok((contract, code, _)) = borsh::from_slice::<(Address, Vec<u8>, Vec<u8>)>(&transaction.args) else {
                return Ok(None);
            };
            (describe(state, &contract)?.is_some_and(|(_, info)| info.owner == *sender), code)
        }
        _ => return Ok(None),
    };
    Ok(allowed.then_some(code))
}

/// Gas that checking and compiling code takes; what a deployment costs is above that.
pub fn compile_gas(code: &[u8]) -> u64 {
    effort::of_bytes(code).saturating_add(effort::of_contents(code))
}

fn decode<T: BorshDeserialize>(value: Option<Value>) -> Option<T> {
    borsh::from_slice(&value?).ok()
}

/// The contract.
pub struct Lifecycle;

impl NativeContract for Lifecycle {
    fn number(&self) -> u16 {
        2
    }

    fn name(&self) -> &'static str {
        "lifecycle"
    }

    fn abi(&self) -> &'static str {
        include_str!("lifecycle.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "record" | "info")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "deploy" => deploy(host, arguments(input)?),
            "upgrade" => upgrade(host, arguments(input)?),
            "freeze" => freeze(host, arguments(input)?),
            "unfreeze" => unfreeze(host, arguments(input)?),
            "revoke" => revoke(host, arguments(input)?),
            "transfer_ownership" => transfer_ownership(host, arguments(input)?),
            "record" => record_of(host, arguments(input)?),
            "info" => info_of(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

/// Deploys code under a name and runs its `init` with the arguments. Returns the address.
fn deploy(host: &mut Host, (name, code, args): (String, Vec<u8>, Vec<u8>)) -> Result<Vec<u8>, Stop> {
    let context = host.context()?;
    if !host.params().open_deployment {
        params::check_administrator(host, &context.caller)?;
    }
    let address = contract_address(host.suite(), &context.caller, &name);
    let record_key = own_key("contracts", &address.0);
    if host.get(&record_key)?.is_some() {
        let message = format!("{} has deployed {name:?} already, at {address}; upgrade it", context.caller);
        return refuse(Status::InvalidOperation, message);
    }
    let hash = store_code(host, &code)?;
    host.store(&record_key, &Record { code: hash, version: 1, condition: Condition::Active })?;
    let height = context.height;
    let info = Info {
        name: name.clone(),
        owner: context.caller,
        deployed_at: height,
        upgraded_at: height,
        frozen_by_administrator: false,
    };
    host.store(&own_key("info", &address.0), &info)?;
    host.store(&version_key(&address, 1), &(hash, height))?;
    host.call(names::ADDRESS, "register_deployed", encode(&(&name, address, context.caller)))?;
    run_once(host, &address, &code, args, Entry::Init)?;
    emit(host, "Deployed", &address, encode(&(name, hash, context.caller)))?;
    Ok(encode(&address))
}

/// Replaces a contract's code, keeps its state and runs `migrate` with the arguments. Returns the version.
fn upgrade(host: &mut Host, (contract, code, args): (Address, Vec<u8>, Vec<u8>)) -> Result<Vec<u8>, Stop> {
    let (mut record, mut info) = owned(host, &contract, Owner::Only)?;
    if record.condition == Condition::Revoked {
        return refuse(Status::Revoked, format!("{contract} is revoked"));
    }
    let hash = store_code(host, &code)?;
    let height = host.context()?.height;
    record.code = hash;
    record.version = record.version.saturating_add(1);
    info.upgraded_at = height;
    host.store(&own_key("contracts", &contract.0), &record)?;
    host.store(&own_key("info", &contract.0), &info)?;
    host.store(&version_key(&contract, record.version), &(hash, height))?;
    run_once(host, &contract, &code, args, Entry::Migrate)?;
    emit(host, "Upgraded", &contract, encode(&(record.version, hash)))?;
    Ok(encode(&record.version))
}

/// Checks code and stores it under its hash.
fn store_code(host: &mut Host, code: &[u8]) -> Result<Hash, Stop> {
    host.charge(effort::of_bytes(code))?;
    let rules = Rules::of(host.params());
    if let Err(error) = host.machine().check(code, &rules) {
        return refuse(Status::InvalidArguments, format!("the code is refused: {error}"));
    }
    host.charge(effort::of_contents(code))?;
    let hash = code_hash(host.suite(), code);
    let key = own_key("code", &hash.0);
    if host.get(&key)?.is_none() {
        host.set_long(&key, code)?;
    }
    Ok(hash)
}

/// Runs the method that a contract has for this occasion, if it has one.
fn run_once(host: &mut Host, contract: &Address, code: &[u8], args: Vec<u8>, entry: Entry) -> Result<(), Stop> {
    let module = host.machine().module(code_hash(host.suite(), code), code);
    let module = module.map_err(|error| Failure::new(Status::InvalidArguments, error.to_string()))?;
    match module.method_for(entry) {
        Some(method) => host.enter(*contract, method, args, entry).map(drop),
        None if args.is_empty() => Ok(()),
        None => refuse(Status::InvalidArguments, "there are arguments, but the contract has no method that takes them"),
    }
}

/// Who may do something to a contract.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Only,
    OrAdministrator,
}

/// A contract's record and description, if the caller has a say in it.
fn owned(host: &mut Host, contract: &Address, who: Owner) -> Result<(Record, Info), Stop> {
    let record = host.load(&own_key("contracts", &contract.0))?;
    let info: Option<Info> = host.load(&own_key("info", &contract.0))?;
    let Some((record, info)) = record.zip(info) else {
        return refuse(Status::ContractNotFound, format!("no contract at {contract}"));
    };
    let caller = host.context()?.caller;
    let allowed = info.owner == caller || (who == Owner::OrAdministrator && params::is_administrator(host, &caller)?);
    if !allowed {
        return refuse(Status::PermissionDenied, format!("{contract} belongs to {}, not to {caller}", info.owner));
    }
    Ok((record, info))
}

/// Freezes a contract. An administrator may also freeze what its owner froze: from then on it is an administrator's.
fn freeze(host: &mut Host, (contract,): (Address,)) -> Result<Vec<u8>, Stop> {
    let (record, info) = not_revoked(host, &contract)?;
    let caller = host.context()?.caller;
    let by_administrator = params::is_administrator(host, &caller)?;
    if record.condition == Condition::Frozen && (info.frozen_by_administrator || !by_administrator) {
        return refuse(Status::InvalidOperation, format!("{contract} is Frozen already"));
    }
    let info = Info { frozen_by_administrator: by_administrator, ..info };
    store_condition(host, &contract, Record { condition: Condition::Frozen, ..record }, &info)?;
    emit(host, "Frozen", &contract, encode(&by_administrator))
}

/// Makes a frozen contract callable again: who froze it decides who may.
fn unfreeze(host: &mut Host, (contract,): (Address,)) -> Result<Vec<u8>, Stop> {
    let (record, info) = not_revoked(host, &contract)?;
    if record.condition != Condition::Frozen {
        return refuse(Status::InvalidOperation, format!("{contract} is {:?} already", record.condition));
    }
    if info.frozen_by_administrator {
        let caller = host.context()?.caller;
        if !params::is_administrator(host, &caller)? {
            let message = format!("an administrator froze {contract}; only an administrator can unfreeze it");
            return refuse(Status::PermissionDenied, message);
        }
    }
    let info = Info { frozen_by_administrator: false, ..info };
    store_condition(host, &contract, Record { condition: Condition::Active, ..record }, &info)?;
    emit(host, "Unfrozen", &contract, Vec::new())
}

/// Forbids calls of a contract for good.
fn revoke(host: &mut Host, (contract,): (Address,)) -> Result<Vec<u8>, Stop> {
    let (record, info) = not_revoked(host, &contract)?;
    let info = Info { frozen_by_administrator: false, ..info };
    store_condition(host, &contract, Record { condition: Condition::Revoked, ..record }, &info)?;
    emit(host, "Revoked", &contract, Vec::new())
}

/// What [`owned`] gives an owner or administrator, unless the contract is revoked.
fn not_revoked(host: &mut Host, contract: &Address) -> Result<(Record, Info), Stop> {
    let (record, info) = owned(host, contract, Owner::OrAdministrator)?;
    if record.condition == Condition::Revoked {
        return refuse(Status::Revoked, format!("{contract} is revoked for good"));
    }
    Ok((record, info))
}

fn store_condition(host: &mut Host, contract: &Address, record: Record, info: &Info) -> Result<(), Stop> {
    host.store(&own_key("contracts", &contract.0), &record)?;
    host.store(&own_key("info", &contract.0), info)
}

fn transfer_ownership(host: &mut Host, (contract, to): (Address, Address)) -> Result<Vec<u8>, Stop> {
    let (_, mut info) = owned(host, &contract, Owner::Only)?;
    info.owner = to;
    host.store(&own_key("info", &contract.0), &info)?;
    emit(host, "OwnershipTransferred", &contract, encode(&to))
}

fn record_of(host: &mut Host, (contract,): (Address,)) -> Result<Vec<u8>, Stop> {
    let record: Option<Record> = host.load(&own_key("contracts", &contract.0))?;
    Ok(encode(&record))
}

fn info_of(host: &mut Host, (contract,): (Address,)) -> Result<Vec<u8>, Stop> {
    let info: Option<Info> = host.load(&own_key("info", &contract.0))?;
    Ok(encode(&info))
}

fn version_key(contract: &Address, version: u32) -> Vec<u8> {
    own_key("versions", &[&contract.0[..], &version.to_be_bytes()].concat())
}

fn emit(host: &mut Host, name: &str, contract: &Address, data: Vec<u8>) -> Result<Vec<u8>, Stop> {
    host.emit(Event { name: name.to_owned(), topics: vec![contract.0.to_vec()], data })?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_key_is_that_of_the_field() {
        let contract = Address([7; 20]);
        assert_eq!(record_key(&contract)[..], key_of(&ADDRESS, "contracts", &contract.0)[..]);
    }
}
