//! The step between the proof of a key and the first stream: certificates are exchanged, and whoever is not admitted goes no
//! further.
//!
//! It is part of choosing the multiplexer. Nodes choose `/hanse/yamux/1`: the one that connected presents its certificate, the
//! other checks it, and only then presents its own; then follows yamux. A program that knows none of that chooses
//! `/yamux/1.0.0` and presents nothing, which is enough for one that is allowed by its key. So a stranger learns nothing
//! of a node, not even what it is.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | length of the rest, big-endian; 0 for no certificate |
//! | n | the certificate, in DER |

use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::{Multiaddr, PeerId, yamux};
use thiserror::Error;

use super::admission::{Admission, Refusal};
use crate::pki::MAX_BYTES;

/// Yamux after an exchange of certificates.
const CERTIFIED: &str = "/hanse/yamux/1";
/// Yamux as everybody speaks it.
const PLAIN: &str = "/yamux/1.0.0";

/// Why a connection did not come about.
#[derive(Debug, Error)]
pub(super) enum ExchangeError {
    /// This node does not admit the other.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The other one hung up.
    #[error("it ended the connection when this node presented its certificate, or the lack of one; its log says why")]
    HungUp,
    /// The other one sends something else.
    #[error("it presents a certificate of {0} bytes, and no certificate is that long")]
    TooLong(usize),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// See the module: of one connection, with the node whose key is proven.
#[derive(Clone)]
pub(super) struct Certified {
    pub(super) admission: Arc<Admission>,
    pub(super) peer: PeerId,
    /// Where it is.
    pub(super) at: Multiaddr,
}

impl Certified {
    async fn present(&self, stream: &mut (impl AsyncWrite + Unpin)) -> Result<(), ExchangeError> {
        let own = self.admission.own();
        let der = own.as_ref().map_or(&[][..], |certificate| certificate.der());
        // No certificate that could be read is longer than 4 KiB.
        stream.write_all(&(der.len() as u16).to_be_bytes()).await?;
        stream.write_all(der).await?;
        Ok(stream.flush().await?)
    }

    async fn check(&self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), ExchangeError> {
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_BYTES {
            return Err(ExchangeError::TooLong(length));
        }
        let mut der = vec![0; length];
        stream.read_exact(&mut der).await?;
        Ok(self.admission.present(&self.peer, (length > 0).then_some(&der), &self.at)?)
    }

    fn check_plain(&self) -> Result<(), ExchangeError> {
        Ok(self.admission.present(&self.peer, None, &self.at)?)
    }
}

impl UpgradeInfo for Certified {
    type Info = &'static str;
    type InfoIter = [&'static str; 2];

    fn protocol_info(&self) -> [&'static str; 2] {
        [CERTIFIED, PLAIN]
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Certified {
    type Output = yamux::Muxer<C>;
    type Error = ExchangeError;
    type Future = BoxFuture<'static, Result<yamux::Muxer<C>, ExchangeError>>;

    fn upgrade_inbound(self, mut stream: C, protocol: &'static str) -> Self::Future {
        Box::pin(async move {
            if protocol == CERTIFIED {
                self.check(&mut stream).await?;
                self.present(&mut stream).await?;
            } else {
                self.check_plain()?;
            }
            Ok(yamux::Config::default().upgrade_inbound(stream, PLAIN).await?)
        })
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Certified {
    type Output = yamux::Muxer<C>;
    type Error = ExchangeError;
    type Future = BoxFuture<'static, Result<yamux::Muxer<C>, ExchangeError>>;

    fn upgrade_outbound(self, mut stream: C, protocol: &'static str) -> Self::Future {
        Box::pin(async move {
            if protocol == CERTIFIED {
                self.present(&mut stream).await?;
                self.check(&mut stream).await.map_err(hung_up)?;
            } else {
                self.check_plain()?;
            }
            Ok(yamux::Config::default().upgrade_outbound(stream, PLAIN).await?)
        })
    }
}

/// Who refuses says nothing.
fn hung_up(error: ExchangeError) -> ExchangeError {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error {
        ExchangeError::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) => {
            ExchangeError::HungUp
        }
        other => other,
    }
}
