//! What carries a group's words to its other members.
//!
//! A group hands out frames and is given those of others; who they come from is for the network to know. Nothing that it
//! carries has to arrive: what gets lost is asked for again. So a network never waits for a slow peer, it drops.
//!
//! [`Hub`] joins groups within one process. Nodes that are apart are joined by whatever implements [`Transport`].

mod inbox;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_consensus::Message;
pub use hanse_consensus::{Peer, Recipient};
use hanse_replica::sync::SyncMessage;
use hanse_types::crypto::PublicKey;
use hanse_types::{Canonical, SignedTransaction, limits};
use parking_lot::Mutex;

pub use inbox::{Inbox, InboxSender};

/// What members of a group send each other.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Frame {
    /// Consensus.
    Consensus(Box<Message>),
    /// Transactions that clients have submitted to the sender.
    Transactions(Vec<SignedTransaction>),
    /// Committed blocks, and requests for them.
    Sync(Box<SyncMessage>),
}

/// What a frame is about. What stands first is more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Module {
    /// The height under way.
    Consensus,
    /// What a member lacks: blocks that are decided, transactions of blocks.
    Sync,
    /// Transactions that clients have submitted.
    Transactions,
}

impl Module {
    /// All, the most urgent first.
    pub const ALL: [Module; 3] = [Module::Consensus, Module::Sync, Module::Transactions];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Module::Consensus => "consensus",
            Module::Sync => "sync",
            Module::Transactions => "transactions",
        }
    }
}

impl Frame {
    /// What it is about.
    pub fn module(&self) -> Module {
        match self {
            Frame::Consensus(message) => match **message {
                Message::Decided { .. } | Message::Transactions { .. } => Module::Sync,
                _ => Module::Consensus,
            },
            Frame::Transactions(_) => Module::Transactions,
            Frame::Sync(_) => Module::Sync,
        }
    }
}

impl Canonical for Frame {
    const NAME: &'static str = "frame";
    // Of transactions it has a part of a block's at most; and a block with its certificate is shorter.
    const MAX_BYTES: usize = Message::MAX_BYTES + limits::BLOCK_BODY_BYTES;
}

/// What a group is told by the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// There is a connection to this member.
    Up(Peer),
    /// There is none any more.
    Down(Peer),
    /// A frame came, as canonical bytes; it may be anything.
    Frame {
        /// From whom.
        from: Peer,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
}

/// The way out.
pub trait Transport: Debug + Send + Sync {
    /// Sends a frame, the canonical bytes of a [`Frame`] that is about this. Never waits; what can't be sent is dropped.
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>);

    /// The key of a member, where members are known by their keys.
    fn key_of(&self, _member: Peer) -> Option<PublicKey> {
        None
    }
}

/// A group's connection to its other members. Dropping it ends the connection.
#[derive(Debug)]
pub struct Network {
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// The way in.
    pub incoming: Inbox,
}

/// Joins groups of one process: each hears all the others, as long as their links are whole.
#[derive(Debug, Default)]
pub struct Hub {
    links: Mutex<Links>,
}

#[derive(Debug, Default)]
struct Links {
    members: BTreeMap<Peer, Joined>,
    cut: BTreeSet<(Peer, Peer)>,
    /// How many have joined so far.
    joined: u64,
}

/// A member's way in.
#[derive(Debug)]
struct Joined {
    /// Which of all: who left late does not take with it who has come in its place.
    number: u64,
    inbox: InboxSender,
}

impl Links {
    fn is_whole(&self, one: Peer, two: Peer) -> bool {
        one != two && !self.cut.contains(&(one.min(two), one.max(two)))
    }

    /// Tells both ends.
    fn tell(&self, one: Peer, two: Peer, about: fn(Peer) -> Incoming) {
        if let (Some(first), Some(second)) = (self.members.get(&one), self.members.get(&two)) {
            first.inbox.put(about(two));
            second.inbox.put(about(one));
        }
    }
}

impl Hub {
    /// One that nobody has joined.
    pub fn new() -> Arc<Hub> {
        Arc::default()
    }

    /// Joins as this member, until the network is dropped.
    pub fn join(self: &Arc<Hub>, me: Peer) -> Network {
        let (inbox, incoming) = Inbox::new();
        let mut links = self.links.lock();
        links.joined += 1;
        let number = links.joined;
        links.members.insert(me, Joined { number, inbox });
        let others = links.members.keys().filter(|peer| links.is_whole(me, **peer));
        others.for_each(|peer| links.tell(me, *peer, Incoming::Up));
        Network { transport: Arc::new(Member { hub: self.clone(), me, number }), incoming }
    }

    /// Cuts the link between two members.
    pub fn cut(&self, one: Peer, two: Peer) {
        let mut links = self.links.lock();
        if links.is_whole(one, two) {
            links.tell(one, two, Incoming::Down);
            links.cut.insert((one.min(two), one.max(two)));
        }
    }

    /// Makes it whole again.
    pub fn heal(&self, one: Peer, two: Peer) {
        let mut links = self.links.lock();
        if links.cut.remove(&(one.min(two), one.max(two))) {
            links.tell(one, two, Incoming::Up);
        }
    }

    fn leave(&self, me: Peer, number: u64) {
        let mut links = self.links.lock();
        if links.members.get(&me).is_none_or(|joined| joined.number != number) {
            return;
        }
        links.members.remove(&me);
        let others = links.members.iter().filter(|(peer, _)| links.is_whole(me, **peer));
        for (_, other) in others {
            other.inbox.put(Incoming::Down(me));
        }
    }
}

#[derive(Debug)]
struct Member {
    hub: Arc<Hub>,
    me: Peer,
    number: u64,
}

impl Transport for Member {
    fn send(&self, to: Recipient, _: Module, frame: Arc<[u8]>) {
        let links = self.hub.links.lock();
        let is_meant = |peer: &Peer| match to {
            Recipient::All => true,
            Recipient::One(one) => *peer == one,
        };
        let members = links.members.iter().filter(|(peer, _)| is_meant(peer) && links.is_whole(self.me, **peer));
        // What there is no room for is lost.
        for (_, member) in members {
            member.inbox.put(Incoming::Frame { from: self.me, bytes: frame.clone() });
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.leave(self.me, self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn frame(byte: u8) -> Arc<[u8]> {
        Arc::from([byte])
    }

    #[tokio::test]
    async fn who_leaves_late_leaves_alone_who_has_come_in_its_place() {
        let hub = Hub::new();
        let (before, mut two) = (hub.join(Peer(1)), hub.join(Peer(2)));
        let now = hub.join(Peer(1));
        drop(before);
        now.transport.send(Recipient::All, Module::Consensus, frame(1));
        let from = Incoming::Frame { from: Peer(1), bytes: frame(1) };
        for expected in [Incoming::Up(Peer(1)), Incoming::Up(Peer(1)), from] {
            assert_eq!(two.incoming.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn members_hear_each_other_while_their_link_is_whole() {
        let hub = Hub::new();
        let (mut one, mut two) = (hub.join(Peer(1)), hub.join(Peer(2)));
        assert_eq!(one.incoming.recv().await, Some(Incoming::Up(Peer(2))));
        assert_eq!(two.incoming.recv().await, Some(Incoming::Up(Peer(1))));
        one.transport.send(Recipient::All, Module::Consensus, frame(1));
        hub.cut(Peer(2), Peer(1));
        one.transport.send(Recipient::One(Peer(2)), Module::Consensus, frame(2));
        hub.heal(Peer(1), Peer(2));
        one.transport.send(Recipient::One(Peer(2)), Module::Consensus, frame(3));
        drop(one.transport);
        let from = |byte| Incoming::Frame { from: Peer(1), bytes: frame(byte) };
        for expected in [from(1), Incoming::Down(Peer(1)), Incoming::Up(Peer(1)), from(3), Incoming::Down(Peer(1))] {
            assert_eq!(two.incoming.recv().await, Some(expected));
        }
    }
}
