//! Digests of keys and values, of which leaves are made.

use hanse_types::Hash;
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::Domain;

/// What a hash under [`Domain::StateLeaf`] is of. Part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
enum LeafPart {
    Key = 0,
    Value = 1,
}

/// The digest of a key, whose bits are its way through the tree.
pub(super) fn key_hash(suite: CryptoSuite, key: &[u8]) -> Hash {
    suite.hash_parts(Domain::StateLeaf, &[&[LeafPart::Key as u8], key])
}

/// The digest of a value.
pub(super) fn value_hash(suite: CryptoSuite, value: &[u8]) -> Hash {
    suite.hash_parts(Domain::StateLeaf, &[&[LeafPart::Value as u8], value])
}

/// The digests of keys.
pub(super) fn key_hashes<'a>(suite: CryptoSuite, keys: impl Iterator<Item = &'a [u8]>) -> Vec<Hash> {
    suite.hash_each(Domain::StateLeaf, &[LeafPart::Key as u8], keys)
}

/// The digests of values.
pub(super) fn value_hashes<'a>(suite: CryptoSuite, values: impl Iterator<Item = &'a [u8]>) -> Vec<Hash> {
    suite.hash_each(Domain::StateLeaf, &[LeafPart::Value as u8], values)
}
