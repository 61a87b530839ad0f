//! What a contract tells the world: events with indexed topics.

use alloc::string::String;
use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

/// An event as a contract emits it. The host adds which contract it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// The event's name in the ABI.
    pub name: String,
    /// Values that are indexed, each Borsh-encoded, in the order of the ABI.
    pub topics: Vec<Vec<u8>>,
    /// The other fields, Borsh-encoded one after another.
    pub data: Vec<u8>,
}
