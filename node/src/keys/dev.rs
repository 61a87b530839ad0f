//! Accounts for development. Their keys follow from their names, so everyone has them: never give them anything.

use hanse_types::Address;
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};

/// What a development chain calls itself; elsewhere its accounts are not offered.
pub(crate) const CHAIN_ID: &str = hanse_client::call::DEVELOPMENT_CHAIN;

/// The accounts that a development chain funds.
pub(crate) const NAMES: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// A development account's key, on a chain with this suite: its seed is readable text, so nobody takes it for a secret.
pub(crate) fn key(crypto: CryptoSuite, name: &str) -> Option<SecretKey> {
    NAMES.contains(&name).then(|| crypto.client_key(seed(name)).expect("readable text is a key of every suite"))
}

/// Most validators of a development chain.
pub(crate) const VALIDATORS: usize = 16;

/// The key of one of a development chain's validators, counted from 0.
pub(crate) fn validator(index: usize) -> SecretKey {
    match index {
        0 => SecretKey::ed25519(seed("validator")),
        _ => SecretKey::ed25519(seed(&format!("validator{}", index + 1))),
    }
}

/// A development account's address, on a chain with this suite.
pub(crate) fn address(crypto: CryptoSuite, name: &str) -> Option<Address> {
    key(crypto, name).map(|key| key.public_key().address())
}

fn seed(name: &str) -> [u8; 32] {
    let mut seed = [b' '; 32];
    let text = format!("hanse development {name}");
    seed[..text.len()].copy_from_slice(text.as_bytes());
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_differ_and_stay_the_same() {
        let mut addresses: Vec<Address> =
            NAMES.iter().flat_map(|name| CryptoSuite::ALL.map(|crypto| address(crypto, name))).flatten().collect();
        addresses.extend((0..3).map(|index| validator(index).public_key().address()));
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 2 * NAMES.len() + 3);
        assert!(key(CryptoSuite::Standard, "mallory").is_none());
    }
}
