//! Events, by a cursor.

use hanse_types::{Height, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;
use crate::codes;
use crate::text::{Bytes, Contract};
use crate::views::LocatedEvent;

methods! { EVENT:
    /// Events of a range of blocks, in order.
    QueryEvents = "event_query", EventParams => Events, fails [&[codes::PRUNED]];
}

/// Where in the chain a reader of events is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventCursor {
    /// The next block to look at.
    pub height: Height,
    /// The next transaction in it.
    #[serde(default)]
    pub index: TxIndex,
    /// The next of the transaction's events.
    #[serde(default)]
    pub event: u32,
}

/// Of [`QueryEvents`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventParams {
    /// Only of this contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Only of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only with this first topic, as bytes; needs contract and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Bytes>,
    /// Where to begin; a former answer's `next` goes on from there.
    #[serde(default)]
    pub from: EventCursor,
    /// The last block to look at; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_height: Option<Height>,
    /// Most events to give; the node's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Of [`QueryEvents`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Events {
    /// The events, in the chain's order.
    pub events: Vec<LocatedEvent>,
    /// Where to go on.
    pub next: EventCursor,
    /// Whether everything up to `to_height` has been looked at.
    pub complete: bool,
}
