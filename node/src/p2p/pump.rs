//! What moves frames between a connection's streams and the switch: one task for each direction.

use std::io;
use std::sync::Arc;

use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use hanse_types::crypto::PublicKey;
use tokio::task::JoinError;

use super::figures::{Figures, Refused, Traffic};
use super::frame::{FrameError, Head, read_payload, skip_payload};
use super::outbox::{Outbox, Outgoing};
use super::switch::Switch;

/// Bytes that are gathered before they are given to the connection, or taken from it at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Packing so many takes about half a millisecond.
const MANY_BYTES: usize = 256 << 10;

/// Where bytes are counted.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    /// Those of the node.
    pub(super) node: Arc<Figures>,
    /// Those of the peer.
    pub(super) peer: Arc<Traffic>,
}

impl Counters {
    /// A frame was more than its sender's part.
    fn refuse(&self) {
        self.node.refuse(Refused::Flood);
        self.peer.refuse();
    }
}

/// Sends what is in the outbox, until the stream breaks.
pub(super) async fn send(
    stream: impl AsyncWrite + Unpin,
    outbox: Arc<Outbox>,
    counters: Counters,
) -> Result<(), io::Error> {
    let mut stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
    loop {
        let Some(Outgoing { group, module, parcel }) = outbox.take() else {
            stream.flush().await?;
            outbox.filled().await;
            continue;
        };
        let to_pack = parcel.clone();
        aside(parcel.len(), move || to_pack.pack()).await;
        let (head, bytes) = parcel.wire(group, module);
        stream.write_all(&head.encode()).await?;
        stream.write_all(bytes).await?;
        counters.node.of(module).send(&head);
        counters.peer.send(&head);
    }
}

/// Takes what comes from this peer, until the stream ends. What is not for a group that both are members of is passed over,
/// and so is what is more than its part.
pub(super) async fn receive(
    stream: impl AsyncRead + Unpin,
    from: PublicKey,
    switch: Arc<Switch>,
    counters: Counters,
) -> Result<(), FrameError> {
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    while let Some(head) = Head::read(&mut stream).await? {
        let Head { group, module, length, .. } = head;
        counters.node.of(module).receive(&head);
        counters.peer.receive(&head);
        if !switch.takes(&from, &group) {
            skip_payload(&mut stream, length).await?;
        } else if !switch.spend(&from, &group, head.frame_bytes()) {
            skip_payload(&mut stream, length).await?;
            counters.refuse();
        } else {
            let bytes = read_payload(&mut stream, length).await?;
            let payload = aside(head.frame_bytes(), move || head.unpack(bytes)).await?;
            if !switch.deliver(&from, &group, payload) {
                counters.refuse();
            }
        }
    }
    Ok(())
}

/// Does what takes its time for so many bytes: where they are many, on a thread on which nobody waits for others.
async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes < MANY_BYTES {
        return work();
    }
    match tokio::task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The program ends, and this with it.
        Err(Err(_)) => std::future::pending().await,
    }
}
