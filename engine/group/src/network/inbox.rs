//! What has come for a group and was not taken yet: bounded for each member, members in turn.
//!
//! So a member that sends more than the group takes loses frames of its own, and delays nobody else's by more than one frame. A
//! frame is always taken where nothing of its sender waits, however long it is. What one member sends stays in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hanse_consensus::Peer;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Incoming;

/// Bytes of frames that may wait for one group; what comes beyond that is dropped.
const BYTES: usize = 64 << 20;
/// Bytes of those of one member.
const MEMBER_BYTES: usize = 16 << 20;
/// Frames of one member.
const MEMBER_FRAMES: usize = 16 << 10;

/// The end that the group has.
#[derive(Debug)]
pub struct Inbox {
    /// One for each thing that waits.
    tokens: mpsc::UnboundedReceiver<()>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Where a network puts what comes for a group.
#[derive(Clone, Debug)]
pub struct InboxSender {
    tokens: mpsc::UnboundedSender<()>,
    waiting: Arc<Mutex<Waiting>>,
}

/// What waits, by member.
#[derive(Debug, Default)]
struct Waiting {
    members: BTreeMap<Peer, Queue>,
    /// Members of whom something waits, in the order of their turns.
    turns: VecDeque<Peer>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Incoming>,
    frames: usize,
    bytes: usize,
}

impl Incoming {
    /// Whom it is from, or about.
    fn member(&self) -> Peer {
        match self {
            Incoming::Up(member) | Incoming::Down(member) | Incoming::Frame { from: member, .. } => *member,
        }
    }

    /// Bytes of the frame, if it is one.
    fn frame_bytes(&self) -> Option<usize> {
        match self {
            Incoming::Frame { bytes, .. } => Some(bytes.len()),
            Incoming::Up(_) | Incoming::Down(_) => None,
        }
    }
}

impl Inbox {
    /// Both ends of an empty one.
    pub fn new() -> (InboxSender, Inbox) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::<Mutex<Waiting>>::default();
        (InboxSender { tokens: sender, waiting: waiting.clone() }, Inbox { tokens: receiver, waiting })
    }

    /// What comes next; none when nothing can come any more.
    pub async fn recv(&mut self) -> Option<Incoming> {
        self.tokens.recv().await?;
        self.waiting.lock().next()
    }
}

impl InboxSender {
    /// Puts something in; whether there was room. Frames are dropped while too much of their sender waits, or of all; that
    /// connections come and go is always told.
    pub fn put(&self, incoming: Incoming) -> bool {
        if !self.waiting.lock().put(incoming) {
            return false;
        }
        // A group that is gone hears nothing.
        let _ = self.tokens.send(());
        true
    }
}

impl Waiting {
    fn put(&mut self, incoming: Incoming) -> bool {
        let member = incoming.member();
        let queue = self.members.entry(member).or_default();
        if let Some(bytes) = incoming.frame_bytes() {
            let is_over = queue.bytes + bytes > MEMBER_BYTES || self.bytes + bytes > BYTES;
            if queue.frames > 0 && (is_over || queue.frames >= MEMBER_FRAMES) {
                return false;
            }
            queue.frames += 1;
            queue.bytes += bytes;
            self.bytes += bytes;
        }
        if queue.items.is_empty() {
            self.turns.push_back(member);
        }
        queue.items.push_back(incoming);
        true
    }

    fn next(&mut self) -> Option<Incoming> {
        let member = self.turns.pop_front()?;
        let queue = self.members.get_mut(&member)?;
        let incoming = queue.items.pop_front()?;
        if let Some(bytes) = incoming.frame_bytes() {
            queue.frames -= 1;
            queue.bytes -= bytes;
            self.bytes -= bytes;
        }
        if queue.items.is_empty() {
            self.members.remove(&member);
        } else {
            self.turns.push_back(member);
        }
        Some(incoming)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frame(from: u32, length: usize) -> Incoming {
        Incoming::Frame { from: Peer(from), bytes: vec![from as u8; length].into() }
    }

    async fn drain(inbox: &mut Inbox) -> Vec<Incoming> {
        let mut all = Vec::new();
        while let Some(incoming) = inbox.recv().await {
            all.push(incoming);
        }
        all
    }

    #[tokio::test]
    async fn a_member_that_floods_loses_its_own_frames_and_delays_the_others_by_one() {
        let (sender, mut inbox) = Inbox::new();
        let taken = (0..3 * MEMBER_FRAMES).filter(|_| sender.put(frame(1, 10))).count();
        assert_eq!(taken, MEMBER_FRAMES);
        assert!(sender.put(frame(2, 1_000)) && sender.put(frame(2, 1_001)) && sender.put(frame(3, 7)));
        assert!(sender.put(Incoming::Down(Peer(1))), "connections are always told of");
        assert_eq!(inbox.recv().await, Some(frame(1, 10)));
        assert_eq!(inbox.recv().await, Some(frame(2, 1_000)));
        assert_eq!(inbox.recv().await, Some(frame(3, 7)));
        assert_eq!(inbox.recv().await, Some(frame(1, 10)));
        assert_eq!(inbox.recv().await, Some(frame(2, 1_001)));
        assert!(sender.put(frame(1, 10)), "there is room again");
        drop(sender);
        let rest = drain(&mut inbox).await;
        assert_eq!(rest.len(), MEMBER_FRAMES - 2 + 2);
        assert_eq!(rest[rest.len() - 2..], [Incoming::Down(Peer(1)), frame(1, 10)], "in its own order");
        assert!(inbox.waiting.lock().members.is_empty() && inbox.waiting.lock().bytes == 0);
    }

    #[tokio::test]
    async fn long_frames_are_bounded_by_bytes_and_one_always_fits() {
        let (sender, mut inbox) = Inbox::new();
        assert!(sender.put(frame(1, MEMBER_BYTES + 1)) && !sender.put(frame(1, 1)));
        for other in 2..=5 {
            assert!(sender.put(frame(other, MEMBER_BYTES - 1)));
        }
        // More than all may have waits now: only who has nothing there is heard.
        assert!(!sender.put(frame(2, 1)) && sender.put(frame(6, 1)) && !sender.put(frame(6, 1)));
        drop(sender);
        assert_eq!(drain(&mut inbox).await.len(), 6);
    }
}
