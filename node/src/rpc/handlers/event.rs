//! Events: by the index where contract and name are given, else block by block.

use hanse_client::methods::{EventCursor, EventParams, Events};
use hanse_client::views::LocatedEvent;
use hanse_client::{RpcError, codes};
use hanse_ledger::{EventPosition, EventQuery};
use hanse_types::{Address, Height, Receipt, TxIndex};

use super::super::abi::Abis;
use super::super::registry::{Entry, reads};
use super::super::{Node, errors, render};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(QueryEvents, query)];

/// [`hanse_client::methods::QueryEvents`].
pub(crate) fn query(node: &Node, params: &EventParams) -> Result<Events, RpcError> {
    let contract = match &params.contract {
        None => None,
        Some(contract) => {
            let found = node.group.contract_info(&contract.0).map_err(errors::query)?;
            Some(found.ok_or_else(|| errors::not_found(format!("contract {contract}")))?.address)
        }
    };
    let newest = node.group.ledger().height();
    let to = params.to_height.map_or(newest, |to| to.min(newest));
    let limit = params.limit.unwrap_or(node.server.capacity.events).clamp(1, node.server.capacity.events);
    match (contract, &params.name) {
        (Some(contract), Some(name)) => indexed(node, params, contract, name, to, limit),
        _ if params.topic.is_some() => {
            Err(RpcError::new(codes::INVALID_PARAMS, "event_query: topic needs contract and name"))
        }
        _ => scan(node, params, contract, to, limit),
    }
}

fn indexed(
    node: &Node,
    params: &EventParams,
    contract: Address,
    name: &str,
    to: Height,
    limit: usize,
) -> Result<Events, RpcError> {
    let EventCursor { height, index, event } = params.from;
    let from = EventPosition { height, index, number: event };
    let topic = params.topic.as_ref().map(|topic| topic.0.as_slice());
    let wanted = EventQuery { contract, name, topic, from, to, limit };
    let page = node.group.ledger().events(&wanted).map_err(errors::ledger)?;
    let mut abis = Abis::new(node);
    let events = page.events.iter().map(|found| LocatedEvent {
        height: found.position.height,
        index: found.position.index,
        tx_id: found.tx_id.0,
        event_index: found.position.number,
        event: render::event(&mut abis, &found.event),
    });
    let next = match page.next {
        Some(EventPosition { height, index, number }) => EventCursor { height, index, event: number },
        None => after(to),
    };
    Ok(Events { events: events.collect(), next, complete: page.next.is_none() })
}

/// Where to go on once everything up to a block was looked at.
fn after(to: Height) -> EventCursor {
    EventCursor { height: to.next(), ..EventCursor::default() }
}

fn scan(
    node: &Node,
    params: &EventParams,
    contract: Option<Address>,
    to: Height,
    limit: usize,
) -> Result<Events, RpcError> {
    let mut abis = Abis::new(node);
    let mut events = Vec::new();
    let mut cursor = params.from;
    let last = Height(cursor.height.0.saturating_add(node.server.capacity.event_blocks - 1)).min(to);
    while cursor.height <= last {
        let receipts = node.group.ledger().receipts(cursor.height).map_err(errors::ledger)?.unwrap_or_default();
        for receipt in receipts.iter().skip(cursor.index.as_usize()) {
            let skip = if receipt.index == cursor.index { cursor.event } else { 0 };
            for (number, found) in wanted(receipt, contract, params.name.as_deref(), skip) {
                if events.len() == limit {
                    let next = EventCursor { height: receipt.height, index: receipt.index, event: number };
                    return Ok(Events { events, next, complete: false });
                }
                events.push(LocatedEvent {
                    height: receipt.height,
                    index: receipt.index,
                    tx_id: receipt.tx_id.0,
                    event_index: number,
                    event: render::event(&mut abis, found),
                });
            }
        }
        cursor = EventCursor { height: cursor.height.next(), index: TxIndex(0), event: 0 };
    }
    Ok(Events { events, next: cursor, complete: cursor.height > to })
}

/// A receipt's events from a number on, of this contract and name if given.
fn wanted<'a>(
    receipt: &'a Receipt,
    contract: Option<Address>,
    name: Option<&'a str>,
    from: u32,
) -> impl Iterator<Item = (u32, &'a hanse_types::ReceiptEvent)> {
    (0..).zip(&receipt.events).skip(from as usize).filter(move |(_, found)| {
        contract.is_none_or(|contract| contract == found.contract) && name.is_none_or(|name| name == found.event.name)
    })
}
