//! The consensus engine that a group's genesis has chosen.

use hanse_consensus::{Bft, Consensus, Input, Output, Raft, Solo, Standard};
use hanse_types::Timestamp;

use crate::agreement::{Agreement, Part};

/// One of them.
#[derive(Debug)]
pub(crate) enum Engine {
    Solo(Box<Solo>),
    Bft(Box<Bft<Standard>>),
    Raft(Box<Raft<Standard>>),
}

impl Engine {
    /// Where it is; none if it decides alone. So many others are connected.
    pub(crate) fn agreement(&self, peers: usize) -> Option<Agreement> {
        match self {
            Engine::Solo(_) => None,
            Engine::Bft(engine) => {
                let (height, round, step) = engine.position();
                let part = Part::Step(step);
                Some(Agreement { height, round, part, leader: None, votes: engine.votes(), peers })
            }
            Engine::Raft(engine) => {
                let (height, round) = engine.position();
                let part = engine.role().map_or(Part::Observer, Part::Role);
                Some(Agreement { height, round, part, leader: engine.leader(), votes: engine.votes(), peers })
            }
        }
    }
}

impl Consensus for Engine {
    fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        match self {
            Engine::Solo(engine) => engine.step(input, now, out),
            Engine::Bft(engine) => engine.step(input, now, out),
            Engine::Raft(engine) => engine.step(input, now, out),
        }
    }
}
