//! Events.

use hanse_types::{Address, Hash, Height, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::Bytes;

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// Who emitted it.
    pub contract: Address,
    /// Its name.
    pub name: String,
    /// The indexed fields' bytes.
    pub topics: Vec<Bytes>,
    /// The other fields' bytes.
    pub data: Bytes,
    /// All fields by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
}

/// An event and where it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LocatedEvent {
    /// In which block.
    pub height: Height,
    /// By which transaction, by place
    pub index: TxIndex,
    /// and by id.
    pub tx_id: Hash,
    /// Which of the transaction's events, from 0.
    pub event_index: u32,
    /// The event.
    #[serde(flatten)]
    pub event: EventView,
}
