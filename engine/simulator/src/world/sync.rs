//! Whole nodes that are behind fetch ranges of blocks of several others, some of which lie.

use hanse_consensus::Peer;
use hanse_replica::Input;
use hanse_replica::sync::{Examination, SyncMessage};

use crate::real::on_threads_of;
use crate::world::{Event, World};

impl World {
    /// Sends what nodes that catch up and those that help them say to each other. It comes at most once: a transport that
    /// doubles things would have each answer looked at twice, and have somebody blamed for it.
    pub(super) fn send_sync(&mut self, at: usize, Peer(to): Peer, message: SyncMessage) {
        let to = to as usize;
        if to >= self.nodes.len() {
            return;
        }
        self.network.enter(self.time, &mut self.tape);
        if let Some(after) = self.network.deliveries(at, to).into_iter().flatten().next() {
            self.plan(after, Event::Synced { to, from: at, message });
        }
    }

    pub(super) fn synced(&mut self, at: usize, from: usize, message: SyncMessage) {
        let from = Peer(from as u32);
        match message {
            SyncMessage::GetBlocks { from: first, count, outcomes } => {
                let Some(whole) = self.whole(at) else { return };
                let blocks = match hanse_group::sync::blocks(&whole.ledger, first, count, outcomes) {
                    Ok(blocks) => blocks,
                    Err(error) => return self.oracle.fail(format!("node {at} can't read its ledger: {error}")),
                };
                let blocks = match &mut self.nodes[at].adversary {
                    Some(adversary) => adversary.serve(blocks),
                    None => Some(blocks),
                };
                if let Some(blocks) = blocks {
                    self.send_sync(at, from, SyncMessage::Blocks(blocks));
                }
            }
            SyncMessage::Blocks(blocks) => self.tell_whole(at, Input::Synced { from, blocks }),
            // Nodes here have their ledgers in memory, and begin with no snapshot.
            SyncMessage::GetOffers
            | SyncMessage::Offers(_)
            | SyncMessage::GetDescription { .. }
            | SyncMessage::Description(_)
            | SyncMessage::GetChunk { .. }
            | SyncMessage::Chunk { .. } => {}
        }
    }

    /// Looks at what a node was sent.
    pub(super) fn examine(&mut self, at: usize, examination: Examination) {
        let Some(real) = &self.real else { return };
        let identity = &self.chain.identity;
        let examined = on_threads_of(at, || examination.run(identity, &real.verifier));
        self.summary.fetched_ahead += examined.blocks.len() as u64;
        let after = self.takes(at, 1, 4);
        self.plan_whole(at, after, Input::Examined(examined));
    }

    /// A node says that another lies: that one has to be faulty.
    pub(super) fn lied(&mut self, at: usize, Peer(liar): Peer, reason: &str) {
        self.summary.lies += 1;
        if self.trace {
            println!("[{:>6}] n{at} has seen {liar} lie: {reason}", self.time);
        }
        let is_honest = self.nodes.get(liar as usize).is_some_and(|node| node.is_honest());
        if is_honest && self.nodes[at].is_honest() {
            self.oracle.fail(format!("node {at} says that {liar} lies, which is honest: {reason}"));
        }
    }
}
