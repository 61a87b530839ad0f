//! Events and blocks as they are committed, followed without a gap.
//!
//! A node streams over server-sent events (SSE) on the address of its RPC: [`EVENTS_PATH`] and [`BLOCKS_PATH`], with the
//! parameters [`EventStreamParams`] and [`BlockStreamParams`]. Each frame carries a **cursor** as its `id`: the place at
//! which reading goes on. Everything before a cursor has been given, so who keeps the cursor together with what it did
//! has each event exactly once: after a reconnect, a restart or a crash, of either side. Cursors only grow.
//!
//! | frame | data | meaning |
//! |---|---|---|
//! | no `event:` field | [`LocatedEvent`] or [`StreamedBlock`] | what the reader asked for |
//! | `event: cursor` | [`Progress`] | nothing new up to here; comes at least every [`HEARTBEAT`] |
//! | `event: end` | [`RpcError`](crate::RpcError) | the node ends the stream, and why |
//!
//! Only durable blocks are streamed. The text of an event's cursor is `height.transaction.event`, of which the end may be
//! left out: `17` is the beginning of block 17. That of a block's is its height. A browser's `EventSource`, or any other
//! client of SSE, reconnects with `Last-Event-ID` by itself, which the node takes before `from`.
//!
//! [`EventStream`] and [`BlockStream`] do that here. They know nothing of what a reader does with an event, and keep no
//! cursor on any disk: that is the reader's, best in the same transaction as its effects.
//!
//! ```no_run
//! # async fn example(stored: Option<hanse_client::methods::EventCursor>) -> Result<(), hanse_client::ClientError> {
//! use hanse_client::stream::EventFilter;
//! # let store = |_cursor, _event| {};
//! let client = hanse_client::Client::new("http://127.0.0.1:7420")?;
//! let filter = EventFilter { contract: Some("token".parse()?), name: Some("Transfer".into()), topic: None };
//! let mut events = client.events(filter, stored);
//! loop {
//!     let (cursor, event) = events.next().await?;
//!     store(cursor, event);
//! }
//! # }
//! ```
//!
//! Start reading at [`Follow`].

mod cursor;
mod follow;
mod topic;

use std::time::Duration;

use hanse_types::{Hash, Height};
use serde::{Deserialize, Serialize};

use crate::methods::EventCursor;
use crate::text::{Bytes, Contract};
use crate::views::{HeaderView, LocatedEvent};

pub use cursor::{Cursor, CursorError};
pub use follow::{Follow, Step};
pub use topic::{topic, topic_type};

/// Where events are streamed.
pub const EVENTS_PATH: &str = "/v1/stream/events";
/// Where blocks are streamed.
pub const BLOCKS_PATH: &str = "/v1/stream/blocks";
/// What the request of a stream accepts, and what the answer is.
pub const CONTENT_TYPE: &str = "text/event-stream";
/// The header by which a client of SSE says where it was; it goes before the parameter `from`.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// `event:` of a frame that only moves the cursor.
pub const CURSOR_FRAME: &str = "cursor";
/// `event:` of the last frame.
pub const END_FRAME: &str = "end";
/// A stream is never silent for longer.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// Follows the events of a chain.
pub type EventStream = Follow<EventCursor, LocatedEvent>;
/// Follows the blocks of a chain.
pub type BlockStream = Follow<Height, StreamedBlock>;

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only of this contract. A name is looked up when the stream begins.
    pub contract: Option<Contract>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with this first topic, as bytes; needs contract and name.
    pub topic: Option<Bytes>,
}

/// The parameters of [`EVENTS_PATH`]; unknown ones are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventStreamParams {
    /// As [`EventFilter::contract`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// As [`EventFilter::name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As [`EventFilter::topic`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Bytes>,
    /// An [`EventCursor`]; what is committed from now on if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The group; the node's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The parameters of [`BLOCKS_PATH`]; unknown ones are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockStreamParams {
    /// The first height; what is committed from now on if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether to give the ids of each block's transactions.
    #[serde(default)]
    pub tx_ids: bool,
    /// The group; the node's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A block, as streamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamedBlock {
    /// Its header.
    pub header: HeaderView,
    /// How many of its transactions failed.
    pub failed: u32,
    /// Ids of its transactions in block order, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_ids: Option<Vec<Hash>>,
}

/// What a frame says that only moves the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The cursor: everything before it has been given.
    pub cursor: String,
    /// Height of the newest block. The stream has caught up where the cursor lies beyond it.
    pub newest: Height,
}
