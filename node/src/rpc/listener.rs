//! Connections: to whom they belong, and when one is given up.
//!
//! A peer that takes nothing of what is being sent to it holds memory and a place among those who are served. It gets
//! `rpc.reader_patience_seconds`, then its connection is closed; the reader of a stream goes on from its cursor.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;

/// A listener whose connections end when the peer stops reading.
pub(super) struct PatientListener {
    listener: TcpListener,
    patience: Duration,
}

impl PatientListener {
    /// Peers may take nothing for so long.
    pub(super) fn new(listener: TcpListener, patience: Duration) -> PatientListener {
        PatientListener { listener, patience }
    }
}

impl Listener for PatientListener {
    type Io = Pin<Box<TimeoutStream<TcpStream>>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // A frame of a stream is short, and must not wait for the next one. Where the option is refused, it does.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "small packets of a connection are delayed");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.patience));
        (Box::pin(stream), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(pub(super) IpAddr);

impl Connected<IncomingStream<'_, PatientListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, PatientListener>) -> Self {
        Peer(stream.remote_addr().ip())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::poll_fn;
    use std::io::Read;
    use std::net::Ipv4Addr;
    use tokio::io::AsyncWrite;

    type Server = Pin<Box<TimeoutStream<TcpStream>>>;

    async fn pair(patience: Duration) -> (std::net::TcpStream, Server) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = PatientListener::new(listener, patience).accept().await;
        (client, server)
    }

    async fn write(server: &mut Server, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|context| server.as_mut().poll_write(context, bytes)).await
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (client, mut server) = pair(Duration::from_millis(200)).await;
        // Until the buffers of both ends are full, then not any more.
        let error = loop {
            if let Err(error) = write(&mut server, &[b'x'; 64 << 10]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn one_that_reads_is_not() {
        let (mut client, mut server) = pair(Duration::from_secs(60)).await;
        let all = 16 << 20;
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            received.len()
        });
        let mut sent = 0;
        while sent < all {
            sent += write(&mut server, &[b'x'; 64 << 10]).await.unwrap();
        }
        drop(server);
        assert_eq!(reader.join().unwrap(), sent);
    }
}
