//! The consensus engine that a group's genesis has chosen.

use hanse_consensus::{Bft, Consensus, Input, Output, Solo, Standard};
use hanse_types::Timestamp;

/// One of them.
#[derive(Debug)]
pub(crate) enum Engine {
    Solo(Box<Solo>),
    Bft(Box<Bft<Standard>>),
}

impl Consensus for Engine {
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        match self {
            Engine::Solo(engine) => engine.step(input, now, out),
            Engine::Bft(engine) => engine.step(input, now, out),
        }
    }
}
