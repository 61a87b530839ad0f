//! Events, as `event_query` finds them.

use axum::response::sse::Event;
use hanse_client::methods::{EventCursor, EventParams};
use hanse_client::stream::EventStreamParams;
use hanse_client::{RpcError, codes};
use hanse_types::Height;

use super::super::{Node, errors, handlers, limits};
use super::frame;

/// The events of one reader.
pub(super) struct Source {
    query: EventParams,
}

impl Source {
    /// What a reader asks for, from a cursor on. The contract is looked up now: a name that comes to mean another one
    /// later does not change what a stream gives.
    pub(super) fn new(node: &Node, params: EventStreamParams, from: EventCursor) -> Result<Source, RpcError> {
        let EventStreamParams { contract, name, topic, .. } = params;
        let contract = match contract {
            None => None,
            Some(contract) => {
                let found = node.group.contract_info(&contract.0).map_err(errors::query)?;
                Some(found.ok_or_else(|| errors::not_found(format!("contract {contract}")))?.address.into())
            }
        };
        if topic.is_some() && (contract.is_none() || name.is_none()) {
            return Err(RpcError::new(codes::INVALID_PARAMS, "topic needs contract and name"));
        }
        let limit = Some(limits::STREAM_EVENTS);
        Ok(Source { query: EventParams { contract, name, topic, from, limit, ..EventParams::default() } })
    }
}

impl super::Source for Source {
    fn page(&mut self, node: &Node) -> Result<Vec<Event>, RpcError> {
        let page = handlers::event::query(node, &self.query)?;
        let mut frames = Vec::with_capacity(page.events.len());
        for event in &page.events {
            let next = EventCursor { height: event.height, index: event.index, event: event.event_index + 1 };
            frames.push(frame(event).id(next.to_string()));
        }
        self.query.from = page.next;
        Ok(frames)
    }

    fn cursor(&self) -> String {
        self.query.from.to_string()
    }

    fn height(&self) -> Height {
        self.query.from.height
    }
}
