//! The consensus engine that a group's genesis has chosen.

use hanse_consensus::{Bft, Consensus, Input, Output, Solo, Standard};
use hanse_types::Timestamp;

use crate::agreement::Agreement;

/// One of them.
#[derive(Debug)]
pub(crate) enum Engine {
    Solo(Box<Solo>),
    Bft(Box<Bft<Standard>>),
}

impl Engine {
    /// Where it is; none if it decides alone. So many others are connected.
    pub(crate) fn agreement(&self, peers: usize) -> Option<Agreement> {
        let Engine::Bft(engine) = self else { return None };
        let (height, round, step) = engine.position();
        Some(Agreement { height, round, step, votes: engine.votes(), peers })
    }
}

impl Consensus for Engine {
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        match self {
            Engine::Solo(engine) => engine.step(input, now, out),
            Engine::Bft(engine) => engine.step(input, now, out),
        }
    }
}
