//! The key-value store: reads and updates of single keys, and scans over what is being updated.

use anyhow::Result;
use hanse_types::{Address, Transaction};

use super::{Draw, Make};
use crate::contracts::Source;
use crate::world::{World, call};

/// Length of a value, in bytes.
const VALUE_BYTES: usize = 100;
/// Bytes that an update overwrites.
const UPDATE_BYTES: usize = 10;
/// Entries of a scan.
const SCAN_ENTRIES: u32 = 20;

/// Half reads, half read-modify-writes: YCSB's A, by whole records.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn reads_and_updates(world: &mut World) -> Result<Make> {
    let store = filled(world)?;
    Ok(Box::new(move |draw: &mut Draw<'_>| {
        let key = key(draw.rank());
        match draw.random.below(2) {
            0 => call(World::operator(), store, "get", &(key,)),
            _ => update(store, key, draw),
        }
    }))
}

/// One scan to nine updates.
///
/// # Errors
/// If the contract can't be built or deployed.
pub fn scans_and_updates(world: &mut World) -> Result<Make> {
    let store = filled(world)?;
    Ok(Box::new(move |draw: &mut Draw<'_>| {
        let key = key(draw.rank());
        match draw.random.below(10) {
            0 => call(World::operator(), store, "scan", &(key, SCAN_ENTRIES)),
            _ => update(store, key, draw),
        }
    }))
}

fn update(store: Address, key: String, draw: &mut Draw<'_>) -> Transaction {
    let with = vec![draw.random.bits() as u8; UPDATE_BYTES];
    call(World::operator(), store, "read_modify_write", &(key, with))
}

/// The store with a value under every key.
fn filled(world: &mut World) -> Result<Address> {
    let store = world.deploy(Source::Shipped, "kv", &())?;
    let put = |number| call(World::operator(), store, "put", &(key(number), vec![b'.'; VALUE_BYTES]));
    world.run((0..world.accounts.len()).map(put).collect())?;
    Ok(store)
}

fn key(number: usize) -> String {
    format!("user{number:010}")
}
