//! What blocks replaced in the state: for every block, the changed keys with the values that they had before.
//!
//! The state after block `h` is the newest state, in which every key that a later block changed has the value that it had
//! before the first of them. So reading a key costs a look into every later block, and nothing that did not change since
//! is kept twice.
//!
//! A block's keys are in the order of the state's, many to an entry; an entry's key is the block's height and the first
//! state key in it, so a key is found without reading the rest of its block.

use borsh::BorshDeserialize;
use hanse_types::{Height, Value, Write};

use crate::chunks::{Chunk, ChunkBuilder};
use crate::error::LedgerError;
use crate::keys;
use crate::store::{Batch, RangeQuery, Read, Table};

/// Entries that are read at a time.
const ENTRIES: usize = 64;

/// Keeps what changed keys, in their order, held before the block.
pub(crate) fn put<'a>(batch: &mut Batch, height: Height, before: impl Iterator<Item = (&'a [u8], Option<Value>)>) {
    let (mut chunk, mut first) = (ChunkBuilder::default(), &[][..]);
    for (key, value) in before {
        if chunk.len() == 0 {
            first = key;
        }
        chunk.push(|bytes| {
            borsh::to_writer(bytes, &(key, value)).expect("a bounded value encodes into memory");
        });
        if chunk.is_full() {
            batch.put(Table::Undo, &keys::undo(height, first), &std::mem::take(&mut chunk).finish());
        }
    }
    if chunk.len() > 0 {
        batch.put(Table::Undo, &keys::undo(height, first), &chunk.finish());
    }
}

/// What a key held before a block: none if the block did not change it, `Some(None)` if the key was absent.
pub(crate) fn before(reader: &dyn Read, height: Height, key: &[u8]) -> Result<Option<Option<Value>>, LedgerError> {
    // The entry that may hold the key starts with it or with one before it.
    let (start, end) = (keys::height(height), [&keys::undo(height, key)[..], &[0]].concat());
    let query = RangeQuery { start: &start, end: &end, limit: 1, reverse: true };
    let Some((_, entry)) = reader.range(Table::Undo, query)?.pop() else { return Ok(None) };
    let found = decode(&entry, height)?.into_iter().find(|write| write.key == key);
    Ok(found.map(|write| write.value))
}

/// What the keys with `start <= key < end` that a block changed held before it, in the order of the keys.
pub(crate) fn before_range(
    reader: &dyn Read,
    height: Height,
    start: &[u8],
    end: &[u8],
) -> Result<Vec<Write>, LedgerError> {
    let mut found = Vec::new();
    if start >= end {
        return Ok(found);
    }
    // The entry that starts before the range may reach into it.
    let lowest = keys::height(height);
    let first = keys::undo(height, start);
    let query = RangeQuery { start: &lowest, end: &first, limit: 1, reverse: true };
    let mut entries = reader.range(Table::Undo, query)?;
    let mut from = first;
    let end_key = keys::undo(height, end);
    loop {
        let within = |write: &Write| start <= &write.key[..] && &write.key[..] < end;
        for (_, entry) in &entries {
            found.extend(decode(entry, height)?.into_iter().filter(within));
        }
        let query = RangeQuery { start: &from, end: &end_key, limit: ENTRIES, reverse: false };
        entries = reader.range(Table::Undo, query)?;
        match entries.last() {
            Some((last, _)) => from = [&last[..], &[0]].concat(),
            None => return Ok(found),
        }
    }
}

/// All keys that a block changed, with what they held before it.
pub(crate) fn before_all(reader: &dyn Read, height: Height) -> Result<Vec<Write>, LedgerError> {
    let mut found = Vec::new();
    let (mut from, end) = (keys::height(height).to_vec(), keys::height(height.next()));
    loop {
        let query = RangeQuery { start: &from, end: &end, limit: ENTRIES, reverse: false };
        let entries = reader.range(Table::Undo, query)?;
        for (_, entry) in &entries {
            found.extend(decode(entry, height)?);
        }
        match entries.last() {
            Some((last, _)) => from = [&last[..], &[0]].concat(),
            None => return Ok(found),
        }
    }
}

fn decode(entry: &[u8], height: Height) -> Result<Vec<Write>, LedgerError> {
    let place = || format!("what block {height} replaced in the state");
    let chunk = Chunk::read(entry, &place())?;
    let write = |at| {
        let bytes = chunk.get(at).unwrap_or_default();
        Write::try_from_slice(bytes).map_err(|error| LedgerError::damaged(place(), error))
    };
    (0..chunk.len()).map(write).collect()
}
