//! Keys of all tables. Numbers are big-endian, so that the order of the keys is theirs.

use hanse_types::hash::Domain;
use hanse_types::{Address, Epoch, Hash, Height, TxId, TxIndex};

/// What starts a key of the index.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Block = b'b',
    Business = b'c',
    Event = b'e',
    Failed = b'f',
    Handover = b'h',
    Ids = b'i',
    Transaction = b't',
    Validators = b'v',
}

/// Of what a height has one of.
pub(crate) fn height(height: Height) -> [u8; 8] {
    height.0.to_be_bytes()
}

/// Of the entry that starts with a block's record of this index.
pub(crate) fn record(height: Height, index: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&height.0.to_be_bytes());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The height and index of such a key.
pub(crate) fn split_record(key: &[u8]) -> Option<(Height, u32)> {
    let (height, rest) = key.split_first_chunk()?;
    Some((Height(u64::from_be_bytes(*height)), u32::from_be_bytes(rest.try_into().ok()?)))
}

/// Of the entry that starts with what a block's change of this state key undoes.
pub(crate) fn undo(height: Height, key: &[u8]) -> Vec<u8> {
    [&height.0.to_be_bytes(), key].concat()
}

/// Index: block hash to height.
pub(crate) fn block(hash: &Hash) -> Vec<u8> {
    join(Kind::Block, &[hash.as_bytes()])
}

/// Index: hash of a validator set to the set.
pub(crate) fn validators(set: &Hash) -> Vec<u8> {
    join(Kind::Validators, &[set.as_bytes()])
}

/// Index: number of an epoch to the height of the block that named its validators.
pub(crate) fn handover(epoch: Epoch) -> Vec<u8> {
    join(Kind::Handover, &[&epoch.0.to_be_bytes()])
}

/// Index: transaction id to height and index.
pub(crate) fn transaction(id: &TxId) -> Vec<u8> {
    join(Kind::Transaction, &[id.0.as_bytes()])
}

/// Index: height to the ids and expirations of the block's transactions.
pub(crate) fn ids(height: Height) -> Vec<u8> {
    join(Kind::Ids, &[&height.0.to_be_bytes()])
}

/// Index: height to the places of the block's transactions that failed.
pub(crate) fn failed(height: Height) -> Vec<u8> {
    join(Kind::Failed, &[&height.0.to_be_bytes()])
}

/// Index: what all transactions of a sender with a business id have in common; then come height and index.
pub(crate) fn business(sender: &Address, business_id: &[u8]) -> Vec<u8> {
    join(Kind::Business, &[&sender.0, &(business_id.len() as u32).to_be_bytes(), business_id])
}

/// Index: what all events of a contract with a name, or a name and a first topic, have in common; then comes the height.
pub(crate) fn events(contract: &Address, name: &str, topic: Option<&[u8]>) -> Vec<u8> {
    let length = (name.len() as u32).to_be_bytes();
    let parts = [&[u8::from(topic.is_some())][..], &length, name.as_bytes(), topic.unwrap_or_default()];
    // Half a digest is enough to find candidates; whoever reads them compares.
    let digest = Hash::of_parts(Domain::Receipt, &parts);
    join(Kind::Event, &[&contract.0, &digest.as_bytes()[..16]])
}

/// A key with a height after it.
pub(crate) fn at_height(prefix: &[u8], height: Height) -> Vec<u8> {
    [prefix, &height.0.to_be_bytes()].concat()
}

/// The height at the end of such a key.
pub(crate) fn height_of(key: &[u8]) -> Option<Height> {
    key.last_chunk().map(|bytes| Height(u64::from_be_bytes(*bytes)))
}

/// A key with a height and an index after it.
pub(crate) fn at_record(prefix: &[u8], height: Height, index: TxIndex) -> Vec<u8> {
    [prefix, &record(height, index.0)].concat()
}

fn join(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind as u8];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}
