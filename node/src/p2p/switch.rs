//! Between the groups of this node and its peers: what a group sends goes to the members that are connected, what peers
//! send goes to the group, if they are members of it.
//!
//! Both are checked for each frame, against the newest membership. A frame for a group that does not run here and one of a
//! sender who is no member end the same way: nobody hears of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use hanse_group::Network;
use hanse_group::network::{Inbox, InboxSender, Incoming, Module, Peer, Recipient, Transport};
use hanse_types::Hash;
use hanse_types::crypto::PublicKey;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::budget::Budget;
use super::figures::{Figures, Refused};
use super::frame::Parcel;
use super::lobby::LOBBY;
use super::membership::Membership;
use super::outbox::Outbox;

/// See the module.
#[derive(Debug)]
pub(super) struct Switch {
    /// This node: no frame of it comes from elsewhere.
    me: PublicKey,
    membership: watch::Receiver<Membership>,
    figures: Arc<Figures>,
    /// Bytes a second that are taken of a member, for each group.
    rate: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What groups call the nodes: the place in this list.
    numbers: Vec<PublicKey>,
    /// Peers that can be sent to.
    links: BTreeMap<PublicKey, Arc<Outbox>>,
    groups: BTreeMap<Hash, Port>,
    /// How many groups have joined, those that left included.
    joined: u64,
}

/// Where one group is connected.
#[derive(Debug)]
struct Port {
    /// Which of those that joined it is.
    id: u64,
    inbox: InboxSender,
    /// Members that the group was told are up.
    up: BTreeSet<PublicKey>,
    /// What each member may send now.
    budgets: BTreeMap<PublicKey, Budget>,
}

impl Switch {
    pub(super) fn new(
        me: PublicKey,
        membership: watch::Receiver<Membership>,
        figures: Arc<Figures>,
        rate: u64,
    ) -> Arc<Switch> {
        Arc::new(Switch { me, membership, figures, rate, state: Mutex::default() })
    }

    /// Connects a group, until the network is dropped.
    pub(super) fn join(self: &Arc<Switch>, group: Hash) -> Network {
        let (inbox, incoming) = Inbox::new();
        let id = {
            let state = &mut *self.state.lock();
            state.joined += 1;
            let port = Port { id: state.joined, inbox, up: BTreeSet::new(), budgets: BTreeMap::new() };
            state.groups.insert(group, port);
            state.joined
        };
        self.refresh();
        Network { transport: Arc::new(Member { switch: self.clone(), group, id }), incoming }
    }

    /// From now on, frames to this peer go there.
    pub(super) fn connect(&self, peer: PublicKey, outbox: Arc<Outbox>) {
        // Groups begin anew with a peer whose connection is a new one.
        self.disconnect(&peer);
        self.state.lock().links.insert(peer, outbox);
        self.refresh();
    }

    /// Nothing can be sent to this peer any more.
    pub(super) fn disconnect(&self, peer: &PublicKey) {
        self.state.lock().links.remove(peer);
        self.refresh();
    }

    /// Tells each group who of its members is up, where that has changed.
    pub(super) fn refresh(&self) {
        let state = &mut *self.state.lock();
        let membership = self.membership.borrow();
        for (group, port) in &mut state.groups {
            let is_up = |key: &&PublicKey| **key != self.me && membership.has(group, key);
            let up: BTreeSet<PublicKey> = state.links.keys().filter(is_up).copied().collect();
            for gone in port.up.difference(&up) {
                port.tell(Incoming::Down(number(&mut state.numbers, gone)));
                port.budgets.remove(gone);
            }
            for new in up.difference(&port.up) {
                port.tell(Incoming::Up(number(&mut state.numbers, new)));
            }
            port.up = up;
        }
    }

    /// Whether a frame of this group is taken from this peer. If not, that is counted.
    pub(super) fn takes(&self, from: &PublicKey, group: &Hash) -> bool {
        let runs = self.state.lock().groups.contains_key(group);
        let takes = runs && self.membership.borrow().has(group, from);
        if !takes {
            self.figures.refuse(Refused::Group);
        }
        takes
    }

    /// Counts so many bytes as sent to this group by this member; whether it may send them now.
    pub(super) fn spend(&self, from: &PublicKey, group: &Hash, bytes: usize) -> bool {
        let (now, rate) = (Instant::now(), self.rate);
        let state = &mut *self.state.lock();
        let Some(port) = state.groups.get_mut(group) else { return true };
        port.budgets.entry(*from).or_insert_with(|| Budget::new(rate, now)).take(bytes, now)
    }

    /// Gives a frame to its group, if it is taken; false if too much of its sender waits there.
    pub(super) fn deliver(&self, from: &PublicKey, group: &Hash, bytes: Arc<[u8]>) -> bool {
        // Asked again: the frame took its time.
        if !self.takes(from, group) {
            return true;
        }
        let state = &mut *self.state.lock();
        let from = number(&mut state.numbers, from);
        state.groups.get(group).is_none_or(|port| port.inbox.put(Incoming::Frame { from, bytes }))
    }

    /// Groups that run here and that this node is a member of, as well as this peer.
    pub(super) fn common_groups(&self, peer: &PublicKey) -> Vec<Hash> {
        let (state, membership) = (self.state.lock(), self.membership.borrow());
        let groups = state.groups.keys().filter(|group| **group != LOBBY);
        groups.filter(|group| membership.has(group, peer)).copied().collect()
    }

    /// The node that groups call so.
    pub(super) fn key(&self, Peer(number): Peer) -> Option<PublicKey> {
        self.state.lock().numbers.get(number as usize).copied()
    }

    /// What groups call this node, which is admitted.
    pub(super) fn peer(&self, key: &PublicKey) -> Peer {
        number(&mut self.state.lock().numbers, key)
    }

    fn send(&self, group: &Hash, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let parcel = Arc::new(Parcel::new(frame));
        let state = self.state.lock();
        let membership = self.membership.borrow();
        let Some(port) = state.groups.get(group) else { return };
        let is_meant = |key: &&PublicKey| match to {
            Recipient::All => true,
            Recipient::One(Peer(number)) => state.numbers.get(number as usize) == Some(*key),
        };
        for member in port.up.iter().filter(is_meant).filter(|key| membership.has(group, key)) {
            let Some(outbox) = state.links.get(member) else { continue };
            if !outbox.put(*group, module, parcel.clone()) {
                self.figures.refuse(Refused::Full);
            }
        }
    }
}

impl Port {
    /// Tells that a connection came or went.
    fn tell(&self, change: Incoming) {
        // There is always room for that.
        self.inbox.put(change);
    }
}

/// What groups call a node.
fn number(numbers: &mut Vec<PublicKey>, key: &PublicKey) -> Peer {
    let at = numbers.iter().position(|known| known == key).unwrap_or_else(|| {
        numbers.push(*key);
        numbers.len() - 1
    });
    // Only admitted nodes get one.
    Peer(at as u32)
}

/// A group's way out.
#[derive(Debug)]
struct Member {
    switch: Arc<Switch>,
    group: Hash,
    id: u64,
}

impl Transport for Member {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        self.switch.send(&self.group, to, module, frame);
    }

    fn key_of(&self, member: Peer) -> Option<PublicKey> {
        self.switch.state.lock().numbers.get(member.0 as usize).copied()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let groups = &mut self.switch.state.lock().groups;
        // It may have been opened again already.
        if groups.get(&self.group).is_some_and(|port| port.id == self.id) {
            groups.remove(&self.group);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GROUP: Hash = Hash([1; 32]);
    const OTHER: Hash = Hash([2; 32]);

    fn key(byte: u8) -> PublicKey {
        PublicKey::Ed25519([byte; 32])
    }

    fn membership(groups: &[(Hash, &[u8])]) -> Membership {
        let members = |keys: &[u8]| keys.iter().map(|byte| (key(*byte), format!("node-{byte}"))).collect();
        Membership { groups: groups.iter().map(|(group, keys)| (*group, members(keys))).collect() }
    }

    fn switch(groups: &[(Hash, &[u8])]) -> (watch::Sender<Membership>, Arc<Switch>) {
        let (sender, receiver) = watch::channel(membership(groups));
        (sender, Switch::new(key(0), receiver, Arc::default(), u64::MAX))
    }

    fn bytes() -> Arc<[u8]> {
        Arc::from([7])
    }

    #[tokio::test]
    async fn frames_go_to_and_come_from_members_only_at_any_time() {
        let (members, switch) = switch(&[(GROUP, &[0, 1, 2]), (OTHER, &[0, 3])]);
        let mut network = switch.join(GROUP);
        let outboxes: Vec<Arc<Outbox>> = (0..4).map(|_| Arc::new(Outbox::new(100))).collect();
        (1..4).for_each(|peer| switch.connect(key(peer as u8), outboxes[peer].clone()));
        assert_eq!(network.incoming.recv().await, Some(Incoming::Up(Peer(0))));
        assert_eq!(network.incoming.recv().await, Some(Incoming::Up(Peer(1))));

        let sent = |from: usize| std::iter::from_fn(|| outboxes[from].take()).count();
        network.transport.send(Recipient::All, Module::Sync, bytes());
        assert_eq!((sent(1), sent(2), sent(3)), (1, 1, 0));
        network.transport.send(Recipient::One(Peer(1)), Module::Sync, bytes());
        assert_eq!((sent(1), sent(2), sent(3)), (0, 1, 0));

        // One of another group, one of a group that does not run here, one of nobody.
        let deliver = |from, group| assert!(switch.deliver(&key(from), &group, bytes()), "nothing waits");
        deliver(3, GROUP);
        deliver(3, OTHER);
        deliver(9, GROUP);
        assert_eq!(switch.figures.refused(Refused::Group), 3);
        deliver(2, GROUP);
        assert_eq!(network.incoming.recv().await, Some(Incoming::Frame { from: Peer(1), bytes: bytes() }));

        // What is said of the members counts from then on, also before the group was told.
        members.send_replace(membership(&[(GROUP, &[0, 1, 3])]));
        network.transport.send(Recipient::All, Module::Sync, bytes());
        deliver(2, GROUP);
        assert_eq!((sent(1), sent(2), sent(3)), (1, 0, 0));
        switch.refresh();
        assert_eq!(network.incoming.recv().await, Some(Incoming::Down(Peer(1))));
        assert_eq!(network.incoming.recv().await, Some(Incoming::Up(Peer(2))));
        deliver(3, GROUP);
        assert_eq!(network.incoming.recv().await, Some(Incoming::Frame { from: Peer(2), bytes: bytes() }));
    }

    #[tokio::test]
    async fn a_group_that_left_gets_and_sends_nothing() {
        let (_members, switch) = switch(&[(GROUP, &[0, 1])]);
        let network = switch.join(GROUP);
        let outbox = Arc::new(Outbox::new(100));
        switch.connect(key(1), outbox.clone());
        drop(network.transport);
        assert!(!switch.takes(&key(1), &GROUP));
        assert!(switch.join(GROUP).incoming.recv().await.is_some());
        assert!(outbox.take().is_none());
    }
}
