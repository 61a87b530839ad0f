//! Receipts and access sets.

use hanse_abi::Event;
use hanse_types::{
    Add, Canonical, Delta, Gas, Height, RangeRead, Read, Receipt, ReceiptEvent, RwSet, Status, TxId, TxIndex, Value,
    Version, Write, limits,
};

use crate::WireError;
use crate::convert::{Convert, wire_limit, within_canonical_limit};
use crate::elements::List;
use crate::fields::{address, all, array, hash, key, narrow};
use crate::generated as wire;

impl Convert for Receipt {
    type Message = wire::Receipt;
    const WHAT: &'static str = Receipt::NAME;
    const MAX_BYTES: usize = wire_limit(limits::RECEIPT_BYTES);
    const LISTS: &'static [List] = &[List { number: 10, field: "Receipt.events", least: 20 }];

    fn to_message(&self) -> wire::Receipt {
        wire::Receipt {
            tx_id: self.tx_id.0.0.to_vec(),
            height: self.height.0,
            index: self.index.0,
            status: self.status.code().into(),
            gas_used: self.gas_used.0,
            output: self.output.clone(),
            error_code: self.error_code,
            message: self.message.clone(),
            failed_in: self.failed_in.0.to_vec(),
            events: self.events.iter().map(event_to_message).collect(),
            rw_set: self.rw_set.0.to_vec(),
        }
    }

    fn from_message(message: wire::Receipt) -> Result<Receipt, WireError> {
        Ok(Receipt {
            tx_id: TxId(hash("Receipt.tx_id", &message.tx_id)?),
            height: Height(message.height),
            index: TxIndex(message.index),
            status: status(message.status)?,
            gas_used: Gas(message.gas_used),
            output: message.output,
            error_code: message.error_code,
            message: message.message,
            failed_in: address("Receipt.failed_in", &message.failed_in)?,
            events: all(message.events, event_from_message)?,
            rw_set: hash("Receipt.rw_set", &message.rw_set)?,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

fn status(code: u32) -> Result<Status, WireError> {
    let status = u8::try_from(code).ok().and_then(Status::from_code);
    status.ok_or(WireError::OutOfRange { field: "Receipt.status", found: code.into() })
}

fn event_to_message(event: &ReceiptEvent) -> wire::Event {
    let ReceiptEvent { contract, event } = event;
    wire::Event {
        contract: contract.0.to_vec(),
        name: event.name.clone(),
        topics: event.topics.clone(),
        data: event.data.clone(),
    }
}

fn event_from_message(message: wire::Event) -> Result<ReceiptEvent, WireError> {
    let contract = address("Event.contract", &message.contract)?;
    let event = Event { name: message.name, topics: message.topics, data: message.data };
    Ok(ReceiptEvent { contract, event })
}

impl Convert for RwSet {
    type Message = wire::RwSet;
    const WHAT: &'static str = RwSet::NAME;
    const MAX_BYTES: usize = wire_limit(limits::RW_SET_BYTES);
    // A key takes its tag, its length and a byte.
    const LISTS: &'static [List] = &[
        List { number: 1, field: "RwSet.reads", least: 3 },
        List { number: 2, field: "RwSet.ranges", least: 6 },
        List { number: 3, field: "RwSet.writes", least: 3 },
        List { number: 4, field: "RwSet.adds", least: 3 + 3 * 16 },
    ];

    fn to_message(&self) -> wire::RwSet {
        wire::RwSet {
            reads: self.reads.iter().map(read_to_message).collect(),
            ranges: self.ranges.iter().map(range_to_message).collect(),
            writes: self.writes.iter().map(write_to_message).collect(),
            adds: self.adds.iter().map(add_to_message).collect(),
        }
    }

    fn from_message(message: wire::RwSet) -> Result<RwSet, WireError> {
        Ok(RwSet {
            reads: all(message.reads, read_from_message)?,
            ranges: all(message.ranges, range_from_message)?,
            writes: all(message.writes, write_from_message)?,
            adds: all(message.adds, add_from_message)?,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

fn read_to_message(read: &Read) -> wire::ReadEntry {
    let writer = match read.version {
        Version::Parent => None,
        Version::Tx(index) => Some(index.0),
    };
    wire::ReadEntry { key: read.key.clone(), writer, present: read.present }
}

fn read_from_message(message: wire::ReadEntry) -> Result<Read, WireError> {
    let version = message.writer.map_or(Version::Parent, |index| Version::Tx(TxIndex(index)));
    Ok(Read { key: key("ReadEntry.key", message.key)?, version, present: message.present })
}

fn range_to_message(range: &RangeRead) -> wire::RangeEntry {
    wire::RangeEntry { start: range.start.clone(), end: range.end.clone() }
}

fn range_from_message(message: wire::RangeEntry) -> Result<RangeRead, WireError> {
    Ok(RangeRead { start: key("RangeEntry.start", message.start)?, end: key("RangeEntry.end", message.end)? })
}

fn write_to_message(write: &Write) -> wire::WriteEntry {
    wire::WriteEntry { key: write.key.clone(), value: write.value.as_ref().map(|value| value.to_vec()) }
}

fn write_from_message(message: wire::WriteEntry) -> Result<Write, WireError> {
    Ok(Write { key: key("WriteEntry.key", message.key)?, value: message.value.map(Value::from) })
}

fn add_to_message(add: &Add) -> wire::AddEntry {
    let Add { key, delta } = add;
    wire::AddEntry {
        key: key.clone(),
        amount: delta.amount.to_le_bytes().to_vec(),
        width: delta.width.into(),
        min: delta.min.to_le_bytes().to_vec(),
        max: delta.max.to_le_bytes().to_vec(),
    }
}

fn add_from_message(message: wire::AddEntry) -> Result<Add, WireError> {
    let delta = Delta {
        amount: i128::from_le_bytes(array("AddEntry.amount", &message.amount)?),
        width: narrow("AddEntry.width", message.width)?,
        min: u128::from_le_bytes(array("AddEntry.min", &message.min)?),
        max: u128::from_le_bytes(array("AddEntry.max", &message.max)?),
    };
    Ok(Add { key: key("AddEntry.key", message.key)?, delta })
}
