//! How typed storage becomes keys.
//!
//! A field's place is its *name*, a zero byte, and then the Borsh bytes of the element's key, if the field has
//! elements. Names have no zero byte, so one field's keys can't run into another's, and reordering fields in an
//! upgrade moves nothing. The host puts the contract's address and a zero byte in front ([`full_key`]), so no
//! contract can name another's key.

use alloc::vec::Vec;

use crate::Address;

/// Bytes that the host puts in front of a contract's own key: its address and a zero byte.
pub const PREFIX_BYTES: usize = Address::BYTES + 1;

/// The prefix of all keys of `contract`.
pub fn contract_prefix(contract: &Address) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..Address::BYTES].copy_from_slice(&contract.0);
    prefix
}

/// The key under which the state holds `key` of `contract`.
pub fn full_key(contract: &Address, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(PREFIX_BYTES + key.len());
    full.extend_from_slice(&contract_prefix(contract));
    full.extend_from_slice(key);
    full
}

/// Takes a state key apart into contract and the contract's own key.
pub fn split_key(full: &[u8]) -> Option<(Address, &[u8])> {
    let (address, rest) = full.split_first_chunk::<{ Address::BYTES }>()?;
    let (zero, key) = rest.split_first()?;
    (*zero == 0).then_some((Address(*address), key))
}

/// The key of a field without elements, or the prefix of one with elements.
pub fn field_prefix(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 1);
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_keys_come_apart_again() {
        let contract = Address::native(7);
        let full = full_key(&contract, b"balances\0alice");
        assert_eq!(split_key(&full), Some((contract, &b"balances\0alice"[..])));
        assert_eq!(split_key(&full[..10]), None);
    }
}
