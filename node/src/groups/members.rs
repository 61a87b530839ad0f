//! What the network is told of a group: who its members are, by the state of its newest block.

use std::sync::Arc;

use hanse_group::Group;
use hanse_vm::system::members;

use crate::p2p::{Net, of_members};

/// Tells it now and after each block, until the chain ends.
pub(super) async fn tell(group: Group, net: Arc<Net>) {
    let (mut tip, hash) = (group.tip(), group.genesis_hash());
    loop {
        tip.mark_unchanged();
        match members::load(&*group.ledger().state()) {
            Ok(members) => net.members_are(hash, of_members(&members)),
            Err(error) => {
                tracing::error!(%error, "the group's members can't be read; the network keeps to those before")
            }
        }
        if tip.changed().await.is_err() {
            return;
        }
    }
}
