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

/// Writes an event in the encoding of [`hanse_abi::Event`], without building one: its beginning, its topics, the other
/// fields. Used by what `#[event]` generates.
pub struct EventWriter {
    out: Encoded,
}

impl EventWriter {
    /// Starts an event with these bytes: the name and the number of topics, each counted and encoded by the macro.
    pub fn new(beginning: &[u8]) -> EventWriter {
        let mut out = Encoded::new();
        out.append(beginning);
        EventWriter { out }
    }

    /// Adds a topic.
    pub fn topic<T: Data>(&mut self, value: &T) {
        let begin = self.out.begin_counted();
        value.write(&mut self.out);
        self.out.end_counted(begin);
    }

    /// The encoded event, after `write` has written the fields that are no topics.
    pub fn finish(mut self, write: impl FnOnce(&mut Encoded)) -> Encoded {
        let begin = self.out.begin_counted();
        write(&mut self.out);
        self.out.end_counted(begin);
        self.out
    }
}

/// Decodes a topic. Called by what `#[event]` generates.
pub fn read_topic<T: Data>(event: &hanse_abi::Event, at: usize) -> Option<T> {
    data::decode(event.topics.get(at)?)
}
