//! Finding events by contract, name and first topic.

use hanse_types::{Address, Height, Receipt, ReceiptEvent, TxId, TxIndex};

use crate::error::LedgerError;
use crate::keys;
use crate::ledger::Ledger;
use crate::query;
use crate::store::{RangeQuery, Table};

/// Blocks whose places are read at a time.
const BLOCKS: usize = 64;

/// An event's place in the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    /// The block.
    pub height: Height,
    /// The transaction.
    pub index: TxIndex,
    /// Position among the transaction's events, from 0.
    pub number: u32,
}

/// Which events are wanted.
#[derive(Clone, Copy, Debug)]
pub struct EventQuery<'a> {
    /// The contract that emitted them.
    pub contract: Address,
    /// Their name.
    pub name: &'a str,
    /// Their first topic, or any. Finds nothing in blocks that were written without this index (see
    /// [`LedgerOptions`](crate::LedgerOptions::index_topics)).
    pub topic: Option<&'a [u8]>,
    /// From where on.
    pub from: EventPosition,
    /// The last block.
    pub to: Height,
    /// Most events wanted.
    pub limit: usize,
}

/// An event that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEvent {
    /// Where.
    pub position: EventPosition,
    /// Whose it is.
    pub tx_id: TxId,
    /// What was emitted.
    pub event: ReceiptEvent,
}

/// Some of the events that a query finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsPage {
    /// The events, in the order of the chain.
    pub events: Vec<FoundEvent>,
    /// From where a further query goes on, if there may be more.
    pub next: Option<EventPosition>,
}

impl Ledger {
    /// Events by contract, name and first topic, in the order of the chain.
    ///
    /// # Errors
    /// If the store fails or is damaged, or the range begins before the first block that is here.
    pub fn events(&self, wanted: &EventQuery<'_>) -> Result<EventsPage, LedgerError> {
        self.shared.beginning.check_block(wanted.from.height.max(Height(1)))?;
        let current = self.current();
        let prefix = keys::events(&wanted.contract, wanted.name, wanted.topic);
        let end = keys::at_height(&prefix, wanted.to.next());
        let mut start = keys::at_height(&prefix, wanted.from.height);
        let mut page = EventsPage::default();
        loop {
            let query = RangeQuery { start: &start, end: &end, limit: BLOCKS, reverse: false };
            let entries = current.reader().range(Table::Index, query)?;
            let Some((last, _)) = entries.last() else { return Ok(page) };
            start = [&last[..], &[0]].concat();
            for (key, places) in &entries {
                for position in positions(key, places)?.into_iter().filter(|position| *position >= wanted.from) {
                    if page.events.len() == wanted.limit {
                        page.next = Some(position);
                        return Ok(page);
                    }
                    page.events.extend(self.event_at(&current, position, wanted)?);
                }
            }
        }
    }

    /// The event at a place, if it is one that is wanted: the index knows only part of a digest.
    fn event_at(
        &self,
        current: &crate::ledger::Current,
        position: EventPosition,
        wanted: &EventQuery<'_>,
    ) -> Result<Option<FoundEvent>, LedgerError> {
        let receipt: Receipt = query::record(current.reader(), Table::Receipt, position.height, position.index)?;
        let Some(found) = receipt.events.get(position.number as usize) else {
            return Err(LedgerError::damaged("the index of events", format!("there is no event at {position:?}")));
        };
        let topic_fits =
            wanted.topic.is_none_or(|topic| found.event.topics.first().is_some_and(|first| first == topic));
        let fits = found.contract == wanted.contract && found.event.name == wanted.name && topic_fits;
        Ok(fits.then(|| FoundEvent { position, tx_id: receipt.tx_id, event: found.clone() }))
    }
}

fn positions(key: &[u8], places: &[u8]) -> Result<Vec<EventPosition>, LedgerError> {
    let damaged = || LedgerError::damaged("the index of events", "an entry is cut off");
    let height = keys::height_of(key).ok_or_else(damaged)?;
    let (places, []) = places.as_chunks::<8>() else { return Err(damaged()) };
    let position = |place: &[u8; 8]| {
        let both = u64::from_be_bytes(*place);
        EventPosition { height, index: TxIndex((both >> 32) as u32), number: both as u32 }
    };
    Ok(places.iter().map(position).collect())
}
