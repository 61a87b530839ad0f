//! What moves frames between a connection's streams and the switch: one task for each direction.

use std::io;
use std::sync::Arc;

use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use hanse_types::crypto::PublicKey;

use super::figures::{Figures, Refused, Traffic};
use super::frame::{FrameError, HEAD_BYTES, Head, read_payload, skip_payload};
use super::outbox::{Outbox, Outgoing};
use super::switch::Switch;

/// Bytes that are gathered before they are given to the connection, or taken from it at a time.
const BUFFER_BYTES: usize = 64 << 10;

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
        let Some(Outgoing { group, module, payload }) = outbox.take() else {
            stream.flush().await?;
            outbox.filled().await;
            continue;
        };
        let head = Head { group, module, length: payload.len() };
        stream.write_all(&head.encode()).await?;
        stream.write_all(&payload).await?;
        counters.node.of(module).send(HEAD_BYTES + payload.len());
        counters.peer.send(HEAD_BYTES + payload.len());
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
    while let Some(Head { group, module, length }) = Head::read(&mut stream).await? {
        counters.node.of(module).receive(HEAD_BYTES + length);
        counters.peer.receive(HEAD_BYTES + length);
        if !switch.takes(&from, &group) {
            skip_payload(&mut stream, length).await?;
        } else if !switch.spend(&from, &group, length) {
            skip_payload(&mut stream, length).await?;
            counters.refuse();
        } else {
            let payload = read_payload(&mut stream, length).await?;
            if !switch.deliver(&from, &group, payload) {
                counters.refuse();
            }
        }
    }
    Ok(())
}
