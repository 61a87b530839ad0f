//! Where nodes talk about groups that are not there yet: what is sent to one node by its key, outside of all groups.
//!
//! Every node that is let in can be spoken to here and be heard, so what is said must show by itself what it is worth.

use std::sync::Arc;

use hanse_group::Network;
use hanse_group::network::{Incoming, Module, Recipient};
use hanse_types::Hash;
use hanse_types::crypto::PublicKey;

use super::switch::Switch;

/// What stands in a frame's place for a group: no genesis has this hash.
pub(super) const LOBBY: Hash = Hash::ZERO;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lobby {
    switch: Arc<Switch>,
    network: Network,
}

/// What happens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// There is a connection to this node, a new one.
    Up(PublicKey),
    /// There is none any more.
    Down(PublicKey),
    /// A node said something; it may be anything.
    Word(PublicKey, Arc<[u8]>),
}

impl Lobby {
    /// Into the lobby of this node's network.
    pub(super) fn enter(switch: &Arc<Switch>) -> Lobby {
        Lobby { switch: switch.clone(), network: switch.join(LOBBY) }
    }

    /// What comes next; none when the network has ended.
    pub(crate) async fn hear(&mut self) -> Option<Heard> {
        loop {
            let incoming = self.network.incoming.recv().await?;
            let key = |peer| self.switch.key(peer);
            let heard = match incoming {
                Incoming::Up(peer) => key(peer).map(Heard::Up),
                Incoming::Down(peer) => key(peer).map(Heard::Down),
                Incoming::Frame { from, bytes } => key(from).map(|from| Heard::Word(from, bytes)),
            };
            if heard.is_some() {
                return heard;
            }
        }
    }

    /// Says something to a node; it is lost if there is no connection, or too much waits for it.
    pub(crate) fn say(&self, to: &PublicKey, bytes: Arc<[u8]>) {
        let to = Recipient::One(self.switch.peer(to));
        self.network.transport.send(to, Module::Transactions, bytes);
    }
}
