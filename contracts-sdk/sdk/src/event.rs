//! Events: what a contract tells the world.

use core::fmt::Debug;

use crate::data::{self, Data, Encoded};
use crate::host;

/// An event that `#[event]` made.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "write `#[event]` above the struct, and `#[topic]` above the fields that shall be indexed"
)]
pub trait ContractEvent: Sized + Debug + PartialEq {
    /// The event's name in the ABI.
    const NAME: &'static str;

    /// The event as the host takes it: Borsh of [`hanse_abi::Event`].
    fn encode(&self) -> Encoded;

    /// The event that was emitted, if it is one of this type.
    fn decode(event: &hanse_abi::Event) -> Option<Self>;
}

/// Emits an event. It counts only if the whole transaction succeeds.
pub fn emit<E: ContractEvent>(event: E) {
    host::event(&event.encode());
}

/// Writes an event in the encoding of [`hanse_abi::Event`], without building one. Used by what `#[event]` generates.
pub struct EventWriter {
    out: Encoded,
    data: Encoded,
}

impl EventWriter {
    /// Starts an event with that many topics.
    pub fn new(name: &str, topics: usize) -> EventWriter {
        let mut out = Encoded::new();
        data::write_length(name.len(), &mut out);
        out.append(name.as_bytes());
        data::write_length(topics, &mut out);
        EventWriter { out, data: Encoded::new() }
    }

    /// Adds a topic.
    pub fn topic<T: Data>(&mut self, value: &T) {
        append_counted(&data::encode(value), &mut self.out);
    }

    /// Adds a field that is no topic.
    pub fn field<T: Data>(&mut self, value: &T) {
        value.write(&mut self.data);
    }

    /// The encoded event.
    pub fn finish(mut self) -> Encoded {
        append_counted(&self.data, &mut self.out);
        self.out
    }
}

fn append_counted(bytes: &[u8], out: &mut Encoded) {
    data::write_length(bytes.len(), out);
    out.append(bytes);
}

/// Decodes a topic. Called by what `#[event]` generates.
pub fn read_topic<T: Data>(event: &hanse_abi::Event, at: usize) -> Option<T> {
    data::decode(event.topics.get(at)?)
}
