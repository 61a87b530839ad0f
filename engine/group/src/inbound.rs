//! Takes in what other members send: consensus goes to the driver, transactions are verified as clients' are, and who is
//! behind is answered.

use std::sync::Arc;

use hanse_consensus::Peer;
use hanse_replica::sync::SyncMessage;
use hanse_types::{Canonical, SignedTransaction};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::event::Event;
use crate::group::Group;
use crate::network::{Frame, Inbox, Incoming};
use crate::snapshots::FetchSender;
use crate::sync::BlockServer;

/// Frames of transactions that are under verification at a time. More are dropped: whoever accepted them still proposes
/// them, and a block that holds them brings them.
const UNDER_WAY: usize = 256;

/// Runs until nothing can come any more, or the group has stopped.
pub(crate) async fn run(group: Group, mut inbox: Inbox, server: Arc<BlockServer>, fetch: FetchSender) {
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some(incoming) = inbox.recv().await {
        let event = match incoming {
            Incoming::Up(peer) => {
                fetch.up(peer).await;
                Event::PeerUp(peer)
            }
            Incoming::Down(peer) => {
                fetch.down(peer).await;
                Event::PeerDown(peer)
            }
            Incoming::Frame { from, bytes } => match Frame::decode(&bytes) {
                Ok(Frame::Consensus(message)) => Event::Message { from, message },
                Ok(Frame::Transactions(transactions)) => {
                    take(&group, &room, from, transactions);
                    continue;
                }
                Ok(Frame::Sync(message)) => match *message {
                    SyncMessage::Blocks(blocks) => Event::Synced { from, blocks },
                    message @ (SyncMessage::GetBlocks { .. }
                    | SyncMessage::GetOffers
                    | SyncMessage::GetDescription { .. }
                    | SyncMessage::GetChunk { .. }) => {
                        server.serve(from, message);
                        continue;
                    }
                    message @ (SyncMessage::Offers(_) | SyncMessage::Description(_) | SyncMessage::Chunk { .. }) => {
                        fetch.heard(from, message);
                        continue;
                    }
                },
                Err(error) => {
                    debug!(peer = from.0, %error, "a member sent what is no frame");
                    continue;
                }
            },
        };
        if group.inner.events.send(event).await.is_err() {
            return;
        }
    }
}

fn take(group: &Group, room: &Arc<Semaphore>, from: Peer, transactions: Vec<SignedTransaction>) {
    if let Ok(permit) = room.clone().try_acquire_owned() {
        let group = group.clone();
        tokio::spawn(async move {
            group.relayed(from, transactions).await;
            drop(permit);
        });
    }
}
