//! System contracts: native, part of every chain, the way in which a chain governs itself. Nothing of governance passes
//! by the scheduler.
//!
//! | number | name | what it keeps |
//! |---|---|---|
//! | 1 | `account` | balances of the chain's own asset |
//! | 2 | `lifecycle` | contracts: code, versions, owners, whether they may be called |
//! | 3 | `names` | names of contracts, with versions |
//! | 4 | `params` | parameters and administrators |
//! | 5 | `members` | who takes part in the group, and how |
//! | 6 | `admission` | who is let into the network of the group's nodes, and who is kept out |

pub mod account;
pub mod admission;
pub mod lifecycle;
pub mod members;
pub mod names;
pub mod params;

use std::collections::BTreeMap;

use hanse_abi::keys;
use hanse_state::{ChangeSet, Halt, StateAccess, StateError};
use hanse_types::{Address, Genesis, Value};

use crate::native::{NativeContract, encode};

/// Every system contract, in the order of their numbers, from 1.
pub static CONTRACTS: [&dyn NativeContract; 6] = [
    &account::Account,
    &lifecycle::Lifecycle,
    &names::Names,
    &params::ParamsContract,
    &members::MembersContract,
    &admission::Admission,
];

/// The system contract at an address.
pub fn contract(address: &Address) -> Option<&'static dyn NativeContract> {
    let number = address.native_number()?;
    CONTRACTS.get(usize::from(number) - 1).copied()
}

/// The state that a chain begins with.
pub fn genesis_state(genesis: &Genesis) -> ChangeSet {
    let mut state = BTreeMap::new();
    account::at_genesis(genesis, &mut state);
    names::at_genesis(&mut state);
    params::at_genesis(genesis, &mut state);
    members::at_genesis(genesis, &mut state);
    ChangeSet::from_unsorted(state.into_iter().map(|(key, value)| (key.into(), Some(value))).collect())
}

/// Full keys with their first values.
type InitialState = BTreeMap<Vec<u8>, Value>;

/// The full key of an element of a field of a system contract; `element` is its encoding.
fn key_of(contract: &Address, field: &str, element: &[u8]) -> Vec<u8> {
    keys::full_key(contract, &own_key(field, element))
}

/// The same key as the contract itself writes it.
fn own_key(field: &str, element: &[u8]) -> Vec<u8> {
    let mut key = keys::field_prefix(field);
    key.extend_from_slice(element);
    key
}

/// Reads what a system contract keeps under a full key.
fn read<T: borsh::BorshDeserialize>(state: &mut dyn StateAccess, key: &[u8]) -> Result<Option<T>, Halt> {
    let Some(value) = state.get(key)? else { return Ok(None) };
    let decoded = borsh::from_slice(&value);
    let damaged = |error: borsh::io::Error| StateError::Damaged {
        place: format!("key {:?}", Value::new(key)),
        reason: error.to_string(),
    };
    decoded.map(Some).map_err(|error| Halt::State(damaged(error)))
}

fn put<T: borsh::BorshSerialize>(state: &mut InitialState, key: Vec<u8>, value: &T) {
    state.insert(key, Value::from(encode(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contract_is_at_its_number_with_a_name_of_its_own() {
        for (index, contract) in CONTRACTS.iter().enumerate() {
            assert_eq!(usize::from(contract.number()), index + 1);
            assert!(CONTRACTS[index + 1..].iter().all(|other| other.name() != contract.name()));
        }
        assert!(contract(&Address::native(CONTRACTS.len() as u16 + 1)).is_none());
        assert!(contract(&Address::ZERO).is_none());
    }
}
